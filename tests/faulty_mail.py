"""
Messages as programs hand them over: every field and body good or faulty, in any combination.

Each row of a table says whether it is in order (``GOOD``), so that a message of good rows only is
one that nothing may change. A body knows what it means, in characters and octets, before anybody
has encoded, decoded or repaired it.
"""

from __future__ import annotations

import quopri
from base64 import encodebytes
from typing import NamedTuple

from hypothesis import strategies as st

__all__ = ["GOOD", "NOW_S", "Body", "Faulty", "faulty_mails", "good_mails"]

NOW_S = 1_795_518_000  # Tue, 24 Nov 2026 11:00:00 +0000

GOOD, BAD = True, False

CHINESE = "备份失败：磁盘空间不足，请检查服务器日志"
CHINESE_TW = "備份失敗：磁碟空間不足，請檢查伺服器記錄"
JAPANESE = "バックアップは失敗しました。ログを確認してください"
GERMAN = "Grüße aus Köln, die Sicherung ist für heute fertig"
GERMAN_NAME = "Jürgen Müßig"
RUSSIAN = "Резервное копирование завершено, ошибок нет"

# field -> rows of (whether it is in order, octets with LF line ends)
FIELDS = {
    "from": (
        (GOOD, b"From: Tim <tim@example.org>\n"),
        (GOOD, b"From: tim@example.org\n"),
        (GOOD, b'From: "Backup, nightly" <tim@example.org>\n'),
        (GOOD, b"From: =?utf-8?B?5aSH5Lu9?= <tim@example.org>\n"),
        (BAD, b""),
        (BAD, b"From: root\n"),
        (BAD, b"From: root@web01 (Cron Daemon)\n"),
        (BAD, b"From: Cron Daemon <root@localhost>\n"),
        (BAD, b"From: =?utf-8?Q?tim=40example=2Eorg?=\n"),
        (BAD, f"From: {CHINESE} <tim@example.org>\n".encode()),
        (BAD, f"From: {CHINESE} <tim@example.org>\n".encode("gbk")),
        (BAD, b'From: "tim@example.org" <tim@example.org>\n'),
        (BAD, b'From: "ceo@bank.example" <tim@example.org>\n'),
        (BAD, b"From: tim@example.org, bob@example.net\n"),
        (BAD, b"From: tim@example.org\nFrom: bob@example.net\n"),
        (BAD, b"From: <<nobody>>\n"),
        (BAD, b"From:\n"),
        (BAD, b"From: =?utf-8?Q?a=0D=0ABcc:_eve=40evil.example?= <root>\n"),
        (BAD, b'From: "=?utf-8?Q?x=0AX-Injected:_1?=" <root@localhost>\n'),
    ),
    "to": (
        (GOOD, b"To: ann@example.com\n"),
        (GOOD, b"To: Ann <ann@example.com>\nCc: carl@example.net\n"),
        (GOOD, b"Cc: ann@example.com\n"),
        (BAD, b""),
        (BAD, b"To: root\n"),
        (BAD, b"To: undisclosed-recipients:;\n"),
        (BAD, f"To: {GERMAN_NAME} <ann@example.com>\n".encode("latin-1")),
        (BAD, b"To: ann@example.com\nTo: bob@example.net\n"),
        (BAD, b"To: root\nCc: admin@web01\n"),
    ),
    "subject": (
        (GOOD, b"Subject: disk report\n"),
        (GOOD, b"Subject: =?utf-8?B?5aSH5Lu95aSx6LSl?= (web01)\n"),
        (GOOD, b"Subject: is 1 =? 2 or [a]\n"),
        (BAD, b""),
        (BAD, b"Subject:\n"),
        (BAD, b"Subject:  \n"),
        (BAD, f"Subject: {CHINESE}\n".encode()),
        (BAD, f"Subject: {CHINESE}\n".encode("gbk")),
        (BAD, f"Subject: {GERMAN}\n".encode("latin-1")),
        (BAD, f"Subject: {CHINESE * 20} end\n".encode()),
        (BAD, b"Subject: a\nSubject: b\n"),
        (BAD, b"Subject: =?us-ascii?Q?plain_words?=\n"),
        (BAD, b"Subject: " + b"word " * 300 + b"\n"),
    ),
    "date": (
        (GOOD, b"Date: Tue, 24 Nov 2026 10:59:00 +0000\n"),
        (GOOD, b"Date: 24 Nov 2026 18:59 +0800 (CST)\n"),
        (BAD, b""),
        (BAD, b"Date: Tue, 24 Nov 2026 18:59:00 CST\n"),
        (BAD, b"Date: Tue Nov 24 10:59:00 UTC 2026\n"),
        (BAD, b"Date: 2026-11-24 10:59:00\n"),
        (BAD, "Date: 2026年 11月 24日 星期二 18:59:00 CST\n".encode()),
        (BAD, b"Date: Tue, 24 Nov 2026 18:59:00 +0000\n"),
        (BAD, b"Date: Thu, 01 Jan 1970 00:00:00 +0000\n"),
        (BAD, b"Date: yesterday\n"),
        (BAD, b"Date: Tue, 24 Nov 2026 10:59:00 +0000\nDate: x\n"),
    ),
    "message-id": (
        (GOOD, b"Message-ID: <20261124.1@example.org>\n"),
        (GOOD, b"message-id: <x@mail.example.net>\n"),
        (BAD, b""),
        (BAD, b"Message-ID: 20261124.1@example.org\n"),
        (BAD, b"Message-ID: <20261124.1>\n"),
        (BAD, b"Message-ID: <1@web01>\n"),
        (BAD, b"Message-ID: <1@localhost.localdomain>\n"),
        (BAD, b"Message-ID: <a b@example.org>\n"),
        (BAD, b"Message-ID: <a@example.org> <b@example.org>\n"),
    ),
    "more": (
        (GOOD, b""),
        (GOOD, b"Reply-To: ops@example.org\n"),
        (GOOD, b"X-Mailer: script 1.0\nX-Priority: 3\n"),
        (GOOD, b"References: <a@example.org>\n\t<b@example.org>\nIn-Reply-To: <b@example.org>\n"),
        (GOOD, b"Feedback-ID: 1:2:3\nList-Unsubscribe: <mailto:x@example.org>\n"),
        (BAD, f"X-Note: {CHINESE}\n".encode()),
        (BAD, f"X-Note: {GERMAN}\n".encode("latin-1")),
        (BAD, b"X-Note: " + b"word " * 300 + b"\n"),
        (BAD, b"Bcc: eve@example.net\n"),
        (BAD, b"Reply-To: ops@example.org\nReply-To: dev@example.org\n"),
        (BAD, f"Reply-To: {CHINESE} <ops@example.org>\n".encode()),
    ),
}  # fmt: skip


class Body(NamedTuple):
    """
    A body with its MIME fields.

    Attributes:
        fields: The MIME fields, LF line ends.
        octets: As it is handed over, LF line ends.
        texts: What each text part means, line ends as LF, without control characters.
        files: The octets of each attachment.
        is_good: Whether nothing is wrong with it.
        is_sealed: Whether it is signed: then nothing of it may change.
        needs_8bit: Whether it is in order only where the server takes 8 bits.

    """

    fields: bytes
    octets: bytes
    texts: tuple[str, ...] = ()
    files: tuple[bytes, ...] = ()
    is_good: bool = GOOD
    is_sealed: bool = False
    needs_8bit: bool = False


class Faulty(NamedTuple):
    """
    A message as it is handed over.

    Attributes:
        octets: All of it.
        body: What is in it.
        is_good: Whether all of it is in order but for its line ends.
        names_to: Whether it says in To or Cc, in full, who gets it.

    """

    octets: bytes
    body: Body
    is_good: bool
    names_to: bool


_PLAIN = b"MIME-Version: 1.0\nContent-Type: text/plain"
_HTML = "<html><body><p>Backup done. 备份完成</p><p>Second paragraph</p></body></html>\n"
_BINARY = bytes(range(256)) * 3 + b"\r\n\n\r\0tail"


def _cte(name: str) -> bytes:
    return b"Content-Transfer-Encoding: " + name.encode() + b"\n"


def _raw(text: str, charset: str) -> Body:
    """Return a text without MIME fields, as a script pipes it."""
    return Body(b"", text.encode(charset), (text,), is_good=text.isascii())


def _typed(text: str, charset: str, coding: str, **more: bool) -> Body:
    octets = text.encode(charset)
    if coding == "base64":
        octets = encodebytes(octets.replace(b"\n", b"\r\n"))
    elif coding == "quoted-printable":
        octets = quopri.encodestring(octets)
    fields = _PLAIN + f"; charset={charset}\n".encode() + _cte(coding)
    return Body(fields, octets, (text,), **more)


_LONG = "one very long line " * 80

BODIES = (
    _raw("Backup done.\nAll is well.\n", "ascii"),
    _raw("From here\n.\n..dots\n\n  indented\n", "ascii"),
    _raw(CHINESE + "\n" + CHINESE + "\n", "utf-8"),
    _raw(CHINESE + "\n", "gbk"),
    _raw(CHINESE_TW + "\n", "big5"),
    _raw(JAPANESE + "\n", "shift_jis"),
    _raw(GERMAN + "\n", "latin-1"),
    _raw(RUSSIAN + "\n", "windows-1251"),
    _raw(_LONG + "\n", "ascii")._replace(is_good=BAD),
    Body(b"", b"\x1b[1;31mFAILED\x1b[0m disk\n", ("FAILED disk\n",), is_good=BAD),
    Body(b"", b"\x1b]0;title\x07ok\nb\x08bold\n", ("ok\nbold\n",), is_good=BAD),
    Body(b"", b"10%\r20%\rdone\n", ("10%\n20%\ndone\n",), is_good=BAD),
    Body(b"", b"a\r\r\nb\r\r\n", ("a\nb\n",), is_good=BAD),
    Body(b"", b"with\0nul\n", ("withnul\n",), is_good=BAD),
    Body(b"", b"", (), is_good=BAD),
    Body(b"", b" \n\n", (), is_good=BAD),
    _typed(CHINESE + "\n", "utf-8", "8bit", needs_8bit=True),
    _typed(CHINESE + "\n", "utf-8", "7bit", is_good=BAD),
    _typed(CHINESE + "\n", "utf-8", "base64"),
    _typed(CHINESE + "\n", "gb2312", "base64"),
    _typed(CHINESE + "\n", "gb2312", "8bit", needs_8bit=True),
    _typed(GERMAN + " =\n trailing \n", "iso-8859-1", "quoted-printable"),
    _typed(_LONG + CHINESE + "\n", "utf-8", "8bit", is_good=BAD),
    _typed("plain words only\n", "us-ascii", "base64", is_good=BAD),
    _typed("plain words only\n", "us-ascii", "7bit"),
    Body(_PLAIN + b"\n", f"{CHINESE}\n".encode(), (CHINESE + "\n",), is_good=BAD),
    Body(
        _PLAIN + b"; charset=utf-8\n" + _cte("8bit"),
        f"{CHINESE}\n".encode("gbk"),
        (CHINESE + "\n",),
        is_good=BAD,
    ),
    Body(b"Content-Type: text/plain\n", b"no version\n", ("no version\n",), is_good=BAD),
    Body(
        b"MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n" + _cte("8bit"),
        _HTML.encode(),
        (_HTML,),
        is_good=BAD,
    ),
    Body(
        _PLAIN + b"; charset=utf-8\n" + _cte("base64"),
        encodebytes(CHINESE.encode() * 14).replace(b"\n", b"") + b"\n",
        (CHINESE * 14,),
        is_good=BAD,
    ),
    Body(
        b"MIME-Version: 1.0\nContent-Type: application/octet-stream\n" + _cte("base64"),
        encodebytes(_BINARY),
        (),
        (_BINARY,),
    ),
    Body(
        b"MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=s; micalg=pgp-sha256;\n"
        b' protocol="application/pgp-signature"\n',
        b"--s\nContent-Type: text/plain; charset=us-ascii\n\nsigned text\n"
        b"--s\nContent-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n--s--\n",
        (),
        is_sealed=True,
    ),
)  # fmt: skip


@st.composite
def _part(draw: st.DrawFn) -> tuple[Body, bytes]:
    """Return a part: its body, and its octets with its header."""
    if draw(st.booleans()):
        rows = [row for row in BODIES if row.octets.strip() and not row.is_sealed]
        body = draw(st.sampled_from(rows))
        fields = body.fields.replace(b"MIME-Version: 1.0\n", b"")
        if b"text/html" in fields or fields == b"Content-Type: text/plain\n":
            body = body._replace(is_good=not body.needs_8bit and body.octets.isascii())
        return body, fields + b"\n" + body.octets
    coding = draw(st.sampled_from(["base64", "8bit", ""]))
    data = draw(st.sampled_from([_BINARY, b"a,b\n1,2\n", b"PK\x03\x04" + bytes(range(128, 256))]))
    fields = (
        b"Content-Type: application/octet-stream; name=a.bin\n"
        b"Content-Disposition: attachment; filename=a.bin\n"
    )
    if coding == "base64":
        return Body(b"", b"", (), (data,)), fields + _cte(coding) + b"\n" + encodebytes(data)
    # A part that is text by its octets may gain CRs on the way; the others must be exact.
    fields += _cte(coding) if coding else b""
    is_good = data.isascii() and b"\0" not in data
    octets = data if data != _BINARY else _BINARY
    return Body(b"", b"", (), (octets,), is_good=is_good), fields + b"\n" + octets


@st.composite
def _multiparts(draw: st.DrawFn) -> Body:
    parts = draw(st.lists(_part(), min_size=1, max_size=3))
    boundary = draw(st.sampled_from([b"=_b", b"----=_Part_1.2", b"x"]))
    mark = b"--" + boundary
    octets = b"".join(mark + b"\n" + text.removesuffix(b"\n") + b"\n" for _, text in parts)
    needs_8bit = any(body.needs_8bit for body, _ in parts)
    is_labelled = draw(st.booleans()) or needs_8bit
    coding = _cte("8bit" if needs_8bit else "7bit") if is_labelled else b""
    return Body(
        b'MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary="'
        + boundary
        + b'"\n'
        + coding,
        octets + mark + b"--\n",
        tuple(text for body, _ in parts for text in body.texts),
        tuple(data for body, _ in parts for data in body.files),
        is_good=all(body.is_good for body, _ in parts),
        needs_8bit=needs_8bit,
    )


def _bodies() -> st.SearchStrategy[Body]:
    return st.one_of(st.sampled_from(BODIES), _multiparts())


@st.composite
def _mails(draw: st.DrawFn, *, is_good: bool) -> Faulty:
    rows = [
        draw(st.sampled_from([row for row in FIELDS[name] if row[0] or not is_good]))
        for name in FIELDS
    ]
    names_to = rows[1][0] or b"@example" in rows[1][1]
    body = draw(_bodies().filter(lambda body: body.is_good or not is_good))
    fields = [octets for _, octets in rows]
    fields = draw(st.permutations([*fields, body.fields]))
    front = (
        b"" if is_good else draw(st.sampled_from([b""] * 6 + [b"From tim Mon Nov 23\n", b"-e "]))
    )
    octets = front + b"".join(fields) + b"\n" + body.octets
    line_end = draw(st.sampled_from([b"\n", b"\r\n"]))
    if line_end != b"\n" and b"\r" not in octets:
        octets = octets.replace(b"\n", line_end)
    is_all_good = body.is_good and all(row[0] for row in rows)
    return Faulty(octets, body, is_all_good, names_to)


def faulty_mails() -> st.SearchStrategy[Faulty]:
    """Return messages with any combination of good and faulty rows."""
    return _mails(is_good=False)


def good_mails() -> st.SearchStrategy[Faulty]:
    """Return messages of good rows only."""
    return _mails(is_good=True)
