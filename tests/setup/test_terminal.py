"""The whole dialogue on a real terminal, and every way to end it."""

from __future__ import annotations

import _thread
import os
import re
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from person import CTRL_C, CTRL_D, Person
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.setup.terminal import Terminal, has_terminal
from setup_world import ME, SECRET, make_world, mode_of, tree

OLD = "account default\nhost old\npassword hunter2\n"

# question -> how it begins, in both languages.
PROMPTS = {
    "address": {"en": "the address that mail is sent from: ", "zh": "发件邮箱地址："},
    "provider": {"en": "or the server's name: ", "zh": "或服务器的名字："},
    "password": {"en": "(is not shown): ", "zh": "（输入时不显示）："},
    "change": {"en": "the old one is kept [Y/n]: ", "zh": "旧文件会保留（Y/n，直接回车表示是）："},
    "word": {"en": "or Enter to leave it: ", "zh": "或直接回车跳过："},
}  # fmt: skip

GOOD = {
    "login": {"en": "the login works", "zh": "登录成功"},
    "arrived": {"en": "it has arrived", "zh": "邮件已收到"},
    "kept": {"en": "the old one is ", "zh": "旧的文件是 "},
    "wrong": {"en": "that is not the word", "zh": "不是这个词"},
    "skipped": {"en": "arrives is not known", "zh": "能否收到"},
}


@pytest.fixture
def world(tmp_path):
    """Return a home with an account in it, and a provider."""
    with make_world(tmp_path) as made:
        made.rc.write_text(OLD)
        made.rc.chmod(0o600)
        yield made


def sit_down(world, *arguments, language="en", server=True, **how):
    """Return a person at the beginning of the dialogue."""
    options = {key: to for key, to in world.server.items() if key != "--password-file"}
    words = [word for key, to in options.items() for word in (key, to)] if server else []
    command = ["setup", "--user", "--lang", language, *words, *arguments]
    return Person(command, world.env, **how)


def answer(person, name, text, language="en"):
    """Wait for a question, and answer it."""
    person.wait_for(PROMPTS[name][language])
    person.type(text)


def go_on_until(person, question):
    """Answer what comes before a question."""
    for name, text in (("address", ME), ("password", SECRET), ("change", "y"), ("word", "")):
        if name == question:
            person.wait_for(PROMPTS[name]["en"])
            return
        answer(person, name, text)


def word_in(mail):
    """Return the word of a test mail."""
    return re.search(r"^    (\w+)\r$", mail.content.decode(), re.MULTILINE).group(1)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("is_plain", [False, True], ids=["rich", "plain"])
def test_the_whole_dialogue(world, language, is_plain):
    """Address, password, a yes, and the word of the mail: nothing else is asked."""
    with sit_down(world, language=language, is_plain=is_plain) as person:
        answer(person, "address", ME, language)
        answer(person, "password", SECRET, language)
        person.wait_for(GOOD["login"][language])
        answer(person, "change", "", language)
        person.wait_for(PROMPTS["word"][language])
        (mail,) = world.provider.wait_for_mails(1)
        person.type("XXXXXX")
        person.wait_for(GOOD["wrong"][language])
        person.wait_for(PROMPTS["word"][language])
        person.type(f" {word_in(mail).lower()} ")
        person.wait_for(GOOD["arrived"][language])
        assert person.end() == 0
        assert person.has_echo
    text = world.rc.read_text()
    assert f"user {ME}\npassword {SECRET}\nfrom {ME}\n" in text
    assert "host old" not in text
    assert mode_of(world.rc) == 0o600
    assert SECRET not in person.shown
    assert "hunter2" not in person.shown
    assert len(world.logins) == 2  # the proof, and the mail
    assert ("\x1b[" in person.shown) is not is_plain


def test_the_console_is_explained_before_the_password_is_asked_for(world):
    """The menus by their names, and which password is wanted."""
    with sit_down(world, "--provider", "aliyun-qiye", language="zh") as person:
        answer(person, "address", ME, "zh")
        shown = person.wait_for(PROMPTS["password"]["zh"])
    for words in (
        "三方客户端安全",
        "双重认证",
        "定期修改密码",
        "开启 IMAP/SMTP 服务",
        "三方客户端安全密码(16位",
    ):
        assert words in shown


def test_an_address_on_the_web_can_be_copied_whole(world):
    """However narrow the terminal is: no line break is put into it."""
    world.env["COLUMNS"] = "30"
    with sit_down(world, ME, "--provider", "aliyun-qiye") as person:
        shown = person.wait_for(PROMPTS["password"]["en"])
    assert "https://help.aliyun.com/en/document_detail/444269.html\r\n" in shown


ENDS = {
    "kill": (lambda person: person.kill(signal.SIGKILL), {-signal.SIGKILL}),
    "ctrl-c": (lambda person: person.type(CTRL_C), {130}),
    "ctrl-d": (lambda person: person.type(CTRL_D), {130}),
    "terminated": (lambda person: person.kill(signal.SIGTERM), {143}),
    # The end of the input, or the signal: whichever comes first.
    "hung-up": (lambda person: person.hang_up(), {129, 130}),
}


@pytest.mark.sliced(3)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("question", ["address", "password", "change", "word"])
def test_ended_at_any_question_nothing_is_half_done(world, question, end):
    """Before the yes there is the old file and nothing else; behind it the new one, whole."""
    before = tree(world.home)
    act, codes = ENDS[end]
    with sit_down(world, is_plain=True) as person:
        go_on_until(person, question)
        act(person)
        assert person.end() in codes, person.shown
        if end not in ("kill", "hung-up"):
            assert person.has_echo
            said = "is written" if question == "word" else "nothing was written"
            assert said in person.shown
    assert "Traceback" not in person.shown
    if question == "word":
        kept = [path for path in world.home.iterdir() if path != world.rc]
        assert [path.read_text() for path in kept] == [OLD]
        assert SECRET in world.rc.read_text()
    else:
        assert tree(world.home) == before
    assert world.user("--no-confirm", "--no-test-mail").exit_code == 0


def test_a_wrong_password_is_asked_for_again_three_times_at_most(world):
    """With the provider's explanation each time; an account is locked after a few more."""
    with sit_down(world, "--provider", "aliyun-qiye") as person:
        answer(person, "address", ME)
        for _ in range(3):
            answer(person, "password", "wrong")
            person.wait_for("526 Authentication failure[0]")
        assert person.end() == 77
    assert person.shown.count("Third-Party Client Security Password: generate one") >= 3
    assert len(world.logins) == 3
    assert world.rc.read_text() == OLD


def test_the_second_password_may_be_right(world):
    """Whoever has mistyped it goes on."""
    with sit_down(world, "--no-test-mail") as person:
        answer(person, "address", ME)
        answer(person, "password", "wrong")
        answer(person, "password", SECRET)
        answer(person, "change", "")
        assert person.end() == 0
    assert SECRET in world.rc.read_text()
    assert [event["accepted"] for event in world.logins] == [False, True]


def test_no_password_is_no_login(world):
    """Enter alone: nothing is tried."""
    with sit_down(world) as person:
        answer(person, "address", ME)
        for _ in range(3):
            answer(person, "password", "")
        assert person.end() == 64
    assert world.logins == []
    assert world.rc.read_text() == OLD


def test_half_a_password_is_no_password(world):
    """Ctrl-D in the middle of it hands it over, and is no Enter: no login is wasted on that."""
    with sit_down(world, ME) as person:
        person.wait_for(PROMPTS["password"]["en"])
        person.type(SECRET[:3].encode() + CTRL_D)
        person.type(SECRET[3:])
        person.wait_for(GOOD["login"]["en"])
    assert len(world.logins) == 1


def test_a_locked_account_is_not_tried_again(world):
    """Attack: whoever asks again and again locks the account for all."""
    options = ProviderOptions(password=SECRET, max_wrong_logins=1)
    with EmbeddedProvider(options, watch=world.events.append) as provider:
        world.provider = provider
        world.password.write_text("wrong\n")
        assert world.user("--no-confirm").exit_code == 77
        tried = len(world.logins)
        with sit_down(world) as person:
            answer(person, "address", ME)
            answer(person, "password", SECRET)
            assert person.end() == 77
    assert "failure[1]" in person.shown
    assert len(world.logins) == tried + 1


def test_a_no_writes_nothing(world):
    """Whoever does not like the difference says so."""
    before = tree(world.home)
    with sit_down(world) as person:
        answer(person, "address", ME)
        answer(person, "password", SECRET)
        shown = person.wait_for(PROMPTS["change"]["en"])
        assert "password ****" in shown
        person.type("perhaps")
        answer(person, "change", "n")
        assert person.end() == 0
    assert "answer yes or no" in person.shown
    assert "nothing was written" in person.shown
    assert tree(world.home) == before
    assert world.provider.mails == []


def test_a_wrong_address_is_asked_for_again(world):
    """With the reason."""
    with sit_down(world, "--no-test-mail") as person:
        answer(person, "address", "no-reply")
        person.wait_for("has no domain")
        answer(person, "address", "no reply@example.com")
        answer(person, "address", ME)
        person.wait_for(PROMPTS["password"]["en"])


def test_enter_leaves_the_proof_for_later(world):
    """The mail may come tomorrow: there is something to do then."""
    with sit_down(world) as person:
        for name, text in (("address", ME), ("password", SECRET), ("change", ""), ("word", "")):
            answer(person, name, text)
        assert person.end() == 0
    assert "arrives is not known" in person.shown
    assert "pillarbox doctor" in person.shown


def test_another_address_gets_the_mail_and_roots_alias(world):
    """It was mistyped, or cannot be read here: the test goes there, and root's mail, too."""
    (world.root / "etc/aliases").write_text("postmaster: root\n")
    options = {key: to for key, to in world.server.items() if key != "--password-file"}
    words = [word for key, to in options.items() for word in (key, to)]
    with Person(["setup", ME, "--root", str(world.root), *words], world.env) as person:
        answer(person, "password", SECRET)
        answer(person, "change", "")
        person.wait_for(PROMPTS["word"]["en"])
        person.type("not an@address@at all")
        answer(person, "word", "admin@example.org")
        person.wait_for("on its way to admin@example.org")
        mail = world.provider.wait_for_mails(2)[1]
        answer(person, "word", word_in(mail))
        assert person.end() == 0
    assert [str(path) for path in mail.forward_paths] == ["admin@example.org"]
    aliases = (world.root / "etc/aliases").read_text()
    assert aliases == "postmaster: root\nroot: admin@example.org\n"


def test_the_word_of_an_earlier_mail_does_not_count(world):
    """It proves nothing of the address that was typed since."""
    with sit_down(world) as person:
        for name, text in (("address", ME), ("password", SECRET), ("change", "")):
            answer(person, name, text)
        person.wait_for(PROMPTS["word"]["en"])
        (first,) = world.provider.wait_for_mails(1)
        person.type("other@example.org")
        answer(person, "word", word_in(first))
        person.wait_for("that is not the word")
        answer(person, "word", "")
        assert person.end() == 0


@pytest.fixture
def empty_dns():
    """Return the address of a nameserver that knows no name at all."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            query, peer = server.recvfrom(4096)
            if not query:
                return
            server.sendto(query[:2] + b"\x81\x83" + query[4:], peer)  # NXDOMAIN

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"", server.getsockname())
    thread.join()
    server.close()


def test_a_domain_that_nobody_knows_is_asked_about(world, empty_dns):
    """A provider's name is enough; nonsense is asked for again."""
    env = {"PILLARBOX_DNS": empty_dns}
    with Person(["setup", "--user", "me@nowhere.invalid"], world.env | env) as person:
        answer(person, "provider", "nobodyatall")
        person.wait_for("no provider is called nobodyatall")
        answer(person, "provider", "aliyun-qiye")
        shown = person.wait_for(PROMPTS["password"]["en"])
        assert "smtp.qiye.aliyun.com, port 465" in shown
        person.type(CTRL_C)
        assert person.end() == 130


def test_no_child_is_given_the_secret(world):
    """Attack: a user reads the command lines of the machine's processes."""
    seen = set()
    with sit_down(world) as person:
        answer(person, "address", ME)
        answer(person, "password", SECRET)
        person.wait_for(PROMPTS["change"]["en"])
        seen.add(_command_lines(person.pid))
        person.type("y")
        person.wait_for(PROMPTS["word"]["en"])
        seen.add(_command_lines(person.pid))
    assert SECRET.encode() not in b"".join(seen)
    assert b"--trust-file" in b"".join(seen)


def _command_lines(pid):
    """Return the command lines of a process and its children, and the environment it began with."""
    found = b""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                if int(name) == pid or int(fields[1]) == pid:
                    found += Path(f"/proc/{name}/cmdline").read_bytes()
                    found += Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue
    return found


def test_a_password_is_not_read_from_a_terminal_as_from_a_pipe(world):
    """Attack: it would be shown while it is typed."""
    with sit_down(world, ME, "--password-file", "-") as person:
        person.wait_for("standard input is a terminal")
        assert person.end() == 64
    assert world.logins == []


@pytest.mark.parametrize("question", ["ask", "ask_secret"])
def test_ctrl_c_counts_at_whatever_moment_it_comes(monkeypatch, question):
    """Between the question and the waiting, too, where it does not end a system call."""
    mine, its = os.openpty()
    rescued = threading.Event()

    def rescue():
        rescued.set()
        os.write(mine, b"\n")

    # Unlike a signal, it ends no system call: as if it had come just before that.
    interrupt, late = threading.Timer(0.05, _thread.interrupt_main), threading.Timer(20, rescue)
    with open(its, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        terminal = Terminal()
        for timer in (interrupt, late):
            timer.start()
        with pytest.raises(KeyboardInterrupt):
            getattr(terminal, question)("? ")
        late.cancel()
    os.close(mine)
    assert not rescued.is_set()


@pytest.mark.parametrize("closed", ["stdin", "stdout"])
def test_where_a_stream_is_closed_there_is_no_terminal(monkeypatch, closed):
    """``pillarbox setup <&-``: Python has no object for it then."""
    monkeypatch.setattr(sys, closed, None)
    assert has_terminal() is False


def test_with_no_confirm_nobody_is_asked(world):
    """On a terminal, too: what is missing is named."""
    with sit_down(world, "--no-confirm") as person:
        assert person.end() == 64
    assert "PILLARBOX_SETUP_PASSWORD" in person.shown


def test_what_is_no_text_is_asked_for_again(world):
    """A terminal of another charset."""
    world.env["PYTHONIOENCODING"] = "utf-8:strict"
    with sit_down(world) as person:
        person.wait_for(PROMPTS["address"]["en"])
        person.type(b"\xd3\xca@example.com\n")
        answer(person, "address", ME)
        person.wait_for(PROMPTS["password"]["en"])
    assert "Traceback" not in person.shown


def test_a_password_keeps_its_octets(world):
    """Of whatever charset: it is the provider's business."""
    with sit_down(world) as person:
        answer(person, "address", ME)
        person.wait_for(PROMPTS["password"]["en"])
        person.type(b" \xd3\xca \n")
        person.wait_for("526 Authentication failure[0]")
        person.wait_for(PROMPTS["password"]["en"])
    assert "Traceback" not in person.shown


def test_what_was_typed_ahead_of_the_password_is_no_password(world):
    """A second Enter, or a pasted line, must not be a failed login."""
    with sit_down(world, "--no-test-mail") as person:
        person.wait_for(PROMPTS["address"]["en"])
        person.type(f"{ME}\nnonsense")
        answer(person, "password", SECRET)
        person.wait_for("the login works")
    assert len(world.logins) == 1


def test_a_signal_that_is_ignored_stays_ignored(world):
    """``nohup pillarbox setup`` outlives the terminal's going away."""
    with sit_down(world, "--no-test-mail", is_plain=True, is_deaf=True) as person:
        go_on_until(person, "change")
        person.kill(signal.SIGHUP)
        person.type("y")
        assert person.end() == 0
