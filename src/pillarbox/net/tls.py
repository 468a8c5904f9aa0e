"""
From a policy, what the configuration asks for, to an ``ssl.SSLContext``.

The rule: whatever makes a server trusted is decided here. Verification is on unless the policy
turns it off in so many words or a fingerprint takes its place; TLS 1.2 at least; only subject
alternative names name a server; no session, and so no identity, is carried from one connection
to the next (a context may be shared, a session never is).

Python's own default would accept a name that stands in the common name only, and certificates
that break RFC 5280; both are closed here.
"""

from __future__ import annotations

import ssl

from pillarbox.errors import CertificateError, ConfigError, MissingInputError
from pillarbox.net.names import certificate_host
from pillarbox.net.trust import load_crl, load_system_trust, load_trust_file
from pillarbox.text import Text, say
from pillarbox.value import Value

__all__ = ["TlsPolicy", "check_fingerprint", "make_context", "server_name"]

# What is offered under TLS 1.2 when tls_priorities says nothing: forward secrecy always, and no
# cipher that needs SHA-1. The same choice as Python's own, written down because a distribution
# may build Python with another. Under TLS 1.3 there is nothing to choose.
_CIPHERS = (
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:DHE+AESGCM:DHE+CHACHA20:DHE+AES"
    ":!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
)
_SECURITY_LEVEL = 2  # 112 bits: refuses RSA and DH under 2048 bits and signatures with SHA-1

_LARGEST_PEM = 1 << 20  # bytes of a key or a chain; more is something else

_DIGESTS = {32: "sha256", 20: "sha1", 16: "md5"}  # by the bytes of a fingerprint


class TlsPolicy(Value):
    """
    How a connection is secured; one field for each keyword of the configuration.

    Two connections may share a context when their policies are equal.

    Attributes:
        trust_file: ``system``, a file with certificates (PEM), a hashed directory of them, or
            empty: nobody is trusted.
        crl_file: A file with revocation lists (PEM): one for every issuer in the chain, or the
            chain is refused. Empty: revocation is not checked.
        fingerprint: SHA-256, SHA-1 or MD5 of the server's certificate, in hexadecimal pairs
            with colons or spaces or neither; takes the place of every other check. Empty: none.
        key_file: The client's private key (PEM), not encrypted. Empty: none.
        cert_file: The client's certificate (PEM). Empty: none.
        check_certificate: False turns every check of the server off.
        priorities: A GnuTLS priority string. Empty: what ``make_context`` offers by itself.
        host_override: The name to expect and to ask for, in the place of the host's.

    """

    __slots__ = (
        "cert_file",
        "check_certificate",
        "crl_file",
        "fingerprint",
        "host_override",
        "key_file",
        "priorities",
        "trust_file",
    )

    def __init__(
        self,
        *,
        trust_file: str = "system",
        crl_file: str = "",
        fingerprint: str = "",
        key_file: str = "",
        cert_file: str = "",
        check_certificate: bool = True,
        priorities: str = "",
        host_override: str = "",
    ) -> None:
        self.trust_file = trust_file
        self.crl_file = crl_file
        self.fingerprint = fingerprint
        self.key_file = key_file
        self.cert_file = cert_file
        self.check_certificate = check_certificate
        self.priorities = priorities
        self.host_override = host_override

    @property
    def verifies_chain(self) -> bool:
        """Whether issuer, name and validity of the certificate decide."""
        return self.check_certificate and not self.fingerprint


def make_context(policy: TlsPolicy) -> ssl.SSLContext:
    """
    Return the context that carries the policy out.

    Reads the files that the policy names, and connects to nothing. The fingerprint and the name
    are not in the context: ``Stream.start_tls`` needs the same policy beside it.

    Raises:
        MissingInputError: A file cannot be read, or is not what it should be.
        ConfigError: The policy contradicts itself, or asks for what cannot be done.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    _set_versions_and_ciphers(context, policy.priorities)
    if policy.verifies_chain:
        _verify(context, policy)
    else:
        if policy.check_certificate:
            _parse_fingerprint(policy.fingerprint)  # now, not after the handshake
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if policy.key_file or policy.cert_file:
        _load_client_certificate(context, policy)
    return context


def _verify(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    context.hostname_checks_common_name = False
    flags = context.verify_flags | ssl.VERIFY_X509_STRICT
    if not policy.trust_file:
        msg = say("tls_trust_file is empty: no server could be trusted")
        advice = say("set tls_trust_file system, or tls_fingerprint to the server's fingerprint")
        raise ConfigError(msg, advice=advice)
    if policy.trust_file == "system":
        load_system_trust(context)
    else:
        # The certificate of an intermediate or of the server itself can be named, as GnuTLS
        # (and so msmtp) allows: whoever names it trusts it.
        flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        load_trust_file(context, policy.trust_file)
    if policy.crl_file:
        flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        load_crl(context, policy.crl_file)
    context.verify_flags = flags


def _set_versions_and_ciphers(context: ssl.SSLContext, priorities: str) -> None:
    minimum, maximum = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED
    ciphers, level = _CIPHERS, _SECURITY_LEVEL
    if priorities:
        from pillarbox.net.priorities import parse_priorities  # rare

        wanted = parse_priorities(priorities)
        minimum = ssl.TLSVersion[wanted.minimum_version]
        maximum = ssl.TLSVersion[wanted.maximum_version]
        ciphers, level = wanted.ciphers or _CIPHERS, wanted.security_level
    # Where the administrator of the machine has set more in openssl.cnf, it stays.
    level = max(level, context.security_level)
    try:
        context.set_ciphers(f"@SECLEVEL={level}:{ciphers}")
    except ssl.SSLError as error:
        msg = say(
            "tls_priorities {priorities}: this OpenSSL has none of the ciphers that it leaves",
            priorities=priorities,
        )
        raise ConfigError(msg, advice=say("leave tls_priorities out")) from error
    context.minimum_version = max(minimum, context.minimum_version)
    if maximum is not ssl.TLSVersion.MAXIMUM_SUPPORTED:
        context.maximum_version = maximum


def _load_client_certificate(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    if not policy.key_file or not policy.cert_file:
        missing = "tls_cert_file" if policy.key_file else "tls_key_file"
        msg = say(
            "{keyword} is not set: a client certificate needs tls_key_file and tls_cert_file",
            keyword=missing,
        )
        raise ConfigError(msg, advice=say("set both, or neither"))
    _check_pem("tls_key_file", policy.key_file, b"PRIVATE KEY-----", say("key"))
    _check_pem("tls_cert_file", policy.cert_file, b"CERTIFICATE-----", say("certificate"))

    def refuse() -> str:
        # Without this OpenSSL would ask for the pass phrase on the terminal, if there is one.
        msg = say("tls_key_file: the key in {path} is encrypted", path=policy.key_file)
        advice = say("take the pass phrase off: openssl pkey -in KEY -out NEWKEY; then chmod 600")
        raise MissingInputError(msg, advice=advice)

    try:
        context.load_cert_chain(policy.cert_file, policy.key_file, password=refuse)
    except ssl.SSLError as error:
        msg = say(
            "tls_key_file {key_path}, tls_cert_file {path}: {problem}",
            key_path=policy.key_file,
            path=policy.cert_file,
            problem=_key_problem(error.reason or ""),
        )
        advice = say("check which key belongs to the certificate")
        raise MissingInputError(msg, advice=advice) from error


def _key_problem(reason: str) -> Text:
    """Say what OpenSSL has against a key and its certificate."""
    if reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
        return say("the key is not the certificate's")
    if reason == "EE_KEY_TOO_SMALL":
        return say("the key is too short to be safe")
    if reason == "CA_MD_TOO_WEAK":
        return say("the certificate is signed with a digest that is not safe any more")
    return say("they do not belong together")


def _check_pem(keyword: str, path: str, mark: bytes, what: Text) -> None:
    if path.startswith("pkcs11:"):
        msg = say(
            "{keyword} {path}: keys on a token (PKCS#11) are not supported",
            keyword=keyword,
            path=path,
        )
        raise ConfigError(msg, advice=say("name a PEM file"))
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST_PEM)
    except OSError as error:
        msg = say(
            "{keyword}: cannot read {path}: {reason}",
            keyword=keyword,
            path=path,
            reason=error.strerror,
        )
        raise MissingInputError(msg) from error
    if mark not in text:
        msg = say(
            "{keyword}: {path} holds no {what} that can be read",
            keyword=keyword,
            path=path,
            what=what,
        )
        raise MissingInputError(msg, advice=say("it must be a PEM file"))


def server_name(policy: TlsPolicy, host: str) -> bytes:
    """
    Return the name that the server is asked for and must prove, in ASCII.

    Returns:
        ``b""`` when there is none and none is needed.

    Raises:
        ConfigError: There is none, or it is none that a host can have.
        MissingExtraError: It is not ASCII and the package for that is not installed.

    """
    name = policy.host_override or host
    if name:
        return certificate_host(name)
    if policy.verifies_chain:
        msg = say("the connection has no host name that a certificate could be checked against")
        raise ConfigError(msg, advice=say("set tls_host_override to the name in the certificate"))
    return b""


def check_fingerprint(policy: TlsPolicy, certificate: bytes, peer: str) -> None:
    """
    Raise unless the policy has no fingerprint, or it is that of the certificate.

    Args:
        policy: What the configuration asks for.
        certificate: The server's certificate in DER; empty when it sent none.
        peer: The server in words, for the message.

    Raises:
        CertificateError: It is another certificate; the message has its fingerprint.

    """
    if not policy.fingerprint or not policy.check_certificate:
        return
    import hashlib  # 3 ms, and rare
    import hmac

    expected = _parse_fingerprint(policy.fingerprint)
    digest = hashlib.new(_DIGESTS[len(expected)], certificate, usedforsecurity=False).digest()
    if certificate and hmac.compare_digest(digest, expected):
        return
    actual = hashlib.sha256(certificate).digest().hex(":").upper()
    msg = say(
        "TLS certificate verification failed: the certificate of {peer} does not have the "
        "fingerprint of tls_fingerprint; its SHA-256 fingerprint is {fingerprint}",
        peer=peer,
        fingerprint=actual,
    )
    advice = say("ask the server's administrator whether the certificate was renewed, and to what")
    raise CertificateError(msg, peer=peer, advice=advice)


def _parse_fingerprint(text: str) -> bytes:
    pairs = text.replace(":", " ").strip()
    try:
        digest = bytes.fromhex(pairs)
    except ValueError:
        digest = b""
    if len(digest) not in _DIGESTS:
        msg = say(
            "tls_fingerprint {fingerprint}: not a SHA-256, SHA-1 or MD5 fingerprint",
            fingerprint=text,
        )
        advice = say("write 32, 20 or 16 hexadecimal pairs with colons between them")
        raise ConfigError(msg, advice=advice)
    return digest
