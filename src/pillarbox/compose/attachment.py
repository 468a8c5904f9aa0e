"""
Attachments: files that are looked at when the mail is written, and read when it is sent.

A file is opened once, before anything is sent, and what is checked is the open file: it cannot be
exchanged for another in between. Its base64 is made on the fly, so that memory does not depend on
its size.
"""

from __future__ import annotations

import os
from binascii import b2a_base64
from dataclasses import dataclass
from stat import S_ISREG

from pillarbox.errors import DataError, InputOutputError, MissingInputError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Attachment", "OpenAttachment", "open_attachment"]

# RFC 2045 6.8: a line of base64 has at most 76 characters, which is 57 octets.
_LINE = 76
_LINE_OCTETS = 57
_BLOCK = _LINE_OCTETS * 1024
_SAMPLE = 1 << 16  # octets by which a file is taken for text
_MAX_NAME = 255  # octets of a name in a Linux file system
_BINARY = "application/octet-stream"
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&^_.+-")


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A file that goes with a mail.

    Attributes:
        path: Where it is; empty: ``content`` is it.
        content: Its octets, where there is no path.
        name: What the recipient sees; empty: the last part of the path.
        media_type: ``type/subtype``; empty: found from the name, else from the content.

    """

    path: str = ""
    content: bytes = b""
    name: str = ""
    media_type: str = ""


class OpenAttachment:
    """
    An attachment that can be sent; whoever has it calls ``close``.

    Attributes:
        name: Its name, without folders and control characters.
        media_type: Its type, with a charset where it is text in a known one.
        size_bytes: Octets of the file.

    """

    def __init__(
        self, name: str, media_type: str, size_bytes: int, source: int | bytes, path: str
    ) -> None:
        self.name = name
        self.media_type = media_type
        self.size_bytes = size_bytes
        self._source = source
        self._path = path

    @property
    def encoded_bytes(self) -> int:
        """Octets of its base64, with CRLF behind each line."""
        characters = -(-self.size_bytes // 3) * 4
        return characters + 2 * -(-characters // _LINE)

    def encoded(self) -> Iterator[bytes]:
        """
        Yield its base64 in lines; blocks to read the file.

        Raises:
            InputOutputError: The file cannot be read, or has become shorter.

        """
        place = 0
        while place < self.size_bytes:
            block = self._read(place, min(_BLOCK, self.size_bytes - place))
            place += len(block)
            text = b2a_base64(block, newline=False)
            lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
            yield b"\r\n".join(lines) + b"\r\n"

    def close(self) -> None:
        """Close the file; harmless the second time."""
        if isinstance(self._source, int):
            os.close(self._source)
            self._source = b""

    def _read(self, place: int, size: int) -> bytes:
        """Return exactly so many octets: a block in the middle must not need padding."""
        if isinstance(self._source, bytes):
            return self._source[place : place + size]
        block = b""
        while len(block) < size:
            try:
                piece = os.pread(self._source, size - len(block), place + len(block))
            except OSError as exc:
                raise _unreadable(self._path, exc, InputOutputError) from exc
            if not piece:
                problem = say("{path} became shorter while it was sent", path=printable(self._path))
                raise InputOutputError(problem, advice=say("send a copy that nobody writes to"))
            block += piece
        return block


def open_attachment(wanted: Attachment) -> OpenAttachment:
    """
    Open a file and find out what it is.

    Raises:
        MissingInputError: It is missing, cannot be read, or is no file (a folder, a pipe).
        DataError: The type that it is given is none.

    """
    if wanted.media_type:
        _check_type(wanted.media_type)
    if not wanted.path:
        name = _clean_name(wanted.name) or "attachment"
        media_type = wanted.media_type or _type_of(name, wanted.content[:_SAMPLE])
        return OpenAttachment(name, media_type, len(wanted.content), wanted.content, "")
    name = _clean_name(wanted.name or wanted.path)
    try:
        # A pipe that nobody writes to must not hold us.
        source = os.open(wanted.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as exc:
        raise _unreadable(wanted.path, exc, MissingInputError) from exc
    try:
        status = os.fstat(source)
        _check_is_file(status, wanted.path)
        media_type = wanted.media_type or _type_of(name, os.pread(source, _SAMPLE, 0))
    except OSError as exc:
        os.close(source)
        raise _unreadable(wanted.path, exc, MissingInputError) from exc
    except BaseException:
        os.close(source)
        raise
    return OpenAttachment(name, media_type, status.st_size, source, wanted.path)


def _check_is_file(status: os.stat_result, path: str) -> None:
    if not S_ISREG(status.st_mode):
        problem = say("cannot attach {path}: it is not a file", path=printable(path))
        advice = say("attach a file; pack a folder with tar or zip first")
        raise MissingInputError(problem, advice=advice)


def _unreadable(
    path: str, exc: OSError | ValueError, kind: type[MissingInputError | InputOutputError]
) -> MissingInputError | InputOutputError:
    reason = getattr(exc, "strerror", None) or str(exc)
    return kind(say("cannot attach {path}: {reason}", path=printable(path), reason=reason))


def _clean_name(path: str) -> str:
    """Return the last part of a path, from either kind of system, safe in a header and a dialog."""
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name = "".join(char if char.isprintable() else "_" for char in name).strip()
    while len(name.encode()) > _MAX_NAME:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[:-1]}{dot}{ending}" if stem else name[:-1]
    return "" if name in (".", "..") else name


def _check_type(media_type: str) -> None:
    main, slash, sub = media_type.partition("/")
    is_type = main and slash and sub and _TOKEN.issuperset(main) and _TOKEN.issuperset(sub)
    if not is_type or main.lower() in ("multipart", "message"):
        problem = say(
            "{text} is not a type that an attachment can have", text=printable(media_type, 80)
        )
        raise DataError(problem, advice=say("write it as in application/pdf, or leave it out"))


def _type_of(name: str, sample: bytes) -> str:
    from mimetypes import guess_type

    guessed, packing = guess_type(name)
    if packing is not None:
        return "application/gzip" if packing == "gzip" else _BINARY
    # RFC 2046 5: message and multipart must not be in base64, and this is how we send files.
    if guessed is not None and guessed.partition("/")[0] in ("message", "multipart"):
        return _BINARY
    if guessed is not None and not guessed.startswith("text/"):
        return guessed
    charset = _charset_of(sample)
    if guessed is not None:
        return f"{guessed}; charset={charset}" if charset else guessed
    return f"text/plain; charset={charset}" if charset else _BINARY


def _charset_of(sample: bytes) -> str:
    """Return the charset of text; empty: it is no text, or in some other one."""
    if b"\0" in sample:
        return ""
    if sample.isascii():
        return "us-ascii" if sample and len(sample) < _SAMPLE else "utf-8"
    # The sample may end in the middle of a character, which has four octets at most.
    for cut in range(4 if len(sample) == _SAMPLE else 1):
        try:
            sample[: len(sample) - cut].decode()
        except UnicodeDecodeError:
            continue
        return "utf-8"
    return ""
