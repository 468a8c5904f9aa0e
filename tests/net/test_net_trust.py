"""
Trust stores: the directory takes the bundle's place when both are the same store, never else.

Whether a certificate is trusted is tried with a handshake; whether a bundle was parsed shows in
the count of certificates in the context, as a directory's are loaded one by one when needed.
"""

from __future__ import annotations

import os
import ssl

import pytest

from certificates import Chain, authority, hash_links, leaf, pem, server_context, write_store
from pillarbox.errors import MissingInputError
from pillarbox.net import trust
from pillarbox.net.tls import TlsPolicy, make_context

ROOTS = ["root", "stranger", "rsa root"]


@pytest.fixture
def store(tmp_path):
    """Return the path of a bundle that lies in a hashed directory with the same certificates."""
    return write_store(tmp_path / "certs", [authority(name) for name in ROOTS])


@pytest.fixture
def no_store(monkeypatch, tmp_path):
    """Take the machine's own trust store away."""
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    nothing = str(tmp_path / "no")
    monkeypatch.setattr(trust, "_default_store", lambda: (nothing, nothing))
    monkeypatch.setattr(trust, "_KNOWN_BUNDLES", ())
    return monkeypatch


def context_of(trust_file) -> ssl.SSLContext:
    """Return the client's context for a trust file."""
    return make_context(TlsPolicy(trust_file=str(trust_file)))


def is_parsed(context: ssl.SSLContext) -> bool:
    """Return whether certificates were loaded before one was needed."""
    return context.cert_store_stats()["x509"] > 0


def trusts(context: ssl.SSLContext, issuer: str, tmp_path) -> bool:
    """Return whether a server with a certificate of that issuer is trusted."""
    certificate, private = leaf(Chain("x", issuer=issuer))
    server = server_context(pem(certificate), private, tmp_path)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        context.wrap_bio(to_client, to_server, server_hostname=b"good.example"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 2:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError:
            return False
    return True


def test_a_bundle_and_its_directory_are_the_same_store(store, tmp_path):
    """As Debian has it: nothing is parsed, and the same servers are trusted."""
    context = context_of(store)
    assert not is_parsed(context)
    assert all(trusts(context, name, tmp_path) for name in ROOTS)
    assert not trusts(context, "short root", tmp_path)


def test_a_bundle_elsewhere_is_parsed(store, tmp_path):
    """Without a hashed directory beside it a bundle is what it is."""
    elsewhere = tmp_path / "elsewhere.pem"
    elsewhere.write_bytes(store.read_bytes())
    context = context_of(elsewhere)
    assert is_parsed(context)
    assert all(trusts(context, name, tmp_path) for name in ROOTS)


def test_a_link_to_the_bundle_leads_to_its_directory(store, tmp_path):
    """OpenSSL's own default file is such a link."""
    link = tmp_path / "cert.pem"
    link.symlink_to(store)
    assert not is_parsed(context_of(link))


def test_a_ca_added_to_the_bundle_only_is_trusted(store, tmp_path):
    """What the administrator added by hand counts."""
    store.write_bytes(store.read_bytes() + pem(authority("intermediate")))
    context = context_of(store)
    assert is_parsed(context)
    assert trusts(context, "intermediate", tmp_path)


def test_a_ca_in_the_directory_only_is_not_trusted(tmp_path):
    """What is not in the file that the user named is not trusted, wherever it lies."""
    store = write_store(tmp_path / "certs", [authority(name) for name in ROOTS])
    store.write_bytes(b"".join(pem(authority(name)) for name in ROOTS[:2]))
    context = context_of(store)
    assert is_parsed(context)
    assert not trusts(context, ROOTS[2], tmp_path)


def test_a_ca_exchanged_for_another_is_found_out(tmp_path):
    """Counts and sizes may agree; only the certificates themselves prove anything."""
    store = write_store(tmp_path / "certs", [authority("root"), authority("stranger")])
    store.write_bytes(pem(authority("root")) + pem(authority("a server")))
    context = context_of(store)
    assert not trusts(context, "stranger", tmp_path)
    assert trusts(context, "root", tmp_path)


def _commented_out(text: bytes) -> bytes:
    head, begin, rest = text.partition(b"-----BEGIN")
    return head + b"#" + begin + rest


def _as_trusted_certificate(text: bytes) -> bytes:
    return text + pem(authority("stranger"), "X509 CERTIFICATE")


def _twice(text: bytes) -> bytes:
    return text * 2


def _with_comments(text: bytes) -> bytes:
    return text.replace(b"-----BEGIN", b"# an authority\n-----BEGIN")


def _without_last_newline(text: bytes) -> bytes:
    return text.rstrip(b"\n")


def _very_large(text: bytes) -> bytes:
    return text + b"#" * (1 << 20) + b"\n"


@pytest.mark.parametrize(("change", "same_store"), [
    (_very_large, False),
    (_commented_out, False),
    (_as_trusted_certificate, False),
    (_twice, True),
    (_with_comments, True),
    (_without_last_newline, True),
])  # fmt: skip
def test_what_openssl_reads_in_the_bundle_decides(store, change, same_store):
    """What it skips does not count, what it also reads does; the rest makes no difference."""
    store.write_bytes(change(store.read_bytes()))
    assert is_parsed(context_of(store)) != same_store


def test_a_commented_out_ca_is_not_trusted(store, tmp_path):
    """Its directory still has it, so only parsing the bundle does what the user wrote."""
    store.write_bytes(_commented_out(store.read_bytes()))
    assert not trusts(context_of(store), ROOTS[0], tmp_path)


@pytest.mark.parametrize("which", ["directory", "bundle"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_a_place_where_others_can_write_proves_nothing(store, which, mode):
    """Who can change the directory later must not gain what the bundle did not give him."""
    path = store.parent if which == "directory" else store
    path.chmod(path.stat().st_mode | mode)
    assert is_parsed(context_of(store))


def test_a_linked_file_with_two_certificates_proves_nothing(store):
    """OpenSSL would trust both of them, and finds only one by its hash."""
    target = store.parent / "authority-0.pem"
    target.write_bytes(target.read_bytes() + pem(authority("intermediate")))
    assert is_parsed(context_of(store))


def test_a_link_that_leads_nowhere_proves_nothing(store):
    """A broken directory is no reason to fail where the bundle is there."""
    (store.parent / "authority-0.pem").unlink()
    assert is_parsed(context_of(store))


def test_a_named_pipe_in_the_directory_does_not_hold_us(store):
    """Opening a pipe without a writer would wait for ever."""
    os.mkfifo(store.parent / "00000000.0")
    assert is_parsed(context_of(store))


def test_a_directory_can_be_named(store, tmp_path):
    """A hashed directory is a trust file, too."""
    context = context_of(store.parent)
    assert not is_parsed(context)
    assert trusts(context, "root", tmp_path)
    assert not trusts(context, "short root", tmp_path)


def test_a_directory_without_links_is_refused(tmp_path):
    """OpenSSL would silently trust nobody; the user reads how to make the links."""
    with pytest.raises(MissingInputError, match="no links to certificates") as caught:
        context_of(tmp_path)
    assert "openssl rehash" in caught.value.advice


# -- the machine's own ------------------------------------------------------------------------


def test_system_trusts_the_authorities_of_this_machine():
    """Whatever this machine has, it can be loaded."""
    if not any(os.path.exists(path) for path in (*trust._default_store(), *trust._KNOWN_BUNDLES)):
        pytest.skip("this machine has no trust store")
    assert context_of("system").verify_mode == ssl.CERT_REQUIRED


def test_system_uses_the_directory_when_it_has_all(no_store, store, tmp_path):
    """The tutorial's case, and every plain Debian: nothing is parsed."""
    no_store.setenv("SSL_CERT_FILE", str(store))
    no_store.setenv("SSL_CERT_DIR", str(store.parent))
    context = context_of("system")
    assert not is_parsed(context)
    assert all(trusts(context, name, tmp_path) for name in ROOTS)


def test_system_uses_a_directory_that_has_more(no_store, store, tmp_path):
    """OpenSSL trusts file and directory together, so one more in the directory is as it was."""
    store.write_bytes(pem(authority("root")))
    no_store.setenv("SSL_CERT_FILE", str(store))
    no_store.setenv("SSL_CERT_DIR", str(store.parent))
    context = context_of("system")
    assert not is_parsed(context)
    assert trusts(context, "stranger", tmp_path)


def test_system_parses_a_bundle_that_has_more(no_store, store, tmp_path):
    """One more in the bundle is trusted by OpenSSL, and so by us; the directory's stay."""
    store.write_bytes(pem(authority("intermediate")))
    no_store.setenv("SSL_CERT_FILE", str(store))
    no_store.setenv("SSL_CERT_DIR", str(store.parent))
    context = context_of("system")
    assert trusts(context, "root", tmp_path)
    assert context.cert_store_stats()["x509"] == 2


@pytest.mark.parametrize("with_links", [True, False])
def test_system_finds_the_distributions_bundle(no_store, store, tmp_path, with_links):
    """A Python whose OpenSSL looks elsewhere still finds what the distribution has."""
    bundle = store
    if not with_links:
        bundle = tmp_path / "ca-bundle.crt"
        bundle.write_bytes(store.read_bytes())
    no_store.setattr(trust, "_KNOWN_BUNDLES", (str(tmp_path / "missing"), str(bundle)))
    context = context_of("system")
    assert is_parsed(context) != with_links
    assert trusts(context, "root", tmp_path)


def test_system_manages_with_a_directory_alone(no_store, tmp_path):
    """There need not be a bundle."""
    no_store.setenv("SSL_CERT_DIR", str(hash_links(tmp_path / "certs", [authority("root")])))
    assert trusts(context_of("system"), "root", tmp_path)


def test_system_looks_into_every_directory(no_store, tmp_path):
    """``SSL_CERT_DIR`` may name several, as it may for OpenSSL."""
    folders = [hash_links(tmp_path / name, [authority(name)]) for name in ("root", "stranger")]
    no_store.setenv("SSL_CERT_DIR", os.pathsep.join(str(folder) for folder in folders))
    context = context_of("system")
    assert trusts(context, "root", tmp_path)
    assert trusts(context, "stranger", tmp_path)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_variable_that_names_nothing_is_told(no_store, tmp_path, variable):
    """OpenSSL ignores it in silence, and every server is a stranger then."""
    no_store.setenv(variable, str(tmp_path / "missing"))
    with pytest.raises(MissingInputError, match=variable):
        context_of("system")


def test_a_machine_without_a_trust_store_is_told(no_store):
    """The user reads which package is missing."""
    del no_store
    with pytest.raises(MissingInputError, match="no trust store") as caught:
        context_of("system")
    assert "ca-certificates" in caught.value.advice
