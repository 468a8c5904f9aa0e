"""
What is known of the hosted mail providers, as values: the preset files, read once.

``hints`` reads the same files for one thing only, what a reply means, and only as many as it
needs; here they are read whole, for a person who wishes to know, and for whoever finds out from
an address, a host or an MX which provider it is. Nothing here asks the network.

The rule to keep: a fact that is in no preset file is not known. Nothing is guessed from a name.
"""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from pillarbox.config.hints import LOOKED_AT, fits, is_endpoint
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = [
    "Endpoint",
    "KnownReply",
    "Provider",
    "find_providers",
    "load_generic_replies",
    "load_providers",
    "provider_of_domain",
    "provider_of_endpoint",
    "provider_of_host",
    "provider_of_mx",
]

_FOLDER = os.path.join(os.path.dirname(__file__), "presets")
_GENERIC = "generic.toml"  # hints of nobody's in particular

_CLOSE = 0.72  # of difflib: "alyun" is aliyun, and "example" is nobody


class Endpoint(Value):
    """
    One way to a provider.

    Attributes:
        host: A name; ``{region}`` in it stands for one label that the account decides.
        port: TCP.
        tls: ``implicit``, ``starttls`` or ``plain`` (never to be used).
        is_preferred: The one to configure.
        note: A remark, in English; empty: none.
        confidence: How sure we are: ``S``, ``G``, ``I`` or ``unknown``.

    """

    __slots__ = ("confidence", "host", "is_preferred", "note", "port", "tls")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.host: str = row["host"]
        self.port: int = row["port"]
        self.tls: str = row["tls"]
        self.is_preferred: bool = row["preferred"]
        self.note: str = row["note"]
        self.confidence: str = row["confidence"]

    def is_host(self, host: str) -> bool:
        """Tell whether a host, in lower case and without a last dot, is this one."""
        return is_endpoint(self.host, host)


class KnownReply(Value):
    """
    Something that a server says, explained.

    Attributes:
        sample: What it said once, word for word.
        regex: What the text must match, without regard to case.
        stage: ``connect``, ``auth``, ``mail``, ``rcpt``, ``data``, ``bounce`` or ``any``.
        retry: ``no``, ``later``, ``later-once``, ``next-day`` or ``hold``.
        has_code: It is a reply, whose code is known.
        confidence: How sure we are.

    """

    __slots__ = ("_causes", "_fixes", "confidence", "has_code", "regex", "retry", "sample", "stage")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.sample: str = row["sample"]
        self.regex: str = row["regex"]
        self.stage: str = row["stage"]
        self.retry: str = row["retry"]
        self.has_code = "code" in row
        self.confidence: str = row["confidence"]
        self._causes = (row["cause_en"], row["cause_zh"])
        self._fixes = (row["fix_en"], row["fix_zh"])

    def explains(self, text: str, stage: str = "") -> bool:
        """Tell whether it is about a text; ``stage`` is that of ``hints.find_hint``."""
        if not fits(self.stage, text, stage, has_code=self.has_code):
            return False
        return bool(re.search(self.regex, text[:LOOKED_AT], re.IGNORECASE | re.DOTALL))

    def cause(self, language: str) -> str:
        """Return why it happens, in ``en`` or ``zh``."""
        return _in_language(self._causes, language)

    def fix(self, language: str) -> str:
        """Return what to do, in ``en`` or ``zh``."""
        return _in_language(self._fixes, language)


class Provider(Value):
    """
    What is known of one provider; a text in two languages is asked for with its language.

    Not hashable: ``limits`` and ``confidence`` are looked up by name.

    Attributes:
        id: Its short name, which is that of its file.
        aliases: Other short names.
        kind: ``mailbox`` (an account that also receives) or ``relay`` (a service that sends).
        domains: Those of its addresses.
        mx_suffixes: What the MX of a domain ends in that receives there.
        endpoints: Where mail is handed in, the best first.
        username_rule: What the login name is, ``full-address`` mostly.
        username: The login name where it is a fixed word, or its pattern; else empty.
        from_rule: Which senders are taken, such as ``must-equal-login``.
        from_note: A remark on it, in English.
        auth: Mechanisms, as the server names them.
        secret_kind: What stands for the password.
        secret_url: Where to get it; empty: not known.
        limits: Published numbers by name, such as ``messages_per_day``.
        limits_note: A remark on them, in English.
        spf_include: What the SPF record of a domain that sends there must include; empty:
            nothing, or not known.
        dkim_selectors: Where its DKIM keys are; empty: the console tells.
        dkim_note: A remark on them, in English.
        replies: What its servers say, explained.
        notes: Oddities, in English.
        docs: Where more is to be read.
        confidence: Fact -> how sure we are.

    """

    __slots__ = (
        "_labels",
        "_names",
        "_steps",
        "aliases",
        "auth",
        "confidence",
        "dkim_note",
        "dkim_selectors",
        "docs",
        "domains",
        "endpoints",
        "from_note",
        "from_rule",
        "id",
        "kind",
        "limits",
        "limits_note",
        "mx_suffixes",
        "notes",
        "replies",
        "secret_kind",
        "secret_url",
        "spf_include",
        "username",
        "username_rule",
    )

    def __init__(self, preset: Mapping[str, Any]) -> None:
        self.id: str = preset["id"]
        self._names = (preset["name_en"], preset["name_zh"])
        self.aliases: tuple[str, ...] = tuple(preset["aliases"])
        self.kind: str = preset["kind"]
        self.domains: tuple[str, ...] = tuple(preset["domains"])
        self.mx_suffixes: tuple[str, ...] = tuple(preset["mx_suffixes"])
        rows = [Endpoint(row) for row in preset["endpoints"]]
        self.endpoints = tuple(sorted(rows, key=lambda row: not row.is_preferred))
        self.username_rule: str = preset["username"]["rule"]
        self.username: str = preset["username"].get("value", "")
        self.from_rule: str = preset["from_rule"]["rule"]
        self.from_note: str = preset["from_rule"].get("note", "")
        self.auth: tuple[str, ...] = tuple(preset["auth"])
        secret = preset["secret"]
        self.secret_kind: str = secret["kind"]
        self._labels = (secret["label_en"], secret["label_zh"])
        self.secret_url: str = secret.get("url", "")
        limits = preset["limits"]
        self.limits: dict[str, int] = {
            name: value for name, value in limits.items() if type(value) is int
        }
        self.limits_note: str = limits.get("note", "")
        self.spf_include: str = preset.get("spf_include", "")
        dkim = preset.get("dkim", {})
        one = dkim.get("selector")
        self.dkim_selectors: tuple[str, ...] = tuple(dkim.get("selectors", (one,) if one else ()))
        self.dkim_note: str = dkim.get("note", "")
        self.replies = tuple(KnownReply(row) for row in preset.get("error_hints", ()))
        self.notes: tuple[str, ...] = tuple(preset["notes"])
        self.docs: tuple[str, ...] = tuple(preset["docs"])
        self.confidence: dict[str, str] = dict(preset["confidence"])
        self._steps = tuple((row["en"], row["zh"]) for row in preset["steps"])

    def name(self, language: str) -> str:
        """Return its name in ``en`` or ``zh``."""
        return _in_language(self._names, language)

    def secret_label(self, language: str) -> str:
        """Return what to give as the password, in ``en`` or ``zh``."""
        return _in_language(self._labels, language)

    def steps(self, language: str) -> tuple[str, ...]:
        """Return what is to be done in its console, in order, in ``en`` or ``zh``."""
        return tuple(_in_language(step, language) for step in self._steps)

    @property
    def preferred(self) -> Endpoint:
        """The endpoint to configure."""
        return self.endpoints[0]

    def is_host(self, host: str) -> bool:
        """Tell whether a host is one of its endpoints."""
        host = host.lower().rstrip(".")
        return any(endpoint.is_host(host) for endpoint in self.endpoints)


def _in_language(texts: tuple[str, str], language: str) -> str:
    return texts[1] if language == "zh" else texts[0]


@cache
def load_providers() -> tuple[Provider, ...]:
    """Return all of them, those with mailboxes before the relays, by identifier."""
    names = [name for name in os.listdir(_FOLDER) if name.endswith(".toml") and name != _GENERIC]
    providers = [Provider(_read(name)) for name in names]
    return tuple(sorted(providers, key=lambda provider: (provider.kind, provider.id)))


@cache
def load_generic_replies() -> tuple[KnownReply, ...]:
    """Return what many servers say, explained."""
    return tuple(KnownReply(row) for row in _read(_GENERIC)["error_hints"])


def _read(name: str) -> dict[str, Any]:
    with open(os.path.join(_FOLDER, name), "rb") as file:
        return tomllib.load(file)


def provider_of_host(host: str) -> Provider | None:
    """Return whose server a host is; None: nobody's that we know."""
    return next((each for each in load_providers() if each.is_host(host)), None)


def provider_of_endpoint(host: str, port: int) -> Provider | None:
    """
    Return whose server is at a host and port; None: nobody's that we know.

    On this computer the port decides: Proton's bridge has its own, and any relay may be at others.
    """
    provider = provider_of_host(host)
    if provider is None or not _is_loopback(host):
        return provider
    return provider if port in [way.port for way in provider.endpoints] else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def provider_of_domain(domain: str) -> Provider | None:
    """Return who gives addresses of a domain away; None: it is somebody's own."""
    domain = domain.lower().rstrip(".")
    return next((each for each in load_providers() if domain in each.domains), None)


def provider_of_mx(host: str) -> Provider | None:
    """Return who receives at a host that an MX record names; the longest suffix decides."""
    host = host.lower().rstrip(".")
    found = [
        (len(suffix), each)
        for each in load_providers()
        for suffix in each.mx_suffixes
        if host == suffix or host.endswith("." + suffix)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def find_providers(words: str) -> tuple[Provider, ...]:
    """
    Return the providers that a person may mean, the likeliest first.

    Args:
        words: An identifier, a name in either language, the domain of an address, an address, a
            host, an MX, or about one of these; of several equals all are returned.

    """
    wanted = words.strip().lower().rstrip(".")
    wanted = wanted.rpartition("@")[2]
    if not wanted:
        return ()
    for provider in load_providers():
        if wanted in (provider.id, *provider.aliases):
            return (provider,)
    for known in (provider_of_domain, provider_of_host, provider_of_mx):
        found = known(wanted)
        if found is not None:
            return (found,)
    return _partly(wanted) or _nearly(wanted)


def _partly(wanted: str) -> tuple[Provider, ...]:
    """Return those of whose names the wanted text is a part; where a name begins so, first."""
    ranked = []
    for provider in load_providers():
        places = [at for name in _names(provider) if (at := name.find(wanted)) >= 0]
        if places:
            ranked.append((min(places) > 0, provider))
    return tuple(provider for _, provider in sorted(ranked, key=lambda pair: pair[0]))


def _nearly(wanted: str) -> tuple[Provider, ...]:
    """Return those with a name that differs by a slip of the finger."""
    from difflib import get_close_matches

    by_name = {name: provider for provider in load_providers() for name in _names(provider)}
    close = get_close_matches(wanted, by_name, 3, _CLOSE)
    return tuple({by_name[name].id: by_name[name] for name in close}.values())


def _names(provider: Provider) -> Iterator[str]:
    """Yield all that a provider is called, in lower case."""
    yield provider.id
    yield from provider.aliases
    yield provider.name("en").lower()
    yield provider.name("zh").lower()
    yield from provider.domains
    for endpoint in provider.endpoints:
        yield endpoint.host
