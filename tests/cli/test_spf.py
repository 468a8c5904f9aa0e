"""``pillarbox spf`` and ``pillarbox dns``, asking a nameserver on loopback."""

import json
import random
import sys

import pytest

from nameserver import serve_zone
from pillarbox.cli import dns as dns_page
from pillarbox.cli.spf import domain_of, main, nameservers
from pillarbox.errors import DataError, MissingExtraError, MissingInputError, UsageError

ZONE = {
    ("example.com.", "TXT"): ['"v=spf1 include:spf.qiye.aliyun.com -all"'],
    ("example.com.", "MX"): ["5 mx1.qiye.aliyun.com."],
    ("spf.qiye.aliyun.com.", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 " "-all"'],
    ("mail.example.com.", "A"): ["198.51.100.7"],
    ("twice.example.", "TXT"): ['"v=spf1 mx -all"', '"v=spf1 a -all"'],
    ("loop.example.", "TXT"): ['"v=spf1 include:loop.example -all"'],
    ("open.example.", "TXT"): ['"v=spf1 +all"'],
    ("late.example.", "TXT"): ['"v=spf1 ip4:192.0.2.1/33 -all"'],
    ("colon.example.", "TXT"): ['"v=spf1 include=spf.qiye.aliyun.com -all"'],
    ("behind.example.", "TXT"): ['"v=spf1 -all a:mail.example.com"'],
    ("long.example.", "TXT"): [
        '"v=spf1 ' + "ip4:192.0.2.100 " * 13 + '" "' + "ip4:192.0.2.200 " * 15 + '" "~all"'
    ],
    ("xn--strae-oqa.example.", "TXT"): ['"v=spf1 -all"'],
}


@pytest.fixture
def nameserver(monkeypatch):
    """Serve ZONE, or what the test puts in ``raw``, on loopback."""
    raw = []

    def pack(answer):
        return raw[0](answer) if raw else answer.to_wire()

    with serve_zone(ZONE, pack) as place:
        monkeypatch.setenv("PILLARBOX_DNS", place)
        monkeypatch.setenv("LC_ALL", "C.UTF-8")
        yield raw


CASES = [
    (["check", "example.com"], 0, "1 of 10"),
    (["check", "example.com", "--ip", "192.0.2.9"], 0, "192.0.2.9: pass include:"),
    (["check", "example.com", "--ip", "198.51.100.7"], 2, "fail -all"),
    (["check", "twice.example"], 2, "more than one SPF record"),
    (["check", "loop.example"], 2, "includes itself"),
    (["check", "loop.example", "--ip", "192.0.2.9"], 2, "192.0.2.9: permerror"),
    (["check", "open.example"], 1, "+all lets the whole world"),
    (["check", "nothing.example"], 1, "no SPF record"),
    (["check", "late.example"], 2, "\n                    ^^^\n"),
    (["explain", "example.com"], 0, "whom spf.qiye.aliyun.com permits: may send"),
    (["merge", "example.com", "--add", "a:mail.example.com"], 0,
     "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"),
    (["merge", "example.com", "--add", "a:mail.example.com"], 0, "leaves from the provider"),
    (["merge", "example.com", "--add", "a:mail.example.com"], 0,
     "a:mail.example.com is not needed for mail that goes through the provider"),
    (["merge", "example.com", "--add", "ip4:198.51.100.7"], 0, "leaves from the provider"),
    (["merge", "example.com", "--add", "ip4:192.0.2.0/24"], 0, "is permitted already"),
    (["merge", "example.com", "--add", "ip4:192.0.2.128/25"], 0, "is permitted already"),
    (["merge", "example.com", "--add", "include:SPF.qiye.aliyun.com"], 0, "is there already"),
    (["merge", "example.com", "--record", "v=spf1 include:spf.qiye.aliyun.com -all",
      "--record", "v=spf1 a:mail.example.com -all"], 0,
     "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all\n"),
    (["merge", "example.com", "--record", "v=spf1 include:spf.qiye.aliyun.com -all",
      "--record", "v=spf1 a:mail.example.com -all"], 0, "a:mail.example.com is not needed"),
    (["check", "long.example"], 1, "459 characters, and 450 should do"),
    (["merge", "behind.example"], 0, "a:mail.example.com stood behind 'all'"),
    (["check", "colon.example"], 1, "a colon belongs behind 'include'"),
    (["check", "stra\u00dfe.example"], 0, "0 of 10"),
]  # fmt: skip


@pytest.mark.usefixtures("nameserver")
@pytest.mark.parametrize(("arguments", "code", "expected"), CASES)
def test_says_what_the_domain_says(capsys, arguments, code, expected):
    """Each answer has its exit code, on the page and as JSON."""
    assert main(arguments) == code
    assert expected in capsys.readouterr().out
    assert main([*arguments, "--json"]) == code
    json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("nameserver")
def test_dns_page_shows_what_is_there_and_what_should_be(capsys):
    """The zone file and the form of Aliyun DNS have the merged SPF record and DMARC."""
    assert dns_page.main(["example.com", "--add", "a:mail.example.com"]) == 2
    out = capsys.readouterr().out
    merged = "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"
    assert f'example.com. 3600 IN TXT "{merged}"' in out
    assert f"@ | TXT | {merged}" in out
    assert "_dmarc | TXT | v=DMARC1; p=none; rua=mailto:postmaster@example.com" in out
    assert "default._domainkey TXT: see the provider's console" in out
    assert dns_page.main(["example.com", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["provider"] == "aliyun-qiye"


@pytest.mark.usefixtures("nameserver")
def test_dns_page_tells_what_merging_did(capsys):
    """A term that nobody read and that would permit now is not slipped in."""
    assert dns_page.main(["behind.example"]) == 2
    assert "a:mail.example.com stood behind 'all'" in capsys.readouterr().out


@pytest.mark.usefixtures("nameserver")
def test_dns_page_takes_no_provider_at_random():
    """Of several that a name may mean none is chosen, and a name of nobody's is told."""
    with pytest.raises(MissingInputError, match="one of several providers"):
        dns_page.main(["example.com", "--provider", "netease"])
    with pytest.raises(MissingInputError, match="nobody knows it"):
        dns_page.main(["example.com", "--provider", "nobody knows it"])


@pytest.mark.usefixtures("nameserver")
def test_mx_of_any_octets_cannot_write_to_the_terminal(monkeypatch, capsys):
    """Attack: an MX with an escape sequence, on the page and in the zone file."""
    monkeypatch.setitem(ZONE, ("esc.example.", "MX"), ["5 \\027\\0912j.example."])
    dns_page.main(["esc.example"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"IN MX 5 \027[2j.example." in out


@pytest.mark.parametrize(
    "named", ["here:53", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "127.0.0.1:65536",
              "127.0.0.1:-5", ":53", "[::1]"]
)  # fmt: skip
def test_wrong_nameserver_is_wrong_use(monkeypatch, named):
    """PILLARBOX_DNS is an address and a port; nobody else is asked in its place."""
    monkeypatch.setenv("PILLARBOX_DNS", named)
    with pytest.raises(UsageError, match="PILLARBOX_DNS"):
        main(["check", "example.com"])


@pytest.mark.parametrize("named", ["::1:53", "[::1]:53"])
def test_nameserver_may_have_an_ipv6_address(monkeypatch, named):
    """With brackets and without."""
    monkeypatch.setenv("PILLARBOX_DNS", named)
    assert nameservers()._server == "::1:53"


def test_missing_package_is_told(monkeypatch):
    """With PILLARBOX_DNS too, and not as a bug of pillarbox."""
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    monkeypatch.setenv("PILLARBOX_DNS", "127.0.0.1:53")
    with pytest.raises(MissingExtraError):
        main(["check", "example.com"])


@pytest.mark.parametrize(
    "text", ["", "com", "a..com", "x" * 64 + ".com", "[192.0.2.1]", "a\nb.c\x00"]
)
def test_wrong_domain_is_wrong_use(text):
    """What is no domain ends in a sentence and never in a question."""
    if text.startswith("["):
        assert domain_of(text) == text  # nobody has it; the DNS says so
        return
    with pytest.raises(UsageError):
        domain_of(text)


@pytest.mark.usefixtures("nameserver")
def test_any_octets_in_a_record_end_in_an_answer(capsys):
    """Attack: a published record full of anything ends in a code, and nothing raw is printed."""
    chance = random.Random(7)
    for number in range(60):
        octets = bytes(chance.choice(b"%{}:/=.a1-+~ ip4lux\x00\x1b\xff") for _ in range(60))
        shown = "".join(f"\\{octet:03d}" for octet in b"v=spf1 " + octets)
        ZONE[(f"fuzz{number}.example.", "TXT")] = [f'"{shown}"']
        for action in ("check", "explain", "merge"):
            assert main([action, f"fuzz{number}.example"]) in (0, 1, 2)
        assert "\x1b" not in capsys.readouterr().out


@pytest.mark.usefixtures("nameserver")
def test_broken_addition_is_an_error_of_the_addition(capsys):
    """The fault is marked; the page of the DNS raises it."""
    assert main(["merge", "example.com", "--add", "ip4:999.1.1.1"]) == 2
    assert "^^^^^^^^^" in capsys.readouterr().out
    with pytest.raises(DataError):
        dns_page.main(["example.com", "--add", "ip4:999.1.1.1"])
