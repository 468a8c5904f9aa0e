"""Plain text beside HTML: made from it, and nothing lost."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from pillarbox.mail.alternative import make_alternative, make_fuller_text
from pillarbox.mail.part import Leaf, changed_head


def html(head=b"", place="body"):
    """Return the fields of an HTML part."""
    return Leaf(
        [(b"content-type", b"Content-Type: text/html\r\n"), *([head] if head else [])], place
    )


PAGE = b"<p>The backup of the big disk has failed</p>"


@pytest.mark.parametrize(
    "octets",
    [
        b"<p>plain</p>",
        b"<p>--x</p>\r\n",
        b"<p>" + b"w " * 900 + b"</p>",
        "<p>é</p>".encode(),
        "<p>测试测试</p>\n".encode(),
    ],
)
def test_both_parts_say_the_same(octets):
    """The HTML keeps its octets; the text is its words."""
    leaf = html()
    body = make_alternative(leaf, octets)
    head = b"MIME-Version: 1.0\nContent-Type: " + leaf.changes["content-type"].encode() + b"\n\n"
    text, page = message_from_bytes(head + body, policy=policy.default).get_payload()
    words = octets.decode().replace("<p>", "").replace("</p>", "").split()
    assert text.get_content().split() == words
    assert page.get_payload(decode=True) == octets
    assert page["Content-Type"] == "text/html"


def test_the_boundary_comes_from_the_content():
    """The same mail is made again the same way, and another one has another."""
    first, again, other = html(), html(), html()
    assert make_alternative(first, PAGE) == make_alternative(again, PAGE)
    assert first.changes == again.changes
    make_alternative(other, PAGE + b" ")
    assert other.changes != first.changes


@pytest.mark.parametrize("octets", [b"", b"<img src=x>", b"<p> </p>", b"<![x["])
def test_html_without_words_stays(octets):
    """An empty text would say less than none."""
    leaf = html()
    assert make_alternative(leaf, octets) is None
    assert leaf.changes == {}


@pytest.mark.parametrize("octets", [b"Our HTML page", b"", "备份".encode(), b"--b"])
def test_a_text_that_says_nothing_is_filled_up(octets):
    """What was there stays in front."""
    leaf = Leaf([], "part 1")
    made = make_fuller_text(leaf, octets, html(), PAGE)
    part = message_from_bytes(changed_head(leaf) + made, policy=policy.default)
    content = part.get_content()
    assert content.startswith(octets.decode())
    assert "The backup of the big disk has failed" in content
    assert b"\n--b" not in b"\n" + made


@pytest.mark.parametrize(
    ("text", "page"),
    [
        (b"The backup of the big disk failed", PAGE),
        (b"backup failed", PAGE),
        (b"other", b"<p>too short here</p>"),
        (b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx", PAGE),
        (b"other", b"<img>"),
        ("磁盘空间".encode(), "<p>磁盘空间不足</p>".encode()),
    ],
)
def test_a_text_that_says_it_stays(text, page):
    """A fifth of the words is enough; a signed text is left; a short page is no measure."""
    leaf = Leaf([], "part 1")
    assert make_fuller_text(leaf, text, html(), page) is None
    assert leaf.changes == {}


def test_a_page_that_cannot_be_decoded_changes_nothing():
    """Nothing is made of rubbish."""
    page = html((b"content-transfer-encoding", b"Content-Transfer-Encoding: base64\r\n"))
    assert make_fuller_text(Leaf([], "part 1"), b"x", page, b"a") is None
    assert make_alternative(page, b"a") is None
