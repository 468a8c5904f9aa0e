"""What a reply says by its numbers alone."""

import pytest

from pillarbox.config.meanings import (
    class_text,
    code_text,
    enhanced_texts,
    group_text,
    subject_text,
)

ENHANCED = [
    ("5.1.1", ["there is no such mailbox"]),
    ("4.1.1", ["there is no such mailbox"]),
    ("5.7.26", ["several checks of the sender (SPF, DKIM, DMARC) failed"]),
    ("5.7.139", ["about security and rules"]),  # Microsoft's own
    ("5.4.5", ["the mail system is congested"]),
    ("5.9.1", []),
    ("2.0.0", ["no further word on what"]),
]


@pytest.mark.parametrize(("enhanced", "texts"), ENHANCED)
def test_enhanced_code(enhanced, texts):
    """The detail if it is registered, else the subject, else nothing."""
    assert list(enhanced_texts(enhanced)) == texts


def test_every_code_has_a_class_and_a_defined_one_a_text():
    """RFC 5321 4.2.1: the first digit always says something."""
    for code in range(200, 560):
        assert class_text(code)
    for code in (421, 450, 451, 452, 454, 455, 500, 501, 502, 503, 504, 530, 534, 535, 538, 550):
        assert code_text(code)
    assert code_text(526) == ""
    assert group_text(526) == "about the connection"
    assert group_text(571) == ""


def test_every_subject_of_the_registry_is_known():
    """RFC 3463 3.1: 0 to 7."""
    assert all(subject_text(f"5.{subject}.0") for subject in range(8))
    assert subject_text("5.8.0") == ""
