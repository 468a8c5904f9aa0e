"""
Feed the writer and the reader of encoded words with any text.

The property: a field that was written reads back as the same text, blanks at most aside; it is
ASCII, in lines of at most 76 characters where there is an encoded word, each word of at most 75
that decodes by itself; and nothing that was decoded has a control character in it.

Allowed refusals: none.
"""

from __future__ import annotations

import re
from email.header import decode_header

from pillarbox.mail.encoded_word import decode_words, encode_unstructured, has_encoded_word

_WORD = re.compile(r"=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=", re.IGNORECASE)
# Line ends, and what turns the direction of writing: neither is for a header.
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

SEEDS = [
    b"plain words",
    "测试 plain 正文".encode(),
    "a é b é c".encode(),
    ("长" * 200).encode(),
    b"=?utf-8?B?5rWL6K+V?= =?utf-8?Q?=E6=B5?= =?utf-8?Q?=8B?=",
    b"=?utf-8?Q?a=0D=0ABcc:_x?=",
    b"=?x-unknown?B?5rWL?= =?utf-8?B?5rW?= =?utf-8?X?a?=",
    b"=?gb2312?B?suLK1A==?= text =?iso-8859-1*en?Q?=E9?=",
    b"x" * 300 + b" =? ?= =?utf-8?Q?",
    "\U0001f600\u2028\x85 \t e\u0301".encode(),
]


def check(data: bytes) -> None:
    """Hold the property for a text, as it may stand in a field or come from a decoder."""
    text = data.decode("utf-8", "replace")
    decoded = decode_words(text)
    assert not _CONTROL.search(decoded)
    if has_encoded_word(text):
        assert "=?" in text
    for name in ("Subject", "X-Name-Of-A-Field-That-Somebody-Made-Up"):
        raw = encode_unstructured(name, text)
        assert raw.startswith(name.encode() + b":")
        assert raw.endswith(b"\r\n")
        _check_lines(raw.decode("ascii"))
        value = raw.partition(b":")[2].replace(b"\r\n", b"").decode()
        assert _joined(decode_words(value)) == _joined(text), value


def _check_lines(raw: str) -> None:
    lines = raw.split("\r\n")[:-1]
    assert all(line[0] in " \t" and line.strip() for line in lines[1:]), lines
    for line in lines:
        assert not _CONTROL.search(line.replace("\t", " ")), line
        words = _WORD.findall(line)
        assert len(line.rstrip()) <= 76 or not words, line  # blanks at the end are the text's own
        for charset, coding, payload in words:
            word = f"=?{charset}?{coding}?{payload}?="
            assert len(word) <= 75
            ((octets, _),) = decode_header(word)
            octets.decode(charset)


def _joined(text: str) -> str:
    return "".join(_CONTROL.sub(" ", text).split())


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
