"""Certificates made on the spot: an authority, what it vouches for, and what it does not."""

import datetime as dt
import hashlib
import ssl

import trustme

__all__ = ["NAME", "Certificates"]

NAME = "mail.example.test"
_DAY = dt.timedelta(days=1)


class Certificates:
    """
    PEM files in one directory.

    Attributes:
        authority: The certificate that everything good is signed by.
        server: Key and chain for ``NAME``, ``localhost``, 127.0.0.1 and ::1.
        wrong_name: The same for another name.
        expired: The same, valid until yesterday.
        stranger: The right name, signed by nobody we know.
        client: Key and certificate of a client.
        fingerprint: SHA-256 of ``server``'s certificate, as msmtprc has it.

    """

    def __init__(self, directory):
        ours = trustme.CA()
        self.authority = directory / "authority.pem"
        ours.cert_pem.write_to_path(str(self.authority))
        names = (NAME, "localhost", "127.0.0.1", "::1")
        server = ours.issue_cert(*names)
        self.server = _write(directory / "server.pem", server)
        self.wrong_name = _write(directory / "wrong.pem", ours.issue_cert("other.example.test"))
        yesterday = dt.datetime.now(dt.UTC) - _DAY
        old = ours.issue_cert(*names, not_before=yesterday - _DAY, not_after=yesterday)
        self.expired = _write(directory / "expired.pem", old)
        self.stranger = _write(directory / "stranger.pem", trustme.CA().issue_cert(*names))
        self.client = _write(directory / "client.pem", ours.issue_cert("client@example.test"))
        der = ssl.PEM_cert_to_DER_cert(server.cert_chain_pems[0].bytes().decode())
        self.fingerprint = hashlib.sha256(der).hexdigest().upper()
        self.fingerprint = ":".join(
            self.fingerprint[at : at + 2] for at in range(0, len(self.fingerprint), 2)
        )


def _write(path, certificate):
    """Write key and chain into one file that servers with dropped rights can read, too."""
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
    path.chmod(0o644)
    return path
