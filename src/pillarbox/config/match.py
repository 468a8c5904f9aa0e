"""
Tell whether a sender belongs to the ``from`` of an account.

The pattern language is the shell's, as fnmatch(3) has it with no flags; a wildcard crosses every
character. It is written out here because ``fnmatch`` of the library imports ``re`` (6 ms), and
because this walk needs at most len(pattern) x len(text) steps whatever the pattern is.
"""

from __future__ import annotations

__all__ = ["has_wildcard", "matches_sender"]


def has_wildcard(pattern: str) -> bool:
    """Tell whether the text is a pattern for senders and not one sender."""
    return "*" in pattern or "?" in pattern or "[" in pattern


def matches_sender(pattern: str, sender: str) -> bool:
    """
    Tell whether an account whose ``from`` is ``pattern`` takes mail from ``sender``.

    Equal whatever the case, or a match of the pattern, where case counts; if neither, the same
    again without the detail of a subaddress (``user+detail@host``, RFC 5233), unless the
    pattern itself names one.
    """
    if _matches(pattern, sender):
        return True
    plus = sender.find("+")
    at = sender.find("@", plus)
    if plus < 0 or at < 0 or "+" in pattern:
        return False
    return _matches(pattern, sender[:plus] + sender[at:])


def _matches(pattern: str, sender: str) -> bool:
    if pattern.lower() == sender.lower():
        return True
    return has_wildcard(pattern) and _matches_glob(pattern, sender)


def _matches_glob(pattern: str, text: str) -> bool:
    """Walk both from the left; on a mismatch let the last ``*`` swallow one character more."""
    p = t = 0
    star, swallowed = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, swallowed = p, t
            p += 1
            continue
        after = _after_one(pattern, p, text[t])
        if after:
            p = after
            t += 1
        elif star >= 0:
            swallowed += 1
            p, t = star + 1, swallowed
        else:
            return False
    return not pattern[p:].strip("*")


def _after_one(pattern: str, at: int, char: str) -> int:
    """Match one character against what stands at ``at``; return where to go on, or 0."""
    if at == len(pattern):
        return 0
    here = pattern[at]
    if here == "?":
        return at + 1
    if here == "[":
        end = _end_of_set(pattern, at)
        if end:
            return end if _is_in_set(pattern[at + 1 : end - 1], char) else 0
    if here == "\\" and at + 1 < len(pattern):
        at += 1
        here = pattern[at]
    return at + 1 if here == char else 0


def _end_of_set(pattern: str, at: int) -> int:
    """Return the place behind the ``]`` that closes the ``[`` at ``at``, or 0 if none does."""
    first = at + 1
    if pattern[first : first + 1] in ("!", "^"):
        first += 1
    return pattern.find("]", first + 1) + 1  # a ] that stands first is a member


def _is_in_set(members: str, char: str) -> bool:
    is_negated = members[0] in "!^"
    if is_negated:
        members = members[1:]
    at = 0
    is_member = False
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            is_member |= members[at] <= char <= members[at + 2]
            at += 3
        else:
            is_member |= members[at] == char
            at += 1
    return is_member is not is_negated
