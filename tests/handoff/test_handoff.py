"""Handing over to a service, as it should be and as it should not."""

import contextlib
import os
import socket
import threading

import pytest

from pillarbox import handoff
from pillarbox.errors import DataError, InputOutputError, NetworkError, PillarboxError
from pillarbox.handoff import Call, hand_over, talk
from pillarbox.mail.reply import EnhancedCode, Reply
from porter import Porter, script

TO = ["me@x.example"]
PIECE = talk.PIECE_BYTES


def no(code, enhanced, *lines):
    """Return a reply with an enhanced code."""
    numbers = EnhancedCode(*map(int, enhanced.split(".")))
    return Reply(code, tuple(f"{enhanced} ".encode() + line for line in lines), numbers)


def reader(content):
    """Return what reads a content."""
    rest = memoryview(content)

    def read(size):
        nonlocal rest
        data, rest = bytes(rest[:size]), rest[size:]
        return data

    return read


@pytest.fixture
def path(tmp_path):
    """Return where the service listens."""
    return tmp_path / "submit.sock"


@pytest.fixture
def porter(path):
    """Return a service."""
    with Porter(path) as service:
        yield service


def give(path, call=None, content=b"Subject: x\n\nHello.\n"):
    """Hand a content over."""
    hand_over(call or Call(TO), str(path), reader(content))


def fault_of(path, call=None, content=b"\nx\n"):
    """Return what handing over fails with."""
    with pytest.raises(PillarboxError) as caught:
        give(path, call, content)
    return caught.value


CONTENTS = {
    "empty": b"",
    "plain": b"Subject: x\n\nHello.\n",
    "no line end": b"Subject: x\n\nHello",
    "every octet": bytes(range(256)) * 3 + b"\r\n.\r\n\r\r\n\0",
    "looks like commands": b"QUIT\r\n.\r\nBDAT 0 LAST\r\nRSET\r\n",
    "a piece less one": b"a" * (PIECE - 1),
    "a piece": b"b" * PIECE,
    "a piece and one": b"c" * (PIECE + 1),
    "many pieces": bytes(range(256)) * 5000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("recipients", [TO, ["me@x.example", "root", "ä@x.example"]], ids=len)
def test_a_content_arrives_as_it_is(path, porter, recipients, content):
    """Whatever its length and its octets, for one recipient and for several."""
    give(path, Call(recipients), content)
    (mail,) = porter.mails
    assert bytes(mail.content) == content
    assert mail.recipients == recipients


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_content_that_comes_in_small_reads_is_one_piece(path, porter, step):
    """A pipe gives what it has; a mail is collected before the service is bothered."""
    content = b"x" * 3000
    read = reader(content)
    hand_over(Call(TO), str(path), lambda size: read(min(size, step)))
    (mail,) = porter.mails
    assert bytes(mail.content) == content
    assert mail.size_bytes == len(content)


def test_nothing_is_said_to_the_service_before_the_mail_is_there(path, porter):
    """Attack: ``(sleep 600; echo hi) | sendmail`` holds no connection."""
    seen = []
    read = reader(b"\nx\n")

    def slow(size):
        seen.append(porter.connections)
        return read(size)

    hand_over(Call(TO), str(path), slow)
    assert seen == [0, 0]


def test_a_pipe_that_says_nothing_for_long_keeps_its_connection(path, porter, monkeypatch):
    """A job that cron runs prints much, works for an hour, and prints its last line."""
    answers = [True, False, False, True, True]
    said = []
    monkeypatch.setattr(
        talk.Talk,
        "write",
        lambda self, data, write=talk.Talk.write: (said.append(data[:8]), write(self, data)),
    )
    content = b"x" * (2 * PIECE + 5)
    hand_over(Call(TO), str(path), reader(content), lambda _: answers.pop(0))
    assert bytes(porter.mails[0].content) == content
    assert said[1:] == [
        b"BDAT 655",
        b"BDAT 655",
        b"BDAT 0\r\n",
        b"BDAT 0\r\n",
        b"BDAT 5\r\n",
        b"BDAT 0 L",
    ]
    assert answers == []


# What a call asks, and what the service reads: sender, its wishes, and RET, ENVID, NOTIFY.
ENVELOPES = [
    (Call(TO), None, {"XOWN": ""}, ("", "", "")),
    (Call(TO, sender=""), None, {}, ("", "", "")),
    (Call(TO, sender="a@b.example"), "a@b.example", {}, ("", "", "")),
    (Call(TO, sender="ä@b.example"), "ä@b.example", {}, ("", "", "")),
    (Call(TO, account="work"), None, {"XOWN": "", "XACCOUNT": "work"}, ("", "", "")),
    (Call(TO, account="a+b=c d"), None, {"XOWN": "", "XACCOUNT": "a+b=c d"}, ("", "", "")),
    (Call(TO, full_name="Cron Dæmon"), None, {"XOWN": "", "XNAME": "Cron Dæmon"}, ("", "", "")),
    (Call(TO, wish="wait"), None, {"XOWN": "", "XWAIT": ""}, ("", "", "")),
    (Call(TO, wish="queue"), None, {"XOWN": ""}, ("", "", "")),
    (Call(TO, is_raw=True), None, {"XOWN": "", "XRAW": ""}, ("", "", "")),
    (
        Call(TO, sender="", ret="HDRS", envid="i=7+", notify="NEVER"),
        None,
        {},
        ("HDRS", "i=7+", "NEVER"),
    ),
    (Call(TO, sender="", notify="FAILURE,DELAY"), None, {}, ("", "", "FAILURE,DELAY")),
]


@pytest.mark.parametrize(("call", "sender", "wishes", "reports"), ENVELOPES)
def test_the_service_reads_what_is_asked(path, porter, call, sender, wishes, reports):
    """Sender, account, name, wishes and what is wanted of reports."""
    give(path, call)
    (mail,) = porter.mails
    assert (mail.sender, mail.wishes) == (sender, wishes)
    assert (mail.ret, mail.envid, mail.notify[0]) == reports


INJECTIONS = [
    "a@x>\r\nRCPT TO:<b@x",
    "a@x\r\nDATA",
    "a@x\nDATA",
    "a@x\rDATA",
    "a\0@x",
    "a@x\x7f",
    "a@x> XRAW",
    "<a@x",
    "a\t@x",
]


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("place", ["recipient", "sender"])
def test_nothing_in_an_address_becomes_a_command(path, porter, place, text):
    """Attack: CR LF, brackets and controls in an address."""
    call = Call([*TO, text]) if place == "recipient" else Call(TO, sender=text)
    with pytest.raises(DataError):
        give(path, call)
    assert porter.connections == 0


@pytest.mark.parametrize("text", ["a\r\nRCPT TO:<b@x>", "x XRAW", "+0D+0A", "=", "\udcff"])
def test_nothing_in_a_name_becomes_a_command(path, porter, text):
    """Attack: the same in what travels encoded; what cannot be a name is refused by the service."""
    with contextlib.suppress(PillarboxError):
        give(path, Call(TO, account=text, envid="e"))
    for mail in porter.mails:
        assert mail.wishes == {"XOWN": "", "XACCOUNT": text}
        assert mail.recipients == TO


# What the service says, and what becomes of it: the exit code and the text.
REPLIES = [
    (no(450, "4.2.0", b"later"), 75, "later"),
    (no(452, "4.3.1", b"no room"), 75, "no room"),
    (no(550, "5.1.1", b"nobody"), 67, "nobody"),
    (no(550, "5.1.2", b"no host"), 68, "no host"),
    (no(553, "5.1.3", b"no address"), 65, "no address"),
    (no(552, "5.2.2", b"full"), 69, "full"),
    (no(552, "5.3.4", b"too big"), 65, "too big"),
    (no(554, "5.3.5", b"no account"), 78, "no account"),
    (no(501, "5.5.4", b"parameter"), 64, "parameter"),
    (no(503, "5.5.1", b"sequence"), 76, "sequence"),
    (no(554, "5.6.0", b"content"), 65, "content"),
    (no(550, "5.7.1", b"not you"), 77, "not you"),
    (no(550, "5.4.6", b"loop"), 69, "loop"),
    (no(550, "5.9.9", b"what"), 69, "what"),
    (no(554, "5.0.0", b"just no"), 69, "just no"),
    (no(550, "5.7.1", b"two", b"lines"), 77, "two 5.7.1 lines"),
    (no(550, "5.7.1", b"\x1b[31mred\xff"), 77, "\\x1b[31mred\\xff"),
]


@pytest.mark.parametrize(("reply", "exit_code", "text"), REPLIES)
@pytest.mark.parametrize("place", ["MAIL", "RCPT", "content"])
def test_a_refusal_becomes_an_exit_code_and_its_text(path, porter, place, reply, exit_code, text):
    """Wherever it comes: the service's words are the person's, and nothing was taken."""
    if place == "MAIL":
        porter.answer_to_mail = reply
    elif place == "RCPT":
        porter.refused[TO[0]] = reply
    else:
        porter.answers = (reply,)
    fault = fault_of(path)
    assert fault.exit_code == exit_code
    assert str(fault) == text
    assert porter.mails == []


def test_one_refused_recipient_means_that_nothing_was_taken(path, porter):
    """Else the caller, who can only send all of it again, would make duplicates."""
    porter.refused["bad@x.example"] = no(550, "5.1.1", b"nobody")
    fault = fault_of(path, Call(["me@x.example", "bad@x.example", "you@x.example"]))
    assert (fault.exit_code, str(fault)) == (67, "bad@x.example: nobody")
    assert porter.mails == []


def test_recipients_who_are_refused_for_one_reason_are_named_together(path, porter):
    """A person reads each reason once, and some of many names."""
    names = [f"bad{number}@x.example" for number in range(5)]
    porter.refused = dict.fromkeys(names, no(550, "5.1.1", b"nobody"))
    porter.refused["late@x.example"] = no(450, "4.2.0", b"later")
    fault = fault_of(path, Call([*names, "late@x.example", *TO]))
    named = "bad0@x.example, bad1@x.example, bad2@x.example and 2 more"
    assert str(fault) == f"{named}: nobody; late@x.example: later"
    assert fault.exit_code == 75  # who tries again loses nothing


def test_a_refusal_of_everybody_names_nobody(path, porter):
    """The reason is the mail's then."""
    porter.answers = (no(554, "5.6.0", b"no"),) * 2
    assert str(fault_of(path, Call([*TO, "you@x.example"]))) == "no"


def test_an_answer_for_each_recipient_is_told_apart(path, porter):
    """--wait: one is delivered and the other is not."""
    porter.answers = (no(250, "2.0.0", b"ok"), no(550, "5.1.1", b"nobody"))
    fault = fault_of(path, Call([*TO, "you@x.example"], wish="wait"))
    assert (fault.exit_code, str(fault)) == (67, "you@x.example: nobody")


def test_a_mail_that_is_too_big_is_refused_before_it_is_sent(path):
    """Where the size is known it is said; else the service counts, and is heard at once."""
    with Porter(path, max_size_bytes=1000) as porter:
        assert fault_of(path, content=b"x" * 2000).exit_code == 65
        read = reader(b"x" * (40 * PIECE))
        taken = 0

        def counted(size):
            nonlocal taken
            data = read(size)
            taken += len(data)
            return data

        with pytest.raises(PillarboxError) as caught:
            hand_over(Call(TO), str(path), counted)
        assert caught.value.exit_code == 65
        assert porter.mails == []
    assert taken <= 40 * PIECE


def test_a_busy_service_is_tried_again(path, porter):
    """421 in the greeting: nothing was taken, and the next try may have more luck."""
    porter.greetings = [no(421, "4.3.2", b"Too many connections")] * 2
    give(path)
    assert porter.connections == 3
    assert len(porter.mails) == 1


@pytest.fixture
def no_patience(monkeypatch):
    """Have the hand-off give up at once."""
    monkeypatch.setattr(handoff, "_PATIENCE_S", 0.0)


@pytest.mark.usefixtures("no_patience")
def test_a_service_that_stays_busy_says_so(path, porter):
    """Its own words, and try again later."""
    porter.greetings = [no(421, "4.3.2", b"Too many connections")] * 5
    fault = fault_of(path)
    assert (fault.exit_code, str(fault)) == (75, "Too many connections")


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize("is_there", [True, False], ids=["nobody listens", "no socket"])
def test_no_service_is_said_and_nothing_is_sent_otherwise(path, is_there):
    """Never falls back silently: 75, with what to do."""
    if is_there:
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(path))
    fault = fault_of(path)
    assert isinstance(fault, NetworkError)
    assert fault.exit_code == 75
    assert str(path) in str(fault)
    assert "pillarbox serve" in fault.advice
    assert "--direct" in fault.advice


@pytest.mark.parametrize("kind", ["too long", "no directory"])
def test_a_path_that_cannot_be_a_socket_is_said_at_once(tmp_path, kind):
    """A wrong PILLARBOX_SOCKET is no reason to wait."""
    (tmp_path / "file").touch()
    path = {
        "too long": tmp_path / ("x" * 200),
        "no directory": tmp_path / "file" / "socket",
    }[kind]
    assert fault_of(path).exit_code == 75


def test_a_service_that_is_just_starting_is_waited_for(path):
    """A restart is not noticed by who sends meanwhile."""
    tries = []

    def sleep(_):
        tries.append(1)
        if len(tries) == 3:
            started.__enter__()

    started = Porter(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(talk, "sleep", sleep)
        give(path)
    started.__exit__()
    assert len(started.mails) == 1


@pytest.mark.usefixtures("no_patience")
def test_a_full_backlog_is_no_reason_to_hang(path):
    """A service that hangs has a queue of callers that grows no more."""
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(str(path))
        stuck.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(path))
            fault = fault_of(path)
    assert fault.exit_code == 75


def _says(*lines, reads=0):
    """Return a talk that says lines, reads so much, and is gone."""

    def serve(connection):
        connection.sendall(b"".join(line + b"\r\n" for line in lines))
        while reads and (data := connection.recv(PIECE)):
            if b"LAST" in data:
                break

    return serve


FINE = [b"220 hi", b"250 hi", b"250 ok", b"250 ok"]

# A talk that is no good -> may the service have the mail?
BROKEN = {
    "gone at once": (lambda _: None, True),
    "gone behind LHLO": (_says(*FINE[:2], reads=1), True),
    "gone behind the envelope": (_says(*FINE, reads=1), True),
    "speaks HTTP": (_says(b"HTTP/1.1 400 Bad Request", reads=1), True),
    "says nonsense": (_says(*FINE, b"25", reads=1), True),
    "half a line": (lambda it: it.sendall(b"220"), True),
    "a line without end": (lambda it: it.sendall(b"220 " + b"x" * 5000), True),
    "only the answer to QUIT": (_says(*FINE, b"221 bye", reads=1), True),
}


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize(("serve", "is_in_doubt"), BROKEN.values(), ids=BROKEN)
def test_a_service_that_dies_means_try_again(path, serve, is_in_doubt):
    """75, and whether it may have the mail is said."""
    with script(path, serve):
        fault = fault_of(path)
    assert fault.exit_code == 75
    assert ("mailq" in fault.advice) is is_in_doubt


def test_a_service_that_dies_in_the_middle_of_a_long_mail_does_not_have_it(path):
    """Its end was not sent, so there is no doubt."""

    def serve(connection):
        connection.sendall(b"\r\n".join([*FINE, b""]))
        connection.recv(PIECE)

    with script(path, serve):
        fault = fault_of(path, content=b"x" * (100 * PIECE))
    assert fault.exit_code == 75
    assert "not taken" in fault.advice


def test_what_a_service_says_before_it_goes_is_heard(path):
    """A refusal is the reason, and not that the connection broke behind it."""

    def serve(connection):
        connection.sendall(b"\r\n".join([*FINE, b"552 5.3.4 too big", b""]))

    with script(path, serve):
        fault = fault_of(path, content=b"x" * (100 * PIECE))
    assert (fault.exit_code, str(fault)) == (65, "too big")


def test_a_service_that_goes_before_its_greeting_is_tried_again(path, monkeypatch):
    """It was stopping; another one takes the mail."""
    monkeypatch.setattr(handoff, "sleep", lambda _: None)
    took = _says(*FINE, b"250 2.0.0 ok", reads=1)
    with script(path, lambda _: None, lambda _: None, took):
        give(path)


def test_a_silent_service_is_given_up(path, monkeypatch):
    """It accepts and says nothing: there is a deadline."""
    monkeypatch.setattr(talk, "_REPLY_S", 0.05)
    monkeypatch.setattr(handoff, "_PATIENCE_S", 0.0)
    gone = threading.Event()
    with script(path, lambda _: gone.wait(10)):
        fault = fault_of(path)
        gone.set()
    assert "does not answer" in str(fault)
    assert fault.exit_code == 75


def test_a_service_that_takes_nothing_more_is_given_up(path, monkeypatch):
    """It greets and never reads: the write has a deadline too."""
    monkeypatch.setattr(talk, "_REPLY_S", 0.05)
    gone = threading.Event()

    def serve(connection):
        connection.sendall(b"\r\n".join([*FINE, b""]))
        gone.wait(10)

    with script(path, serve):
        fault = fault_of(path, content=b"x" * (100 * PIECE))
        gone.set()
    assert "does not answer" in str(fault)


def test_a_drip_of_replies_buys_no_time(path, monkeypatch):
    """Attack: one octet at a time; the deadline is for the whole answer."""
    monkeypatch.setattr(talk, "_REPLY_S", 0.2)
    gone = threading.Event()

    def serve(connection):
        while not gone.wait(0.01):
            connection.sendall(b"2")

    with script(path, serve):
        fault = fault_of(path)
        gone.set()
    assert fault.exit_code == 75


def test_two_who_wait_for_each_other_do_not(path):
    """Attack: a service that reads only while its replies are read, and says very much."""
    pieces = 40

    def serve(connection):
        connection.sendall(b"\r\n".join([*FINE, b""]))
        connection.sendall((b"250-" + b"x" * 500 + b"\r\n") * 8000 + b"250 ok\r\n")
        end = b""
        while not end.endswith(b"QUIT\r\n"):
            end = end[-6:] + connection.recv(PIECE)
        connection.sendall(b"250 ok\r\n" * pieces)

    with script(path, serve):
        hand_over(Call(TO), str(path), reader(b"x" * (pieces * PIECE)))


def test_thousands_of_recipients_go_through(path, porter):
    """The commands are more than a socket holds, and so are the replies."""
    recipients = [f"recipient.number.{number}@a-rather-long-name.example" for number in range(9000)]
    give(path, Call(recipients))
    assert porter.mails[0].recipients == recipients


def test_a_mail_that_cannot_be_read_to_its_end_is_not_taken(path, porter):
    """What was sent of it is dropped by the service."""
    read = reader(b"x" * (3 * PIECE))

    def broken(size):
        data = read(size)
        if not data:
            msg = "disk"
            raise InputOutputError(msg)
        return data

    with pytest.raises(InputOutputError):
        hand_over(Call(TO), str(path), broken)
    assert porter.mails == []


def test_standard_input_is_waited_for_so_long_and_no_longer():
    """Whether there is something, or its end, or nothing yet."""
    saved = os.dup(0)
    reading, writing = os.pipe()
    try:
        os.dup2(reading, 0)
        assert not handoff.has_input(0.01)
        os.write(writing, b"x")
        assert handoff.has_input(10)
        os.read(0, 1)
        os.close(writing)
        assert handoff.has_input(10)
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)


def test_standard_input_that_cannot_be_read_is_said(tmp_path):
    """A directory, or nothing at all, is no mail."""
    saved = os.dup(0)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        os.dup2(folder, 0)
        with pytest.raises(InputOutputError, match="cannot read the mail"):
            handoff.read_input(10)
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(folder)


def test_standard_input_that_somebody_made_non_blocking_is_waited_for():
    """It is shared with who made it so."""
    saved = os.dup(0)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    try:
        os.dup2(reading, 0)
        timer = threading.Timer(0.05, os.write, (writing, b"late"))
        timer.start()
        assert handoff.read_input(10) == b"late"
        timer.join()
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, reading, writing):
            os.close(descriptor)
