"""Charsets: a few octets are enough to tell, and what is no text is not taken for one."""

from __future__ import annotations

import pytest

from pillarbox.mail.charset import find_charset, to_text

# The standard codec that writes what programs call by these names.
CODECS = {"big5": "cp950", "shift_jis": "cp932", "euc-kr": "cp949", "euc-jp": "euc_jp"}

SUBJECTS = {
    "gb18030": [
        "测试",
        "磁盘空间不足",
        "服务器告警",
        "你好",
        "报警",
        "备份失败",
        "系统错误",
        "登录提醒",
        "验证码",
        "温度过高",
        "证书即将过期",
        "任务完成",
        "数据库连接超时",
        "警告：内存不足",
        "重启成功",
        "日报",
        "订单",
        "张三",
        "李伟",
        "磁盘",
    ],
    "big5": [
        "測試",
        "磁碟空間不足",
        "伺服器告警",
        "你好",
        "備份失敗",
        "系統錯誤",
        "登入提醒",
        "驗證碼",
        "憑證即將過期",
        "資料庫連線逾時",
        "警告：記憶體不足",
        "陳先生",
        "訂單",
    ],
    "shift_jis": [
        "テスト",
        "ディスク容量不足",
        "サーバー障害",
        "こんにちは",
        "バックアップ失敗",
        "エラー",
        "お知らせ",
        "障害通知",
        "ログイン通知",
        "証明書の期限切れ",
        "警告：メモリ不足",
    ],
    "euc-jp": [
        "テスト",
        "サーバー障害",
        "こんにちは",
        "バックアップ失敗",
        "お知らせ",
        "証明書の期限切れ",
    ],
    "euc-kr": [
        "테스트",
        "서버 오류",
        "디스크 공간 부족",
        "안녕하세요",
        "백업 실패",
        "경고",
        "로그인 알림",
        "인증서 만료",
    ],
    "windows-1252": [
        "Grüße",
        "Größe",
        "Müller",
        "Prüfung fehlgeschlagen",
        "Café",
        "Événement",
        "Échec de la sauvegarde",
        "Señor",
        "Año",
        "Überlauf",
        "Straße",
        "naïve",
        "Málaga",
        "Fehler: Platte voll – prüfen",
        "Übersicht",
        "Können",
    ],
    "windows-1251": [
        "Ошибка",
        "Тест",
        "Привет",
        "Сервер недоступен",
        "Диск переполнен",
        "Резервное копирование",
        "ВНИМАНИЕ",
        "Внимание",
        "отчёт",
    ],
    "koi8-r": ["Ошибка", "Тест", "Привет", "Сервер недоступен", "Внимание", "отчёт"],
    "windows-1250": ["Zażółć gęślą", "Błąd dysku", "Příliš žluťoučký", "Łódź", "Chyba zálohování"],
    "windows-1253": ["Σφάλμα", "Δοκιμή", "Προειδοποίηση δίσκου"],
    "windows-1254": ["İşlem başarısız", "Yedekleme hatası oluştu şimdi", "Değişiklik"],
}

CASES = [(charset, text) for charset, texts in SUBJECTS.items() for text in texts]


@pytest.mark.parametrize(("charset", "text"), CASES)
def test_finds_the_charset_of_a_subject(charset, text):
    """A Subject of a few characters is read as it was written, whatever the charset is called."""
    octets = text.encode(CODECS.get(charset, charset))
    found = find_charset(octets)
    assert found is not None
    assert to_text(octets, found) == text


@pytest.mark.parametrize(
    ("charset", "text"), [("gb18030", "测试"), ("big5", "測試"), ("koi8-r", "Ошибка")]
)
def test_names_the_charset_as_mime_does(charset, text):
    """The name can stand in a Content-Type."""
    assert find_charset(text.encode(charset)) == charset


@pytest.mark.parametrize(
    ("octets", "charset"),
    [
        (b"", "us-ascii"),
        (b"plain\n", "us-ascii"),
        (b"\x1b[31mred\x1b[0m\n", "us-ascii"),
        ("测试".encode(), "utf-8"),
        ("Grüße".encode(), "utf-8"),
        ("测试".encode("utf-16"), "utf-16"),
        ("测试".encode("utf-32"), "utf-32"),
        (b"a\0b", None),
        (b"a long text and one NUL " * 9 + b"\0", None),
        (b"\xff\xfea", None),
        (bytes(range(256)), None),
        (b"\x01\x02\x03\x04text", None),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
    ],
)
def test_tells_the_certain_cases(octets, charset):
    """ASCII, valid UTF-8 and a byte order mark are certain; NUL and controls are no text."""
    assert find_charset(octets) == charset


@pytest.mark.parametrize("codec", ["utf-8", "gb18030"])
def test_sample_may_end_inside_a_character(codec):
    """A cut character at the end of a sample does not count; in a whole text it does."""
    octets = ("磁盘空间不足" * 3).encode(codec)[:-1]
    assert find_charset(octets, is_whole=False) == codec
    assert find_charset(octets) != codec


def test_long_text_is_told_by_its_start():
    """A long text is cut where it may be cut, and cheap."""
    assert find_charset(("服务器告警。" * 50_000).encode("gb18030")) == "gb18030"
    assert find_charset(b"x" + ("服务器告警。" * 50_000).encode("gb18030")) == "gb18030"


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "big5", "euc-kr", "nowhere", "rot13", ""])
def test_to_text_never_raises(charset):
    """What is not of the charset becomes U+FFFD, all that is not ASCII for an unknown one."""
    text = to_text(b"a\xff", charset)
    assert text.startswith("a")
    assert "\xff" not in text
