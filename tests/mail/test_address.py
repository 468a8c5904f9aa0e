"""The one gate for addresses: what it lets through cannot hurt a command, a header or a log."""

from __future__ import annotations

import builtins
import re
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import DataError, MissingExtraError
from pillarbox.mail.address import Mailbox, is_local, parse_address_list, parse_mailbox

MAILBOXES = [
    # text, local-part, domain
    ("joe@example.org", "joe", "example.org"),
    ("root", "root", ""),
    ("a.b+c=d/e!f%g@example.org", "a.b+c=d/e!f%g", "example.org"),
    ("-x@example.org", "-x", "example.org"),
    ("o'brien@example.org", "o'brien", "example.org"),
    ("a..b.@docomo.example", "a..b.", "docomo.example"),
    ('"a b"@example.org', '"a b"', "example.org"),
    ('"a@b"@example.org', '"a@b"', "example.org"),
    ('"a\\"b\\\\"@example.org', '"a\\"b\\\\"', "example.org"),
    ('"a>b"@example.org', '"a>b"', "example.org"),
    ('""@example.org', '""', "example.org"),
    ('"root"', '"root"', ""),
    ("joe@[192.0.2.1]", "joe", "[192.0.2.1]"),
    ("joe@[IPv6:2001:db8::1]", "joe", "[IPv6:2001:db8::1]"),
    ("joe@host_1.example", "joe", "host_1.example"),
    ("joe@localhost", "joe", "localhost"),
    ("jörg@example.org", "jörg", "example.org"),
    ("joe@bücher.example", "joe", "bücher.example"),
    ("用户@例子.广告", "用户", "例子.广告"),
    ("a" * 64 + "@example.org", "a" * 64, "example.org"),
    ("a@" + "b" * 252, "a", "b" * 252),
]

REFUSED = [
    # text, what the reason says
    ("", "nothing stands before the @"),
    ("@example.org", "nothing stands before the @"),
    ("joe@", "nothing stands behind the @"),
    ("a b@example.org", "' ' needs quotes"),
    ("a@b@c", "'@' needs quotes"),
    ("a,b@c", "',' needs quotes"),
    ("a\\b@c", "needs quotes"),
    ("<a@b>", "needs quotes"),
    ("a@b>", "> is not allowed in a domain"),
    ("a@b c", "not allowed in a domain"),
    ("a@b..c", "empty label"),
    ("a@.b", "empty label"),
    ("a@b.", "empty label"),
    ("a@[", "address literal is malformed"),
    ("a@[]", "address literal is malformed"),
    ("a@[1.2.3.4", "address literal is malformed"),
    ("a@[1.2.3.4]x", "address literal is malformed"),
    ("a@[1.2 3.4]", "address literal is malformed"),
    ('"a@b', "not closed"),
    ('"@b', "not closed"),
    ('"a\\"@b', "ends the quoted part"),
    ('"a"b"@c', "inside a quoted part"),
    ('"a\tb"@c', "\\x09 is not allowed"),
    ('"a\u2028b"@c', "\\u2028 is not allowed"),
    ("a" * 65 + "@b", "longer than 64 octets"),
    ("é" * 33 + "@b", "longer than 64 octets"),
    ("a@" + "b" * 253, "longer than 254 octets"),
    ("a\udcff@b", "not allowed"),
    ("a@b\udcff", "not allowed"),
    ("a\u00a0b@c", "not allowed"),
    ("a@b\u3000c", "not allowed"),
    ("a\u200bb@c", "not allowed"),
]


@pytest.mark.parametrize(("text", "local_part", "domain"), MAILBOXES)
def test_reads_a_mailbox(text, local_part, domain):
    """A mailbox comes apart into local-part and domain, and together again."""
    mailbox = parse_mailbox(text)
    assert (mailbox.local_part, mailbox.domain) == (local_part, domain)
    assert str(mailbox) == text


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refuses_what_is_no_mailbox(text, reason):
    """The error names the address and the part that is wrong."""
    with pytest.raises(DataError, match=re.escape(reason)) as refusal:
        parse_mailbox(text)
    assert str(refusal.value).startswith("invalid address ")
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("char", [chr(point) for point in (*range(32), 0x7F, *range(0x80, 0xA1))])
@pytest.mark.parametrize("form", ["a{}@b", "a@b{}", '"a{}"@b', "a@[1{}]", "{}a@b"])
def test_control_character_in_address_is_refused(form, char):
    """CRLF injection (N10): no control character, C0 or C1, gets through in any place."""
    with pytest.raises(DataError):
        parse_mailbox(form.format(char))


LISTS = [
    # text, addresses
    ("", []),
    ("  \t ", []),
    (",, ;,", []),
    ("a@b", ["a@b"]),
    ("a@b,c@d", ["a@b", "c@d"]),
    ("a@b;c@d", ["a@b", "c@d"]),
    ("a@b, a@b", ["a@b", "a@b"]),
    ("a@b,\tc@d,", ["a@b", "c@d"]),
    ("root", ["root"]),
    ("two words", ["words"]),
    ("Joe User <joe@example.org>", ["joe@example.org"]),
    ("Joe Q. User <joe@example.org>, root", ["joe@example.org", "root"]),
    ("joe@example.org <joe@example.org>", ["joe@example.org"]),
    ("J\udcfcrgen <j@example.org>", ["j@example.org"]),
    ("=?utf-8?B?5rWL6K+V?= <t@example.org>", ["t@example.org"]),
    ("测试 <t@example.org>", ["t@example.org"]),
    ('"User, Joe" <joe@example.org>', ["joe@example.org"]),
    ('"a@b, c@d" <joe@example.org>', ["joe@example.org"]),
    ('"Joe \\"<x@y>\\" User" <joe@example.org>', ["joe@example.org"]),
    ("<joe@example.org> Joe", ["joe@example.org"]),
    ("<>", []),
    ("Nobody <>", []),
    ("[ops, team] <ops@example.org>", ["ops@example.org"]),
    # comments
    ("joe@example.org (Joe, User)", ["joe@example.org"]),
    ("(a (nested \\) ) comment, with <x@y>) joe@example.org", ["joe@example.org"]),
    ("Joe (x) <(y)joe(z)@(é)example.org>", ["joe@example.org"]),
    # groups
    ("undisclosed-recipients:;", []),
    ("Team: a@b, Joe <c@d>;", ["a@b", "c@d"]),
    ("Team: a@b;, e@f, Other:;", ["a@b", "e@f"]),
    ('"Te:am" : a@b;', ["a@b"]),
    ("Team: a@b", ["a@b"]),
    # obsolete forms (RFC 5322 4.4)
    ("joe . user @ example . org", ["joe.user@example.org"]),
    ("<joe . user @ example . org>", ["joe.user@example.org"]),
    ("<@relay.example:joe@example.org>", ["joe@example.org"]),
    ("< @a , @b : joe@example.org >", ["joe@example.org"]),
    ("<@[IPv6:::1]:joe@[IPv6:::2]>", ["joe@[IPv6:::2]"]),
    ('<@a:"x:y"@example.org>', ['"x:y"@example.org']),
    # quoted local-parts and literals
    ('"joe user"@example.org', ['"joe user"@example.org']),
    ('<"joe, >user"@example.org>', ['"joe, >user"@example.org']),
    ("joe@[192.0.2.1], x@y", ["joe@[192.0.2.1]", "x@y"]),
    ("joe@[IPv6:2001:db8::1];", ["joe@[IPv6:2001:db8::1]"]),
    ("mailto:joe@example.org", ["joe@example.org"]),
]


@pytest.mark.parametrize(("text", "addresses"), LISTS)
def test_reads_an_address_list(text, addresses):
    """Names, comments and groups go, the addresses stay, in order."""
    assert [str(mailbox) for mailbox in parse_address_list(text)] == addresses


BAD_LISTS = [
    # text, what the reason says
    ("a@b, c d@", "nothing stands behind"),
    ("<a@b", "a < is not closed"),
    ("Joe <a@b, c@d", "a < is not closed"),
    ("<<a@b>>", "needs quotes"),
    ("a@b>", "not allowed in a domain"),
    ("a@b)", "not allowed in a domain"),
    ('"a@b', "quotation mark is not closed"),
    ('a@b, "', "quotation mark is not closed"),
    ("a@b (c, d@e", "comment is not closed"),
    ("a@[1.2.3.4, b@c", "invalid address"),
    ("<john smith@example.org>", "needs quotes"),
    ("<john(x)smith@example.org>", "needs quotes"),
    ("a@b c@d", "comma is missing"),
    ("<a@b> <c@d>", "comma is missing"),
    ("<a@b> c@d", "comma is missing"),
    ("a@b: c@d;", "name of a group"),
    ("Joe <a@b>: c@d;", "name of a group"),
    ('"a"."b"@c', "inside a quoted part"),
    ("a@b\n", "control character"),
    ("a@b\r\nBcc: evil@e", "control character"),
    ("Joe\x00 <a@b>", "control character"),
    ("Joe\x7f <a@b>", "control character"),
]


@pytest.mark.parametrize(("text", "reason"), BAD_LISTS)
def test_refuses_a_list_with_a_fault(text, reason):
    """One bad item refuses all: nobody is passed over in silence, and nobody is made up."""
    with pytest.raises(DataError, match=reason):
        parse_address_list(text)


def test_newline_in_argument_adds_no_recipient():
    """Header injection through an argument, to which msmtp 1.8 falls: it is an error here."""
    with pytest.raises(DataError, match="control character"):
        parse_address_list("x@y\nBcc: evil@example.org")


@pytest.mark.parametrize(
    "text",
    [
        "a" * (1 << 19),
        'a""' * (1 << 17),
        "a@(c)" * (1 << 17),
        "(" * (1 << 19),
        "<" + "a " * (1 << 18),
        " . " * (1 << 18),
        "a@b," * (1 << 15),
    ],
    ids=lambda text: text[:6],
)
def test_time_grows_with_the_text_only(text):
    """No list of half a megabyte takes more than a moment."""
    start = time.process_time()
    with suppress(DataError):
        parse_address_list(text)
    assert time.process_time() - start < 3


# -- properties --------------------------------------------------------------------------------

ATOM = st.text("abzAZ09!#$%&'*+-/=?^_`{|}~.éß用", min_size=1, max_size=12)
QUOTED = st.lists(st.sampled_from([*"ab .,:;<>@()[]é", '\\"', "\\\\", "\\a"]), max_size=10).map(
    lambda pieces: '"' + "".join(pieces) + '"'
)
DOMAIN = st.lists(st.text("abz09-_é例", min_size=1, max_size=8), min_size=1, max_size=3)
LITERAL = st.sampled_from(["[192.0.2.1]", "[IPv6:2001:db8::1]", "[IPv6:::]"])
MAILBOX = st.one_of(
    st.builds(lambda local, domain: f"{local}@{domain}", ATOM | QUOTED, DOMAIN.map(".".join)),
    st.builds(lambda local, domain: f"{local}@{domain}", ATOM | QUOTED, LITERAL),
    ATOM,
)
NOISE = st.text(st.sampled_from('ab@.,;:<>()[]" \t\\\r\n\0é\x7f\u2028\udcff'), max_size=40)


@given(MAILBOX)
@settings(max_examples=200)
def test_mailbox_reads_back_as_itself(text):
    """The text of a mailbox, in a list or not, gives the same mailbox."""
    mailbox = parse_mailbox(text)
    assert parse_mailbox(str(mailbox)) == mailbox
    assert parse_address_list(str(mailbox)) == [mailbox]
    assert parse_address_list(f"Name <{mailbox}>, {mailbox}") == [mailbox, mailbox]


@given(st.lists(MAILBOX, max_size=5), st.sampled_from([",", " , ", ";", ",\t", ", (c, c@c) "]))
@settings(max_examples=100)
def test_list_neither_loses_nor_invents_an_address(texts, separator):
    """As many addresses come out as went in, in the same order."""
    assert [str(found) for found in parse_address_list(separator.join(texts))] == texts


@given(NOISE)
@settings(max_examples=200)
def test_mailbox_never_holds_what_could_end_its_command(text):
    """Whatever is read, a mailbox has no control character, and no space or <> but in quotes."""
    try:
        found = parse_address_list(text)
    except DataError:
        return
    for mailbox in found:
        assert str(mailbox).isprintable()
        unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", str(mailbox))
        assert not set(unquoted) & set(' <>",;()\\')


# -- internationalized addresses ---------------------------------------------------------------


def test_domain_goes_out_as_a_labels_unless_smtputf8():
    """IDNA2008 makes the domain ASCII; the local-part has no such form (RFC 6531)."""
    mailbox = parse_mailbox("joe@BÜCHER.example")
    assert mailbox.domain_ascii == "xn--bcher-kva.example"
    assert not mailbox.needs_smtputf8
    assert mailbox.wire_form(smtputf8=False) == b"joe@xn--bcher-kva.example"
    assert mailbox.wire_form(smtputf8=True) == "joe@BÜCHER.example".encode()
    assert parse_mailbox("jörg@example.org").needs_smtputf8
    assert parse_mailbox("joe@example.org").wire_form(smtputf8=False) == b"joe@example.org"
    assert parse_mailbox("root").wire_form(smtputf8=True) == b"root"


@pytest.mark.parametrize("domain", ["-ü.example", "ü..example", "a\uff1eb.example", "☃☃." * 60])
def test_domain_without_a_labels_is_an_error(domain):
    """A homograph of ``>``, an empty label, one too long: none gets into a command."""
    mailbox = Mailbox("joe", domain)
    with pytest.raises(DataError, match="not a valid domain"):
        mailbox.wire_form(smtputf8=False)


@given(st.text(st.characters(min_codepoint=0x80), min_size=1, max_size=12))
@settings(max_examples=200)
def test_a_labels_bring_nothing_into_a_command(text):
    """Unicode's mappings (IDN homographs, N4) make no space, bracket or control character."""
    try:
        wire = parse_mailbox(f"joe@{text}.example").wire_form(smtputf8=False)
    except DataError:
        return
    assert re.fullmatch(rb"joe@[A-Za-z0-9._-]+", wire)


def test_missing_idna_package_names_the_extra(monkeypatch):
    """Without the package the error is one line that says what to install."""
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "idna":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"pillarbox\[idn\]"):
        _ = parse_mailbox("joe@bücher.example").domain_ascii


# -- addresses of this computer ------------------------------------------------------------------

LOCAL = [
    # text, the name of this computer, whether it is local
    ("root", "", True),
    ("root@localhost", "", True),
    ("root@web01", "", True),
    ("root@LOCALHOST.localdomain", "", True),
    ("root@nas.local", "", True),
    ("root@nas.LAN", "", True),
    ("root@db.corp.internal", "", True),
    ("root@box.home.arpa", "", True),
    ("root@web01.example.org", "WEB01.example.org", True),
    ("root@web01.example.org", "web01", False),
    ("root@web01.example.org", "", False),
    ("root@example.org", "web01.example.org", False),
    ("root@local.example", "", False),
    ("root@notlocal.example", "", False),
    ("root@xlan.example", "", False),
    ("root@[192.0.2.1]", "", False),
    ("root@[IPv6:::1]", "", False),
    ("用户@例子.广告", "", False),
]


@pytest.mark.parametrize(("text", "host", "expected"), LOCAL)
def test_tells_what_means_something_here_only(text, host, expected):
    """No stranger can answer a name without a domain, or of one that every network has."""
    assert is_local(parse_mailbox(text), host) is expected
