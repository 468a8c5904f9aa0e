"""The login: whatever stands between an account and its server gets a name and one fix."""

from __future__ import annotations

from base64 import b64encode
from threading import Event
from time import monotonic

import pytest

from patients import findings_of, one_finding, patient_of
from peer import PASSWORD, USER, Puppet
from pillarbox.config.hints import Hint
from pillarbox.config.providers import load_providers, provider_of_host
from pillarbox.doctor import login
from pillarbox.doctor.finding import FAULT, NOTE
from pillarbox.doctor.login import CODES, check_login
from pillarbox.doctor.login_replies import kind_of
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.mail.reply import Reply
from pillarbox.text import localize


@pytest.fixture(name="patient_at")
def _patient_at(tmp_path):
    """Return a function that makes patients, whose connections are closed at the end."""
    made = []

    def make(puppet=None, **options):
        if puppet is not None:
            options["port"] = puppet.port
        patient = patient_of(tmp_path, **options)
        made.append(patient)
        return patient

    yield make
    for patient in made:
        assert patient.connection is None  # a server waits for its end


def find(patient):
    """Return the one thing that is wrong with a login; no connection is left then."""
    try:
        finding = one_finding(check_login, patient)
        is_open = patient.connection is not None
    finally:
        patient.close()
    assert finding.code in CODES
    assert finding.fix, finding.code
    assert is_open == (patient.account.auth == "off")
    return finding


def assert_well(patient):
    """Find nothing, and a connection that is ready for the checks behind this one."""
    try:
        assert findings_of(check_login, patient) == []
        assert patient.connection.trouble is None
    finally:
        patient.close()


# -- healthy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_finds_nothing_at_a_provider_that_is_well(tmp_path, patient_at, tls):
    """The connection is logged in, and open for the checks behind this one."""
    options = ProviderOptions(password=PASSWORD, tls=tls)
    with EmbeddedProvider(options, ca_file=str(tmp_path / "ca.pem")) as provider:
        starttls = "on" if tls == "starttls" else "off"
        patient = patient_at(
            provider,
            user=options.user,
            lines=f"auth on\ntls on\ntls_starttls {starttls}\ntls_trust_file {provider.ca_file}\n",
        )
        assert findings_of(check_login, patient) == []
        assert patient.connection.client.login == "PLAIN"
        patient.close()
        assert provider.mails == []
        assert provider.faults == []


def test_finds_nothing_where_no_login_is_wanted(patient_at):
    """A relay that knows us by our address."""
    with Puppet({"EHLO": "250 puppet"}) as puppet:
        patient = patient_at(puppet, lines="auth off\n", password=None)
        assert_well(patient)


def test_finds_nothing_over_lmtp(patient_at, tmp_path):
    """A socket of the machine's own, as Dovecot's."""
    with Puppet(path=tmp_path / "lmtp") as puppet:
        patient = patient_at(
            socket=tmp_path / "lmtp", lines="protocol lmtp\nauth off\ntls off\n", password=None
        )
        assert_well(patient)
    assert puppet.commands[0].startswith("LHLO")


def test_keeps_the_dialogue_without_the_login(patient_at):
    """The support bundle shows what was said, and nothing of the password."""
    with Puppet() as puppet:
        patient = patient_at(puppet)
        assert_well(patient)
    assert patient.dialogue[0] == "<-- 220 puppet ESMTP"
    assert "--> AUTH PLAIN ***" in patient.dialogue
    assert PASSWORD not in "\n".join(patient.dialogue)


# -- what is refused ---------------------------------------------------------------------------

# What each provider's answer to AUTH is about, sample by sample.
_KINDS = {
    "526 Authentication failure[0]": "login.refused",
    "526 Authentication failure[1]": "login.locked",
    "524 username or passwd is NULL": "login.refused",
    "523 cipher text is invalid base64 format": "login.refused",
    "UC_LOGIN_SOURCE_NOT_ALLOWED": "login.switched-off",
    "UC_CLIENT_NON_SSL": "login.plaintext",
    "UC_OPER_NO_PERMISSION": "login.refused",
    "535-5.7.8 Username and Password not accepted. For more information, go to"
    " https://support.google.com/mail/?p=BadCredentials": "login.refused",
    "534-5.7.9 Application-specific password required.": "login.refused",
    "534-5.7.14 Please log in via your web browser and then try again.": "login.switched-off",
    "454 4.7.0 Too many login attempts, please try again later.": "login.locked",
    "535 5.7.0 NEOBHODIM parol prilozheniya / Application password is REQUIRED": "login.refused",
    "550 5.7.30 Basic authentication is not supported for Client Submission.": "login.switched-off",
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the"
    " Tenant.": "login.switched-off",
    "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.": (
        "login.switched-off"
    ),
    "535 5.7.3 Authentication unsuccessful": "login.refused",
    "504 5.7.4 Unrecognized authentication type": "login.mechanism",
    "535 Error: authentication failed": "login.refused",
    "550 User has no permission": "login.switched-off",
    "451 Requested mail action not taken: too much fail authentication": "login.locked",
    "535 Login Fail. Please enter your authorization code to login. More information in"
    " http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256": "login.refused",
    "535 Login fail. Account is abnormal, service is not open, password is incorrect, login"
    " frequency limited, or system is busy. More information at"
    " https://help.mail.qq.com/detail/108/1023": "login.refused",
    "535 Error: authentication failed, system busy": "login.refused",
    "454 Authentication failed, please open smtp flag first!": "login.switched-off",
    "535 5.7.0 (#AUTH005) Too many bad auth attempts.": "login.locked",
    "450 Requested mail action not taken: mailbox unavailable": "login.refused",
    "535 5.7.8 Error: authentication failed: This user does not have access rights to this"
    " service": "login.switched-off",
    "535 Authentication Failed": "login.refused",
    "535 Authentication failure.": "login.refused",
    "525 5.7.1 Unauthorized IP address": "login.switched-off",
    "535 Authentication failed": "login.refused",
    "451 Authentication failed: Maximum credits exceeded": "login.later",
    "535 Authentication failed: Bad username / password": "login.refused",
    "535 Authentication Credentials Invalid": "login.refused",
}
_SAMPLES = [
    pytest.param(provider, known, id=f"{provider.id}: {known.sample}")
    for provider in load_providers()
    for known in provider.replies
    if known.stage == "auth"
]


@pytest.mark.parametrize(("provider", "known"), _SAMPLES)
def test_gives_the_provider_s_own_explanation_of_each_refusal(
    patient_at, tmp_path, provider, known
):
    """Cause and fix are the preset's, in both languages, and the reply is the evidence."""
    sample = known.sample if known.sample[:3].isdigit() else f"535 {known.sample}"
    reply = f"{sample}\r\n{sample[:3]} x" if sample[3] == "-" else sample
    host = provider.preferred.host.replace("{region}", "us-east-1")
    user = "apikey" if provider.username_rule == "literal" else USER
    with Puppet({"AUTH": reply}, path=tmp_path / "server") as puppet:
        finding = find(patient_at(socket=tmp_path / "server", host=host, user=user))
    assert [line.split()[0] for line in puppet.commands] == ["EHLO", "AUTH", "QUIT"]
    assert finding.code == _KINDS[known.sample]
    assert finding.severity == FAULT
    for language in ("en", "zh"):
        name = provider_of_host(host).name(language)  # two may share a host
        assert localize(finding.fix, language) == known.fix(language)
        assert localize(finding.meaning, language).startswith(name)
        assert localize(finding.meaning, language).endswith(known.cause(language))
    assert finding.evidence[0] == sample


def test_attack_server_that_answers_at_the_last_moment(patient_at, monkeypatch):
    """Each reply is in time, and all of them together are not: nobody is held for an hour."""
    monkeypatch.setattr(login, "_SESSION_S", 0.5)
    asked = Event()
    with Puppet({"AUTH": "334 eHg="}, watch=lambda: asked.wait(0.3) and None) as puppet:
        begun_s = monotonic()
        finding = find(patient_at(puppet, lines="auth login\ntls off\n", patience_s=20.0))
        took_s = monotonic() - begun_s
        asked.set()
    assert finding.code == "login.quiet"
    assert took_s < 10


@pytest.mark.parametrize(
    ("reply", "code", "fix"),
    [
        ("535 5.7.8 Error: authentication failed", "login.refused", "password"),
        ("535 no", "login.refused", "check user"),
        ("535 account is locked", "login.locked", "wait for an hour"),
        ("421 4.7.0 too many connections", "login.closed", "quarter of an hour"),
        ("454 4.7.0 Temporary authentication failure", "login.later", "quarter of an hour"),
        ("535 logins from programs are disabled", "login.switched-off", "third-party clients"),
        ("538 5.7.11 Encryption required for requested mechanism", "login.plaintext", "tls on"),
        ("530 5.7.0 Must issue a STARTTLS command first", "login.plaintext", "tls on"),
        ("504 5.5.4 no such thing", "login.mechanism", "auth on"),
    ],
)
def test_sorts_the_refusals_of_an_unknown_server(patient_at, reply, code, fix):
    """Nobody knows the server, and still there is one thing to do."""
    with Puppet({"AUTH": reply}) as puppet:
        finding = find(patient_at(puppet))
    assert finding.code == code
    assert fix in finding.fix
    assert finding.evidence == (reply,)


@pytest.mark.parametrize(
    ("host", "label", "chinese", "url"),
    [
        ("smtp.feishu.cn", "dedicated client password", "专用密码", ""),
        ("smtp.qq.com", "authorization code (16 letters)", "授权码", "; see http"),
    ],
)
def test_a_known_provider_without_a_word_for_it_says_which_password_it_wants(
    patient_at, tmp_path, host, label, chinese, url
):
    """The commonest fault is the password of the web mail; the fix is understood alone."""
    with Puppet({"AUTH": "535 no"}, path=tmp_path / "server"):
        finding = find(patient_at(socket=tmp_path / "server", host=host))
    assert finding.code == "login.refused"
    for text in (finding.meaning, finding.fix):
        assert label in text
        assert chinese in localize(text, "zh")
    assert finding.fix.startswith("put the right password into the credential")
    assert ("; see http" in finding.fix) == bool(url)


def test_tells_where_the_password_is_written(patient_at):
    """A file and a line, or the command's place; never the command."""
    for line, place in (
        ("password x", "line password"),
        ("passwordeval echo secret", "passwordeval reads"),
        ("", "credential, keyring or netrc"),
    ):
        with Puppet({"AUTH": "535 no"}) as puppet:
            finding = find(patient_at(puppet, lines=f"auth plain\ntls off\n{line}\n"))
        assert place in finding.fix
        assert "echo" not in finding.fix
        assert ("msmtprc:8" in finding.fix) == bool(line)


def test_tries_once_only(patient_at):
    """A provider locks an account after a few wrong logins: no other mechanism is tried."""
    with Puppet({"AUTH": "535 no"}) as puppet:
        find(patient_at(puppet))
    assert [line for line in puppet.commands if line.startswith("AUTH")] == [puppet.commands[1]]
    assert puppet.connections == 1


def test_a_lock_is_known_by_the_preset_s_word_for_it():
    """Whatever the server's words are: ``hold`` means that no login is tried for an hour."""
    reply = Reply(454, (b"4.7.0 not you",))
    assert kind_of(reply, Hint("somebody", "hold", "cause", "fix")) == "login.locked"
    assert kind_of(reply, Hint("somebody", "later", "cause", "fix")) == "login.later"
    assert kind_of(reply, Hint("somebody", "no", "cause", "fix")) == "login.refused"
    assert kind_of(reply, Hint("", "no", "cause", "fix")) == "login.later"


# -- who logs in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "user", "fix"),
    [
        ("smtp.163.com", "me", "write user me@163.com"),
        ("smtp.qiye.aliyun.com", "no-reply", "write user no-reply@example.com"),
        ("smtp.sendgrid.net", "me@example.org", "write user apikey"),
        ("smtp.resend.com", "me@example.org", "write user resend"),
    ],
)
def test_a_user_that_cannot_be_one_is_not_tried(patient_at, host, user, fix):
    """Each failed login counts, so what cannot work is found without one."""
    finding = find(patient_at(host=host, port=465, user=user, sender="me@example.org"))
    assert finding.code == "login.user"
    assert finding.severity == FAULT
    assert fix in finding.fix


def test_a_user_of_another_provider_is_told_where_to_log_in(patient_at, tmp_path):
    """Whoever is at 163.com cannot log in at QQ."""
    with Puppet({"AUTH": "535 Error: authentication failed"}, path=tmp_path / "server"):
        finding = find(
            patient_at(socket=tmp_path / "server", host="smtp.qq.com", user="me@163.com")
        )
    assert finding.code == "login.user"
    assert "write host smtp.163.com and port 465" in finding.fix
    assert finding.evidence == ("535 Error: authentication failed",)


@pytest.mark.parametrize(
    ("host", "user"), [("smtp.qq.com", "me@example.com"), ("smtp.gmail.com", "me@googlemail.com")]
)
def test_a_user_whose_domain_is_the_provider_s_or_his_own_is_not_suspected(
    patient_at, tmp_path, host, user
):
    """His password is."""
    with Puppet({"AUTH": "535 no"}, path=tmp_path / "server"):
        finding = find(patient_at(socket=tmp_path / "server", host=host, user=user))
    assert finding.code == "login.refused"


def test_a_user_of_another_provider_hears_what_is_wrong_besides(patient_at, tmp_path):
    """Only a password that is not taken may be another provider's."""
    reply = "454 Authentication failed, please open smtp flag first!"
    with Puppet({"AUTH": reply}, path=tmp_path / "server"):
        finding = find(
            patient_at(socket=tmp_path / "server", host="smtp.qq.com", user="me@163.com")
        )
    assert finding.code == "login.switched-off"


def test_a_user_of_another_provider_who_is_taken_is_well(patient_at, tmp_path):
    """What works is not wrong."""
    with Puppet(path=tmp_path / "server"):
        assert_well(patient_at(socket=tmp_path / "server", host="smtp.qq.com", user="me@163.com"))


# -- what is not tried -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fix"),
    [({"may_log_in": False}, "--no-login"), ({"password": None}, "sudo pillarbox doctor")],
)
def test_says_that_no_login_was_tried(patient_at, options, fix):
    """It is no fault, and what needs the login is left alone."""
    finding = find(patient_at(port=9, **options))
    assert (finding.code, finding.severity) == ("login.unasked", NOTE)
    assert finding.is_end
    assert fix in finding.fix


# -- mechanisms --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "lines", "code", "words"),
    [
        ("250 AUTH CRAM-MD5", "auth on\ntls off\n", "login.mechanism", "auth cram-md5"),
        ("250 AUTH PLAIN", "auth cram-md5\ntls off\n", "login.mechanism", "auth on"),
        ("250 AUTH GSSAPI XOAUTH2", "auth on\ntls off\n", "login.mechanism", "auth oauth"),
        (
            "250 AUTH OAUTHBEARER XOAUTH2",
            "auth on\ntls off\n",
            "login.mechanism",
            "access token",
        ),
        ("250 8BITMIME", "auth on\ntls off\n", "login.not-offered", "tls on"),
    ],
)
def test_lists_what_is_offered_and_what_is_configured(patient_at, offer, lines, code, words):
    """No password was sent."""
    with Puppet({"EHLO": f"250-puppet\r\n{offer}"}) as puppet:
        finding = find(patient_at(puppet, lines=lines))
    assert finding.code == code
    assert any(mark in finding.fix for mark in (words, "xoauth2"))
    assert finding.evidence[0].startswith("AUTH: ")
    assert finding.evidence[1].startswith(lines.partition("\n")[0])
    assert not any(line.startswith("AUTH") for line in puppet.commands)


@pytest.mark.parametrize(
    ("host", "fix"),
    [
        ("mail.example.org", "write auth off ("),
        ("smtp.qq.com", "write host smtp.qq.com and port 465"),
    ],
)
def test_where_nobody_can_log_in_there_may_be_no_need_to(patient_at, tmp_path, host, fix):
    """A relay may know its clients by their address; a provider has another port for logins."""
    with Puppet({"EHLO": "250-x\r\n250 8BITMIME"}, path=tmp_path / "server"):
        finding = find(patient_at(socket=tmp_path / "server", host=host))
    assert finding.code == "login.not-offered"
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize("lines", ["auth on\ntls off\n", "auth plain\ntls off\n"])
def test_a_password_that_would_be_heard_is_not_sent(patient_at, lines):
    """Over the network and without TLS; this machine's own name decides what the network is."""
    with Puppet() as puppet:
        patient = patient_at(puppet, lines=lines)
        patient.account.host = "127.1"  # the same machine, by a name that is not known for it
        finding = find(patient)
    assert finding.code == "login.plaintext"
    assert "tls on" in finding.fix
    assert not any(line.startswith("AUTH") for line in puppet.commands)


def test_attack_downgrade_is_named(patient_at, tmp_path):
    """A server that took SCRAM and now wants the password itself may be another's."""
    place = tmp_path / "server"
    (tmp_path / "pillarbox").mkdir()
    (tmp_path / "pillarbox" / "logins").write_text(f"SCRAM-SHA-256 {place} 25 {USER}\n")
    with Puppet(path=place) as puppet:
        env = {"XDG_STATE_HOME": str(tmp_path)}
        finding = find(patient_at(socket=place, env=env, lines="auth on\ntls off\n"))
    assert finding.code == "login.weaker"
    assert "auth plain" in finding.fix
    assert not any(line.startswith("AUTH") for line in puppet.commands)


def test_attack_downgrade_in_the_clear_is_named_for_what_it_is(patient_at, tmp_path):
    """What is left shows no password, and still is weaker than what there was."""
    (tmp_path / "pillarbox").mkdir()
    with Puppet({"EHLO": "250-x\r\n250 AUTH PLAIN SCRAM-SHA-1"}) as puppet:
        known = f"SCRAM-SHA-256 127.0.0.1 {puppet.port} {USER}\n"
        (tmp_path / "pillarbox" / "logins").write_text(known)
        env = {"XDG_STATE_HOME": str(tmp_path)}
        finding = find(patient_at(puppet, env=env, lines="auth on\ntls off\n"))
    assert finding.code == "login.weaker"


def test_a_password_that_no_mechanism_takes_is_named(patient_at):
    """SCRAM cannot take a control character (RFC 4013 2.3)."""
    with Puppet({"EHLO": "250-x\r\n250 AUTH SCRAM-SHA-256"}) as puppet:
        finding = find(patient_at(puppet, password="bell\aring", lines="auth on\ntls off\n"))
    assert finding.code == "login.unusable"
    assert not any(line.startswith("AUTH") for line in puppet.commands)


# -- auth off ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ({"MAIL": "530 5.7.0 Authentication required"}, "login.needed"),
        ({"MAIL": "550 please log in first"}, "login.needed"),
        ({"RCPT": "554 5.7.1 <you@example.org>: Relay access denied"}, "login.needed"),
        ({"RCPT": "454 4.7.1 <you@example.org>: Relay access denied"}, "login.needed"),
        ({"RCPT": "530 5.7.0 no"}, "login.needed"),
        ({"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}, "login.plaintext"),
    ],
)
def test_says_that_a_login_is_needed_where_auth_is_off(patient_at, replies, code):
    """The server says it to MAIL or RCPT; no mail is sent."""
    with Puppet(replies) as puppet:
        finding = find(patient_at(puppet, lines="auth off\ntls off\n", password=None))
    assert finding.code == code
    assert "msmtprc:" in finding.fix
    assert not any(line.startswith("DATA") for line in puppet.commands)


@pytest.mark.parametrize(
    "replies",
    [
        {"MAIL": "550 5.1.8 Sender address rejected: Domain not found"},
        {"RCPT": "550 5.1.1 User unknown"},
        {"RCPT": "450 4.7.1 Greylisted"},
        {"EHLO": "250 x", "RCPT": "554 5.7.1 Relay access denied"},
    ],
)
def test_other_refusals_are_no_matter_of_a_login(patient_at, replies):
    """Where none is offered, or something else is wrong; the next check tells of it."""
    with Puppet(replies) as puppet:
        assert_well(patient_at(puppet, lines="auth off\ntls off\n", password=None))


# -- before the login --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replies", "code", "words"),
    [
        ({"": "554 5.7.1 go away"}, "login.greeting", "quarter"),
        ({"": "421 4.7.0 busy"}, "login.greeting", "quarter"),
        (
            {"EHLO": "550 5.7.1 bad name", "HELO": "550 no"},
            "login.hello",
            "line domain example.org to account default",
        ),
        ({"EHLO": "421 too many"}, "login.closed", "quarter"),
        ({"EHLO": ""}, "login.closed", "quarter"),
        ({"AUTH": ""}, "login.closed", "quarter"),
        ({"AUTH": "so long"}, "login.garbled", "virus scanner"),
        ({"EHLO": "250-X" + "A" * 20_000}, "login.garbled", "virus scanner"),
    ],
)
def test_names_the_end_of_a_session_before_the_login(patient_at, replies, code, words):
    """What the server said is the evidence; where it said nothing, its greeting is."""
    with Puppet(replies) as puppet:
        if "HELO" in replies:
            puppet.replies["HELO"] = replies["HELO"]
        finding = find(patient_at(puppet))
    assert finding.code == code
    assert words in finding.fix
    assert finding.evidence


def test_a_provider_that_hangs_up_explains_it_itself(patient_at, tmp_path):
    """163's 421 HL:ICC is about the address that we come from."""
    with Puppet({"": "421 HL:ICC 163 mx15"}, path=tmp_path / "server"):
        finding = find(patient_at(socket=tmp_path / "server", host="smtp.163.com"))
    assert finding.code == "login.greeting"
    assert "Source IP limited" in finding.meaning


def test_tells_a_server_that_says_nothing_from_one_that_hangs_up(patient_at):
    """It is given as long as the examination has patience."""
    import threading

    done = threading.Event()

    def hold():
        if len(puppet.commands) == 2:
            done.wait(20)

    with Puppet(watch=hold) as puppet:
        finding = find(patient_at(puppet, patience_s=0.05))
        done.set()
    assert finding.code == "login.quiet"
    assert "AUTH" in finding.problem


# -- attacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["raw", "base64", "whole", "cut"])
@pytest.mark.parametrize("stage", ["AUTH", "EHLO", "challenge", "nonsense"])
def test_attack_server_echoes_the_password(patient_at, stage, form):
    """Whatever a server sends back, no finding holds it in any form."""
    response = f"\0{USER}\0{PASSWORD}".encode()
    echoes = {
        "raw": PASSWORD,
        "base64": b64encode(PASSWORD.encode()).decode(),
        "whole": b64encode(response).decode(),
        "cut": PASSWORD[:-3],
    }
    echo = echoes[form]
    replies = {
        "AUTH": {"AUTH": f"535-you said\r\n535 {echo}"},
        "EHLO": {"EHLO": f"550 {echo}", "HELO": f"550 {echo}"},
        "challenge": {"AUTH": f"334 {echo}"},
        "nonsense": {"": f"you said {echo}"},
    }[stage]
    with Puppet(replies) as puppet:
        puppet.replies.setdefault("HELO", "550 no")
        puppet.replies.setdefault("", "220 x")
        patient = patient_at(puppet, password=PASSWORD)
        found = findings_of(check_login, patient)
    text = "\n".join(
        part
        for finding in found
        for part in (finding.problem, finding.meaning, finding.fix, *finding.evidence)
    )
    assert found
    assert echo not in text
    assert echo not in "\n".join(patient.dialogue)


def test_attack_server_writes_control_characters(patient_at):
    """What a server says cannot move the cursor, nor look like a line of ours."""
    with Puppet({"AUTH": "535 \x1b[2J\x07 gone\u202e"}) as puppet:
        finding = find(patient_at(puppet))
    assert finding.evidence == (r"535 \x1b[2J\x07 gone\u202e",)
