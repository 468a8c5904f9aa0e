"""
An authority and a server's certificate for ``localhost``, made on the spot, and trust stores.

Made by the program ``openssl`` where there is one, else by the package ``trustme``.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["make_certificates", "make_store"]

_AUTHORITY = "/CN=pillarbox bench authority"
_SYSTEM_STORE = Path("/etc/ssl/certs")  # Debian's, and of what descends from it
_BUNDLE = "ca-certificates.crt"

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

_SERVER_EXTENSIONS = """\
subjectAltName=DNS:localhost
basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""


def make_certificates(folder):
    """Write ``ca.pem``, and ``server.pem`` with its key, into the folder."""
    if shutil.which("openssl"):
        _by_openssl(folder)
    else:
        _by_trustme(folder)


def _by_openssl(folder):
    (folder / "extensions").write_text(_SERVER_EXTENSIONS)
    _openssl(
        folder, "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
        "-subj", _AUTHORITY, "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    _openssl(
        folder, "req", *_NEW_KEY, "-keyout", "server.key", "-out", "server.csr",
        "-subj", "/CN=localhost",
    )  # fmt: skip
    _openssl(
        folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "30", "-extfile", "extensions", "-out", "server.crt",
    )  # fmt: skip
    pair = (folder / "server.crt").read_bytes() + (folder / "server.key").read_bytes()
    (folder / "server.pem").write_bytes(pair)


def _by_trustme(folder):
    try:
        import trustme
    except ImportError:
        msg = "a certificate is needed: install the program openssl or the package trustme"
        raise SystemExit(msg) from None
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )


def make_store(folder):
    """
    Copy the system's trust store and put our authority into it, as an administrator would.

    Returns:
        The path of the bundle, in a directory with a hash link for each certificate; None where
        the system has no such store, or no ``openssl`` to hash with.

    """
    bundle = _SYSTEM_STORE / _BUNDLE
    if not bundle.is_file() or not shutil.which("openssl"):
        return None
    authority = (folder / "ca.pem").read_bytes()
    store = folder / "store"
    store.mkdir()
    for link in _SYSTEM_STORE.iterdir():
        if link.suffix[1:].isdigit() and link.is_file():
            (store / link.name).write_bytes(link.read_bytes())
    digits = _openssl(folder, "x509", "-in", "ca.pem", "-noout", "-subject_hash").strip()
    (store / f"{digits}.0").write_bytes(authority)
    (store / _BUNDLE).write_bytes(bundle.read_bytes() + authority)
    return store / _BUNDLE


def _openssl(folder, *arguments):
    command = ["openssl", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
