"""Addresses and names put right, apart from the steps that do it."""

from __future__ import annotations

import pytest

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.address_repairs import encode_names, honest_name, make_field, read_raw
from pillarbox.mail.headers import HeaderField

RAW = [
    (b"X: a\r\n", "a"),
    (b"X:\t a \r\n b\r\n", "a  b"),
    ("X: 备份失败\r\n".encode("gbk"), "备份失败"),
    ("X: grün\r\n".encode(), "grün"),
    (b"X: gr\xfcn\r\n", "grün"),
    ("X: ü\x85\u2028\u202ea\r\n".encode(), "ü   a"),
    (b"X:\r\n", ""),
]


@pytest.mark.parametrize(("raw", "value"), RAW)
def test_reads_a_value_in_the_charset_that_it_is_in(raw, value):
    """Unfolded, raw octets as characters, and no control character among them."""
    assert read_raw(HeaderField(b"X", raw)) == value


LONG = "a" * 100
FIELDS = [
    ("a b", b"X: a b\r\n"),
    (" ".join(["word"] * 20), b"X:" + b" word" * 15 + b"\r\n" + b" word" * 5 + b"\r\n"),
    (LONG, b"X: " + LONG.encode() + b"\r\n"),
    (f"{LONG} {LONG}", f"X: {LONG}\r\n {LONG}\r\n".encode()),
    (f"a {LONG}", f"X: a\r\n {LONG}\r\n".encode()),
]


@pytest.mark.parametrize(("value", "raw"), FIELDS)
def test_folds_at_blanks(value, raw):
    """A line has 78 characters where a blank allows it, and none is empty."""
    assert make_field(b"X", value) == HeaderField(b"X", raw)


ANN_J = "=?utf-8?B?SsO2cmc=?="
LISTS = [
    ("Jörg <j@example.net>", f"{ANN_J} <j@example.net>"),
    ("a@b.example, Jörg <j@example.net>", f"a@b.example, {ANN_J} <j@example.net>"),
    ('"Jörg, X" <j@x.example>, b@c.example', "=?utf-8?B?SsO2cmcsIFg=?= <j@x.example>, b@c.example"),
    ("j@example.net (Jörg, X)", "=?utf-8?B?SsO2cmcsIFg=?= <j@example.net>"),
    ("Jörg, X <j@example.net>", "=?utf-8?B?SsO2cmcsIFg=?= <j@example.net>"),
    ("Jörg <j@bücher.example>", f"{ANN_J} <j@xn--bcher-kva.example>"),
    ("Jörg", ANN_J),
    # It has no other form (RFC 6531).
    ("jörg@example.net", "jörg@example.net"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "encoded"), LISTS)
def test_encodes_the_names_in_a_list(value, encoded):
    """Names become ASCII, addresses stay, and a comma in a name ends nothing."""
    field = encode_names(HeaderField(b"Cc", f"Cc: {value}\r\n".encode()))
    assert field.raw.decode() == f"Cc: {encoded}\r\n"


NAMES = [
    ("Tim", "Tim"),
    ("", ""),
    ("tim@example.org", ""),
    ("'TIM@Example.org'", ""),
    ("<tim@example.org>", ""),
    ("eve@bank.example", "eve at bank.example"),
    ("Tim tim@example.org", "Tim tim at example.org"),
]


@pytest.mark.parametrize(("name", "honest"), NAMES)
def test_no_address_is_in_a_name(name, honest):
    """The same address is dropped, another is not one any more."""
    assert honest_name(name, parse_mailbox("tim@example.org")) == honest


@pytest.mark.parametrize("blank", [",", '"', "(", "<", "\\", "é,"])
def test_attack_long_list_takes_no_longer_than_its_octets(blank):
    """A list of a hundred thousand of anything is read in a moment."""
    from time import process_time

    start_s = process_time()
    encode_names(HeaderField(b"Cc", b"Cc: \xc3\xa9" + blank.encode() * 30_000 + b"\r\n"))
    assert process_time() - start_s < 5
