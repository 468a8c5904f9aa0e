"""
The laboratory's DNS as tables: the providers, the healthy domains, and those that are broken.

``DOMAINS`` has a row for each sender's domain; what a row leaves out is as an Aliyun customer who
has done everything right has it. To add a broken one is to add a row.
"""

from lab.keys import RSA_512, RSA_1024, RSA_2048

__all__ = ["ADDRESSES", "CAPTIVE_DNS", "DNS", "DOMAINS", "VIEWS", "View", "format_zone"]

# Not 127.0.0.1, which a machine without /etc/resolv.conf would ask.
DNS, CAPTIVE_DNS = "127.0.0.10", "127.0.0.54"
_CAPTIVE_PORTAL = "127.0.0.9"

# Where each host that takes mail is.
ADDRESSES = {
    "smtp.qiye.aliyun.com": "127.0.0.2",
    "smtp.mxhichina.com": "127.0.0.2",
    "mx1.qiye.aliyun.com": "127.0.0.3",
    "mx2.qiye.aliyun.com": "127.0.0.3",
    "mx3.qiye.aliyun.com": "127.0.0.3",
    "smtp.exmail.qq.com": "127.0.0.11",
    "mxbiz1.qq.com": "127.0.0.12",
    "smtp.qq.com": "127.0.0.13",
    "smtp.163.com": "127.0.0.14",
    "smtp.gmail.com": "127.0.0.15",
    "smtp.office365.com": "127.0.0.16",
    "relay.example.net": "127.0.0.20",
    "submit.example.net": "127.0.0.21",
    "mail.example.test": "127.0.0.22",
    "mail.example.com": "127.0.0.80",
    "mx.elsewhere.example": "127.0.0.90",
}

_ALIYUN_MX = (
    "5 mx1.qiye.aliyun.com.",
    "10 mx2.qiye.aliyun.com.",
    "15 mx3.qiye.aliyun.com.",
)
_ALIYUN_SPF = "v=spf1 include:spf.qiye.aliyun.com -all"
_DMARC = "v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"
_EXMAIL_MX = ("5 mxbiz1.qq.com.", "10 mxbiz2.qq.com.")


def _key(octets, tags="v=DKIM1; k=rsa"):
    return f"{tags}; p={octets}"


# Senders' domains. mx: the records. spf: TXT at the domain, one text or more. dkim: the TXT at
# default._domainkey; a text that ends in a dot is a CNAME. dmarc: TXT at _dmarc. None: none.
DOMAINS = {
    # Healthy ones.
    "example.com": {},
    "soft.example": {"spf": "v=spf1 include:spf.qiye.aliyun.com ~all"},
    "exmail.example": {
        "mx": _EXMAIL_MX,
        "spf": "v=spf1 include:spf.mail.qq.com ~all",
        "dkim": None,
    },
    "office.example": {
        "mx": ("0 office-example.mail.protection.outlook.com.",),
        "spf": "v=spf1 include:spf.protection.outlook.com -all",
        "dkim": None,
    },
    "example.net": {
        "mx": ("10 relay.example.net.",),
        "spf": "v=spf1 a:relay.example.net a:submit.example.net ip6:::1 -all",
    },
    # MX.
    "no-mx.example": {"mx": ()},
    "null-mx.example": {"mx": ("0 .",)},
    "mx-elsewhere.example": {"mx": ("10 mx.elsewhere.example.",)},
    "mx-mixed.example": {"mx": ("5 mx1.qiye.aliyun.com.", "5 mx.elsewhere.example.")},
    "mx-cname.example": {"mx": ("5 mail.mx-cname.example.",)},
    "mx-gone.example": {"mx": ("5 mx1.qiye.aliyum.com.",)},
    # SPF.
    "no-spf.example": {"spf": None},
    "two-spf.example": {"spf": (_ALIYUN_SPF, "v=spf1 a:mail.two-spf.example -all")},
    "misspelt-spf.example": {"spf": "v=spf1 inlcude:spf.qiye.aliyun.com -all"},
    "without-provider.example": {"spf": "v=spf1 a mx -all"},
    "plus-all.example": {"spf": "v=spf1 include:spf.qiye.aliyun.com +all"},
    "neutral.example": {"spf": "v=spf1 include:spf.qiye.aliyun.com ?all"},
    "lookups.example": {
        "spf": "v=spf1 include:spf.qiye.aliyun.com "
        + " ".join(f"include:s{number}.lookups.example" for number in range(11))
        + " -all",
    },
    "void.example": {
        "spf": "v=spf1 a:gone1.void.example a:gone2.void.example a:gone3.void.example"
        " include:spf.qiye.aliyun.com -all",
    },
    "dangling.example": {
        "spf": "v=spf1 include:spf.old-provider.example include:spf.qiye.aliyun.com -all"
    },
    "behind-all.example": {"spf": "v=spf1 -all include:spf.qiye.aliyun.com"},
    "colon.example": {"spf": "v=spf1 include=spf.qiye.aliyun.com -all"},
    # DKIM.
    "no-dkim.example": {"dkim": None},
    "revoked-dkim.example": {"dkim": "v=DKIM1; k=rsa; p="},
    "short-dkim.example": {"dkim": _key(RSA_512)},
    "broken-dkim.example": {"dkim": "v=DKIM1; k=rsa; p=thisisnokey!!"},
    "testing-dkim.example": {"dkim": _key(RSA_2048, "v=DKIM1; k=rsa; t=y")},
    "old-key.example": {"dkim": _key(RSA_1024)},
    "two-dkim.example": {"dkim": (_key(RSA_2048), _key(RSA_1024))},
    "dangling-dkim.example": {"dkim": "default.dkim.gone.example."},
    # DMARC.
    "no-dmarc.example": {"dmarc": None},
    "two-dmarc.example": {"dmarc": ("v=DMARC1; p=none", "v=DMARC1; p=reject")},
    "dmarc-tag.example": {"dmarc": "v=DMARC1; p=quarantaine"},
    "spaced.example": {"spf": "v=spf1 include: spf.qiye.aliyun.com -all"},
    "misspelt-dmarc.example": {"dmarc": "v=DMARC1; policy=reject"},
    "unaligned.example": {
        "dmarc": "v=DMARC1; p=reject",
        "dkim": None,
        "spf": "v=spf1 ip4:192.0.2.1 -all",
    },
}

_PROVIDERS = {
    "spf.qiye.aliyun.com": {"TXT": ["v=spf1 ip4:127.0.0.2/31 ip4:198.51.100.0/24 -all"]},
    "spf.mail.qq.com": {"TXT": ["v=spf1 ip4:127.0.0.11 ip4:127.0.0.13 -all"]},
    "spf.protection.outlook.com": {"TXT": ["v=spf1 ip4:127.0.0.16 -all"]},
    "mxbiz2.qq.com": {"A": ["127.0.0.12"]},
    "office-example.mail.protection.outlook.com": {"A": ["127.0.0.16"]},
    "selector1._domainkey.office.example": {"CNAME": ["selector1.dkim.outlook.example."]},
    "selector2._domainkey.office.example": {"CNAME": ["selector1.dkim.outlook.example."]},
    "selector1.dkim.outlook.example": {"TXT": [_key(RSA_2048)]},
    "mail.mx-cname.example": {"CNAME": ["mx1.qiye.aliyun.com."]},
    # A name of one's own for the provider's host: its certificate has other names.
    "smtp.example.com": {"CNAME": ["smtp.qiye.aliyun.com."]},
    # A host without any address, and one that is only to be reached by IPv6.
    "empty.example.net": {"TXT": ["nothing here"]},
    "relay6.example.net": {"AAAA": ["::1"]},
    "both.example.net": {"AAAA": ["2001:db8::25"], "A": ["127.0.0.20"]},
    "six.example.net": {"AAAA": ["2001:db8::25"]},
    "half.example.net": {"AAAA": ["::1"], "A": ["127.0.0.20"]},
    # What a name server that blocks advertisements makes of a name.
    "sunk.example.net": {"A": ["0.0.0.0"]},  # noqa: S104 (nobody listens there)
    # Addresses that no route leads to.
    "unreachable.example.net": {"A": ["192.0.2.25"]},
    "test.com": {"MX": ["10 mx.elsewhere.example."]},
    **{f"s{number}.lookups.example": {"TXT": ["v=spf1 -all"]} for number in range(11)},
}


class View:
    """
    What the world looks like to who asks at an address.

    Attributes:
        name: Its name in the configuration of BIND.
        address: Where it is asked.
        records: Name to type to values.
        broken: Names for which the server fails.

    """

    def __init__(self, name, address, records, *, broken=()):
        self.name = name
        self.address = address
        self.records = records
        self.broken = tuple(broken)


def _world():
    records = {name: {"A": [address]} for name, address in ADDRESSES.items()}
    for name, types in _PROVIDERS.items():
        records.setdefault(name, {}).update(types)
    for domain, row in DOMAINS.items():
        _add_domain(records, domain, row)
    return records


def _add_domain(records, domain, row):
    mx = row.get("mx", _ALIYUN_MX)
    spf = row.get("spf", _ALIYUN_SPF)
    dkim = row.get("dkim", _key(RSA_2048))
    dmarc = row.get("dmarc", _DMARC.format(domain=domain))
    here = records.setdefault(domain, {})
    here["A"] = ["127.0.0.80"]
    if mx:
        here["MX"] = list(mx)
    if spf:
        here["TXT"] = _texts(spf)
    if dkim:
        is_alias = isinstance(dkim, str) and dkim.endswith(".")
        kind, values = ("CNAME", [dkim]) if is_alias else ("TXT", _texts(dkim))
        records[f"default._domainkey.{domain}"] = {kind: values}
    if dmarc:
        records[f"_dmarc.{domain}"] = {"TXT": _texts(dmarc)}


def _texts(values):
    return [values] if isinstance(values, str) else list(values)


VIEWS = (
    View("world", DNS, _world(), broken=["servfail.example"]),
    # A captive network: whatever is asked, it is the portal.
    View("captive", CAPTIVE_DNS, {"*": {"A": [_CAPTIVE_PORTAL]}}),
)


def format_zone(records):
    """Return the zone file of the root with records in it."""
    lines = [
        "$TTL 60",
        ". IN SOA ns.lab.example. hostmaster.lab.example. 1 3600 600 86400 60",
        ". IN NS ns.lab.example.",
        f"ns.lab.example. IN A {DNS}",
    ]
    for name, types in records.items():
        for kind, values in types.items():
            lines += [f"{name}. IN {kind} {_value(kind, value)}" for value in values]
    return "\n".join([*lines, ""])


def _value(kind, value):
    if kind != "TXT":
        return value
    pieces = [value[at : at + 255] for at in range(0, len(value), 255)]
    return " ".join(f'"{piece}"' for piece in pieces)
