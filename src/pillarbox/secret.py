"""
A password or token that cannot be shown by accident.

Everything that handles credentials passes a ``Secret``; only the encoder of the AUTH command
asks for its text. ``repr``, ``str``, formatting and pickling never give it away.
"""

from __future__ import annotations

__all__ = ["Secret"]


class Secret:
    """
    Hold one secret text.

    Two secrets are never equal: comparing them is not something that the program needs.
    An empty secret is a secret, not the absence of one (that is ``None``).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Only what puts it on the wire, or hashes it, may call this."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(*)"

    def __reduce__(self) -> str:
        msg = "a secret cannot be pickled"
        raise TypeError(msg)
