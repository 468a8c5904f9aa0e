"""An examination: the order of blame, what is not looked at, and what a check may come to."""

import pytest

from pillarbox.config.load import Wishes
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.examination import WISH, Check, examine
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.patient import Patient
from pillarbox.errors import ConfigError, MissingExtraError, NetworkError


@pytest.fixture
def patient():
    """Return somebody of whom nothing is known."""
    return Patient(Wishes({}, env={}))


def check(name, *findings, needs=(), error=None):
    """Return a check that finds what it is told to."""

    def run(_patient):
        yield from findings
        if error is not None:
            raise error

    codes = [finding.code for finding in findings]
    return Check(name, f"the {name}", run, needs=needs, codes=codes)


def finding(code, severity=FAULT, **settings):
    """Return a finding that says its code."""
    return Finding(code, severity, f"problem {code}", **settings)


def states(examination):
    """Return who is to blame, by the name of each check."""
    return {result.check.name: result.because for result in examination.results}


def test_what_needs_a_faulty_check_is_not_made(patient):
    """It is blamed on the first cause, not on what stands between; others are made."""
    made = []

    def watched(name, needs):
        return Check(name, name, lambda _: made.append(name) or (), needs=needs)

    checks = [
        check("a", finding("a.x")),
        watched("b", ("a",)),
        watched("c", ("b",)),
        watched("d", ()),
    ]
    examination = examine(patient, checks)
    assert states(examination) == {"a": "", "b": "a", "c": "a", "d": ""}
    assert made == ["d"]


@pytest.mark.parametrize(
    ("found", "is_blamed"),
    [
        (finding("a.x", FAULT), True),
        (finding("a.x", WARNING), False),
        (finding("a.x", NOTE), False),
        (finding("a.x", NOTE, is_end=True), True),
    ],
    ids=["fault", "warning", "note", "end"],
)
def test_only_a_fault_or_an_end_is_in_the_way(found, is_blamed, patient):
    """A warning keeps nobody from looking further."""
    examination = examine(patient, [check("a", found), check("b", needs=("a",))])
    assert states(examination)["b"] == ("a" if is_blamed else "")


@pytest.mark.parametrize(
    ("severities", "cause", "exit_code"),
    [
        ((), None, 0),
        ((NOTE,), None, 0),
        ((NOTE, WARNING, WARNING), "b.x", 1),
        ((WARNING, NOTE, FAULT, FAULT), "c.x", 2),
        ((FAULT, WARNING), "a.x", 2),
    ],
    ids=str,
)
def test_the_root_cause_is_the_first_of_the_worst(severities, cause, exit_code, patient):
    """A fault behind a warning goes before it; a note is no cause."""
    checks = [
        check(name, finding(f"{name}.x", severity))
        for name, severity in zip("abcd", severities, strict=False)
    ]
    examination = examine(patient, checks)
    assert (examination.root_cause and examination.root_cause.code) == cause
    assert examination.exit_code == exit_code


@pytest.mark.parametrize(
    ("error", "code", "severity", "words"),
    [
        (NetworkError("no answer", peer="x", advice="ask again"), "a.failed", FAULT, "ask again"),
        (ConfigError("wrong", path="/f", line=3), "a.failed", FAULT, "mend what it says"),
        (MissingExtraError("needs it", "dns"), "a.extra", NOTE, "pip install 'pillarbox[dns]'"),
        (ValueError("hunter2"), "a.bug", WARNING, "--bundle"),
        (OSError(5, "hunter2"), "a.bug", WARNING, "--bundle"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_becomes_a_finding(error, code, severity, words, patient):
    """What was found before it stays, and the checks behind it are made."""
    checks = [check("a", finding("a.x", NOTE), error=error), check("b", finding("b.x"))]
    first, second = examine(patient, checks).results
    found = first.findings[-1]
    assert [each.code for each in first.findings] == ["a.x", code]
    assert found.severity == severity
    assert words in found.fix
    assert [each.code for each in second.findings] == ["b.x"]


def test_a_bug_is_told_by_its_place_and_not_by_its_words(patient):
    """Attack: an exception's text may hold what was being handled, such as a secret."""
    (result,) = examine(patient, [check("a", error=ValueError("hunter2"))]).results
    (found,) = result.findings
    shown = " ".join((found.problem, found.meaning, found.fix, *found.evidence))
    assert "ValueError" in shown
    assert "test_examination:" in found.evidence[0]
    assert "hunter2" not in shown


def test_a_code_that_is_not_in_the_row_is_a_bug(patient):
    """The reference page would not have it."""
    rogue = Check("a", "a", lambda _: [finding("a.unheard")], codes=("a.x",))
    (result,) = examine(patient, [rogue]).results
    assert [each.code for each in result.findings] == ["a.bug"]


def test_what_nobody_wants_is_left_out_with_what_needs_it(patient):
    """It is nobody's fault, and no fault."""
    checks = [check("a", finding("a.x")), check("b", needs=("a",)), check("c")]
    examination = examine(patient, checks, left_out=("a",))
    assert states(examination) == {"a": WISH, "b": WISH, "c": ""}
    assert examination.exit_code == 0


def test_each_result_is_told_as_it_is_there(patient):
    """A person does not wait for the last check to hear of the first."""
    told = []
    heard = Check("b", "b", lambda _: told.append("b runs") or ())
    examine(patient, [check("a"), heard], lambda result: told.append(result.check.name))
    assert told == ["a", "b runs", "b"]


def test_the_table_is_in_order():
    """Each check has a name and codes of its own, and needs only those before it."""
    names = []
    for row in CHECKS:
        assert set(row.needs) <= set(names), row.name
        assert row.name not in (*names, WISH)
        names.append(row.name)
        for code in row.codes:
            first, _, word = code.partition(".")
            assert (first, word in ("extra", "bug")) == (row.name, False), code
        assert len(set(row.codes)) == len(row.codes), row.name
