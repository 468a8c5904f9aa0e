"""
Content-Type as a value: the kind and its parameters (RFC 2045 5.1), read and written here only.

Reading is lenient where the world is, and gives None where nothing can be read; what is written
is built from parsed parts, so no line end can get in.
"""

from __future__ import annotations

from pillarbox.value import Value

__all__ = ["ContentType", "encode_parameters", "parse_content_type"]

_TOKEN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`{|}~"
)


class ContentType(Value):
    """
    The kind of a body and its parameters.

    Attributes:
        kind: Such as ``text/plain``, in lower case.
        params: Pairs of name and value as they came; RFC 2231 names are kept as written.

    """

    __slots__ = ("kind", "params")

    def __init__(self, kind: str, params: tuple[tuple[str, str], ...] = ()) -> None:
        self.kind = kind
        self.params = params

    def param(self, name: str) -> str | None:
        """Return a parameter's value, also one in the form of RFC 2231; None: there is none."""
        pieces = []
        for key, value in self.params:
            base, star, _ = key.lower().partition("*")
            if base == name:
                if not star:
                    return value
                pieces.append(value.rpartition("'")[2] if key.endswith("*") else value)
        return "".join(pieces) if pieces else None

    def with_param(self, name: str, value: str) -> ContentType:
        """Return the same kind with a parameter set, behind the others if it is new."""
        others = [pair for pair in self.params if pair[0].lower().partition("*")[0] != name]
        return ContentType(self.kind, (*others, (name, value)))

    def __str__(self) -> str:
        return "; ".join([self.kind, *[f"{name}={_quoted(value)}" for name, value in self.params]])


def parse_content_type(value: str) -> ContentType | None:
    """Return what a Content-Type says, or None when it names no kind."""
    kind, pieces = _split(value)
    major, slash, minor = kind.partition("/")
    if not slash or not major or not minor or not _TOKEN.issuperset(major + minor):
        return None
    params = []
    for piece in pieces:
        name, equals, text = piece.partition("=")
        name = name.strip()
        if equals and name and _TOKEN.issuperset(name):
            params.append((name, _unquoted(text.strip())))
    return ContentType(kind.lower(), tuple(params))


def encode_parameters(value: str) -> str:
    """Return a MIME field's value with its raw 8-bit parameters as RFC 2231 has them."""
    from pillarbox.mail.charset import find_charset, to_text

    kind, pieces = _split(value)
    made = [kind]
    for piece in pieces:
        name, equals, text = piece.strip().partition("=")
        if equals and not text.isascii():
            octets = _unquoted(text.strip()).encode("utf-8", "surrogateescape")
            utf8 = to_text(octets, find_charset(octets) or "utf-8").encode()
            coded = "".join(
                chr(octet) if octet < 128 and chr(octet).isalnum() else f"%{octet:02X}"
                for octet in utf8
            )
            made.append(f"{name.strip()}*=utf-8''{coded}")
        else:
            made.append(piece.strip())
    result = "; ".join(made)
    return result if result.isascii() and result.isprintable() else value


def _split(value: str) -> tuple[str, list[str]]:
    """Cut at semicolons outside quotes, and leave out comments."""
    if '"' not in value and "(" not in value:
        kind, *pieces = value.split(";")
        return kind.strip(), pieces
    pieces = []
    piece, depth = "", 0
    is_quoted = is_escaped = False
    for char in value:
        if is_escaped:
            is_escaped = False
        elif char == "\\" and (is_quoted or depth):
            is_escaped = True
        elif is_quoted or (char == '"' and not depth):
            is_quoted ^= char == '"'
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            continue
        elif char == ";" and not depth:
            pieces.append(piece)
            piece = ""
            continue
        if not depth:
            piece += char
    pieces.append(piece)
    return pieces[0].strip(), pieces[1:]


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    result, is_escaped = "", False
    for char in text[1:]:
        if is_escaped or char not in '"\\':
            result += char
            is_escaped = False
        elif char == '"':
            break
        else:
            is_escaped = True
    return result


def _quoted(value: str) -> str:
    value = "".join(char if char.isprintable() else " " for char in value)
    if value and _TOKEN.issuperset(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
