"""
What two programs did differently, as a list of small differences.

Values that no two runs share (the time, a Message-ID, a nonce) are compared by their form. All
else is compared as it is: what may differ stands in ``docs/differences-from-msmtp.md``, and how
such a difference looks in ``rules``, never here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from differential.case import Seen
    from differential.recorder import Session

__all__ = ["Difference", "differences"]

_ABSENT = "(absent)"

# The beginnings of msmtp's sentences that scripts look for.
_KEPT = re.compile(
    "account .*: no configuration file available|account .* not found|no recipients found"
    "|.*envelope-from address is missing|.*host not set|.*port not set|cannot connect to"
    "|cannot locate host|network read error|.* line [0-9]+: "
    "|envelope from address .* not accepted|recipient address .* not accepted"
    "|the server does not accept mail data|the server did not accept the mail"
    "|authentication failed|the server does not support TLS via|TLS handshake failed"
    "|TLS certificate verification failed|unsupported operation mode|cannot use both"
)
_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
)
_ID = re.compile(r"^ <.*@([^@]+>)$")
_NONCE = re.compile(r"(AUTH SCRAM-SHA-(?:1|256)) .*")
_LOG_PAIR = re.compile(r"(\w+)=('(?:[^'])*'|\S*)")
_LOG_TIME = re.compile(r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d")


class Difference(NamedTuple):
    """One thing that differs: where, what msmtp has there, and what pillarbox has."""

    aspect: str
    theirs: str
    ours: str


def differences(theirs: Seen, ours: Seen) -> list[Difference]:
    """Return all that differs between what msmtp did and what pillarbox did."""
    found = [
        Difference("exit", _exit(theirs), _exit(ours)),
        Difference("silence", *(str(not seen.result.err) for seen in (theirs, ours))),
        *_error_text(theirs, ours),
        Difference("server message", _server_messages(theirs), _server_messages(ours)),
        Difference("sessions", str(len(theirs.sessions)), str(len(ours.sessions))),
        *_output(theirs.result.out, ours.result.out),
        *_log(theirs.log, ours.log),
    ]
    for one, other in zip(theirs.sessions, ours.sessions, strict=False):
        found += _session(one, other)
    return [difference for difference in found if difference.theirs != difference.ours]


def _exit(seen: Seen) -> str:
    return "hangs" if seen.hangs else str(seen.result.exit_code)


def _error_text(theirs: Seen, ours: Seen) -> Iterator[Difference]:
    """Compare the first line on standard error where it is one of those that scripts know."""
    first, counterpart = (next(iter(seen.result.lines), "") for seen in (theirs, ours))
    known = _KEPT.match(first)
    if known and ours.result.exit_code:
        yield Difference("error text", known[0], counterpart[: len(known[0])])


def _server_messages(seen: Seen) -> str:
    return "|".join(line for line in seen.result.lines if line.startswith("server message: "))


# -- the wire ---------------------------------------------------------------------------------


def _session(one: Session, other: Session) -> Iterator[Difference]:
    yield Difference("proxy", repr(one.proxy_request), repr(other.proxy_request))
    waited = [str(session.seconds_after_quit > 1.5) for session in (one, other)]
    yield Difference("waits after QUIT", *waited)
    for aspect in ("order", "EHLO", "MAIL", "RCPT", "AUTH", "ETRN", "QUIT"):
        yield from _commands(aspect, *(_of_kind(aspect, s.commands) for s in (one, other)))
    yield Difference("contents", str(len(one.contents)), str(len(other.contents)))
    for content, counterpart in zip(one.contents, other.contents, strict=False):
        yield from _content(content, counterpart)


def _of_kind(aspect: str, commands: list[str]) -> list[str]:
    if aspect == "order":
        # Not what is said within a login, and not the octets of a TLS handshake.
        verbs = [command[:4].upper() for command in commands if command[:4].isalpha()]
        return [" ".join(verb for verb in verbs if verb != "QUIT")]
    if aspect == "QUIT":
        return [str(any(command.upper() == "QUIT" for command in commands))]
    if aspect == "AUTH":
        return [_NONCE.sub(r"\1 *", c) for c in commands if c.startswith(("AUTH", "("))]
    if aspect == "EHLO":
        return [command for command in commands if command.startswith(("EHLO", "HELO", "LHLO"))]
    return [command for command in commands if command.upper().startswith(aspect)]


def _commands(aspect: str, theirs: list[str], ours: list[str]) -> Iterator[Difference]:
    """Compare commands of one kind: the address, and each parameter by itself."""
    for index in range(max(len(theirs), len(ours))):
        pair = [cs[index] if index < len(cs) else _ABSENT for cs in (theirs, ours)]
        if aspect not in ("MAIL", "RCPT") or _ABSENT in pair:
            yield Difference(aspect, *pair)
            continue
        (base, params), (other_base, other_params) = (_parameters(line) for line in pair)
        yield Difference(aspect, base, other_base)
        for key in sorted({*params, *other_params}):
            values = [p.get(key, _ABSENT) for p in (params, other_params)]
            yield Difference(f"{aspect} {key}", *values)


def _parameters(line: str) -> tuple[str, dict[str, str]]:
    base, bracket, rest = line.rpartition(">")
    words = (word.partition("=") for word in rest.split())
    return base + bracket, {key.upper(): value or "(set)" for key, _, value in words}


def _content(theirs: bytes, ours: bytes) -> Iterator[Difference]:
    head, body = _split(theirs)
    our_head, our_body = _split(ours)
    yield Difference("body", body, our_body)
    fields, our_fields = _fields(head), _fields(our_head)
    names, our_names = ([name for name, _ in fs] for fs in (fields, our_fields))
    common = [name for name in names if name in our_names]
    yield Difference(
        "header order", " ".join(common), " ".join(name for name in our_names if name in names)
    )
    for name in dict.fromkeys((*names, *our_names)):
        values = [
            "\n".join(v for n, v in fs if n == name) if name in ns else _ABSENT
            for fs, ns in ((fields, names), (our_fields, our_names))
        ]
        yield Difference(f"header {name}", *(_by_form(name, value) for value in values))


def _split(content: bytes) -> tuple[str, str]:
    """Return the header section, and the body behind a bar; no bar: no empty line."""
    if content.startswith(b"\r\n"):
        return "", "|" + content[2:].decode("latin-1")
    head, blank, body = content.partition(b"\r\n\r\n")
    head = head if blank else head.removesuffix(b"\r\n")
    return head.decode("latin-1"), (blank and b"|" + body).decode("latin-1")


def _fields(head: str) -> list[tuple[str, str]]:
    """Return the fields, folded lines with them; a line without a name is the field ``?``."""
    fields: list[tuple[str, str]] = []
    for line in head.split("\r\n") if head else []:
        if line[:1] in (" ", "\t") and fields:
            fields[-1] = fields[-1][0], f"{fields[-1][1]}\r\n{line}"
            continue
        name, colon, value = line.partition(":")
        fields.append((name, value) if colon and " " not in name else ("?", line))
    return fields


def _by_form(name: str, value: str) -> str:
    if name.lower() == "date":
        return _DATE.sub("DATE", value)
    return _ID.sub(r" <ID@\1", value) if name == "Message-ID" else value


# -- what is printed --------------------------------------------------------------------------


def _output(theirs: str, ours: str) -> Iterator[Difference]:
    """Compare standard output: ``key = value`` by key, all other lines as they are."""
    if "exitcode=EX_" in theirs:
        yield from _log(theirs, ours)
        return
    if theirs.startswith(("msmtp version", "Usage:")):  # for people; scripts look at the exit code
        yield Difference("output to people", str(bool(theirs)), str(bool(ours)))
        return
    pairs, our_pairs = (_lines(text) for text in (theirs, ours))
    yield Difference("output order", *_common(list(pairs), list(our_pairs)))
    for key in dict.fromkeys((*pairs, *our_pairs)):
        yield Difference(f"output {key}", *(p.get(key, _ABSENT) for p in (pairs, our_pairs)))


def _common(theirs: list[str], ours: list[str]) -> tuple[str, str]:
    return "|".join(k for k in theirs if k in ours), "|".join(k for k in ours if k in theirs)


def _lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, is_pair, value = line.partition(" = ")
        number = 1
        while f"{key}#{number}" in found:
            number += 1
        found[key if key not in found else f"{key}#{number}"] = value if is_pair else "(line)"
    return found


def _log(theirs: str, ours: str) -> Iterator[Difference]:
    """Compare records of a log: the time by its form, each ``key=value`` by itself."""
    records, our_records = theirs.splitlines(), ours.splitlines()
    yield Difference("log records", str(len(records)), str(len(our_records)))
    for record, counterpart in zip(records, our_records, strict=False):
        yield Difference("log time", *(_time_of(line) for line in (record, counterpart)))
        pairs, our_pairs = (dict(_LOG_PAIR.findall(line)) for line in (record, counterpart))
        yield Difference("log order", *_common(list(pairs), list(our_pairs)))
        for key in dict.fromkeys((*pairs, *our_pairs)):
            yield Difference(f"log {key}", *(p.get(key, _ABSENT) for p in (pairs, our_pairs)))


def _time_of(record: str) -> str:
    time = re.split(r"(?:host|socket)=", record)[0]
    return _LOG_TIME.sub("TIME", time)
