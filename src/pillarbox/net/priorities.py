"""
From a GnuTLS priority string (the keyword ``tls_priorities``) to what OpenSSL can be told.

The rule: a string is carried out to the letter or refused, naming the part that cannot be; it
never means less protection here than it means to msmtp, and never TLS before 1.2.

How it is done: the string makes four sets (versions, key exchanges, ciphers, MACs), starting
from a keyword and changed part by part; then ``_SUITES`` tells which suites of TLS 1.2 the sets
leave. Python's ``ssl`` cannot choose among the suites of TLS 1.3. So when the ciphers leave one
of these out, TLS 1.3 itself is left out: TLS 1.2 can keep the promise.
"""

from __future__ import annotations

from pillarbox.errors import ConfigError
from pillarbox.mail.reply import printable
from pillarbox.text import Text, say
from pillarbox.value import Value

__all__ = ["Priorities", "parse_priorities"]


class Priorities(Value):
    """
    What OpenSSL is told.

    Attributes:
        minimum_version: ``TLSv1_2`` or ``TLSv1_3``: a name in ``ssl.TLSVersion``.
        maximum_version: The same.
        ciphers: The suites of TLS 1.2 in order of preference, as a cipher string; empty when
            TLS 1.2 is not allowed.
        security_level: OpenSSL's security level, 2 (112 bits) or more.

    """

    __slots__ = ("ciphers", "maximum_version", "minimum_version", "security_level")

    def __init__(
        self, minimum_version: str, maximum_version: str, ciphers: str, security_level: int
    ) -> None:
        self.minimum_version = minimum_version
        self.maximum_version = maximum_version
        self.ciphers = ciphers
        self.security_level = security_level


_VERSIONS = ("TLS1.3", "TLS1.2")
_EXCHANGES = ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA", "RSA")
_PFS_EXCHANGES = _EXCHANGES[:3]
_256_BITS = ("AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CBC", "AES-256-CCM")
_128_BITS = ("AES-128-GCM", "AES-128-CBC", "AES-128-CCM")
_CIPHERS = _256_BITS + _128_BITS
_MACS = ("AEAD", "SHA384", "SHA256", "SHA1")
_TLS13_CIPHERS = frozenset({"AES-256-GCM", "CHACHA20-POLY1305", "AES-128-GCM"})

_Sets = dict[str, tuple[str, ...]]

# What each keyword begins with: the lists of GnuTLS 3.7, less what is not TLS 1.2 or 1.3, with
# the SHA-2 MACs that earlier and later ones have, so that NORMAL is never less than the default.
_KEYWORDS: dict[str, _Sets] = {
    "NONE": {"vers": (), "kx": (), "cipher": (), "mac": ()},
    "NORMAL": {"vers": _VERSIONS, "kx": _EXCHANGES, "cipher": _CIPHERS, "mac": _MACS},
    "PFS": {"vers": _VERSIONS, "kx": _PFS_EXCHANGES, "cipher": _CIPHERS, "mac": _MACS},
    "PERFORMANCE": {
        "vers": _VERSIONS,
        "kx": _EXCHANGES,
        "cipher": (
            "AES-128-GCM",
            "AES-256-GCM",
            "CHACHA20-POLY1305",
            *_128_BITS[1:],
            *_256_BITS[2:],
        ),
        "mac": _MACS,
    },
    "SECURE128": {"vers": _VERSIONS, "kx": _EXCHANGES, "cipher": _CIPHERS, "mac": _MACS},
    "SECURE192": {"vers": _VERSIONS, "kx": _EXCHANGES, "cipher": _256_BITS, "mac": ("AEAD",)},
}
_KEYWORDS["SECURE256"] = _KEYWORDS["SECURE192"]
_KEYWORDS["SECURE"] = _KEYWORDS["SECURE128"]

_REFUSED_KEYWORDS = {
    "LEGACY": say("it allows what can be broken today"),
    "SYSTEM": say("GnuTLS's system-wide policy is not read"),
    "SUITEB128": say("OpenSSL cannot be told its curves through Python"),
    "SUITEB192": say("OpenSSL cannot be told its curves through Python"),
}

# A suite of TLS 1.2 is an exchange and one of these; its name for OpenSSL is the exchange's
# prefix and the name here.
_SUITES = (
    # cipher, MAC, name, exchanges
    ("AES-256-GCM", "AEAD", "AES256-GCM-SHA384", _EXCHANGES),
    ("CHACHA20-POLY1305", "AEAD", "CHACHA20-POLY1305", _PFS_EXCHANGES),
    ("AES-128-GCM", "AEAD", "AES128-GCM-SHA256", _EXCHANGES),
    ("AES-256-CCM", "AEAD", "AES256-CCM", ("ECDHE-ECDSA", "DHE-RSA", "RSA")),
    ("AES-128-CCM", "AEAD", "AES128-CCM", ("ECDHE-ECDSA", "DHE-RSA", "RSA")),
    ("AES-256-CBC", "SHA384", "AES256-SHA384", ("ECDHE-ECDSA", "ECDHE-RSA")),
    ("AES-256-CBC", "SHA256", "AES256-SHA256", ("DHE-RSA", "RSA")),
    ("AES-128-CBC", "SHA256", "AES128-SHA256", _EXCHANGES),
    ("AES-256-CBC", "SHA1", "AES256-SHA", _EXCHANGES),
    ("AES-128-CBC", "SHA1", "AES128-SHA", _EXCHANGES),
)
_PREFIXES = {"ECDHE-ECDSA": "ECDHE-ECDSA-", "ECDHE-RSA": "ECDHE-RSA-", "DHE-RSA": "DHE-RSA-"}

# The last word of a part that means the whole kind, and the set it changes.
_ALL = {
    "VERS-ALL": "vers",
    "VERS-TLS-ALL": "vers",
    "KX-ALL": "kx",
    "CIPHER-ALL": "cipher",
    "MAC-ALL": "mac",
}
_MEMBERS = {
    **{f"VERS-{name}": ("vers", name) for name in _VERSIONS},
    **{name: ("kx", name) for name in _EXCHANGES},
    **{name: ("cipher", name) for name in _CIPHERS},
    **{name: ("mac", name) for name in _MACS},
}
_EVERY = {"vers": _VERSIONS, "kx": _EXCHANGES, "cipher": _CIPHERS, "mac": _MACS}

# Can be removed, as it is not offered; added it cannot be.
_OLD_VERSIONS = frozenset({"VERS-SSL3.0", "VERS-TLS1.0", "VERS-TLS1.1"})
_NEVER = _OLD_VERSIONS | {
    "VERS-DTLS-ALL", "VERS-DTLS0.9", "VERS-DTLS1.0", "VERS-DTLS1.2",
    "3DES-CBC", "DES-CBC", "ARCFOUR-128", "ARCFOUR-40", "RC2-40", "NULL",
    "CAMELLIA-128-CBC", "CAMELLIA-192-CBC", "CAMELLIA-256-CBC", "CAMELLIA-128-GCM",
    "CAMELLIA-256-GCM", "AES-192-CBC", "AES-128-CCM-8", "AES-256-CCM-8", "SALSA20-256",
    "MD5", "MD2", "RMD160", "SHA224", "SHA512", "UMAC-96", "UMAC-128",
    "ANON-DH", "ANON-ECDH", "DHE-DSS", "ECDH-RSA", "ECDH-ECDSA", "PSK", "DHE-PSK", "ECDHE-PSK",
    "RSA-PSK", "RSA-EXPORT", "SRP", "SRP-RSA", "SRP-DSS", "VKO-GOST-12",
    "COMP-DEFLATE", "CTYPE-OPENPGP", "CTYPE-OPGP",
}  # fmt: skip

# Already so, whether asked for or not; taking them away is another matter.
_ALWAYS = frozenset({
    "COMP-NULL", "COMP-ALL", "CTYPE-X.509", "CTYPE-X509", "CTYPE-ALL", "CTYPE-CLI-X509",
    "CTYPE-SRV-X509", "CTYPE-CLI-ALL", "CTYPE-SRV-ALL", "SIGN-ALL", "GROUP-ALL", "CURVE-ALL",
})  # fmt: skip

# A flag that asks for what is so, or that changes nothing for a client that sends mail.
_HARMLESS_FLAGS = frozenset({
    "%COMPAT", "%SERVER_PRECEDENCE", "%SAFE_RENEGOTIATION", "%PARTIAL_RENEGOTIATION",
    "%NO_TICKETS", "%NO_TICKETS_TLS12", "%LATEST_RECORD_VERSION", "%SSL3_RECORD_VERSION",
    "%STATELESS_COMPRESSION", "%DUMBFW", "%FALLBACK_SCSV", "%DISABLE_TLS13_COMPAT_MODE",
    "%ALLOW_SMALL_RECORDS", "%PROFILE_MEDIUM",
})  # fmt: skip
_PROFILES = {"%PROFILE_HIGH": 3, "%PROFILE_ULTRA": 4, "%PROFILE_FUTURE": 5}
_WEAKER_FLAGS = frozenset({
    "%UNSAFE_RENEGOTIATION", "%DISABLE_SAFE_RENEGOTIATION", "%NO_EXTENSIONS", "%NO_SESSION_HASH",
    "%NO_ETM", "%VERIFY_ALLOW_SIGN_RSA_MD5", "%VERIFY_ALLOW_SIGN_WITH_SHA1",
    "%VERIFY_ALLOW_BROKEN", "%VERIFY_ALLOW_X509_V1_CA_CRT", "%VERIFY_DISABLE_CRL_CHECKS",
    "%PROFILE_LOW", "%PROFILE_LEGACY", "%PROFILE_VERY_WEAK",
})  # fmt: skip


def parse_priorities(text: str) -> Priorities:
    """
    Return what OpenSSL is told for a priority string; letter case does not matter.

    Raises:
        ConfigError: A part is unknown, cannot be carried out, or would weaken the connection
            below TLS 1.2 or 112 bits; or nothing is left.

    """
    first, *parts = text.strip().upper().split(":")
    if first in _REFUSED_KEYWORDS or first.startswith("@"):
        raise _refusal(first, _REFUSED_KEYWORDS.get(first, _REFUSED_KEYWORDS["SYSTEM"]))
    if first not in _KEYWORDS:
        why = say(
            "a GnuTLS priority string begins with a keyword such as NORMAL, SECURE128 or NONE; "
            "OpenSSL's cipher strings are not understood"
        )
        raise _refusal(first, why)
    sets = dict(_KEYWORDS[first])
    level = 2
    for part in parts:
        if part in _PROFILES:
            level = _PROFILES[part]
        elif part.startswith("%"):
            _check_flag(part)
        else:
            _apply(sets, part)
    return _priorities(sets, level)


def _check_flag(part: str) -> None:
    if part in _WEAKER_FLAGS:
        raise _refusal(part, say("it makes the connection less safe"))
    if part not in _HARMLESS_FLAGS:
        raise _refusal(part, say("OpenSSL cannot be told this"))


def _apply(sets: _Sets, part: str) -> None:
    """Change the sets as one part says: ``+X``, ``-X``, ``!X`` or another keyword."""
    sign, name = part[:1], part[1:]
    if sign not in {"+", "-", "!"}:
        if part not in _KEYWORDS:
            raise _refusal(part, say("it is unknown"))
        sign, name = "+", part
    if name in _KEYWORDS and sign == "+":
        for kind, members in _KEYWORDS[name].items():
            _add(sets, kind, members)
    elif name in _ALL:
        kind = _ALL[name]
        sets[kind] = () if sign != "+" else sets[kind]
        _add(sets, kind, _EVERY[kind] if sign == "+" else ())
    elif name in _MEMBERS:
        kind, member = _MEMBERS[name]
        if sign == "+":
            _add(sets, kind, (member,))
        else:
            sets[kind] = tuple(other for other in sets[kind] if other != member)
    else:
        _check_rest(part, sign, name)


def _check_rest(part: str, sign: str, name: str) -> None:
    """Refuse what is in no set, unless it changes nothing."""
    if sign == "+" and name in _OLD_VERSIONS:
        raise _refusal(part, say("only TLS 1.2 and 1.3 are safe"))
    if sign == "+" and name in _NEVER:
        raise _refusal(part, say("it is not safe, or OpenSSL does not have it"))
    if name not in (_ALWAYS if sign == "+" else _NEVER):
        is_known = name in _ALWAYS or name.startswith(("SIGN-", "GROUP-", "CURVE-", "CTYPE-"))
        why = say("OpenSSL cannot be told this") if is_known else say("it is unknown")
        raise _refusal(part, why)


def _add(sets: _Sets, kind: str, members: tuple[str, ...]) -> None:
    sets[kind] += tuple(member for member in members if member not in sets[kind])


def _priorities(sets: _Sets, level: int) -> Priorities:
    versions = set(sets["vers"])
    has_its_ciphers = "AEAD" in sets["mac"] and _TLS13_CIPHERS.issubset(sets["cipher"])
    if "TLS1.3" in versions and not has_its_ciphers:
        if "TLS1.2" not in versions:
            why = say("the ciphers of TLS 1.3 cannot be chosen; write +CIPHER-ALL:+AEAD")
            raise _refusal("VERS-TLS1.3", why)
        versions.remove("TLS1.3")
    if not versions:
        why = say("no version of TLS is left; add +VERS-TLS1.2 or +VERS-TLS1.3")
        raise _refusal("VERS-ALL", why)
    ciphers = _suites(sets) if "TLS1.2" in versions else []
    if "TLS1.2" in versions and not ciphers:
        if "TLS1.3" not in versions:
            raise _refusal(say("KX, CIPHER and MAC"), say("no suite of TLS 1.2 is left"))
        versions.remove("TLS1.2")
    return Priorities(
        "TLSv1_2" if "TLS1.2" in versions else "TLSv1_3",
        "TLSv1_3" if "TLS1.3" in versions else "TLSv1_2",
        ":".join(ciphers),
        level,
    )


def _suites(sets: _Sets) -> list[str]:
    """Return the suites of TLS 1.2 that the sets leave; the cipher's place decides, then ours."""
    return [
        _PREFIXES.get(exchange, "") + name
        for wanted in sets["cipher"]
        for cipher, mac, name, exchanges in _SUITES
        for exchange in sets["kx"]
        if cipher == wanted and mac in sets["mac"] and exchange in exchanges
    ]


def _refusal(part: str, why: Text) -> ConfigError:
    """Return the exception for a part as it was written, or for one in our words."""
    shown = part if isinstance(part, Text) else printable(part) or say("an empty part")
    msg = say("tls_priorities: {part}: {problem}", part=shown, problem=why)
    advice = say("leave tls_priorities out, or write for example PFS:-VERS-ALL:+VERS-TLS1.3")
    return ConfigError(msg, advice=advice)
