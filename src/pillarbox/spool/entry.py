"""
The file of an entry: text that a person can read, which checks itself.

::

    pillarbox-entry 1                                   the format and its version
    head 00000391 0002 <SHA-256>                        octets, recipients and hash of the head
    progress <CRC-32> PD attempts=... reason=...        what became of it: the mutable area,
    progress <CRC-32> PD attempts=... reason=...        twice, so that a torn write spoils one
    id: 0tbn...                                         the head
    ...
    to: someone@example.com
                                                        an empty line
    <the content, octet for octet as it was written>
    end 000000012345 <SHA-256>                          octets of the file; hash of all but the area

The rule to keep: the mutable area has a fixed place and width inside the first 4096 octets and
is written at once (``area``); everything else is written once and never again.
"""

from __future__ import annotations

from hashlib import sha256

from pillarbox.errors import CorruptEntryError, SpoolError
from pillarbox.mail.address import Mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.area import MAX_RECIPIENTS, area_bytes
from pillarbox.spool.base import Head, Origin
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as Hash

__all__ = [
    "MAX_HEAD",
    "MAX_RECIPIENTS",
    "PREFIX_BYTES",
    "TRAILER_BYTES",
    "Prefix",
    "check_head",
    "format_head",
    "format_prefix",
    "format_trailer",
    "is_entry_id",
    "make_entry_id",
    "new_hash",
    "parse_head",
    "parse_prefix",
    "parse_trailer",
]

_MAGIC = b"pillarbox-entry 1\n"
_PREFIX_FORMAT = "head %08d %04d %s\n"
PREFIX_BYTES = len(_MAGIC) + 5 + 8 + 1 + 4 + 1 + 64 + 1
_TRAILER_FORMAT = "\nend %012d %s\n"
TRAILER_BYTES = 5 + 12 + 1 + 64 + 1

# 1,500 addresses of 254 octets, and as much again for all the rest.
MAX_HEAD = 800_000

_MAX_ID = 64
_ID_CHARS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz-")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TIME_DIGITS = 11  # microseconds until the year 6140
_RANDOM_DIGITS = 25  # 36 ** 25 > 2 ** 128

# What would break a line of the head, and the sign that escapes it.
_ESCAPES = {point: f"%{point:02X}" for point in (*range(0x20), 0x25, 0x7F)}
_OPTIONAL = ("account", "message-id", "ret", "envid", "notify", "trace")


def make_entry_id(epoch_s: float, random: bytes) -> str:
    """
    Return a queue ID: its time, so that IDs sort by age, and chance, so that none comes twice.

    Args:
        epoch_s: Seconds since the epoch; a clock that is wrong does no harm.
        random: 16 octets that nobody can guess.

    """
    return (
        _in_base_36(max(0, int(epoch_s * 1_000_000)), _TIME_DIGITS)
        + "-"
        + _in_base_36(int.from_bytes(random, "big"), _RANDOM_DIGITS)
    )


def _in_base_36(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def is_entry_id(text: str) -> bool:
    """Tell whether a text may be a queue ID; only such a one may become the name of a file."""
    return 0 < len(text) <= _MAX_ID and text[0] != "-" and _ID_CHARS.issuperset(text)


def new_hash(data: bytes = b"") -> Hash:
    """Return the hash that guards an entry, fed with ``data``."""
    return sha256(data, usedforsecurity=False)


class Prefix(Value):
    """
    What the first two lines say.

    Attributes:
        head_bytes: Octets of the head, its empty line included.
        recipients: How many forward-paths it has.
        head_hash: SHA-256 of the head in hexadecimal digits.
        head_at: Where in the file the head begins.
        content_at: Where in the file the content begins.

    """

    __slots__ = ("content_at", "head_at", "head_bytes", "head_hash", "recipients")

    def __init__(self, head_bytes: int, recipients: int, head_hash: bytes) -> None:
        self.head_bytes = head_bytes
        self.recipients = recipients
        self.head_hash = head_hash
        self.head_at = PREFIX_BYTES + area_bytes(recipients)
        self.content_at = self.head_at + head_bytes


def format_prefix(head: bytes, recipients: int) -> bytes:
    """Return the first two lines for a head that ``format_head`` made."""
    line = _PREFIX_FORMAT % (len(head), recipients, new_hash(head).hexdigest())
    return _MAGIC + line.encode()


def parse_prefix(data: bytes) -> Prefix:
    """
    Read the first two lines at the start of ``data``.

    Raises:
        CorruptEntryError: They are not there, or of a version that is not ours.

    """
    if not data.startswith(_MAGIC):
        raise CorruptEntryError(say("it does not begin as an entry of this version does"))
    fields = data[len(_MAGIC) : PREFIX_BYTES].split(b" ")
    if list(map(len, fields)) == [4, 8, 4, 65]:
        word, head_bytes, recipients, head_hash = fields
        # A hash that is none of this head is found when the head is read.
        if word == b"head" and head_hash[-1:] == b"\n" and (head_bytes + recipients).isdigit():
            prefix = Prefix(int(head_bytes), int(recipients), head_hash[:-1])
            if prefix.head_bytes <= MAX_HEAD and prefix.recipients <= MAX_RECIPIENTS:
                return prefix
    raise CorruptEntryError(say("its head is damaged"))


def format_head(head: Head) -> bytes:
    """
    Return the lines that say what a head says, with the empty one that ends them.

    Raises:
        SpoolError: It has more recipients, or longer values, than an entry has room for.

    """
    envelope, origin = head.envelope, head.origin
    sender = envelope.reverse_path
    lines = [
        f"id: {head.id}",
        f"accepted: {head.accepted_s!r}",
        f"origin: {origin.uid} {origin.gid} {origin.pid} {_escape(origin.door)}",
        f"priority: {head.priority}",
        f"from: {'' if sender is None else _format_mailbox(sender)}",
    ]
    values = (
        head.account,
        head.message_id,
        envelope.ret,
        envelope.envid,
        envelope.notify,
        head.trace,
    )
    lines += [
        f"{name}: {_escape(text)}" for name, text in zip(_OPTIONAL, values, strict=True) if text
    ]
    lines += [
        f"set: {_escape(name).replace(' ', '%20')} {_escape(text)}"
        for name, text in head.settings.items()
    ]
    lines += [f"to: {_format_mailbox(path)}" for path in envelope.forward_paths]
    lines.append("\n")
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if len(envelope.forward_paths) > MAX_RECIPIENTS or len(data) > MAX_HEAD:
        raise SpoolError(
            say(
                "the spool takes no mail with more than {limit} recipients or so long an envelope",
                limit=MAX_RECIPIENTS,
            )
        )
    return data


def _format_mailbox(mailbox: Mailbox) -> str:
    # A local name keeps its @: "a@b" in quotes would be cut in two when it is read.
    return _escape(f"{mailbox.local_part}@{mailbox.domain}")


def _escape(text: str) -> str:
    return text if text.isprintable() and "%" not in text else text.translate(_ESCAPES)


def check_head(data: bytes, prefix: Prefix, name: str) -> None:
    """
    See whether a head is whole, and that of the entry ``name``, without reading more of it.

    Raises:
        CorruptEntryError: It is not what ``prefix`` says of it.

    """
    if len(data) != prefix.head_bytes or new_hash(data).hexdigest().encode() != prefix.head_hash:
        raise CorruptEntryError(say("its head is damaged"))
    if not data.startswith(b"id: %s\n" % name.encode()):
        raise CorruptEntryError(say("it is the file of another entry"))


def parse_head(data: bytes, prefix: Prefix) -> Head:
    """
    Read what ``format_head`` made and ``check_head`` let pass.

    Raises:
        CorruptEntryError: It was made by something else.

    """
    try:
        text = data.decode("utf-8", "surrogatepass")
        return _parse_lines(text.split("\n"), prefix.recipients, has_escapes="%" in text)
    except (ValueError, LookupError) as exc:
        raise CorruptEntryError(say("its head is damaged")) from exc


def _parse_lines(lines: list[str], recipients: int, *, has_escapes: bool) -> Head:
    # Written in this order by format_head, and guarded by its hash: a claim waits for it.
    name, accepted, origin, priority, sender = lines[:5]
    end = len(lines) - 2 - recipients
    if not sender.startswith("from: ") or end < 5:
        raise ValueError(sender)
    values: dict[str, str] = {}
    settings: dict[str, str] = {}
    for line in lines[5:end]:
        field, _, value = line.partition(": ")
        if field == "set":
            keyword, _, setting = value.partition(" ")
            settings[_unescape(keyword)] = _unescape(setting)
        else:
            values[field] = _unescape(value) if has_escapes else value
    uid, gid, pid, door = origin[8:].split(" ", 3)
    optional = values.get
    return Head(
        name[4:],
        float(accepted[10:]),
        Envelope(
            _parse_mailbox(sender) if len(sender) > 6 else None,
            tuple([_parse_mailbox(line) for line in lines[end:-2]]),
            ret=optional("ret", ""),
            envid=optional("envid", ""),
            notify=optional("notify", ""),
        ),
        account=optional("account", ""),
        message_id=optional("message-id", ""),
        origin=Origin(int(uid), int(gid), int(pid), door=_unescape(door)),
        priority=int(priority[10:]),
        settings=settings,
        trace=optional("trace", ""),
    )


def _parse_mailbox(line: str) -> Mailbox:
    field, _, text = line.partition(": ")
    local_part, at, domain = (_unescape(text) if "%" in text else text).rpartition("@")
    if field not in ("from", "to") or not at or not local_part:
        raise ValueError(line)
    return Mailbox(local_part, domain)


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    return first + "".join([chr(int(piece[:2], 16)) + piece[2:] for piece in rest])


def format_trailer(before: int, hash_: Hash) -> bytes:
    """
    Return the last line.

    Args:
        before: Octets of the file in front of it.
        hash_: Fed with the prefix, the head and the content.

    """
    return (_TRAILER_FORMAT % (before + TRAILER_BYTES, hash_.hexdigest())).encode()


def parse_trailer(data: bytes, file_bytes: int) -> bytes:
    """
    Return the hash of an entry from its last ``TRAILER_BYTES`` octets.

    Raises:
        CorruptEntryError: The file was cut off, or has grown.

    """
    digest = data[-65:-1]
    if data != (_TRAILER_FORMAT % (file_bytes, digest.decode("latin-1"))).encode("latin-1"):
        raise CorruptEntryError(say("it was cut off, or something was added to it"))
    return digest
