"""The public key of a DKIM signature, as a domain publishes it."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from domain_zone import Table, rsa_record
from pillarbox.dns.dkim import Key, find_key, find_keys, read_key
from pillarbox.dns.record import RecordError

# RFC 8463 A.2, and RFC 6376 C, whose key is the one of the RFC's example.
ED25519 = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RFC6376 = (
    "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
    "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
    "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)

KEYS = [
    (RFC6376, Key("rsa", 1024, is_testing=False)),
    (ED25519, Key("ed25519", 256, is_testing=False)),
    (rsa_record(2048), Key("rsa", 2048, is_testing=False)),
    (rsa_record(2048, tags=""), Key("rsa", 2048, is_testing=False)),
    (rsa_record(4096), Key("rsa", 4096, is_testing=False)),
    (rsa_record(512, tags="t=s:y; "), Key("rsa", 512, is_testing=True)),
    (rsa_record(2048, tags="t=s; s=*; h=sha1:sha256; "), Key("rsa", 2048, is_testing=False)),
    ("v=DKIM1; p=", Key("rsa", 0, is_testing=False)),
    ("p=;", Key("rsa", 0, is_testing=False)),
]


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_reads_kind_and_length(text, key):
    """As a receiver does; blanks inside the key are nothing."""
    assert read_key(text) == key
    assert read_key(text.replace("p=", "p= ").replace("AQ", "A Q")) == key


@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
@pytest.mark.parametrize("bits", [1024, 1536])
def test_reads_what_another_library_writes(form, bits):
    """Both forms of an RSA key are met (RFC 6376 3.6.1, and its erratum 3017)."""
    public = rsa.generate_private_key(65537, bits).public_key()
    octets = public.public_bytes(Encoding.DER, form)
    assert read_key(f"v=DKIM1; p={b64encode(octets).decode()}").bits == bits


FAULTS = [
    ("v=DKIM1; k=rsa", "'p=' is missing"),
    ("v=DKIM2; p=AAAA", "the version is not DKIM1"),
    ("v=DKIM1; k=dsa; p=AAAA", "'dsa' is no kind of key"),
    ("v=DKIM1; p=AAA", "no base64"),
    ("v=DKIM1; p=AAAA\u00fc", "no base64"),
    ("v=DKIM1; p=AAAA", "no RSA key"),
    ("v=DKIM1; p=MA==", "no RSA key"),
    (RFC6376[:-20], "no RSA key"),
    (RFC6376 + "AAAA", "no RSA key"),
    ("v=DKIM1; k=ed25519; p=AAAA", "the length of an Ed25519 key"),
    (rsa_record(tags="s=tlsrpt; "), "'s=' does not have email"),
    (rsa_record(tags="h=sha1; "), "'h=' does not have sha256"),
    ("p=AAAA p", "base64"),
    ("p=; x", "no tag"),
]


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_key_that_no_receiver_can_use_is_a_fault(text, words):
    """It says why, and where."""
    with pytest.raises(RecordError, match=words) as caught:
        read_key(text)
    assert caught.value.place < len(text)


@given(st.binary(max_size=40))
def test_any_octets_are_a_key_or_a_fault(octets):
    """Attack: a length that leads nowhere ends in a fault and in no other error."""
    try:
        read_key(f"p={b64encode(octets).decode()}")
    except RecordError:
        return


@pytest.mark.parametrize("size", range(12))
def test_cut_key_is_a_fault(size):
    """Attack: the reader never looks behind the end."""
    octets = bytes.fromhex("3081bf308100028181ff")[:size]
    if octets:
        with pytest.raises(RecordError, match="no RSA key"):
            read_key(f"p={b64encode(octets).decode()}")


GOOD = [("rsa", 1024, False, True), ("rsa", 1023, False, False), ("rsa", 2048, True, False),
        ("rsa", 0, False, False), ("ed25519", 256, False, True)]  # fmt: skip


@pytest.mark.parametrize(("kind", "bits", "is_testing", "is_good"), GOOD)
def test_good_key_is_long_enough_and_no_test(kind, bits, is_testing, is_good):
    """RFC 8301 3.2: 1024 bits at least."""
    assert Key(kind, bits, is_testing=is_testing).is_good is is_good


def test_finds_the_key_behind_an_alias():
    """The resolver follows; the alias is told, for it is what stands in the domain."""
    table = Table(
        {
            ("s._domainkey.a.example", "CNAME"): ("s.p.example",),
            ("s.p.example", "TXT"): (rsa_record(), "other=1"),
        }
    )
    found = find_key("s", "a.example", table)
    assert (found.alias, found.texts, found.is_there) == ("s.p.example", (rsa_record(),), True)
    assert found.key == Key("rsa", 2048, is_testing=False)


def test_what_is_no_key_is_not_there():
    """A wildcard's TXT record answers for every name."""
    table = Table({("s._domainkey.a.example", "TXT"): ("v=spf1 -all",)})
    assert not find_key("s", "a.example", table).is_there


def test_domain_above_is_asked_only_when_nothing_is_below():
    """And never the top-level domain."""
    table = Table({("s._domainkey.b.example", "TXT"): (rsa_record(),)})
    (found,) = find_keys(("s",), "x.a.b.example", table)
    assert found.name == "s._domainkey.b.example"
    (found,) = find_keys(("s",), "c.example", table)
    assert (found.name, found.is_there) == ("s._domainkey.c.example", False)
    assert ("s._domainkey.example", "TXT") not in table.asked


def test_long_name_is_asked_about_at_few_levels():
    """Attack: a name of sixty labels is not sixty questions."""
    table = Table({})
    find_keys(("s",), ".".join("a" * 60) + ".example", table)
    assert len(table.asked) <= 10


def test_selector_that_fits_in_no_question_is_not_asked():
    """A placeholder of a preset, or what is too long."""
    table = Table({})
    assert find_keys(("x" * 64,), "a.example", table) == ()
    assert table.asked == []
