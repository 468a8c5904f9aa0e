"""
Whom we trust: from the name of a trust store to what OpenSSL verifies against.

The rule: loading is fast only where it provably changes nothing. Parsing a bundle of 144 roots
costs 26 ms, a directory with a link ``HASH.N`` for each certificate next to nothing, because
OpenSSL opens the one that it needs. Debian keeps both, made from the same files; so a bundle is
replaced by the directory beside it when every certificate has been found, byte for byte, in
both (under 2 ms), and only then.
"""

from __future__ import annotations

import os
import ssl
import stat

from pillarbox.errors import MissingInputError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["load_crl", "load_system_trust", "load_trust_file"]

# Where distributions keep the bundle, for a Python whose OpenSSL was built with other paths.
_KNOWN_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL since 10
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, OpenBSD, macOS
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)

_BEGIN = b"\n-----BEGIN CERTIFICATE-----"
_END = b"\n-----END CERTIFICATE-----"
_ANY_BEGIN = b"-----BEGIN "
_LARGEST_BUNDLE = 1 << 20  # bytes; Debian's has 220 KB
_LARGEST_FILE = 1 << 14  # bytes; one root with the comment that some put before it
_OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH


def load_system_trust(context: SSLContext) -> None:
    """
    Trust whom the machine trusts, as OpenSSL would: the default file and directory together.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` take their places where they are set.

    Raises:
        MissingInputError: The machine has no trust store, or a variable names a missing one.

    """
    default_bundle, default_directory = _default_store()
    bundles = _named("SSL_CERT_FILE", "\0") or [default_bundle, *_KNOWN_BUNDLES]
    bundle = next((path for path in bundles if os.path.isfile(path)), "")
    directories = _named("SSL_CERT_DIR", os.pathsep) or [default_directory]
    hashed = {path: links for path in directories if (links := _hash_links(path))}
    if not bundle and not hashed:
        msg = say("tls_trust_file system: this machine has no trust store")
        advice = say("install the package ca-certificates, or set tls_trust_file to a file")
        raise MissingInputError(msg, advice=advice)
    if not hashed:
        load_trust_file(context, bundle)
        return
    for directory in hashed:
        context.load_verify_locations(capath=directory)
    if bundle and not any(_holds_all(path, links, bundle) for path, links in hashed.items()):
        _load_file(context, bundle)


def _default_store() -> tuple[str, str]:
    """Return the file and the directory that this OpenSSL was built with."""
    paths = ssl.get_default_verify_paths()
    return paths.openssl_cafile, paths.openssl_capath


def _named(variable: str, separator: str) -> list[str]:
    """Return the paths in an environment variable; none when it is unset or empty."""
    paths = [path for path in os.environ.get(variable, "").split(separator) if path]
    if paths and not any(os.path.exists(path) for path in paths):
        msg = say(
            "the environment variable {variable} names {path}, which does not exist",
            variable=variable,
            path=paths[0],
        )
        raise MissingInputError(
            msg, advice=say("correct {variable}, or unset it", variable=variable)
        )
    return paths


def load_trust_file(context: SSLContext, path: str) -> None:
    """
    Trust the certificates in a file, or in a directory with hash links, and no others.

    Raises:
        MissingInputError: It cannot be read, or holds no certificate.

    """
    if os.path.isdir(path):
        if not _hash_links(path):
            msg = say(
                "tls_trust_file: the directory {path} has no links to certificates (HASH.0)",
                path=path,
            )
            raise MissingInputError(msg, advice=say("make them: openssl rehash {path}", path=path))
        context.load_verify_locations(capath=path)
        return
    directory = os.path.dirname(os.path.realpath(path))
    links = _hash_links(directory)
    if links and _holds_all(directory, links, path, nothing_else=True):
        context.load_verify_locations(capath=directory)
        return
    _load_file(context, path)


def load_crl(context: SSLContext, path: str) -> None:
    """
    Load the revocation lists in a file.

    Raises:
        MissingInputError: It cannot be read, holds no list, or holds a certificate: OpenSSL
            would trust that one.

    """
    before = context.cert_store_stats()
    _load_file(context, path, "tls_crl_file")
    after = context.cert_store_stats()
    if after["x509"] != before["x509"]:
        msg = say(
            "tls_crl_file: {path} holds a certificate; only revocation lists belong there",
            path=path,
        )
        raise MissingInputError(msg, advice=say("move the certificate to tls_trust_file"))
    if after["crl"] == before["crl"]:
        msg = say("tls_crl_file: {path} holds no revocation list", path=path)
        raise MissingInputError(msg, advice=say("it must be a PEM file: BEGIN X509 CRL"))


def _load_file(context: SSLContext, path: str, keyword: str = "tls_trust_file") -> None:
    is_trust = keyword == "tls_trust_file"
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        msg = say(
            "{keyword}: {path} holds no {what} that can be read",
            keyword=keyword,
            path=path,
            what=say("certificate") if is_trust else say("revocation list"),
        )
        raise MissingInputError(msg, advice=say("it must be a PEM file")) from error
    except OSError as error:
        msg = say(
            "{keyword}: cannot read {path}: {reason}",
            keyword=keyword,
            path=path,
            reason=error.strerror,
        )
        advice = say("set tls_trust_file system, or correct the path") if is_trust else ""
        raise MissingInputError(msg, advice=advice) from error


# -- is the directory the same store? -------------------------------------------------------


def _hash_links(directory: str) -> list[str]:
    """Return the names by which OpenSSL looks certificates up: eight digits, a dot, a number."""
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return []
    return [name for name in names if name[8:9] == "." and name[9:].isdigit()]


def _holds_all(
    directory: str, links: list[str], bundle: str, *, nothing_else: bool = False
) -> bool:
    """
    Return whether a hashed directory has every certificate of a bundle.

    False when in doubt: a file of an unusual form, an unreadable one, or a place where somebody
    other than its owner can write.

    Args:
        directory: A directory with hash links.
        links: Their names.
        bundle: A file with certificates.
        nothing_else: Return False as well when the directory has a certificate more.

    """
    try:
        if any(os.stat(path).st_mode & _OTHERS_CAN_WRITE for path in (directory, bundle)):
            return False
        wanted = _certificates(_read(bundle, _LARGEST_BUNDLE))
        linked = _linked_certificates(directory, links)
    except (OSError, _NotPlainError):
        return False
    return wanted == linked if nothing_else else wanted <= linked


def _certificates(bundle: bytes) -> set[bytes]:
    """Return the certificates of a bundle, each as it is written there."""
    blocks = (b"\n" + bundle).split(_BEGIN)[1:]
    if bundle.count(_ANY_BEGIN) != len(blocks):
        # A kind that OpenSSL reads as well (TRUSTED, X509, a CRL), or one that it does not see
        # because its first line was commented out.
        raise _NotPlainError
    return {block.partition(_END)[0] for block in blocks}


def _linked_certificates(directory: str, links: list[str]) -> set[bytes]:
    """Return the certificates that the hash links of a directory lead to."""
    found = set()
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in links:
            text = b"\n" + _read(name, _LARGEST_FILE, descriptor)
            start = text.find(_BEGIN)
            if start < 0 or text.count(_ANY_BEGIN) != 1:
                raise _NotPlainError  # of several only the first would have its hash as a name
            found.add(text[start + len(_BEGIN) : text.find(_END)])
    finally:
        os.close(descriptor)
    return found


def _read(path: str, limit: int, directory: int | None = None) -> bytes:
    # O_NONBLOCK: a named pipe must not hold us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK, dir_fd=directory)
    try:
        data = os.read(descriptor, limit)
    finally:
        os.close(descriptor)
    if len(data) == limit:
        raise _NotPlainError
    return data


class _NotPlainError(Exception):
    """What was read has not the form in which the comparison would prove anything."""
