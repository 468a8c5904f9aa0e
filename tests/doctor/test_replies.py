"""What a server said: explained in both languages, and never shown as it came."""

from __future__ import annotations

from base64 import b64encode

import pytest

from pillarbox.doctor.replies import evidence_of, explain, told
from pillarbox.mail.reply import Reply
from pillarbox.secret import Secret
from pillarbox.text import localize, say

SECRET = Secret("correct horse")


def test_the_provider_s_explanation_comes_first():
    """In both languages, and with the provider's name before the cause."""
    found = explain("526 Authentication failure[0]", host="smtp.qiye.aliyun.com", stage="AUTH")
    assert found.provider
    assert found.cause.startswith("Alibaba Mail (enterprise, free and paid): Wrong user name")
    assert localize(found.cause, "zh").startswith(
        "阿里邮箱(企业邮箱,免费版/标准版)：账号或密码错误"
    )
    assert localize(found.fix, "zh").startswith("用户名填完整邮箱地址")
    assert found.retry == "no"


def test_the_greeting_gives_a_provider_away():
    """Behind a name of one's own it is the same server."""
    greeting = "220 smtp.aliyun-inc.com MX AliMail Server"
    text = "526 Authentication failure[0]"
    assert explain(text, host="smtp.example.com", greeting=greeting, stage="AUTH").provider
    assert not explain(text, host="smtp.example.com", stage="AUTH").provider


def test_what_is_so_anywhere_comes_second():
    """It is nobody's, and has no name before it."""
    found = explain("535 5.7.8 no", host="mail.example.org", stage="AUTH")
    assert not found.provider
    assert found.cause == "Login refused."
    assert localize(found.cause, "zh") == "登录被拒。"


def test_nobody_knows_a_text():
    """Nothing is made up."""
    assert explain("250 fine", host="mail.example.org", stage="MAIL") is None


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([b"no"], ("535 no",)),
        ([b"a", b"b"], ("535-a", "535 b")),
        (
            [b"%d" % number for number in range(9)],
            (*tuple(f"535-{n}" for n in range(3, 8)), "535 8"),
        ),
        ([b"you said correct horse"], ("535 you said ***",)),
        ([b64encode(b"\0user\0correct horse")], ("535 ***",)),
        ([b"\x1b[2J"], (r"535 \x1b[2J",)),
        ([b""], ("535",)),
    ],
)
def test_evidence_is_the_reply_without_the_secret(lines, shown):
    """The last lines of it, a line each, as they stood on the wire."""
    assert evidence_of(Reply(535, tuple(lines)), SECRET) == shown


def test_there_is_no_evidence_where_nothing_was_said():
    """None is no reply."""
    assert evidence_of(None, SECRET) == ()


def test_a_sentence_that_hides_nothing_stays_a_text():
    """It can be translated then."""
    text = say("the server closed the connection")
    assert told(text, SECRET) is text
    assert told(text, None) is text


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("it said correct horse", "it said ***"),
        ("it said \x07", r"it said \x07"),
        ("x" * 400, "x" * 300 + "..."),
    ],
)
def test_attack_sentence_that_quotes_the_secret(sentence, shown):
    """It is starred out, and what cannot be shown is escaped, and what is long is cut."""
    assert told(sentence, SECRET) == shown
