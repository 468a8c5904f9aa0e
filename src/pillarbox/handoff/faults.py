"""
What is said when a hand-off fails; loaded only then.

The service's own words are passed on as they are; ours say whether the mail was taken, because
whoever gets the exit code decides by it whether to send the mail again.
"""

from __future__ import annotations

from pillarbox.errors import (
    EX_CONFIG,
    EX_DATAERR,
    EX_NOHOST,
    EX_NOPERM,
    EX_NOUSER,
    EX_OK,
    EX_PROTOCOL,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
    DataError,
    InputOutputError,
    NetworkError,
    PillarboxError,
)
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EXIT_CODES",
    "broken_off",
    "exit_code_of",
    "no_address",
    "refused",
    "unreachable",
    "unreadable_input",
]

# What a refusal (5yz) means to a caller: "subject.detail" of its enhanced code (RFC 3463), else
# its subject. The service says its own troubles in these codes (intake.submission).
EXIT_CODES = {
    "1": EX_NOUSER,
    "1.2": EX_NOHOST,
    "1.3": EX_DATAERR,  # no address at all
    "1.7": EX_DATAERR,
    "1.8": EX_NOHOST,
    "1.10": EX_NOHOST,
    "2": EX_NOUSER,
    "2.2": EX_UNAVAILABLE,  # a full mailbox
    "2.3": EX_DATAERR,  # too big
    "3": EX_UNAVAILABLE,
    "3.4": EX_DATAERR,  # too big
    "3.5": EX_CONFIG,
    "4": EX_UNAVAILABLE,
    "5": EX_PROTOCOL,
    "5.3": EX_DATAERR,  # too many recipients
    "5.4": EX_USAGE,
    "6": EX_DATAERR,
    "7": EX_NOPERM,
}

_SHOWN = 3  # recipients that are named when some are refused; the rest is counted


def exit_code_of(code: int, text: bytes) -> int:
    """
    Return the exit code that a reply to a content, or to what went before it, comes to.

    Args:
        code: The reply code.
        text: What stands behind it, the enhanced code first if there is one.

    """
    if 200 <= code < 300:
        return EX_OK
    if not 500 <= code < 600:
        return EX_TEMPFAIL
    subject, dot, detail = _enhanced(text)[2:].partition(".")
    return EXIT_CODES.get(subject + dot + detail, EXIT_CODES.get(subject, EX_UNAVAILABLE))


def _enhanced(text: bytes) -> str:
    """Return the enhanced code that a text begins with, or an empty text."""
    word = text.partition(b" ")[0]
    parts = word.split(b".")
    if len(parts) == 3 and all(part.isdigit() and len(part) <= 3 for part in parts):
        return word.decode("ascii")
    return ""


def refused(
    replies: Sequence[tuple[str, int, bytes]], *, is_everybody: bool = False
) -> PillarboxError:
    """
    Return what is raised when the service said no.

    Args:
        replies: For each no, the recipient that it is about, code and text.
        is_everybody: There is no recipient who got a yes.

    """
    codes = [exit_code_of(code, text) for _, code, text in replies]
    said: dict[str, list[str]] = {}
    for recipient, _, text in replies:
        enhanced = _enhanced(text)
        shown = printable(text[len(enhanced) :].strip()) or printable(text)
        said.setdefault(shown, []).append(recipient)
    if is_everybody and len(said) == 1:
        said = {sentence: [] for sentence in said}
    lines = []
    for sentence, recipients in said.items():
        names = ", ".join(recipients[:_SHOWN])
        if len(recipients) > _SHOWN:
            names = say("{names} and {count} more", names=names, count=len(recipients) - _SHOWN)
        lines.append(f"{names}: {sentence}" if names else sentence)
    error = PillarboxError("; ".join(lines))
    # Who tries again loses nothing, as in ``delivery.policy``.
    error.exit_code = EX_TEMPFAIL if EX_TEMPFAIL in codes else codes[0]
    return error


def unreachable(path: str, exc: OSError) -> PillarboxError:
    """Return what is raised when there is no connection to the service."""
    problem = say(
        "the mail service at {path} cannot be reached: {reason}",
        path=path,
        reason=exc.strerror or str(exc),
    )
    advice = say(
        "the mail was not taken; see that 'pillarbox serve' runs and send it again, or send it"
        " past the service with --direct"
    )
    return NetworkError(problem, peer=path, advice=advice)


def broken_off(path: str, reason: str, *, is_in_doubt: bool) -> PillarboxError:
    """
    Return what is raised when the service gave no answer.

    Args:
        path: The socket.
        reason: ``closed``, ``silent``, ``foreign`` (it does not speak LMTP), or the system's words.
        is_in_doubt: The mail was written to its end, so that the service may have it.

    """
    reasons = {
        "closed": say("it closed the connection"),
        "silent": say("it does not answer"),
        "foreign": say("it does not speak LMTP"),
    }
    problem = say(
        "the mail service at {path} broke off: {reason}",
        path=path,
        reason=reasons.get(reason, reason),
    )
    if is_in_doubt:
        advice = say("it may have the mail all the same: look with mailq before you send it again")
    else:
        advice = say("the mail was not taken; send it again")
    return NetworkError(problem, peer=path, advice=advice)


def no_address(text: str) -> PillarboxError:
    """Return what is raised about something that cannot stand in a command."""
    return DataError(say("{text} is no address", text=repr(text)))


def unreadable_input(exc: OSError) -> PillarboxError:
    """Return what is raised when standard input fails."""
    return InputOutputError(say("cannot read the mail: {reason}", reason=exc.strerror))
