"""What an examination says, to each of its readers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pillarbox.cli.doctor_page import Page, account_name, document, state_of
from pillarbox.config.load import Wishes
from pillarbox.doctor.examination import WISH, Check, Examination, Result
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.patient import Patient
from pillarbox.text import bilingual, say

CHECKS = tuple(Check(name, bilingual(f"the {name}", f"{name}检查"), None) for name in "abcd")


def result(name, *findings, because=""):
    """Return what became of a check."""
    return Result(CHECKS["abcd".index(name)], findings, because)


def finding(code, severity, **settings):
    """Return a finding in both languages."""
    settings.setdefault("fix", bilingual(f"mend {code}", f"修正{code}"))
    return Finding(code, severity, bilingual(f"{code} is wrong", f"{code}有误"), **settings)


BROKEN = Examination(
    (
        result("a", finding("a.note", NOTE), finding("a.warning", WARNING)),
        result(
            "b",
            finding("b.fault", FAULT, meaning="it means this", evidence=("seen one", "seen two")),
        ),
        result("c", because="b"),
        result("d", because=WISH),
    )
)
CRITICAL = "PILLARBOX CRITICAL - account work: {} | faults=1 warnings=1 time=1.50s"
WARNED = "PILLARBOX WARNING - account work: {} | faults=0 warnings=1 time=1.50s"
FINE = "PILLARBOX OK - account work: {} | faults=0 warnings=0 time=1.50s"
HEALTHY = Examination((result("a"), result("b", finding("b.note", NOTE))))


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "en",
            [
                "!   the a: a.warning is wrong",
                "!!  the b: b.fault is wrong",
                "--  the c: not looked at, because of: the b",
                "--  the d: not looked at, as you wished",
            ],
        ),
        (
            "zh",
            [
                "!   a检查：a.warning有误",
                "!!  b检查：b.fault有误",
                "--  c检查：没有检查，原因在于：b检查",
                "--  d检查：按您的要求没有检查",
            ],
        ),
    ],
)
def test_a_line_for_each_check(language, lines):
    """A mark and words; a note leaves a check as good as it is."""
    page = Page(language)
    assert [page.check_line(each, CHECKS) for each in BROKEN.results] == lines
    assert page.check_line(HEALTHY.results[1], CHECKS).startswith("ok  ")


def test_the_outcome_begins_with_what_to_do_first():
    """The root cause with its fix, then what else is wrong, then what is good to know."""
    assert list(Page("en").outcome_lines(BROKEN)) == [
        "",
        "Root cause: b.fault is wrong  [b.fault]",
        "   do this: mend b.fault",
        "   it means this",
        "   seen: seen one",
        "   seen: seen two",
        "",
        "Besides:",
        "   warning: a.warning is wrong  [a.warning]",
        "      do this: mend a.warning",
        "",
        "Good to know:",
        "   a.note is wrong  [a.note]",
        "      do this: mend a.note",
        "",
    ]


def test_a_warning_is_no_cause_of_a_failure():
    """Mail goes; that is said first."""
    lines = list(Page("en").outcome_lines(Examination((BROKEN.results[0],))))
    assert lines[1] == "Mail goes, but: a.warning is wrong  [a.warning]"
    assert "Root cause" not in "".join(lines)
    assert list(Page("en").outcome_lines(Examination(()))) == [""]


def test_a_fix_is_never_broken_into_lines():
    """A record or a command of two hundred letters can be copied; its own lines stay lines."""
    long = "v=spf1 " + "include:spf.example.com " * 12 + "-all"
    found = finding("b.fault", FAULT, fix=say("publish this\n{record}", record=long), meaning=long)
    lines = list(Page("en").outcome_lines(Examination((result("b", found),))))
    assert lines[2:4] == ["   do this: publish this", f"      {long}"]
    assert all(len(line) <= 80 for line in lines[4:])


def test_nothing_that_a_server_said_reaches_a_terminal_as_it_is():
    """Attack: an escape sequence in a reply, which becomes evidence."""
    found = finding("b.fault", FAULT, evidence=("\x1b]0;owned\x07\x1b[31m",), meaning="\x9b31m")
    examination = Examination((result("b", found),))
    page = Page("en")
    patient = Patient(Wishes({}, env={}))
    said = [*page.outcome_lines(examination), page.summary(examination, "\x1b", 0.0)]
    said.append(str(document(examination, patient, "en", 0.0)))
    assert all("\x1b" not in line and "\x9b" not in line and "\x07" not in line for line in said)


@pytest.mark.parametrize(
    ("examination", "language", "line"),
    [
        (
            BROKEN,
            "en",
            CRITICAL.format("b.fault: b.fault is wrong; do this: mend b.fault"),
        ),
        (
            BROKEN,
            "zh",
            CRITICAL.format("b.fault：b.fault有误；请这样做：修正b.fault"),
        ),
        (
            HEALTHY,
            "en",
            FINE.format("nothing is wrong"),
        ),
        (
            Examination((BROKEN.results[0],)),
            "en",
            WARNED.format("a.warning: a.warning is wrong; do this: mend a.warning"),
        ),
        (
            Examination(
                (result("a", finding("a.end", NOTE, is_end=True)), result("b", because="a"))
            ),
            "en",
            FINE.format("nothing is wrong; checks that were not made: 1; do this: mend a.end"),
        ),
    ],
    ids=["fault", "chinese", "healthy", "warning", "not everything"],
)
def test_the_summary(examination, language, line):
    """The state in English, the first thing to do in the language, numbers behind the bar."""
    assert Page(language).summary(examination, "work", 1.5) == line


@given(
    texts=st.tuples(*[st.text(max_size=400)] * 4),
    seconds=st.floats(0, 1000),
    language=st.sampled_from(["en", "zh"]),
)
@example(texts=("a|b", "c | d", "e|f", "g|h"), seconds=0.0, language="en")
@example(texts=("a\nb", "c\nd", "e\nf\n", "g\r"), seconds=0.0, language="zh")
def test_a_summary_is_one_short_line_whatever_was_found(texts, seconds, language):
    """One bar, which begins the numbers; no line break; as long as monitoring takes."""
    account, problem, fix, code = texts
    found = Finding(code, FAULT, problem, fix=fix)
    line = Page(language).summary(Examination((result("a", found),)), account, seconds)
    assert len(line) <= 200
    assert line.isprintable()
    text, bar, numbers = line.partition(" | ")
    assert "|" not in text
    assert (bar, numbers.split("=")[0]) == (" | ", "faults")
    assert "|" not in numbers


def test_states_are_five():
    """Skipped, or the worst of what was found."""
    table = [
        (result("a"), "ok"),
        (result("a", finding("x", NOTE)), "note"),
        (result("a", finding("x", NOTE), finding("y", WARNING)), "warning"),
        (result("a", finding("x", WARNING), finding("y", FAULT)), "fault"),
        (result("a", because="b"), "skipped"),
    ]
    assert [state_of(each) for each, _ in table] == [state for _, state in table]


@pytest.mark.parametrize(("named", "name"), [(None, "default"), ("work", "work")])
def test_the_account_has_a_name_before_it_is_known(named, name):
    """The one that was asked for, else the default."""
    assert account_name(Patient(Wishes({}, env={}, account_name=named))) == name


def test_the_document_says_all():
    """Its keys are for ever; docs/doctor.md has them all."""
    row = document(BROKEN, Patient(Wishes({}, env={})), "en", 1.23456)
    assert list(row) == [
        "version", "pillarbox", "time", "seconds", "language", "state", "exit_code", "account",
        "host", "port", "sender", "provider", "root_cause", "results", "codes",
    ]  # fmt: skip
    assert row["root_cause"] == {
        "code": "b.fault",
        "severity": "fault",
        "problem": "b.fault is wrong",
        "meaning": "it means this",
        "fix": "mend b.fault",
        "evidence": ["seen one", "seen two"],
    }
    assert row["results"][2] == {
        "check": "c",
        "title": "the c",
        "state": "skipped",
        "because": "b",
        "findings": [],
    }
    assert row["codes"] == ["a.note", "a.warning", "b.fault"]
    assert (row["state"], row["exit_code"], row["seconds"]) == ("critical", 2, 1.235)
    assert document(HEALTHY, Patient(Wishes({}, env={})), "en", 0)["root_cause"] is None
