"""``newaliases``: rebuild the alias database, of which there is none."""

import pytest

from pillarbox.cli import newaliases
from programs import call_program, run_program


@pytest.mark.parametrize("words", [[], ["-v"], ["--help"], ["/etc/aliases"], ["-oA/etc/x", "-bi"]])
def test_there_is_nothing_to_do(tmp_path, words):
    """Package scripts call it and want a success; it reads and writes nothing."""
    result = call_program("newaliases", words, b"x\n", cwd=tmp_path)
    assert (result.exit_code, result.out, result.err) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_in_a_real_process():
    """The same with an interpreter of its own."""
    result = run_program("newaliases")
    assert (result.exit_code, result.out, result.err) == (0, "", "")


def test_main_returns_the_exit_code(capsys):
    """The function that ``sendmail -bi`` calls is silent."""
    assert newaliases.main(("x",)) == 0
    assert capsys.readouterr() == ("", "")
