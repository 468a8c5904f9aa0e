"""
The dialogue with a server, line by line, for a person who wants to see it (``--debug``).

Nothing of a login is shown but the name of the mechanism; a server that echoes the secret gets
it starred out. Bytes pass ``printable``, but a text that is UTF-8 stays readable.
"""

from __future__ import annotations

from pillarbox.delivery.report import mask
from pillarbox.mail.reply import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.secret import Secret

__all__ = ["Trace"]

_LINE = 2000  # characters of a line that are shown


class Trace:
    """
    Show lines as msmtp does, ``--> `` for ours and ``<-- `` for the server's.

    Args:
        show: Takes one line to print.
        secret: What must not be shown.

    """

    def __init__(self, show: Callable[[str], None], secret: Secret | None) -> None:
        self._print = show
        self._secret = secret
        self._tails = {"-->": b"", "<--": b""}

    def sent(self, data: bytes, *, is_login: bool) -> None:
        """Show what was sent; of a login only the command and the mechanism."""
        if is_login:
            words = data.split()
            shown = b" ".join(words[:2]) + b" ***" if words[:1] == [b"AUTH"] else b"***"
            self._show(f"--> {printable(shown)}")
        else:
            self._take("-->", data)

    def received(self, data: bytes) -> None:
        """Show what came."""
        self._take("<--", data)

    def _show(self, line: str) -> None:
        try:
            self._print(line)
        except OSError:
            # Nobody listens any more; the mail must not break off because of that.
            self._print = _drop

    def _take(self, arrow: str, data: bytes) -> None:
        lines = (self._tails[arrow] + data).split(b"\n")
        self._tails[arrow] = lines.pop()
        for line in lines:
            masked = mask(line.removesuffix(b"\r"), self._secret)
            self._show(f"{arrow} {printable(masked, _LINE)}")


def _drop(_: str) -> None:
    pass
