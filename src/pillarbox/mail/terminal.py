"""What a terminal would do with a text: colours, titles, overstriking; and the text without it."""

from __future__ import annotations

import re

__all__ = ["without_terminal_codes"]

# ECMA-48: CSI; OSC, DCS, SOS, PM and APC up to BEL or ST; nF and two-octet escapes.
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]+[0-~]?|[0-~]?)"
)
_OVERSTRIKE = re.compile(rb"(?:[\xc2-\xf4][\x80-\xbf]+|[^\n\x08\x80-\xff])\x08")
_CONTROLS = bytes([*range(9), 11, *range(13, 32), 127])


def without_terminal_codes(text: bytes) -> bytes:
    """Return text with LF line ends without control characters; a form feed is a line end."""
    text = _ESCAPE.sub(b"", text)
    if b"\x08" in text:
        text = _OVERSTRIKE.sub(b"", text)
    if b"\f" in text:
        text = text.replace(b"\f", b"\n")
    return text.translate(None, _CONTROLS)
