"""The parameters of MAIL that only the submission socket offers: MT-PRIORITY, and those of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.smtp.parse import Fault, decode_utf8_xtext, parse_mail

OFFERED = {"", "SIZE", "MT-PRIORITY", "XPILLARBOX", "SMTPUTF8"}


def parameters(text, offered=OFFERED):
    """Return what is understood of the parameters of a MAIL, or the fault."""
    parsed = parse_mail(f"FROM:<me@example.org> {text}".encode(), offered)
    return parsed if isinstance(parsed, Fault) else parsed.parameters


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("", {}),
        ("XACCOUNT=work", {"XACCOUNT": "work"}),
        ("xaccount=a+20b+2B+3D", {"XACCOUNT": "a b+="}),
        ("XNAME=+E5+BC+A0+E4+B8+89", {"XNAME": "张三"}),
        ("XOWN XRAW XWAIT", {"XOWN": "", "XRAW": "", "XWAIT": ""}),
        ("XWAIT SIZE=5 XNAME=Joe", {"XWAIT": "", "XNAME": "Joe"}),
    ],
)
def test_wishes_are_decoded(text, wishes):
    """Each wish lands under its name; those without a value have an empty one."""
    assert parameters(text).wishes == wishes


@pytest.mark.parametrize("number", range(-9, 10))
def test_priority_is_a_digit_with_or_without_a_minus(number):
    """All 19 priorities of RFC 6710 are understood."""
    assert parameters(f"MT-PRIORITY={number}").priority == number


@pytest.mark.parametrize(
    "text",
    [
        "MT-PRIORITY",
        "MT-PRIORITY=10",
        "MT-PRIORITY=+4",
        "MT-PRIORITY=4.0",
        "MT-PRIORITY=٣",
        "MT-PRIORITY=1 MT-PRIORITY=2",
        "XOWN=1",
        "XWAIT=yes",
        "XRAW=",
        "XACCOUNT",
        "XACCOUNT=",
        "XACCOUNT=a=b",
        "XACCOUNT=a+0Ab",
        "XACCOUNT=a+0D+0ABcc:+20x",
        "XNAME=a+00",
        "XNAME=a+E2+80+AE",
        "XNAME=a+FF",
        "XNAME=a+2",
        "XNAME=a+zz",
        "XNAME=a+2b",
        f"XNAME={'a' * 301}",
        f"XACCOUNT={'a' * 301}",
    ],
)
def test_what_could_become_a_header_or_a_line_is_refused(text):
    """A wish that is no text of one line, or has a value where none belongs, is a bad parameter."""
    assert parameters(text).row == "bad_parameter"


@pytest.mark.parametrize("text", ["XOWN", "XACCOUNT=a", "XNAME=a", "XRAW", "XWAIT", "XELSE"])
def test_wishes_are_unknown_where_they_are_not_offered(text):
    """A server for others knows none of them."""
    assert parameters(text, {"", "SIZE"}).row == "unknown_parameter"


def test_priority_is_unknown_where_it_is_not_offered():
    """As every parameter of an extension."""
    assert parameters("MT-PRIORITY=1", {"", "XPILLARBOX"}).row == "unknown_parameter"


@given(st.text(st.characters(codec="utf-8")))
def test_xtext_of_utf8_comes_back_when_a_person_can_see_it(text):
    """What was encoded octet by octet is decoded, and refused if it is not printable."""
    encoded = "".join(
        chr(octet) if 0x21 <= octet <= 0x7E and octet not in b"+=" else f"+{octet:02X}"
        for octet in text.encode()
    )
    assert decode_utf8_xtext(encoded) == (text if text.isprintable() else None)
