"""
A factory of certificate chains, right and wrong ones, made on the spot from a table.

``CHAINS`` is the table: one row a chain, each telling what is unusual about it and, unless it is
right, which words a person must be told. A new case is a new row; a new kind of authority is a
row in ``AUTHORITIES``. ``make(row, folder)`` gives what a server and a client need;
``TlsServer`` is the server.

Nothing here is pillarbox's: the chains are made with ``cryptography``, and by hand where that
refuses to make what is wrong (MD5, version 1, 512 bits).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import threading
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

__all__ = [
    "CHAINS",
    "Authority",
    "Chain",
    "Material",
    "TlsServer",
    "fingerprint",
    "hash_links",
    "leaf",
    "make",
    "pem",
    "server_context",
    "write_store",
]

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


# -- DER, as far as it takes to make what cryptography refuses --------------------------------


def der(tag: int, content: bytes) -> bytes:
    """Return one DER value."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def der_children(value: bytes) -> list[bytes]:
    """Return the values in a constructed DER value, each with its tag and length."""
    children, rest = [], value[_header(value) :]
    while rest:
        size = _header(rest) + _length(rest)
        children.append(rest[:size])
        rest = rest[size:]
    return children


def _header(value: bytes) -> int:
    return 2 + (value[1] & 0x7F if value[1] & 0x80 else 0)


def _length(value: bytes) -> int:
    return int.from_bytes(value[2 : _header(value)], "big") if value[1] & 0x80 else value[1]


def der_int(number: int) -> bytes:
    """Return a DER INTEGER."""
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


# -- keys -------------------------------------------------------------------------------------


@cache
def key(kind: str, owner: str) -> PrivateKey:
    """Return the key of that kind which belongs to an owner; the same one every time."""
    del owner
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(private: PrivateKey) -> bytes:
    """Return a key in PEM, not encrypted."""
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


# A key of 512 bits, which no library makes any more.
_SHORT_P = 0xD36B246D05192E554CBD8E195A0F014F2A3164848C01F3E267D290D8E38AA2D7
_SHORT_Q = 0xC922BB41FA1D8F6929929FF3A81222AA180C6AB754E4FEB193969DDB857B85C7
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")


def short_key() -> tuple[bytes, bytes]:
    """Return an RSA key of 512 bits: the public key as in a certificate, the private in PEM."""
    p, q, e = _SHORT_P, _SHORT_Q, 65537
    n, d = p * q, pow(e, -1, (p - 1) * (q - 1))
    public = der(0x30, der_int(n) + der_int(e))
    numbers = (0, n, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    private = der(0x30, b"".join(der_int(number) for number in numbers))
    return der(0x30, _RSA_ENCRYPTION + der(0x03, b"\0" + public)), pem(private, "RSA PRIVATE KEY")


def pem(data: bytes, label: str = "CERTIFICATE") -> bytes:
    """Return DER as PEM."""
    text = ssl.DER_cert_to_PEM_cert(data).replace("CERTIFICATE", label)
    return text.encode("ascii")


# -- authorities ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """
    One that issues certificates; every field that is not given is right.

    Attributes:
        issuer: The name of who issued its own certificate; empty: itself.
        key: ``ec``, ``rsa`` or ``rsa1024``.
        is_ca: What its basic constraints say.
        may_sign: What its key usage says about issuing.
        path_length: How many intermediates it allows below it; None: any number.
        valid: From and until, in days from now.
        permitted: The only domain that it may vouch for; empty: any.
        names: Its subject alternative names: only a leaf that plays at being an authority.
        version: 3, or 1: no extensions at all.

    """

    issuer: str = ""
    key: str = "ec"
    is_ca: bool = True
    may_sign: bool = True
    path_length: int | None = None
    valid: tuple[int, int] = (-10, 100)
    permitted: str = ""
    names: tuple[str, ...] = ()
    version: int = 3


AUTHORITIES = {
    "root": Authority(),
    "rsa root": Authority(key="rsa"),
    "short root": Authority(key="rsa1024"),
    "version 1 root": Authority(version=1),
    "stranger": Authority(),
    "expired root": Authority(valid=(-100, -1)),
    "no signing root": Authority(may_sign=False),
    "intermediate": Authority("root"),
    "expired intermediate": Authority("root", valid=(-100, -1)),
    "no CA": Authority("root", is_ca=False),
    "no signing": Authority("root", may_sign=False),
    "other leaf": Authority("root", is_ca=False, may_sign=False, names=("good.example",)),
    "last": Authority("root", path_length=0),
    "below last": Authority("last"),
    "other.example only": Authority("root", permitted="other.example"),
    "good.example only": Authority("root", permitted="good.example"),
    "a server": Authority(),  # the subject of every leaf, so that one can be its own issuer
}


@cache
def authority_key(name: str) -> PrivateKey:
    """Return the key of an authority."""
    return key(AUTHORITIES[name].key, name)


@cache
def authority(name: str) -> bytes:
    """Return the certificate of an authority in DER."""
    row = AUTHORITIES[name]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=row.may_sign,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(_name(name), row.issuer or name, authority_key(name).public_key(), row.valid)
    builder = builder.add_extension(
        x509.BasicConstraints(row.is_ca, row.path_length), critical=True
    )
    builder = builder.add_extension(usage, critical=True)
    if row.permitted:
        constraints = x509.NameConstraints([x509.DNSName(row.permitted)], None)
        builder = builder.add_extension(constraints, critical=True)
    if row.names:
        builder = builder.add_extension(_alternative_names(row.names), critical=False)
    made = _signed(builder, row.issuer or name)
    return _reissued(made, row.issuer or name, _as_version_1) if row.version == 1 else made


def _name(common_name: str) -> x509.Name:
    if not common_name:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: str, public: Any, valid: tuple[int, int]
) -> x509.CertificateBuilder:
    issuer_key = authority_key(issuer).public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + valid[0] * DAY)
        .not_valid_after(NOW + valid[1] * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _alternative_names(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.IPAddress(ipaddress.ip_address(name[3:]))
            if name.startswith("IP:")
            else x509.DNSName(name)
            for name in names
        ]
    )


def _signed(builder: x509.CertificateBuilder, issuer: str) -> bytes:
    made = builder.sign(authority_key(issuer), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


# -- what cryptography does not make ----------------------------------------------------------


def _reissued(
    certificate: bytes,
    issuer: str,
    change: Callable[[list[bytes]], list[bytes]],
    digest: str = "",
) -> bytes:
    """Return a certificate whose parts were changed, signed anew by the same issuer."""
    tbs, algorithm, _ = der_children(certificate)
    parts = change(der_children(tbs))
    if digest:  # the object identifiers differ in their last byte only (RFC 8017 A.2.4)
        old, new = b"\x01\x01\x0b", b"\x01\x01" + {"md5": b"\x04", "sha1": b"\x05"}[digest]
        algorithm = algorithm.replace(old, new)
        parts = [part.replace(old, new) if place == 2 else part for place, part in enumerate(parts)]
    body = der(0x30, b"".join(parts))
    private = authority_key(issuer)
    if isinstance(private, rsa.RSAPrivateKey):
        kinds = {"": hashes.SHA256(), "md5": hashes.MD5(), "sha1": hashes.SHA1()}  # noqa: S303
        signature = private.sign(body, padding.PKCS1v15(), kinds[digest])
    else:
        signature = private.sign(body, ec.ECDSA(hashes.SHA256()))
    return der(0x30, body + algorithm + der(0x03, b"\0" + signature))


def _as_version_1(parts: list[bytes]) -> list[bytes]:
    return parts[1:-1]  # neither a version nor extensions


def _with_short_key(parts: list[bytes]) -> list[bytes]:
    return [*parts[:6], short_key()[0], *parts[7:]]


# -- chains -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """
    One row of the table; every field that is not given is right.

    Attributes:
        title: What is tried.
        problem: Words that the error must have; empty: the chain is right.
        host: What the client is told to connect to.
        names: The subject alternative names, ``IP:`` before an address; None: no extension.
        common_name: Of the subject; empty: the subject is empty.
        issuer: The authority that issued it; ``self``: itself.
        sent: The authorities whose certificates the server sends with it.
        trusted: The authorities that the client trusts; ``leaf``: the certificate itself.
        store: How the client is told: ``file``, or ``directory`` with hash links.
        key: ``ec``, ``rsa``, ``rsa1024`` or ``rsa512``.
        digest: What the signature is made with: empty (SHA-256), ``md5``, ``sha1``.
        valid: From and until, in days from now.
        usage: Extended key usages: ``server``, ``client``; empty: no extension.
        version: 3, or 1: no extensions at all.
        unknown_extension: Whether a critical extension is there that nobody knows.
        crl: Lists in the client's CRL file: an authority; behind it ``!`` when its list has the
            certificate of the server, ``!`` and a name when it has that authority's, ``~`` when
            the list has expired.
        fingerprint: What the client compares: ``sha256`` ..., with ``!`` when it is another's.
        policy: More of the client's policy.
        client: Whose certificate the client gives: an authority; empty: none.
        demands: Whose clients the server demands: an authority; empty: it asks for none.
        versions: The lowest and highest TLS version that the server speaks.

    """

    title: str
    problem: str = ""
    host: str = "good.example"
    names: tuple[str, ...] | None = ("good.example",)
    common_name: str = "a server"
    issuer: str = "root"
    sent: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ("root",)
    store: str = "file"
    key: str = "ec"
    digest: str = ""
    valid: tuple[int, int] = (-10, 50)
    usage: tuple[str, ...] = ("server",)
    version: int = 3
    unknown_extension: bool = False
    crl: tuple[str, ...] = ()
    fingerprint: str = ""
    policy: dict[str, Any] = field(default_factory=dict)
    client: str = ""
    demands: str = ""
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (
        ssl.TLSVersion.TLSv1_2,
        ssl.TLSVersion.TLSv1_3,
    )

    def __str__(self) -> str:
        return self.title.replace(" ", "-")


_V12, _V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
_V10, _V11 = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

_OTHER_HOST = "is not for "
_OTHER_ADDRESS = "is not for the address "
_NOT_TRUSTED = "not trusted here"
_MAY_NOT_ISSUE = "may not issue any"
_SHORT = "too short to be safe"

CHAINS = (
    # The right ones.
    Chain("exact name"),
    Chain("exact name under TLS 1.2", versions=(_V12, _V12)),
    Chain("exact name under TLS 1.3", versions=(_V13, _V13)),
    Chain("capital letters in the host", host="Good.EXAMPLE"),
    Chain("capital letters in the certificate", names=("GOOD.Example",)),
    Chain("host with a trailing dot", host="good.example."),
    Chain("empty subject"),
    Chain("wildcard for one label", host="mx.good.example", names=("*.good.example",)),
    Chain("wildcard and the domain itself", names=("*.good.example", "good.example")),
    Chain("last of several names", names=("a.example", "IP:192.0.2.1", "good.example")),
    Chain("IPv4 address", host="127.0.0.1", names=("IP:127.0.0.1",)),
    Chain("IPv6 address", host="::1", names=("IP:::1",)),
    Chain("IPv6 address in brackets", host="[::1]", names=("IP:::1",)),
    Chain("A-label of a non-ASCII host", host="bücher.example", names=("xn--bcher-kva.example",)),
    Chain("sharp s by IDNA2008", host="straße.example", names=("xn--strae-oqa.example",)),
    Chain("RSA key", key="rsa", issuer="rsa root", trusted=("rsa root",)),
    Chain("RSA key under TLS 1.2", key="rsa", versions=(_V12, _V12)),
    Chain("no extended key usage", usage=()),
    Chain("for servers and clients", usage=("server", "client")),
    Chain("intermediate sent", issuer="intermediate", sent=("intermediate",)),
    Chain("root sent as well", issuer="intermediate", sent=("intermediate", "root")),
    Chain("intermediate known here", issuer="intermediate", trusted=("root", "intermediate")),
    Chain("only the intermediate trusted", issuer="intermediate", trusted=("intermediate",)),
    Chain("the server's own certificate trusted", trusted=("leaf",)),
    Chain("self-signed and trusted", issuer="self", trusted=("leaf",)),
    Chain("one of several roots", trusted=("stranger", "rsa root", "root")),
    Chain("hashed directory", store="directory", trusted=("stranger", "root")),
    Chain("allowed by name constraints", issuer="good.example only", sent=("good.example only",)),
    Chain("last intermediate allowed", issuer="last", sent=("last",)),
    Chain("not on the list", crl=("root",)),
    Chain(
        "not on either list",
        issuer="intermediate", sent=("intermediate",), crl=("root", "intermediate"),
    ),
    Chain("SHA-256 fingerprint of a stranger's", issuer="stranger", fingerprint="sha256"),
    Chain("SHA-1 fingerprint, expired", valid=(-20, -10), fingerprint="sha1"),
    Chain("MD5 fingerprint, other name", names=("bad.example",), fingerprint="md5"),
    Chain("fingerprint, self-signed, no name", issuer="self", names=None, fingerprint="sha256"),
    Chain(
        "host override",
        host="192.0.2.1", names=("mx.example",), policy={"host_override": "mx.example"},
    ),
    Chain("checks turned off", issuer="stranger", policy={"check_certificate": False}),
    Chain("client certificate given", client="root", demands="root"),
    Chain(
        "client certificate given, TLS 1.2",
        client="root", demands="root", versions=(_V12, _V12),
    ),
    # The name is wrong.
    Chain("name in the common name only", _OTHER_HOST, names=None, common_name="good.example"),
    Chain("other name", _OTHER_HOST, names=("bad.example",)),
    Chain("right common name, other name", _OTHER_HOST,
          names=("bad.example",), common_name="good.example"),
    Chain("no name at all", _OTHER_HOST, names=None),
    Chain("parent domain", _OTHER_HOST, host="mx.good.example"),
    Chain("wildcard for two labels", _OTHER_HOST,
          host="a.b.good.example", names=("*.good.example",)),
    Chain("wildcard for no label", _OTHER_HOST, names=("*.good.example",)),
    Chain("wildcard for part of a label", _OTHER_HOST, names=("go*.example",)),
    Chain("wildcard in the middle", _OTHER_HOST,
          host="a.b.good.example", names=("a.*.good.example",)),
    Chain("wildcard for a top-level domain", _OTHER_HOST, names=("*.example",)),
    Chain("bare wildcard", _OTHER_HOST, names=("*",)),
    Chain("double wildcard", _OTHER_HOST, host="a.b.example", names=("*.*.example",)),
    Chain("wildcard in an A-label", _OTHER_HOST,
          host="bücher.example", names=("xn--*.example",)),
    Chain("wildcard against an address", _OTHER_ADDRESS, host="127.0.0.1", names=("*.0.0.1",)),
    Chain("address as a DNS name", _OTHER_ADDRESS, host="127.0.0.1", names=("127.0.0.1",)),
    Chain("address as the common name", _OTHER_ADDRESS,
          host="127.0.0.1", names=None, common_name="127.0.0.1"),
    Chain("other address", _OTHER_ADDRESS, host="127.0.0.1", names=("IP:127.0.0.2",)),
    Chain("name against its address", _OTHER_ADDRESS, host="127.0.0.1"),
    Chain("NUL in the name", _OTHER_HOST, names=("good.example\0.evil.example",)),
    Chain("NUL behind the name", _OTHER_HOST, names=("good.example\0",)),
    Chain("homograph", _OTHER_HOST, host="gооd.example", names=("good.example",)),
    Chain("homograph's certificate", _OTHER_HOST, names=("xn--gd-7bba.example",)),
    Chain("sharp s by IDNA2003", _OTHER_HOST, host="straße.example", names=("strasse.example",)),
    Chain("trailing dot in the certificate", _OTHER_HOST, names=("good.example.",)),
    Chain("leading dot in the certificate", _OTHER_HOST,
          host="mx.good.example", names=(".good.example",)),
    Chain("spaces around the name", _OTHER_HOST, names=(" good.example ",)),
    Chain("empty list of names", "breaks the rules: an empty list of names", names=()),
    Chain("host override to another", _OTHER_HOST, policy={"host_override": "mx.example"}),
    # The time is wrong.
    Chain("expired", "expired on ", valid=(-20, -1)),
    Chain("not yet valid", "is not valid before ", valid=(1, 20)),
    Chain("expired intermediate", "an issuer whose certificate has expired",
          issuer="expired intermediate", sent=("expired intermediate",)),
    Chain("expired root", "an issuer whose certificate has expired",
          issuer="expired root", trusted=("expired root",)),
    Chain("expired, self-signed and trusted", "expired on ",
          issuer="self", trusted=("leaf",), valid=(-20, -1)),
    # The issuer is wrong.
    Chain("self-signed", "is self-signed", issuer="self"),
    Chain("unknown authority", _NOT_TRUSTED, issuer="stranger"),
    Chain("unknown authority, sent", _NOT_TRUSTED, issuer="stranger", sent=("stranger",)),
    Chain("unknown authority, directory", _NOT_TRUSTED, issuer="stranger", store="directory"),
    Chain("intermediate missing", _NOT_TRUSTED, issuer="intermediate"),
    Chain("wrong intermediate sent", _NOT_TRUSTED, issuer="intermediate", sent=("last",)),
    Chain("intermediate is no authority", _MAY_NOT_ISSUE, issuer="no CA", sent=("no CA",)),
    Chain("another server as issuer", _MAY_NOT_ISSUE, issuer="other leaf", sent=("other leaf",)),
    Chain("intermediate may not sign", _MAY_NOT_ISSUE, issuer="no signing", sent=("no signing",)),
    Chain("root may not sign", _MAY_NOT_ISSUE,
          issuer="no signing root", trusted=("no signing root",)),
    Chain("path too long", "longer chain",
          issuer="below last", sent=("below last", "last")),
    Chain("name constraints", "may not vouch for",
          issuer="other.example only", sent=("other.example only",)),
    Chain("version 1 root", _MAY_NOT_ISSUE, issuer="version 1 root", trusted=("version 1 root",)),
    # The certificate itself is wrong.
    Chain("only for clients", "is not for servers", usage=("client",)),
    Chain("version 1", "it names no host", version=1, common_name="good.example"),
    Chain("unknown critical extension", "must be understood", unknown_extension=True),
    Chain("MD5", "digest that is not safe", issuer="rsa root", trusted=("rsa root",), digest="md5"),
    Chain("SHA-1", "digest that is not safe",
          issuer="rsa root", trusted=("rsa root",), digest="sha1"),
    Chain("RSA with 1024 bits", _SHORT, key="rsa1024"),
    Chain("RSA with 512 bits", _SHORT, key="rsa512", versions=(_V12, _V12)),
    Chain("root with 1024 bits", _SHORT, issuer="short root", trusted=("short root",)),
    # Revocation.
    Chain("revoked", "has been revoked", crl=("root!",)),
    Chain("list missing", "has no list of one of its issuers", crl=("stranger",)),
    Chain("list of the intermediate missing", "has no list of one of its issuers",
          issuer="intermediate", sent=("intermediate",), crl=("root",)),
    Chain("list of the root missing", "has no list of one of its issuers",
          issuer="intermediate", sent=("intermediate",), crl=("intermediate",)),
    Chain("intermediate revoked", "has been revoked",
          issuer="intermediate", sent=("intermediate",),
          crl=("intermediate", "root!intermediate")),
    Chain("list expired", "has expired", crl=("root~",)),
    # Fingerprints.
    Chain("other fingerprint", "does not have the fingerprint", fingerprint="sha256!"),
    Chain("other SHA-1 fingerprint", "does not have the fingerprint", fingerprint="sha1!"),
    Chain("other MD5 fingerprint", "does not have the fingerprint", fingerprint="md5!"),
    # The rest of TLS.
    Chain("TLS 1.0 and 1.1 only", "speaks no TLS version", versions=(_V10, _V11)),
    Chain("TLS 1.1 without checks", "speaks no TLS version",
          versions=(_V11, _V11), policy={"check_certificate": False}),
    Chain("client certificate demanded", "demands a client certificate", demands="root"),
    Chain("client certificate demanded, TLS 1.2", "demands a client certificate",
          demands="root", versions=(_V12, _V12)),
    Chain("client certificate of a stranger", "does not accept our client certificate",
          client="stranger", demands="root"),
    Chain("client certificate of a stranger, TLS 1.2", "does not accept our client certificate",
          client="stranger", demands="root", versions=(_V12, _V12)),
)  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What a chain becomes: a context for the server, and the policy's fields for the client."""

    server: ssl.SSLContext
    policy: dict[str, Any]
    certificate: bytes
    """The server's certificate in DER."""


def make(chain: Chain, folder: Path) -> Material:
    """Make a chain; what the client reads is written into the folder."""
    certificate, private = leaf(chain)
    sent = [pem(authority(name)) for name in chain.sent]
    policy = {"trust_file": str(_trust(chain, certificate, folder)), **chain.policy}
    if chain.crl:
        lists = b"".join(_crl(text, certificate) for text in chain.crl)
        policy["crl_file"] = str(_written(folder / "crl.pem", lists))
    if chain.fingerprint:
        wanted = authority("root") if chain.fingerprint.endswith("!") else certificate
        policy["fingerprint"] = fingerprint(wanted, chain.fingerprint.rstrip("!"))
    if chain.client:
        given, given_key = leaf(Chain("a client", issuer=chain.client, usage=("client",)))
        policy["cert_file"] = str(_written(folder / "client.pem", pem(given)))
        policy["key_file"] = str(_written(folder / "client.key", given_key))
    server = server_context(b"".join([pem(certificate), *sent]), private, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 and 1.1, on purpose
        server.minimum_version, server.maximum_version = chain.versions
    if chain.demands:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(cadata=pem(authority(chain.demands)).decode())
    return Material(server, policy, certificate)


def leaf(chain: Chain) -> tuple[bytes, bytes]:
    """Return a server's (or client's) certificate in DER and its key in PEM."""
    kind = "ec" if chain.key == "rsa512" else chain.key
    owner = f"{kind} leaf"
    issuer = chain.issuer
    if issuer == "self":
        issuer = owner = "a server"
    private = key(kind, owner)
    subject = _name("" if chain.title == "empty subject" else chain.common_name)
    builder = _builder(subject, issuer, private.public_key(), chain.valid)
    if chain.names is not None:
        names = _alternative_names(chain.names)
        builder = builder.add_extension(names, critical=not list(subject))
    if chain.usage:
        oids = {
            "server": ExtendedKeyUsageOID.SERVER_AUTH,
            "client": ExtendedKeyUsageOID.CLIENT_AUTH,
        }
        usage = x509.ExtendedKeyUsage([oids[name] for name in chain.usage])
        builder = builder.add_extension(usage, critical=False)
    if chain.unknown_extension:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")  # for documentation (RFC 5612)
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\x05\x00"), critical=True)
    certificate, private_pem = _signed(builder, issuer), key_pem(private)
    if chain.version == 1:
        certificate = _reissued(certificate, issuer, _as_version_1)
    if chain.digest:
        certificate = _reissued(certificate, issuer, lambda parts: parts, chain.digest)
    if chain.key == "rsa512":
        certificate, private_pem = _reissued(certificate, issuer, _with_short_key), short_key()[1]
    return certificate, private_pem


def server_context(certificates: bytes, private: bytes, folder: Path) -> ssl.SSLContext:
    """Return the context of a server that would show anything to anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(
        _written(folder / "server.pem", certificates), _written(folder / "server.key", private)
    )
    return context


def fingerprint(certificate: bytes, digest: str = "sha256") -> str:
    """Return the fingerprint of a certificate as people write it."""
    return hashlib.new(digest, certificate).digest().hex(":").upper()


def _crl(text: str, certificate: bytes) -> bytes:
    issuer, has_one, revoked = text.rstrip("~").partition("!")
    until = NOW - DAY if text.endswith("~") else NOW + DAY
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(_name(issuer))
        .last_update(NOW - 2 * DAY)
        .next_update(until)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key(issuer).public_key()),
            critical=False,
        )
    )
    if has_one:
        it = x509.load_der_x509_certificate(authority(revoked) if revoked else certificate)
        entry = x509.RevokedCertificateBuilder().serial_number(it.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
    made = builder.sign(authority_key(issuer), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


# -- what the client trusts -------------------------------------------------------------------


def _trust(chain: Chain, certificate: bytes, folder: Path) -> Path:
    trusted = [certificate if name == "leaf" else authority(name) for name in chain.trusted]
    if chain.store == "file":
        return _written(folder / "trusted.pem", b"".join(pem(one) for one in trusted))
    return hash_links(folder / "trusted", trusted)


def hash_links(folder: Path, certificates: list[bytes]) -> Path:
    """Make a directory as ``openssl rehash`` does: a file and a link ``HASH.N`` for each."""
    folder.mkdir()
    for place, certificate in enumerate(certificates):
        target = _written(folder / f"authority-{place}.pem", pem(certificate))
        digits = _subject_hash(certificate)
        number = len(list(folder.glob(f"{digits}.*")))
        (folder / f"{digits}.{number}").symlink_to(target.name)
    return folder


def write_store(folder: Path, certificates: list[bytes]) -> Path:
    """Make what Debian has in /etc/ssl/certs, and return the path of the bundle in it."""
    hash_links(folder, certificates)
    text = b"".join(pem(certificate) for certificate in certificates)
    return _written(folder / "ca-certificates.crt", text)


def _subject_hash(certificate: bytes) -> str:
    """Return the name by which OpenSSL looks an issuer up (X509_NAME_hash)."""
    subject = x509.load_der_x509_certificate(certificate).subject
    # Its canonical form: every value as UTF-8 in small letters, without the outermost header.
    common_name = bytes.fromhex("0603550403")
    canonical = b"".join(
        der(0x31, der(0x30, common_name + der(0x0C, str(one.value).lower().encode())))
        for one in subject
    )
    return hashlib.sha1(canonical, usedforsecurity=False).digest()[3::-1].hex()


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# -- the server -------------------------------------------------------------------------------


class TlsServer:
    """
    A server for one connection, in a thread, on loopback; a context manager.

    It makes the handshake, sends the greeting, and reads until the client closes.

    Attributes:
        port: Where it listens on 127.0.0.1.
        received: What came as application data; complete after the context.
        failure: Why the handshake failed; empty when it did not.

    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        greeting: bytes = b"220 ready\r\n",
        talk: Callable[[socket.socket], None] | None = None,
    ) -> None:
        self.received = b""
        self.failure = ""
        self.server_name = ""
        self._context = context
        self._greeting = greeting
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), if nobody has come
        self._thread.join(10)
        self._listener.close()
        if self._thread.is_alive():
            msg = "the server did not end: does the client close its connection?"
            raise RuntimeError(msg)

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(8)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self._converse(connection)
            except OSError as error:
                self.failure = str(error)

    def _converse(self, connection: socket.socket) -> None:
        if self._context is None:
            self._speak(connection)
            return
        with self._context.wrap_socket(connection, server_side=True) as secured:
            self._speak(secured)

    def _speak(self, connection: socket.socket) -> None:
        if self._talk is not None:
            self._talk(connection)
            return
        connection.sendall(self._greeting)
        while data := connection.recv(65536):
            self.received += data
