"""
What a provider's answer means and what to do about it, from the preset files.

Codes are reused with other meanings from provider to provider, so the text is matched, the
provider's own hints first and the generic ones last; and a hint counts only where it was seen:
what a text means in answer to AUTH says nothing of a RCPT. This is read only when something
failed: it may load ``re`` and ``tomllib``.
"""

from __future__ import annotations

from functools import lru_cache

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "LOOKED_AT",
    "Hint",
    "demands_login_as_sender",
    "find_hint",
    "fits",
    "is_endpoint",
    "limits_of",
]

_GENERIC = "generic.toml"

# What a hint's stage takes in, in the words of ``mail.status.Trouble``. The three of a mail are
# one: many servers refuse a sender only at RCPT, and a recipient only behind the content.
_OF_A_MAIL = frozenset(("MAIL", "RCPT", "DATA", "BDAT", "content"))
_STAGES = {
    "connect": frozenset(("connect", "tls", "greeting", "EHLO", "STARTTLS")),
    "auth": frozenset(("AUTH",)),
    "mail": _OF_A_MAIL,
    "rcpt": _OF_A_MAIL,
    "data": _OF_A_MAIL,
    "bounce": _OF_A_MAIL,  # seen in a notice of failure, and by relays that look at once
}

# Characters of a text that are looked at: expressions are matched against what a server wrote,
# and must not be kept busy by it.
LOOKED_AT = 1024


class Hint(Value):
    """
    A known answer, explained.

    Attributes:
        provider: The name of the provider whose hint this is; empty for a generic one.
        retry: ``no`` (never, whatever the code says), ``later``, ``later-once``, ``next-day``
            or ``hold`` (no login for an hour).
        cause: Why it happens.
        fix: What to do.

    """

    __slots__ = ("cause", "fix", "provider", "retry")

    def __init__(self, provider: str, retry: str, cause: str, fix: str) -> None:
        self.provider = provider
        self.retry = retry
        self.cause = cause
        self.fix = fix


def find_hint(
    text: str, *, host: str, greeting: str = "", stage: str = "", language: str = "en"
) -> Hint | None:
    """
    Return the hint for what a server said or how a connection failed, or None.

    Args:
        text: The reply, beginning with its code, or the text of the failure.
        host: The relay host as configured.
        greeting: The server's greeting: it gives the provider away behind another name.
        stage: The stage of the ``Trouble``; empty: unknown, so that every hint may apply.
        language: ``en`` or ``zh``.

    """
    import re

    text = text[:LOOKED_AT]
    for preset in _presets(host.lower().rstrip("."), greeting[:LOOKED_AT]):
        for row in preset.get("error_hints", ()):
            if not fits(row["stage"], text, stage, has_code="code" in row):
                continue
            if re.search(row["regex"], text, re.IGNORECASE | re.DOTALL):
                return Hint(
                    preset.get(f"name_{language}", ""),
                    row["retry"],
                    row[f"cause_{language}"],
                    row[f"fix_{language}"],
                )
    return None


def demands_login_as_sender(host: str, greeting: str = "") -> bool:
    """
    Tell whether a known provider takes mail only from the address that logged in.

    Args are those of ``find_hint``.
    """
    return any(
        preset.get("from_rule", {}).get("rule") == "must-equal-login"
        for preset in _presets(host.lower().rstrip("."), greeting[:LOOKED_AT])
    )


def limits_of(host: str) -> dict[str, int]:
    """
    Return the published limits of a host's provider, by name; empty: none is known.

    ``message_bytes`` is the largest mail, ``recipients_per_message`` the longest envelope.
    """
    own = _presets(host.lower().rstrip("."), "")[:-1]  # the last is nobody's
    limits = own[0].get("limits", {}) if own else {}
    return {name: value for name, value in limits.items() if type(value) is int and value > 0}


def fits(hint_stage: str, text: str, stage: str, *, has_code: bool) -> bool:
    """
    Tell whether a hint may be about a text of a stage.

    Args:
        hint_stage: Where the hint was seen, as the preset says.
        text: What is to be explained.
        stage: Where that was seen, as ``find_hint`` takes it.
        has_code: The hint is about a reply, and knows its code.

    """
    if hint_stage == "connect" and not has_code:
        # It is about a connection that failed: neither about a reply, nor about what happened
        # once the connection was there.
        return not text[:3].isdigit() and stage in ("", "connect", "tls")
    return not stage or hint_stage == "any" or stage in _STAGES[hint_stage]


@lru_cache(maxsize=8)
def _presets(host: str, greeting: str) -> list[dict[str, Any]]:
    """Return the presets to ask, the provider's before the generic one."""
    import os
    import re
    import tomllib

    folder = os.path.join(os.path.dirname(__file__), "presets")
    presets = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".toml") or name == _GENERIC:
            continue
        with open(os.path.join(folder, name), "rb") as file:
            preset = tomllib.load(file)
        is_host = any(
            is_endpoint(endpoint["host"], host) for endpoint in preset.get("endpoints", ())
        )
        greets = preset.get("greeting")
        if is_host or (greeting and greets and re.search(greets, greeting, re.IGNORECASE)):
            presets.append(preset)
    with open(os.path.join(folder, _GENERIC), "rb") as file:
        presets.append(tomllib.load(file))
    return presets


def is_endpoint(endpoint: str, host: str) -> bool:
    """Tell whether a host is an endpoint, in which ``{region}`` stands for any one label."""
    head, brace, rest = endpoint.partition("{")
    if not brace:
        return host == endpoint
    tail = rest.partition("}")[2]
    label = host[len(head) : len(host) - len(tail)]
    return host.startswith(head) and host.endswith(tail) and bool(label) and "." not in label
