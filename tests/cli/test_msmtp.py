"""msmtp's command line: every option of its manual, what it sets, and what is refused."""

import os

import pytest

from pillarbox.cli import msmtp
from pillarbox.cli.getopt import OPTIONAL
from pillarbox.config.account import ALIASES, FIELDS
from pillarbox.errors import UsageError
from programs import call_program


@pytest.fixture
def request_of(monkeypatch):
    """Return a function that gives the request which a command line makes."""
    monkeypatch.delenv("POSIXLY_CORRECT", raising=False)

    def request(*arguments):
        made = []
        monkeypatch.setattr(msmtp, "send_mail", lambda request: made.append(request) or 0)
        assert msmtp.main(arguments) == 0
        return made[0]

    return request


SHA256 = ":".join(["0A"] * 32)
SHA1 = ":".join(["0b"] * 20)
MD5 = " ".join(["0C"] * 16)

# Each spelling, and the one setting that it makes.
SETTINGS = [
    ("--host=h.example", "host", "h.example"),
    ("--host h.example", "host", "h.example"),
    ("--port=465", "port", 465),
    ("--port=0x24b", "port", 587),
    ("--port=010", "port", 8),
    ("--timeout=10", "timeout", 10),
    ("--timeout=off", "timeout", None),
    ("--connect-timeout=10", "timeout", 10),
    ("--source-ip=127.0.0.1", "source_ip", "127.0.0.1"),
    ("--source-ip=", "source_ip", None),
    ("--proxy-host=p.example", "proxy_host", "p.example"),
    ("--proxy-host=", "proxy_host", None),
    ("--proxy-port=1080", "proxy_port", 1080),
    ("--proxy-port=", "proxy_port", None),
    ("--socket=/run/s", "socket", "/run/s"),
    ("--socket=", "socket", None),
    ("--protocol=smtp", "protocol", "smtp"),
    ("--protocol=lmtp", "protocol", "lmtp"),
    ("--domain=d.example", "domain", "d.example"),
    ("--domain=", "domain", ""),
    ("--auth", "auth", "on"),
    ("--auth=on", "auth", "on"),
    ("--auth=off", "auth", "off"),
    *(
        (f"--auth={method}", "auth", method)
        for method in [
            "scram-sha-256-plus",
            "scram-sha-1-plus",
            "scram-sha-256",
            "scram-sha-1",
            "plain",
            "gssapi",
            "external",
            "oauthbearer",
            "cram-md5",
            "digest-md5",
            "login",
            "ntlm",
            "xoauth2",
        ]
    ),
    ("--user=u", "user", "u"),
    ("--user=", "user", None),
    ("--passwordeval=cmd", "passwordeval", "cmd"),
    ("--passwordeval=", "passwordeval", None),
    ("--tls", "tls", True),
    ("--tls=on", "tls", True),
    ("--tls=off", "tls", False),
    ("--tls-starttls", "tls_starttls", True),
    ("--tls-starttls=on", "tls_starttls", True),
    ("--tls-starttls=off", "tls_starttls", False),
    ("--tls-certcheck", "tls_certcheck", True),
    ("--tls-certcheck=on", "tls_certcheck", True),
    ("--tls-certcheck=off", "tls_certcheck", False),
    *(
        (f"--tls-{name}-file={value}", f"tls_{name}_file", value or None)
        for name in ("trust", "crl", "key", "cert")
        for value in ("/f.pem", "~/f.pem", "")
    ),
    ("--tls-trust-file=system", "tls_trust_file", "system"),
    (f"--tls-fingerprint={SHA256}", "tls_fingerprint", SHA256),
    (f"--tls-fingerprint={SHA1}", "tls_fingerprint", SHA1.upper()),
    (["--tls-fingerprint", MD5], "tls_fingerprint", MD5.replace(" ", ":")),
    ("--tls-fingerprint=", "tls_fingerprint", None),
    ("--tls-priorities=NORMAL", "tls_priorities", "NORMAL"),
    ("--tls-priorities=", "tls_priorities", None),
    ("--tls-host-override=o.example", "tls_host_override", "o.example"),
    ("--tls-host-override=", "tls_host_override", None),
    ("--tls-min-dh-prime-bits=1024", "tls_min_dh_prime_bits", 1024),
    ("--tls-min-dh-prime-bits=", "tls_min_dh_prime_bits", None),
    ("-f a@example.org", "from", "a@example.org"),
    ("-fa@example.org", "from", "a@example.org"),
    ("--from=a@example.org", "from", "a@example.org"),
    ("-f <>", "from", ""),
    ("--from=<>", "from", ""),
    ("--from=", "from", ""),
    ("-N off", "dsn_notify", None),
    ("-N never", "dsn_notify", "NEVER"),
    ("--dsn-notify=failure,delay,success", "dsn_notify", "FAILURE,DELAY,SUCCESS"),
    ("-Ndelay", "dsn_notify", "DELAY"),
    ("-R off", "dsn_return", None),
    ("-R hdrs", "dsn_return", "HDRS"),
    ("--dsn-return=headers", "dsn_return", "HDRS"),
    ("--dsn-return=full", "dsn_return", "FULL"),
    (["-F", "Full Name"], "from_full_name", "Full Name"),
    (["-F", ""], "from_full_name", None),
    ("-X /log", "logfile", "/log"),
    ("-X -", "logfile", "-"),
    ("--logfile=~/log", "logfile", "~/log"),
    ("--logfile=", "logfile", None),
    (["--logfile-time-format", "%F %T"], "logfile_time_format", "%F %T"),
    ("--logfile-time-format=", "logfile_time_format", None),
    ("--syslog", "syslog", "LOG_USER"),
    ("--syslog=on", "syslog", "LOG_USER"),
    ("--syslog=off", "syslog", None),
    *(
        (f"--syslog={facility}", "syslog", facility)
        for facility in ("LOG_USER", "LOG_MAIL", *(f"LOG_LOCAL{n}" for n in range(8)))
    ),
    ("--aliases=/etc/aliases", "aliases", "/etc/aliases"),
    ("--aliases=", "aliases", None),
    ("--set-from-header", "set_from_header", "auto"),
    ("--set-from-header=auto", "set_from_header", "auto"),
    ("--set-from-header=on", "set_from_header", "on"),
    ("--set-from-header=off", "set_from_header", "off"),
    ("--set-date-header", "set_date_header", "auto"),
    ("--set-date-header=auto", "set_date_header", "auto"),
    ("--set-date-header=off", "set_date_header", "off"),
    ("--set-msgid-header", "set_msgid_header", "auto"),
    ("--set-msgid-header=auto", "set_msgid_header", "auto"),
    ("--set-msgid-header=off", "set_msgid_header", "off"),
    ("--set-to-header", "set_to_header", "on"),
    ("--set-to-header=on", "set_to_header", "on"),
    ("--set-to-header=off", "set_to_header", "off"),
    ("--set-to-header=undisclosed_recipients", "set_to_header", "undisclosed_recipients"),
    ("--remove-bcc-headers", "remove_bcc_headers", True),
    ("--remove-bcc-headers=on", "remove_bcc_headers", True),
    ("--remove-bcc-headers=off", "remove_bcc_headers", False),
    ("--keepbcc", "remove_bcc_headers", False),
    ("--keepbcc=on", "remove_bcc_headers", False),
    ("--keepbcc=off", "remove_bcc_headers", True),
    ("--undisclosed-recipients", "set_to_header", "undisclosed_recipients"),
    ("--undisclosed-recipients=on", "set_to_header", "undisclosed_recipients"),
    ("--undisclosed-recipients=off", "set_to_header", "off"),
    ("--add-missing-from-header", "set_from_header", "auto"),
    ("--add-missing-from-header=on", "set_from_header", "auto"),
    ("--add-missing-from-header=off", "set_from_header", "off"),
    ("--add-missing-date-header", "set_date_header", "auto"),
    ("--add-missing-date-header=on", "set_date_header", "auto"),
    ("--add-missing-date-header=off", "set_date_header", "off"),
    ("--auto-from", "auto_from", True),
    ("--auto-from=on", "auto_from", True),
    ("--auto-from=off", "auto_from", False),
    ("--maildomain=d.example", "maildomain", "d.example"),
    ("--allow-plaintext-auth", "allow_plaintext_auth", True),
    ("--allow-plaintext-auth=off", "allow_plaintext_auth", False),
    ("--repair", "repair", True),
    ("--repair=off", "repair", False),
    ("--raw", "repair", False),
    ("--own-copies", "own_copies", True),
    ("--own-copies=off", "own_copies", False),
]

# Each spelling, and the attribute of the request that it makes.
CHOICES = [
    ("-C /rc", "user_file", "/rc"),
    ("-C/rc", "user_file", "/rc"),
    ("--file=/rc", "user_file", "/rc"),
    ("-a name", "account_name", "name"),
    (["--account", "two words"], "account_name", "two words"),
    ("-t", "reads_recipients", True),
    ("--read-recipients", "reads_recipients", True),
    ("--read-rec", "reads_recipients", True),
    ("--read-envelope-from", "reads_sender", True),
    ("--read-e", "reads_sender", True),
    ("-P", "is_pretending", True),
    ("--pretend", "is_pretending", True),
    ("-v", "is_debugging", True),
    ("-d", "is_debugging", True),
    ("-d9", "is_debugging", True),
    ("--debug", "is_debugging", True),
    ("--debug=x", "is_debugging", True),
    ("--direct", "wish", "direct"),
    ("--dir", "wish", "direct"),
    ("--queue", "wish", "queue"),
    ("--wait", "wish", "wait"),
]

# Accepted, without an effect.
IGNORED = [
    *[
        "-A_x",
        "-Ax",
        "-B_x",
        "-B8BITMIME",
        "-bm",
        "-b_m",
        "-G",
        "-h_3",
        "-h3",
        "-i",
        "-L_tag",
        "-Ltag",
        "-m",
        "-n",
        "-O_x=y",
        "-OX=y",
    ],
    *["-oi", "-oem", "-o_i", "-im", "-in", "-Gi", "--tls-force-sslv3", "--tls-force-sslv3=on"],
]

# Refused with 64: unknown, without an argument, or with a wrong one.
REFUSED = [
    *[
        "-r_a@b",
        "-q",
        "-q1h",
        "-V_id",
        "-U",
        "-Y",
        "-e",
        "-em",
        "-s",
        "-p",
        "-M",
        "-Q",
        "-E",
        "-c",
        "-x",
        "-I",
        "-w",
        "-1",
        "-?",
    ],
    *(f"-b{mode}" for mode in "adDhHijpPstvz"),
    "-b mm",
    *[
        "--nosuch",
        "--password=x",
        "--ntlmdomain=x",
        "--from-full-name=x",
        "--allow-from-override=off",
    ],
    *["--tls-nostarttls", "--tls-nocertcheck", "--set", "--tls-c", "--tls-cer", "--FROM=x", "---"],
    *["--read-envelope-from=x", "--read-recipients=x", "--version=x", "--help=x", "--pretend=x"],
    *["-C", "-a", "-f", "-F", "-N", "-R", "-X", "-A", "-b", "-h", "-o", "-O", "-L", "-B"],
    *[
        "--host",
        "--port",
        "--timeout",
        "--domain",
        "--user",
        "--passwordeval",
        "--logfile",
        "--aliases",
        "--from",
    ],
    *[
        "--account",
        "--file",
        "--protocol",
        "--socket",
        "--source-ip",
        "--maildomain",
        "--tls-trust-file",
    ],
    *[
        "--dsn-notify",
        "--dsn-return",
        "--logfile-time-format",
        "--tls-fingerprint",
        "--rmqs",
        "--configure",
    ],
    *["--host=", "--port=", "--port=0", "--port=65536", "--port=-1", "--port=25x", "--port=1_0"],
    *[
        "--timeout=0",
        "--timeout=-1",
        "--timeout=",
        "--timeout=1.5",
        "--proxy-port=0",
        "--proxy-port=x",
    ],
    *["--protocol=SMTP", "--protocol=", "--protocol=http", "--auth=", "--auth=PLAIN", "--auth=yes"],
    *[
        "--tls=",
        "--tls=yes",
        "--tls=ON",
        "--tls-starttls=",
        "--tls-certcheck=no",
        "--keepbcc=",
        "--keepbcc=x",
    ],
    *["--tls-fingerprint=00", "--tls-fingerprint=xx", "--tls-min-dh-prime-bits=0"],
    *["--dsn-notify=", "--dsn-notify=failure,never", "--dsn-notify=FAILURE", "--dsn-notify=a"],
    *["--dsn-return=", "--dsn-return=FULL", "--dsn-return=body", "--syslog=", "--syslog=mail"],
    *["--syslog=LOG_DAEMON", "--set-from-header=", "--set-from-header=yes", "--set-date-header=on"],
    *["--set-msgid-header=on", "--set-to-header=", "--set-to-header=auto", "--auto-from=x"],
    *["--remove-bcc-headers=", "--undisclosed-recipients=x", "--add-missing-from-header=x"],
]


def _words(spelling):
    if isinstance(spelling, list):
        return spelling
    return spelling.replace("_", " ").split() if spelling[:2] != "--" else spelling.split()


@pytest.mark.parametrize(("spelling", "name", "value"), SETTINGS, ids=str)
def test_option_sets_a_keyword(request_of, spelling, name, value):
    """An option makes exactly its setting, and takes no recipient away."""
    request = request_of(*_words(spelling), "--", "to@example.org")
    assert request.settings == {name: value}
    assert list(request.recipients) == ["to@example.org"]
    assert request.host_given is (name == "host")


@pytest.mark.parametrize(("spelling", "name", "value"), CHOICES, ids=str)
def test_option_chooses_what_to_do(request_of, spelling, name, value):
    """An option that is no keyword makes its wish and no setting."""
    request = request_of(*_words(spelling), "to@example.org")
    plain = request_of("to@example.org")
    assert getattr(request, name) == value
    for other in request.__slots__:
        if other != name:
            assert getattr(request, other) == getattr(plain, other)


@pytest.mark.parametrize("spelling", IGNORED)
def test_option_is_accepted_and_ignored(request_of, spelling):
    """What programs say to sendmail changes nothing."""
    assert request_of(*_words(spelling), "to@example.org") == request_of("to@example.org")


@pytest.mark.parametrize("spelling", REFUSED)
def test_option_is_refused(request_of, spelling):
    """What msmtp refuses ends in a usage error that names the option or its argument."""
    with pytest.raises(UsageError) as caught:
        request_of(*_words(spelling))
    assert caught.value.exit_code == 64
    assert spelling.lstrip("-")[:1].lower() in str(caught.value).lower()


# Options that end in something else than a request to send; see below.
_MODES = {"pretend", "debug", "serverinfo", "rmqs", "configure"}  # see test_modes
_NO_SETTING = {"version", "help", "no-password", "serverinfo", "rmqs"}


def test_every_option_stands_in_a_table_above():
    """An option that is added without a row here is noticed."""
    rows = [row[0] if isinstance(row, tuple) else row for row in (*SETTINGS, *CHOICES, *IGNORED)]
    words = [_words(row)[0] for row in rows]
    for option in msmtp.OPTIONS:
        if option.key in _NO_SETTING | _MODES:
            continue
        if option.long:
            assert any(word.partition("=")[0] == f"--{option.long}" for word in words), option
        if option.short:
            assert any(word.startswith(f"-{option.short}") for word in words), option


def test_every_keyword_with_an_option_has_it():
    """The table of fields and the table of options agree, also on who may stand alone."""
    by_long = {option.long: option for option in msmtp.OPTIONS if option.long}
    for row in (*FIELDS, *ALIASES):
        if row.option:
            assert by_long[row.option].key == row.name
            assert (by_long[row.option].argument == OPTIONAL) is (row.argument == "optional")


def test_no_two_options_share_a_spelling():
    """A letter or a name means one thing."""
    for names in (
        [option.long for option in msmtp.OPTIONS if option.long],
        [option.short for option in msmtp.OPTIONS if option.short],
    ):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("words", [["--password=touch canary"], ["--password", "touch canary"]])
def test_a_password_in_argv_is_refused(tmp_path, words):
    """
    Attack: what stands in argv is seen by every user of the machine.

    Nor is it short for --passwordeval, which would run it as a command.
    """
    options = ["--host=127.0.0.1", "--port=1", "--auth=plain", "--user=u", "-f", "a@b.c", "d@e.f"]
    result = call_program("msmtp", [*options, *words], b"\nx\n", cwd=tmp_path)
    assert result.exit_code == 64
    assert "touch" not in result.err
    assert result.lines[1].startswith("advice: use --passwordeval")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--host=h -a x", "cannot use both --host and --account"),
        ("-a x --host=h", "cannot use both --host and --account"),
        ("-f a@b.c --read-envelope-from", "cannot use both --from and --read-envelope-from"),
        ("--read-envelope-from --from=<>", "cannot use both --from and --read-envelope-from"),
        ("-S --rmqs=x", "cannot use both --serverinfo and --rmqs"),
        ("--rmqs=x --serverinfo", "cannot use both --serverinfo and --rmqs"),
        ("-S to@example.org", "too many arguments"),
        ("--rmqs=x to@example.org", "too many arguments"),
    ],
)
def test_exclusive_options(request_of, words, problem):
    """Two options that contradict each other are refused, in either order."""
    with pytest.raises(UsageError, match=problem):
        request_of(*words.split())


def test_clusters_and_order(request_of):
    """Short options glue, the last of several wins, and recipients stand anywhere."""
    request = request_of("a@x.y", "-tioi", "b@x.y", "--port=1", "--port=2", "-fc@x.y", "--", "-f")
    assert (request.reads_recipients, request.settings) == (True, {"port": 2, "from": "c@x.y"})
    assert list(request.recipients) == ["a@x.y", "b@x.y", "-f"]


def test_posixly_correct_ends_options_at_the_first_recipient(monkeypatch, request_of):
    """With POSIXLY_CORRECT what stands behind a recipient is a recipient."""
    monkeypatch.setenv("POSIXLY_CORRECT", "")
    request = request_of("-t", "a@x.y", "--port=1")
    assert (list(request.recipients), request.settings) == (["a@x.y", "--port=1"], {})


@pytest.mark.parametrize("words", [["--version"], ["--vers"], ["-f", "x@y.z", "--version", "-t"]])
def test_version(words):
    """Scripts rely on the first words of --version and on its exit code."""
    result = call_program("msmtp", words)
    assert result.exit_code == 0
    assert result.out.startswith("msmtp version ")
    assert "Supported authentication methods:\nscram-sha-256-plus " in result.out
    assert result.err == ""


def test_help_goes_to_standard_output():
    """--help is what was asked for, so it is no error and no error's text."""
    result = call_program("msmtp", ["--help"])
    assert (result.exit_code, result.err) == (0, "")
    assert all(len(line) < 160 for line in result.out.splitlines())


@pytest.mark.parametrize("words", ["--port=x", "--nosuch", "-f", "--auth=PLAIN", "-bs"])
def test_a_usage_error_is_one_line(words):
    """A wrong command line is told in a line, without reading the mail."""
    result = call_program("msmtp", [words])
    assert (result.exit_code, result.out, len(result.lines)) == (64, "", 1)
    assert result.err.startswith("msmtp: ")


def test_a_wrong_argument_cannot_write_on_the_terminal():
    """Attack: control characters in an option's argument are shown as escapes."""
    word = "--port=\x1b]0;owned\x07\r\n\u202e" + os.fsdecode(b"\xff")
    result = call_program("msmtp", [word])
    assert result.exit_code == 64
    assert len(result.err.splitlines()) == 1
    assert result.err.rstrip("\n").isprintable()
