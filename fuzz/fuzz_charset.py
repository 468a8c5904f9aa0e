"""
Feed the charset finder with octets of no language.

The property: a name comes out that is a codec's, and the octets decode in it without a gap unless
it was called the start of a longer text; None, or a text that says the same each time; ASCII and
UTF-8 are never taken for anything else; a sample cut in the middle of a character is no reason to
change one's mind about UTF-8; and ``to_text`` takes any octets in any charset's name.

Allowed refusals: none.
"""

from __future__ import annotations

from codecs import lookup

from pillarbox.mail.charset import find_charset, to_text

_CHINESE = "备份失败：磁盘空间不足，请检查服务器日志"
SEEDS = [
    b"plain words\n",
    _CHINESE.encode(),
    _CHINESE.encode("gb18030"),
    "備份失敗：磁碟空間不足".encode("big5"),
    "バックアップは失敗しました".encode("shift_jis"),
    "バックアップは失敗しました".encode("euc_jp"),
    "백업이 실패했습니다".encode("euc_kr"),
    "Grüße aus Köln".encode("latin-1"),
    "Резервное копирование".encode("cp1251"),
    _CHINESE.encode("utf-16"),
    "x".encode("utf-32"),
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"\x1b$B%P%C\x1b(B",
]


def check(data: bytes) -> None:
    """Hold the property for the octets as a whole text and as the start of one."""
    found = find_charset(data)
    assert find_charset(data) == found
    if found is not None:
        assert lookup(found)
        if found.startswith("utf-"):
            assert to_text(data, found) == data.decode(found)
        elif len(data) < 4096:
            assert "\ufffd" not in to_text(data, found)
    if data.isascii() and b"\0" not in data:
        assert found in ("us-ascii", None)
    elif _is_utf8(data) and found is not None:
        assert found in ("utf-8", "utf-16", "utf-32")
    if found == "utf-8":
        for end in range(max(0, len(data) - 4), len(data)):
            cut = find_charset(data[:end], is_whole=False)
            assert cut in ("utf-8", "us-ascii", None), (cut, data[:end])
    for name in (str(found), "utf-8", "x-unknown", "hex", "", "a\0b", "undefined"):
        assert isinstance(to_text(data, name), str)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
