"""HTML as a reader sees it; and HTML that was made to break a reader."""

import time

import pytest

from pillarbox.lint.html import read_html


def test_html_is_read_as_a_reader_sees_it():
    """Neither style nor title is seen; links have the text between them."""
    page = read_html(
        "<!DOCTYPE html><?x?><title>T</title><style>s</style><body>one<br>two <!-- > <p> -->"
        "<a title='a > b' href=' /x?a=1&amp;b=2 '>th<b>re</b>e</a>"
        "<script>no<p></script><img src=x><a href=y>open &lt; 5 < 6"
    )
    assert page.text == "one two three open < 5 < 6"
    assert page.links == (("/x?a=1&b=2", "three"), ("y", "open < 5 < 6"))
    assert page.has_image


@pytest.mark.parametrize(("source", "text", "links"), [
    ("", "", ()),
    ("a &amp b", "a & b", ()),
    ("<p>a</p>b", "a b", ()),
    ("a<", "a<", ()),
    ("a<b", "a", ()),
    ('<A HREF="x">a<a href=y>b</A>', "ab", (("x", "a"), ("y", "b"))),
    ("<a name=x>a</a>", "a", (("", "a"),)),
    ("<a data-href=z>a</a>", "a", (("", "a"),)),
    ("<a href>a</a>", "a", (("", "a"),)),
    ("<a href='>'>a</a>", "a", ((">", "a"),)),
    ("<!-- a", "", ()),
    ("<style>a", "", ()),
    ("</a></a>a", "a", ()),
])  # fmt: skip
def test_broken_html_is_read(source, text, links):
    """What is not closed goes to the end, as in a browser."""
    page = read_html(source)
    assert (page.text, page.links, page.has_image) == (text, links, False)


@pytest.mark.parametrize("piece", [
    "<![", "<a ", "</x", "<!--", "<?", "&#", "<a href='", '<a x="', "<script>", "<![CDATA[",
    "<a href=", "<a href ", "<style></style", "'>", "<a>", "<a'>",
])  # fmt: skip
def test_repetition_takes_linear_time(piece):
    """Half a megabyte of what the library's parser needs an hour for (attack: quadratic time)."""
    start = time.process_time()
    read_html(piece * (500_000 // len(piece)))
    assert time.process_time() - start < 5
