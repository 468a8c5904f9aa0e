"""
What a provider's answer means and what to do about it, from the preset files.

Codes are reused with other meanings from provider to provider, so the text is matched, the
provider's own hints first and the generic ones last. This is read only when something failed:
it may load ``re`` and ``tomllib``.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Hint", "find_hint", "language_of"]

_GENERIC = "generic.toml"


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


def find_hint(text: str, *, host: str, greeting: str = "", language: str = "en") -> Hint | None:
    """
    Return the hint for what a server said or how a connection failed, or None.

    Args:
        text: The reply with its code, or the text of the failure.
        host: The relay host as configured.
        greeting: The server's greeting: it gives the provider away behind another name.
        language: ``en`` or ``zh``.

    """
    import re

    for preset in _presets(host, greeting):
        for row in preset.get("error_hints", ()):
            if re.search(row["regex"], text, re.IGNORECASE | re.DOTALL):
                return Hint(
                    preset.get(f"name_{language}", ""),
                    row["retry"],
                    row[f"cause_{language}"],
                    row[f"fix_{language}"],
                )
    return None


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
        hosts = {endpoint["host"] for endpoint in preset.get("endpoints", ())}
        greets = preset.get("greeting")
        if host in hosts or (greeting and greets and re.search(greets, greeting)):
            presets.append(preset)
    with open(os.path.join(folder, _GENERIC), "rb") as file:
        presets.append(tomllib.load(file))
    return presets


def language_of(environment: Mapping[str, str]) -> str:
    """Return ``zh`` or ``en``, as the locale's variables wish (POSIX: LC_ALL, then LC_MESSAGES)."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            return "zh" if value.startswith("zh") else "en"
    return "en"
