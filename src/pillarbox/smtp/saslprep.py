"""
Prepare user names and passwords for comparison: SASLprep (RFC 4013, a profile of RFC 3454).

Only SCRAM asks for it. Text that is plain ASCII, nearly every password, passes without loading
the Unicode tables. The rule to keep: an error names the field and the kind of character, never
the character and never the text.
"""

from __future__ import annotations

from pillarbox.errors import CredentialError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["saslprep"]


def saslprep(text: str, *, field: str, allow_unassigned: bool = False) -> str:
    """
    Return the prepared form of a text.

    Args:
        text: A user name or a password.
        field: What to call it in an error.
        allow_unassigned: Let code points pass that Unicode 3.2 did not have. A *query string*
            (the user name, RFC 5802 section 5.1) may hold them, a *stored string* (the password,
            section 2.2) may not.

    Raises:
        CredentialError: It has a forbidden character, mixes writing directions, or is empty
            once prepared.

    """
    if text.isascii():
        prepared, fault = text, "" if text.isprintable() else _control()
    else:
        prepared = _mapped(text)
        fault = _find_fault(prepared, allow_unassigned=allow_unassigned)
    if fault:
        msg = say(
            "the {field} has {fault}, which SASLprep (RFC 4013) forbids", field=field, fault=fault
        )
        advice = say("change it, or name a login method that sends it as it is: auth plain")
        raise CredentialError(msg, advice=advice)
    if not prepared:
        raise CredentialError(say("the {field} is empty", field=field))
    return prepared


def _mapped(text: str) -> str:
    """Return the text after mapping and normalisation (RFC 4013 sections 2.1 and 2.2)."""
    from stringprep import in_table_b1, in_table_c12
    from unicodedata import ucd_3_2_0

    # U+200B is in both tables. Spaces come first in RFC 4013, in GNU libidn and in PostgreSQL.
    spaced = "".join(" " if in_table_c12(char) else char for char in text)
    kept = "".join(char for char in spaced if not in_table_b1(char))
    return ucd_3_2_0.normalize("NFKC", kept)


def _control() -> str:
    return say("a control character")


def _find_fault(text: str, *, allow_unassigned: bool) -> str:
    """Return what is wrong with a mapped text, in words, or nothing (sections 2.3 to 2.5)."""
    import stringprep as tables

    prohibited: list[tuple[Callable[[str], bool], str]] = [
        (tables.in_table_c12, say("a space that is not plain")),
        (tables.in_table_c21_c22, _control()),
        (tables.in_table_c3, say("a private-use character")),
        (tables.in_table_c4, say("a code point that is no character")),
        (tables.in_table_c5, say("a byte that is not UTF-8")),
        (tables.in_table_c6, say("a character that is not plain text")),
        (tables.in_table_c7, say("an ideographic description character")),
        (tables.in_table_c8, say("a character that changes the writing direction")),
        (tables.in_table_c9, say("a language tag")),
    ]
    if not allow_unassigned:
        prohibited.append((tables.in_table_a1, say("a character newer than Unicode 3.2")))
    for is_in_table, fault in prohibited:
        if any(map(is_in_table, text)):
            return fault
    return _find_direction_fault(text)


def _find_direction_fault(text: str) -> str:
    """Return what is wrong with the writing directions (RFC 3454 section 6)."""
    from stringprep import in_table_d1, in_table_d2

    if not any(map(in_table_d1, text)):
        return ""
    if any(map(in_table_d2, text)) or not (in_table_d1(text[0]) and in_table_d1(text[-1])):
        return say("a mix of writing directions")
    return ""
