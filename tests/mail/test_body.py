"""The body: what is wrong is put right, what is in order leaves as it came."""

from __future__ import annotations

import tracemalloc
from email import message_from_bytes, policy

import pytest

from pillarbox.mail import walker as walker_module
from pillarbox.mail.body import repair_body
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.originate import HeaderWishes
from pillarbox.mail.repair import Draft, RepairFacts
from pillarbox.mail.rules import RULE_BY_ID
from pillarbox.mail.wire import LineEndings


def facts_of(*, takes_8bit=False):
    """Return the facts of a plain account."""
    return RepairFacts(
        sender=None,
        recipients=(),
        wishes=HeaderWishes(),
        epoch_s=1_795_518_000,
        message_id="<1@example.org>",
        host="web01",
        takes_8bit=takes_8bit,
        demands_sender=lambda: False,
    )


def repaired(mail, *, cut=None, size=7, takes_8bit=False):
    """Return the mail in wire form and its rules, the body read in chunks behind ``cut``."""
    pieces = iter([mail])
    section, body = read_header_section(lambda _: next(pieces, b""))
    rest = None
    if cut is not None:
        chunks = iter([body[at : at + size] for at in range(cut, len(body), size)])
        body, rest = body[:cut], lambda _: next(chunks, b"")
    changes = []
    draft = Draft(section, body, facts_of(takes_8bit=takes_8bit), changes)
    headers, start, read, _ = repair_body(draft, body, rest)
    endings = LineEndings()
    out = [endings.feed(start)]
    while read is not None and (chunk := read(4096)):
        out.append(endings.feed(chunk))
    out.append(endings.finish())
    return headers.wire_form() + b"\r\n" + b"".join(out), [change.rule for change in changes]


def wire(mail):
    """Return the mail with CRLF line ends."""
    return mail.replace(b"\n", b"\r\n")


MIME = b"MIME-Version: 1.0\n"
PLAIN = MIME + b"Content-Type: text/plain; charset="
MIXED = MIME + b"Content-Type: multipart/mixed; boundary=b\n\n"
GBK = "备份失败：磁盘空间不足，请检查服务器日志\n"

GOOD = [
    b"Subject: x\n\nplain text\n",
    PLAIN + b"us-ascii\n\nplain\n",
    PLAIN + b"utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n",
    PLAIN + b"utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZQo=\n",
    PLAIN + b"gb2312\nContent-Transfer-Encoding: base64\n\nsbi33Q==\n",
    MIXED + b"pre\n--b\n\none\n--b\t\nContent-Type: image/png\n"
    b"Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b--\nepilogue\n",
    MIXED + b"no close\n--b\n\none\n",
    MIXED + b"--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\nx\n--bb--\n--b--\n",
    MIME + b"Content-Type: multipart/mixed\n\n\x1b[1m no boundary\n",
    PLAIN + b"us-ascii\n\n" + b"x" * 998 + b"\n",
    PLAIN + b"iso-2022-jp\n\n\x1b$B%F\x1b(B\n",
]


@pytest.mark.parametrize("mail", GOOD)
@pytest.mark.parametrize("cut", [None, 0, 1, 20])
def test_what_is_in_order_stays(mail, cut, monkeypatch):
    """Nothing is changed or noted, however the body comes."""
    monkeypatch.setattr(walker_module, "LOOK_AHEAD", 16)
    for size in (1, 7):
        assert repaired(mail, cut=cut, size=size) == (wire(mail), [])


ALTERNATIVE = MIME + b"Content-Type: multipart/alternative; boundary=b\n\n--b\n"
PAGE = b"\n--b\nContent-Type: text/html\n\n<p>The backup of the big disk has failed</p>\n--b--\n"

FAULTY = [
    # mail, rule, text or octets of the first leaf
    (b"Subject: x\n\n" + GBK.encode("gbk"), "MIME-CHARSET", GBK),
    (b"Subject: x\n\n" + GBK.encode(), "MIME-CHARSET", GBK),
    (PLAIN + b"us-ascii\n\n" + GBK.encode(), "MIME-CHARSET", GBK),
    (PLAIN + b"utf-8\n\n" + GBK.encode("gbk"), "MIME-CHARSET", GBK),
    (PLAIN + b"no-such-charset\n\n" + GBK.encode(), "MIME-CHARSET", GBK),
    (b"Subject: x\n\n" + "\ufeffdisk".encode("utf-16-le") + b"\n\0", "MIME-CHARSET", "disk\n"),
    (MIME + b"Content-Type: text\n\nplain\n", "MIME-CHARSET", "plain\n"),
    (PLAIN + b"utf-8\n\n" + GBK.encode(), "MIME-CTE", GBK),
    (PLAIN + b"gbk\n\n" + GBK.encode("gbk"), "MIME-CTE", GBK),
    (PLAIN + b"us-ascii\n\n" + b"x " * 600 + b"\n", "MIME-CTE", "x " * 600 + "\n"),
    (PLAIN + b"us-ascii\n\n" + b"x" * 999 + b"\n", "MIME-CTE", "x" * 999 + "\n"),
    (PLAIN + b"utf-8\n\n" + b"a" * 50 + "é\n".encode(), "MIME-CTE", "a" * 50 + "é\n"),
    (
        PLAIN + b"us-ascii\nContent-Transfer-Encoding: binary\n\nx\n",
        "MIME-CTE",
        "x\n",
    ),
    (
        PLAIN + b"utf-8\nContent-Transfer-Encoding: base64\n\n" + b"w6nD" * 250 + b"w6kK\n",
        "MIME-CTE",
        None,
    ),
    (
        PLAIN + b"utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr\xc3\xbcn=C3=A9\n",
        "MIME-CTE",
        "Grüné\n",
    ),
    (
        PLAIN + b"utf-8\nContent-Transfer-Encoding: quoted-printable\n\nh=\xc3\xa93=A =\n=3D\n",
        "MIME-CTE",
        "h=é3=A =\n",
    ),
    (
        MIME + b"Content-Type: image/png\n\n\x89PNG\r\n\0\r\xff\n",
        "MIME-CTE",
        b"\x89PNG\r\n\0\r\xff\n",
    ),
    (
        MIME + b"Content-Type: text/csv\nContent-Disposition: attachment\n\n\xb1\xb8\x1b[m\n",
        "MIME-CTE",
        None,
    ),
    (b"Subject: x\n\n\xff\x00\x01\xfe\x02\x03\x04\n", "MIME-CTE", None),
    (b"Content-Type: text/plain\n\nx\n", "MIME-VERSION", "x\n"),
    (b"Content-Transfer-Encoding: base64\n\nw6kK\n", "MIME-VERSION", "\ufffd\ufffd\n"),
    (b"Content-Type: text/plain; charset=us-ascii\n\nx\n", "MIME-VERSION", "x\n"),
    (PLAIN + b"utf-8\nContent-Transfer-Encoding: base64\n\neAo=\n", "MIME-B64-ASCII", "x\n"),
    (
        PLAIN + b"us-ascii\nContent-Transfer-Encoding: BASE64\n\neA0KeQ==\n",
        "MIME-B64-ASCII",
        "x\ny",
    ),
    (MIXED + b"--b\nContent-Transfer-Encoding: base64\n\neAo=\n--b--\n", "MIME-B64-ASCII", "x\n"),
    (b"Subject: x\n\n\x1b[31mred\x1b[0m\n", "BODY-CTRL", "red\n"),
    (b"Subject: x\n\n\x1b]0;title\x07a\x08b\rc\0\n", "BODY-CTRL", "b\nc\n"),
    (b"Subject: x\n\na\r\r\nb\n", "BODY-CTRL", "a\nb\n"),
    (b"Subject: x\n\na\fb\n", "BODY-CTRL", "a\nb\n"),
    (MIXED + b"--b\n\n\x1b[1mx\n--b--\n", "BODY-CTRL", "x"),
    (b"Subject: x\n\n \n\n", "BODY-EMPTY", None),
    (b"Subject: x\n\n", "BODY-EMPTY", None),
    (b"Subject: x\n\n\x1b!\0\n", "BODY-EMPTY", None),
    (
        MIME + b"Content-Type: text/plain:; x\nContent-Transfer-Encoding: binary\n\n\n",
        "BODY-EMPTY",
        None,
    ),
    (MIME + b"Content-Type: text/html\n\n<p>Hello</p>\n", "MIME-HTML-ONLY", "Hello\n"),
    (
        MIME + b"Content-Type: text/html; charset=utf-8\n\n<p>" + GBK.encode() + b"</p>\n",
        "MIME-HTML-ONLY",
        GBK,
    ),
    (
        MIME + b"Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+SGk8L3A+Cg==\n",
        "MIME-HTML-ONLY",
        "Hi\n",
    ),
    (
        ALTERNATIVE + b"\nno HTML here" + PAGE,
        "MIME-ALT-DIFF",
        "no HTML here\n\nThe backup of the big disk has failed\n",
    ),
    (ALTERNATIVE + b"\n" + PAGE, "MIME-ALT-DIFF", "The backup of the big disk has failed\n"),
    (
        ALTERNATIVE + b"Content-Transfer-Encoding: base64\n\neA==" + PAGE,
        "MIME-ALT-DIFF",
        "x\n\nThe backup of the big disk has failed\n",
    ),
]

# Noted where they belong: an envelope, a signature, a body whose headers have left.
_ELSEWHERE = {"ENV-SENDER", "SIGNED", "MIME-LATE"}


def test_every_rule_about_bodies_is_tried():
    """Each rule of this room has three rows at the least."""
    all_rules = {name for name in RULE_BY_ID if not name.startswith("HDR-")} - _ELSEWHERE
    rows = [row[1] for row in FAULTY]
    assert set(rows) == all_rules
    assert min(map(rows.count, all_rules)) >= 3


SIMILAR = [
    # what looks like a fault and is none
    PLAIN + b"gb2312\nContent-Transfer-Encoding: quoted-printable\n\n=B1=B8\n",
    b"Subject: charset\n\nContent-Type: text/plain; charset=gbk\n",
    PLAIN + b"us-ascii\nContent-Transfer-Encoding: 8bit\n\nx\n",
    MIME + b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\neAo=\n",
    MIME + b"Content-Type: text/csv\nContent-Disposition: attachment\n"
    b"Content-Transfer-Encoding: base64\n\neAo=\n",
    PLAIN + b"utf-8\nContent-Transfer-Encoding: base64\n\neBtbMW0K\n",
    PLAIN + b"utf-8\nContent-Transfer-Encoding: base64\n\n" + b"eHh4" * 19 + b"\nw6kK\n",
    b"Subject: x\n\n[31m ^M \\x1b[0m\ttab\n",
    b"Subject: x\n\nunix\r\nand dos\nmixed\n",
    MIME + b"Content-Type: multipart/mixed; boundary=b\n\n",
    b"Subject: x\n\n.\n",
    MIME + b"Content-Type: text/html\n\n<img src=x>\n",
    MIME + b"Content-Type: text/html\nContent-Disposition: attachment\n\n<p>x</p>\n",
    ALTERNATIVE + b"\nThe backup of the big disk failed" + PAGE,
    ALTERNATIVE + b"\nshort\n--b\nContent-Type: text/html\n\n<p>other</p>\n--b--\n",
    b"Subject: x\nX-Content-Type: text/plain\n\nx\n",
    MIXED + b"--b\nContent-Type: multipart/signed; boundary=s\n\n--s\n\n\x1b[1mx\n--s--\n--b--\n",
    MIXED + b"--b\nContent-Type: application/pkcs7-mime\n\n\x1b[1mx\n--b--\n",
]


@pytest.mark.parametrize("mail", SIMILAR)
@pytest.mark.parametrize("cut", [None, 3])
def test_what_only_looks_wrong_stays(mail, cut):
    """A rule acts on its fault, not on what resembles it."""
    out, rules = repaired(mail, cut=cut)
    assert (out, rules) == (mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), [])


@pytest.mark.parametrize(("mail", "rule", "content"), [row for row in FAULTY if b"--b" in row[0]])
@pytest.mark.parametrize("size", [1, 7])
def test_a_part_in_a_stream_is_put_right_as_a_whole_one(mail, rule, content, size):
    """It does not matter how a body comes, as long as its leaves fit into the look-ahead."""
    whole = repaired(mail)
    for cut in (0, 5):
        assert repaired(mail, cut=cut, size=size) == whole
    assert rule in whole[1]
    assert content


@pytest.mark.parametrize(("mail", "rule", "content"), FAULTY)
@pytest.mark.parametrize("size", [1, 7])
def test_no_chunks_break_a_part_that_is_decided_by_its_start(
    mail, rule, content, size, monkeypatch
):
    """With next to no look-ahead the delimiters still stand, and the part says the same."""
    del rule, content
    monkeypatch.setattr(walker_module, "LOOK_AHEAD", 16)
    part = mail.partition(b"\n\n")[2]
    if b"--b" in mail:
        return
    head = b"\n".join(line for line in mail.partition(b"\n\n")[0].split(b"\n") if line[:2] == b"Co")
    mixed = MIXED + b"--b\n" + head + (b"\n" if head else b"") + b"\n" + part
    mixed += b"\n--b\nContent-Type: text/plain\n\nlast\n--b--\n"
    out, _ = repaired(mixed, cut=0, size=size)
    parts = message_from_bytes(out).get_payload()
    assert [one.get_payload() for one in parts[1:]] == ["last"]
    assert b"\0" not in out


@pytest.mark.parametrize(("mail", "rule", "content"), FAULTY)
def test_what_is_wrong_is_put_right_once(mail, rule, content):
    """The rule is noted, another reader finds the content, and a second run does nothing."""
    once, rules = repaired(mail)
    assert rule in rules
    assert once.isascii()
    assert max(map(len, once.split(b"\r\n"))) <= 998
    part = next(message_from_bytes(once, policy=policy.default).walk())
    while part.is_multipart():
        part = part.get_payload(0)
    if isinstance(content, bytes):
        assert part.get_content() == content
    elif content is not None:
        assert part.get_content().replace("\r\n", "\n").rstrip("\n") == content.rstrip("\n")
    assert repaired(once) == (once, [])


@pytest.mark.parametrize("size", [1, 7])
def test_a_stream_gives_the_same_part_as_a_whole(size, monkeypatch):
    """A part behind the look-ahead is put right as one in front of it."""
    mail = MIXED + b"--b\n\none\n--b\nContent-Type: text/plain\n\n" + GBK.encode() + b"--b--\n"
    monkeypatch.setattr(walker_module, "LOOK_AHEAD", 400)
    whole, rules = repaired(mail)
    assert "MIME-CHARSET" in rules
    assert repaired(mail, cut=3, size=size)[0] == whole


def test_a_late_fault_is_noted_once():
    """Headers that have left cannot be changed: the octets pass, and somebody is told."""
    mail = b"Subject: x\n\n" + b"ascii\n" * 20 + GBK.encode()
    out, rules = repaired(mail, cut=30)
    assert (out, rules) == (wire(mail), ["MIME-LATE"])


def test_right_8bit_text_stays_where_the_server_takes_it():
    """8BITMIME is used for what is labelled for it."""
    mail = PLAIN + b"utf-8\nContent-Transfer-Encoding: 8bit\n\n" + GBK.encode()
    assert repaired(mail, takes_8bit=True) == (wire(mail), [])
    assert repaired(mail)[1] == ["MIME-CTE"]


def test_a_dkim_signature_makes_the_body_untouchable():
    """What would have been changed is left, and noted once."""
    mail = b"DKIM-Signature: v=1; h=from\n\n\x1b[1m" + GBK.encode()
    assert repaired(mail) == (wire(mail), ["SIGNED"])


def test_what_a_signed_mail_keeps_is_told():
    """Even where it is no more than a colour."""
    mail = MIME + b"Content-Type: multipart/signed; boundary=b\n\n--b\n\n\x1b[1mx\n--b--\n"
    assert repaired(mail) == (wire(mail), ["SIGNED"])
    mail = mail.replace(b"\x1b[1m", b"")
    assert repaired(mail) == (wire(mail), [])


def test_control_codes_cannot_make_a_delimiter():
    """Attack: a line that becomes a delimiter when its colours are gone."""
    mail = MIXED + b"--b\n\n\x1b[1m--b\nContent-Type: image/png\n--b--\n"
    out, _ = repaired(mail)
    assert len(message_from_bytes(out).get_payload()) == 1


def test_memory_is_bounded():
    """A text of 16 MiB passes in less than 4 MiB."""
    chunks = iter([b"word " * 300 + b"\n"] * (16 << 20 >> 10))
    draft = Draft(read_header_section(lambda _: b"")[0], b"", facts_of(), [])
    tracemalloc.start()
    try:
        _, _, read, _ = repair_body(draft, GBK.encode() * 4000, lambda _: next(chunks, b""))
        while read(1 << 16):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_an_attached_message_is_encoded_for_a_server_that_takes_no_8bit():
    """Its octets stay; the labels of all that holds it say so."""
    inner = b"Subject: x\nContent-Type: text/plain; charset=utf-8\n"
    inner += b"Content-Transfer-Encoding: 8bit\n\n" + GBK.encode()
    mail = MIME + b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n"
    mail += b"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n" + inner
    mail += b"--b--\n"
    assert repaired(mail, takes_8bit=True) == (wire(mail), [])
    out, rules = repaired(mail)
    assert set(rules) == {"MIME-CTE"}
    assert out.isascii()
    assert b": 8bit" not in out
    attached = message_from_bytes(out, policy=policy.default).get_payload(0).get_payload(0)
    assert attached["Subject"] == "x"
    assert attached.get_content().rstrip("\n") == GBK.rstrip("\n")
    assert repaired(out) == (out, [])


@pytest.mark.parametrize("label", [b"", b"Content-Transfer-Encoding: 7bit\n"])
def test_a_multipart_says_that_8bit_is_in_it(label):
    """An 8-bit part needs 8-bit around it (RFC 2045 6.4)."""
    mail = MIME + b"Content-Type: multipart/mixed; boundary=b\n" + label + b"\n--b\n"
    mail += b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    mail += GBK.encode() + b"--b--\n"
    out, rules = repaired(mail, takes_8bit=True)
    assert rules == ["MIME-CTE"]
    assert message_from_bytes(out)["Content-Transfer-Encoding"] == "8bit"
    assert repaired(out, takes_8bit=True) == (out, [])


def test_file_names_of_parts_are_encoded():
    """A raw name is guessed in every program's own way (RFC 2231)."""
    mail = MIXED + b'--b\nContent-Type: application/pdf; name="\xe6\x97\xa5.pdf"\n'
    mail += b'Content-Disposition: attachment; filename="\xe6\x97\xa5.pdf"\n'
    mail += b"Content-Transfer-Encoding: base64\n\neAo=\n--b--\n"
    out, rules = repaired(mail)
    assert set(rules) == {"HDR-LINE"}
    assert out.isascii()
    assert message_from_bytes(out).get_payload(0).get_filename() == "日.pdf"
    assert repaired(out) == (out, [])


@pytest.mark.parametrize("depth", [19, 20, 60])
def test_attack_nesting(depth):
    """What is nested deeper than anybody means it goes through, and nothing is lost."""
    mail = MIME + b"Content-Type: multipart/mixed; boundary=b0\n\n"
    for level in range(depth):
        mail += b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (level, level + 1)
    mail += b"--b%d\n\nx\n" % depth
    for level in range(depth, -1, -1):
        mail += b"--b%d--\n" % level
    assert repaired(mail) == (wire(mail), [])


def test_the_headers_keep_their_order_and_their_octets():
    """A changed field takes its old place, a new one goes to the end, others are the same."""
    mail = b"X-A:  odd   spaces\nContent-Type: text/plain\nX-B: b\n\n" + GBK.encode()
    out, _ = repaired(mail)
    assert out.split(b"\r\n\r\n")[0].split(b"\r\n") == [
        b"X-A:  odd   spaces",
        b"Content-Type: text/plain; charset=utf-8",
        b"X-B: b",
        b"MIME-Version: 1.0",
        b"Content-Transfer-Encoding: base64",
    ]


def test_pgp_text_is_encoded_and_not_converted():
    """The signature inside covers the characters."""
    text = b"-----BEGIN PGP SIGNED MESSAGE-----\n\n\x1b[1m" + GBK.encode("gbk")
    out, rules = repaired(b"Subject: x\n\n" + text)
    assert set(rules) == {"MIME-CTE"}
    decoded = message_from_bytes(out).get_payload(decode=True)
    assert decoded.replace(b"\r\n", b"\n") == text


def test_attack_base64_that_holds_a_delimiter():
    """Decoded it would cut the mail in two, so it stays encoded."""
    mail = MIXED + b"--b\nContent-Transfer-Encoding: base64\n\neAotLWIKeAo=\n--b--\n"
    assert repaired(mail) == (wire(mail), [])


def test_a_doubled_mime_field_is_changed_into_one():
    """Two labels would contradict each other, in a part as on top."""
    double = b"Content-Type: text/plain\nContent-Type: text/plain; charset=x\n\n"
    out, _ = repaired(MIME + double + GBK.encode())
    assert out.count(b"Content-Type") == 1
    out, _ = repaired(MIXED + b"--b\n" + double + GBK.encode() + b"--b--\n")
    assert out.count(b"Content-Type") == 2


def test_a_stream_that_is_ascii_so_far_is_not_called_ascii():
    """What comes behind the look-ahead may be UTF-8."""
    mail = b"Subject: x\n\n" + b"word " * 300 + b"\n" + GBK.encode()
    out, rules = repaired(mail, cut=1200)
    assert rules == ["MIME-CTE"]
    part = message_from_bytes(out, policy=policy.default)
    assert part.get_content_charset() == "utf-8"
    assert part.get_content().replace("\r\n", "\n").endswith(GBK)
