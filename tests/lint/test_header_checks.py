"""The checks of headers and envelope: what has the fault, and what only looks like it."""

import pytest

SUBJECTS = [
    ("HDR-SUBJ-CAPS", "SERVER DISK IS FULL"),
    ("HDR-SUBJ-CAPS", "=?utf-8?q?SERVER_DISK_FULL?="),
    ("HDR-SUBJ-CAPS", "BACKUP FAILED 2026-11-24 12:00"),
    ("HDR-SUBJ-CAPS", "ОШИБКА НА СЕРВЕРЕ"),
    ("HDR-SUBJ-MONEY", "invoice: $100"),
    ("HDR-SUBJ-MONEY", "账单 ￥300"),
    ("HDR-SUBJ-MONEY", "=?utf-8?q?=E2=82=AC_5?="),
    ("HDR-SUBJ-MONEY", "disk full!!"),
    ("HDR-SUBJ-MONEY", "磁盘已满！！"),
    ("HDR-SUBJ-TEST", "test"),
    ("HDR-SUBJ-TEST", "Hello!"),
    ("HDR-SUBJ-TEST", "[test]"),
    ("HDR-SUBJ-TEST", "测试"),
    ("HDR-SUBJ-TEST", "=?utf-8?b?5rWL6K+V6YKu5Lu2?="),
    ("HDR-SUBJ-TEST", "Backup"),
    ("HDR-SUBJ-TEST", "this is a TEST."),
    ("HDR-SUBJ-LONG", "word " * 31),
    ("HDR-SUBJ-LONG", "磁" * 151),
    ("HDR-SUBJ-LONG", "=?utf-8?q?" + "a" * 151 + "?="),
]
GOOD_SUBJECTS = [
    ("HDR-SUBJ-CAPS", "ERROR: disk of WEB01 is FULL"),
    ("HDR-SUBJ-CAPS", "DB01 OK"),
    ("HDR-SUBJ-CAPS", "CONFIGURATION"),
    ("HDR-SUBJ-CAPS", "磁盘空间不足 请检查 服务器告警 重要通知"),
    ("HDR-SUBJ-CAPS", "2026-11-24 12:00:00 +0000"),
    ("HDR-SUBJ-MONEY", "invoice: 100 USD"),
    ("HDR-SUBJ-MONEY", "disk full!"),
    ("HDR-SUBJ-MONEY", "disk! full!"),
    ("HDR-SUBJ-TEST", "web01: test of the mail"),
    ("HDR-SUBJ-TEST", "这是一封测试发送的邮件"),
    ("HDR-SUBJ-TEST", "backup done"),
    ("HDR-SUBJ-TEST", ""),
    ("HDR-SUBJ-LONG", "a" * 150),
    ("HDR-SUBJ-LONG", "磁" * 150),
]


@pytest.mark.parametrize(("rule", "subject"), SUBJECTS)
def test_subject_has_the_fault(find, rule, subject):
    """The decoded Subject is what counts."""
    assert [place for place, _ in find(rule, f"Subject: {subject}\n\n".encode())] == ["Subject"]


@pytest.mark.parametrize(("rule", "subject"), GOOD_SUBJECTS)
def test_subject_looks_like_the_fault(find, rule, subject):
    """Little of it, or one word of it, is no fault."""
    assert find(rule, f"Subject: {subject}\n\n".encode()) == []


def test_raw_bytes_of_a_subject_are_understood(find):
    """A Subject in GBK is read as a person would read it."""
    assert find("HDR-SUBJ-TEST", "Subject: 测试邮件\n\n".encode("gb18030"))


FAULTS = [
    ("HDR-PRECEDENCE", b"Precedence: bulk", "bulk"),
    ("HDR-PRECEDENCE", b"precedence : JUNK", "JUNK"),
    ("HDR-PRECEDENCE", b"Precedence:  bulk ", "bulk"),
    ("HDR-MID-SENDER", b"From: a@example.com\nMessage-ID: <12.a@example.com>", None),
    ("HDR-MID-SENDER", b"From: Me <A@Example.com>\nMessage-ID: <12.a@example.com>", None),
    ("HDR-MID-SENDER", b"From: a@example.com\nMessage-ID:\n <x-A@EXAMPLE.COM>", None),
    ("HDR-FROM-MISSING", b"Subject: x", ""),
    ("HDR-FROM-MISSING", b"X-From: a@example.com", ""),
    ("HDR-FROM-MISSING", b"Sender: a@example.com", ""),
    ("HDR-FROM-NODOMAIN", b"From: root", "root"),
    ("HDR-FROM-NODOMAIN", b"From: Cron <root@web01>", "root@web01"),
    ("HDR-FROM-NODOMAIN", b"From: root@LOCALHOST.localdomain", "root@LOCALHOST.localdomain"),
    ("HDR-FROM-NODOMAIN", b"From: root@web01.local", "root@web01.local"),
    ("HDR-TO-MISSING", b"Subject: x", ""),
    ("HDR-TO-MISSING", b"From: a@example.com\nReply-To: a@example.com", ""),
    ("HDR-TO-MISSING", b"Bcc: a@example.com", ""),
    ("HDR-TO-UNDISCLOSED", b"To: undisclosed-recipients:;", None),
    ("HDR-TO-UNDISCLOSED", b"To: Undisclosed recipients: ;", None),
    ("HDR-TO-UNDISCLOSED", b"To: a group:;\nSubject: x", None),
    ("REPLYTO-FREEMAIL", b"From: a@example.com\nReply-To: me@gmail.com", "me@gmail.com"),
    ("REPLYTO-FREEMAIL", b"From: a@example.com\nReply-To: Me <me@QQ.com>", "me@QQ.com"),
    ("REPLYTO-FREEMAIL", b"From: a@163.com\nReply-To: b@126.com", "b@126.com"),
    ("HDR-INJECT", b"Subject: a\0b", None),
    ("HDR-INJECT", b"Subject: a\rBcc: victim@example.org", None),
    ("HDR-INJECT", b"X: 1\nSubject: folded\n on\rtwo", None),
]
GOODS = [
    ("HDR-PRECEDENCE", b"Precedence: list"),
    ("HDR-PRECEDENCE", b"X-Precedence: bulk"),
    ("HDR-MID-SENDER", b"From: a@example.com\nMessage-ID: <12.b@example.com>"),
    ("HDR-MID-SENDER", b"From: root\nMessage-ID: <root.1@web01.example.com>"),
    ("HDR-MID-SENDER", b"From: a@example.com"),
    ("HDR-FROM-MISSING", b"from: a@example.com"),
    ("HDR-FROM-MISSING", b"From : root"),
    ("HDR-FROM-NODOMAIN", b"From: root@web01.example.com"),
    ("HDR-FROM-NODOMAIN", b"From: a@local.example"),
    ("HDR-TO-MISSING", b"To: a@example.com"),
    ("HDR-TO-MISSING", b"Cc: a@example.com"),
    ("HDR-TO-UNDISCLOSED", b"To: team: a@example.com;"),
    ("HDR-TO-UNDISCLOSED", b"To: undisclosed-recipients:;\nCc: a@example.com"),
    ("HDR-TO-UNDISCLOSED", b"Subject: undisclosed-recipients:;"),
    ("REPLYTO-FREEMAIL", b"From: a@gmail.com\nReply-To: b@gmail.com"),
    ("REPLYTO-FREEMAIL", b"From: a@example.com\nReply-To: b@example.org"),
    ("REPLYTO-FREEMAIL", b"Reply-To: b@gmail.com"),
    ("HDR-INJECT", b"Subject: a\r\nX: b\r"),
    ("HDR-INJECT", b"Subject: a\n\na\0b\rc"),
]


@pytest.mark.parametrize(("rule", "head", "evidence"), FAULTS)
def test_header_has_the_fault(find, rule, head, evidence):
    """Each of these is found once."""
    found = find(rule, head + b"\n\ntext\n")
    assert len(found) == 1
    assert evidence is None or found[0][1] == evidence


@pytest.mark.parametrize(("rule", "head"), GOODS)
def test_header_looks_like_the_fault(find, rule, head):
    """Each of these is in order, as far as this rule goes."""
    assert find(rule, head + b"\n\ntext\n") == []


def test_control_of_a_header_is_shown_as_escape(find):
    """What would move a terminal's cursor or end a line is quoted (attack: header injection)."""
    assert find("HDR-INJECT", b"Subject: a\rBcc: b\n\n") == [("Subject", "Subject: a\\x0dBcc: b")]


@pytest.mark.parametrize(("head", "to", "hidden"), [
    (b"To: a@example.com", ["b@example.com"], ["b@example.com"]),
    (b"To: a@example.com", ["A@example.com", "b@example.com"], ["b@example.com"]),
    (b"To: a@example.com\nBcc: b@example.com", [], ["b@example.com"]),
    (b"Cc: a@example.com", [f"{n}@example.org" for n in range(9)],
     [*(f"{n}@example.org" for n in range(5)), "and 4 more"]),
    (b"To: a@example.com", ["a@EXAMPLE.com"], []),
    (b"To: a@example.com\nCc: b@example.com", ["b@example.com", "a@example.com"], []),
    (b"To: a@example.com", [], []),
    (b"Subject: x", ["a@example.com"], []),
])  # fmt: skip
def test_hidden_recipients_are_found(find, head, to, hidden):
    """Who gets the mail and is not named, unless nobody is."""
    found = find("HDR-TO-FORGED", head + b"\n\n", to=to)
    assert [evidence for _, evidence in found] == hidden


@pytest.mark.parametrize(("sender", "to", "count"), [
    ("grüße@example.com", [], 1),
    ("a@example.com", ["用户@example.com"], 1),
    ("ü@example.com", ["用户@example.com", "b@example.com"], 2),
    ("a@example.com", ["b@例子.cn"], 0),
    ("a@example.com", ["b@example.com"], 0),
    (None, [], 0),
])  # fmt: skip
def test_unicode_addresses_are_found(find, sender, to, count):
    """Only the local-part matters: a domain has an ASCII form."""
    found = find("ENV-ASCII", b"Subject: x\n\n", sender=sender, to=to)
    assert [place for place, _ in found] == ["envelope"] * count


@pytest.mark.parametrize(("count", "limit", "evidence"), [
    (101, 100, ["101 recipients of 100"]),
    (3, 2, ["3 recipients of 2"]),
    (500, 100, ["500 recipients of 100"]),
    (100, 100, []),
    (1, 2, []),
])  # fmt: skip
def test_many_recipients_are_found(find, count, limit, evidence):
    """More than the server takes at once."""
    to = [f"{number}@example.com" for number in range(count)]
    found = find("ENV-RCPT-COUNT", b"Subject: x\n\n", to=to, max_recipients=limit)
    assert [text for _, text in found] == evidence
