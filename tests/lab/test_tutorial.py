"""The tutorial from its beginning to its end: a new machine, and its mail is in a mailbox."""

import re
import sys
from email import message_from_bytes, policy

from lab.machine import ALICE, SERVICE
from lab.terminal import Terminal

SENDER, READER = "no-reply@example.com", "me@test.com"
SPF = "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"
COMMAND = (
    r'echo -e "Subject: 这是一封测试发送的邮件, 来自服务器\n\n这里是邮件内容, 仅用于测试"'
    f" | msmtp {READER}"
)
CRON = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@web1> backup\n\ndisk full\n"


def parse(mail):
    """Return a mail as its reader's program sees it."""
    return message_from_bytes(mail.content, policy=policy.default)


def plain_tool(machine):
    """Let ``pillarbox`` be there as after ``pip install``, and nothing else of it."""
    machine.write(
        "/usr/local/bin/pillarbox", f'#!/bin/sh\nexec {sys.executable} -m pillarbox "$@"\n', 0o755
    )


def look_at_dns(machine):
    """One SPF record from two, and the whole set of records; nothing is written."""
    merged = machine.run("pillarbox", "spf", "merge", "example.com", "--add", "a:mail.example.com")
    assert merged.exit_code == 0, merged
    assert SPF in merged.out, merged
    assert "not needed" in merged.out + merged.err, merged
    records = machine.run("pillarbox", "dns", "example.com")
    assert records.exit_code == 0, records
    assert "v=spf1 include:spf.qiye.aliyun.com -all" in records.out, records


# What is shown before the password is typed, and before the word of the test mail is.
PROMPTS = {
    "en": ("(is not shown)", "type the word"),
    "zh": ("（输入时不显示）", "请输入邮件中的词"),
}


def set_up(scene, language="en"):
    """Answer the questions: a wrong password, the right one, and the word of the test mail."""
    machine = scene.machine
    password, token = PROMPTS[language]
    with Terminal(machine, "pillarbox", "setup", SENDER, "--to", READER) as terminal:
        terminal.wait_for(password)
        assert "三方客户端" in terminal.shown  # the menu of the console, by its own name
        terminal.type("not the password")
        terminal.wait_for(password)
        terminal.type(scene.password)
        terminal.wait_for(token)
        (mail,) = scene.provider.wait_for_mails(1)
        (word,) = re.findall(r"(?m)^    ([A-Z0-9]+)\r?$", parse(mail).get_content())
        terminal.type(word)
        assert terminal.end() == 0, terminal.shown
    assert scene.password not in terminal.shown
    assert "not the password" not in terminal.shown
    path = machine.path("/etc/msmtprc")
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"user {SENDER}\n" in path.read_text()


def test_tutorial(scene):
    """From the DNS to cron: each step does what the tutorial needs, and tells what is next."""
    scene.machine.forget_user(SERVICE)
    machine = scene.machine
    plain_tool(machine)
    scene.provide()

    missing = machine.run("pillarbox", "doctor")
    assert missing.exit_code == 2, missing
    assert "pillarbox setup" in missing.out, missing

    look_at_dns(machine)
    set_up(scene)

    green = machine.run("pillarbox", "doctor")
    assert green.exit_code == 0, green

    machine.own_usr()
    installed = machine.run("pillarbox", "install", "--yes", "--no-units")
    assert installed.exit_code == 0, installed

    sent = machine.run("bash", "-c", COMMAND)
    assert sent.exit_code == 0, sent
    assert sent.out == sent.err == ""
    mail = scene.provider.wait_for_mails(2)[-1]
    assert str(mail.reverse_path) == SENDER
    assert [str(path) for path in mail.forward_paths] == [READER]
    assert mail.tls_version.startswith("TLSv1.")
    letter = parse(mail)
    assert letter["Subject"] == "这是一封测试发送的邮件, 来自服务器"
    assert letter["From"].addresses[0].addr_spec == SENDER
    assert letter["To"].addresses[0].addr_spec == READER
    assert letter["Date"].datetime is not None
    assert letter["Message-ID"].endswith("@example.com>")
    assert letter.get_content().strip() == "这里是邮件内容, 仅用于测试"
    assert letter.get_content_charset() == "utf-8"
    assert mail.content.partition(b"\r\n\r\n")[0].isascii()

    cron = machine.run("/usr/sbin/sendmail", "-i", "-FCronDaemon", "root", stdin=CRON)
    assert cron.exit_code == 0, cron
    mail = scene.provider.wait_for_mails(3)[-1]
    assert str(mail.reverse_path) == SENDER
    assert [str(path) for path in mail.forward_paths] == [READER]
    assert "backup" in parse(mail)["Subject"]

    still_green = machine.run("pillarbox", "doctor")
    assert still_green.exit_code == 0, still_green


def test_setup_in_chinese(scene):
    """The dialogue is in the reader's language, and ends with the same file and the same mail."""
    scene.machine.forget_user(SERVICE)
    plain_tool(scene.machine)
    scene.provide()
    scene.machine.environment["LC_ALL"] = "zh_CN.UTF-8"
    set_up(scene, "zh")
    green = scene.machine.run("pillarbox", "doctor", "--summary")
    assert green.exit_code == 0, green
    (mail,) = scene.provider.mails
    assert "测试邮件" in parse(mail)["Subject"]


def test_tutorial_with_the_service(scene):
    """
    The tutorial's trap is gone: with mode 600 for all but the service, every user can send.

    Nobody but the service can read the password.
    """
    scene.serve()
    scene.machine.become(ALICE)
    sent = scene.machine.run("bash", "-c", COMMAND)
    assert sent.exit_code == 0, sent
    (mail,) = scene.provider.wait_for_mails(1)
    assert parse(mail)["Subject"] == "这是一封测试发送的邮件, 来自服务器"
    refused = scene.machine.run("cat", "/etc/msmtprc")
    assert refused.exit_code != 0
    assert scene.password not in refused.out
