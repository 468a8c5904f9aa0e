"""Domains as tables: who answers questions to the DNS, and patients whose sender lives there."""

from base64 import b64encode

from pillarbox.config.load import Wishes
from pillarbox.config.parse import parse
from pillarbox.config.providers import provider_of_host
from pillarbox.dns.answers import LookupFailedError
from pillarbox.doctor.patient import Patient
from pillarbox.mail.address import parse_mailbox


class Table:
    """
    An ``Ask`` that knows a table, follows aliases, and remembers what it was asked.

    A row is (name, type) -> values; a text is a TXT record. None in the place of the values: the
    nameserver fails.
    """

    def __init__(self, rows):
        self.rows = rows
        self.asked = []

    def __call__(self, name, kind):
        """Return what the table has for a name and a type."""
        name = name.lower().rstrip(".")
        self.asked.append((name, kind))
        for _ in range(8):
            alias = self.rows.get((name, "CNAME"))
            if kind == "CNAME" or not alias:
                break
            (name,) = alias
        values = self.rows.get((name, kind), ())
        if values is None:
            raise LookupFailedError(name, kind, "every nameserver failed")
        return tuple(
            value.encode("latin-1") if kind == "TXT" and isinstance(value, str) else value
            for value in values
        )


def rsa_record(bits=2048, tags="v=DKIM1; k=rsa; "):
    """Return a key record with a modulus of a length; nobody can sign with it."""
    number = (1 << (bits - 1)) | 1
    modulus = _element(2, number.to_bytes(bits // 8 + 1, "big"))
    key = _element(0x30, modulus + _element(2, b"\x01\x00\x01"))
    algorithm = _element(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    octets = _element(0x30, algorithm + _element(3, b"\0" + key))
    return f"{tags}p={b64encode(octets).decode()}"


def _element(kind, content):
    size = len(content)
    if size < 128:
        return bytes([kind, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([kind, 128 | len(length)]) + length + content


# The provider's own zones, as far as a sender's domain leads to them.
ALIYUN = {
    ("spf.qiye.aliyun.com", "TXT"): ("v=spf1 ip4:115.124.30.0/24 ip4:47.90.199.0/24 -all",),
    ("mx1.qiye.aliyun.com", "A"): ("115.124.30.1",),
    ("mx2.qiye.aliyun.com", "A"): ("115.124.30.2",),
}
MICROSOFT = {
    ("spf.protection.outlook.com", "TXT"): (
        "v=spf1 ip4:40.92.0.0/15 ip6:2a01:111:f400::/48 include:spfd.protection.outlook.com -all",
    ),
    ("spfd.protection.outlook.com", "TXT"): ("v=spf1 ip4:51.4.72.0/24 -all",),
    ("example-com.mail.protection.outlook.com", "A"): ("52.101.8.32",),
    ("selector1-example-com._domainkey.example.onmicrosoft.com", "TXT"): (rsa_record(),),
}

_COMMON = {
    ("_dmarc.example.com", "TXT"): ("v=DMARC1; p=none; rua=mailto:postmaster@example.com",),
    ("example.com", "NS"): ("ns1.example.com",),
    ("_mta-sts.example.com", "TXT"): ("v=STSv1; id=20261101",),
    ("_smtp._tls.example.com", "TXT"): ("v=TLSRPTv1; rua=mailto:postmaster@example.com",),
}

# Whole and healthy: a domain at Aliyun's mail, at Microsoft's, and behind a relay of its own.
AT_ALIYUN = {
    **ALIYUN,
    **_COMMON,
    ("example.com", "MX"): ((5, "mx1.qiye.aliyun.com"), (10, "mx2.qiye.aliyun.com")),
    ("example.com", "TXT"): ("v=spf1 include:spf.qiye.aliyun.com -all", "other=1"),
    ("default._domainkey.example.com", "TXT"): (rsa_record(),),
}
AT_MICROSOFT = {
    **MICROSOFT,
    **_COMMON,
    ("example.com", "MX"): ((0, "example-com.mail.protection.outlook.com"),),
    ("example.com", "TXT"): ("v=spf1 include:spf.protection.outlook.com ~all",),
    ("selector1._domainkey.example.com", "CNAME"): (
        "selector1-example-com._domainkey.example.onmicrosoft.com",
    ),
    ("selector2._domainkey.example.com", "CNAME"): (
        "selector2-example-com._domainkey.example.onmicrosoft.com",
    ),
    ("_dmarc.example.com", "TXT"): ("v=DMARC1; p=reject; rua=mailto:dmarc@example.com",),
}
BEHIND_A_RELAY = {
    **_COMMON,
    ("example.com", "MX"): ((10, "relay.example.com"),),
    ("example.com", "TXT"): ("v=spf1 mx -all",),
    ("relay.example.com", "A"): ("198.51.100.25",),
    ("_dmarc.example.com", "TXT"): ("v=DMARC1; p=quarantine; rua=mailto:postmaster@example.com",),
}


def patient_of(
    rows,
    *,
    host="smtp.qiye.aliyun.com",
    port=465,
    sender="no-reply@example.com",
    addresses=(),
    env=None,
):
    """Return a patient whose configuration was found sound."""
    patient = Patient(
        Wishes({}, env=env or {}, uid=0, euid=0), make_ask=lambda: Table(rows), root="/nonexistent"
    )
    lines = f"account x\nhost {host}\nport {port}\n" if host else "account x\nsocket /run/x\n"
    (patient.account,) = parse(lines.encode(), "made", run_eval=None).accounts
    patient.sender = parse_mailbox(sender)
    patient.provider = provider_of_host(host)
    patient.addresses = tuple(addresses)
    return patient


def at_microsoft(rows, **more):
    """Return a patient who sends through Microsoft 365."""
    return patient_of(rows, host="smtp.office365.com", port=587, **more)


def behind_a_relay(rows, **more):
    """Return a patient who sends through a relay of the domain's own."""
    settings = {"host": "relay.example.com", "port": 587, "addresses": ("198.51.100.25",)}
    return patient_of(rows, **{**settings, **more})


def changed(rows, **changes):
    """
    Return a table in which some rows are others.

    Args:
        rows: The table.
        changes: ``MX=``, ``TXT=``, ``DMARC=`` ... of example.com; None removes the row.

    """
    names = {
        "DMARC": ("_dmarc.example.com", "TXT"),
        "DKIM": ("default._domainkey.example.com", "TXT"),
    }
    made = dict(rows)
    for name, values in changes.items():
        key = names.get(name, ("example.com", name))
        if values is None:
            made.pop(key, None)
        else:
            made[key] = values
    return made


def codes_of(check, patient):
    """Return the codes of what a check finds, each with its severity."""
    return [(finding.code, finding.severity) for finding in check(patient)]
