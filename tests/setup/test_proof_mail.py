"""The word of the test mail."""

import pytest

from pillarbox.setup.proof_mail import is_token, make_token


def test_the_word_is_easy_to_read_and_new_each_time():
    """Six capitals and digits, none of which looks like another one."""
    words = {make_token() for _ in range(100)}
    assert len(words) == 100
    assert {len(word) for word in words} == {6}
    assert not set("".join(words)) & set("0O1IL")
    assert all(word.isalnum() and word.isupper() | word.isdecimal() for word in words)


@pytest.mark.parametrize(("typed", "is_right"), [
    ("ABC234", True), ("abc234", True), (" abc 234 ", True), ("abc23", False), ("", False),
    ("abc2345", False), ("xyz", False),
])  # fmt: skip
def test_the_word_is_recognised(typed, is_right):
    """In whatever case and spacing it is typed."""
    assert is_token(typed, "ABC234") is is_right
