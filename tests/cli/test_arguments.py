"""The command lines for people."""

import pytest

from programs import call_program


@pytest.mark.parametrize("command", ["try", "lint", "send"])
@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_a_wrong_option_is_told_with_where_to_look(command, language):
    """One sentence, one advice, exit code 64, and no usage page in between."""
    result = call_program("pillarbox", [command, "--nonsense"], b"", {"LC_ALL": language})
    assert (result.exit_code, result.out) == (64, "")
    problem, advice = result.err.splitlines()
    assert "--nonsense" in problem
    assert f"'pillarbox {command} --help'" in advice
