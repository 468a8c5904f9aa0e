"""What a caller and a person are told when a mail does not arrive."""

import re
import ssl

import pytest
import trustme

from peer import FROM, PASSWORD, USER, Peer, Puppet, send_to_puppet
from programs import call_program, run_program

# -- failures: the exit code and the words ----------------------------------------------------

REFUSALS = [
    # the server's table, options, the exit code, the first line
    ({"": "554 go away"}, [], 69, "the server refused the connection with its greeting"),
    ({"": "421 busy"}, [], 75, "the server closes the connection"),
    ({"": "450 busy"}, [], 75, "the server refused the connection with its greeting"),
    ({"": "SSH-2.0-OpenSSH"}, [], 76, ""),
    ({"": ""}, [], 75, "the server closed the connection"),
    ({"EHLO": "550 no", "HELO": "550 no"}, [], 69, "the server refused our EHLO and HELO"),
    ({"EHLO": "421 no"}, [], 75, "the server closes the connection"),
    ({"EHLO": ""}, [], 75, "the server closed the connection"),
    ({}, ["--tls", "--tls-certcheck=off"], 69, "the server does not support TLS via the STARTTLS"),
    ({"MAIL": "550 no"}, [], 65, "envelope from address me@example.org not accepted by the server"),
    ({"MAIL": "450 no"}, [], 75, "envelope from address me@example.org not accepted by the server"),
    ({"MAIL": "530 5.7.0 login first"}, [], 77, "envelope from address me@example.org not acc"),
    ({"RCPT": "550 no"}, [], 67, "recipient address to@example.org not accepted by the server"),
    ({"RCPT": "450 no"}, [], 75, "recipient address to@example.org not accepted by the server"),
    ({"RCPT": ""}, [], 75, "the server closed the connection"),
    ({"DATA": "550 no"}, [], 65, "the server does not accept mail data"),
    ({"DATA": "450 no"}, [], 75, "the server does not accept mail data"),
    ({"DATA": "250 what"}, [], 76, "the server answered DATA with 250"),
    ({".": "550 no"}, [], 65, "the server did not accept the mail"),
    ({".": "450 no"}, [], 75, "the server did not accept the mail"),
    ({".": "552 too large"}, [], 65, "the server did not accept the mail"),
    ({".": ""}, [], 75, "the server closed the connection"),
    ({".": "hello"}, [], 76, ""),
]


@pytest.mark.parametrize(("replies", "options", "code", "line"), REFUSALS, ids=str)
def test_refusal(replies, options, code, line):
    """Each refusal has its exit code, its sentence and the server's own words."""
    result, _ = send_to_puppet(replies, *options)
    assert (result.exit_code, result.out) == (code, "")
    assert result.lines[0].startswith(line)
    said = [reply for reply in replies.values() if re.match(r"[45]\d\d ", reply)]
    for reply in said[-1:]:
        assert f"server message: {reply}" in result.lines
    assert result.lines[-1] == "could not send mail"
    assert all(line.startswith("msmtp: ") for line in result.err.splitlines())
    assert "Traceback" not in result.err


def test_lost_answer_is_told_as_a_doubt():
    """A connection that breaks behind the final dot leaves a doubt, and the person is told."""
    result, _ = send_to_puppet({".": ""})
    assert (
        "the mail was sent whole, but the server's answer was lost: it may have arrived"
        in result.lines
    )


def test_login_failures():
    """A refused login is 77, or 75 when it is for a while; the mail is not touched."""
    login = ["--auth=plain", f"--user={USER}", "--passwordeval=echo wrong"]
    result, puppet = send_to_puppet({"AUTH": "535 5.7.8 bad credentials"}, *login)
    assert (result.exit_code, result.lines[0]) == (77, "authentication failed (method PLAIN)")
    assert not puppet.contents
    result, _ = send_to_puppet({"AUTH": "454 4.7.0 later"}, *login)
    assert result.exit_code == 75
    result, _ = send_to_puppet({"EHLO": "250 no login here"}, *login)
    assert result.exit_code == 69


def test_login_without_a_password():
    """No password to be found is told with every place that was looked at, before connecting."""
    result, puppet = send_to_puppet({}, "--auth=plain", f"--user={USER}")
    assert (result.exit_code, puppet.connections) == (69, 0)
    assert result.lines[0].startswith(f"no password for {USER} at 127.0.0.1 found: ")
    result, puppet = send_to_puppet({}, "--auth=plain", f"--user={USER}", "--passwordeval=false")
    assert (result.exit_code, puppet.connections) == (78, 0)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--host=127.0.0.1", "--port=1"], 75, "cannot connect to 127.0.0.1, port 1: "),
        (["--host=127.0.0.1", "--socket=/nonexistent/socket"], 75, "/nonexistent/socket"),
        # No resolver is asked for a name with an empty label.
        (["--host=no..such", "--port=1"], 68, "cannot locate host no..such"),
        (["--host=no such", "--port=1"], 78, "cannot be the name of a host"),
        (["--host=127.0.0.1", "--tls", "--tls-trust-file=/nonexistent"], 66, "/nonexistent"),
        (["--host=127.0.0.1", "--aliases=/nonexistent"], 78, "cannot read /nonexistent"),
        (["--host=127.0.0.1", "--tls", "--tls-key-file=/x"], 78, "tls_key_file requires"),
        (["--host=127.0.0.1", "--protocol=lmtp"], 78, "port not set"),
        (["-C", "/nonexistent/rc"], 74, "/nonexistent/rc: No such file"),
        (["-C", "/"], 74, "/: "),
        (["-a", "nosuch"], 78, "account nosuch not found"),
        ([], 78, "account default not found"),
    ],
)
def test_failures_before_a_session(options, code, words):
    """What fails before a server is asked says where, and costs no more than some lines."""
    local = [*options, *FROM, "--", "root", "to@example.org"]
    result = call_program("msmtp", local, b"Subject: t\n\nx\n")
    assert (result.exit_code, result.out) == (code, "")
    assert words in result.err
    assert len(result.lines) <= 5
    assert "Traceback" not in result.err


def test_header_section_that_never_ends():
    """A header section of more than a mebibyte is refused, and is data's fault."""
    mail = b"".join(b"X-%d: %s\n" % (n, b"x" * 900) for n in range(1300))
    result, puppet = send_to_puppet({}, mail=mail + b"\nx\n")
    assert (result.exit_code, puppet.connections) == (65, 0)
    result, puppet = send_to_puppet({}, mail=b"Bcc: " + b"a@b," * 400_000 + b"\n\nx\n")
    assert (result.exit_code, puppet.connections) == (65, 0)


def test_size_limit_of_the_server():
    """A mail larger than the server takes is refused before it is sent."""
    result, puppet = send_to_puppet(
        {"EHLO": "250-x\r\n250 SIZE 1000"}, mail=b"A: b\n\n" + b"x\n" * 1000
    )
    assert result.exit_code == 65
    assert "octets, the server takes 1000" in result.lines[0]
    assert not any(command.startswith("MAIL") for command in puppet.commands)


def test_one_refused_recipient_does_not_fail_the_others():
    """The others get the mail; the failure is told by name and gives the exit code."""
    replies = {"RCPT TO:<bad@x.org>": "550 5.1.1 no such user", "RCPT TO:<late@x.org>": "450 later"}
    result, puppet = send_to_puppet(replies, to=["a@x.org", "bad@x.org", "b@x.org"])
    assert (result.exit_code, len(puppet.contents)) == (67, 1)
    assert result.lines == [
        "recipient address bad@x.org not accepted by the server",
        "server message: 550 5.1.1 no such user",
        "hint: Recipient does not exist.",
        "what to do: Correct the address.",
        "could not send mail to all recipients",
    ]
    result, puppet = send_to_puppet(replies, to=["bad@x.org", "late@x.org", "a@x.org"])
    assert (result.exit_code, len(puppet.contents)) == (75, 1)
    result, puppet = send_to_puppet(replies, to=["bad@x.org"])
    assert (result.exit_code, puppet.contents) == (67, [])
    assert result.lines[-1] == "could not send mail"


def test_thousand_refused_recipients_are_told_quickly():
    """Many refusals cost no look at every preset each, and one hint is told once."""
    to = [f"r{n}@x.org" for n in range(300)]
    result, _ = send_to_puppet({"RCPT": "550 5.1.1 no such user {line}"}, to=to)
    assert result.exit_code == 67
    assert sum(line.startswith("recipient address") for line in result.lines) == 300
    assert sum(line.startswith("hint: ") for line in result.lines) == 1


def test_lmtp_tells_of_each_recipient():
    """LMTP: one reply for each recipient; the failed ones are told, the others have the mail."""
    replies = {".1": "550 5.2.2 over quota", ".2": "450 4.2.1 locked"}
    to = ["a@x.org", "full@x.org", "locked@x.org", "b@x.org"]
    result, puppet = send_to_puppet(replies, "--protocol=lmtp", "-X", "-", to=to)
    assert (result.exit_code, len(puppet.contents)) == (75, 1)
    assert "the server did not accept the mail for full@x.org" in result.lines
    assert "server message: 550 5.2.2 over quota" in result.lines
    assert "server message: 450 4.2.1 locked" in result.lines
    assert not any("a@x.org" in line or "b@x.org" in line for line in result.lines)
    assert result.lines[-1] == "could not send mail to all recipients"
    assert "smtpstatus=450" in result.out
    assert result.out.endswith("exitcode=EX_TEMPFAIL\n")
    result, _ = send_to_puppet({}, "--protocol=lmtp", to=to)
    assert (result.exit_code, result.err) == (0, "")


def test_lmtp_over_a_unix_socket(tmp_path):
    """The socket keyword leads to a local server, without a port."""
    path = tmp_path / "lmtp"
    with Puppet(path=path) as puppet:
        options = [f"--socket={path}", "--host=x", "--protocol=lmtp", *FROM, "a@x.org"]
        result = call_program("msmtp", options, b"Subject: t\n\nx\n")
    assert (result.exit_code, result.err, puppet.commands[0]) == (0, "", "LHLO localhost")


def test_aiosmtpd_speaks_lmtp():
    """The same with a server that others wrote."""
    with Peer(is_lmtp=True) as peer:
        options = ["--host=127.0.0.1", f"--port={peer.port}", "--protocol=lmtp", *FROM, "a@x.org"]
        assert call_program("msmtp", options, b"Subject: t\n\nx\n").exit_code == 0
        assert peer.last().recipients == ["a@x.org"]


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"LC_ALL": "en_US.UTF-8"}, "hint: Recipient does not exist."),
        ({"LC_ALL": "zh_CN.UTF-8"}, "提示：收件人不存在。"),
    ],
)
def test_hints_follow_the_language(env, words):
    """A person who set a Chinese locale is told in Chinese what to do."""
    result, _ = send_to_puppet({"RCPT": "550 5.1.1 User unknown"}, env=env)
    assert words in result.lines


def test_provider_is_known_by_its_greeting():
    """Aliyun's own meaning of a code counts where its greeting is met: 440 never heals."""
    replies = {
        "": "220 smtp.aliyun-inc.com MX AliMail Server",
        "MAIL": "440 mail from account doesn't conform with authentication",
    }
    result, _ = send_to_puppet(replies)
    assert result.exit_code == 65
    assert any(line.startswith("hint: Alibaba Mail") for line in result.lines)
    result, _ = send_to_puppet(
        {"": replies[""], "RCPT": "504 the number of RCPT attempts is achieved"}
    )
    assert result.exit_code == 75
    result, _ = send_to_puppet({"MAIL": replies["MAIL"]})
    assert result.exit_code == 75


# -- TLS and login ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return a server's context and the file that a client must trust."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return context, path


TUTORIAL = """\
account default
tls on
tls_trust_file {trust}
tls_starttls {starttls}
host 127.0.0.1
port {port}
auth on
user {user}
password {password}
from {user}
"""


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("is_wrong", [False, True])
def test_tutorial_configuration(authority, tmp_path, tls, is_wrong):
    """The tutorial's file sends over TLS with a login; a wrong password is explained."""
    context, trust = authority
    config = tmp_path / ".msmtprc"
    config.touch(mode=0o600)
    with Peer(tls=tls, context=context, wants_login=True) as peer:
        config.write_text(
            TUTORIAL.format(
                trust=trust,
                port=peer.port,
                starttls="on" if tls == "starttls" else "off",
                user=USER,
                password="wrong" if is_wrong else PASSWORD,
            )
        )
        result = run_program("msmtp", ["to@x.org"], b"Subject: t\n\nx\n", {"HOME": str(tmp_path)})
        if is_wrong:
            assert (result.exit_code, peer.received) == (77, [])
            assert "wrong" not in result.err
            assert f"could not send mail (account default from {config})" in result.lines
        else:
            assert (result.exit_code, result.err) == (0, "")
            received = peer.last()
            assert (received.sender, received.login) == (USER, USER)


def test_stranger_is_not_spoken_to(authority, tmp_path):
    """Attack: a server with a certificate of nobody we trust hears no login."""
    context, _ = authority
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with Peer(tls="implicit", context=context, wants_login=True) as peer:
        options = ["--host=127.0.0.1", f"--port={peer.port}", "--tls", "--tls-starttls=off"]
        options += [f"--tls-trust-file={other}", "--auth", f"--user={USER}", *FROM]
        result = call_program("msmtp", [*options, "--passwordeval=echo x", "to@x.org"], b"\nx\n")
        assert (result.exit_code, peer.received) == (69, [])
