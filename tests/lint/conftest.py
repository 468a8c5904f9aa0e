"""A letter for the checks, and the one check that is asked."""

import pytest

from pillarbox.lint.check import LintFacts, read_letter
from pillarbox.lint.rules import CHECKS
from pillarbox.mail.address import parse_mailbox

GOOD = (
    b"From: Web01 <no-reply@example.com>\r\n"
    b"To: admin@example.net\r\n"
    b"Subject: web01: the backup is done\r\n"
    b"Date: Tue, 24 Nov 2026 03:00:00 +0000\r\n"
    b"Message-ID: <1.2@example.com>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"The backup of last night took 12 minutes.\r\n"
)
NOW_S = 1795489200.0  # Tue, 24 Nov 2026 03:00:00 +0000


def make_facts(sender="no-reply@example.com", to=(), **others):
    """Return what is known besides, with little to say."""
    return LintFacts(
        sender=parse_mailbox(sender) if sender else None,
        recipients=tuple(parse_mailbox(text) for text in to),
        epoch_s=NOW_S,
        message_id="<3.4@example.com>",
        host="web01",
        **others,
    )


@pytest.fixture
def good():
    """Return a mail with nothing wrong."""
    return GOOD


@pytest.fixture
def facts():
    """Return a function that makes the facts."""
    return make_facts


@pytest.fixture
def find():
    """Return a function: what one rule finds in a mail, as (place, evidence)."""

    def find(rule, mail, size_bytes=0, **known):
        letter = read_letter(mail, make_facts(**known), size_bytes=size_bytes)
        check = next(check for check in CHECKS if check.rule.id == rule)
        return [(spot.place, str(spot.evidence)) for spot in check.find(letter)]

    return find
