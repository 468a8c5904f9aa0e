"""What follows from a failure: for ever or for a while, and which exit code."""

import itertools

import pytest

from pillarbox.config.hints import Hint, find_hint
from pillarbox.delivery.policy import apply_hint, exit_code_of
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import BOUNCED, DEFERRED, Trouble, bounced, deferred, delivered

TO = parse_mailbox("to@example.org")
ALIYUN = "smtp.qiye.aliyun.com"


def status(code, stage, *, scope="message", text=b"text"):
    """Return the status that the engine makes of a reply."""
    reply = Reply(code, (text,)) if code else None
    is_permanent = code >= 500
    trouble = Trouble(
        scope=scope,
        stage=stage,
        problem="it failed",
        exit_code=65 if is_permanent else 75,
        reply=reply,
        advice="mend it",
    )
    return bounced(TO, trouble) if is_permanent else deferred(TO, trouble)


def hint(retry, provider="Provider"):
    """Return a hint of a provider."""
    return Hint(provider, retry, "cause", "fix")


RETRIES = [
    # code, stage, scope, retry class -> action, exit code
    (450, "MAIL", "account", "no", BOUNCED, 65),
    (450, "RCPT", "recipient", "no", BOUNCED, 67),
    (450, "DATA", "message", "no", BOUNCED, 65),
    (450, "BDAT", "message", "no", BOUNCED, 65),
    (450, "content", "message", "no", BOUNCED, 65),
    (450, "MAIL", "account", "later", DEFERRED, 75),
    (550, "RCPT", "recipient", "no", BOUNCED, 65),
    *(
        (550, stage, scope, retry, DEFERRED, 75)
        for stage, scope in (("MAIL", "account"), ("RCPT", "recipient"), ("content", "message"))
        for retry in ("later", "later-once", "next-day", "hold")
    ),
    # A refusal that is not about the mail is not made so by a hint.
    *(
        (code, stage, "site", retry, action, exit_code)
        for stage in ("greeting", "EHLO", "STARTTLS", "AUTH", "connect", "tls", "RSET", "idle")
        for retry in ("no", "later", "hold")
        for code, action, exit_code in ((454, DEFERRED, 75), (554, BOUNCED, 65))
    ),
]


@pytest.mark.parametrize(("code", "stage", "scope", "retry", "action", "exit_code"), RETRIES)
def test_retry_class(code, stage, scope, retry, action, exit_code):
    """A provider's hint overrules the class of a reply, in the stages that are about a mail."""
    before = status(code, stage, scope=scope)
    after = apply_hint(before, hint(retry))
    assert (after.action, after.trouble.exit_code) == (action, exit_code)
    assert (after.forward_path, after.reply) == (before.forward_path, before.reply)
    for name in ("scope", "stage", "problem", "reply", "advice"):
        assert getattr(after.trouble, name) == getattr(before.trouble, name)


@pytest.mark.parametrize("retry", ["no", "later", "later-once", "next-day", "hold"])
@pytest.mark.parametrize("code", [450, 550])
def test_generic_hint_explains_and_decides_nothing(code, retry):
    """What many servers say with a meaning each does not overrule the reply's own class."""
    before = status(code, "RCPT", scope="recipient")
    assert apply_hint(before, hint(retry, provider="")) == before
    assert apply_hint(before, None) == before


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "BDAT", "content"])
@pytest.mark.parametrize("known", [None, hint("no"), hint("later"), hint("no", provider="")])
def test_login_failure_never_bounces_a_mail(code, stage, known):
    """A reply that speaks of the login concerns the account, whatever command it answers (R8)."""
    after = apply_hint(status(code, stage, scope="recipient"), known)
    assert (after.action, after.trouble.exit_code, after.trouble.scope) == (DEFERRED, 77, "account")


def test_nothing_is_changed_without_a_reply_or_a_failure():
    """A delivered mail, and a connection that was lost in doubt, stay what they are."""
    good = delivered(TO, Reply(250, (b"ok",)))
    assert apply_hint(good, hint("no")) == good
    lost = deferred(TO, status(0, "content").trouble, is_in_doubt=True)
    assert apply_hint(lost, hint("no")) == lost
    assert apply_hint(lost, hint("no")).is_in_doubt


KNOWN = [
    # Aliyun's replies that mean something else than their class says.
    ("440 mail from account doesn't conform with authentication", "MAIL", BOUNCED, 65),
    ("504 the number of RCPT attempts is achieved the maximum threshold", "RCPT", DEFERRED, 75),
    ("505 the total of RCPTs is achieved the maximum threshold", "RCPT", DEFERRED, 75),
    ("554 Reject by behaviour spamANTISPAM_BAT: too frequently sending", "content", DEFERRED, 75),
    ("552 mailbox is full", "RCPT", DEFERRED, 75),
    # And those that mean it.
    ("554 Reject by content spam", "content", BOUNCED, 65),
    ('450 "MAIL FROM" mailbox unavailable', "MAIL", DEFERRED, 75),
    ("454 Transient reject by behaviour spam", "content", DEFERRED, 75),
    ("450 4.2.0 Greylisted, try again later", "RCPT", DEFERRED, 75),
    ("450 4.2.0 come back in 526 seconds", "RCPT", DEFERRED, 75),
    # The words of a login's reply mean nothing elsewhere.
    ("450 Too many password errors", "RCPT", DEFERRED, 75),
]


@pytest.mark.parametrize(("text", "stage", "action", "exit_code"), KNOWN)
def test_what_aliyun_means(text, stage, action, exit_code):
    """The hints of the tutorial's provider and the policy together: 440 never, 504 later."""
    known = find_hint(text, host=ALIYUN, stage=stage)
    after = apply_hint(status(int(text[:3]), stage, text=text[4:].encode()), known)
    assert (after.action, after.trouble.exit_code) == (action, exit_code)


def made(action, code):
    """Return a status with that exit code."""
    if action == "ok":
        return delivered(TO, Reply(250, (b"ok",)))
    trouble = Trouble(scope="message", stage="content", problem=str(code), exit_code=code)
    return (bounced if action == "never" else deferred)(TO, trouble)


OK = ("ok", 0)
EXIT_CODES = [
    ([], 0),
    ([OK], 0),
    ([OK, OK], 0),
    ([("never", 67)], 67),
    ([OK, ("never", 67), OK], 67),
    ([("never", 65), ("never", 67)], 65),
    ([("never", 67), ("never", 65)], 67),
    ([("later", 75), ("never", 67)], 75),
    ([("never", 67), ("later", 75)], 75),
    ([OK, ("never", 65), ("never", 67), ("later", 75)], 75),
    ([("never", 67), ("later", 77)], 77),
    ([("later", 69), ("later", 77)], 69),
    ([("later", 77), ("later", 75)], 75),
    ([("never", 65), ("later", 76), ("later", 77)], 76),
]


@pytest.mark.parametrize(("statuses", "exit_code"), EXIT_CODES, ids=str)
def test_exit_code_of_several_recipients(statuses, exit_code):
    """75 wins, then what waits for another reason, then the first that failed."""
    assert exit_code_of(itertools.starmap(made, statuses)) == exit_code


_TRIPLES = list(itertools.product([OK, ("never", 67), ("later", 75)], repeat=3))


@pytest.mark.parametrize("statuses", _TRIPLES)
def test_exit_code_is_zero_only_if_all_have_it(statuses):
    """Success is told only of a mail that everybody has; "try again" wins in every order."""
    code = exit_code_of(itertools.starmap(made, statuses))
    assert (code == 0) is all(row == OK for row in statuses)
    assert (code == 75) is (("later", 75) in statuses)
