"""The checks of body and attachments: what has the fault, and what only looks like it."""

import io
import zipfile

import pytest

HTML = b"MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"
TEXT = b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"


def both(text, html):
    """Return a mail of plain text and HTML."""
    return (
        b"MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\n" + text + b"\n"
        b"--b\nContent-Type: text/html\n\n" + html + b"\n--b--\n"
    )


FAULTS = [
    ("MIME-IMAGE-ONLY", HTML + b"<img src=cid:1>"),
    ("MIME-IMAGE-ONLY", HTML + b"<html><head><title>A long title of words</title></head>"
     b"<body><p>Hi</p><img src='x'></body></html>"),
    ("MIME-IMAGE-ONLY", HTML + b"<style>p { color: red; margin: 1px }</style><IMG SRC=x>"),
    ("MIME-IMAGE-ONLY", both(b"\n", b"<img src=x>")),
    ("BODY-URL-ONLY", TEXT + b"https://example.com/report?id=1\n"),
    ("BODY-URL-ONLY", b"Subject: x\n\nsee: http://example.com/\n"),
    ("BODY-URL-ONLY", HTML + b"<a href='https://e.com'>https://e.com/</a>"),
    ("BODY-SHORTENER", TEXT + b"The report is at https://bit.ly/3xyz today\n"),
    ("BODY-SHORTENER", HTML + b"<p>The report</p><a href='HTTP://T.CN/abc'>here</a>"),
    ("BODY-SHORTENER", TEXT + b"a http://www.tinyurl.com:80/x b\n"),
    ("BODY-IPURL", TEXT + b"see http://192.0.2.1/status for more\n"),
    ("BODY-IPURL", TEXT + b"see https://user@192.0.2.1:8080 for more\n"),
    ("BODY-IPURL", TEXT + b"see http://[2001:db8::1]/ for more\n"),
    ("BODY-IPURL", HTML + b"<a href=http://10.0.0.1/x>the page</a>"),
    ("BODY-LINKTEXT", HTML + b"<a href='http://evil.example/'>https://bank.example/</a>"),
    ("BODY-LINKTEXT", HTML + b"<a href='http://evil.example/'> www.bank.com </a>"),
    ("BODY-LINKTEXT", HTML + b"<a href='http://192.0.2.1/'><b>https://bank.com</b>/login</a>"),
]  # fmt: skip
GOODS = [
    ("MIME-IMAGE-ONLY", HTML + b"<p>The disk of web01 is full.</p><img src=x>"),
    ("MIME-IMAGE-ONLY", HTML + b"<p>hi</p>"),
    ("MIME-IMAGE-ONLY", HTML + "<p>磁盘空间不足</p><img src=x>".encode()),
    ("MIME-IMAGE-ONLY", both(b"The disk of web01 is full.", b"<img src=x>")),
    ("MIME-IMAGE-ONLY", TEXT + b"<img src=x>"),
    ("BODY-URL-ONLY", TEXT + b"The report of today: https://example.com/\n"),
    ("BODY-URL-ONLY", TEXT + "请查看今天报告 https://example.com/\n".encode()),
    ("BODY-URL-ONLY", TEXT + b"no link\n"),
    ("BODY-URL-ONLY", TEXT + b"\n"),
    ("BODY-SHORTENER", TEXT + b"https://rabbit.ly/x is not short\n"),
    ("BODY-SHORTENER", TEXT + b"https://example.com/?u=bit.ly is long\n"),
    ("BODY-SHORTENER", TEXT + b"bit.ly is a company\n"),
    ("BODY-IPURL", TEXT + b"the address 192.0.2.1 answers\n"),
    ("BODY-IPURL", TEXT + b"see http://192.0.2.1.example.com/\n"),
    ("BODY-IPURL", TEXT + b"see http://example.com/192.0.2.1\n"),
    ("BODY-LINKTEXT", HTML + b"<a href='https://www.example.com/a'>example.com</a>"),
    ("BODY-LINKTEXT", HTML + b"<a href='https://example.com/a'>the page of today</a>"),
    ("BODY-LINKTEXT", HTML + b"<a href='mailto:a@example.com'>example.org</a>"),
    ("BODY-LINKTEXT", TEXT + b"<a href='http://evil.example/'>https://bank.example/</a>"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "mail"), FAULTS)
def test_body_has_the_fault(find, rule, mail):
    """Each of these is found once."""
    assert len(find(rule, mail)) == 1


@pytest.mark.parametrize(("rule", "mail"), GOODS)
def test_body_looks_like_the_fault(find, rule, mail):
    """Each of these is in order, as far as this rule goes."""
    assert find(rule, mail) == []


def test_part_is_named(find):
    """A part of several is found by its number."""
    mail = both(
        b"Have a look at the report please", b"<a href='http://a.example'>b.example.com</a>"
    )
    assert find("BODY-LINKTEXT", mail) == [("part 2", "b.example.com -> http://a.example")]


def test_many_links_are_told_a_few_times(find):
    """A hundred links of one kind are one thing to say (attack: flooding the reader)."""
    links = b" ".join(b"http://10.0.0.%d/" % number for number in range(100))
    assert len(find("BODY-IPURL", TEXT + links)) == 5


@pytest.mark.parametrize(("size", "limit", "count"), [
    (101, 100, 1), (30 << 20, 25 << 20, 1), (2, 1, 1), (100, 100, 0), (0, 1, 0),
])  # fmt: skip
def test_large_mail_is_found(find, size, limit, count):
    """What goes over the wire is compared with what the server takes."""
    found = find("BODY-SIZE", TEXT, size_bytes=size, max_size_bytes=limit)
    assert found == [("", f"{size} of {limit} bytes")] * count


def packed(*names, is_encrypted=False):
    """Return an archive with files of these names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    octets = stream.getvalue()
    if is_encrypted:
        place = octets.index(b"PK\x01\x02") + 8
        octets = octets[:place] + b"\x01" + octets[place + 1 :]
    return octets


def attached(name, octets=b"x"):
    """Return a mail with an attachment."""
    import base64

    return (
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\n\nHere it is.\n--b\nContent-Type: application/octet-stream\n"
        b"Content-Transfer-Encoding: base64\n"
        b"Content-Disposition: attachment; filename=" + name + b"\n\n"
        + base64.encodebytes(octets) + b"--b--\n"
    )  # fmt: skip


@pytest.mark.parametrize(("name", "octets"), [
    (b'"setup.exe"', b"MZ"),
    (b'"report.pdf.EXE"', b"MZ"),
    (b'"=?utf-8?b?5oql5ZGKLmpz?="', b"x"),
    (b'"run.bat. "', b"x"),
    (b'"virus.exe.gz"', b"x"),
    (b'"files.zip"', packed("a.txt", "b/setup.scr")),
    (b'"files.docx"', packed("invoice.pdf.vbs")),
    (b'"files.zip"', packed("a.txt", is_encrypted=True)),
])  # fmt: skip
def test_program_is_found(find, name, octets):
    """By its last ending, inside an archive too; and what cannot be looked into."""
    assert [place for place, _ in find("ATT-TYPE", attached(name, octets))] == ["part 2"]


@pytest.mark.parametrize(("name", "octets"), [
    (b'"exe"', b"MZ"),
    (b'"setup.exe.txt"', b"x"),
    (b'"report.pdf"', b"x"),
    (b'"log.gz"', b"x"),
    (b'"files.zip"', packed("a.txt", "exe", "readme.exe.txt")),
    (b'"files.zip"', b"PK\x03\x04 this is no archive"),
])  # fmt: skip
def test_harmless_attachment_is_none(find, name, octets):
    """An ending that only looks like one, and an archive of texts."""
    assert find("ATT-TYPE", attached(name, octets)) == []
