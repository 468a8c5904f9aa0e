"""
The findings of the doctor for the reference page, taken from where the checks make them.

Each check names its codes; how bad each is and what it says stand in the calls of ``Finding``
and of what wraps it. A finding whose sentence is put together elsewhere has its words in
``WORDS``; a test sees to it that every code has some, and that none has them twice.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from pillarbox import doctor
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.examination import OWN_CODES
from pillarbox.doctor.finding import FAULT, NOTE, WARNING

__all__ = ["WORDS", "Row", "check_rows", "finding_rows", "own_rows", "severities_of"]

_SEVERITIES = {"FAULT": FAULT, "WARNING": WARNING, "NOTE": NOTE}

Row = tuple[str, ...]

# code -> severities and words, of those whose call does not have both.
WORDS = {
    "config.unreadable": (
        "fault",
        "a configuration file cannot be read, for the reason that is said",
    ),
    "config.syntax": ("fault", "a line breaks the grammar, so that no mail is sent at all"),
    "config.permissions": (
        "fault or warning",
        "a configuration file can be read or changed by more people than should",
    ),
    "config.account": ("fault", "there is no account of that name, or none for this sender"),
    "config.settings": ("fault", "the account cannot be used as it is"),
    "config.doubtful": ("warning", "something in the account is surely not meant so"),
    "config.others": (
        "warning or note",
        "something is wrong with another account of the same files",
    ),
    "secret.command": ("fault", "the command of passwordeval gave no password"),
    "programs.sendmail": ("warning or note", "sendmail is another program's"),
    "machine.store": ("fault", "there are no certificates of authorities to check a server by"),
    "machine.full": ("fault", "a disk that mail needs is full"),
    "clock.wrong": ("fault", "the clock is wrong by more than five minutes"),
    "clock.skewed": ("warning", "the clock is wrong by more than half a minute"),
    "service.settings": ("fault", "the settings of the service cannot be used"),
    "service.paused": ("warning", "an account is paused, and its mail waits"),
    "service.spool": ("fault", "the spool cannot be used"),
    "resolver.silent": ("fault", "no nameserver answers"),
    "names.spelling": ("fault", "the host is written as no name can be"),
    "connect.not-smtp": ("fault", "another service answers at that port, such as IMAP or SSH"),
    "connect.proxy": ("fault", "the proxy cannot be used"),
    "connect.source": ("fault", "the address of source_ip cannot be used"),
    "connect.socket": ("fault", "nobody listens at the socket"),
    "tls.trust-file": ("fault", "the file of tls_trust_file or tls_crl_file cannot be used"),
    "tls.client-certificate": ("fault", "our own certificate or its key cannot be used"),
    "tls.priorities": ("fault", "tls_priorities leaves nothing that could be spoken"),
    "tls.fingerprint": ("fault", "the certificate is not the one whose fingerprint is configured"),
    "tls.expired": ("fault", "the server's certificate has expired"),
    "tls.not-yet": ("fault", "the server's certificate is not valid yet"),
    "tls.name": ("fault", "the server's certificate is for another name"),
    "tls.untrusted": ("fault", "nobody we trust has signed the server's certificate"),
    "tls.revoked": ("fault", "the server's certificate was revoked"),
    "tls.certificate": ("fault", "the server's certificate cannot be accepted"),
    "tls.version": ("fault", "both sides speak no common version of TLS"),
    "tls.cipher": ("fault", "both sides have no common cipher"),
    "tls.no-starttls": ("fault", "the server does not offer STARTTLS, or refuses it"),
    "tls.aborted": ("fault", "the handshake was broken off"),
    "login.refused": ("fault", "the server does not take this user with this password"),
    "login.locked": ("fault", "the server has locked the account after too many logins"),
    "login.switched-off": (
        "fault",
        "the provider has SMTP, or programs, switched off for this account",
    ),
    "login.later": ("fault", "the server does not take a login now"),
    "login.mechanism": ("fault", "both sides know no common way to log in"),
    "login.weaker": ("fault", "the server suddenly offers a weaker way to log in than before"),
    "login.unusable": ("fault", "the way to log in that is configured cannot be gone"),
    "login.needed": ("fault", "the server takes no mail without a login, and auth is off"),
    "sender.refused": ("fault", "the server does not take this sender"),
    "sender.recipient": ("fault or warning", "the server does not take this recipient"),
    "sender.later": ("fault or note", "the server does not take mail now"),
    "sender.quota": ("fault", "so much was sent that no more is taken for now"),
    "sender.blocked": ("fault", "the provider has barred the account or this machine's address"),
    "sender.frozen": ("fault", "the provider has frozen the account"),
    "mx.private": ("warning or note", "the sender's domain is known on this network only"),
    "mx.failed": ("warning", "the nameservers did not say the domain's MX"),
    "spf.plus-all": ("warning", "the record permits everybody to send"),
    "spf.unread": ("warning", "something stands behind *all*, where nobody reads it"),
    "spf.colon": ("warning", "a term has another sign where a colon belongs"),
    "spf.neutral": ("warning", "the record says nothing of who is not named in it"),
    "spf.ptr": ("note", "the record uses *ptr*, which many receivers pass over"),
    "spf.failed": ("warning", "the nameservers did not say the SPF record"),
    "dkim.unknown": ("note", "at which selector the key is, only the provider's console knows"),
    "dkim.revoked": ("warning", "the key was revoked: its p= is empty"),
    "dkim.test": ("warning", "the key is marked as a test"),
    "dkim.weak": ("warning", "the key has less than 1024 bits, and receivers pass over it"),
    "dkim.failed": ("warning", "the nameservers did not say the key"),
    "dmarc.failed": ("warning", "the nameservers did not say the policy"),
    "transport.mta-sts": ("note", "the domain has an MTA-STS record"),
    "transport.tls-rpt": ("note", "the domain has a TLS-RPT record"),
}


class _Seen:
    """What the source says of one code."""

    def __init__(self) -> None:
        self.severities: set[str] = set()
        self.sentences: list[str] = []


def _scan() -> dict[str, _Seen]:
    """Read the checks, and return what they say of each code."""
    seen = {code: _Seen() for check in CHECKS for code in check.codes}
    for path in sorted(Path(doctor.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                _take(node, seen)
    return seen


def _take(call: ast.Call, seen: dict[str, _Seen]) -> None:
    codes = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    for code in codes:
        if code not in seen:
            continue
        for arg in call.args:
            names = (each.id for each in ast.walk(arg) if isinstance(each, ast.Name))
            seen[code].severities |= {_SEVERITIES[name] for name in names if name in _SEVERITIES}
        sentence = _sentence(call.args)
        if sentence and sentence not in seen[code].sentences:
            seen[code].sentences.append(sentence)


def _sentence(args: list[ast.expr]) -> str:
    """Return the template of the first text of a call; empty: it is made elsewhere."""
    for arg in args:
        if isinstance(arg, ast.Call) and isinstance(arg.func, ast.Name) and arg.func.id == "say":
            first = arg.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                return re.sub(r"\{(\w+)\}", r"*\1*", first.value)
    return ""


def severities_of(code: str, seen: dict[str, _Seen]) -> str:
    """Return how bad a finding is or may be, the worst first."""
    found = seen[code].severities
    return " or ".join(each for each in _SEVERITIES.values() if each in found)


def check_rows() -> list[Row]:
    """Return a row for each check: its name, what it looks at, and whom it needs."""
    return [
        (f"`{check.name}`", check.title, ", ".join(f"`{need}`" for need in check.needs) or "-")
        for check in CHECKS
    ]


def finding_rows(name: str) -> list[Row]:
    """Return a row for each code of a check: how bad it is, and what it says."""
    seen = _scan()
    rows: list[Row] = []
    for check in CHECKS:
        for code in check.codes if check.name == name else ():
            severities, words = WORDS.get(code, ("", ""))
            said = "; or: ".join(seen[code].sentences[:2])
            rows.append((f"`{code}`", severities or severities_of(code, seen), words or said))
    return rows


def own_rows() -> list[Row]:
    """Return what any check may come to."""
    severities = {"extra": NOTE, "failed": FAULT, "bug": WARNING}
    return [(f"`CHECK.{word}`", severities[word], text) for word, text in OWN_CODES.items()]
