"""The client session up to its being ready: greeting, EHLO, STARTTLS, login; and early replies."""

from __future__ import annotations

import pytest

from client_script import HELLO, NONCE, PIPELINING, READY, Player, play, scripts, shown
from pillarbox.errors import (
    EX_DATAERR,
    EX_NOPERM,
    EX_PROTOCOL,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    LocalProtocolError,
)
from pillarbox.secret import Secret
from pillarbox.smtp.auth import MECHANISMS, Credentials, Mechanism, MechanismRow
from pillarbox.smtp.client import Client
from pillarbox.smtp.session import SessionOptions

PASSWORD = "hunter2-hunter2"
LOGIN = {"credentials": Credentials("tim", Secret(PASSWORD), "mail.example.org", 587)}
SECURED = {**LOGIN, "is_secured": True}
STARTTLS = {**LOGIN, "starttls": True}


# -- greeting and EHLO -------------------------------------------------------------------------


@scripts(
    ("plain", {}, "S 220 hi\nC EHLO localhost\nS 250 x\nE ready\n> quit\nC QUIT"),
    ("many lines", {}, "S 220-hi\nS 220 you\nC EHLO localhost\nS 250-x\nS 250 y\nE ready"),
    (
        "our name",
        {"hello_name": "[192.0.2.1]"},
        "S 220 hi\nC EHLO [192.0.2.1]\nS 250 x\nE ready",
    ),
    ("lmtp", {"is_lmtp": True}, "S 220 hi\nC LHLO localhost\nS 250 x\nE ready\n> quit\nC QUIT"),
    (
        "helo",
        {},
        HELLO + "S 502 what?\nC HELO localhost\nS 250 x\nE ready\n> quit\nC QUIT",
    ),
    ("secured", {"is_secured": True}, "S 220 hi\nC EHLO localhost\nS 250 STARTTLS\nE ready"),
    ("quit early", {}, "> quit\n> state QUITTING"),
    ("quit in hello", {}, "S 220 hi\nC EHLO localhost\n> quit"),
    (
        "farewell is not listened to",
        {},
        "S 220 hi\nC EHLO localhost\nS 250 x\nE ready\n> quit\nC QUIT\nS 221 bye\n> eof",
    ),
)
def test_session_becomes_ready(options, script, size):
    """Greeting, EHLO or what stands in for it, and QUIT when it is over."""
    play(options, script, size)


REFUSALS = [
    # code, exit code if the server may mean it, whether QUIT may be said
    ("450", EX_TEMPFAIL, True),
    ("454", EX_TEMPFAIL, True),
    ("500", EX_UNAVAILABLE, True),
    ("554", EX_UNAVAILABLE, True),
    ("421", EX_TEMPFAIL, False),
    ("354", EX_PROTOCOL, False),
    ("334", EX_PROTOCOL, False),
]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(("code", "exit_code", "has_quit"), REFUSALS)
def test_refused_greeting_and_ehlo(code, exit_code, has_quit, size):
    """4yz is for a while, 5yz until somebody acts, 3yz nonsense, 421 the end of the line."""
    end = "> quit\n" + ("C QUIT" if has_quit else "> state QUITTING")
    play({}, f"S {code} x\nE refused greeting site {exit_code}\n{end}", size)
    lmtp = f"S 220 x\nC LHLO localhost\nS {code} x\nE refused EHLO site {exit_code}\n{end}"
    play({"is_lmtp": True}, lmtp, size)
    helo = "S 220 x\nC EHLO localhost\nS 500 x\nC HELO localhost\n"
    play({}, f"{helo}S {code} x\nE refused EHLO site {exit_code}\n{end}", size)
    if code[0] != "5":
        hello = f"S 220 x\nC EHLO localhost\nS {code} x\nE refused EHLO site {exit_code}\n{end}"
        play({}, hello, size)


@pytest.mark.parametrize("code", ["200", "220", "250", "251"])
def test_any_positive_reply_greets(code):
    """The class decides (RFC 5321 4.3.2): odd codes are no reason to lose mail."""
    play({}, f"S {code} x\nC EHLO localhost\nS {code} x\nE ready")


def test_name_that_cannot_be_said_ends_the_session():
    """A host name from the configuration that is no word is our fault, and told as such."""
    player = play({"hello_name": "a b"}, f"S 220 x\nE refused greeting site {EX_DATAERR}")
    player.play("> quit\nC QUIT")


# -- STARTTLS ----------------------------------------------------------------------------------

BEFORE_TLS = """
S 220 x
C EHLO localhost
S 250-x
S 250-AUTH PLAIN
S 250-PIPELINING
S 250 STARTTLS
C STARTTLS
"""
STARTED = BEFORE_TLS + "S 220 go\nE tls\n> tls\nC EHLO localhost\n"


def assert_nothing_secret(player):
    """Nothing of a login left the host."""
    assert b"AUTH" not in player.said
    assert b"tim" not in player.said
    assert b"dGlt" not in player.said


@scripts(
    (
        "login behind it",
        STARTTLS,
        STARTED + "S 250-x\nS 250 AUTH PLAIN\nC AUTH PLAIN AHRpbQBodW50ZXIyLWh1bnRlcjI=\n"
        "S 235 ok\nE ready",
    ),
    ("no login", {"starttls": True}, STARTED + "S 250-x\nS 250 AUTH PLAIN\nE ready"),
    (
        "offers of before are forgotten",
        STARTTLS,
        STARTED + f"S 250 x\nE refused AUTH account {EX_UNAVAILABLE}\n> quit\nC QUIT",
    ),
    ("250 is as good", {"starttls": True}, BEFORE_TLS + "S 250 go\nE tls"),
    (
        "offers of before are forgotten, HELO too",
        STARTTLS,
        STARTED + "S 500 x\nC HELO localhost\nS 250 x\n"
        f"E refused AUTH account {EX_UNAVAILABLE}\n> quit\nC QUIT",
    ),
    (
        "refused EHLO behind it",
        {"starttls": True},
        STARTED + "S 500 x\nC HELO localhost\nS 250 x\nE ready",
    ),
)
def test_tls_is_asked_for_and_everything_begins_anew(options, script, size):
    """The driver is asked to negotiate; then comes EHLO again (RFC 3207 4.2)."""
    play(options, script, size)


@scripts(
    *(
        (
            name,
            STARTTLS,
            f"{HELLO}{offer}\nE refused STARTTLS site {EX_UNAVAILABLE}\n> quit\nC QUIT",
        )
        for name, offer in [
            ("nothing", "S 250 x"),
            ("auth", "S 250-x\nS 250 AUTH PLAIN LOGIN"),
            ("in the greeting line", "S 250-STARTTLS\nS 250 AUTH PLAIN"),
            ("as XXXXXXXA", "S 250-x\nS 250-XXXXXXXA\nS 250 AUTH PLAIN"),
            ("as a parameter", "S 250-x\nS 250 X STARTTLS"),
            ("helo", "S 502 x\nC HELO localhost\nS 250 x"),
        ]
    )
)
def test_starttls_stripped_sends_no_credential(options, script, size):
    """Without the offer (N1) only QUIT is sent, and the advice says what may be going on."""
    player = play(options, script, size)
    assert_nothing_secret(player)
    assert player.said.endswith(b"\r\nQUIT\r\n")


def test_stripped_starttls_is_explained():
    """The advice names the port with implicit TLS, and the possible attack."""
    client = Client(SessionOptions(starttls=True))
    client.receive_data(b"220 x\r\n")
    client.take_output()
    client.receive_data(b"250 x\r\n")
    trouble = client.next_event().trouble
    assert "465" in trouble.advice
    assert "stripping" in trouble.advice


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(("code", "exit_code", "has_quit"), REFUSALS)
def test_starttls_refused_sends_no_credential(code, exit_code, has_quit, size):
    """454, 502 or nonsense in answer to STARTTLS (N1): the session ends in clear, unused."""
    script = f"{BEFORE_TLS}S {code} x\nE refused STARTTLS site {exit_code}\n> quit\n"
    player = play(STARTTLS, script + ("C QUIT" if has_quit else ""), size)
    assert_nothing_secret(player)


INJECTED = ["S 250-x\nS 250 AUTH PLAIN", "S 250 x", "S 421 bye", "S+ 2", "S+ \x16"]
INJECTION = f"E refused STARTTLS site {EX_PROTOCOL}\n> quit"


@pytest.mark.parametrize("injected", INJECTED)
def test_starttls_injection_behind_220_is_fatal(injected):
    """Plaintext in one segment with the answer (N2) ends the session; it is never purged."""
    player = play(STARTTLS, f"{BEFORE_TLS}S 220 go\n{injected}\n{INJECTION}")
    assert_nothing_secret(player)
    assert player.client.state == "QUITTING"


@pytest.mark.parametrize("injected", INJECTED[:2])
def test_starttls_injection_behind_220_byte_by_byte_is_fatal(injected):
    """The same when the segment comes in pieces: the request for TLS is taken back."""
    script = f"{BEFORE_TLS}S 220 go\n{injected}\nE refused idle site {EX_PROTOCOL}\n> quit"
    assert_nothing_secret(play(STARTTLS, script, 1))


@pytest.mark.parametrize("injected", ["2", "250 x\r", "\r", "\0"])
def test_starttls_injection_one_byte_behind_220_is_fatal(injected):
    """A byte of plaintext that comes late (N2) is found when TLS begins, even then."""
    player = play(STARTTLS, f"{BEFORE_TLS}S 220 go\nE tls")
    player.client.receive_data(injected.encode())
    player.play(f"> tls\n{INJECTION}")
    assert_nothing_secret(player)


def test_starttls_injection_of_a_whole_reply_late_is_fatal():
    """A whole reply between the answer and the handshake (N2) ends the session at once."""
    player = play(STARTTLS, f"{BEFORE_TLS}S 220 go\nE tls")
    player.play(f"S 250 x\nE refused idle site {EX_PROTOCOL}\n> quit")
    assert_nothing_secret(player)


def test_starttls_injection_in_two_segments_is_fatal():
    """Split behind the first octets of the forged reply (N2): the same."""
    player = play(STARTTLS, f"{BEFORE_TLS}S 220 go\nE tls\nS+ 25")
    player.play(f"S 0 forged\nE refused idle site {EX_PROTOCOL}\n> quit")
    assert_nothing_secret(player)


def test_failed_handshake_ends_the_session():
    """The driver tells that TLS did not come about; nothing is said in clear, not even QUIT."""
    player = play(STARTTLS, f"{BEFORE_TLS}S 220 go\nE tls")
    player.play(f"> lost\nE refused content site {EX_TEMPFAIL}\n> quit")
    assert_nothing_secret(player)


def test_tls_cannot_start_unasked():
    """A driver that negotiates out of turn has a bug."""
    for script in ("", "S 220 x\nC EHLO localhost\nS 250 x\nE ready"):
        player = play({}, script or "> awaits greeting")
        with pytest.raises(LocalProtocolError):
            player.client.tls_started({})


# -- login -------------------------------------------------------------------------------------

PLAIN = HELLO + "S 250-x\nS 250 AUTH PLAIN\nC AUTH PLAIN AHRpbQBodW50ZXIyLWh1bnRlcjI=\n"
LOGIN_ASKED = HELLO + "S 250-x\nS 250 AUTH LOGIN\nC AUTH LOGIN\n"
XOAUTH2 = HELLO + "S 250-x\nS 250 AUTH XOAUTH2\n"


@scripts(
    ("plain", SECURED, PLAIN + "S 235 ok\nE ready"),
    ("plain, 250", SECURED, PLAIN + "S 250 ok\nE ready"),
    (
        "login",
        SECURED,
        LOGIN_ASKED + "S 334 VXNlcm5hbWU6\nC dGlt\nS 334 UGFzc3dvcmQ6\n"
        "C aHVudGVyMi1odW50ZXIy\nS 235 ok\nE ready",
    ),
    (
        "login, prompts of Aliyun",
        SECURED,
        LOGIN_ASKED + "S 334 dXNlcm5hbWU6\nC dGlt\nS 334 cGFzc3dvcmQ6\n"
        "C aHVudGVyMi1odW50ZXIy\nS 235 ok\nE ready",
    ),
    (
        "login, prompts that are no base64",
        SECURED,
        LOGIN_ASKED + "S 334 Username:\nC dGlt\nS 334\nC aHVudGVyMi1odW50ZXIy\nS 235 ok\nE ready",
    ),
)
def test_logs_in(options, script, size):
    """AUTH goes alone, and each challenge is answered."""
    play(options, script, size)


@scripts(
    ("535", SECURED, PLAIN + f"S 535 no\nE refused AUTH account {EX_NOPERM}\n> quit\nC QUIT"),
    (
        "526 of Aliyun",
        SECURED,
        PLAIN + "S 526 Authentication failure[0]\n"
        f"E refused AUTH account {EX_NOPERM}\n> quit\nC QUIT",
    ),
    ("504", SECURED, PLAIN + f"S 504 no\nE refused AUTH account {EX_NOPERM}\n> quit\nC QUIT"),
    (
        "454",
        SECURED,
        PLAIN + f"S 454 later\nE refused AUTH account {EX_TEMPFAIL}\n> quit\nC QUIT",
    ),
    ("432", SECURED, PLAIN + f"S 432 later\nE refused AUTH account {EX_TEMPFAIL}"),
    ("421", SECURED, PLAIN + f"S 421 bye\nE refused AUTH site {EX_TEMPFAIL}\n> quit"),
    ("354", SECURED, PLAIN + f"S 354 go\nE refused AUTH site {EX_PROTOCOL}\n> quit"),
    (
        "354 for a challenge",
        SECURED,
        LOGIN_ASKED + f"S 354 go\nE refused AUTH site {EX_PROTOCOL}\n> quit",
    ),
    (
        "success before the server has proved itself",
        LOGIN,
        HELLO + "S 250-x\nS 250 AUTH SCRAM-SHA-256\n"
        "C AUTH SCRAM-SHA-256 biwsbj10aW0scj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0w=\n"
        f"S 235 ok\nE refused AUTH site {EX_PROTOCOL}\n> quit",
    ),
    ("2200", SECURED, PLAIN + f"S 2200 ok\nE refused AUTH site {EX_PROTOCOL}\n> quit"),
    (
        "in the middle",
        SECURED,
        LOGIN_ASKED + f"S 334 x\nC dGlt\nS 535 no\nE refused AUTH account {EX_NOPERM}",
    ),
    (
        "one challenge too many",
        SECURED,
        PLAIN + f"S 334 \nE refused AUTH site {EX_PROTOCOL}\n> quit",
    ),
    (
        "endless challenges",
        {**SECURED, "mechanism": "xoauth2"},
        XOAUTH2 + "C AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgaHVudGVyMi1odW50ZXIyAQE=\n"
        f"S 334 eA==\nC\nS 334 eA==\nE refused AUTH site {EX_PROTOCOL}\n> quit",
    ),
    (
        "challenge that is no base64",
        {**LOGIN, "mechanism": "cram-md5"},
        HELLO + "S 250-x\nS 250 AUTH CRAM-MD5\nC AUTH CRAM-MD5\n"
        f"S 334 *\nE refused AUTH site {EX_PROTOCOL}\n> quit",
    ),
    (
        "no mechanism",
        SECURED,
        HELLO + f"S 250 x\nE refused AUTH account {EX_UNAVAILABLE}\n> quit\nC QUIT",
    ),
    (
        "none of ours",
        SECURED,
        HELLO + "S 250-x\nS 250 AUTH XALIOAUTH\n"
        f"E refused AUTH account {EX_UNAVAILABLE}\n> quit\nC QUIT",
    ),
    (
        "helo has no login",
        SECURED,
        HELLO + "S 502 x\nC HELO localhost\nS 250 x\n"
        f"E refused AUTH account {EX_UNAVAILABLE}\n> quit\nC QUIT",
    ),
    (
        "in clear",
        LOGIN,
        HELLO + "S 250-x\nS 250 AUTH PLAIN LOGIN\n"
        f"E refused AUTH account {EX_UNAVAILABLE}\n> quit\nC QUIT",
    ),
    (
        "end of stream",
        SECURED,
        PLAIN + f"> eof\nE refused AUTH site {EX_TEMPFAIL}\n> quit",
    ),
)
def test_refused_login_is_the_accounts_trouble(options, script, size):
    """Every 5yz, 526 too, is a refusal of the login; 4yz is for a while; nonsense is neither."""
    play(options, script, size)


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "digest-md5", "cram-md5"])
def test_endless_challenges_end(mechanism):
    """No mechanism answers more than four (N6)."""
    client = Client(SessionOptions(mechanism=mechanism, nonce=lambda: NONCE, **LOGIN))
    client.receive_data(b"220 x\r\n")
    client.take_output()
    client.receive_data(b"250-x\r\n250 AUTH %s\r\n" % mechanism.upper().encode())
    count = 0
    while client.take_output():
        client.receive_data(b"334 eA==\r\n")
        count += 1
    assert count <= 5
    assert client.next_event().trouble.exit_code == EX_PROTOCOL


def test_reason_inside_the_exchange_is_told():
    """OAuth's JSON comes in a challenge; the refusal itself is the reply behind it."""
    player = play(
        {**SECURED, "mechanism": "xoauth2"},
        XOAUTH2 + "C AUTH XOAUTH2 dXNlcj10aW0BYXV0aD1CZWFyZXIgaHVudGVyMi1odW50ZXIyAQE=\n"
        "S 334 eyJzdGF0dXMiOiI0MDEifQ==\nC",
    )
    player.client.receive_data(b"535 no\r\n")
    trouble = player.client.next_event().trouble
    assert trouble.problem == 'authentication failed (method XOAUTH2): {"status":"401"}'
    assert (trouble.exit_code, str(trouble.reply)) == (EX_NOPERM, "535 no")


def test_login_that_needs_a_nonce_and_is_given_none_is_our_bug():
    """It is told as a trouble like any other, and nothing of the login is sent."""
    client = Client(SessionOptions(**LOGIN))
    client.receive_data(b"220 x\r\n")
    client.take_output()
    client.receive_data(b"250-x\r\n250 AUTH SCRAM-SHA-256\r\n")
    assert shown(client.next_event()) == f"refused EHLO site {EX_SOFTWARE}"
    assert client.take_output() == b""


class Endless(Mechanism):
    """A mechanism with an answer to everything."""

    name = "ENDLESS"

    def step(self, challenge):
        """Answer."""
        return challenge


def test_endless_334_hits_a_limit(monkeypatch):
    """Even a mechanism that would go on for ever answers four challenges (N6)."""
    row = MechanismRow("ENDLESS", lambda _, __: Endless())
    monkeypatch.setitem(MECHANISMS, "ENDLESS", row)
    play(
        {**SECURED, "mechanism": "endless"},
        HELLO
        + "S 250-x\nS 250 AUTH ENDLESS\nC AUTH ENDLESS\n"
        + 4 * "S 334 eA==\nC eA==\n"
        + f"S 334 eA==\nE refused AUTH site {EX_PROTOCOL}\n> quit",
    )


def test_credential_that_cannot_be_sent_is_the_accounts_trouble():
    """A password with a line break (N10) is told of, without the password, and QUIT is said."""
    evil = Credentials("tim", Secret("hunter2\r\nMAIL FROM:<x>"), "mail.example.org", 587)
    player = Player(credentials=evil, is_secured=True)
    player.play(HELLO)
    player.client.receive_data(b"250-x\r\n250 AUTH PLAIN\r\n")
    event = player.client.next_event()
    assert "line break" in event.trouble.problem
    assert "hunter2" not in repr(event)
    assert shown(event) == "refused EHLO account 69"
    player.play("> quit\nC QUIT")
    assert b"MAIL" not in player.said


def test_no_quit_goes_where_a_challenge_is_to_be_answered():
    """What would stand for an answer might count as one more failed login: we just hang up."""
    who = Credentials("tim", Secret("密码"), "mail.example.org", 587)
    player = Player(credentials=who, is_secured=True, mechanism="digest-md5")
    player.play(HELLO + "S 250-x\nS 250 AUTH DIGEST-MD5\nC AUTH DIGEST-MD5")
    # realm="a",nonce="n",qop="auth",algorithm=md5-sess, without charset: ISO 8859-1 it is
    player.play(
        "S 334 cmVhbG09ImEiLG5vbmNlPSJuIixxb3A9ImF1dGgiLGFsZ29yaXRobT1tZDUtc2Vzcw==\n"
        "E refused AUTH account 69\n> quit"
    )


def test_long_initial_response_waits_for_the_empty_challenge():
    """A token that makes AUTH longer than a command line is sent behind 334 (RFC 4954 4)."""
    for length, is_held in ((300, False), (2000, True)):
        who = Credentials("tim", Secret("t" * length), "mail.example.org", 587)
        player = Player(credentials=who, is_secured=True, mechanism="xoauth2")
        client = player.client
        client.receive_data(b"220 x\r\n")
        client.take_output()
        client.receive_data(b"250-x\r\n250 AUTH XOAUTH2\r\n")
        line = client.take_output()
        assert (line == b"AUTH XOAUTH2\r\n") is is_held
        if is_held:
            client.receive_data(b"334 \r\n")
            line = client.take_output()
        assert len(line) > length
        client.receive_data(b"235 ok\r\n")
        assert shown(client.next_event()) == "ready"


ECHOES = [
    b"535 wrong password hunter2-hunter2 for tim\r\n",
    b"500 what is AUTH PLAIN AHRpbQBodW50ZXIyLWh1bnRlcjI=\r\n",
    b"454-hunter2-hunter2\r\n454 hunter2-hunter2\r\n",
    b"421 hunter2-hunter2\r\n",
    b"hunter2-hunter2\r\n",
    b"x" * 70 + b"hunter2-hunter2\r\n",
    b"334 hunter2-hunter2\r\n",
    b"2200 hunter2-hunter2\r\n",
]


@pytest.mark.parametrize("echo", ECHOES)
def test_secret_echoed_by_the_server_is_in_no_trouble(echo):
    """What a server repeats of our login (L10) does not get into a log by way of its reply."""
    client = Client(SessionOptions(**SECURED))
    client.receive_data(b"220 x\r\n")
    client.take_output()
    client.receive_data(b"250-x\r\n250 AUTH PLAIN\r\n")
    client.take_output()
    client.receive_data(echo)
    trouble = client.next_event().trouble
    for text in (repr(trouble), trouble.problem, str(trouble.reply)):
        assert "hunter2" not in text
        assert "aHVudGVyMi" not in text
        assert "AHRpbQ" not in text


# -- replies that nobody asked for (N7) --------------------------------------------------------

BROKEN = f"E refused idle site {EX_PROTOCOL}\n> quit"


@scripts(
    ("before the greeting's EHLO", {}, f"S 220 x\nS 250 x\nE refused EHLO site {EX_PROTOCOL}"),
    ("start of one there", {}, f"S 220 x\nS+ 25\nE refused EHLO site {EX_PROTOCOL}"),
    (
        "behind EHLO's, where AUTH comes",
        SECURED,
        f"{HELLO}S 250-x\nS 250 AUTH PLAIN\nS 235 ok\nE refused AUTH site {EX_PROTOCOL}\n> quit",
    ),
    ("idle", {}, READY + "S 250 ok\n" + BROKEN),
    ("idle, refusal", {}, READY + "S 550 no\n" + BROKEN),
    ("idle, farewell", {}, READY + f"S 421 bye\nE refused idle site {EX_TEMPFAIL}\n> quit"),
    ("with the last reply", {}, "S 220 x\nC EHLO localhost\nS 250 x\nS 250 y\nE ready\n" + BROKEN),
)
def test_unsolicited_reply_ends_the_session(options, script, size):
    """A reply that comes before its command is no answer to it; only 421 may come unasked."""
    play(options, script, size)


@pytest.mark.parametrize("hello", [READY, PIPELINING])
@pytest.mark.parametrize("early", ["2", "250 ok\r"])
def test_start_of_an_early_reply_answers_no_command(hello, early):
    """Half a reply that waits when a transaction begins (N7) is not completed into its answer."""
    player = play({}, hello)
    player.client.receive_data(early.encode())
    player.play(
        "> begin me a\n"
        f"E ended a=deferred\nE refused idle site {EX_PROTOCOL}\n> state BROKEN\n> quit"
    )
    assert b"MAIL" not in player.said


@pytest.mark.parametrize("hello", [READY, PIPELINING])
def test_reply_between_output_and_its_writing_is_early(hello):
    """Only what was handed to the driver can have been answered."""
    player = play({}, hello)
    player.act("begin", "me a")
    player.act("awaits", "MAIL")
    player.client.receive_data(b"250 early\r\n")
    player.play(f"E ended a=deferred\nE refused MAIL site {EX_PROTOCOL}\n> quit")
