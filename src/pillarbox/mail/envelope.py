"""
The envelope: where failures go, and who gets the mail, with the wishes for reports about it.

The envelope is made from the command line or the header once, and never from a header again.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox

__all__ = ["Envelope"]


class Envelope(Value):
    """
    One mail object's envelope (RFC 5321 2.3.1) with its DSN wishes (RFC 3461).

    Attributes:
        reverse_path: The sender; None is the null reverse-path ``<>``.
        forward_paths: The recipients, in order; duplicates are kept.
        ret: ``"FULL"`` or ``"HDRS"``: what a failure report shall carry; empty: no wish.
        envid: An identifier for reports, as xtext was decoded; empty: none.
        notify: ``"NEVER"`` or a comma list of ``SUCCESS``, ``FAILURE``, ``DELAY``; empty: no wish.
        needs_smtputf8: Whether an address of it has no ASCII form.

    """

    __slots__ = ("envid", "forward_paths", "needs_smtputf8", "notify", "ret", "reverse_path")

    def __init__(
        self,
        reverse_path: Mailbox | None,
        forward_paths: tuple[Mailbox, ...],
        *,
        ret: str = "",
        envid: str = "",
        notify: str = "",
    ) -> None:
        self.reverse_path = reverse_path
        self.forward_paths = forward_paths
        self.ret = ret
        self.envid = envid
        self.notify = notify
        # Looked up for every command, and a thousand recipients would be walked for each.
        self.needs_smtputf8 = (reverse_path is not None and reverse_path.needs_smtputf8) or any(
            path.needs_smtputf8 for path in forward_paths
        )

    @property
    def wants_dsn(self) -> bool:
        """Whether any wish needs the server's DSN extension."""
        return bool(self.ret or self.envid or self.notify)
