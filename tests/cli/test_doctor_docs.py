"""What the documents say of the doctor is what it does, in both languages."""

import re
from pathlib import Path

import pytest

from pillarbox.cli.doctor import make_parser
from pillarbox.cli.doctor_page import Page, document
from pillarbox.config.load import Wishes
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.examination import WISH, Examination, Result
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.patient import Patient

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = [DOCS / "doctor.md", DOCS / "doctor.zh.md"]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def text(request):
    """Return a page."""
    return request.param.read_text()


def test_every_option_is_explained(text):
    """None is missing, and none is explained that is not there."""
    options = {
        option
        for action in make_parser()._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    table = text.partition("| `--bundle FILE`")[0].partition("| `-a NAME`")[2] + "`--bundle"
    explained = set(re.findall(r"`(--[a-z-]+)", table))
    assert explained | {"--account", "--file"} == options


def test_every_field_of_the_json_is_explained(text):
    """And every state."""
    finding = Finding("config.missing", FAULT, "x")
    examination = Examination((Result(CHECKS[0], (finding,)),))
    row = document(examination, Patient(Wishes({}, env={})), "en", 0.0)
    (result,) = row["results"]
    names = {*row, *result, *result["findings"][0]}
    for name in (*names, FAULT, WARNING, NOTE, "ok", "skipped", WISH, "critical"):
        assert f"`{name}`" in text, name


def test_the_marks_are_those_of_the_page(text):
    """A person looks one up that he has seen."""
    page = Page("en")
    results = [Result(CHECKS[0], ()), Result(CHECKS[0], (), WISH)]
    results += [Result(CHECKS[0], (Finding("x", each, "x"),)) for each in (WARNING, FAULT)]
    for result in results:
        assert f"| `{page.check_line(result, CHECKS)[:2]}` |" in text


def test_both_pages_say_the_same():
    """As many headings, rows and commands."""
    english, chinese = (page.read_text() for page in PAGES)
    for pattern in (r"(?m)^#+ ", r"(?m)^\|", r"(?m)^    (?:\w|\d+ )"):
        assert len(re.findall(pattern, english)) == len(re.findall(pattern, chinese)), pattern
    commands = [
        re.findall(r"(?m)^    (?:sudo )?(?:pillarbox|systemctl|journalctl|tar) .*", text)
        for text in (english, chinese)
    ]
    assert commands[0] == commands[1]
