"""
The public key of a DKIM signature, as a domain publishes it (RFC 6376 3.6.1, RFC 8463).

``find_key`` looks at one selector, and follows an alias to the provider as the resolver does;
``read_key`` understands a record. Of a key only what a receiver asks for is read: whether there
is one, of which kind and of how many bits.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from pillarbox.dns.answers import is_askable
from pillarbox.dns.record import RecordError
from pillarbox.dns.tags import parse_tags, texts_of
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.tags import Tag
    from pillarbox.text import Text

__all__ = ["BITS_LEAST", "BITS_WISHED", "Key", "Selector", "find_key", "find_keys", "read_key"]

BITS_LEAST = 1024  # receivers take no less, RFC 8301 3.2
BITS_WISHED = 2048

_LEVELS_MAX = 4  # domains that are asked, from the sender's own upwards

_ED25519_OCTETS = 32  # RFC 8463 4
_VERSION = "DKIM1"
_INTEGER, _BIT_STRING, _SEQUENCE = 0x02, 0x03, 0x30  # X.690


class Key(Value):
    """
    A key that can be understood.

    Attributes:
        kind: ``rsa`` or ``ed25519``.
        bits: Its length; 0: it was revoked.
        is_testing: Receivers are to treat the mail as if it were not signed.

    """

    __slots__ = ("bits", "is_testing", "kind")

    def __init__(self, kind: str, bits: int, *, is_testing: bool) -> None:
        self.kind = kind
        self.bits = bits
        self.is_testing = is_testing

    @property
    def is_revoked(self) -> bool:
        """Whether its owner took it back."""
        return not self.bits

    @property
    def is_good(self) -> bool:
        """Whether a receiver may believe a signature of it."""
        return not self.is_testing and (self.kind == "ed25519" or self.bits >= BITS_LEAST)


class Selector(Value):
    """
    What stands at one selector.

    Attributes:
        name: ``SELECTOR._domainkey.DOMAIN``, in whole.
        texts: The key records that are there.
        alias: What the name is an alias of; empty: it is none.
        key: The key; None: none is there, or none that can be understood.
        fault: Why it cannot be understood; None: it can, or there is none.

    """

    __slots__ = ("alias", "fault", "key", "name", "texts")

    def __init__(
        self,
        name: str,
        texts: tuple[str, ...],
        *,
        alias: str = "",
        key: Key | None = None,
        fault: RecordError | None = None,
    ) -> None:
        self.name = name
        self.texts = texts
        self.alias = alias
        self.key = key
        self.fault = fault

    @property
    def is_there(self) -> bool:
        """Whether anything was published."""
        return bool(self.texts or self.alias)


def find_key(selector: str, domain: str, ask: Ask) -> Selector:
    """
    Return what stands at a selector of a domain. Blocks.

    Raises:
        LookupFailedError: The domain's nameservers did not answer.

    """
    name = f"{selector}._domainkey.{domain}"
    # A record for every name, such as a wildcard's, is no key.
    texts = tuple(text for text in texts_of(name, ask) if "p=" in "".join(text.split()).lower())
    aliases = ask(name, "CNAME")
    alias = str(aliases[0]) if aliases else ""
    if len(texts) != 1:
        # Of several a receiver takes whichever comes first (RFC 6376 3.6.2.2).
        return Selector(name, texts, alias=alias)
    try:
        return Selector(name, texts, alias=alias, key=read_key(texts[0]))
    except RecordError as exc:
        return Selector(name, texts, alias=alias, fault=exc)


def find_keys(selectors: Sequence[str], domain: str, ask: Ask) -> tuple[Selector, ...]:
    """
    Return what stands at the selectors of a domain, or of one above it that signs for it. Blocks.

    A signature of ``example.com`` counts for ``alerts.example.com`` too (RFC 7489 3.1.1).

    Raises:
        LookupFailedError: The domain's nameservers did not answer.

    """
    known = [selector for selector in selectors if is_askable(f"{selector}.{domain}")]
    labels = domain.split(".")
    for above in range(min(_LEVELS_MAX, max(1, len(labels) - 1))):
        found = [find_key(selector, ".".join(labels[above:]), ask) for selector in known]
        if any(one.is_there for one in found):
            return tuple(found)
    return tuple(find_key(selector, domain, ask) for selector in known)


def read_key(text: str) -> Key:
    """
    Read a key record.

    Raises:
        RecordError: A receiver cannot use it.

    """
    tags = {tag.name: tag for tag in parse_tags(text)}
    version = tags.get("v")
    if version is not None and version.value != _VERSION:
        raise _fault(text, version, say("the version is not {version}", version=_VERSION))
    kind = tags["k"].value.lower() if "k" in tags else "rsa"
    if kind not in ("rsa", "ed25519"):
        raise _fault(text, tags["k"], say("'{kind}' is no kind of key", kind=printable(kind, 40)))
    _check_use(text, tags)
    flags = tags["t"].value.lower().split(":") if "t" in tags else []
    is_testing = "y" in [flag.strip() for flag in flags]
    return Key(kind, _bits(text, tags.get("p"), kind), is_testing=is_testing)


def _check_use(text: str, tags: dict[str, Tag]) -> None:
    """Check that the key may be used for mail, with the hash that is used."""
    for name, wanted in (("s", "email"), ("h", "sha256")):
        tag = tags.get(name)
        words = [word.strip().lower() for word in tag.value.split(":")] if tag else []
        if tag is not None and wanted not in words and "*" not in words:
            raise _fault(text, tag, say("'{name}=' does not have {word}", name=name, word=wanted))


def _bits(text: str, tag: Tag | None, kind: str) -> int:
    """Return the length of a key; 0: the tag is empty."""
    if tag is None:
        raise RecordError(say("'{name}=' is missing", name="p"), text, 0, 1, _copy())
    try:
        octets = b64decode("".join(tag.value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _fault(text, tag, say("the key is no base64: a part of it is missing")) from None
    if not octets:
        return 0
    if kind == "ed25519":
        if len(octets) != _ED25519_OCTETS:
            raise _fault(text, tag, say("the key has not the length of an Ed25519 key"))
        return len(octets) * 8
    try:
        return _modulus_bits(octets)
    except (IndexError, ValueError):
        raise _fault(text, tag, say("the key is no RSA key: a part of it is missing")) from None


def _modulus_bits(der: bytes) -> int:
    """
    Return the length of the modulus of an RSA key, as RFC 5280 or RFC 8017 writes it.

    Raises:
        IndexError, ValueError: It is none.

    """
    _, inner, rest = _element(der, _SEQUENCE)
    if rest:
        raise ValueError
    if inner[0] == _SEQUENCE:
        _, _, rest = _element(inner, _SEQUENCE)  # the algorithm
        _, bits, _ = _element(rest, _BIT_STRING)
        # The first octet of a bit string counts the bits that are not used: none.
        _, inner, _ = _element(bits[1:], _SEQUENCE)
    _, modulus, _ = _element(inner, _INTEGER)
    return int.from_bytes(modulus, "big").bit_length()


def _element(der: bytes, kind: int) -> tuple[int, bytes, bytes]:
    """Return kind and content of the first element, and what is behind it (X.690 8.1)."""
    length, at = der[1], 2
    if length & 0x80:
        at = 2 + (length & 0x7F)
        length = int.from_bytes(der[2:at], "big")
    if der[0] != kind or len(der) < at + length:
        raise ValueError
    return der[0], der[at : at + length], der[at + length :]


def _fault(text: str, tag: Tag, problem: Text) -> RecordError:
    return RecordError(problem, text, tag.place, len(tag.value), _copy())


def _copy() -> Text:
    return say("copy the record from the provider's console again, to its last character")
