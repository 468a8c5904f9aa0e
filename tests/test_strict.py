"""The strict reader sees every planted fault, one by one, and holds nothing against good mail."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from strict import faults, ids, parse_date, parse_mailboxes
from strict_mime import leaves, parse_media_type

NOW_S = 1_795_518_000  # Tue, 24 Nov 2026 11:00:00 +0000

HEAD = (
    b"From: Tim <tim@example.org>\n"
    b"To: Ann <ann@example.com>\n"
    b"Subject: hello\n"
    b"Date: Tue, 24 Nov 2026 11:00:00 +0000\n"
    b"Message-ID: <1.2@example.org>\n"
)
MIME = b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
QP = b"Content-Transfer-Encoding: quoted-printable\n"
B64 = b"Content-Transfer-Encoding: base64\n"
PLAIN = HEAD + b"\nbody\n"
MULTI = (
    HEAD
    + b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=_b"\n\n'
    + b"--=_b\nContent-Type: text/plain\n\nfirst\n"
    + b"--=_b\nContent-Type: application/x-tar\n"
    + B64
    + b"\nAAECAw==\n--=_b--\n"
)


def wire(text):
    """Return a text of the table in wire form."""
    return text.replace(b"\n", b"\r\n")


def found_in(text, **options):
    """Return the ids of the faults of a text with LF line ends."""
    return ids(faults(wire(text), now_s=NOW_S, **options))


GOOD = {
    "plain": PLAIN,
    "no name": PLAIN.replace(b"Tim <tim@example.org>", b"tim@example.org"),
    "quoted name": PLAIN.replace(b"Tim <", b'"Tim, the \\"T\\"" <'),
    "encoded name": PLAIN.replace(b"Tim <", b"=?utf-8?B?5rWL6K+V?= <"),
    "comment": PLAIN.replace(b"<tim@example.org>", b"(home (office)) <tim@example.org>"),
    "several": PLAIN.replace(b"Ann <", b"bob@example.net, Team: c@d.example, e@f.example;, Ann <"),
    "undisclosed": PLAIN.replace(b"Ann <ann@example.com>", b"undisclosed-recipients:;"),
    "literal": PLAIN.replace(b"ann@example.com", b"ann@[192.0.2.1]"),
    "quoted local-part": PLAIN.replace(b"ann@example.com", b'"ann b"@example.com'),
    "encoded subject": PLAIN.replace(b"hello", b"=?utf-8?Q?h=C3=A9?= there =?gb2312?B?suLK1A==?="),
    "text like a word": PLAIN.replace(b"hello", b"is 1 =? 2 or a=?b"),
    "folded": PLAIN.replace(b"hello", b"hello\n\tworld\n again"),
    "other zone": PLAIN.replace(b"11:00:00 +0000", b"19:00:00 +0800 (CST)"),
    "no day name": PLAIN.replace(b"Tue, ", b""),
    "old but forwarded": PLAIN.replace(b"Tue, 24 Nov 2026", b"24 Nov 2025") + b"",
    "utf-8 in quoted-printable": HEAD + MIME + QP + b"\nh=C3=A9 =3D =\nend\n",
    "utf-8 in base64": HEAD + MIME + B64 + b"\n5rWL6K+V\n",
    "gbk": HEAD + MIME.replace(b"utf-8", b"gbk") + B64 + b"\nsuLK1A==\n",
    "parts": MULTI,
    "parts with text around": MULTI.replace(b"\n\n--=_b\n", b"\n\npreamble\n--=_b\n", 1) + b"end\n",
    "message inside": HEAD
    + b"MIME-Version: 1.0\nContent-Type: message/rfc822\n\nSubject: inner\n\ntext\n",
    "long parameter": MULTI.replace(
        b"x-tar\n", b"x-tar;\n name*0*=utf-8''%e6%b5%8b;\n name*1=\"a.tar\"\n"
    ),
    "colours in an attachment": HEAD
    + MIME
    + b"Content-Disposition: attachment; filename=log\n"
    + QP
    + b"\n=1B[31mred\n",
}
GOOD["old but forwarded"] = b"Received: by x.example; now\n" + GOOD["old but forwarded"]


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_holds_nothing_against_good_mail(text):
    """A message that is as the RFCs want it has no faults."""
    assert faults(wire(text), now_s=NOW_S) == []


def test_8bit_and_utf8_pass_where_they_were_asked_for():
    """The extensions of the server change what is a fault."""
    body = HEAD + MIME + "Content-Transfer-Encoding: 8bit\n\nhé\n".encode()
    assert found_in(body, allows_8bit=True) == set()
    assert found_in(body) == {"coding-refused", "body-8bit"}
    head = PLAIN.replace(b"ann@example.com", "änn@bücher.example".encode())
    assert found_in(head, allows_utf8_headers=True) == set()
    assert found_in(head) == {"head-8bit"}


# name -> what is replaced, by what, in which good message, the id of the fault
def _plain(old, new):
    return PLAIN.replace(old, new)


def _multi(old, new):
    return MULTI.replace(old, new)


FAULTS = [
    ("name with a blank", _plain(b"Subject:", b"Subject :"), "field-name"),
    ("line without colon", _plain(b"Subject: hello", b"Subject: hello\nworld"), "field-name"),
    ("fold of blanks", _plain(b"hello", b"hello\n "), "blank-fold"),
    ("long header line", _plain(b"hello", b"hello " * 200), "line-length"),
    ("long body line", _plain(b"body", b"x" * 999), "line-length"),
    ("no last line end", PLAIN[:-1], "last-line"),
    ("no end of the header section", HEAD, "head-end"),
    ("NUL", _plain(b"body", b"bo\0dy"), "nul"),
    ("control in a header", _plain(b"hello", b"hel\x08lo"), "control"),
    ("DEL in a header", _plain(b"hello", b"hel\x7flo"), "control"),
    ("raw UTF-8 subject", _plain(b"hello", "测试".encode()), "head-8bit"),
    ("raw GBK subject", _plain(b"hello", "测试".encode("gbk")), "head-8bit"),
    ("two subjects", _plain(b"Subject: hello", b"Subject: a\nsubject: b"), "twice"),
    ("two From", _plain(b"To:", b"From: x@example.org\nTo:"), "twice"),
    ("two Content-Type", _multi(b"MIME-Version", b"Content-Type: a/b\nMIME-Version"), "twice"),
    ("no From", _plain(b"From: Tim <tim@example.org>\n", b""), "missing"),
    ("no Date", _plain(b"Date: Tue, 24 Nov 2026 11:00:00 +0000\n", b""), "missing"),
    ("no Message-ID", _plain(b"Message-ID: <1.2@example.org>\n", b""), "missing"),
    ("no Subject", _plain(b"Subject: hello\n", b""), "missing"),
    ("no To", _plain(b"To: Ann <ann@example.com>\n", b""), "missing"),
    ("no MIME-Version", _multi(b"MIME-Version: 1.0\n", b""), "missing"),
    ("empty Subject", _plain(b" hello", b""), "empty"),
    ("empty To", _plain(b" Ann <ann@example.com>", b""), "empty"),
    ("Bcc", _plain(b"Subject:", b"Bcc: x@example.net\nSubject:"), "bcc"),
    ("two in From", _plain(b"tim@example.org>", b"t@example.org>, u@example.org"), "from-count"),
    ("group in From", _plain(b"Tim <tim@example.org>", b"Nobody:;"), "from-count"),
    ("From without domain", _plain(b"tim@example.org", b"root"), "address-local"),
    ("From of this host", _plain(b"tim@example.org", b"root@web01"), "address-local"),
    ("From of localdomain", _plain(b"tim@example.org", b"r@x.localdomain"), "address-local"),
    ("To without domain", _plain(b"Ann <ann@example.com>", b"root"), "address-local"),
    ("empty label", _plain(b"ann@example.com", b"ann@example..com"), "address-form"),
    ("label with a dash", _plain(b"ann@example.com", b"ann@-example.com"), "address-local"),
    ("unclosed angle", _plain(b"ann@example.com>", b"ann@example.com"), "address-form"),
    ("unclosed quote", _plain(b"Ann", b'"Ann'), "address-form"),
    ("unclosed comment", _plain(b"Ann", b"(Ann"), "address-form"),
    ("name with an at-sign", _plain(b"Ann", b"a@b.example"), "address-form"),
    ("text behind the address", _plain(b".com>", b".com> (x) y"), "address-form"),
    ("blank in the address", _plain(b"ann@", b"an n@"), "address-form"),
    ("group in a group", _plain(b"Ann <", b"A: B: <"), "address-form"),
    ("quoted address as name", _plain(b"Tim", b'"ceo@bank.example"'), "name-address"),
    ("encoded address as name", _plain(b"Tim", b"=?utf-8?Q?ceo=40bank?="), "name-address"),
    ("encoded address", _plain(b"<tim@", b"<=?utf-8?Q?tim?=@"), "word-place"),
    ("whole From encoded", _plain(b"Tim <tim@example.org>", b"=?utf-8?Q?t=40x?="), "word-place"),
    ("quoted encoded word", _plain(b"Tim", b'"=?utf-8?Q?T=C3=A9?="'), "word-quoted"),
    ("encoded Message-ID", _plain(b"<1.2@", b"<=?utf-8?Q?1?=@"), "word-place"),
    ("long word", _plain(b"hello", b"=?utf-8?Q?" + b"a" * 70 + b"?="), "word-length"),
    ("long line with a word", _plain(b"hello", b"=?utf-8?Q?a?= " * 8 + b"x"), "word-line"),
    ("word behind text", _plain(b"hello", b"x=?utf-8?Q?a?="), "word-glued"),
    ("word without end", _plain(b"hello", b"=?utf-8?Q?a b?="), "word-form"),
    ("word in no base64", _plain(b"hello", b"=?utf-8?B?a?="), "word-undecodable"),
    ("junk in base64", _plain(b"hello", b"=?utf-8?B?5r*WL?="), "word-undecodable"),
    ("word in no charset", _plain(b"hello", b"=?x-klingon?Q?a?="), "word-undecodable"),
    ("half a character", _plain(b"hello", b"=?utf-8?Q?=E6=B5?="), "word-undecodable"),
    ("bad hexadecimal", _plain(b"hello", b"=?utf-8?Q?=G1?="), "word-undecodable"),
    ("line end in a word", _plain(b"hello", b"=?utf-8?Q?=0D=0ABcc:_x?="), "word-control"),
    ("replacement in a word", _plain(b"hello", b"=?utf-8?Q?=EF=BF=BD?="), "word-rubbish"),
    ("zone by name", _plain(b"+0000", b"CST"), "date-form"),
    ("no zone", _plain(b" +0000", b""), "date-form"),
    ("ISO date", _plain(b"Tue, 24 Nov 2026 11:00:00", b"2026-11-24 11:00:00"), "date-form"),
    ("day in another language", _plain(b"Tue, 24", b"Di, 24"), "date-form"),
    ("wrong day of the week", _plain(b"Tue, 24", b"Mon, 24"), "date-form"),
    ("no such day", _plain(b"Tue, 24 Nov", b"31 Nov"), "date-form"),
    ("no such hour", _plain(b"11:00:00", b"25:00:00"), "date-form"),
    ("date ahead", _plain(b"11:00:00", b"14:00:01"), "date-skew"),
    ("date in the past", _plain(b"Tue, 24", b"Sun, 22"), ""),
    ("old date", _plain(b"Tue, 24", b"Sat, 21"), "date-skew"),
    ("date in another zone", _plain(b"+0000", b"-0800"), "date-skew"),
    ("bare Message-ID", _plain(b"<1.2@example.org>", b"1.2@example.org"), "message-id-form"),
    ("Message-ID without at", _plain(b"<1.2@example.org>", b"<1.2>"), "message-id-form"),
    ("Message-ID with a blank", _plain(b"<1.2@", b"<1 2@"), "message-id-form"),
    ("two Message-IDs", _plain(b"<1.2@", b"<a@b.example> <1.2@"), "message-id-form"),
    ("Message-ID of this host", _plain(b"1.2@example.org", b"1.2@web01"), "message-id-host"),
    ("other MIME", _multi(b"MIME-Version: 1.0", b"MIME-Version: 2.0"), "mime-version"),
    ("type without subtype", _multi(b"multipart/mixed", b"multipart"), "content-type"),
    ("parameter twice", _multi(b"mixed;", b"mixed; boundary=x;"), "content-type"),
    ("bare quote in a type", _multi(b'"=_b"', b'"=_b'), "content-type"),
    ("part's type", _multi(b"application/x-tar", b"application x-tar"), "content-type"),
    ("no boundary", _multi(b'; boundary="=_b"', b""), "boundary-missing"),
    ("wrong boundary", _multi(b'"=_b"', b'"other"'), "multipart-empty"),
    ("boundary of odd octets", _multi(b"=_b", b"b*b"), "boundary-form"),
    ("open multipart", _multi(b"--=_b--", b""), "multipart-open"),
    ("base64 multipart", _multi(b"\n\n--", b"\n" + B64 + b"\n--"), "multipart-coding"),
    ("8-bit in a 7bit multipart", _multi(b"first", b"\xc3\xa9"), "coding-8bit"),
    ("8-bit file name", _multi(b"x-tar", "x-tar; name=é".encode()), "part-head-8bit"),
    ("text in a part's header", _multi(b"x-tar\n", b"x-tar\nhello\n"), "part-field"),
    ("8-bit without a coding", HEAD + MIME + "\nhé\n".encode(), "coding-8bit"),
    ("8-bit without MIME", HEAD + "\nhé\n".encode(), "charset-wrong"),
    ("binary", _multi(B64, b"Content-Transfer-Encoding: binary\n"), "coding-binary"),
    ("unknown coding", _multi(b": base64", b": uuencode"), "coding-unknown"),
    ("long QP line", HEAD + MIME + QP + b"\n" + b"a" * 77 + b"\n", "qp-length"),
    ("bare = in QP", HEAD + MIME + QP + b"\na = b\n", "qp-form"),
    ("8-bit in QP", HEAD + MIME + QP + "\né\n".encode(), "qp-octet"),
    ("blank at the end of a QP line", HEAD + MIME + QP + b"\na \nb\n", "qp-blank"),
    ("long base64 line", _multi(b"AAECAw==", b"AAEC" * 20), "base64-length"),
    ("no base64", _multi(b"AAECAw==", b"AA*ECAw="), "base64-form"),
    ("short base64", _multi(b"AAECAw==", b"AAECA"), "base64-form"),
    ("base64 behind its end", _multi(b"AAECAw==", b"AA==AAEC"), "base64-form"),
    ("unknown charset", HEAD + MIME.replace(b"utf-8", b"x-klingon") + b"\nx\n", "charset-unknown"),
    ("wrong charset", HEAD + MIME + B64 + b"\nsuLK1A==\n", "charset-wrong"),
    ("terminal colours", _plain(b"body", b"\x1b[31mred\x1b[0m"), "escape"),
    ("encoded terminal colours", HEAD + MIME + QP + b"\n=1B[31mred\n", "escape"),
    ("backspace", _plain(b"body", b"b\x08bo"), "text-control"),
    ("empty body", _plain(b"body", b""), "body-empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS])
def test_sees_the_fault(text, fault):
    """Each planted fault is named; what is only near one is not."""
    found = found_in(text)
    assert fault in found if fault else not found


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (wire(PLAIN) + b"a\nb\r\n", "bare-lf"),
        (wire(PLAIN) + b"a\rb\r\n", "bare-cr"),
        (wire(PLAIN).replace(b"hello", b"hello\rBcc: x"), "bare-cr"),
        (wire(PLAIN).replace(b"hello\r\n", b"hello\n"), "bare-lf"),
        (wire(PLAIN) + b"a\r\r\n", "bare-cr"),
    ],
)
def test_sees_wrong_line_ends(octets, fault):
    """Only CRLF ends a line (RFC 5321 2.3.8)."""
    assert fault in ids(faults(octets, now_s=NOW_S))


def test_agrees_with_the_standard_library_on_good_mail():
    """What Python's own package writes under its strictest policy has no faults."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "Tïm <tim@example.org>"
    message["To"] = "Änn <ann@example.com>, bob@example.net"
    message["Subject"] = "grüße und 测试"
    message["Date"] = "Tue, 24 Nov 2026 12:00:00 +0100"
    message["Message-ID"] = "<x@example.org>"
    message.set_content("grüße\n" * 3, cte="quoted-printable")
    message.add_alternative("<p>grüße</p>", subtype="html", cte="base64")
    message.add_attachment(
        bytes(range(256)) * 9, maintype="image", subtype="png", filename="测.png"
    )
    octets = message.as_bytes()
    assert faults(octets, now_s=NOW_S, allows_8bit=True) == []
    assert [leaf.place for leaf in leaves(octets)] == ["1.1", "1.2", "2"]
    parts = [part for part in message_from_bytes(octets).walk() if not part.is_multipart()]
    for leaf, part in zip(leaves(octets), parts, strict=True):
        assert leaf.octets.rstrip() == part.get_payload(decode=True).rstrip()


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Tue, 24 Nov 2026 11:00:00 +0000", NOW_S),
        ("24 Nov 2026 03:00:00 -0800 (PST)", NOW_S),
        ("24 Nov 2026 11:00 +0000", NOW_S),
        ("Tue, 24 Nov 2026 16:30:00 +0530", NOW_S),
        ("Tue, 24 Nov 26 11:00:00 +0000", None),
        ("Tue, 24 Nov 2026 11:00:00 GMT", None),
        ("Tue, 24 Nov 2026 11:00:00 +00:00", None),
    ],
)
def test_reads_a_date(value, moment):
    """The moment is in UTC; anything but the form of today is no date."""
    assert parse_date(value) == moment


@pytest.mark.parametrize(
    ("value", "mailboxes"),
    [
        ("a@b", [([], "a@b")]),
        ("A B <a@b>, c", [(["A", "B"], "a@b"), ([], "c")]),
        ('"x, y" <a@b>', [(['"x, y"'], "a@b")]),
        ("g: a@b, c@d;, e@f", [([], "a@b"), ([], "c@d"), ([], "e@f")]),
        ("g:;", []),
        ("", []),
        ("a b", None),
        ("a@b>", None),
        ("<a@b", None),
        ("<a@b> c", None),
        ("a@b;", None),
    ],
)
def test_reads_mailboxes(value, mailboxes):
    """Names and addresses come out as they stand; what is no list is None."""
    assert parse_mailboxes(value) == mailboxes


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        ("text/plain", {}),
        ('Text/Plain; Charset="utf-8" (really)', {"charset": "utf-8"}),
        ('a/b; x="q\\"; y=1"; z=2', {"x": 'q"; y=1', "z": "2"}),
        ("a/b;", None),
        ("a/b; x", None),
        ("a/b; x=a b", None),
        ("a/b; x=1; X=2", None),
        ("a", None),
    ],
)
def test_reads_a_media_type(value, parameters):
    """Parameters come out unquoted; what is not of the grammar is None."""
    media_type = parse_media_type(value)
    assert (media_type and media_type.parameters) == parameters
