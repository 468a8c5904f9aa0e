"""The table of keywords, what each accepts, and the account that holds the values."""

import copy
import pickle
import typing

import pytest

from pillarbox.config.account import (
    ALIASES,
    FIELD_BY_NAME,
    FIELDS,
    Account,
    parse_setting,
)
from pillarbox.config.parse import STRUCTURE
from pillarbox.config.values import AUTH_METHODS
from pillarbox.secret import Secret

SHA256 = ":".join(["aB"] * 32)
TEXTS = ("source_ip", "proxy_host", "user", "ntlmdomain", "tls_priorities", "tls_host_override")
PATHS = ("tls_trust_file", "tls_crl_file", "tls_key_file", "tls_cert_file", "logfile", "aliases")
SWITCHES = (
    "tls",
    "tls_starttls",
    "tls_certcheck",
    "auto_from",
    "remove_bcc_headers",
    "allow_plaintext_auth",
    "repair",
    "own_copies",
    "queue",
)
LIMITS = ("max_per_minute", "max_per_hour", "max_per_day")
QUEUE = {"queue", "fallback", "bounce_to", *LIMITS}  # about all mails that wait: no options

# keyword, argument (None: none at all), attribute, value
VALID = [
    ("host", "smtp.example.com", "host", "smtp.example.com"),
    ("host", "::1", "host", "::1"),
    ("port", "1", "port", 1),
    ("port", "65535", "port", 65535),
    ("port", "0x24b", "port", 587),
    ("port", "0X24B", "port", 587),
    ("port", "010", "port", 8),
    ("port", "+25", "port", 25),
    ("proxy_port", "9050", "proxy_port", 9050),
    ("proxy_port", "", "proxy_port", None),
    ("socket", "~/s", "socket", "~/s"),
    ("socket", "/" + "s" * 106, "socket", "/" + "s" * 106),
    ("socket", "", "socket", None),
    ("timeout", "off", "timeout_s", None),
    ("timeout", "60", "timeout_s", 60),
    ("timeout", "2147483647", "timeout_s", 2147483647),
    ("connect_timeout", "010", "timeout_s", 8),
    ("connect_timeout", "off", "timeout_s", None),
    ("protocol", "smtp", "protocol", "smtp"),
    ("protocol", "lmtp", "protocol", "lmtp"),
    ("domain", "%H.example.com", "domain", "%H.example.com"),
    ("domain", "", "domain", ""),
    ("auth", None, "auth", "on"),
    ("auth", "on", "auth", "on"),
    ("auth", "off", "auth", "off"),
    *(("auth", method, "auth", method) for method in AUTH_METHODS),
    ("passwordeval", "pass show 'a b'", "passwordeval", "pass show 'a b'"),
    ("passwordeval", "", "passwordeval", None),
    ("tls_nostarttls", None, "tls_starttls", False),
    ("tls_nocertcheck", None, "tls_certcheck", False),
    ("tls_trust_file", "system", "tls_trust_file", "system"),
    ("tls_fingerprint", SHA256, "tls_fingerprint", SHA256.upper()),
    ("tls_fingerprint", SHA256.replace(":", " "), "tls_fingerprint", SHA256.upper()),
    ("tls_fingerprint", SHA256[:59], "tls_fingerprint", SHA256[:59].upper()),
    ("tls_fingerprint", SHA256[:47], "tls_fingerprint", SHA256[:47].upper()),
    ("tls_fingerprint", "", "tls_fingerprint", None),
    ("tls_min_dh_prime_bits", "0x100", "tls_min_dh_prime_bits", 256),
    ("tls_min_dh_prime_bits", "", "tls_min_dh_prime_bits", None),
    ("tls_force_sslv3", "whatever", None, None),
    ("tls_force_sslv3", None, None, None),
    ("maildomain", "example.com", "maildomain", "example.com"),
    ("maildomain", "", "maildomain", ""),
    ("from", "me@example.com", "from_", "me@example.com"),
    ("from", "*@example.com", "from_", "*@example.com"),
    ("from", "", "from_", ""),
    ("from", "<>", "from_", ""),
    ("from_full_name", "王 小明", "from_full_name", "王 小明"),
    ("from_full_name", "", "from_full_name", None),
    ("allow_from_override", "on", "allow_from_override", True),
    ("allow_from_override", "off", "allow_from_override", False),
    ("set_from_header", None, "set_from_header", "auto"),
    ("set_from_header", "auto", "set_from_header", "auto"),
    ("set_from_header", "on", "set_from_header", "on"),
    ("set_from_header", "off", "set_from_header", "off"),
    ("add_missing_from_header", None, "set_from_header", "auto"),
    ("add_missing_from_header", "on", "set_from_header", "auto"),
    ("add_missing_from_header", "off", "set_from_header", "off"),
    ("set_date_header", None, "set_date_header", "auto"),
    ("set_date_header", "auto", "set_date_header", "auto"),
    ("set_date_header", "off", "set_date_header", "off"),
    ("add_missing_date_header", "on", "set_date_header", "auto"),
    ("add_missing_date_header", "off", "set_date_header", "off"),
    ("set_msgid_header", None, "set_msgid_header", "auto"),
    ("set_msgid_header", "off", "set_msgid_header", "off"),
    ("set_to_header", None, "set_to_header", "on"),
    ("set_to_header", "off", "set_to_header", "off"),
    ("set_to_header", "undisclosed_recipients", "set_to_header", "undisclosed_recipients"),
    ("undisclosed_recipients", None, "set_to_header", "undisclosed_recipients"),
    ("undisclosed_recipients", "on", "set_to_header", "undisclosed_recipients"),
    ("undisclosed_recipients", "off", "set_to_header", "off"),
    ("keepbcc", None, "remove_bcc_headers", False),
    ("keepbcc", "on", "remove_bcc_headers", False),
    ("keepbcc", "off", "remove_bcc_headers", True),
    ("dsn_notify", "off", "dsn_notify", None),
    ("dsn_notify", "never", "dsn_notify", "NEVER"),
    ("dsn_notify", "success,failure", "dsn_notify", "SUCCESS,FAILURE"),
    ("dsn_return", "off", "dsn_return", None),
    ("dsn_return", "headers", "dsn_return", "HDRS"),
    ("dsn_return", "hdrs", "dsn_return", "HDRS"),
    ("dsn_return", "full", "dsn_return", "FULL"),
    ("logfile", "-", "logfile", "-"),
    ("logfile_time_format", "%s", "logfile_time_format", "%s"),
    ("logfile_time_format", "none", "logfile_time_format", "none"),
    ("logfile_time_format", "", "logfile_time_format", None),
    ("syslog", None, "syslog", "LOG_USER"),
    ("syslog", "on", "syslog", "LOG_USER"),
    ("syslog", "off", "syslog", None),
    ("syslog", "LOG_LOCAL7", "syslog", "LOG_LOCAL7"),
    ("fallback", "second", "fallback", "second"),
    ("fallback", "", "fallback", None),
    ("bounce_to", "admin@example.com", "bounce_to", "admin@example.com"),
    ("bounce_to", "", "bounce_to", None),
    *((name, "0", name, 0) for name in LIMITS),
    *((name, "60", name, 60) for name in LIMITS),
    *((name, "text with blanks", name, "text with blanks") for name in TEXTS),
    *((name, "", name, None) for name in TEXTS),
    *((name, "~/file\udcff", name, "~/file\udcff") for name in PATHS),
    *((name, "", name, None) for name in PATHS),
    *((name, None, name, True) for name in SWITCHES),
    *((name, "on", name, True) for name in SWITCHES),
    *((name, "off", name, False) for name in SWITCHES),
]

# keyword, argument, a word of the reason
INVALID = [
    ("host", "", "needed"),
    ("host", "a\rb", "control"),
    *(("port", text, "1 to 65535") for text in ("", "0", "-1", "65536", "25x", "2 5", "1_0")),
    *(("port", text, "1 to 65535") for text in ("08", "0x", "0b1", "٢٥", "9" * 5000, "+", " 25")),
    ("proxy_port", "0", "1 to 65535"),
    ("socket", "/" + "s" * 107, "107 bytes"),
    ("socket", "/" + "é" * 54, "107 bytes"),
    *(("timeout", text, "or off") for text in ("0", "-1", "2147483648", "5s", "OFF")),
    ("timeout", "", "needed"),
    ("connect_timeout", "", "needed"),
    ("connect_timeout", "0", "or off"),
    ("protocol", "", "needed"),
    ("protocol", "SMTP", "upper and lower case"),
    ("domain", "a\x7fb", "control"),
    ("auth", "PLAIN", "lower case"),
    ("auth", "kerberos", "gssapi"),
    ("auth", "", "scram"),
    ("tls_nostarttls", "on", "no argument"),
    ("tls_nocertcheck", "off", "no argument"),
    *(
        ("tls_fingerprint", text, "SHA-256")
        for text in ("aa", SHA256[:-1], SHA256 + ":aa", SHA256.replace(":", "-"), SHA256[:44])
    ),
    ("tls_fingerprint", SHA256.replace("a", "g"), "SHA-256"),
    ("tls_min_dh_prime_bits", "0", "from 1"),
    ("maildomain", "a\nb", "control"),
    ("from", "a@b\nRCPT TO:<c@d>", "control"),
    ("from_full_name", "a\x00b", "control"),
    ("allow_from_override", "", "needed"),
    ("allow_from_override", "no", "on or off"),
    ("set_from_header", "yes", "auto, on or off"),
    ("set_date_header", "on", "auto or off"),
    ("set_msgid_header", "on", "auto or off"),
    ("set_to_header", "auto", "undisclosed_recipients"),
    ("undisclosed_recipients", "auto", "on or off"),
    ("add_missing_from_header", "auto", "on or off"),
    ("add_missing_date_header", "auto", "on or off"),
    ("keepbcc", "yes", "on or off"),
    *(
        ("dsn_notify", text, "joined by commas")
        for text in ("never,delay", "failure,,delay", "delay,delay", "failure, delay", "DELAY")
    ),
    ("dsn_notify", "", "needed"),
    ("dsn_return", "all", "headers or full"),
    ("dsn_return", "", "needed"),
    ("logfile_time_format", "\x1b[2J", "control"),
    ("syslog", "LOG_KERN", "LOG_LOCAL0"),
    ("syslog", "log_mail", "upper and lower case"),
    ("fallback", "a\rb", "control"),
    *(
        ("bounce_to", text, "one address")
        for text in ("root", "a@b, c@d", "<a@b>", "a@", "a@b\nX: y", "<>")
    ),
    *((name, "", "needed") for name in LIMITS),
    *((name, text, "0 for no limit") for name in LIMITS for text in ("off", "-1", "00", "1.5")),
    ("passwordeval", "a\0b", "NUL"),
    *((name, "a\0b", "NUL") for name in PATHS),
    *((name, "a\tb", "control") for name in TEXTS),
    *((name, "ON", "upper and lower case") for name in SWITCHES),
    *((name, "yes", "on or off") for name in SWITCHES),
    *((name, "1", "on or off") for name in SWITCHES),
]


@pytest.mark.parametrize(("keyword", "text", "attribute", "value"), VALID)
def test_reads_valid_argument(keyword, text, attribute, value):
    """Every keyword turns each argument that msmtp knows into its value."""
    setting = parse_setting(keyword, text)
    if attribute is None:
        assert setting is None
    else:
        field, got = setting
        assert field.attribute == attribute
        assert got == value
        assert type(got) is type(value)


@pytest.mark.parametrize(("keyword", "text", "word"), INVALID)
def test_refuses_invalid_argument_with_plain_reason(keyword, text, word):
    """Every other argument is refused, with a reason that says what to write instead."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_setting(keyword, text)
    assert word in str(caught.value)


def test_password_becomes_secret():
    """A password is wrapped at once; an empty one is none."""
    _, value = parse_setting("password", "two words ")
    assert isinstance(value, Secret)
    assert value.reveal() == "two words "
    assert parse_setting("password", "")[1] is None


def test_tables_cover_every_keyword():
    """No keyword escapes the two tables above."""
    names = {field.name for field in FIELDS} | {alias.name for alias in ALIASES}
    assert {row[0] for row in VALID} == names - {"password"}
    never_refused = {"password", "tls_force_sslv3"}
    assert {row[0] for row in INVALID} == names - never_refused


def test_unknown_keyword_is_a_key_error():
    """The caller can tell a keyword that does not exist from a wrong argument."""
    with pytest.raises(KeyError):
        parse_setting("hots", "x")


def test_fields_and_annotations_agree():
    """``FIELDS`` and the annotations of ``Account`` name the same attributes and types."""
    hints = typing.get_type_hints(Account, localns={"Secret": Secret})
    own = {"name", "origin", "own_sender", "from_pattern"}
    assert set(hints) - own == {field.attribute for field in FIELDS}
    account = Account("a", "f")
    for field in FIELDS:
        types = typing.get_args(hints[field.attribute]) or (hints[field.attribute],)
        assert type(field.default) in types, field.name
        assert getattr(account, field.attribute) == field.default
    for keyword, text, attribute, value in VALID:
        if attribute is not None:
            types = typing.get_args(hints[attribute]) or (hints[attribute],)
            assert type(value) in types, (keyword, text)


def test_rows_are_complete():
    """Each row has what the manual and the option parser need, and no name is there twice."""
    names = [row.name for row in (*FIELDS, *ALIASES)] + [word for word, _ in STRUCTURE]
    options = [row.option for row in (*FIELDS, *ALIASES) if row.option]
    shorts = [field.short for field in FIELDS if field.short]
    for values in (names, options, shorts, [field.attribute for field in FIELDS]):
        assert len(set(values)) == len(values)
    for field in FIELDS:
        assert field.help.endswith(".")
        assert "\n" not in field.help
        assert field.since.startswith(("msmtp ", "pillarbox "))
        assert field.argument == ("optional" if field.absent else "required")
    for alias in ALIASES:
        assert not alias.target or alias.target in FIELD_BY_NAME
        assert alias.argument in ("required", "optional", "none")
    without = {field.name for field in FIELDS if field.option is None}
    assert without == {"allow_from_override", "from_full_name", "ntlmdomain", "password"} | QUEUE
    assert [field.name for field in FIELDS][-1] == "max_per_day"


def test_bare_option_means_what_msmtp_documents():
    """A keyword or option alone is on, or auto for the headers that are added when missing."""
    absent = {field.name: field.absent for field in FIELDS if field.absent}
    auto = {"set_from_header", "set_date_header", "set_msgid_header"}
    assert {name for name, value in absent.items() if value == "auto"} == auto
    assert {value for name, value in absent.items() if name not in auto} == {"on"}


def test_remembers_where_each_value_came_from():
    """``where`` tells file and line, the command line, or that it is the default."""
    account = Account("a", "rc")
    account.set(FIELD_BY_NAME["host"], "h", "rc", 3)
    account.set(FIELD_BY_NAME["port"], 25, "command line")
    assert account.where("host") == "rc:3"
    assert account.place("host") == ("rc", 3)
    assert account.where("port") == "command line"
    assert account.where("user") == "default"
    assert account.is_set("host")
    assert not account.is_set("user")


def test_copy_is_independent():
    """Changing a copy leaves the original and what it knows about itself alone."""
    account = Account("a", "rc")
    account.set(FIELD_BY_NAME["host"], "h", "rc", 3)
    other = account.copy()
    other.set(FIELD_BY_NAME["host"], "other", "command line")
    other.set(FIELD_BY_NAME["user"], "u", "command line")
    assert (account.host, account.user) == ("h", None)
    assert account.where("host") == "rc:3"
    assert not account.is_set("user")
    assert other.is_set("host")
    assert (other.name, other.origin) == ("a", "rc")


def test_password_leaks_through_no_representation():
    """Neither ``repr`` nor pickle of an account gives its password away."""
    account = Account("a", "rc")
    account.set(FIELD_BY_NAME["password"], Secret("canary-5417"), "rc", 1)
    assert "canary-5417" not in f"{account!r} {account} {account.password} {vars(account)}"
    with pytest.raises(TypeError):
        pickle.dumps(account)
    assert "canary-5417" not in repr(copy.copy(account))
