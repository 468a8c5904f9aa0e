"""The grammar that DKIM, DMARC, MTA-STS and TLS-RPT share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_zone import Table
from pillarbox.dns.record import RecordError
from pillarbox.dns.tags import parse_tags, texts_of

CASES = [
    ("", []),
    (" ; ;", []),
    ("v=DMARC1", [("v", "DMARC1", 2)]),
    ("v=DMARC1;", [("v", "DMARC1", 2)]),
    (" V = DMARC1 ; p = none ", [("v", "DMARC1", 5), ("p", "none", 18)]),
    ("p=", [("p", "", 2)]),
    ("p=a b\t= c;k=", [("p", "a b\t= c", 2), ("k", "", 12)]),
    ("a_1=x", [("a_1", "x", 4)]),
]


@pytest.mark.parametrize(("text", "tags"), CASES)
def test_reads_names_values_and_places(text, tags):
    """Blanks around both do not count; a value may be empty."""
    assert [(tag.name, tag.value, tag.place) for tag in parse_tags(text)] == tags


FAULTS = [
    # text, place, length, words
    ("v=DMARC1; none", 10, 4, "'none' is no tag"),
    ("v=DMARC1;  =x ;", 11, 2, "'=x' is no tag"),
    ("1=x", 0, 3, "'1=x' is no tag"),
    ("p=none; P=reject", 7, 9, "'p=' is there twice"),
    ("v=DMARC1\u037e p=none\u00e9;\u00e9=1", 18, 3, "is no tag"),
]


@pytest.mark.parametrize(("text", "place", "length", "words"), FAULTS)
def test_fault_has_its_place(text, place, length, words):
    """So that a person sees where."""
    with pytest.raises(RecordError, match=words) as caught:
        parse_tags(text)
    assert (caught.value.place, caught.value.length) == (place, length)
    assert caught.value.record == text


@given(st.text(alphabet="vp=; \tA1_\u00fc\x1b", max_size=30))
def test_any_text_is_tags_or_a_fault_inside_it(text):
    """What is read stands in the text at its place; no name is there twice."""
    fault, tags = None, ()
    try:
        tags = parse_tags(text)
    except RecordError as exc:
        fault = exc
    assert fault is None or 0 <= fault.place < len(text)
    for tag in tags:
        assert text[tag.place : tag.place + len(tag.value)] == tag.value
    assert len({tag.name for tag in tags}) == len(tags)


def test_texts_are_one_character_an_octet():
    """What is no ASCII is kept, to be marked."""
    table = Table({("x.example", "TXT"): (b"a\xffb",)})
    assert texts_of("x.example", table) == ("a\u00ffb",)
    assert texts_of("y.example", table) == ()
