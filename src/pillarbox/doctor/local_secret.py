"""
The password: whether the account has one, where from, and whether it can be the one that is meant.

The places are those of ``config.secrets``, in their order, and no person is asked. As root the
service's credential counts too, where the service is installed: ``LoadCredential`` of its unit
takes it from the credential stores of systemd. A user for whom only the service has the password
is healthy: ``secret.service`` is a note, and ``login`` says that it was not tried.

A text that is certainly no password (the tutorial's ``the-client-password``, a row of ``x``) is a
fault, so that it is named before the server refuses it, and no login is wasted on it: providers
lock an account after a few. So is a character that nobody can see. A word that somebody may
really use (``password``) is a warning.

The rule to keep: the secret is in no text, nor its length unless that is the finding, nor a line
of a file that it may be in.
"""

from __future__ import annotations

import unicodedata
from shlex import quote
from typing import TYPE_CHECKING

from pillarbox.config.secrets import SOURCES, SYSTEM_NETRC, Search
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.installed import has_units, submit_socket
from pillarbox.doctor.secret_readers import check_readers
from pillarbox.errors import ConfigError, PillarboxError
from pillarbox.secret import Secret
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pillarbox.config.account import Account
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "CREDENTIAL_STORES", "check_secret"]

CODES: tuple[str, ...] = (
    "secret.none",
    "secret.command",
    "secret.service",
    "secret.placeholder",
    "secret.invisible",
    "secret.length",
    "secret.lines",
    "secret.readable",
    "secret.closed",
)

# Where ``LoadCredential`` with a bare name looks (systemd.exec(5)).
CREDENTIAL_STORES = ("/etc/credstore", "/run/credstore", "/usr/lib/credstore")
_SEALED_STORES = ("/etc/credstore.encrypted", "/run/credstore.encrypted")
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_CREDENTIAL_NAME = "pillarbox.password"

# Mechanisms that log in without a secret of ours, and no login.
_WITHOUT_SECRET = ("off", "external", "gssapi")

# What stands in a text that tells what to write, and in no password: in any case, whole words of
# it joined by - _ or a blank, or nothing between them.
_PLACEHOLDERS = frozenset(
    (
        "theclientpassword", "clientpassword", "yourclientpassword", "yourpassword", "mypassword",
        "thepassword", "yourapppassword", "apppassword", "yoursecret", "yourauthcode",
        "authorizationcode", "youremailpassword", "passwordhere", "yourpasswordhere",
        "insertpasswordhere", "replaceme", "todo", "plaintextpassword", "smtppassword",
    )
)  # fmt: skip
_PLACEHOLDERS_ZH = (
    "密码", "授权码", "口令", "客户端",
)  # fmt: skip
_PERHAPS = frozenset(("password", "passwd", "secret", "changeme", "123456", "12345678", "test"))
_FILLER_LEAST = 3  # characters; fewer may be a bad password
_FILLERS = frozenset("xX*.…-_•?#")

# Characters of what the provider gives for clients, by the kind of its secret in the presets:
# Aliyun's (client-security-password) and Google's, Yahoo's and QQ's codes have 16.
_LENGTHS = {"client-security-password": 16}


def check_secret(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the password, and put it there."""
    account = patient.account
    if account is None or account.auth in _WITHOUT_SECRET or not patient.may_log_in:
        return
    search = Search(account, _environment(patient), None, [], patient.at(SYSTEM_NETRC))
    reasons: list[str] = []
    for source in SOURCES:
        if source.name == "terminal":
            continue
        before = len(search.notes)
        try:
            found = source.find(search)
        except PillarboxError as error:
            yield _failed(error)
            return
        if isinstance(found, Secret):
            yield from _judged(patient, account, found)
            if source.name == "passwordeval" and len(search.notes) > before:
                yield _more_lines()
            yield from check_readers(patient, account, source.name, search)
            return
        reasons.append(found)
    yield _none(patient, account, search, reasons)


def _environment(patient: Patient) -> Mapping[str, str]:
    """Return the environment that the secret is looked for in: as root, the service's too."""
    env = patient.env
    if env.get(_CREDENTIALS) or not patient.is_root() or not has_units(patient):
        return env
    for store in CREDENTIAL_STORES:
        if patient.has(f"{store}/{_CREDENTIAL_NAME}"):
            return {**env, _CREDENTIALS: patient.at(store)}
    return env


def _failed(error: PillarboxError) -> Finding:
    path, line = (error.path, error.line) if isinstance(error, ConfigError) else ("", 0)
    place = (say("{path}: line {line}", path=path, line=line),) if path else ()
    return Finding(
        "secret.command",
        FAULT,
        error.problem,
        meaning=say("without the password nobody can log in"),
        fix=error.advice
        or say("run the command by hand as the same user; it must print the password"),
        evidence=place,
    )


def _none(patient: Patient, account: Account, search: Search, reasons: list[str]) -> Finding:
    is_for_service = has_units(patient) and submit_socket(patient) and not patient.is_root()
    sealed = [store for store in _SEALED_STORES if patient.has(f"{store}/{_CREDENTIAL_NAME}")]
    if is_for_service or (sealed and has_units(patient)):
        meaning = say("mail is handed to the service, which has the password for itself")
        fix = say("sudo pillarbox doctor examines the rest")
        if patient.is_root():
            meaning = say("it is sealed in {path}: only systemd opens it", path=sealed[0])
            fix = say("'pillarbox queue status' tells whether the service can log in")
        return Finding(
            "secret.service",
            NOTE,
            say("only the service can read the password"),
            meaning=meaning,
            fix=fix,
        )
    return Finding(
        "secret.none",
        FAULT,
        say("no password for {login} is found", login=search.login),
        meaning=say("without the password nobody can log in"),
        fix=_set_up(patient, account),
        evidence=(*reasons, *search.notes),
    )


def _set_up(patient: Patient, account: Account) -> str:
    """Return the one command that asks for a password and writes it where it belongs."""
    is_system = account.origin == patient.system_file
    address = quote(str(patient.sender))
    command = f"sudo pillarbox setup {address}" if is_system else f"pillarbox setup {address}"
    return say("{command} asks for the password, and writes it", command=command)


# -- what it is ------------------------------------------------------------------------------------


def _judged(patient: Patient, account: Account, secret: Secret) -> Iterator[Finding]:
    """Yield what is odd about a secret; unless it is certainly none, it is the patient's."""
    text = secret.reveal()
    place = account.where("password") if account.password is not None else ""
    evidence = (place,) if place else ()
    if _is_placeholder(text):
        yield Finding(
            "secret.placeholder",
            FAULT,
            say("what stands for the password is the placeholder of a text, and no password"),
            meaning=say("the server would refuse it, and count a failed login"),
            fix=_get_it(patient),
            evidence=evidence,
        )
        return
    patient.secret = secret
    if text.lower() in _PERHAPS:
        yield Finding(
            "secret.placeholder",
            WARNING,
            say("the password is one that everybody tries first, or a placeholder"),
            fix=_get_it(patient),
            evidence=evidence,
        )
    odd = _invisible(text)
    if odd:
        # A blank may be meant; what nobody can see was copied, and costs a login that fails.
        is_blank = text.isascii() and text.isprintable()
        patient.secret = secret if is_blank else None
        yield Finding(
            "secret.invisible",
            WARNING if is_blank else FAULT,
            say("the password has a character that is not seen: {name}", name=odd),
            meaning=say("it mostly came with copying, and the server refuses the password with it"),
            fix=say("write the password anew, without blanks before and behind it"),
            evidence=evidence,
        )
        return
    yield from _length(patient, text)


def _get_it(patient: Patient) -> str:
    provider = patient.provider
    if provider is not None and provider.secret_url:
        return say(
            "get the password that {name} gives for mail programs ({url}), and write it in place of"
            " this one",
            name=_name(patient),
            url=provider.secret_url,
        )
    return say("write the password that the provider gave for mail programs")


def _name(patient: Patient) -> str:
    provider = patient.provider
    if provider is None:
        return patient.host
    return bilingual(provider.name("en"), provider.name("zh"))


def _is_placeholder(text: str) -> bool:
    bare = text.strip().strip("<>[]{}()\"'").strip()
    word = "".join(char for char in bare.lower() if char.isalnum())
    if text.strip() != bare and bare and word in (*_PLACEHOLDERS, *_PERHAPS):
        return True  # <password>
    if bare and set(bare) <= _FILLERS and (len(bare) >= _FILLER_LEAST or set(bare) == {"…"}):
        return True
    return word in _PLACEHOLDERS or any(part in bare for part in _PLACEHOLDERS_ZH)


def _invisible(text: str) -> str:
    """Return the name of a character that nobody meant; empty: there is none."""
    for char in text:
        kind = unicodedata.category(char)
        if kind in ("Cc", "Cf", "Zl", "Zp") or (kind == "Zs" and char != " "):
            return unicodedata.name(char, f"U+{ord(char):04X}").lower()
    if text != text.strip():
        return say("a blank at its beginning") if text[:1] == " " else say("a blank at its end")
    return ""


def _length(patient: Patient, text: str) -> Iterator[Finding]:
    provider = patient.provider
    wanted = _LENGTHS.get(provider.secret_kind) if provider is not None else None
    if wanted is None or len(text) == wanted:
        return
    yield Finding(
        "secret.length",
        NOTE,
        say(
            "the client password of {name} has {count} characters, and this one has not",
            name=_name(patient),
            count=wanted,
        ),
        meaning=say("the password of the web page is taken only while client passwords are off"),
        fix=_get_it(patient),
    )


def _more_lines() -> Finding:
    return Finding(
        "secret.lines",
        NOTE,
        say("the command of passwordeval printed more than one line"),
        meaning=say("the first line is the password; the others are left alone"),
    )
