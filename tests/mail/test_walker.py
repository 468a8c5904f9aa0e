"""The walker: it finds where parts begin and end, however a body comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mail import walker as walker_module
from pillarbox.mail.body import repair_body
from pillarbox.mail.headers import HeaderField, HeaderSection
from pillarbox.mail.originate import HeaderWishes
from pillarbox.mail.repair import Draft, RepairFacts

FACTS = RepairFacts(
    sender=None,
    recipients=(),
    wishes=HeaderWishes(),
    epoch_s=0,
    message_id="<1@example.org>",
    host="web01",
    takes_8bit=False,
    demands_sender=lambda: False,
)

HEADERS = HeaderSection(
    (
        HeaderField(b"MIME-Version", b"MIME-Version: 1.0\r\n"),
        HeaderField(b"Content-Type", b"Content-Type: multipart/mixed; boundary=b\r\n"),
    )
)

# Delimiters, half ones, heads and texts, with each kind of line end.
PIECES = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"--bb",
        b"--",
        b"-",
        b"b",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"x",
        b"--b\n\n",
        b"\n--b\n",
        b"\n--b--\n",
        b"Content-Type: multipart/mixed; boundary=bb\n\n",
        b"\n--bb--\n",
        b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n",
        b"QUJD",
        b"Content-Type: message/rfc822\n\n",
        b"Content-Type: application/zip\n\n",
    ]
)
BODIES = st.lists(PIECES, max_size=14).map(b"".join)


def walked(body, size=None):
    """Return what comes of a body, whole or in chunks, and the rules that acted."""
    changes = []
    if size is None:
        _, out, _, _ = repair_body(Draft(HEADERS, body, FACTS, changes), body, None)
        return out, {change.rule for change in changes}
    chunks = iter([body[at : at + size] for at in range(0, len(body), size)])
    draft = Draft(HEADERS, b"", FACTS, changes)
    _, out, read, _ = repair_body(draft, b"", lambda _: next(chunks, b""))
    while chunk := read(100):
        out += chunk
    return out, {change.rule for change in changes}


@given(body=BODIES, size=st.sampled_from([1, 2, 3, 7]))
def test_nothing_is_lost_of_what_is_in_order(body, size):
    """Unless a leaf has a bare CR every octet comes out, in whatever form it went in."""
    out, rules = walked(body)
    if not rules:
        assert out == body
    assert walked(body, size) == (out, rules)


@given(body=BODIES, size=st.sampled_from([1, 2, 7]))
def test_next_to_no_look_ahead_loses_nothing_either(body, size):
    """Text without a bare CR has nothing that could be wrong."""
    body = body.replace(b"\r\n", b"\n").replace(b"\r", b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walker_module, "LOOK_AHEAD", 8)
        assert walked(body, size) == (body, set())


@given(before=st.binary(max_size=30), size=st.sampled_from([1, 2, 7]))
def test_a_delimiter_is_found_behind_anything(before, size):
    """Attack: a part that swallows the one behind it."""
    before = before.replace(b"-", b"").replace(b"\r", b"").replace(b"\n", b"")
    body = b"--b\nContent-Type: application/zip\n\n\xff" + before + b"\n--b\n\nlast\n--b--\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walker_module, "LOOK_AHEAD", 4)
        for out, rules in (walked(body), walked(body, size)):
            assert rules == {"MIME-CTE"}
            assert out.isascii()
            assert out.endswith(b"\n--b\n\nlast\n--b--\n")


@given(size=st.sampled_from([1, 2, 3, 7]))
def test_the_end_of_all_parts_ends_a_part_that_is_encoded_in_flight(size):
    """The last two dashes may come later than the delimiter."""
    body = b"--b\nContent-Type: application/zip\n\n\xff" + b"x" * 60 + b"\n--b--\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walker_module, "LOOK_AHEAD", 4)
        out, _ = walked(body, size)
    assert out.endswith(b"=\n--b--\n")
    assert out == walked(body)[0]


def test_a_multipart_that_nobody_closed_ends_with_the_part_around_it():
    """Its delimiter is text from then on."""
    body = b"--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n"
    body += b"--b\nContent-Type: application/zip\n\n\xff\n--bb\n\xff\n--b--\n"
    out, _ = walked(body)
    assert b"--bb\n" not in out.partition(b"application/zip")[2]
    assert out.isascii()
