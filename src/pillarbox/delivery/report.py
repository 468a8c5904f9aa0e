"""
What a person and a log file are told of an outcome.

Every text from a server passes through here on its way out: the secret, should the server have
echoed it, is starred out, and then control characters are shown as escapes. In that order: an
escape or a cut in the middle of the secret would hide it from the one who looks for it. A text is
put into the person's language before either, for it is a plain string behind them; what goes into
the log is English.
"""

from __future__ import annotations

from pillarbox.errors import EX_NAMES, InputOutputError
from pillarbox.mail.reply import Reply, printable
from pillarbox.mail.status import DELIVERED
from pillarbox.text import localize, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.delivery.submit import Outcome
    from pillarbox.mail.status import RecipientStatus, Trouble
    from pillarbox.secret import Secret

__all__ = ["failure_lines", "log_lines", "mask", "telling_starts", "trouble_lines", "write_log"]

_DEFAULT_TIME_FORMAT = "%b %d %H:%M:%S"
_LOCK_S = 10.0
# Characters of one value (an address has 254 octets), and of all the lines of a reply.
_MAX_SHOWN = 1000
_MAX_QUOTED = 4000

# What would end a value that stands without quotes, and what begins an escape.
_ESCAPED = {ord(char): f"\\x{ord(char):02x}" for char in "\\ ',"}

_MASKED = b"***"
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
# Characters of base64 by which a secret is known; fewer are met by chance.
_TELLING = 4


def failure_lines(outcome: Outcome, account: Account, language: str = "en") -> Iterator[str]:
    """
    Yield what is printed, a line each, when not everybody got the mail.

    Args:
        outcome: What became of it; its hints are in the language already.
        account: Whose mail it was.
        language: ``en`` or ``zh``.

    """
    told: set[object] = set()
    is_partial = any(status.action == DELIVERED for status in outcome.statuses)
    for status, hint in zip(outcome.statuses, outcome.hints, strict=True):
        trouble = status.trouble
        if trouble is None or trouble in told:
            continue
        told.add(trouble)
        yield from trouble_lines(trouble, outcome.secret, language)
        if status.is_in_doubt and trouble.reply is None:
            doubt = say(
                "the mail was sent whole, but the server's answer was lost: it may have arrived"
            )
            yield localize(doubt, language)
        if hint is not None and hint not in told and (hint.provider or not trouble.advice):
            told.add(hint)
            cause: str = hint.cause
            if hint.provider:
                cause = say("{provider}: {cause}", provider=hint.provider, cause=cause)
            yield localize(say("hint: {cause}", cause=cause), language)
            yield localize(say("what to do: {fix}", fix=hint.fix), language)
    failure = say("could not send mail")
    if is_partial:
        failure = say("could not send mail to all recipients")
    if account.origin:
        failure = say(
            "{failure} (account {name} from {path})",
            failure=failure,
            name=account.name,
            path=account.origin,
        )
    yield printable(localize(failure, language), _MAX_SHOWN)


def trouble_lines(trouble: Trouble, secret: Secret | None, language: str = "en") -> Iterator[str]:
    """Yield what happened, what the server said, and what to do, a line each."""
    yield _shown(localize(trouble.problem, language), secret)
    for line in _reply_lines(trouble.reply, secret):
        yield localize(say("server message: {line}", line=line), language)
    if trouble.advice:
        advice = _shown(localize(trouble.advice, language), secret)
        yield localize(say("advice: {advice}", advice=advice), language)


def mask(data: bytes, secret: Secret | None) -> bytes:
    """
    Return what a server sent with the secret starred out.

    It is found as it is, and in base64 wherever it begins there: a server that does not know
    AUTH quotes the whole line, in which the user name stands before the password. Its first
    part is found where the data was cut, at the end.
    """
    raw = secret.reveal().encode("utf-8", "surrogateescape") if secret is not None else b""
    if not raw or not data:
        return data
    data = _without_cut(data.replace(raw, _MASKED), raw)
    for core in _base64_cores(raw):
        data = _without_cut(data, core)
        start = data.find(core)
        while start >= 0:
            end = start + len(core)
            # The characters beside it hold the rest of its bits.
            while start and data[start - 1] in _BASE64:
                start -= 1
            while end < len(data) and data[end] in _BASE64:
                end += 1
            data = data[:start] + _MASKED + data[end:]
            start = data.find(core)
    return data


def telling_starts(secret: Secret | None) -> tuple[bytes, ...]:
    """Return how each form of a secret begins: ``mask`` changes no text that has none of them."""
    raw = secret.reveal().encode("utf-8", "surrogateescape") if secret is not None else b""
    if not raw:
        return ()
    return tuple(form[:_TELLING] for form in (raw, *_base64_cores(raw)))


def _without_cut(data: bytes, form: bytes) -> bytes:
    """Return the data without a part of ``form`` at its end that the rest was cut off from."""
    for length in range(len(form) - 1, _TELLING - 1, -1):
        if data.endswith(form[:length]):
            return data[:-length] + _MASKED
    return data


def _base64_cores(raw: bytes) -> Iterator[bytes]:
    """Yield what of the secret's base64 no neighbour changes, behind 0, 1 and 2 octets."""
    from binascii import b2a_base64

    for before in range(3):
        encoded = b2a_base64(bytes(before) + raw, newline=False)
        core = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(core) >= _TELLING:
            yield core


def _reply_lines(reply: Reply | None, secret: Secret | None) -> list[str]:
    """Return the lines of a reply, safe to show; none for None."""
    if reply is None:
        return []
    return Reply(reply.code, tuple(mask(line, secret) for line in reply.lines)).text_lines()


def _shown(text: str, secret: Secret | None) -> str:
    """Return a sentence that may quote the server, safe to show."""
    return printable(mask(text.encode("utf-8", "surrogatepass"), secret), _MAX_SHOWN)


def log_lines(outcome: Outcome, account: Account) -> list[str]:
    """
    Return the records of an outcome, without time and line end.

    The last is that of msmtp; before it stands one for each repair, as ``repair=ID`` and what was
    done. Values are escaped so that a record is one line and a quote inside a value ends nothing.
    """
    repairs = [
        f"repair={change.rule} place={_plain(change.place or 'message')}"
        f" text='{_quoted(printable(change.what, _MAX_SHOWN))}'"
        for change in outcome.changes
    ]
    return [*repairs, _log_line(outcome, account)]


def _log_line(outcome: Outcome, account: Account) -> str:
    name, value = ("host", account.host) if account.host else ("socket", account.socket or "")
    where = f"{name}={_plain(value)}"
    parts = [where, f"tls={_on_off(account.tls)}", f"auth={_on_off(account.auth != 'off')}"]
    if account.auth != "off" and account.user:
        parts.append(f"user={_plain(account.user)}")
    sender = outcome.envelope.reverse_path
    parts.append(f"from={_plain(str(sender) if sender else '')}")
    recipients = ",".join(_plain(str(path)) for path in outcome.envelope.forward_paths)
    parts.append(f"recipients={recipients}")
    decisive = _decisive(outcome)
    if outcome.exit_code == 0:
        parts.append(f"mailsize={outcome.size_bytes}")
    if decisive.reply is not None:
        lines = _reply_lines(decisive.reply, outcome.secret)
        text = _quoted("\\n".join(lines))
        parts += [f"smtpstatus={decisive.reply.code}", f"smtpmsg='{text}'"]
    if decisive.trouble is not None:
        problem = _shown(decisive.trouble.problem, outcome.secret)
        parts.append(f"errormsg='{_quoted(problem)}'")
    parts.append(f"exitcode={EX_NAMES.get(outcome.exit_code, str(outcome.exit_code))}")
    return " ".join(parts)


def write_log(account: Account, lines: list[str], *, is_success: bool) -> None:
    """
    Append records to the account's log file and syslog, as far as it has them.

    Blocks for up to 10 s while another process holds the file's lock.

    Raises:
        InputOutputError: The file cannot be written; the record is in the text's second line.

    """
    if account.syslog:
        _write_syslog(account.syslog, lines, is_success=is_success)
    if not account.logfile:
        return
    time = _time(account.logfile_time_format)
    record = "".join([f"{time}{line}\n" for line in lines]).encode()
    try:
        if account.logfile == "-":
            _write(1, record)
        else:
            _append(account.logfile, record)
    except OSError as exc:
        problem = say(
            "cannot log to {path}: {reason}",
            path=printable(account.logfile),
            reason=exc.strerror,
        )
        raise InputOutputError(problem, advice=say("log info was: {line}", line=lines[-1])) from exc


def _decisive(outcome: Outcome) -> RecipientStatus:
    """Return the status that stands for all: the first that failed, else the first."""
    for status in outcome.statuses:
        if status.trouble is not None and status.trouble.exit_code == outcome.exit_code:
            return status
    return outcome.statuses[0]


def _append(path: str, record: bytes) -> None:
    import fcntl
    import os
    from time import monotonic, sleep

    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    # A pipe that nobody reads must not hold us: the mail is on its way already.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
    try:
        limit = monotonic() + _LOCK_S
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > limit:
                    raise
                sleep(0.05)
        _write(descriptor, record)
    finally:
        os.close(descriptor)


def _write(descriptor: int, record: bytes) -> None:
    from os import write

    while record:
        record = record[write(descriptor, record) :]


def _write_syslog(facility: str, lines: list[str], *, is_success: bool) -> None:
    import syslog

    number = getattr(syslog, facility, syslog.LOG_USER)
    syslog.openlog("msmtp", 0, number)
    for line in lines:
        syslog.syslog(syslog.LOG_INFO if is_success else syslog.LOG_ERR, line)
    syslog.closelog()


def _time(pattern: str | None) -> str:
    if pattern == "none":
        return ""
    from time import strftime

    try:
        text = strftime(pattern or _DEFAULT_TIME_FORMAT)
    except ValueError:  # also for a pattern that the locale cannot encode
        text = strftime(_DEFAULT_TIME_FORMAT)
    return printable(text, _MAX_SHOWN) + " "  # %n is a line end


def _on_off(is_on: bool) -> str:  # noqa: FBT001 (a word for a truth value)
    return "on" if is_on else "off"


def _plain(value: str) -> str:
    """Return a value that stands without quotes: blanks and quotes in it are escaped."""
    return printable(value.translate(_ESCAPED), _MAX_SHOWN)


def _quoted(value: str) -> str:
    """Return a value, safe to show, that stands in single quotes."""
    return printable(value.replace("'", "?"), _MAX_QUOTED)
