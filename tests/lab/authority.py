"""Certificates of the laboratory: one authority that its machines trust, and what it signed."""

import datetime as dt
import hashlib
import ssl

import trustme

__all__ = ["KINDS", "Authority"]

_DAY = dt.timedelta(days=1)

# How a certificate can be wrong: who signs it, its names (None: the right ones), and from which
# day to which it is valid, counted from today.
KINDS = {
    "good": ("ours", None, -2, 300),
    "expired": ("ours", None, -400, -10),
    "future": ("ours", None, 20, 400),
    "expiring": ("ours", None, -80, 4),
    "provider": ("ours", ("*.qiye.aliyun.com", "smtp.mxhichina.com"), -2, 300),
    "wrong-name": ("ours", ("mail.elsewhere.example",), -2, 300),
    "captive": ("theirs", ("login.hotel.example",), -2, 300),
    "stranger": ("theirs", None, -2, 300),
}


class Authority:
    """
    An authority and the certificates, each made when it is first wanted.

    Attributes:
        pem: The authority's own certificate, which ``ca-certificates.crt`` holds.

    """

    def __init__(self, directory, names):
        self._directory = directory
        self._names = tuple(names)
        self._signers = {
            "ours": trustme.CA(organization_name="The Lab's Authority"),
            "theirs": trustme.CA(organization_name="Middlebox of the Hotel"),
        }
        self.pem = self._signers["ours"].cert_pem.bytes()
        self._made = {}

    def path(self, kind="good"):
        """Return the file with key and chain of a kind."""
        if kind not in self._made:
            signer, names, first, last = KINDS[kind]
            today = dt.datetime.now(dt.UTC)
            leaf = self._signers[signer].issue_cert(
                *(names or self._names),
                not_before=today + first * _DAY,
                not_after=today + last * _DAY,
            )
            path = self._directory / f"{kind}.pem"
            leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
            path.chmod(0o644)
            self._made[kind] = path
        return self._made[kind]

    def fingerprint(self, kind="good"):
        """Return the SHA-256 of a certificate, as msmtprc has it."""
        pem = self.path(kind).read_text()
        begin = pem.index("-----BEGIN CERTIFICATE")
        der = ssl.PEM_cert_to_DER_cert(pem[begin : pem.index("-----END CERTIFICATE", begin) + 25])
        return ":".join(f"{octet:02X}" for octet in hashlib.sha256(der).digest())

    def context(self, kind="good"):
        """Return a server's TLS context with a certificate of a kind."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(kind))
        return context
