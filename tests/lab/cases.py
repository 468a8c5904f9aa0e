"""
What a case of the laboratory is: a thing that is broken, and what an administrator would call it.

``broken`` and ``healthy`` put a function into ``BROKEN`` or ``HEALTHY``: it damages a scene, or
makes another kind of sound one. Its name is the case's, its docstring says what is the matter.
"""

__all__ = ["BROKEN", "EXIT_FAULT", "EXIT_WARNING", "HEALTHY", "Case", "broken", "healthy"]

BROKEN = []
HEALTHY = []

EXIT_WARNING, EXIT_FAULT = 1, 2


class Case:
    """
    A row of the table.

    Attributes:
        name: Its name.
        damage: What is done to a scene.
        code: The code of the root cause; empty: all is well.
        words: What its fix must contain.
        exit_code: What the doctor must end with.

    """

    def __init__(self, damage, code="", words=(), exit_code=0):
        self.name = damage.__name__.replace("_", "-")
        self.damage = damage
        self.code = code
        self.words = words
        self.exit_code = exit_code


def broken(code, *words, is_warning=False):
    """Enter a case that ends in a root cause with a fix."""

    def enter(damage):
        assert damage.__doc__
        exit_code = EXIT_WARNING if is_warning else EXIT_FAULT
        BROKEN.append(Case(damage, code, words, exit_code))
        return damage

    return enter


def healthy(damage):
    """Enter a case without any fault and any warning."""
    assert damage.__doc__
    HEALTHY.append(Case(damage))
    return damage
