"""Templates: filled in, and kept in their sandbox."""

import sys

import pytest

from pillarbox.compose.templates import parse_variable, read_variables, render
from pillarbox.errors import DataError, MissingExtraError, MissingInputError, UsageError


@pytest.fixture
def fill(tmp_path):
    """Return a function that fills in a template of that text."""

    def call(source, name="mail.txt.j2", **variables):
        path = tmp_path / name
        path.write_text(source)
        return render(str(path), variables)

    return call


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html.j2", "html"),
        ("a.HTM", "html"),
        ("a.md.j2", "markdown"),
        ("a.markdown.jinja", "markdown"),
        ("a.txt.j2", "text"),
        ("a.j2", "text"),
        ("a", "text"),
    ],
)
def test_the_name_says_the_kind(fill, name, kind):
    """Without the ending that says that it is a template."""
    assert fill("x\n", name).kind == kind


def test_fills_in_values(fill):
    """Loops and filters work; without a subject there is none."""
    found = fill("{% for n in names %}{{ n|upper }},{% endfor %}\n", names=["a", "b"])
    assert (found.body, found.subject) == ("A,B,\n", None)


def test_a_first_line_may_be_the_subject(fill):
    """It is filled in as well, and is plain text in HTML too."""
    found = fill("Subject: {{ n }} down\n\n<p>{{ n }}</p>\n", "a.html", n="a&b")
    assert (found.subject, found.body) == ("a&b down", "<p>a&amp;b</p>\n")


def test_header_injection_through_a_value(fill):
    """What comes from a value is never a subject line, and HTML in it is text."""
    found = fill("{{ n }}\nx\n", n="Subject: evil")
    assert (found.subject, found.body) == (None, "Subject: evil\nx\n")
    assert fill("{{ n }}", "a.html", n="<b>").body == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("a\n{{ missing }}", r"t: line 2: 'missing' is undefined"),
        ("Subject: x\n\na\n{{ missing }}", r"t: line 4: 'missing' is undefined"),
        ("a\n{% if %}", r"t: line 2: "),
        ("{{ 1 / 0 }}", r"t: line 1: ZeroDivisionError"),
    ],
)
def test_a_faulty_template_is_told_with_its_line(fill, source, problem):
    """Never a traceback, and never an empty place in a mail."""
    with pytest.raises(DataError, match=problem):
        fill(source, "t")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ().__class__.__base__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ values.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as p %}",
        "{% extends '/etc/passwd' %}",
        "{{ range(10000000)|list }}",
    ],
)
def test_escape_from_the_sandbox(fill, source):
    """No attribute that leads out of a value, no file, no change of a value."""
    with pytest.raises(DataError):
        fill(source, x=1, values=[])


def test_values_come_as_names_and_texts():
    """The first equals sign counts."""
    assert parse_variable("a=b=c") == ("a", "b=c")
    for text in ("a", "=b", "a b=c", "1=x"):
        with pytest.raises(UsageError, match="not a value"):
            parse_variable(text)


def test_values_come_from_files(tmp_path):
    """JSON, or TOML where the name says so."""
    (tmp_path / "a.json").write_text('{"a": [1, {"b": "é"}]}')
    (tmp_path / "a.toml").write_text('a = 1\n[t]\nb = "é"\n')
    assert read_variables(str(tmp_path / "a.json")) == {"a": [1, {"b": "é"}]}
    assert read_variables(str(tmp_path / "a.toml")) == {"a": 1, "t": {"b": "é"}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"[1]"),
        ("a.json", b"{"),
        ("a.json", b"[" * 200_000),
        ("a.toml", b"a = "),
        ("a.json", b"\xff"),
        ("a.json", b" " * (5 << 20)),
    ],
)
def test_a_faulty_file_of_values_is_told(tmp_path, name, content):
    """With its name, and never a traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_variables(str(tmp_path / name))


@pytest.mark.parametrize("path", ["/nonexistent/x", "/", "a\0b"])
def test_a_file_that_cannot_be_read_is_told(path):
    """With the reason."""
    with pytest.raises(MissingInputError, match="cannot read"):
        render(path, {})


def test_a_missing_package_is_told_with_its_extra(fill, monkeypatch):
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"a template needs .*pillarbox\[compose\]"):
        fill("x")
