"""
What a person and a log file are told of an outcome.

Every text from a server passes through here on its way out: control characters are shown as
escapes, and the secret, should the server have echoed it, is starred out.
"""

from __future__ import annotations

from pillarbox.errors import EX_NAMES, InputOutputError
from pillarbox.mail.reply import printable
from pillarbox.mail.status import DELIVERED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.delivery.submit import Outcome
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.secret import Secret

__all__ = ["failure_lines", "log_line", "mask", "write_log"]

_DEFAULT_TIME_FORMAT = "%b %d %H:%M:%S"
_LOCK_S = 10.0

# What would end a value that stands without quotes.
_ESCAPED = {ord(char): f"\\x{ord(char):02x}" for char in "\\ ',"}


def failure_lines(outcome: Outcome, account: Account) -> Iterator[str]:
    """Yield what is printed, a line each, when not everybody got the mail."""
    told: list[object] = []
    is_partial = any(status.action == DELIVERED for status in outcome.statuses)
    for status, hint in zip(outcome.statuses, outcome.hints, strict=True):
        trouble = status.trouble
        if trouble is None or trouble in told:
            continue
        told.append(trouble)
        yield mask(printable(trouble.problem), outcome.secret)
        for line in trouble.reply.text_lines() if trouble.reply is not None else ():
            yield f"server message: {mask(line, outcome.secret)}"
        if status.is_in_doubt:
            yield "the mail was sent whole, but the server's answer was lost: it may have arrived"
        if trouble.advice:
            yield f"advice: {trouble.advice}"
        if hint is not None and (hint.provider or not trouble.advice):
            provider = f"{hint.provider}: " if hint.provider else ""
            yield f"hint: {provider}{hint.cause}"
            yield f"what to do: {hint.fix}"
    origin = f" (account {account.name} from {account.origin})" if account.origin else ""
    whom = " to all recipients" if is_partial else ""
    yield f"could not send mail{whom}{origin}"


def mask(text: str, secret: Secret | None) -> str:
    """Return the text with the secret, raw or in base64, starred out."""
    if secret is None or not secret.reveal():
        return text
    from binascii import b2a_base64

    raw = secret.reveal()
    encoded = b2a_base64(raw.encode("utf-8", "surrogateescape"), newline=False).decode("ascii")
    for form in (raw, encoded):
        text = text.replace(form, "***")
    return text


def log_line(outcome: Outcome, account: Account) -> str:
    """
    Return the record of an outcome as msmtp writes it, without time and line end.

    Values are escaped so that a record is one line and a quote inside a value ends nothing.
    """
    where = f"host={_plain(account.host)}" if account.host else f"socket={account.socket}"
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
        lines = "\\n".join(_quoted(line) for line in decisive.reply.text_lines())
        text = mask(lines, outcome.secret)
        parts += [f"smtpstatus={decisive.reply.code}", f"smtpmsg='{text}'"]
    if decisive.trouble is not None:
        parts.append(f"errormsg='{_quoted(decisive.trouble.problem)}'")
    parts.append(f"exitcode={EX_NAMES.get(outcome.exit_code, str(outcome.exit_code))}")
    return " ".join(parts)


def write_log(account: Account, line: str, *, is_success: bool) -> None:
    """
    Append a record to the account's log file and syslog, as far as it has them.

    Blocks for up to 10 s while another process holds the file's lock.

    Raises:
        InputOutputError: The file cannot be written; the record is in the text's second line.

    """
    if account.syslog:
        _write_syslog(account.syslog, line, is_success=is_success)
    if not account.logfile:
        return
    record = f"{_time(account.logfile_time_format)}{line}\n"
    try:
        if account.logfile == "-":
            from sys import stdout

            stdout.write(record)
            stdout.flush()
        else:
            _append(account.logfile, record.encode("utf-8", "surrogateescape"))
    except OSError as exc:
        reason = f"cannot log to {account.logfile}: {exc.strerror}"
        raise InputOutputError(reason, advice=f"log info was: {line}") from exc


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

    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
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
        while record:
            record = record[os.write(descriptor, record) :]
    finally:
        os.close(descriptor)


def _write_syslog(facility: str, line: str, *, is_success: bool) -> None:
    import syslog

    number = getattr(syslog, facility, syslog.LOG_USER)
    syslog.openlog("msmtp", 0, number)
    syslog.syslog(syslog.LOG_INFO if is_success else syslog.LOG_ERR, line)
    syslog.closelog()


def _time(pattern: str | None) -> str:
    if pattern == "none":
        return ""
    from time import strftime

    return strftime(pattern or _DEFAULT_TIME_FORMAT) + " "


def _on_off(is_on: bool) -> str:  # noqa: FBT001 (a word for a truth value)
    return "on" if is_on else "off"


def _plain(value: str) -> str:
    """Return a value that stands without quotes: blanks and quotes in it are escaped."""
    return printable(value, 1000).translate(_ESCAPED)


def _quoted(value: str) -> str:
    """Return a value that stands in single quotes."""
    return printable(value, 1000).replace("'", "?")
