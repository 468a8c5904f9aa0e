"""Autoconfig files: what is read of good ones, and that bad ones name nobody."""

import pytest

from autoconfig_files import document, server
from pillarbox.mail.address import parse_mailbox
from pillarbox.setup.autoconfig import (
    AutoconfigError,
    Server,
    own_places,
    parse_autoconfig,
)

ME = parse_mailbox("me.too@Example.com")


GOOD = Server("smtp.example.com", 465, "implicit", "me.too@Example.com", ("PLAIN", "LOGIN"))

# As the ISPDB has it, shortened, with what a file may hold beside.
REAL = b"""\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>
<!-- a remark -->
<clientConfig version="1.1">
  <emailProvider id="gmx.net">
    <domain>gmx.net</domain>
    <displayName>GMX Freemail</displayName>
    <incomingServer type="imap">
      <hostname>imap.gmx.net</hostname><port>993</port><socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>
        mail.GMX.net.
      </hostname>
      <port>465</port>
      <socketType>SSL</socketType>
      <authentication>OAuth2</authentication>
      <authentication>password-cleartext</authentication>
      <authentication>password-cleartext</authentication>
      <username>%EMAILLOCALPART%</username>
      <restriction>clientIPAddress</restriction>
    </outgoingServer>
    <outgoingServer type="smtp">
      <hostname><![CDATA[mail.%EMAILDOMAIN%]]></hostname><port>587</port>
      <socketType>STARTTLS</socketType>
      <username>%EMAILDOMAIN%/%EMAILLOCALPART%</username>
      <authentication>password-encrypted</authentication>
    </outgoingServer>
    <outgoingServer type="exchange"><hostname>x.gmx.net</hostname><port>443</port>
      <socketType>SSL</socketType></outgoingServer>
    <documentation url="https://help.gmx.net"><descr lang="de">IMAP</descr></documentation>
  </emailProvider>
  <webMail><loginPage url="https://www.gmx.net/"/></webMail>
</clientConfig>
"""


def test_a_file_as_they_are_is_read():
    """Servers for sending in their order, the names in lower case, placeholders filled."""
    assert parse_autoconfig(REAL, ME) == (
        Server("mail.gmx.net", 465, "implicit", "me.too", ("XOAUTH2", "PLAIN", "LOGIN")),
        Server("mail.example.com", 587, "starttls", "Example.com/me.too", ("CRAM-MD5",)),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, GOOD),
        ({"socketType": "ssl"}, GOOD),
        ({"socketType": "TLS"}, GOOD),
        ({"username": None}, GOOD),
    ],
)
def test_spellings_that_are_met_are_understood(values, expected):
    """What everybody takes for granted."""
    assert parse_autoconfig(document(server(**values)), ME) == (expected,)


@pytest.mark.parametrize("username", ["%REALNAME%", "a%b", "a b", 'a"b', "a\\b", "a\u202eb"])
def test_a_login_name_that_cannot_be_used_is_asked_for(username):
    """It would not survive in a configuration; a person knows better."""
    (found,) = parse_autoconfig(document(server(username=username)), ME)
    assert found.username == ""


def test_a_login_name_is_filled_once():
    """What stands in the address is not taken for a placeholder."""
    odd = parse_mailbox("%EMAILDOMAIN%@example.com")
    (found,) = parse_autoconfig(document(server(hostname="%EMAILLOCALPART%.example.com")), ME)
    assert found.host == "me.too.example.com"
    (found,) = parse_autoconfig(document(server()), odd)
    assert found.username == ""


UNUSABLE = [
    {"socketType": "plain"},
    {"socketType": None},
    {"socketType": "SSL STARTTLS"},
    {"hostname": None},
    {"hostname": ""},
    {"hostname": "127.0.0.1"},
    {"hostname": "localhost"},
    {"hostname": "[::1]"},
    {"hostname": "smtp.example.com\npassword x"},
    {"hostname": "smtp.example.com&#10;tls off"},
    {"hostname": "smtp.example.com&#x9b;2J"},
    {"hostname": "smtp.ex\u0430mple.com"},
    {"hostname": "a" * 300 + ".example.com"},
    {"hostname": "-oProxyCommand=x.example.com"},
    {"hostname": "%EMAILADDRESS%"},
    {"port": None},
    {"port": "0"},
    {"port": "-465"},
    {"port": "22"},
    {"port": "65536"},
    {"port": "9" * 5000},
    {"port": "\u0664\u0666\u0665"},
    {"port": "4_65"},
    {"port": "465.0"},
]


@pytest.mark.parametrize("values", UNUSABLE, ids=lambda values: str(values)[:50])
def test_attack_server_that_nobody_should_use(values):
    """A row without TLS, or whose host or port is none, is as if it were not there."""
    assert parse_autoconfig(document(server(**values)), ME) == ()
    assert parse_autoconfig(document(server(**values), server()), ME) == (GOOD,)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE clientConfig [<!ENTITY a "smtp.example.com">'
    '<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
)


@pytest.mark.parametrize(
    "start",
    [
        LAUGHS,
        '<!DOCTYPE clientConfig SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE clientConfig [<!ENTITY % x SYSTEM "https://evil.example/"> %x;]>',
        "<!DOCTYPE clientConfig>",
        "<!doctype clientConfig>",
        "<!-- <!DOCTYPE x> -->",
        "<!ELEMENT a ANY>",
    ],
)
def test_attack_document_type(start):
    """Entities that multiply, or that read a file, are not even parsed."""
    body = document(server(hostname="&b;" if start is LAUGHS else "smtp.example.com"))
    data = start.encode() + body.partition(b"?>")[2]
    with pytest.raises(AutoconfigError, match="document type"):
        parse_autoconfig(data, ME)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-7", "latin-1"])
def test_attack_document_type_in_another_encoding(encoding):
    """Written so that a search would not see it, it is not understood at all."""
    start = '<?xml version="1.0" encoding="ENC"?>'.replace("ENC", encoding)
    text = start + '<!DOCTYPE a [<!ENTITY b "\u00e9">]><clientConfig/>'
    with pytest.raises(AutoconfigError):
        parse_autoconfig(text.encode(encoding), ME)


def test_an_encoding_that_is_only_named_changes_nothing():
    """It is UTF-8 whatever it says: no codec is chosen by a stranger."""
    data = document(server()).replace(b"UTF-8", b"utf-7")
    assert parse_autoconfig(data, ME) == (GOOD,)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no XML"),
        (b"<clientConfig>", "no XML"),
        (b"<html><body>404</body></html>", "not about mail"),
        (b"<clientConfig></clientconfig>", "no XML"),
        (b"<clientConfig>&amp;&unknown;</clientConfig>", "no XML"),
        (b"<clientConfig>\0</clientConfig>", "no XML"),
        (b"not xml", "no XML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"<a>" * 5000, "nested"),
        (document(*[server()] * 17), "too many servers"),
    ],
)
def test_what_is_no_such_file_is_told_so(data, words):
    """With a reason, and no traceback."""
    with pytest.raises(AutoconfigError, match=words):
        parse_autoconfig(data, ME)


@pytest.mark.parametrize(
    "data",
    [
        document(),
        b"<clientConfig/>",
        document(f"<x>{server()}</x>"),
        b"<clientConfig>" + server().encode() + b"</clientConfig>",
        document("<outgoingServer><hostname>smtp.example.com</hostname></outgoingServer>"),
        document(server().replace("<port>", "<x><port>").replace("</port>", "</port></x>")),
    ],
)
def test_a_file_without_a_server_in_its_place_names_none(data):
    """An element counts where the format has it."""
    assert parse_autoconfig(data, ME) == ()


def test_the_first_of_two_values_counts():
    """A second host in one server changes nothing."""
    row = server().replace("</port>", "</port><hostname>evil.example.com</hostname>")
    assert parse_autoconfig(document(row), ME) == (GOOD,)


def test_a_value_has_an_end():
    """A text that is too long is no value, however it is cut into pieces."""
    long = "<!-- x -->".join(["smtp"] * 100) + ".example.com"
    assert parse_autoconfig(document(server(hostname=long)), ME) == ()


def test_the_places_of_a_domain_are_its_own():
    """The address goes to the one that asks for it, as one value of a query."""
    query = "emailaddress=a%2Bb%26c%3Dd%2Fe%23%40Example.com"
    assert own_places(parse_mailbox("a+b&c=d/e#@Example.com")) == (
        f"https://autoconfig.example.com/mail/config-v1.1.xml?{query}",
        "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml",
    )
