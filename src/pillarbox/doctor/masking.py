"""
What must not leave this machine in a support bundle: secrets, and who gets mail from it.

The rule to keep: a text in which a secret is left after masking, in whatever form, is left out
whole. Who gets mail is told apart by short names, which mean nothing outside of one bundle.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
from base64 import b64encode, urlsafe_b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from pillarbox.config.files import read_file
from pillarbox.config.netrc import all_passwords
from pillarbox.config.secrets import SYSTEM_NETRC
from pillarbox.doctor.local_secret import CREDENTIAL_STORES
from pillarbox.mail.reply import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pillarbox.doctor.patient import Patient

__all__ = ["Mask", "forms_of", "known_secrets"]

# Fewer characters of base64 than these are met by chance everywhere; they belong to the parts of
# a longer text, which is looked for as well wherever we know it.
_TELLING = 4
_FILE_MAX = 1 << 20  # bytes
_MARKS = ("***", "(masked)", "#", "")
_ADDRESS = re.compile(r"[^\s<>\"',;:()\[\]\\=]+@[^\s<>\"',;:()\[\]\\]+")


class Mask:
    """
    Hide secrets, and people.

    Args:
        secret_texts: Each secret as it is.
        users: Who logs in with them: the answer to ``AUTH PLAIN`` holds both.
        own: Addresses that are no third party's: the sender, the user.

    """

    def __init__(
        self, secret_texts: Iterable[str], users: Iterable[str] = (), own: Iterable[str] = ()
    ) -> None:
        users = tuple(users)
        forms = {form for text in secret_texts if text for form in forms_of(text, users)}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        pattern = "|".join(map(re.escape, self._forms))
        # Of percent signs and base16, the case is nobody's business.
        self._pattern = re.compile(pattern, re.IGNORECASE) if pattern else None
        self._own = frozenset(address.lower() for address in own)
        self._key = secrets.token_bytes(16)

    def hide_secrets(self, text: str) -> str:
        """Return a text without the secrets; one that cannot be without them is empty."""
        if self._pattern is None:
            return text
        for mark in _MARKS:
            masked = self._pattern.sub(mark, text)
            if not self._pattern.search(masked):
                return masked
        return ""

    def hide_people(self, text: str) -> str:
        """Return a text with a short name in the place of each address of a third party."""
        return _ADDRESS.sub(lambda found: self.name_of(found[0]), text)

    def name_of(self, address: str) -> str:
        """Return the short name of an address; one's own is no secret."""
        if address.lower() in self._own:
            return address
        digest = blake2b(address.lower().encode("utf-8", "surrogatepass"), key=self._key)
        return f"(address {digest.hexdigest()[:8]})"


def forms_of(secret: str, users: Iterable[str] = ()) -> Iterator[str]:
    """
    Yield a secret as it may stand in a text: plain, quoted, escaped and encoded.

    Args:
        secret: It is not empty.
        users: Who may log in with it.

    """
    raw = secret.encode("utf-8", "surrogateescape")
    plain = raw.decode("utf-8", "backslashreplace")
    yield from (secret, plain, printable(secret, len(secret)), printable(raw, len(secret) + 1))
    yield from (repr(secret)[1:-1], repr(raw)[2:-1], shlex.quote(secret))
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (quote(raw), quote(raw, safe=""), quote_plus(raw), raw.hex())
    yield from (quote(raw, safe="!#$&'()*+,/:;=?@[]~"), "".join(f"%{octet:02x}" for octet in raw))
    # Some quote whatever is no letter and no digit, which ``quote`` does not do to "_.-~".
    yield "".join(chr(each) if _is_plain(each) else f"%{each:02x}" for each in raw)
    yield from _encoded(raw)
    for user in users:
        name = user.encode("utf-8", "surrogateescape")
        for identity in (b"", name):
            blob = identity + b"\0" + name + b"\0" + raw
            yield from (b64encode(blob).decode(), urlsafe_b64encode(blob).decode())


def _is_plain(octet: int) -> bool:
    return octet < 128 and chr(octet).isalnum()


def _encoded(raw: bytes) -> Iterator[str]:
    """Yield base64 of it alone, and what is always the same of it inside of something longer."""
    for encode in (b64encode, urlsafe_b64encode):
        whole = encode(raw).decode()
        yield whole
        if len(whole.rstrip("=")) >= _TELLING:
            yield whole.rstrip("=")
        for before in range(3):
            core = encode(bytes(before) + raw).decode()
            core = core[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            if len(core) >= _TELLING:
                yield core


def known_secrets(patient: Patient) -> Iterator[str]:
    """Yield every secret that this machine shows to who asks; nobody is asked for one."""
    if patient.secret is not None:
        yield patient.secret.reveal()
    for account in patient.files.accounts() if patient.files is not None else ():
        if account.password is not None:
            yield account.password.reveal()
    for path in (f"{patient.env.get('HOME', '')}/.netrc", patient.at(SYSTEM_NETRC)):
        yield from all_passwords(_content(path))
    for folder in (patient.env.get("CREDENTIALS_DIRECTORY", ""), *_stores(patient)):
        for path in _files(folder):
            lines = _content(path).decode("utf-8", "surrogateescape").splitlines()
            yield from lines[:1]


def _stores(patient: Patient) -> Iterator[str]:
    return (patient.at(folder) for folder in CREDENTIAL_STORES)


def _files(folder: str) -> list[str]:
    try:
        names = os.listdir(folder) if folder else []
    except OSError:
        return []
    # Those of other services are nobody's business, and in none of our texts.
    return [f"{folder}/{name}" for name in names if name.startswith("pillarbox.")]


def _content(path: str) -> bytes:
    try:
        return read_file(path, _FILE_MAX)[0]
    except (OSError, ValueError):
        return b""
