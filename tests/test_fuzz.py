"""A short slice of every fuzz file: its seeds, and a few hundred mutations of them."""

from __future__ import annotations

import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random

import pytest

FOLDER = Path(__file__).parent.parent / "fuzz"
FILES = sorted(FOLDER.glob("fuzz_*.py"))
ITERATIONS = 300
SECONDS = 0.8  # for each file; a slow one is cut short, and no machine is too slow for its seeds


def load(path):
    """Return a fuzz file, or the harness, as a module."""
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


harness = load(FOLDER / "harness.py")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_property_holds_for_seeds_and_mutations(path):
    """What a fuzz file states holds for its seeds and for a fixed run of mutations."""
    module = load(path)
    assert module.SEEDS
    for data in module.SEEDS:
        module.check(data)
    rng = Random(20240607)
    deadline = time.monotonic() + SECONDS
    for _ in range(ITERATIONS):
        if time.monotonic() > deadline:
            break
        data = harness.mutate(rng.choice(module.SEEDS), rng)
        try:
            module.check(data)
        except Exception as failure:
            failure.add_note(f"check({data!r})")
            raise


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_fuzz_file_states_its_property_and_refusals(path):
    """The docstring of a fuzz file says what holds, and what it may refuse and why."""
    text = load(path).__doc__
    assert "property:" in text
    assert "Allowed refusals:" in text


def test_every_parser_has_a_fuzz_file():
    """Nobody removes a fuzz file unseen."""
    names = {path.stem.removeprefix("fuzz_") for path in FILES}
    wanted = {"reply", "ehlo", "headers", "address", "wire", "client", "repair"}
    assert wanted <= names


def test_mutations_are_the_same_for_the_same_seed():
    """A failure in the slice is found again by running it again."""
    runs = [
        [harness.mutate(b"250 ok\r\n", rng) for _ in range(50)] for rng in (Random(1), Random(1))
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 40
    assert all(type(data) is bytes for data in runs[0])


def test_harness_prints_the_failing_input_and_exits_1(monkeypatch, capsys):
    """A found input is printed so that it can be pasted into a test."""
    monkeypatch.setattr(sys, "argv", ["fuzz_x.py", "0.1"])
    monkeypatch.setattr(harness, "find_spec", lambda _: None)

    def check(data):
        assert b"\0" not in data

    with pytest.raises(SystemExit) as end:
        harness.run(check, [b"fine", b"not\0fine"])
    assert end.value.code == 1
    assert "check(b'not\\x00fine')" in capsys.readouterr().out


def test_harness_searches_for_the_time_it_was_given(monkeypatch, capsys):
    """Without a failure it says how much was tried, and returns."""
    monkeypatch.setattr(sys, "argv", ["fuzz_x.py", "0.05"])
    monkeypatch.setattr(harness, "find_spec", lambda _: None)
    seen = []
    harness.run(seen.append, [b"seed"])
    assert seen[0] == b"seed"
    assert f"{len(seen) - 1} inputs" in capsys.readouterr().out


def test_harness_finds_a_planted_fault(monkeypatch, capsys):
    """Mutations get to a smuggled line end soon."""
    monkeypatch.setattr(sys, "argv", ["fuzz_x.py", "20"])
    monkeypatch.setattr(harness, "find_spec", lambda _: None)

    def check(data):
        assert b"\n.\n" not in data

    with pytest.raises(SystemExit):
        harness.run(check, [b"hello\r\n"])
    assert "check(b" in capsys.readouterr().out
