"""
Feed the reader of msmtprc with files that nobody would write.

The property: the text becomes accounts, or one of the refusals below that names the file and
one of its lines; it takes a time that grows with the text and no faster; every value says
which line it came from; no text that will get on the wire holds a control character; and a
password that stands somewhere in the file is in no message.

Allowed refusals:
    ConfigError: a line breaks the grammar (unknown keyword, wrong argument, too long, NUL).
    InputOutputError: a command of ``eval`` failed. It comes from the function that is handed
        in, here for a command that begins with ``fail``.
"""

from __future__ import annotations

from time import process_time

from pillarbox.config.account import FIELDS
from pillarbox.config.parse import ParsedFile, parse
from pillarbox.errors import ConfigError, InputOutputError

_CANARY = "c4n4ry-Zx81"
_SECOND_BYTES = 50_000  # of text that may take a second: measured, it is ten times as many
# Arguments for people, files and the shell: what stands in them does not get on the wire.
_FREE = frozenset({"password", "passwordeval", "socket"} | {f.name for f in FIELDS if f.is_path})

SEEDS = [
    b"account default\ntls on\nhost smtp.example.com\nport 465\nauth on\nuser me\npassword x\n",
    b"defaults\r\nport 0x24b\r\naccount a\r\nhost h\r\naccount b : a\r\naccount default : a,b\r\n",
    b'# comment\n\t host \t "h" \nfrom *@x.org\ntls_nostarttls\nkeepbcc off\nsyslog LOG_MAIL',
    b'eval host h\neval eval x\neval fail\neval password p\neval\neval "account z"\n',
    b"tls_fingerprint " + b":".join([b"aB"] * 32) + b"\ndsn_notify failure,delay\ntimeout off\n",
    b"\xef\xbb\xbfpassword=x\npassword\nhunter2\npasswort y\nHost h\nset-from-header on\n",
    b"account a : a\naccount a:\naccount ,\naccount\naccount default\nhost\0\n" + b"x" * 499,
]


def check(data: bytes) -> None:
    """Hold the property for the text alone, and with a password put in front and behind."""
    _read(data)
    secret = f"password {_CANARY}".encode()
    for text in (secret + b"\n" + data, data + b"\n" + secret + b"\nport 0", data + b"\n" + secret):
        _read(text)


def _read(text: bytes) -> None:
    start = process_time()
    try:
        parsed = parse(text, "rc", run_eval=_run_eval)
    except ConfigError as refusal:
        _check_refusal(refusal, text.count(b"\n") + 1)
    except InputOutputError:
        pass
    else:
        _check_accounts(parsed, text.count(b"\n") + 1)
    assert process_time() - start < 1 + len(text) / _SECOND_BYTES


def _run_eval(command: str, line: int) -> str:
    """Print the command itself, so that the fuzzer decides what is printed."""
    if command.startswith("fail"):
        raise InputOutputError(f"line {line}: cannot read output of eval")
    return command


def _check_accounts(parsed: ParsedFile, lines: int) -> None:
    names = [account.name for account in parsed.accounts]
    assert len(set(names)) == len(names)
    assert all(names)
    for account in parsed.accounts:
        for field in FIELDS:
            value = account.get(field)
            source, line = account.place(field.name)
            if source == "default":
                assert value == field.default
                assert not account.is_set(field.name)
            else:
                assert (source, 1 <= line <= lines) == ("rc", True)
            if isinstance(value, str) and field.name not in _FREE:
                assert not any(char < " " or char == "\x7f" for char in value), field.name
        assert _CANARY not in f"{account!r} {vars(account)}"


def _check_refusal(refusal: ConfigError, lines: int) -> None:
    assert refusal.path == "rc"
    assert 1 <= refusal.line <= lines
    error: BaseException | None = refusal
    while error is not None:
        assert _CANARY not in f"{error} {error!r} {vars(error)}", refusal.line
        error = error.__cause__ or error.__context__


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
