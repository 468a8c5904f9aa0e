"""Text of HTML, HTML of Markdown, and nothing fetched for either."""

import sys

import pytest

from pillarbox.compose.bodies import html_of_markdown, make_bodies, text_of_html
from pillarbox.compose.letter import Letter
from pillarbox.errors import MissingExtraError, UsageError


def test_markdown_is_sent_as_itself_and_as_html():
    """The source is a good text; the page has its styles in its elements."""
    source = "# Hi\n\n| a | b |\n|---|---|\n| 1 | **2** |\n"
    text, html = make_bodies(Letter(markdown=source))
    assert text == source
    assert "<strong>2</strong>" in html
    assert '<h1 style="' in html
    assert '<td style="' in html
    assert "<style" not in html


def test_html_gets_a_text():
    """With where its links lead."""
    text, html = make_bodies(Letter(html="<p>See <a href='https://x.example/'>this</a></p>"))
    assert text == "See [this](https://x.example/)\n"
    assert html.startswith("<p>See")


@pytest.mark.parametrize("html", ["", "   ", "<!-- -->", "<br>"])
def test_a_page_without_words_has_an_empty_text(html):
    """And it is no fault."""
    assert text_of_html(html).strip() == ""


def test_a_text_of_ones_own_is_kept():
    """Only what is left out is made."""
    assert make_bodies(Letter(text="mine", html="<p>x</p>"))[0] == "mine"
    assert make_bodies(Letter(text="mine", markdown="*x*"))[0] == "mine"
    assert make_bodies(Letter()) == ("", None)


def test_html_and_markdown_contradict_each_other():
    """There is one HTML part."""
    with pytest.raises(UsageError, match="either HTML or Markdown"):
        make_bodies(Letter(html="x", markdown="x"))


def test_styles_of_a_page_are_put_into_its_elements():
    """Many programs drop the sheet; those that do not get it still, for its media queries."""
    page = "<html><head><style>p{color:red}</style></head><body><p>x</p></body></html>"
    _, html = make_bodies(Letter(html=page))
    assert '<p style="color: red;">' in html
    assert "<style>" in html


@pytest.mark.parametrize(
    "source", ["<script>x()</script>", "a <img src=x onerror=y()>", "[x](javascript:y())"]
)
def test_script_injection_through_markdown(source):
    """HTML in it is shown as text; no link runs a script."""
    html = html_of_markdown(source)
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_reading_files_through_a_style_sheet(tmp_path, form):
    """A page that names a file of this computer as its style sheet does not get it read."""
    (tmp_path / "s.css").write_text("p { color: red }")
    link = f'<link rel="stylesheet" href="{form.format(tmp_path / "s.css")}">'
    page = f"<html><head>{link}<style>b{{x:y}}</style></head><body><p>x</p></body></html>"
    assert "red" not in make_bodies(Letter(html=page))[1]


def test_no_octet_that_is_no_text_stays():
    """Undecodable bytes of a command line, and NUL."""
    assert make_bodies(Letter(text="a\udcff\0b"))[0] == "a\ufffdb"


@pytest.mark.parametrize(
    ("package", "letter"),
    [
        ("markdown_it", Letter(markdown="x")),
        ("inscriptis", Letter(html="x")),
        ("css_inline", Letter(text="x", html="<style></style>")),
    ],
)
def test_a_missing_package_is_told_with_its_extra(monkeypatch, package, letter):
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pillarbox\[compose\]"):
        make_bodies(letter)
