"""Logging in to Postfix and Dovecot: every mechanism, both kinds of TLS, right and wrong."""

import pytest

from servers.dovecot import PASSWORD, USER, USERS
from servers.mails import HEADER
from servers.postfix import MECHANISMS

MAIL = HEADER + b"Subject: login\n\nHello.\n"
IMPLICIT, STARTTLS = "submissions", "submission"

# What an attacker would like us to fall back to is used only when it is named.
ONLY_BY_NAME = ("cram-md5", "digest-md5")
UNASKED = tuple(name for name in MECHANISMS if name not in ONLY_BY_NAME)


@pytest.fixture
def settings(certificates):
    """Give the keywords of an account that differ from test to test in nothing."""
    return {
        "host": "localhost",
        "tls": "on",
        "tls_trust_file": certificates.authority,
        "auth": "on",
        "user": USER,
        "password": PASSWORD,
    }


def way(postfix, kind, service=""):
    """Return the keywords for implicit TLS or STARTTLS and the port of a service."""
    name = f"{kind}-{service}" if service else kind
    starttls = "on" if kind.startswith(STARTTLS + "-") or kind == STARTTLS else "off"
    return {"port": postfix.ports[name], "tls_starttls": starttls}


def login_of(postfix):
    """Return mechanism and user of the login that Postfix logged."""
    found = postfix.log.wait_for(r"client=\S+, sasl_method=(\S+), sasl_username=(\S+)$")
    return found[1], found[2]


@pytest.mark.parametrize("kind", [IMPLICIT, STARTTLS])
@pytest.mark.parametrize("mechanism", UNASKED)
def test_uses_the_only_mechanism_that_is_offered(postfix, client, settings, mechanism, kind):
    """``auth on`` takes whatever the server has, when TLS protects it."""
    box = postfix.boxes.fresh()

    result = client.send(settings | way(postfix, kind, mechanism), box, mail=MAIL)

    assert result.code == 0, result
    assert login_of(postfix) == (mechanism.upper(), USER)
    assert postfix.boxes.mail(box).endswith(MAIL)


@pytest.mark.parametrize("mechanism", ONLY_BY_NAME)
def test_names_a_weak_mechanism_that_it_does_not_choose(postfix, client, settings, mechanism):
    """Where nothing better is offered, the message says which word would use it."""
    result = client.send(
        settings | way(postfix, IMPLICIT, mechanism), postfix.boxes.fresh(), mail=MAIL
    )

    assert result.code == 69, result
    assert mechanism.upper() in result.errors
    assert f"auth {mechanism}" in result.errors
    assert "auth" not in postfix.session()


@pytest.mark.parametrize("kind", [IMPLICIT, STARTTLS])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_uses_the_mechanism_that_is_named(postfix, client, settings, mechanism, kind):
    """A mechanism named in the configuration is used where all are offered."""
    box = postfix.boxes.fresh()
    chosen = {"auth": mechanism} | way(postfix, kind)

    result = client.send(settings | chosen, box, mail=MAIL)

    assert result.code == 0, result
    assert login_of(postfix) == (mechanism.upper(), USER)
    assert postfix.boxes.mail(box).endswith(MAIL)


@pytest.mark.parametrize("kind", [IMPLICIT, STARTTLS])
def test_chooses_the_best_mechanism_by_itself(postfix, client, settings, kind):
    """Where everything is offered the choice is SCRAM with SHA-256."""
    result = client.send(settings | way(postfix, kind), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    assert login_of(postfix) == ("SCRAM-SHA-256", USER)


@pytest.mark.parametrize("kind", [IMPLICIT, STARTTLS])
@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
def test_logs_in_with_a_token(postfix, dovecot, client, settings, mechanism, kind):
    """The password is a bearer token, checked by the server with the key of its issuer."""
    chosen = {"auth": mechanism, "password": dovecot.token()} | way(postfix, kind, mechanism)

    result = client.send(settings | chosen, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    assert login_of(postfix) == (mechanism.upper(), USER)


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
def test_reports_a_refused_token(postfix, dovecot, client, settings, mechanism):
    """A forged token ends in exit code 77, after the mechanism's own way to say no."""
    token = dovecot.token()[:-8] + "AAAAAAAA"
    chosen = {"auth": mechanism, "password": token} | way(postfix, IMPLICIT)

    result = client.send(settings | chosen, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 77, result
    assert f"authentication failed (method {mechanism.upper()})" in result.errors
    assert token not in result.errors
    assert "mail" not in postfix.session()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_spells_a_password_in_utf_8(postfix, client, settings, mechanism):
    """A password with an umlaut and Chinese characters is the same text to the server."""
    user = "zoe@example.test"
    account = {"user": user, "password": USERS[user], "auth": mechanism, "from": user}

    result = client.send(
        settings | account | way(postfix, STARTTLS), postfix.boxes.fresh(), mail=MAIL
    )

    assert result.code == 0, result
    assert login_of(postfix) == (mechanism.upper(), user)


@pytest.mark.parametrize(
    ("change", "mechanism"),
    [
        *(({"password": "not the password"}, mechanism) for mechanism in MECHANISMS),
        ({"user": "nobody@example.test"}, "plain"),
        ({"user": "nobody@example.test"}, "login"),
        ({"user": "nobody@example.test"}, "scram-sha-256"),
    ],
)
def test_reports_a_refused_login(postfix, client, settings, change, mechanism):
    """A wrong password or user is exit code 77, names the mechanism and shows no secret."""
    account = settings | change | {"auth": mechanism} | way(postfix, IMPLICIT)

    result = client.send(account, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 77, result
    assert f"authentication failed (method {mechanism.upper()})" in result.errors
    assert "server message: 535 5.7.8" in result.errors
    assert account["password"] not in result.errors
    assert "mail" not in postfix.session()


def test_refuses_a_mechanism_that_is_not_offered(postfix, client, settings):
    """A named mechanism that the server lacks sends nothing and no password."""
    chosen = {"auth": "scram-sha-256"} | way(postfix, IMPLICIT, "plain")

    result = client.send(settings | chosen, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "auth" not in postfix.session()


def test_takes_the_password_from_a_command(postfix, client, settings, tmp_path):
    """``passwordeval`` gives the password, and what it prints behind the first line is none."""
    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\nuser: {USER}\n")
    del settings["password"]
    box = postfix.boxes.fresh()

    result = client.send(
        settings | way(postfix, IMPLICIT) | {"passwordeval": f"cat {secret}"}, box, mail=MAIL
    )

    assert result.code == 0, result
    assert postfix.boxes.mail(box).endswith(MAIL)


@pytest.mark.parametrize(
    ("kind", "commands"),
    [
        (IMPLICIT, {"ehlo": 1, "auth": 1, "mail": 1, "rcpt": 1, "bdat": 1, "quit": 1}),
        (
            STARTTLS,
            {"ehlo": 2, "starttls": 1, "auth": 1, "mail": 1, "rcpt": 1, "bdat": 1, "quit": 1},
        ),
        (
            f"{STARTTLS}-data",
            {"ehlo": 2, "starttls": 1, "auth": 1, "mail": 1, "rcpt": 1, "data": 1, "quit": 1},
        ),
    ],
)
def test_needs_one_connection_with_tls_1_3(postfix, client, settings, kind, commands):
    """A mail takes one connection, TLS 1.3, and no command more than it must have."""
    result = client.send(settings | way(postfix, kind), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    assert postfix.session() == commands
    assert postfix.connections() == 1
    postfix.log.wait_for(r"TLS connection established from localhost\[.*: TLSv1\.3 with cipher")


def test_starts_tls_before_the_password(postfix, client, settings):
    """Attack: a server that offers STARTTLS and AUTH in clear gets no password in clear."""
    account = settings | {"port": postfix.ports[STARTTLS], "tls": "off", "auth": "plain"}

    result = client.send(account, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "auth" not in postfix.session()
