"""Plain letters about mail that fails: a digest, and an account that is broken."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.notice import SHOWN, Frame, Row, broken, digest, text_part
from strict import faults

NOW_S = 1795489200.0  # Tue, 24 Nov 2026 03:00:00 +0000


def frame(languages=("en", "zh")):
    """Return who tells whom."""
    return Frame(
        parse_mailbox("alerts@example.org"),
        (parse_mailbox("tim@example.org"),),
        hostname="web01",
        epoch_s=NOW_S,
        message_id="<new.1@example.org>",
        languages=languages,
    )


def row(number, **problems):
    """Return a mail of a digest."""
    return Row(f"id-{number}", NOW_S - number, f"backup {number}", "ann@example.com", problems)


def parsed(octets):
    """Return a letter as Python's email reads it, and its text."""
    assert faults(octets, now_s=NOW_S) == []
    whole = message_from_bytes(octets, policy=policy.default)
    return whole, whole.get_content()


def test_a_digest_names_every_mail():
    """In each language, with what happened in that language."""
    rows = [row(1, en="refused", zh="被拒绝"), row(2, en="expired")]
    whole, text = parsed(digest(frame(), rows, 2))
    assert whole["Subject"] == "web01: more mail was not delivered (2)"
    assert whole["Auto-Submitted"] == "auto-replied"
    english, chinese = text.split("* * *")
    for part in (english, chinese):
        assert "backup 1" in part
        assert "id-2" in part
        assert "ann@example.com" in part
    assert "refused" in english
    assert "被拒绝" in chinese
    assert "and" not in chinese


def test_a_digest_counts_what_it_does_not_name():
    """The rest is a number."""
    _, text = parsed(digest(frame(("en",)), [row(1, en="refused")], 300))
    assert "and 299 more" in text
    _, text = parsed(digest(frame(("en",)), [row(1, en="refused")], 1))
    assert "more" not in text


def test_a_broken_account_is_named_with_what_to_do():
    """Its name, the problem, the advice, how many wait, and the command."""
    octets = broken(
        frame(),
        "work",
        {"en": "login refused", "zh": "登录被拒绝"},
        waiting=12,
        advice={"en": "set a new password", "zh": "请设置新密码"},
    )
    whole, text = parsed(octets)
    assert whole["Subject"] == "web01: the account work cannot send"
    english, chinese = text.split("* * *")
    assert "login refused" in english
    assert "what to do: set a new password" in english
    assert "Mail that waits for it: 12" in english
    assert "登录被拒绝" in chinese
    assert "请设置新密码" in chinese
    for part in (english, chinese):
        assert "pillarbox queue resume work" in part


def test_a_broken_account_without_advice():
    """Nothing is made up."""
    _, text = parsed(broken(frame(("en",)), "work", {"en": "it is so"}, waiting=0))
    assert "what to do" not in text


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@example.com", "\x1b[2J", "\u202etxt", "x" * 5000])
def test_header_injection_by_what_is_shown(evil):
    """Names and sentences become one line each, of bounded length."""
    octets = broken(frame(), evil, {"en": evil, "zh": evil}, waiting=1)
    whole, text = parsed(octets)
    assert "Bcc" not in whole
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.split("\n"))) < SHOWN + 200
    rows = [Row(evil, NOW_S, evil, evil, {"en": evil, "zh": evil})]
    assert "\x1b" not in parsed(digest(frame(), rows, 1))[1]


@pytest.mark.parametrize(("text", "encoding"), [
    ("plain\n", b"7bit"),
    ("caf\u00e9 and a long English sentence around it\n", b"quoted-printable"),
    ("磁盘空间不足\n", b"base64"),
])  # fmt: skip
def test_the_shorter_encoding_is_taken(text, encoding):
    """Each comes out as it went in."""
    part = text_part(text)
    assert b"Content-Transfer-Encoding: " + encoding + b"\r\n" in part
    assert message_from_bytes(part, policy=policy.default).get_content().strip() == text.strip()
