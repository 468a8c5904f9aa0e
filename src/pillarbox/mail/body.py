"""
The body under repair: what ``walker.Walker`` makes of it, and the headers that go with it.

The top level's MIME fields are changed here; a signed message is walked too, to tell what would
have been done to it, and then left alone.
"""

from __future__ import annotations

from pillarbox.mail.headers import HeaderField, HeaderSection
from pillarbox.mail.part import NAMES, Leaf, field_raw
from pillarbox.mail.walker import SIGNED_KINDS, Walker
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.repair import Draft

__all__ = ["repair_body"]


def repair_body(
    draft: Draft, start: bytes, rest: Callable[[int], bytes] | None
) -> tuple[HeaderSection, bytes, Callable[[int], bytes] | None, bool]:
    """
    Return the headers with right MIME fields, the body's start, its rest, and if it kept its size.

    Args:
        draft: The headers, and where what is done is noted: for the start at once.
        start: The first octets of the body.
        rest: Reads on; None: that was the whole.

    """
    headers = draft.headers
    fields = [(field.key, field.raw) for field in headers.fields]
    top = Leaf(fields, "body")
    is_signed = top.kind in SIGNED_KINDS or b"dkim-signature" in headers.firsts
    notes: list[tuple[str, str, str]] = []

    def note(rule: str, place: str, what: str) -> None:
        if (rule, place, what) not in notes:
            notes.append((rule, place, what))
            if not is_signed:
                draft.change(rule, place, what)

    walker = Walker(draft, note, is_last=rest is None)
    begun = walker.begin(top, start)
    if rest is None:
        begun += walker.finish()
    if is_signed:
        if notes:
            what = say("left as it is, because it is signed or encrypted")
            draft.change("SIGNED", "body", what)
        return headers, start, rest, True
    _settle_multipart(top, begun, note, is_whole=rest is None, is_changed=bool(notes))
    _settle_version(top, note)
    if top.changes:
        headers = _changed(headers, top.changes)
    if not notes:
        begun = start if rest is None else begun
    return headers, begun, None if rest is None else walker.reader(rest), not notes


def _settle_multipart(
    top: Leaf,
    begun: bytes,
    note: Callable[[str, str, str], None],
    *,
    is_whole: bool,
    is_changed: bool,
) -> None:
    """Make a multipart's own encoding say what is in it (RFC 2045 6.4)."""
    if not top.kind.startswith("multipart/") or "content-type" in top.changes:
        return
    if top.encoding in {"7bit", ""} and not begun.isascii():
        coding = "8bit"
    elif top.encoding in {"8bit", "binary"} and begun.isascii() and is_whole:
        coding = "7bit" if is_changed or top.encoding == "binary" else ""
    else:
        return
    if coding:
        top.changes["content-transfer-encoding"] = coding
        note("MIME-CTE", "body", say("encoded in {encoding}", encoding=coding))


def _settle_version(top: Leaf, note: Callable[[str, str, str], None]) -> None:
    if top.has_field("mime-version"):
        return
    if top.changes:
        top.changes = {"mime-version": "1.0", **top.changes}
    elif top.has_field("content-type") or top.encoding in {"8bit", "base64", "quoted-printable"}:
        top.changes["mime-version"] = "1.0"
        note("MIME-VERSION", "MIME-Version", say("added"))


def _changed(headers: HeaderSection, changes: dict[str, str]) -> HeaderSection:
    """Put changed fields into the place of the old ones, new ones at the end."""
    left = dict(changes)
    fields = []
    for field in headers.fields:
        key = field.key.decode("ascii", "replace")
        if key not in changes:
            fields.append(field)
        elif key in left:
            value = left.pop(key)
            if value:
                fields.append(HeaderField(NAMES[key], field_raw(key, value)))
    fields += [
        HeaderField(NAMES[key], field_raw(key, value)) for key, value in left.items() if value
    ]
    return HeaderSection(tuple(fields))
