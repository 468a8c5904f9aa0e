"""Contexts: what a policy becomes, and what is refused before a connection is made."""

from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from certificates import Chain, authority, fingerprint, leaf, make, pem, short_key
from pillarbox.errors import CertificateError, ConfigError, MissingInputError
from pillarbox.net.tls import TlsPolicy, check_fingerprint, make_context, server_name


@pytest.fixture
def root(tmp_path):
    """Return the path of a trust file."""
    path = tmp_path / "root.pem"
    path.write_bytes(pem(authority("root")))
    return str(path)


@pytest.fixture
def client(tmp_path):
    """Return a client's certificate and key as policy fields."""
    return {
        name: value
        for name, value in make(Chain("x", client="root"), tmp_path).policy.items()
        if name in {"cert_file", "key_file"}
    }


def test_verifies_by_default(root):
    """What is not turned off in so many words is on."""
    context = make_context(TlsPolicy(trust_file=root))
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.security_level >= 2
    assert context.options & ssl.OP_NO_TICKET
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert all("SHA1" not in cipher["description"] for cipher in context.get_ciphers())


@pytest.mark.parametrize("policy", [
    TlsPolicy(check_certificate=False),
    TlsPolicy(fingerprint="AA:" * 31 + "AA"),
    TlsPolicy(trust_file="", fingerprint="aa " * 20),
])  # fmt: skip
def test_verifies_no_chain_where_the_policy_says_so(policy):
    """Only ``tls_certcheck off`` and a fingerprint turn the verification of the chain off."""
    context = make_context(policy)
    assert context.verify_mode == ssl.CERT_NONE
    assert not policy.verifies_chain
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_equal_policies_may_share_a_context_and_others_may_not():
    """The policy is a key: every field counts, the client certificate above all (N12)."""
    assert TlsPolicy() == TlsPolicy()
    assert len({TlsPolicy(), TlsPolicy()}) == 1
    fields = dict.fromkeys(TlsPolicy.__slots__, "x") | {"check_certificate": False}
    policies = {TlsPolicy(), *(TlsPolicy(**{name: value}) for name, value in fields.items())}
    assert len(policies) == len(fields) + 1


def test_a_trust_file_trusts_nobody_else(root):
    """The machine's own trust store is not added to the one that is named."""
    context = make_context(TlsPolicy(trust_file=root))
    assert context.cert_store_stats()["x509"] == 1


FILES = ["trust_file", "crl_file", "key_file", "cert_file"]


@pytest.mark.parametrize("keyword", FILES)
@pytest.mark.parametrize(("kind", "words"), [
    ("missing", "No such file"),
    ("garbage", "holds no"),
    ("empty", "holds no"),
    ("unreadable", "Not a directory"),
])  # fmt: skip
def test_names_keyword_and_file_that_cannot_be_used(tmp_path, root, client, keyword, kind, words):
    """A bad file is told before any connection: which keyword, which file, why."""
    path = tmp_path / "bad.pem"
    if kind == "garbage":
        path.write_bytes(b"hello\xff")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "unreadable":
        path = path.parent / "root.pem" / "below-a-file"
    policy = TlsPolicy(**{"trust_file": root, **client, keyword: str(path)})
    with pytest.raises(MissingInputError, match=words) as caught:
        make_context(policy)
    assert str(caught.value).startswith(f"tls_{keyword}: ")
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 66


def test_an_encrypted_key_is_refused_and_no_pass_phrase_is_asked_for(tmp_path, root, client):
    """OpenSSL would ask on the terminal, and a mail from cron would hang there."""
    private = serialization.load_pem_private_key(leaf(Chain("x"))[1], None)
    path = tmp_path / "encrypted.key"
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a pass phrase"),
        )
    )
    policy = TlsPolicy(trust_file=root, key_file=str(path), cert_file=client["cert_file"])
    with pytest.raises(MissingInputError, match="encrypted") as caught:
        make_context(policy)
    assert "openssl pkey" in caught.value.advice


@pytest.mark.parametrize("other", [Chain("x", key="rsa"), Chain("x", issuer="self")])
def test_a_key_of_another_certificate_is_refused(tmp_path, root, client, other):
    """Key and certificate that were mixed up are told as that."""
    path = tmp_path / "other.key"
    path.write_bytes(leaf(other)[1])
    policy = TlsPolicy(trust_file=root, key_file=str(path), cert_file=client["cert_file"])
    with pytest.raises(MissingInputError, match=r"not the certificate's|not belong together"):
        make_context(policy)


def test_a_client_key_too_short_to_be_safe_is_refused(tmp_path, root):
    """Also our own key must be one that cannot be broken."""
    chain = Chain("x", key="rsa512", usage=("client",))
    certificate, _ = leaf(chain)
    (tmp_path / "c.pem").write_bytes(pem(certificate))
    (tmp_path / "c.key").write_bytes(short_key()[1])
    policy = TlsPolicy(
        trust_file=root, cert_file=str(tmp_path / "c.pem"), key_file=str(tmp_path / "c.key")
    )
    with pytest.raises(MissingInputError, match="too short"):
        make_context(policy)


@pytest.mark.parametrize(("fields", "words"), [
    ({"trust_file": ""}, "tls_trust_file is empty"),
    ({"key_file": "k"}, "tls_cert_file is not set"),
    ({"cert_file": "c"}, "tls_key_file is not set"),
    ({"key_file": "pkcs11:token=x", "cert_file": "pkcs11:token=x"}, "PKCS#11"),
    ({"fingerprint": "AA:BB"}, "tls_fingerprint AA:BB"),
    ({"fingerprint": "ZZ:" * 31 + "ZZ"}, "tls_fingerprint"),
    ({"fingerprint": "AA:" * 32 + "AA"}, "tls_fingerprint"),
    ({"fingerprint": "é" * 64}, "tls_fingerprint"),
    ({"priorities": "NORMAL:+VERS-TLS1.0"}, "tls_priorities"),
])  # fmt: skip
def test_refuses_a_policy_that_cannot_be(root, fields, words):
    """A policy that contradicts itself is a fault of the configuration."""
    with pytest.raises(ConfigError, match=words) as caught:
        make_context(TlsPolicy(**{"trust_file": root, **fields}))
    assert caught.value.advice


# -- revocation lists -------------------------------------------------------------------------


def test_a_certificate_in_the_crl_file_is_never_trusted(tmp_path, root):
    """OpenSSL would take it for one more authority."""
    make(Chain("x", crl=("root",)), tmp_path)
    path = tmp_path / "crl.pem"
    path.write_bytes(path.read_bytes() + pem(authority("stranger")))
    with pytest.raises(MissingInputError, match="holds a certificate"):
        make_context(TlsPolicy(trust_file=root, crl_file=str(path)))


def test_a_crl_file_without_a_list_is_refused(tmp_path, root):
    """A file that checks nothing must not look as if it did."""
    path = tmp_path / "crl.pem"
    path.write_bytes(pem(authority("root")))
    with pytest.raises(MissingInputError, match="tls_crl_file"):
        make_context(TlsPolicy(trust_file=root, crl_file=str(path)))


# -- names and fingerprints -------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "host", "expected"), [
    (TlsPolicy(), "mx.example", b"mx.example"),
    (TlsPolicy(), "mx.example.", b"mx.example"),
    (TlsPolicy(), "[::1]", b"::1"),
    (TlsPolicy(host_override="other.example"), "mx.example", b"other.example"),
    (TlsPolicy(host_override="bücher.example"), "", b"xn--bcher-kva.example"),
    (TlsPolicy(check_certificate=False), "", b""),
    (TlsPolicy(fingerprint="AA"), "", b""),
])  # fmt: skip
def test_knows_the_name_to_expect(policy, host, expected):
    """The override wins; without a check no name is needed."""
    assert server_name(policy, host) == expected


def test_a_check_without_a_name_is_refused():
    """A Unix socket has no host name: the user must say what to expect there."""
    with pytest.raises(ConfigError) as caught:
        server_name(TlsPolicy(), "")
    assert "tls_host_override" in caught.value.advice


CERTIFICATE = authority("root")


@pytest.mark.parametrize(("digest", "write"), [
    ("sha256", str),
    ("sha256", str.lower),
    ("sha256", lambda text: text.replace(":", " ")),
    ("sha256", lambda text: text.replace(":", "")),
    ("sha1", str),
    ("md5", str),
])  # fmt: skip
def test_knows_a_certificate_by_its_fingerprint(digest, write):
    """SHA-256, SHA-1 and MD5 by their length, in every way that people write them."""
    text = write(fingerprint(CERTIFICATE, digest))
    check_fingerprint(TlsPolicy(fingerprint=text), CERTIFICATE, "mx")
    changed = ("0" if text[0] != "0" else "1") + text[1:]
    for policy, certificate in (
        (TlsPolicy(fingerprint=changed), CERTIFICATE),
        (TlsPolicy(fingerprint=text), authority("stranger")),
        (TlsPolicy(fingerprint=text), b""),
    ):
        with pytest.raises(CertificateError):
            check_fingerprint(policy, certificate, "mx")


def test_the_fingerprint_of_nothing_is_no_fingerprint():
    """A server without a certificate does not pass with the digest of an empty string."""
    with pytest.raises(CertificateError):
        check_fingerprint(TlsPolicy(fingerprint=fingerprint(b"")), b"", "mx")


def test_no_fingerprint_is_compared_where_none_is_asked_for():
    """Without a fingerprint the chain decides; with checks turned off nothing does."""
    check_fingerprint(TlsPolicy(), CERTIFICATE, "mx")
    check_fingerprint(TlsPolicy(check_certificate=False, fingerprint="AA"), CERTIFICATE, "mx")
