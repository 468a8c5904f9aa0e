"""The server's half of the engine: dialogs, the table of states, addresses, answers."""

from __future__ import annotations

import pytest

from pillarbox.errors import LocalProtocolError
from pillarbox.mail.address import Mailbox
from pillarbox.mail.reply import Reply
from pillarbox.smtp import server_states as states
from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    EtrnRequested,
    MailParameters,
    MailRequested,
    RecipientParameters,
    RecipientRequested,
    SessionEnded,
    SessionStarted,
    TransactionEnded,
)
from server_talk import HELLO, Talk, hold, opened, options, plain, ready

DIALOGS = {
    "one mail, group by group": HELLO
    + """
    C: MAIL FROM:<a@b.example>
    C: RCPT TO:<c@d.example>
    C: DATA
    S: 250 2.1.0
    S: 250 2.1.5
    S: 354
    C: Subject: x
    C:
    C: ..dot
    C: .
    S: 250 2.0.0
    C: QUIT
    S: 221 2.0.0
    """,
    "the end of one mail and the beginning of the next are one group": HELLO
    + """
    C: MAIL FROM:<>
    C: RCPT TO:<c@d.example>
    C: DATA
    S: 250
    S: 250
    S: 354
    C: one
    C: .
    C: MAIL FROM:<>
    C: RCPT TO:<c@d.example>
    C: DATA
    S: 250
    S: 250
    S: 250
    S: 354
    C: two
    C: .
    S: 250
    """,
    "a window of BDAT mails": HELLO
    + """
    C: MAIL FROM:<a@b.example>
    C: RCPT TO:<c@d.example>
    C: BDAT 5 LAST
    C! one\\r\\n
    C: RSET
    C: MAIL FROM:<a@b.example>
    C: RCPT TO:<c@d.example>
    C: BDAT 3
    C! twoBDAT 2\\r\\n\\r\\nBDAT 0 LAST\\r\\n
    C: QUIT
    S: 250 2.1.0
    S: 250 2.1.5
    S: 250 2.0.0 Message
    S: 250 2.0.0 Ok
    S: 250 2.1.0
    S: 250 2.1.5
    S: 250 2.0.0 Octets
    S: 250 2.0.0 Octets
    S: 250 2.0.0 Message
    S: 221
    """,
    "the octets of a refused BDAT are no commands": HELLO
    + """
    C: BDAT 6
    C! RSET\\r\\n
    C: MAIL FROM:<a@b.example>
    C: BDAT 6 LAST
    C! QUIT\\r\\n
    C: NOOP
    S: 503 5.5.1 MAIL
    S: 250 2.1.0
    S: 554 5.5.1 No valid
    S: 250 2.0.0
    """,
    "commands out of their order": """
    C: MAIL FROM:<a@b.example>
    S: 503 5.5.1 Say hello
    C: AUTH PLAIN
    S: 503 5.5.1 Say hello
    """
    + HELLO
    + """
    C: RCPT TO:<c@d.example>
    S: 503 5.5.1 MAIL
    C: DATA
    S: 503 5.5.1 MAIL
    C: MAIL FROM:<a@b.example>
    S: 250
    C: MAIL FROM:<a@b.example>
    S: 503 5.5.1 A mail
    C: AUTH PLAIN
    S: 503 5.5.1 Not while
    C: DATA
    S: 554 5.5.1 No valid recipients
    C: RCPT TO:<c@d.example>
    S: 503 5.5.1 MAIL
    """,
    "BDAT and DATA do not mix": HELLO
    + """
    C: MAIL FROM:<a@b.example>
    C: RCPT TO:<c@d.example>
    C: BDAT 0
    S: 250
    S: 250
    S: 250
    C: DATA
    S: 503 5.5.1 BDAT
    C: RCPT TO:<e@f.example>
    S: 503 5.5.1 BDAT
    C: BDAT 2 LAST
    C! \\r\\n
    S: 250
    """,
    "RSET and EHLO end a mail wherever it is": HELLO
    + """
    C: MAIL FROM:<a@b.example>
    C: RCPT TO:<c@d.example>
    C: RSET
    C: RCPT TO:<c@d.example>
    S: 250
    S: 250
    S: 250
    S: 503
    C: MAIL FROM:<a@b.example>
    S: 250
    C: HELO client.example
    S: 250 localhost
    C: DATA
    S: 503
    """,
    "after HELO there are no extensions": """
    C: HELO client.example
    S: 250 localhost
    C: MAIL FROM:<a@b.example> SIZE=5
    S: 555 5.5.4 Unknown parameter SIZE
    C: MAIL FROM:<a@b.example>
    S: 250
    C: RCPT TO:<c@d.example> NOTIFY=NEVER
    S: 555 5.5.4 Unknown parameter NOTIFY
    """,
    "what has its answer and does nothing": HELLO
    + """
    C: NOOP
    C: noop whatever it is
    C: VRFY somebody
    C: VRFY
    C: HELP
    C: EXPN list
    C: TURN
    C: ETRN
    C: ETRN example.org
    C: WHAT
    C:
    S: 250
    S: 250
    S: 252 2.1.5
    S: 501 5.5.4 Syntax: VRFY
    S: 214
    S: 502
    S: 502
    S: 501 5.5.4 Syntax: ETRN
    S: 250
    S: 500 5.5.2 Unknown
    S: 500 5.5.2 Unknown
    """,
    "arguments where there are none": HELLO
    + """
    C: RSET x
    C: QUIT x
    C: STARTTLS x
    C: STARTTLS
    C: MAIL FROM:<a@b.example>
    C: RCPT TO:<c@d.example>
    C: DATA x
    S: 501 5.5.4
    S: 501 5.5.4
    S: 501 5.5.4
    S: 503 5.5.1 TLS
    S: 250
    S: 250
    S: 501 5.5.4
    """,
    "lower case, and spaces that others send": """
    C: ehlo client.example
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250
    C: mail from: <a@b.example>  body=8bitmime
    C: rcpt to:<@relay.example,@b:c@d.example>
    C: rset
    S: 250 2.1.0
    S: 250 2.1.5
    S: 250
    """,
    "EHLO needs a name that can be shown": """
    C: EHLO
    S: 501
    C: EHLO two words
    S: 501
    C: EHLO <script>
    S: 501
    C: EHLO [IPv6:::1]
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250-
    S: 250
    """,
}


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("name", DIALOGS)
def test_dialog(name, is_cut):
    """Every reply of the dialog is the expected one, however the octets arrive."""
    talk = Talk()
    assert talk.greeting == b"220 localhost ESMTP ready\r\n"
    hold(talk, DIALOGS[name], is_cut=is_cut)


@pytest.mark.parametrize(
    "name", [name for name in DIALOGS if name != "EHLO needs a name that can be shown"]
)
def test_dialog_with_a_tail(name):
    """The start of another command behind the last group changes no reply, and is not lost."""
    talk = Talk()
    hold(talk, DIALOGS[name], tail=b"NOO")
    if not talk.server.has_ended:
        assert talk.feed(b"P\r\n") == b"250 2.0.0 Ok\r\n"


WAY = {
    states.HELLO: b"",
    states.READY: b"EHLO x\r\n",
    states.MAIL: b"EHLO x\r\n|MAIL FROM:<a@b>\r\n",
    states.RCPT: b"EHLO x\r\n|MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
    states.CHUNKS: b"EHLO x\r\n|MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 0\r\n",
}
LINES = {
    b"EHLO": b"EHLO x",
    b"HELO": b"HELO x",
    b"LHLO": b"LHLO x",
    b"AUTH": b"AUTH PLAIN " + plain().encode(),
    b"MAIL": b"MAIL FROM:<a@b>",
    b"RCPT": b"RCPT TO:<c@d>",
    b"BDAT": b"BDAT 0",
    b"VRFY": b"VRFY x",
    b"ETRN": b"ETRN x",
}


@pytest.mark.parametrize("state", WAY)
@pytest.mark.parametrize("verb", states.SERVER)
def test_every_cell_of_the_table(verb, state):
    """Each command in each state does what its cell says, with that row's reply."""
    talk = Talk(options(is_lmtp=verb == b"LHLO", is_secured=False, may_login_in_clear=True))
    for turn in WAY[state].replace(b"EHLO", b"LHLO" if verb == b"LHLO" else b"EHLO").split(b"|"):
        talk.feed(turn) if turn else None
    assert talk.server.state == state
    said = talk.feed(LINES.get(verb, verb) + b"\r\n")
    row = states.SERVER[verb][states.COLUMNS[state]]
    if row:
        code, enhanced, text = states.REPLIES[row]
        assert said == f"{code} {enhanced} {text}\r\n".encode()
    else:
        assert said[:1] in b"23"


def test_every_row_of_the_replies_can_be_said():
    """Codes are replies' codes, enhanced codes are of their class, texts are one line."""
    for name, (code, enhanced, text) in states.REPLIES.items():
        assert 200 <= code < 560, name
        assert enhanced[:1] in ("", str(code)[0]), name
        assert text.isprintable(), name
        assert text.isascii(), name
        assert len(text) < 80, name


MAILS = [
    (b"<>", None, {}),
    (b"<a@b.example>", "a@b.example", {}),
    (b"<a@b> SIZE=17", "a@b", {"size_bytes": 17}),
    (b"<a@b> BODY=8bitmime", "a@b", {"body": "8BITMIME"}),
    (b"<a@b> BODY=7BIT RET=hdrs", "a@b", {"body": "7BIT", "ret": "HDRS"}),
    (b"<a@b> ENVID=QQ+2B+3D1", "a@b", {"envid": "QQ+=1"}),
    (b"<a@b> AUTH=<>", "a@b", {"auth": "<>"}),
    (b"<a@b> AUTH=e+3Dmc2@x.example", "a@b", {"auth": "e=mc2@x.example"}),
    ("<ü@例.example> SMTPUTF8".encode(), "ü@例.example", {"is_smtputf8": True}),
    (b'<"a b>c\\"d"@e.example>', '"a b>c\\"d"@e.example', {}),
    (b"<@relay.example:a@b>", "a@b", {}),
    (b"<root>", "root", {}),
    (b"<a@[192.0.2.1]>", "a@[192.0.2.1]", {}),
]


@pytest.mark.parametrize(("argument", "path", "parameters"), MAILS)
def test_mail_command(argument, path, parameters):
    """The reverse-path and each parameter come out decoded."""
    talk = ready()
    assert talk.feed(b"MAIL FROM:" + argument + b"\r\n").startswith(b"250")
    event = next(each for each in talk.events if isinstance(each, MailRequested))
    assert (str(event.reverse_path) if event.reverse_path else None) == path
    assert event.parameters == MailParameters(**parameters)


BAD_MAILS = [
    (b"MAIL", b"501 5.5.4 Syntax: MAIL"),
    (b"MAIL <a@b>", b"501 5.5.4 Syntax: MAIL"),
    (b"MAIL FROM:a@b", b"501 5.5.4 Syntax: MAIL"),
    (b"MAIL FROM:<a@b", b"501 5.5.4 Syntax: MAIL"),
    (b"MAIL FROM:<a@b>SIZE=1", b"501 5.5.4 Syntax: MAIL"),
    (b'MAIL FROM:<"a@b>', b"501 5.5.4 Syntax: MAIL"),
    (b"MAIL FROM:<a@b..c>", b"501 5.1.7 "),
    (b"MAIL FROM:<a b@c>", b"501 5.1.7 "),
    (b"MAIL FROM:<a:b@c>", b"501 5.1.7 "),
    (b"MAIL FROM:<@a>", b"501 5.1.7 "),
    (b"MAIL FROM:<a@b> FOO=1", b"555 5.5.4 Unknown parameter FOO"),
    (b"MAIL FROM:<a@b> FOO", b"555 5.5.4 Unknown parameter FOO"),
    (b"MAIL FROM:<a@b> SIZE", b"501 5.5.4 Bad parameter SIZE"),
    (b"MAIL FROM:<a@b> SIZE=", b"501 5.5.4 Bad parameter SIZE"),
    (b"MAIL FROM:<a@b> SIZE=-1", b"501 5.5.4 Bad parameter SIZE"),
    (b"MAIL FROM:<a@b> SIZE=1 SIZE=2", b"501 5.5.4 Bad parameter"),
    (b"MAIL FROM:<a@b> SIZE=" + b"9" * 21, b"501 5.5.4 Bad parameter SIZE"),
    (b"MAIL FROM:<a@b> SIZE=1001", b"552 5.3.4"),
    (b"MAIL FROM:<a@b> BODY=BINARYMIME", b"501 5.5.4 Bad parameter BODY"),
    (b"MAIL FROM:<a@b> SMTPUTF8=1", b"501 5.5.4 Bad parameter SMTPUTF8"),
    (b"MAIL FROM:<a@b> RET=ALL", b"501 5.5.4 Bad parameter RET"),
    (b"MAIL FROM:<a@b> ENVID=+2", b"501 5.5.4 Bad parameter ENVID"),
    (b"MAIL FROM:<a@b> ENVID=+2b", b"501 5.5.4 Bad parameter ENVID"),
    (b"MAIL FROM:<a@b> ENVID=" + b"x" * 101, b"501 5.5.4 Bad parameter ENVID"),
    (b"MAIL FROM:<a@b> =x", b"501 5.5.4 Bad parameter"),
    ("MAIL FROM:<ü@b>".encode(), b"553 5.6.7"),
    ("MAIL FROM:<a@例.example>".encode(), b"553 5.6.7"),
    (b"MAIL FROM:<\xff@b> SMTPUTF8", b"501 5.5.4 This is not UTF-8"),
    (b"MAIL FROM:<a\0@b>", b"501 5.5.2 A control"),
    (b"MAIL FROM:<a@b>\x1b[2J", b"501 5.5.2 A control"),
    (b"MAIL FROM:<" + b"a" * 65 + b"@b>", b"501 5.1.7 "),
]


@pytest.mark.parametrize(("line", "reply"), BAD_MAILS)
def test_mail_command_that_is_refused(line, reply):
    """The reply says what is wrong, the handler is not asked, and no mail is under way."""
    talk = ready(options(max_size_bytes=1000))
    assert talk.feed(line + b"\r\n").startswith(reply)
    assert not any(isinstance(event, MailRequested) for event in talk.events)
    assert talk.feed(b"RCPT TO:<c@d>\r\n").startswith(b"503")


def test_size_and_name_at_their_limits():
    """What is exactly as large as allowed is allowed."""
    talk = Talk(options(max_size_bytes=1000))
    assert talk.feed(b"EHLO " + b"x" * 256 + b"\r\n").startswith(b"501")
    assert talk.feed(b"EHLO " + b"x" * 255 + b"\r\n").startswith(b"250")
    assert talk.feed(b"MAIL FROM:<a@b> SIZE=1000\r\n").startswith(b"250")


RECIPIENTS = [
    (b"<a@b>", {}),
    (b"<a@b> NOTIFY=NEVER", {"notify": "NEVER"}),
    (b"<a@b> NOTIFY=success,Failure", {"notify": "SUCCESS,FAILURE"}),
    (b"<a@b> ORCPT=rfc822;a+2Bc@b", {"orcpt": "rfc822;a+c@b"}),
]


@pytest.mark.parametrize(("argument", "parameters"), RECIPIENTS)
def test_rcpt_command(argument, parameters):
    """The forward-path and the DSN parameters come out decoded."""
    talk = ready()
    talk.feed(b"MAIL FROM:<>\r\n")
    assert talk.feed(b"RCPT TO:" + argument + b"\r\n").startswith(b"250 2.1.5")
    event = next(each for each in talk.events if isinstance(each, RecipientRequested))
    assert event == RecipientRequested(Mailbox("a", "b"), RecipientParameters(**parameters))


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"RCPT TO:<>", b"501 5.1.3"),
        (b"RCPT FROM:<a@b>", b"501 5.5.4 Syntax: RCPT"),
        (b"RCPT TO:<a@b> NOTIFY=NEVER,DELAY", b"501 5.5.4 Bad parameter NOTIFY"),
        (b"RCPT TO:<a@b> NOTIFY=DELAY,DELAY", b"501 5.5.4 Bad parameter NOTIFY"),
        (b"RCPT TO:<a@b> NOTIFY=", b"501 5.5.4 Bad parameter NOTIFY"),
        (b"RCPT TO:<a@b> ORCPT=a@b", b"501 5.5.4 Bad parameter ORCPT"),
        (b"RCPT TO:<a@b> ORCPT=rfc822;", b"501 5.5.4 Bad parameter ORCPT"),
        (b"RCPT TO:<a@b> ORCPT=rfc822;a+0Ab", b"501 5.5.4 Bad parameter ORCPT"),
        (b"RCPT TO:<a@b> ORCPT=rfc822;" + b"x" * 500, b"501 5.5.4 Bad parameter ORCPT"),
        (b"RCPT TO:<a@b> SIZE=1", b"555 5.5.4 Unknown parameter SIZE"),
        ("RCPT TO:<ü@b>".encode(), b"553 5.6.7"),
    ],
)
def test_rcpt_command_that_is_refused(line, reply):
    """The reply says what is wrong, and the handler is not asked."""
    talk = ready()
    talk.feed(b"MAIL FROM:<>\r\n")
    assert talk.feed(line + b"\r\n").startswith(reply)
    assert not any(isinstance(event, RecipientRequested) for event in talk.events)


@pytest.mark.parametrize("keyword", ["SIZE", "8BITMIME", "SMTPUTF8", "DSN", "AUTH"])
def test_a_parameter_of_what_is_not_offered_is_unknown(keyword):
    """Who did not see the keyword in EHLO cannot use its parameter."""
    parameter = {
        "SIZE": b"SIZE=1",
        "8BITMIME": b"BODY=7BIT",
        "DSN": b"RET=FULL",
        "AUTH": b"AUTH=<>",
    }
    talk = ready(options(keywords=("PIPELINING",)))
    said = talk.feed(b"MAIL FROM:<a@b> " + parameter.get(keyword, keyword.encode()) + b"\r\n")
    assert said.startswith(b"555 Unknown parameter")


def test_header_injection_by_xtext_in_envid():
    """An encoded line break, which would become a header field of a report, is refused."""
    talk = ready()
    said = talk.feed(b"MAIL FROM:<a@b> ENVID=x+0D+0ABcc:+20c@d\r\n")
    assert said == b"501 5.5.4 Bad parameter ENVID\r\n"


def test_too_many_recipients_are_for_now_only():
    """The recipient over the limit is refused with 452; the mail goes on for the others."""
    talk = ready(options(max_recipients=2))
    said = talk.feed(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@b>\r\n" * 3 + b"DATA\r\n")
    assert [line[:3] for line in said.splitlines()] == [b"250", b"250", b"250", b"452", b"354"]


def test_refusals_of_the_handler_are_said_as_they_are():
    """Code and text are the handler's; what could break the line is escaped."""
    talk = ready(refusals={MailRequested: (440, "no\r\n250 yes \x1b[1m 中文")})
    said = talk.feed(b"MAIL FROM:<a@b>\r\n")
    assert said == "440 4.0.0 no\\x0d\\x0a250 yes \\x1b[1m 中文\r\n".encode()
    assert talk.feed(b"RCPT TO:<c@d>\r\n").startswith(b"503")


def test_refused_connection_is_greeted_so_and_ended():
    """A refusal of the session is the greeting, without an enhanced code, and the end."""
    talk = Talk(refusals={SessionStarted: (554, "go away")})
    assert talk.greeting == b"554 go away\r\n"
    assert talk.server.has_ended
    assert talk.events[-1] == SessionEnded("refused")


def test_replies_of_another_server_can_be_said():
    """Rows can be replaced, and codes are left out where they are not offered."""
    opts = options(
        greeting="smtp.example MX",
        keywords=("AUTH PLAIN",),
        replies={"bad_base64": (523, "", "cipher text is invalid base64 format")},
    )
    talk = Talk(opts)
    assert talk.greeting == b"220 smtp.example MX\r\n"
    assert talk.feed(b"EHLO x\r\n") == b"250-localhost\r\n250 AUTH PLAIN\r\n"
    assert talk.feed(b"AUTH PLAIN !\r\n") == b"523 cipher text is invalid base64 format\r\n"
    assert talk.feed(b"NOOP\r\n") == b"250 Ok\r\n"


def test_reply_of_several_lines():
    """A handler's reply may have several lines, each with its code."""
    server = Server(options())
    server.answer(Reply(554, (b"one", b"two " + b"x" * 600)))
    first, second, end = server.take_output().split(b"\r\n")
    assert (first, second[:8], len(second), end) == (b"554-one", b"554 two ", 510, b"")


def test_answers_nobody_asked_for():
    """An answer without a question is a bug of the driver."""
    server = Server(options())
    server.accept()
    for misuse in (server.accept, server.refuse, server.tls_started):
        with pytest.raises(LocalProtocolError):
            misuse()


def test_nothing_is_read_while_an_answer_is_owed():
    """A pipelined group waits for the handler, command by command."""
    server = Server(options())
    server.next_event()
    server.accept()
    server.receive_data(b"EHLO x\r\n")
    server.receive_data(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n")
    server.take_output()
    assert isinstance(server.next_event(), MailRequested)
    assert server.next_event() is None
    server.refuse(450)
    assert server.next_event() == TransactionEnded() or server.has_ended
    assert [line[:3] for line in server.take_output().splitlines()] == [b"450", b"503", b"221"]


def test_our_own_end_of_the_session():
    """The driver's close says 421 with its reason; a second one says nothing."""
    talk = opened()
    talk.server.close("Too slow")
    talk.server.close()
    talk._settle()
    assert talk.take().endswith(b"421 4.3.2 Too slow\r\n")
    assert talk.events[-2:] == [TransactionEnded(), SessionEnded("closing")]
    assert talk.feed(b"NOOP\r\n") == b""


def test_etrn_is_the_handlers_business():
    """ETRN is asked of the handler; it is unknown where it is not offered."""
    talk = ready(refusals={EtrnRequested: (0, "")})
    assert (
        talk.feed(b"ETRN example.org\r\n")
        == b"458 4.0.0 Unable to queue messages for that node\r\n"
    )
    assert EtrnRequested("example.org") in talk.events
    assert ready(options(keywords=())).feed(b"ETRN x\r\n").startswith(b"502")
