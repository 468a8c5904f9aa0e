"""From an account's keywords to the engines' words."""

import pytest

from peer import Puppet
from pillarbox.config.account import FIELD_BY_NAME, Account, parse_setting
from pillarbox.delivery.route import Route
from pillarbox.errors import ConfigError, MissingInputError
from pillarbox.secret import Secret
from programs import call_program


def account(**keywords):
    """Return an account with these keywords, their values as in a file."""
    result = Account("name", "/etc/msmtprc")
    for name, text in keywords.items():
        field, value = parse_setting(name, text)
        result.set(field, value, "test")
    return result


def route(**keywords):
    """Return the route of an account with these keywords."""
    return Route(account(**keywords), Secret("s"))


ENDPOINT = [
    ({"host": "h.example", "port": "25"}, {"host": "h.example", "port": 25}),
    ({"socket": "/run/s"}, {"socket_path": "/run/s", "host": "localhost"}),
    ({"host": "h", "socket": "/run/s"}, {"socket_path": "/run/s", "host": "h"}),
    ({"host": "h", "port": "25", "source_ip": "127.0.0.2"}, {"source_ip": "127.0.0.2"}),
    (
        {"host": "h", "port": "25", "proxy_host": "p", "proxy_port": "1080"},
        {"proxy_host": "p", "proxy_port": 1080, "host": "h"},
    ),
]

TLS = [
    ({}, {"trust_file": "system", "check_certificate": True, "fingerprint": ""}),
    ({"tls_trust_file": "/ca.pem"}, {"trust_file": "/ca.pem"}),
    ({"tls_trust_file": ""}, {"trust_file": ""}),
    ({"tls_crl_file": "/crl.pem"}, {"crl_file": "/crl.pem"}),
    ({"tls_certcheck": "off"}, {"check_certificate": False}),
    ({"tls_key_file": "/k", "tls_cert_file": "/c"}, {"key_file": "/k", "cert_file": "/c"}),
    ({"tls_priorities": "NORMAL"}, {"priorities": "NORMAL"}),
    ({"tls_host_override": "o.example"}, {"host_override": "o.example"}),
    ({"tls_fingerprint": ":".join(["aa"] * 32)}, {"fingerprint": ":".join(["AA"] * 32)}),
]

SESSION = [
    ({}, {"hello_name": "localhost", "is_lmtp": False, "starttls": False, "is_secured": False}),
    ({"domain": "d.example"}, {"hello_name": "d.example"}),
    ({"domain": ""}, {"hello_name": "localhost"}),
    ({"protocol": "lmtp"}, {"is_lmtp": True}),
    ({"tls": "on"}, {"starttls": True, "is_secured": False}),
    ({"tls": "on", "tls_starttls": "off"}, {"starttls": False, "is_secured": True}),
    ({"tls": "off", "tls_starttls": "off"}, {"starttls": False, "is_secured": False}),
    ({"tls": "off", "tls_starttls": "on"}, {"starttls": False, "is_secured": False}),
    ({"socket": "/run/s"}, {"starttls": False, "is_secured": True}),
    ({"socket": "/run/s", "tls": "on"}, {"starttls": True, "is_secured": False}),
    ({"socket": "/run/s", "tls": "on", "tls_starttls": "off"}, {"is_secured": True}),
    ({"auth": "off", "user": "u"}, {"credentials": None}),
    ({"auth": "on"}, {"mechanism": ""}),
    ({"auth": "plain"}, {"mechanism": "plain"}),
]


@pytest.mark.parametrize(("keywords", "expected"), ENDPOINT)
def test_endpoint(keywords, expected):
    """Host, socket, source address and proxy are where they belong."""
    endpoint = route(**keywords).endpoint
    assert {name: getattr(endpoint, name) for name in expected} == expected


@pytest.mark.parametrize(("keywords", "expected"), TLS)
def test_tls_policy(keywords, expected):
    """Each TLS keyword arrives in the policy, and without any the checks are on."""
    policy = route(host="h", **keywords).tls_policy
    assert {name: getattr(policy, name) for name in expected} == expected


@pytest.mark.parametrize(("keywords", "expected"), SESSION)
def test_session_options(keywords, expected):
    """The session is told what the account wants; TLS that was asked for is not gone without."""
    options = route(**{"host": "h", **keywords}).session_options({})
    assert {name: getattr(options, name) for name in expected} == expected


def test_credentials():
    """A login has the user, the secret, and the host for the mechanisms that name it."""
    keywords = {"host": "h.example", "port": "465", "auth": "ntlm", "user": "u", "ntlmdomain": "D"}
    credentials = route(**keywords).session_options({}).credentials
    assert (credentials.user, credentials.secret.reveal()) == ("u", "s")
    assert (credentials.host, credentials.port, credentials.ntlm_domain) == ("h.example", 465, "D")
    assert "'s'" not in repr(credentials)


def test_channel_bindings_and_nonce():
    """Bindings are handed on, and each nonce is another one of at least 128 bits."""
    options = route(host="h").session_options({"tls-exporter": b"x"})
    assert options.channel_bindings == {"tls-exporter": b"x"}
    nonces = {options.nonce() for _ in range(20)}
    assert len(nonces) == 20
    assert all(len(nonce) >= 22 and nonce.isascii() and "," not in nonce for nonce in nonces)


@pytest.mark.parametrize(
    ("timeout", "limit", "patience"),
    [("off", 300.0, 300.0), ("10", 300.0, 10), ("10", 5.0, 5.0), ("1", 0.5, 0.5)],
)
def test_patience(timeout, limit, patience):
    """The account's timeout shortens a limit of the protocol and never prolongs it."""
    assert route(host="h", timeout=timeout).patience(limit) == patience


THIS_MACHINE = ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]
SOMEWHERE_ELSE = [
    "127.example.org",
    "127.0.0.1.example.org",
    "127.0.0.example",
    "localhost.example.org",
    "mail.example.org",
    "128.0.0.1",
    "::2",
    "10.0.0.1",
    "127",
    "127.1",
    "1270.0.0.1",
    "١27.0.0.1",
    "127.0.0.١",
    "127.0.0.",
    ".127.0.0.1",
    "0.0.0.0",  # noqa: S104 (nothing is bound)
    "127.0.0.1:25",
    "local",
    "localhost.",
    "::ffff:127.0.0.1",
]


@pytest.mark.parametrize("host", THIS_MACHINE)
def test_a_secret_may_go_to_this_machine(host):
    """Without TLS a password may go to a loopback address."""
    assert route(host=host).session_options({}).may_send_secret_in_clear


@pytest.mark.parametrize("host", SOMEWHERE_ELSE)
def test_a_secret_stays_here(host):
    """Attack: a name that only begins like a loopback address is somebody else's."""
    assert not route(host=host).session_options({}).may_send_secret_in_clear


def test_a_secret_does_not_go_through_a_proxy():
    """Attack: ``localhost`` behind a proxy is the proxy's own machine."""
    keywords = {"proxy_host": "p.example", "proxy_port": "1080"}
    assert not route(host="localhost", **keywords).session_options({}).may_send_secret_in_clear


def test_a_secret_goes_elsewhere_by_order_only():
    """allow_plaintext_auth is the one way, and with TLS asked for not even that."""
    options = route(host="h.example", allow_plaintext_auth="on").session_options({})
    assert options.may_send_secret_in_clear
    options = route(host="127.0.0.1", tls="on", allow_plaintext_auth="on").session_options({})
    assert not options.may_send_secret_in_clear


def test_tls_context_is_made_only_where_it_is_asked_for():
    """Without TLS no trust store is read; with it, a missing one is found before connecting."""
    assert route(host="h", tls_trust_file="/nonexistent").make_tls_context() is None
    with pytest.raises(MissingInputError):
        route(host="h", tls="on", tls_trust_file="/nonexistent").make_tls_context()
    with pytest.raises(ConfigError):
        route(host="h", tls="on", tls_priorities="NOSUCH").make_tls_context()


def test_every_keyword_about_the_way_is_used():
    """A keyword that changes neither endpoint, policy nor session is a keyword of another room."""
    used = {"host", "port", "source_ip", "proxy_host", "proxy_port", "socket", "timeout"}
    used |= {"protocol", "domain", "auth", "user", "ntlmdomain", "tls", "tls_starttls"}
    used |= {"tls_trust_file", "tls_crl_file", "tls_fingerprint", "tls_key_file", "tls_cert_file"}
    used |= {"tls_certcheck", "tls_priorities", "tls_host_override", "allow_plaintext_auth"}
    elsewhere = {"password", "passwordeval", "tls_min_dh_prime_bits", "auto_from", "maildomain"}
    elsewhere |= {"from", "from_full_name", "allow_from_override", "set_from_header"}
    elsewhere |= {"set_date_header", "set_msgid_header", "set_to_header", "remove_bcc_headers"}
    elsewhere |= {"dsn_notify", "dsn_return", "logfile", "logfile_time_format", "syslog", "aliases"}
    elsewhere |= {"repair", "own_copies", "queue", "fallback", "bounce_to"}
    elsewhere |= {"max_per_minute", "max_per_hour", "max_per_day"}
    assert used | elsewhere == set(FIELD_BY_NAME)


def test_starttls_is_not_skipped_on_a_unix_socket(tmp_path):
    """Attack: a tunnel behind a socket cannot strip the TLS that the account demands."""
    path = tmp_path / "socket"
    with Puppet(path=path) as puppet:
        options = [f"--socket={path}", "--host=h.example", "--tls", "--tls-certcheck=off"]
        result = call_program("msmtp", [*options, "-f", "a@b.c", "d@e.f"], b"\nx\n")
    assert result.exit_code == 69
    assert not any(command.startswith("MAIL") for command in puppet.commands)
