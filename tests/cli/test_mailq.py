"""``mailq``: what waits to be sent."""

import pytest

from pillarbox.cli import mailq
from programs import call_program, run_program


@pytest.mark.parametrize(
    "words", [[], ["-v"], ["-Ac"], ["--help"], ["x@example.org"], ["-X", "/x"]]
)
def test_nothing_waits(words):
    """There is no queue, so the listing is empty, whatever is asked."""
    result = call_program("mailq", words, b"this is no mail\n")
    assert (result.exit_code, result.out, result.err) == (0, "Mail queue is empty\n", "")


def test_in_a_real_process():
    """The same with an interpreter of its own, without a home or a configuration."""
    result = run_program("mailq", env={"HOME": ""})
    assert (result.exit_code, result.out, result.err) == (0, "Mail queue is empty\n", "")


def test_main_returns_the_exit_code(capsys):
    """The function that ``sendmail -bp`` calls prints and returns."""
    assert mailq.main(()) == 0
    assert capsys.readouterr().out == "Mail queue is empty\n"
