"""From a letter to a message that mail programs read as it was meant."""

import os
import re

import pytest

from pillarbox.compose.attachment import Attachment
from pillarbox.compose.letter import Letter
from pillarbox.errors import DataError, MissingInputError, UsageError
from written import PNG, composed, octets_of, text_of

TO = ("to@example.org",)
PICTURE = Attachment(content=PNG, name="图.png")


def types(mail):
    """Return the types of all parts, from the outside in."""
    return [part.get_content_type() for part in mail.walk()]


def test_a_plain_text_is_one_part():
    """Nothing is a multipart that does not have to be."""
    mail = composed(Letter(to=TO, subject="disk full", text="hello\n"))
    assert (mail["To"], mail["Subject"], mail["MIME-Version"]) == (TO[0], "disk full", "1.0")
    assert (mail.get_content_type(), mail.get_content()) == ("text/plain", "hello\n")
    assert re.fullmatch(r"<[0-9a-f.]+@example\.org>", mail["Message-ID"])
    assert mail["Date"].datetime.timestamp() == 1.7e9
    assert "From" not in mail
    assert "Auto-Submitted" not in mail


@pytest.mark.parametrize("text", ["正文\n" * 50, "naïve\n", "x" * 2000 + "\n", "a\r\nb\rc\n", ""])
def test_a_text_leaves_as_7_bit_lines_and_arrives_as_it_was(text):
    """Whatever a text holds, it survives, and no line is too long for a server."""
    octets = octets_of(Letter(to=TO, text=text))
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    assert b"\n" not in octets.replace(b"\r\n", b"")
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert text_of(composed(Letter(to=TO, text=text))).rstrip("\n") == expected.rstrip("\n")


def test_names_and_subject_may_be_in_any_language():
    """They are encoded as RFC 2047 has it."""
    letter = Letter(
        to=("王小明 <w@example.org>", '"a, b" <c@example.org>, d@example.org'),
        cc=("Zoë <z@example.org>",),
        reply_to=("r@example.org",),
        from_="Jürgen Müller-Lüdenscheidt aus der Abteilung für Übergrößen <j@example.org>",
        subject="测试" * 60,
    )
    mail = composed(letter)
    assert [a.display_name for a in mail["To"].addresses] == ["王小明", "a, b", ""]
    assert [a.addr_spec for a in mail["To"].addresses] == [
        "w@example.org",
        "c@example.org",
        "d@example.org",
    ]
    assert mail["Cc"].addresses[0].display_name == "Zoë"
    assert mail["From"].addresses[0].display_name.startswith("Jürgen Müller-Lüdenscheidt aus")
    assert (mail["Subject"], mail["Reply-To"]) == ("测试" * 60, "r@example.org")
    lines = octets_of(letter).partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, lines)) <= 78


def test_blind_recipients_are_nowhere_in_the_message():
    """Who gets it unseen is in the envelope only."""
    octets = octets_of(Letter(bcc=("secret@example.org",), text="x"))
    assert b"secret" not in octets
    assert b"\r\nTo: undisclosed-recipients:;\r\n" in b"\r\n" + octets


def test_everything_at_once_has_the_usual_structure():
    """Attachments outside, then text or HTML, then the pictures of the HTML."""
    letter = Letter(
        to=TO,
        text="plain",
        html='<img src="cid:图.png"><img src="cid:a.png">',
        inline=(PICTURE, Attachment(content=PNG, name="a.png")),
        attachments=(Attachment(content=b"1,2\n", name="t.csv"),),
    )
    mail = composed(letter)
    assert types(mail) == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "image/png",
        "text/csv",
    ]
    html = mail.get_body(("html",)).get_content()
    ids = {f"cid:{part['Content-ID'][1:-1]}" for part in mail.walk() if part["Content-ID"]}
    assert set(re.findall(r"cid:[^\"]+", html)) == ids
    assert len(ids) == 2


def test_a_picture_whose_name_begins_anothers_is_told_apart():
    """The longer name is found first."""
    letter = Letter(
        to=TO,
        html="<img src=cid:a><img src=cid:ab>",
        inline=(Attachment(content=PNG, name="a"), Attachment(content=b"b", name="ab")),
    )
    mail = composed(letter)
    shown = re.findall(r"cid:([^>]+)", mail.get_body(("html",)).get_content())
    names = {
        part["Content-ID"][1:-1]: part.get_filename() for part in mail.walk() if part["Content-ID"]
    }
    assert [names[content_id] for content_id in shown] == ["a", "ab"]


def test_a_picture_needs_html():
    """Nobody would ever see it in a plain text."""
    with pytest.raises(UsageError, match="HTML or Markdown"):
        octets_of(Letter(to=TO, text="x", inline=(PICTURE,)))


@pytest.mark.parametrize(
    "name",
    ["report.pdf", "报告.pdf", 'a"b\\c.txt', "x" * 200 + ".txt", "长" * 80 + ".txt", "a;b=c.txt"],
)
def test_a_file_keeps_its_name(name):
    """Quoted where that is safe, else as RFC 2231 has it, in lines that are not too long."""
    letter = Letter(to=TO, attachments=(Attachment(content=b"x", name=name),))
    (file,) = composed(letter).iter_attachments()
    assert file.get_filename() == name.replace("\\", "/").rpartition("/")[2]
    assert max(map(len, octets_of(letter).split(b"\r\n"))) <= 78


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 57 * 1024, 57 * 1024 + 1, 200_000])
def test_a_file_arrives_as_it_was(tmp_path, size):
    """Wherever the blocks and lines of its base64 end."""
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "f.bin").write_bytes(content[:size])
    letter = Letter(to=TO, attachments=(Attachment(str(tmp_path / "f.bin")),))
    (file,) = composed(letter).iter_attachments()
    assert file.get_content() == content[:size]


def test_a_missing_file_is_told_before_anything_is_sent(tmp_path):
    """Those in front of it are closed again."""
    (tmp_path / "there").write_bytes(b"x")
    files = (Attachment(str(tmp_path / "there")), Attachment(str(tmp_path / "missing")))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MissingInputError, match="missing: No such file"):
        octets_of(Letter(to=TO, attachments=files))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(("name", "value"), [("high", "1 (Highest)"), ("low", "5 (Lowest)")])
def test_priority_is_said_in_the_words_of_mail_programs(name, value):
    """Outlook's word, and that of the standard."""
    mail = composed(Letter(to=TO, priority=name))
    assert (mail["X-Priority"], mail["Importance"]) == (value, name)


def test_an_unknown_priority_is_refused():
    """It would be silently nothing."""
    with pytest.raises(UsageError, match="high, normal, low"):
        octets_of(Letter(to=TO, priority="urgent"))


def test_a_program_says_that_it_is_one():
    """No vacation notice answers then (RFC 3834)."""
    assert composed(Letter(to=TO, is_automatic=True))["Auto-Submitted"] == "auto-generated"


INJECTION = "x\r\nBcc: evil@example.com\r\n\r\nevil\0\x0b\x1b[2J"


@pytest.mark.parametrize(
    "letter",
    [
        Letter(to=TO, subject=INJECTION),
        Letter(to=TO, subject=INJECTION + "ü"),
        Letter(to=TO, attachments=(Attachment(content=b"", name=INJECTION),)),
        Letter(to=TO, attachments=(Attachment(content=b"", name="ü" + INJECTION),)),
        Letter(to=TO, html="x", inline=(Attachment(content=b"", name=INJECTION),)),
    ],
)
def test_header_injection_through_subject_or_file_name(letter):
    """No line end or control character comes into a header."""
    octets = octets_of(letter)
    mail = composed(letter)
    assert mail["Bcc"] is None
    for part in mail.walk():
        assert part["Bcc"] is None
    assert not re.search(rb"[\0\x0b\x1b]", octets)
    assert not re.search(rb"(?m)^(Bcc|evil)", octets)


@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to"])
@pytest.mark.parametrize("text", ["a@b.example\r\nBcc: evil@example.com", '"x\r\ny" <a@b.example>'])
def test_header_injection_through_an_address(field, text):
    """An address with a control character is none."""
    from pillarbox.compose.address_fields import parse_correspondents

    with pytest.raises(DataError, match="control character"):
        parse_correspondents([text])
    if field != "bcc":
        with pytest.raises(DataError, match="control character"):
            octets_of(Letter(**({"to": TO} | {field: (text,)})))


def test_header_injection_through_the_sender():
    """From is one address and nothing else."""
    with pytest.raises(DataError, match="control character"):
        octets_of(Letter(to=TO, from_="a@b.example\nBcc: c@d.example"))
    with pytest.raises(UsageError, match="one address, not 2"):
        octets_of(Letter(to=TO, from_="a@b.example, c@d.example"))


def test_a_text_cannot_end_its_part():
    """The boundary is chance, and not what a body could guess."""
    first, second = (octets_of(Letter(to=TO, html="<p>x</p>")) for _ in range(2))
    boundary = re.compile(rb'boundary="([^"]+)"')
    assert boundary.findall(first) != boundary.findall(second)
    assert len(boundary.findall(first)[0]) > 20


@pytest.mark.parametrize(
    "letter",
    [
        Letter(to=TO, from_="me@example.org", subject="s", text="plain\n"),
        Letter(
            to=("王 <w@example.org>",), from_="Ü <me@example.org>", subject="测试", text="正文\n"
        ),
        Letter(
            to=TO,
            from_="me@example.org",
            subject="all",
            markdown="# 标题\n\n![](cid:图.png)\n",
            inline=(PICTURE,),
            attachments=(Attachment(content="é".encode(), name="é.txt"),),
        ),
    ],
)
def test_what_is_written_here_needs_no_repair(letter):
    """A new mail goes through repair byte for byte."""
    from pillarbox.mail.address import parse_mailbox
    from pillarbox.mail.message import read_message
    from pillarbox.mail.originate import HeaderWishes
    from pillarbox.mail.repair import RepairFacts, repair

    octets = octets_of(letter)
    pieces = iter([octets, b""])
    facts = RepairFacts(
        sender=parse_mailbox("me@example.org"),
        recipients=(parse_mailbox("to@example.org"),),
        wishes=HeaderWishes(),
        epoch_s=1.7e9,
        message_id="<x@example.org>",
        host="host",
        takes_8bit=False,
        demands_sender=lambda: False,
    )
    changes = []
    content = repair(read_message(lambda _: next(pieces, b"")), facts, changes).content()
    assert (b"".join(chunk for chunk, _ in content.chunks()), changes) == (octets, [])
