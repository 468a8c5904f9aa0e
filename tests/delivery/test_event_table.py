"""Every event that the code tells is in the table, and says what the table promises."""

import ast
from pathlib import Path

import pytest

from pillarbox.delivery.event_table import EVENTS, FIELDS

PACKAGE = Path(__file__).parent.parent.parent / "src" / "pillarbox"

# Calls whose name is a variable: what it may be. What is handed on is told by somebody else.
_VARIABLES = {"action": ("delivered", "deferred", "bounced"), "name": (), "event": ()}


def _calls():
    """Yield each call of ``.event(`` and of ``view.tell(``, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "event" and len(node.args) == 2:
                yield path, node, node.args[1]
            elif name == "tell" and ast.unparse(node.func) == "view.tell":
                yield path, node, node.args[0]


def _names(node):
    """Return the names that a call may tell."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*_names(node.body), *_names(node.orelse)]
    return _VARIABLES[ast.unparse(node)]


CALLS = [
    pytest.param(name, node, id=f"{path.stem}:{node.lineno}:{name}")
    for path, node, word in _calls()
    for name in _names(word)
]


def test_finds_the_calls():
    """The search sees the calls, so that what it checks means something."""
    told = {call.values[0] for call in CALLS}
    assert len(CALLS) > 30
    assert {"accepted", "delivered", "account_paused", "account_failed", "started"} <= told


@pytest.mark.parametrize(("name", "node"), CALLS)
def test_an_event_that_is_told_is_in_the_table(name, node):
    """Its name and each of its fields are described."""
    assert name in EVENTS
    fields = {keyword.arg.rstrip("_") for keyword in node.keywords if keyword.arg}
    assert fields <= set(EVENTS[name].fields)


@pytest.mark.parametrize("name", EVENTS)
def test_a_row_is_complete(name):
    """Each row says what happened, and each field what it says."""
    kind = EVENTS[name]
    assert name.islower()
    assert kind.meaning.endswith(".")
    assert set(kind.fields) <= set(FIELDS)
    assert len(set(kind.fields)) == len(kind.fields)


def test_no_row_is_left_over():
    """What nobody tells any more is not in the manual."""
    told = {call.values[0] for call in CALLS}
    assert set(EVENTS) - told <= {"held", "released", "retried", "deleted", "edited"}


def test_no_field_is_left_over():
    """Each field that is described belongs to an event."""
    assert set(FIELDS) == {field for kind in EVENTS.values() for field in kind.fields}


def test_what_a_mail_is_followed_by_is_kept():
    """Each event that names a mail is in the history, but for those about the machine."""
    kept = {name for name, kind in EVENTS.items() if kind.is_history and "id" in kind.fields}
    named = {name for name, kind in EVENTS.items() if "id" in kind.fields}
    assert named - kept == {"suspended", "spool_failed", "log_failed"}
