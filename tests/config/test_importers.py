"""What other programs have set up is said as an msmtprc does, and what cannot be is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.config.importers import IMPORTERS, NewAccount
from pillarbox.config.importers.result import Import, host_and_port, text_of
from pillarbox.config.parse import parse
from pillarbox.errors import DataError, MissingInputError

LOGIN = ["auth on", "user no-reply@example.com"]
QIYE = ["host smtp.qiye.aliyun.com", "port 465", "tls on", "tls_starttls off"]


def _read(program, files, tmp_path):
    """Write the files, and return what comes of the first: lines of each account, and notes."""
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("@DIR@", str(tmp_path)))
    result = IMPORTERS[program][1](str(tmp_path / next(iter(files))))
    accounts = [list(text_of([account], hides_secrets=False))[:-1] for account in result.accounts]
    return accounts, [str(note).replace(str(tmp_path), "@DIR@") for note in result.notes]


CHECKED = "the server's certificate is checked now; it was not before"
TLS_NOW = "no password is sent without TLS: TLS is on now"
DEMANDED = "TLS is demanded now; it was taken only where it was offered"
CASES = {
    "ssmtp with TLS": (
        "ssmtp",
        {
            "ssmtp.conf": "# x\nMailHub=smtp.qiye.aliyun.com:465\nUseTLS=YES\n"
            "AuthUser=no-reply@example.com\nAuthPass= se cret \nFromLineOverride=YES\n"
            "hostname=h.example.com\nTLS_CA_File=/ca.pem\nWeird=1\n"
        },
        [
            "account ssmtp",
            *QIYE,
            "tls_trust_file /ca.pem",
            *LOGIN,
            "password se cret",
            "domain h.example.com",
            "from no-reply@example.com",
        ],
        ["@DIR@/ssmtp.conf:9: not carried over: weird"],
    ),
    "ssmtp with STARTTLS and revaliases": (
        "ssmtp",
        {
            "ssmtp.conf": "mailhub=mail.example.org:587\nUseTLS=YES\nUseSTARTTLS=YES\n"
            "AuthUser=u\nAuthPass=p\nAuthMethod=CRAM-MD5\nroot=me@example.org\n",
            "revaliases": "# x\nroot:root@example.org:mail\nwww:www@example.org\n",
        },
        [
            "account ssmtp",
            "host mail.example.org",
            "port 587",
            "tls on",
            "tls_starttls on",
            "auth cram-md5",
            "user u",
            "password p",
            "from root@example.org",
            "allow_from_override off",
        ],
        [
            CHECKED,
            "www sent as www@example.org: give him a ~/.msmtprc",
            (
                "mail to system users went to me@example.org: write 'root: me@example.org' into"
                " /etc/aliases and a line aliases /etc/aliases"
            ),
        ],
    ),
    "ssmtp that sent a password openly": (
        "ssmtp",
        {"ssmtp.conf": "mailhub=mail.example.org\nAuthUser=u@x.org\nAuthPass=p\n"},
        [
            "account ssmtp",
            "host mail.example.org",
            "port 25",
            "tls on",
            "tls_starttls on",
            "auth on",
            "user u@x.org",
            "password p",
            "from u@x.org",
            "allow_from_override off",
        ],
        [TLS_NOW, CHECKED],
    ),
    "ssmtp to a relay of the house": (
        "ssmtp",
        {"ssmtp.conf": "mailhub=mail\nrewriteDomain=example.org\nFromLineOverride=YES\n"},
        ["account ssmtp", "host mail", "port 25", "tls off", "auth off", "from %U@example.org"],
        [],
    ),
    "nullmailer": (
        "nullmailer",
        {
            "remotes": "# x\nsmtp.qiye.aliyun.com smtp --ssl --user=no-reply@example.com"
            " --pass='se cret' --insecure --what=1\n",
            "me": "h.example.com\n",
            "adminaddr": "me@example.com\n",
            "pausetime": "60\n",
        },
        [
            "account nullmailer",
            *QIYE,
            *LOGIN,
            "password se cret",
            "domain h.example.com",
            "from no-reply@example.com",
        ],
        [
            f"@DIR@/remotes:2: {CHECKED}",
            "@DIR@/remotes:2: not carried over: --what",
            (
                "mail to system users went to me@example.com: write 'root: me@example.com' into"
                " /etc/aliases and a line aliases /etc/aliases"
            ),
            "not carried over: @DIR@/pausetime",
        ],
    ),
    "dma": (
        "dma",
        {
            "dma.conf": "# x\nSMARTHOST smtp.qiye.aliyun.com\nPORT 465\nAUTHPATH @DIR@/auth.conf\n"
            "SECURETRANSFER # y\nMAILNAME h.example.com\nMASQUERADE example.com\nDEFER\nWHAT 1\n",
            "auth.conf": "# x\na|other:x\nno-reply@example.com|smtp.qiye.aliyun.com:se:c|ret\n",
        },
        [
            "account dma",
            *QIYE,
            *LOGIN,
            "password se:c|ret",
            "domain h.example.com",
            "from no-reply@example.com",
        ],
        ["@DIR@/dma.conf:9: not carried over: WHAT", CHECKED],
    ),
    "dma with a fingerprint": (
        "dma",
        {
            "dma.conf": f"SMARTHOST mail.example.org\nPORT 587\nSECURETRANSFER\nSTARTTLS\n"
            f"OPPORTUNISTIC_TLS\nFINGERPRINT {'ab' * 32}\nMASQUERADE me@example.org\n"
        },
        [
            "account dma",
            "host mail.example.org",
            "port 587",
            "tls on",
            "tls_starttls on",
            "tls_fingerprint " + ":".join(["ab"] * 32),
            "auth off",
            "from me@example.org",
        ],
        [DEMANDED],
    ),
    "dma without TLS, and with tabs": (
        "dma",
        {"dma.conf": "SMARTHOST\tmail.example.org\nPORT \t 587\nSTARTTLS\nOPPORTUNISTIC_TLS\n"},
        ["account dma", "host mail.example.org", "port 587", "tls off", "auth off"],
        [],
    ),
    "postfix": (
        "postfix",
        {
            "main.cf": "# x\nmydomain = example.com\nmyhostname = h.$mydomain\n"
            "myorigin = ${mydomain}\nrelayhost =\n  [smtp.qiye.aliyun.com]:465\n"
            "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:@DIR@/sasl\n"
            "smtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n"
            "smtp_generic_maps = hash:/x\n",
            "sasl": "# x\n[other]:465 a:b\n"
            "[smtp.qiye.aliyun.com]:465 no-reply@example.com:se:cret\n",
            "master.cf": "",
        },
        [
            "account postfix",
            *QIYE,
            *LOGIN,
            "password se:cret",
            "domain h.example.com",
            "from no-reply@example.com",
        ],
        [
            "@DIR@/main.cf:11: not carried over: smtp_generic_maps",
            "master.cf can override these settings and was not read",
        ],
    ),
    "postfix with opportunistic TLS": (
        "postfix",
        {
            "main.cf": "relayhost = mail.example.org:submission\nmyhostname = h.example.org\n"
            "smtp_tls_security_level = may\nsmtp_sasl_auth_enable = yes\n"
            "smtp_sasl_password_maps = static:u:p\n"
        },
        [
            "account postfix",
            "host mail.example.org",
            "port 587",
            "tls on",
            "tls_starttls on",
            "auth on",
            "user u",
            "password p",
            "domain h.example.org",
            "from %U@h.example.org",
        ],
        ["mail.example.org itself is asked now, and not its MX", DEMANDED],
    ),
    "postfix without a login for the host": (
        "postfix",
        {
            "main.cf": "relayhost = [mail.example.org]\nsmtp_sasl_auth_enable = yes\n"
            "smtp_sasl_password_maps = texthash:@DIR@/sasl, ldap:/x\na = $b$b\nb = $a$a\n",
            "sasl": "other a:b\n",
        },
        ["account postfix", "host mail.example.org", "port 25", "tls off", "auth off"],
        ["@DIR@/main.cf:3: no login for mail.example.org was found in the maps of passwords"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_settings_are_carried_over(case, tmp_path):
    """Host, port, TLS, login, sender: and what is left behind is said with its place."""
    program, files, lines, notes = CASES[case]
    (account,), said = _read(program, files, tmp_path)
    assert account == lines
    assert said == notes


def test_two_servers_stand_in_for_each_other(tmp_path):
    """Nullmailer and Postfix try the next server; that is a fallback here."""
    accounts, _ = _read("nullmailer", {"remotes": "a.example\nb.example smtp\nc qmqp\n"}, tmp_path)
    assert [lines[0] for lines in accounts] == ["account nullmailer", "account nullmailer2"]
    assert "fallback nullmailer2" in accounts[0]
    accounts, _ = _read("postfix", {"main.cf": "relayhost = [a], [b]:26\n"}, tmp_path)
    assert "fallback postfix2" in accounts[0]
    assert "port 26" in accounts[1]


@pytest.mark.parametrize(
    ("program", "files", "error"),
    [
        ("ssmtp", {"ssmtp.conf": "root=x\n"}, MissingInputError),
        ("ssmtp", {"ssmtp.conf": "mailhub=x:0\n"}, DataError),
        ("ssmtp", {"ssmtp.conf": "mailhub=x:99999\n"}, DataError),
        ("ssmtp", {"ssmtp.conf": "mailhub=x\nAuthUser=u\nAuthPass=" + "x" * 600}, DataError),
        ("ssmtp", {"ssmtp.conf": "mailhub=\0"}, MissingInputError),
        ("nullmailer", {"remotes": "# none\n"}, MissingInputError),
        ("nullmailer", {"remotes": "a smtp --pass='x\n"}, DataError),
        ("nullmailer", {"remotes": "a smtp --port=x\n"}, DataError),
        ("dma", {"dma.conf": "PORT 25\n"}, MissingInputError),
        ("dma", {"dma.conf": "SMARTHOST x\nAUTHPATH @DIR@/none\n"}, MissingInputError),
        ("dma", {"dma.conf": "SMARTHOST x\nSECURETRANSFER\nFINGERPRINT abc\n"}, DataError),
        ("postfix", {"main.cf": "relayhost =\n"}, MissingInputError),
        ("postfix", {"main.cf": "  x\n"}, MissingInputError),
    ],
)
def test_what_cannot_be_imported_is_an_error_with_a_reason(program, files, error, tmp_path):
    """Nothing is guessed, and no traceback comes of it."""
    with pytest.raises(error) as caught:
        _read(program, files, tmp_path)
    assert caught.value.problem


@pytest.mark.parametrize("program", IMPORTERS)
def test_a_program_that_is_not_there(program, tmp_path):
    """The path is said, and that it may need root."""
    with pytest.raises(MissingInputError, match="No such file") as caught:
        IMPORTERS[program][1](str(tmp_path / "none"))
    assert "root" in caught.value.advice


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters="\0\n", codec="utf-8"), min_size=1, max_size=80))
def test_any_password_comes_back_as_it_was(password):
    """Quotes, blanks and letters of any script: the reader gives back what was written."""
    account = NewAccount("x")
    account.set_login("u", password)
    text = "\n".join(text_of([account], hides_secrets=False))
    (read,) = parse(text.encode(), "x", run_eval=lambda _command, _line: "").accounts
    assert read.password.reveal() == password
    assert password not in list(text_of([account], hides_secrets=True)) or password == "*"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h", ("h", 0, False)),
        ("h:25", ("h", 25, False)),
        ("h:submission", ("h", 587, False)),
        ("[h]:465", ("h", 465, True)),
        ("[h]", ("h", 0, True)),
        ("[IPv6:2001:db8::1]:25", ("2001:db8::1", 25, True)),
        ("2001:db8::1", ("2001:db8::1", 0, False)),
        ("", ("", 0, False)),
    ],
)
def test_host_and_port(text, expected):
    """The spellings of all four programs."""
    assert host_and_port(text) == expected


def test_a_note_is_made_once():
    """Of two servers with the same fault one is enough."""
    result = Import()
    result.note("x")
    result.note("x")
    assert result.notes == ["x"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(IMPORTERS)),
    st.text(st.sampled_from("aA=: \t\n#[]|$(){}'\"-,/@0915mhrelayhostmailhubSMARTHOST\\\0é")),
)
def test_any_file_is_imported_or_refused(tmp_path_factory, program, text):
    """Attack: a file from anywhere brings no traceback."""
    path = tmp_path_factory.mktemp("any") / "settings"
    path.write_text(text)
    try:
        IMPORTERS[program][1](str(path))
    except (MissingInputError, DataError) as error:
        assert error.problem  # noqa: PT017 (either is right; which, depends on the text)
