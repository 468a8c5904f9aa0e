"""
One mail transaction: what its replies mean for each of its forward-paths.

The session (``client``) decides what is sent and matches replies to commands; here they become
statuses. The first thing that fails a forward-path decides its status; nothing later mends it.
"""

from __future__ import annotations

from pillarbox.errors import EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, DataError, RemoteProtocolError
from pillarbox.mail.status import Trouble, bounced, deferred, delivered
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.errors import PillarboxError
    from pillarbox.mail.envelope import Envelope
    from pillarbox.mail.reply import Reply
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.smtp.capabilities import Capabilities

__all__ = ["Transaction"]

_BAD_SEQUENCE = 503


class Transaction:
    """
    One mail on its way over a session.

    Args:
        envelope: Its envelope, with at least one forward-path.
        size_bytes: The size of its content on the wire, an estimate or None (unknown).
        is_8bit: Whether its content has, or may have, octets above 127.
        tag: The driver's own mark; the engine does not look at it.

    """

    __slots__ = (
        "_accepted",
        "_statuses",
        "content_trouble",
        "envelope",
        "has_chunks",
        "is_8bit",
        "is_complete",
        "is_mail_refused",
        "may_send_content",
        "replies_due",
        "size_bytes",
        "tag",
        "warnings",
    )

    def __init__(
        self,
        envelope: Envelope,
        *,
        size_bytes: int | None = None,
        is_8bit: bool = False,
        tag: object = None,
    ) -> None:
        self.envelope = envelope
        self.tag = tag
        self.size_bytes = size_bytes
        self.is_8bit = is_8bit
        self.warnings: list[str] = []
        self._statuses: list[RecipientStatus | None] = [None] * len(envelope.forward_paths)
        self._accepted: list[int] = []  # indexes of forward-paths, in order
        self.replies_due = 0  # commands of the envelope that are not answered yet
        self.is_mail_refused = False
        self.may_send_content = False  # DATA was answered with 354
        self.has_chunks = False  # a first BDAT was sent
        self.content_trouble: Trouble | None = None  # a BDAT was refused
        self.is_complete = False  # the end of the content was handed out

    @property
    def statuses(self) -> tuple[RecipientStatus, ...]:
        """The status of each forward-path, in the envelope's order, once it has ended."""
        return tuple(status for status in self._statuses if status is not None)

    @property
    def open_paths(self) -> list[int]:
        """The indexes of the forward-paths that have no status yet."""
        return [index for index, status in enumerate(self._statuses) if status is None]

    @property
    def has_accepted(self) -> bool:
        """Whether the server takes the mail for anybody."""
        return bool(self._accepted)

    @property
    def final_replies(self) -> int:
        """How many replies LMTP gives after the content (RFC 2033 4.2); one at the least."""
        return len(self._accepted) or 1

    def check(self, offered: Capabilities) -> None:
        """Give up what this server cannot take, before a word of it is sent."""
        envelope = self.envelope
        limit = offered.max_size_bytes
        if limit is not None and self.size_bytes is not None and self.size_bytes > limit:
            self.fail(
                _trouble(
                    "MAIL",
                    say(
                        "the mail has {size} octets, the server takes {limit}",
                        size=self.size_bytes,
                        limit=limit,
                    ),
                    advice=say("send less, or a link to it"),
                ),
                is_for_ever=True,
            )
        if envelope.needs_smtputf8 and "SMTPUTF8" not in offered:
            path = envelope.reverse_path
            everybody = path is not None and path.needs_smtputf8
            for index in self.open_paths:
                forward_path = envelope.forward_paths[index]
                if everybody or forward_path.needs_smtputf8:
                    culprit = path if everybody else forward_path
                    problem = say(
                        "the server takes no address like {address} (SMTPUTF8 is not offered)",
                        address=culprit,
                    )
                    self._statuses[index] = bounced(forward_path, _trouble("MAIL", problem))
        if envelope.wants_dsn and "DSN" not in offered:
            warning = say("the server does not offer DSN: no reports were asked for")
            self.warnings.append(warning)

    def fail_one(self, index: int, exc: PillarboxError) -> None:
        """Give up one forward-path, which cannot be said to any server; the others go on."""
        trouble = Trouble(
            scope="recipient",
            stage="RCPT",
            problem=exc.problem,
            exit_code=exc.exit_code,
            advice=exc.advice,
        )
        make = bounced if isinstance(exc, DataError) else deferred
        self._statuses[index] = make(self.envelope.forward_paths[index], trouble)

    def on_mail(self, reply: Reply, _: object) -> None:
        """Take the reply to MAIL."""
        self.replies_due -= 1
        if reply.is_positive:
            return
        _refuse_intermediate(reply, "MAIL")
        self.is_mail_refused = True
        path = self.envelope.reverse_path or "<>"
        problem = say("envelope from address {address} not accepted by the server", address=path)
        self._refuse_all(_trouble("MAIL", problem, reply, scope="account"))

    def on_rcpt(self, reply: Reply, index: int) -> None:
        """Take the reply to the RCPT of one forward-path."""
        self.replies_due -= 1
        if self.is_mail_refused:
            return
        if reply.is_positive:
            self._accepted.append(index)
            return
        _refuse_intermediate(reply, "RCPT")
        path = self.envelope.forward_paths[index]
        problem = say("recipient address {address} not accepted by the server", address=path)
        self._refuse(index, _trouble("RCPT", problem, reply, scope="recipient"))

    def on_data(self, reply: Reply, _: object) -> None:
        """Take the reply to DATA."""
        self.replies_due -= 1
        if reply.code == 354:
            self.may_send_content = True
            return
        if reply.is_positive or reply.is_intermediate:
            raise _unfitting(reply, "DATA")
        self._refuse_all(_trouble("DATA", say("the server does not accept mail data"), reply))

    def on_chunk(self, reply: Reply, _: object) -> None:
        """Take the reply to a BDAT that was not the last."""
        if not reply.is_positive and self.content_trouble is None:
            _refuse_intermediate(reply, "BDAT")
            self.content_trouble = _not_accepted("BDAT", reply)
            self._refuse_all(self.content_trouble)

    def on_content(self, reply: Reply, _: object) -> None:
        """Take the one reply that SMTP gives to a content."""
        _refuse_intermediate(reply, "content")
        if not reply.is_positive:
            self._refuse_all(_not_accepted("content", reply))
            return
        for index in self._accepted:
            if self._statuses[index] is None:
                self._statuses[index] = delivered(self.envelope.forward_paths[index], reply)

    def on_delivery(self, reply: Reply, position: int) -> None:
        """Take one of LMTP's replies: that of the accepted forward-path at ``position``."""
        _refuse_intermediate(reply, "content")
        if position >= len(self._accepted):
            return
        index = self._accepted[position]
        path = self.envelope.forward_paths[index]
        if self._statuses[index] is not None:
            return
        if reply.is_positive:
            self._statuses[index] = delivered(path, reply)
        else:
            problem = say("the server did not accept the mail for {address}", address=path)
            self._refuse(index, _trouble("content", problem, reply, scope="recipient"))

    def fail(
        self, trouble: Trouble, *, is_for_ever: bool = False, is_answered: bool = False
    ) -> None:
        """
        Give every forward-path without a status this trouble's.

        Args:
            trouble: What happened.
            is_for_ever: It is not worth trying again.
            is_answered: The content was refused, so it is not in doubt.

        """
        for index in self.open_paths:
            path = self.envelope.forward_paths[index]
            if is_for_ever:
                self._statuses[index] = bounced(path, trouble)
            else:
                # With pipelining the whole mail may be there before its RCPT is answered.
                is_in_doubt = self.is_complete and not is_answered
                self._statuses[index] = deferred(path, trouble, is_in_doubt=is_in_doubt)

    def _refuse_all(self, trouble: Trouble) -> None:
        for index in self.open_paths:
            self._refuse(index, trouble)

    def _refuse(self, index: int, trouble: Trouble) -> None:
        path = self.envelope.forward_paths[index]
        reply = trouble.reply
        # 503 says that the server and we disagree about the sequence, and nothing of the mail.
        if reply is not None and reply.is_permanent and reply.code != _BAD_SEQUENCE:
            self._statuses[index] = bounced(path, trouble)
        else:
            self._statuses[index] = deferred(path, trouble)


def _refuse_intermediate(reply: Reply, stage: str) -> None:
    if reply.is_intermediate:
        raise _unfitting(reply, stage)


def _unfitting(reply: Reply, stage: str) -> RemoteProtocolError:
    problem = say("the server answered {stage} with {code}", stage=stage, code=reply.code)
    return RemoteProtocolError(problem, received=reply.lines[0][:80])


def _not_accepted(stage: str, reply: Reply) -> Trouble:
    return _trouble(stage, say("the server did not accept the mail"), reply)


def _trouble(
    stage: str,
    problem: str,
    reply: Reply | None = None,
    *,
    scope: str = "message",
    advice: str = "",
) -> Trouble:
    if reply is not None and (not reply.is_permanent or reply.code == _BAD_SEQUENCE):
        exit_code = EX_TEMPFAIL
    else:
        exit_code = EX_NOUSER if scope == "recipient" else EX_DATAERR
    return Trouble(
        scope=scope, stage=stage, problem=problem, exit_code=exit_code, reply=reply, advice=advice
    )
