"""What comes from terminals and computers of other charsets, line ends and clocks."""

from datetime import timedelta
from email.utils import format_datetime

from corpus.shape import NOW, Shape

__all__ = ["TERMINALS"]

_GOOD = (
    "From: no-reply@example.com\nTo: me@test.com\nDate: {date}\n"
    "Message-ID: <20261124.1@example.com>\nSubject: nightly report\n"
)
_LINES = "The backup is done.\nIt took 312 seconds and nothing was wrong.\n"
_GOOD_MAIL = f"{_GOOD}\n{_LINES}"
_UNDATED = _GOOD.replace("Date: {date}\n", "")


def _dated(value):
    return f"{_GOOD.replace('{date}', value)}\n{_LINES}"


def _gbk(text):
    return text.encode("gbk")


TERMINALS = (
    Shape("good", _GOOD_MAIL, "nothing was wrong"),
    Shape("GBK terminal", "Subject: 测试\n\n正文\n".encode("gbk"), "正文"),
    Shape(
        "GBK terminal, longer",
        _gbk(
            "To: me@test.com\nSubject: 磁盘空间不足\n\n"
            "服务器的磁盘使用率已经超过百分之九十五，请尽快处理。\n"
        ),
        "请尽快处理",
    ),
    Shape(
        "name in From in GBK",
        _gbk(
            "From: 监控系统 <no-reply@example.com>\nTo: me@test.com\nSubject: alert\n\n系统报警\n"
        ),
        "系统报警",
    ),
    Shape(
        "Big5 terminal",
        "Subject: 測試報告\n\n伺服器的磁碟空間不足，請盡快處理。\n".encode("big5"),
        "請盡快處理",
    ),
    Shape(
        "Shift-JIS terminal",
        "Subject: テスト\n\nサーバーのディスクがいっぱいです。\n".encode("shift_jis"),
        "いっぱいです",
    ),
    Shape(
        "EUC-KR terminal",
        "Subject: 서버 경고\n\n디스크 공간이 부족합니다. 확인해 주세요.\n".encode("euc_kr"),
        "디스크 공간이",
    ),
    Shape(
        "Latin-1 script",
        "Subject: Grüße vom Server\n\nDie Sicherung wurde für müde Köpfe geprüft.\n".encode(
            "latin-1"
        ),
        "für müde Köpfe",
    ),
    Shape(
        "Windows-1251 script",
        "Subject: Ошибка сервера\n\nНа диске закончилось свободное место.\n".encode("cp1251"),
        "закончилось свободное место",
    ),
    Shape("UTF-8 with a byte order mark", "\ufeffSubject: 测试\n\n正文\n", "正文"),
    Shape(
        "UTF-8 that says us-ascii",
        f"{_GOOD}MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n"
        "Content-Transfer-Encoding: 7bit\n\n磁盘空间不足\n",
        "磁盘空间不足",
    ),
    Shape("Windows line ends", _GOOD_MAIL.replace("\n", "\r\n"), "nothing was wrong"),
    Shape(
        "CR twice at line ends",
        f"{_GOOD}\n{_LINES}".replace("{date}", format_datetime(NOW)).replace("\n", "\r\r\n"),
        "nothing was wrong",
    ),
    Shape("mbox line in front", f"From root  Tue Nov 24 11:02:11 2026\n{_GOOD_MAIL}", "312 s"),
    Shape("no line end at the end", _GOOD_MAIL.rstrip("\n"), "nothing was wrong"),
    Shape("no body", _GOOD, "nightly report"),
    Shape("nothing but a Subject", "Subject: backup of web01 is done", "backup of web01 is done"),
    Shape("only a URL", f"{_GOOD}\nhttps://www.example.com/report/12\n", "example.com/report/12"),
    Shape("NUL in the text", f"{_GOOD}\nsome\0thing is\0 here\n", "something is here"),
    Shape(
        "overstrike of man pages",
        f"{_GOOD}\nN\bNA\bAM\bME\bE\n     backup - copies what there is\n",
        "copies what there is",
    ),
    Shape(
        "From twice, Subject twice",
        "From: no-reply@example.com\nFrom: root@web01\nSubject: first\nSubject: second\n"
        f"To: me@test.com\n\n{_LINES}",
        "first",
    ),
    Shape(
        "two addresses in From",
        f"From: no-reply@example.com, root@example.com\nTo: me@test.com\nSubject: two\n\n{_LINES}",
        "two",
    ),
    Shape(
        "name in From is an address",
        f'From: "root@web01" <no-reply@example.com>\nTo: me@test.com\nSubject: alert\n\n{_LINES}',
        "alert",
    ),
    Shape("Date with CST", _dated(f"{NOW + timedelta(hours=8):%a, %d %b %Y %H:%M:%S} CST"), "312"),
    Shape("Date of date(1)", _dated(f"{NOW:%a %b %d %H:%M:%S} UTC {NOW:%Y}"), "312 seconds"),
    Shape(
        "Date in Chinese", _dated(f"{NOW:%Y}年{NOW:%m}月{NOW:%d}日 星期二 {NOW:%H:%M:%S}"), "312"
    ),
    Shape(
        "clock eight hours ahead",
        _dated(format_datetime(NOW + timedelta(hours=8))),
        "nothing was wrong",
    ),
    Shape("queued for five days", _dated(format_datetime(NOW - timedelta(days=5))), "312 seconds"),
    Shape("no Date", f"{_UNDATED}\n{_LINES}", "nothing was wrong"),
    Shape(
        "Message-ID without brackets",
        f"{_GOOD.replace('<20261124.1@example.com>', '20261124.1@example.com')}\n{_LINES}",
        "312 seconds",
    ),
    Shape(
        "Message-ID of localhost",
        f"{_GOOD.replace('.1@example.com>', '.1@localhost>')}\n{_LINES}",
        "312 seconds",
    ),
    Shape(
        "undisclosed recipients",
        _GOOD_MAIL.replace("To: me@test.com", "To: undisclosed-recipients:;"),
        "nothing was wrong",
    ),
    Shape(
        "blind copy only", _GOOD_MAIL.replace("To: me@test.com", "Bcc: me@test.com"), "312", "-t"
    ),
    Shape("empty Subject", _GOOD_MAIL.replace(" nightly report", ""), "nothing was wrong"),
    Shape("no MIME-Version", f"{_GOOD}Content-Type: text/plain; charset=utf-8\n\n正文\n", "正文"),
    Shape(
        "long header in one line",
        f"{_GOOD}X-Log: {'word ' * 300}\n\n{_LINES}",
        "nothing was wrong",
    ),
)
