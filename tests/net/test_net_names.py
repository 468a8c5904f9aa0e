"""Names of hosts: A-labels, addresses, and what no host can be called."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import ConfigError, MissingExtraError
from pillarbox.net.names import ascii_host, certificate_host, is_address

NAMES = [
    # as written, for the resolver, in the certificate
    ("mx.example", b"mx.example", b"mx.example"),
    ("MX.Example", b"MX.Example", b"MX.Example"),
    ("mx.example.", b"mx.example.", b"mx.example"),
    ("localhost", b"localhost", b"localhost"),
    ("_x.example", b"_x.example", b"_x.example"),
    ("127.0.0.1", b"127.0.0.1", b"127.0.0.1"),
    ("::1", b"::1", b"::1"),
    ("[::1]", b"::1", b"::1"),
    ("fe80::1%lo", b"fe80::1%lo", b"fe80::1"),
    ("bücher.example", b"xn--bcher-kva.example", b"xn--bcher-kva.example"),
    ("BÜCHER.example.", b"xn--bcher-kva.example.", b"xn--bcher-kva.example"),
    ("straße.example", b"xn--strae-oqa.example", b"xn--strae-oqa.example"),
    ("邮件.中国", b"xn--5nq051n.xn--fiqs8s", b"xn--5nq051n.xn--fiqs8s"),
]

WRONG = ["", "[]", ".", ".example", "a b", "good.example\0.evil", "a\r\nb", "a\x7f", "x" * 254,
         "\u00a0.example", "\u200b.example", "é" * 70, "-é.example", "\udcff.example"]  # fmt: skip


@pytest.mark.parametrize(("written", "resolved", "certified"), NAMES)
def test_makes_ascii_of_a_name(written, resolved, certified):
    """A name has one form for the resolver and one for the certificate."""
    assert ascii_host(written) == resolved
    assert certificate_host(written) == certified


@pytest.mark.parametrize("written", WRONG)
def test_refuses_what_no_host_is_called(written):
    """A name with a NUL, a space, a control character or no letters never reaches C code."""
    with pytest.raises(ConfigError) as caught:
        ascii_host(written)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("written", ["a..example", f"{'x' * 64}.example", "a.."])
def test_refuses_what_no_certificate_can_have(written):
    """For the resolver it is a name that does not exist; Python's ssl would fail on it."""
    assert ascii_host(written)
    with pytest.raises(ConfigError, match="cannot be the name of a host"):
        certificate_host(written)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=40))
def test_any_text_becomes_printable_ascii_or_is_refused(text):
    """Nothing else than visible ASCII leaves, whatever is written."""
    try:
        name = ascii_host(text)
    except ConfigError:
        return
    assert all(0x20 < byte < 0x7F for byte in name)


@pytest.mark.parametrize(("name", "expected"), [
    (b"127.0.0.1", True), (b"::1", True), (b"fe80::1%lo", True), (b"2001:db8::25", True),
    (b"mx.example", False), (b"127.1", False), (b"", False), (b"1", False), (b"::g", False),
])  # fmt: skip
def test_knows_an_address_from_a_name(name, expected):
    """Only what needs no resolver is an address."""
    assert is_address(name) == expected


def test_says_which_extra_a_non_ascii_name_needs(monkeypatch):
    """Without the package idna the user reads what to install."""
    monkeypatch.setitem(sys.modules, "idna", None)
    assert ascii_host("mx.example") == b"mx.example"
    with pytest.raises(MissingExtraError, match=r"pillarbox\[idn\]"):
        ascii_host("bücher.example")
