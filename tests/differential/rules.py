"""
How each difference of ``docs/differences-from-msmtp.md`` looks to ``compare``.

One row, one look: the identifier, the aspect, and what msmtp and pillarbox have there, each a
regular expression for the whole. A rule is as narrow as it can be: it must not hide another
difference in the same place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from differential.compare import Difference

__all__ = ["RULES", "explain", "identifiers", "suggest"]

_Rule = tuple[str, str, str, str]

_ABSENT = r"\(absent\)"
_LINE = r"\(line\)"


def _sends(name: str, exit_code: str) -> tuple[_Rule, ...]:
    """Return the look of a mail that pillarbox sends, and msmtp, with that exit code, does not."""
    return (
        (name, "exit", exit_code, "0"),
        (name, "silence", "False", "True"),
        (name, "sessions", "0", "1"),
        (name, "order", "(.*)", ".*DATA"),
        (name, "MAIL|RCPT", _ABSENT, ".*"),
        (name, "contents", "0", "1"),
    )


def _refuses(name: str, exit_code: str) -> tuple[_Rule, ...]:
    """Return the look of a mail that msmtp sends, and pillarbox, with that exit code, does not."""
    return (
        (name, "exit", "0", exit_code),
        (name, "silence", "True", "False"),
        (name, "sessions", "1", "0"),
        (name, "order", ".*DATA", "(EHLO|EHLO AUTH)"),
        (name, "MAIL|RCPT", ".*", _ABSENT),
        (name, "contents", "1", "0"),
    )


def _exit(name: str, theirs: str, ours: str) -> _Rule:
    return (name, "exit", theirs, ours)


RULES: tuple[_Rule, ...] = (
    # -- command line and configuration
    *_refuses("D-NEWLINE", "6[45]"),
    *_refuses("D-NO-PASSWORD-OPTION", "64"),
    ("D-DEBUG-VERSION", "exit", "0", "64"),
    ("D-DEBUG-VERSION", "silence", "True", "False"),
    ("D-DEBUG-VERSION", "output to people", "True", "False"),
    *_sends("D-NEWER-KEYWORDS", "64|78"),
    *_sends("D-BYTE-ORDER-MARK", "78"),
    _exit("D-HOST-EMPTY", "68", "64"),
    ("D-HOST-EMPTY", "error text", "cannot locate host", "invalid argument '.*"),
    *_sends("D-OWN-KEYWORDS", "78"),
    _exit("D-NO-SENDER-IN-MAIL", "78", "64"),
    ("D-NO-SENDER-IN-MAIL", "error text", "account .*", "the mail has no From .*"),
    *_sends("D-SENDER-FALLBACK", "78"),
    ("D-SENDER-FALLBACK", "output from", r"\(not set\)", r"me@example\.org"),
    *_refuses("D-DOMAIN-WORD", "78"),
    ("D-DOMAIN-EMPTY", "EHLO", "EHLO ", "EHLO localhost"),
    _exit("D-DSN-RETURN-HDRS", "78", "0"),
    ("D-DSN-RETURN-HDRS", "sessions", "0", "1"),
    *_refuses("D-WILDCARD-SENDER", "78"),
    ("D-EMPTY-USER", "MAIL", r"MAIL FROM:<@example\.org>", r"MAIL FROM:<bob@example\.org>"),
    ("D-PATTERN-F", "MAIL", "MAIL FROM:<%F>", r"MAIL FROM:<me@example\.org>"),
    ("D-SENDER-WITH-NAME", "MAIL", r"MAIL FROM:<[^<]*<(.*)>>", r"MAIL FROM:<[^<>]*>"),
    ("D-SENDER-WITH-NAME", "header From", " [^<]*<you@example.org>", " you@example.org"),
    ("D-SENDER-WITH-NAME", "header Message-ID", " <ID@example.org>>", " <ID@example.org>"),
    ("D-PERCENT", "MAIL", r"MAIL FROM:<a\w+b@c\.example>", r"MAIL FROM:<a%Hb@c\.example>"),
    ("D-RESENT-FROM", "MAIL", r"MAIL FROM:<c@d\.example>", r"MAIL FROM:<r@b\.example>"),
    ("D-RESENT-FROM", "header Message-ID", ".*@d.example>", ".*@b.example>"),
    *_refuses("D-PLAINTEXT-PASSWORD", "69"),
    ("D-PLAINTEXT-PASSWORD", "AUTH", "AUTH PLAIN .*", _ABSENT),
    # -- messages
    ("D-PASSWORDEVAL-INPUT", "body", r"\|.*", r"\|.*last line\r\n"),
    ("D-LONE-CR", "body", ".*\r(?!\n).*", "[^\r]* (\r\n|[^\r])*"),
    ("D-LONE-CR", "header Subject", " ab\n t", " a b\n t"),
    ("D-NUL", "body", ".*\0.*", "[^\0]*"),
    ("D-TEXT-WITHOUT-HEADER", "body", r"(\|y\r\n)?", r"\|.*"),
    ("D-TEXT-WITHOUT-HEADER", r"header \?", "hello.*|x", _ABSENT),
    ("D-TEXT-WITHOUT-HEADER", "header Subject", " t\r\n ", " t"),
    ("D-MBOX-LINE", r"header \?", "From me@.*", _ABSENT),
    ("D-SPACE-BEFORE-COLON", r"header \?", "(Bcc|To) : .*", _ABSENT),
    ("D-SPACE-BEFORE-COLON", "header To", _ABSENT, " a@b.example"),
    ("D-SPACE-BEFORE-COLON", "order", "EHLO MAIL RCPT DATA", "EHLO MAIL RCPT RCPT DATA"),
    ("D-SPACE-BEFORE-COLON", "RCPT", ".*c@d.example>", ".*a@b.example>"),
    ("D-SPACE-BEFORE-COLON", "RCPT", _ABSENT, ".*c@d.example>"),
    ("D-BCC-RESENT", "header Resent-Bcc", " .*", _ABSENT),
    ("D-EMPTY-FROM", "header From", " me@example.org", ""),
    ("D-NO-EMPTY-FROM", "header From", " (MAILER-DAEMON|mailer-daemon)?", _ABSENT),
    ("D-NO-EMPTY-FROM", "header From", " ", " a@b.example"),
    ("D-NO-EMPTY-FROM", "header order", "From Date Message-ID", "Date Message-ID From"),
    ("D-MESSAGE-ID", "header Message-ID", " <ID@.*>", " <ID@[^@<>]+>"),
    ("D-NAME-QUOTED", "header From", ' [^"<]*["<., ].*', ' ".*" <me@example.org>'),
    ("D-NAME-ENCODED", "header From", r" [^=]*[\x80-\xff].*", r" =\?utf-8\?B\?.*\?= <.*>"),
    ("D-NAME-BLANKS", "header From", "  <me@example.org>", " me@example.org"),
    ("D-NAME-BLANKS", "header From", " (Very )+ <me@.*>", " (Very )+<me@.*>"),
    ("D-ADDRESS-QUOTED", "RCPT", r"RCPT TO:<@.*>", 'RCPT TO:<"a b"@.*>'),
    ("D-ADDRESS-ROUTE", "RCPT", r"RCPT TO:<@x\.example:a@b\.example>", r"RCPT TO:<a@b\.example>"),
    ("D-ADDRESS-SPACE", "RCPT", r"RCPT TO:<b\.example>", r"RCPT TO:<a@b\.example>"),
    *_refuses("D-ADDRESS-BROKEN", "65"),
    ("D-ALIAS-NEXT", "RCPT", "RCPT TO:<cron>", "RCPT TO:<c@d.example>"),
    ("D-ALIAS-ORDER", "RCPT", "RCPT TO:<[ac]@.*>", "RCPT TO:<[ac]@.*>"),
    *_refuses("D-ALIAS-EMPTY", "78"),
    ("D-ALIAS-CASE", "RCPT", "RCPT TO:<root>", "RCPT TO:<a@b.example>"),
    *_sends("D-ALIAS-SYNTAX", "78"),
    *_refuses("D-ALIAS-COMMAND", "78"),
    ("D-ALIAS-TWICE", "order", "EHLO MAIL RCPT RCPT RCPT DATA", "EHLO MAIL RCPT RCPT DATA"),
    ("D-ALIAS-TWICE", "RCPT", "RCPT TO:<x@y.example>", _ABSENT),
    *_refuses("D-IDN", "69"),
    ("D-SMTPUTF8", "MAIL SMTPUTF8", _ABSENT, r"\(set\)"),
    *_refuses("D-SMTPUTF8-MISSING", "65"),
    # -- the session
    ("D-SIZE", "MAIL SIZE", _ABSENT, r"\d+"),
    *_refuses("D-SIZE-CHECKED", "65"),
    ("D-8BITMIME", "MAIL BODY", _ABSENT, "8BITMIME"),
    ("D-CHUNKING", "order", "(.* )DATA", ".* BDAT"),
    ("D-ORCPT", "RCPT ORCPT", _ABSENT, "rfc822;.*"),
    *_sends("D-DSN-MISSING", "69"),
    ("D-QUIT", "QUIT", "False", "True"),
    ("D-QUIT", "output --> QUIT", _ABSENT, _LINE),
    ("D-QUIT-NOT-AWAITED", "waits after QUIT", "True", "False"),
    ("D-QUIT-NOT-AWAITED", "output <-- 221 bye", _LINE, _ABSENT),
    ("D-OTHERS-GET-IT", "order", "(....) MAIL( RCPT)+", ".... MAIL( RCPT)+ DATA"),
    ("D-OTHERS-GET-IT", "RCPT", _ABSENT, "RCPT TO:<b@.*>"),
    ("D-OTHERS-GET-IT", "contents", "0", "1"),
    *_sends("D-RCPT-252", "65"),
    ("D-RCPT-252", "server message", "server message: 252.*", ""),
    *_sends("D-CODE-ALONE", "76"),
    *_sends("D-REPLY-LIMITS", "76"),
    *_refuses("D-REPLY-CODES", "76"),
    ("D-REPLY-CODES", "order", "EHLO MAIL RCPT DATA", "EHLO MAIL"),
    ("D-REPLY-CODES", "QUIT", "True", "False"),
    ("D-EHLO-421", "exit", "0", "75"),
    ("D-EHLO-421", "silence", "True", "False"),
    ("D-EHLO-421", "server message", "", "server message: 421 busy"),
    ("D-EHLO-421", "order", "EHLO HELO .*", "EHLO"),
    ("D-EHLO-421", "EHLO|MAIL|RCPT", ".*", _ABSENT),
    ("D-EHLO-421", "QUIT", "True", "False"),
    ("D-EHLO-421", "contents", "1", "0"),
    ("D-ESCAPES", "server message", r"[^\\]*\?[^\\]*", r".*\\x09.*"),
    ("D-ESCAPES", "log smtpmsg", r"'[^\\]*\?.*'", r"'.*\\x09.*'"),
    *_refuses("D-AUTH-ORDER", "77"),
    ("D-AUTH-ORDER", "AUTH", "AUTH PLAIN .*", r"AUTH SCRAM-SHA-256 \*"),
    ("D-AUTH-ORDER", "server message", "", "server message: 535 no"),
    *_refuses("D-AUTH-WEAK", "69"),
    ("D-AUTH-WEAK", "AUTH", r"AUTH CRAM-MD5|\(.*\)", _ABSENT),
    ("D-INITIAL-RESPONSE", "AUTH", "AUTH (XOAUTH2|EXTERNAL)", "AUTH (XOAUTH2|EXTERNAL) .+"),
    ("D-INITIAL-RESPONSE", "AUTH", r"\(.+\)", rf"\(\)|{_ABSENT}"),
    ("D-PASSWORD-FIRST", "sessions", "1", "0"),
    ("D-PROBE", "sessions", "1", "2"),
    ("D-PROXY-ADDRESS", "proxy", r".*x03.t192\.0\.2\.7.", r".*x01.xc0.x00.x02.x07."),
    ("D-TLS-TIMEOUT", "exit", "hangs", "75"),
    ("D-TLS-TIMEOUT", "silence", "True", "False"),
    ("D-LMTP-CRASH", "exit", "-11|74", "75"),
    ("D-LMTP-CRASH", "silence", "True", "False"),
    ("D-LMTP-WORDS", "server message", "", "server message: .*"),
    (
        "D-LMTP-WORDS",
        "log errormsg",
        "'delivery to one or more .*'",
        "'the server did not accept .*'",
    ),
    ("D-LMTP-WORDS", "log smtp(status|msg)", _ABSENT, ".*"),
    # -- exit codes
    _exit("D-EXIT-GREETING", "76", "69"),
    _exit("D-EXIT-421", "69|76", "75"),
    ("D-EXIT-421", "error text", ".* accept.*", "the server closes the .*"),
    (
        "D-EXIT-421",
        "log errormsg",
        "'cannot get initial OK .*'",
        "'the server closes the connection'",
    ),
    ("D-EXIT-421", "log exitcode", "EX_PROTOCOL", "EX_TEMPFAIL"),
    _exit("D-EXIT-CLOSED", "76", "75"),
    _exit("D-EXIT-4XX", "69", "75"),
    ("D-EXIT-4XX", "log exitcode", "EX_UNAVAILABLE", "EX_TEMPFAIL"),
    _exit("D-EXIT-RCPT", "65", "67"),
    ("D-EXIT-RCPT", "log exitcode", "EX_DATAERR", "EX_NOUSER"),
    _exit("D-EXIT-CONTENT", "69", "65"),
    ("D-EXIT-CONTENT", "log exitcode", "EX_UNAVAILABLE", "EX_DATAERR"),
    _exit("D-EXIT-PROTOCOL", "65", "76"),
    ("D-EXIT-PROTOCOL", "server message", "server message: 250 strange", ""),
    (
        "D-EXIT-PROTOCOL",
        "error text",
        "the server does not accept .*",
        "the server answered DATA .*",
    ),
    _exit("D-EXIT-AUTH", "77", "75"),
    _exit("D-EXIT-STARTTLS", "76", "69|75"),
    _exit("D-EXIT-HANDSHAKE", "76", "69"),
    _exit("D-EXIT-PRIORITIES", "70", "78"),
    _exit("D-EXIT-PROXY", "69", "75"),
    _exit("D-EXIT-SOURCE-IP", "71", "78"),
    _exit("D-EXIT-TIMEOUT", "74", "75"),
    _exit("D-EXIT-LMTP", "69", "67"),
    ("D-EXIT-LMTP", "log exitcode", "EX_UNAVAILABLE", "EX_NOUSER"),
    # -- what is printed and logged
    ("D-PRETEND-KEYWORDS", "output undisclosed_recipients", "on|off", _ABSENT),
    ("D-PRETEND-KEYWORDS", "output from_full_name", _ABSENT, ".*"),
    ("D-PRETEND-KEYWORDS", "output set_msgid_header", _ABSENT, "auto|off"),
    ("D-PRETEND-KEYWORDS", "output set_to_header", _ABSENT, "off|undisclosed_recipients"),
    ("D-PRETEND-KEYWORDS", "output allow_plaintext_auth", _ABSENT, "off"),
    ("D-PRETEND-KEYWORDS", "output repair", _ABSENT, "off"),
    ("D-PRETEND-KEYWORDS", "output own_copies", _ABSENT, "off"),
    ("D-PRETEND-KEYWORDS", "output queue", _ABSENT, "off"),
    ("D-PRETEND-KEYWORDS", "output (fallback|bounce_to)", _ABSENT, r"\(not set\)"),
    ("D-PRETEND-KEYWORDS", "output max_per_(minute|hour|day)", _ABSENT, "0"),
    ("D-PRETEND-PASSWORDEVAL", "output password", r"\*", r"\(not set\)"),
    ("D-PRETEND-PASSWORDEVAL", "exit", "78", "0"),
    ("D-PRETEND-PASSWORDEVAL", "silence", "False", "True"),
    ("D-PRETEND-PASSWORDEVAL", "output .*", _ABSENT, ".*"),
    ("D-PRETEND-ERROR", "output (ignoring|loaded|falling) .*", _LINE, _ABSENT),
    ("D-SERVERINFO-SIZE", "output     SIZE.*", f"{_LINE}|{_ABSENT}", f"{_LINE}|{_ABSENT}"),
    ("D-SERVERINFO-SIZE", "output         Maximum .* unlimited", _ABSENT, _LINE),
    ("D-SERVERINFO-SIZE", r"output (No special capabilities\.|Capabilities:)", ".*", ".*"),
    ("D-SERVERINFO-MORE", r"output (No special capabilities\.|Capabilities:)", ".*", ".*"),
    ("D-SERVERINFO-MORE", r"output     (CHUNKING|8BITMIME|SMTPUTF8):", _ABSENT, _LINE),
    ("D-SERVERINFO-MORE", "output         Support for .*", _ABSENT, _LINE),
    ("D-SERVERINFO-TLS", r"output     \(TLS1\..*", _LINE, _ABSENT),
    ("D-SERVERINFO-TLS", "output     TLSv1.*", _ABSENT, _LINE),
    ("D-SERVERINFO-AUTH", "output         EXTERNAL GSSAPI .*", _LINE, _ABSENT),
    ("D-SERVERINFO-AUTH", "output         GSSAPI EXTERNAL .*", _ABSENT, _LINE),
    ("D-LOG-ESCAPED", "log user", "my", r"my\\x20name"),
    ("D-LOG-TIME-NONE", "log time", "none ", ""),
    ("D-LOG-LMTP", "log smtp(status|msg)", _ABSENT, "250|'250 taken'"),
    ("D-DEBUG-TLS", "output TLS (session|certificate) .*", _LINE, _ABSENT),
    ("D-DEBUG-TLS", "output     [ SIVF(].*", _LINE, _ABSENT),
    ("D-DEBUG-MASKED", "output --> AUTH PLAIN AG1l.*", _LINE, _ABSENT),
    ("D-DEBUG-MASKED", r"output --> AUTH PLAIN \*\*\*", _ABSENT, _LINE),
)


def explain(
    found: Sequence[Difference], expected: Sequence[str]
) -> tuple[list[Difference], set[str]]:
    """
    Tell what of the differences is expected.

    Returns:
        The differences that no expected identifier explains; the identifiers that explain none.

    """
    unexplained, idle = [], set(expected)
    for difference in found:
        names = {name for name in expected if _looks_like(name, difference)}
        idle -= names
        if not names:
            unexplained.append(difference)
    return unexplained, idle


def identifiers() -> set[str]:
    """Return the identifiers that have a look."""
    return {rule[0] for rule in RULES}


def suggest(difference: Difference) -> list[str]:
    """Return the identifiers that would explain a difference."""
    return sorted(name for name in identifiers() if _looks_like(name, difference))


def _looks_like(name: str, difference: Difference) -> bool:
    return any(
        rule[0] == name
        and all(re.fullmatch(p, v, re.DOTALL) for p, v in zip(rule[1:], difference, strict=True))
        for rule in RULES
    )
