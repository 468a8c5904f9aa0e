"""The sender: whether a mail from this address would be taken, found out without a mail."""

from __future__ import annotations

import pytest

from patients import findings_of, patient_of
from peer import USER, Puppet
from pillarbox.config.providers import load_providers, provider_of_host
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.login import check_login
from pillarbox.doctor.sender import CODES, check_sender
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.mail.address import parse_mailbox
from pillarbox.text import localize

ME, OTHER = "me@example.org", "other@example.net"
PIPELINING = {"EHLO": "250-puppet\r\n250-AUTH PLAIN\r\n250-SIZE 99999999\r\n250 PIPELINING"}


@pytest.fixture(name="examine")
def _examine(tmp_path):
    """Return a function that logs in at a puppet, and returns what is found of the sender."""

    def examine(replies=None, *, host="127.0.0.1", user=ME, said=None, asked=ME, **options):
        with Puppet(replies, path=tmp_path / "server") as puppet:
            patient = patient_of(
                tmp_path, socket=tmp_path / "server", host=host, user=user, **options
            )
            if asked != ME:
                patient.sender = parse_mailbox(asked)
            try:
                assert findings_of(check_login, patient) == []
                count = len(puppet.commands)
                found = findings_of(check_sender, patient)
            finally:
                patient.close()
        if said is not None:
            said += puppet.commands[count:]
        assert not any(line.startswith("DATA") for line in puppet.commands)
        (tmp_path / "server").unlink()
        for finding in found:
            assert finding.code in CODES
            assert finding.fix, finding.code
        return found

    return examine


def one(found):
    """Return the one finding."""
    assert len(found) == 1, [finding.code for finding in found]
    return found[0]


# -- healthy -----------------------------------------------------------------------------------


def test_finds_nothing_at_a_provider_that_is_well(tmp_path):
    """The embedded provider looks at the sender as Aliyun does; no mail was sent."""
    options = ProviderOptions(password="correct horse")
    with EmbeddedProvider(options, ca_file=str(tmp_path / "ca.pem")) as provider:
        patient = patient_of(
            tmp_path,
            port=provider.port,
            user=options.user,
            lines=f"auth on\ntls on\ntls_starttls off\ntls_trust_file {provider.ca_file}\n",
        )
        assert findings_of(check_login, patient) == []
        assert findings_of(check_sender, patient) == []
        patient.close()
        assert provider.mails == []


@pytest.mark.parametrize("host", [provider.preferred.host for provider in load_providers()])
def test_finds_nothing_where_the_login_is_the_sender(examine, host):
    """At every provider; nothing but MAIL, RCPT and RSET is said."""
    said = []
    user = "apikey" if provider_of_host(host).username_rule == "literal" else ME
    user = provider_of_host(host).username if user == "apikey" else user
    assert examine(PIPELINING, host=host, user=user, sender=ME, said=said) == []
    assert said == [f"MAIL FROM:<{ME}> SIZE=4096", f"RCPT TO:<{ME}>", "RSET", "QUIT"]


def test_asks_for_the_recipient_that_is_meant(examine):
    """``--to`` names one; else it is the sender himself."""
    said = []
    assert examine(recipient=parse_mailbox(OTHER), said=said) == []
    assert said == [f"MAIL FROM:<{ME}>", f"RCPT TO:<{OTHER}>", "RSET", "QUIT"]


def test_is_not_asked_without_a_login(tmp_path):
    """Where none was made there is no connection."""
    assert findings_of(check_sender, patient_of(tmp_path, port=9)) == []


# -- the sender is refused ---------------------------------------------------------------------

# What each provider's answer to MAIL or RCPT is about, sample by sample.
_KINDS = {
    "440 mail from account doesn't conform with authentication": "sender.refused",
    '501 "MAIL FROM" is non-local account': "sender.refused",
    "502 Mailfrom account is a local account": "sender.refused",
    '450 "MAIL FROM" mailbox unavailable': "sender.frozen",
    "541 This account isn't allowed to send email": "sender.blocked",
    "504 the number of RCPT attempts is achieved the maximum threshold": "sender.quota",
    "505 the total of RCPTs is achieved the maximum threshold": "sender.quota",
    "454 Transient reject by behaviour spamANTISPAM_BAT[01201311R1468]: too frequently"
    " sending": "sender.quota",
    "554 Reject by behaviour spamANTISPAM_BAT[01201311R196]: too frequently sending": (
        "sender.quota"
    ),
    "发件人地址错误": "sender.refused",
    "550 5.4.5 Daily user sending limit exceeded.": "sender.quota",
    "550 not local sender over smtp": "sender.refused",
    "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded": "sender.quota",
    "553 Mail from must equal authorized user": "sender.refused",
    "451 MI:SFQ 163 smtp5": "sender.quota",
    "550 MI:IMF 163 mx12": "sender.refused",
    "500 Error: bad syntax": "sender.refused",
    "501 mail from address must be same as authorization user": "sender.refused",
    "502 Invalid input from 203.0.113.5 to newxmesmtplogicsvrszb1.qq.com.": "sender.refused",
    "550 Ip frequency limited": "sender.quota",
    "553 5.7.1 Sender address rejected: not owned by auth user.": "sender.refused",
    "553 Relaying disallowed as noreply@localhost": "sender.refused",
    "530 Must issue a STARTTLS command first.": "sender.refused",
    '436 "MAIL FROM" doesn\'t conform with authentication [@sm060104] (Auth Account:'
    "a@example.com|Mail Account:b@example.com)": "sender.refused",
    "552 Daily sending quota exceeded": "sender.quota",
    "551 Main account unavailable": "sender.frozen",
    "550 From header is missing, header is not RFC 5322 compliant": "sender.refused",
    "501 Invalid MAIL FROM address provided": "sender.refused",
}
_SAMPLES = [
    pytest.param(provider, known, id=f"{provider.id}: {known.sample}")
    for provider in load_providers()
    for known in provider.replies
    if known.stage in ("mail", "any") and not known.sample.startswith("421")
]


@pytest.mark.parametrize(("provider", "known"), _SAMPLES)
def test_gives_the_provider_s_own_explanation_of_each_refusal(examine, provider, known):
    """Cause in both languages; the fix is the preset's, or the one line that mends it."""
    sample = known.sample if known.sample[:3].isdigit() else f"550 {known.sample}"
    host = provider.preferred.host
    user = provider.username if provider.username_rule == "literal" else ME
    finding = one(examine({"MAIL": sample}, host=host, user=user, sender=ME))
    assert finding.code == _KINDS[known.sample]
    assert finding.severity == FAULT
    assert finding.evidence == (f"MAIL FROM:<{ME}>", sample)
    for language in ("en", "zh"):
        assert localize(finding.meaning, language).endswith(known.cause(language))
        if provider.from_rule not in ("verified-identity", "verified-domain"):
            assert localize(finding.fix, language) == known.fix(language)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
@pytest.mark.parametrize(
    ("host", "reply"),
    [
        ("smtp.office365.com", "550 5.7.60 SMTP; Client does not have permissions to send as"),
        ("smtp.fastmail.com", "551 5.7.1 Not authorised to send from this header address"),
        ("mail.example.org", "553 5.7.1 Sender address rejected: not owned by user"),
        ("mail.example.org", "550 5.7.1 sender is not allowed"),
    ],
)
def test_the_fix_is_the_line_that_names_the_login(examine, stage, host, reply):
    """Postfix refuses the sender at RCPT; it is still the sender who is refused."""
    finding = one(examine({stage: reply}, host=host, sender=OTHER))
    assert finding.code == "sender.refused"
    assert f"write from {ME} (" in finding.fix
    assert "msmtprc:5)" in finding.fix
    assert finding.evidence == (f"MAIL FROM:<{OTHER}>", reply)


def test_a_relay_that_verifies_wants_to_verify(examine):
    """The line would not help: the console does."""
    reply = "554 Message rejected: Email address is not verified"
    finding = one(
        examine(
            {"MAIL": reply}, host="email-smtp.eu-west-1.amazonaws.com", user="AKIA", sender=OTHER
        )
    )
    assert finding.code == "sender.refused"
    assert f"verify {OTHER}" in finding.fix


@pytest.mark.parametrize(
    ("reply", "code", "severity", "words"),
    [
        ("550 5.1.8 domain not found", "sender.refused", FAULT, "from ADDRESS"),
        ("550 domain does not exist", "sender.refused", FAULT, "from ADDRESS"),
        ("451 4.3.0 try later", "sender.later", FAULT, "quarter"),
        ("452 4.5.3 your daily limit is reached", "sender.quota", FAULT, "tomorrow"),
        ("554 5.7.1 you are blocked", "sender.blocked", FAULT, "administrator"),
        ("550 mailbox is frozen", "sender.frozen", FAULT, "state of"),
    ],
)
def test_sorts_the_refusals_of_an_unknown_server(examine, reply, code, severity, words):
    """Nobody knows the server, and still there is one thing to do."""
    finding = one(examine({"MAIL": reply}))
    assert (finding.code, finding.severity) == (code, severity)
    assert words in finding.fix


# -- the sender that sending puts in its place -------------------------------------------------


def test_a_sender_in_whose_place_another_is_put_is_a_warning(examine):
    """At a provider that takes only the login, mail goes out as the login."""
    said = []
    finding = one(examine(host="smtp.163.com", sender=OTHER, said=said))
    assert (finding.code, finding.severity) == ("sender.not-login", WARNING)
    assert f"write from {ME} (" in finding.fix
    assert said[0] == f"MAIL FROM:<{ME}>"


def test_a_refusal_is_told_once(examine):
    """What the rule says besides would be said twice."""
    reply = "553 Mail from must equal authorized user"
    assert one(examine({"MAIL": reply}, host="smtp.163.com", sender=OTHER)).code == (
        "sender.refused"
    )


def test_a_name_of_this_machine_is_never_asked_for(examine):
    """As a mail with ``-f root`` would, it has the account's own address in its place."""
    said = []
    finding = one(examine(asked="root@localhost", said=said))
    assert finding.code == "sender.not-login"
    assert said[:2] == [f"MAIL FROM:<{ME}>", f"RCPT TO:<{ME}>"]


def test_a_sender_who_is_taken_against_the_rule_is_a_warning(examine):
    """With repair off nothing is put in its place, and MAIL is not the last that is looked at."""
    lines = "auth plain\ntls off\nrepair off\n"
    finding = one(examine(host="smtp.163.com", sender=OTHER, lines=lines))
    assert (finding.code, finding.severity) == ("sender.not-login", WARNING)
    assert f"write from {ME} (" in finding.fix


def test_gmail_puts_its_own_sender_in_the_place(examine):
    """It says nothing of it to whoever sends."""
    finding = one(examine(host="smtp.gmail.com", sender=OTHER))
    assert (finding.code, finding.severity) == ("sender.rewritten", NOTE)
    assert OTHER in finding.problem


def test_a_program_s_own_from_header_is_sent_as_it_is(examine):
    """Where the provider looks at it, and nothing repairs it."""
    lines = "auth plain\ntls off\nrepair off\n"
    finding = one(examine(host="smtp.163.com", lines=lines))
    assert (finding.code, finding.severity) == ("sender.header", NOTE)
    assert "repair on" in finding.fix
    assert examine(host="smtp.163.com", lines=f"{lines}set_from_header on\n") == []


# -- the recipient -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "recipient", "code", "severity", "words"),
    [
        ("550 5.1.1 User unknown", None, "sender.recipient", WARNING, "make the mailbox"),
        ("550 5.1.1 User unknown", OTHER, "sender.recipient", FAULT, "that exists"),
        ("554 5.7.1 Relay access denied", OTHER, "sender.recipient", FAULT, "relay"),
        ("554 5.7.1 Relay access denied", None, "sender.recipient", FAULT, "relay"),
        ("454 4.7.1 Relay access denied", OTHER, "sender.recipient", FAULT, "relay"),
        ("550 Sender verify failed: No Such User Here", OTHER, "sender.refused", FAULT, "from"),
        ("450 4.1.1 unverified address: in progress", OTHER, "sender.later", NOTE, "again"),
        ("450 4.7.1 Greylisted, try again", OTHER, "sender.later", NOTE, "tried again"),
        ("450 4.2.0 try later", OTHER, "sender.later", NOTE, "tried again"),
        ("452 4.5.3 too many recipients", OTHER, "sender.quota", FAULT, "tomorrow"),
        ("554 5.7.1 you are blocked", OTHER, "sender.blocked", FAULT, "administrator"),
        ("554 5.7.1 client host blocked", OTHER, "sender.blocked", FAULT, "465 or 587"),
        (
            "550 5.7.1 Service unavailable; client [203.0.113.5] blocked using zen.spamhaus.org",
            OTHER,
            "sender.blocked",
            FAULT,
            "465 or 587",
        ),
        ("450 4.1.8 Sender address rejected: later", OTHER, "sender.later", NOTE, "quarter"),
    ],
)
def test_says_what_a_refused_recipient_means(examine, reply, recipient, code, severity, words):
    """Whether it is there, whether we may send to it, or whether it is the sender after all."""
    found = examine({"RCPT": reply}, recipient=recipient and parse_mailbox(recipient))
    finding = one(found)
    assert (finding.code, finding.severity) == (code, severity)
    assert words in finding.fix
    assert finding.evidence[-1] == reply


def test_a_known_recipient_s_refusal_is_explained_by_the_provider(examine):
    """Aliyun spells it in its own way."""
    reply = "554 RCPT (account) dosn't exist"
    finding = one(
        examine({"RCPT": reply}, host="smtp.qiye.aliyun.com", recipient=parse_mailbox(OTHER))
    )
    assert finding.code == "sender.recipient"
    assert finding.meaning.endswith("Recipient mailbox does not exist or is unavailable.")


def test_a_recipient_that_cannot_be_said_is_named(examine):
    """Letters outside ASCII before the @, where SMTPUTF8 is not offered."""
    finding = one(examine(recipient=parse_mailbox("张三@example.org")))
    assert finding.code == "sender.recipient"


def test_leaves_a_sender_outside_ascii_to_the_check_of_extensions(examine):
    """It has a code of its own there."""
    assert examine(sender="张三@example.org", user=USER) == []


# -- the connection ----------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "RSET"])
@pytest.mark.parametrize("reply", ["421 4.3.2 bye", ""])
def test_a_connection_that_ends_is_said(examine, stage, reply):
    """At which command, and with which words."""
    found = examine({stage: reply})
    if stage == "RSET":
        assert found == []  # all that was asked is answered
        return
    finding = one(found)
    assert finding.code == "sender.closed"
    assert stage in finding.problem
    assert finding.evidence == ((reply,) if reply else ())


def test_attack_server_echoes_the_password(examine):
    """The evidence of a refused sender is cleaned of it, too."""
    finding = one(examine({"MAIL": "550 correct horse"}))
    assert finding.evidence[1] == "550 ***"
