"""Signed and encrypted mails, made on the spot with a key of their own."""

import base64
from datetime import timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from corpus.shape import DATE, NOW, SENDER, Shape

__all__ = ["SEALED"]

_HEAD = f"From: {SENDER}\nTo: me@test.com\nSubject: 合同\nDate: {DATE}\nMIME-Version: 1.0\n"
_TEXT = "The contract is signed.\n"
_PART = f"Content-Type: text/plain\r\n\r\n{_TEXT}".encode()
# An armoured block's data; what they are is nothing to a sender.
_ARMOURED = base64.encodebytes(bytes(range(256))).decode()


@cache
def _identity():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, SENDER)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _smime_signed():
    key, certificate = _identity()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(
        f"Content-Type: text/plain\r\n\r\n{_TEXT}".encode()
    )
    builder = builder.add_signer(certificate, key, hashes.SHA256())
    signed = builder.sign(serialization.Encoding.SMIME, [pkcs7.PKCS7Options.DetachedSignature])
    head = _HEAD.replace("MIME-Version: 1.0\n", "")
    return head.encode() + signed


def _smime_encrypted():
    _, certificate = _identity()
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(_PART)
    sealed = builder.add_recipient(certificate).encrypt(serialization.Encoding.DER, [])
    return (
        f"{_HEAD}Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n"
        "Content-Transfer-Encoding: base64\n"
        "Content-Disposition: attachment; filename=smime.p7m\n\n"
        f"{base64.encodebytes(sealed).decode()}"
    )


def _dkim_signed():
    """Return a mail whose DKIM signature covers a Subject in raw UTF-8 (RFC 6376)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    headers = f"from:{SENDER}\r\nsubject:测试\r\n".encode()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_TEXT.replace("\n", "\r\n").encode())
    body_hash = base64.b64encode(digest.finalize()).decode()
    field = (
        "v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=x; h=from:subject; "
        f"bh={body_hash}; b="
    )
    signature = key.sign(
        headers + f"dkim-signature:{field}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    return (
        f"DKIM-Signature: {field}{base64.b64encode(signature).decode()}\n"
        f"From: {SENDER}\nSubject: 测试\n\n{_TEXT}"
    )


def _pgp_signature():
    """Return a detached signature in the armour of OpenPGP, by an elliptic curve."""
    signature = ec.generate_private_key(ec.SECP256R1()).sign(
        _TEXT.encode(), ec.ECDSA(hashes.SHA256())
    )
    return (
        "-----BEGIN PGP SIGNATURE-----\n\n"
        f"{base64.encodebytes(signature).decode()}-----END PGP SIGNATURE-----\n"
    )


SEALED = (
    Shape("S/MIME signed", _smime_signed(), "The contract is signed.", is_sealed=True),
    Shape("S/MIME encrypted", _smime_encrypted(), "合同", is_sealed=True),
    Shape(
        "PGP/MIME signed",
        f"{_HEAD}Content-Transfer-Encoding: 8bit\n"
        "Content-Type: multipart/signed; micalg=pgp-sha256;\n"
        ' protocol="application/pgp-signature"; boundary="s1"\n\n--s1\n'
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n合同已签。\n"
        "--s1\nContent-Type: application/pgp-signature; name=signature.asc\n\n"
        f"{_pgp_signature()}\n--s1--\n",
        "合同已签",
        is_sealed=True,
    ),
    Shape(
        "PGP/MIME encrypted",
        f"{_HEAD}Content-Type: multipart/encrypted;\n"
        ' protocol="application/pgp-encrypted"; boundary="s2"\n\n--s2\n'
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n--s2\n"
        "Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\n"
        f"{_ARMOURED}-----END PGP MESSAGE-----\n\n--s2--\n",
        "BEGIN PGP MESSAGE",
        is_sealed=True,
    ),
    Shape(
        "PGP clear-signed text",
        "Subject: signed\nTo: me@test.com\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"{_TEXT}{_pgp_signature()}",
        "The contract is signed.",
    ),
    Shape("DKIM-signed with a raw Subject", _dkim_signed(), "测试", is_sealed=True),
)
