"""
``pillarbox providers [NAME]``: what is known of the hosted mail providers.

Without a name, a table; with one, everything: where mail is handed in, what is to be done in the
provider's console, what stands for the password, what its servers say and what that means. It
reads the preset files and asks nobody.
"""

from __future__ import annotations

import json
import os

from pillarbox.cli.arguments import SpeakingParser, choose_language
from pillarbox.cli.main import spoken
from pillarbox.cli.page import Page, width_of
from pillarbox.config.providers import Endpoint, Provider, find_providers, load_providers
from pillarbox.errors import EX_OK, MissingInputError
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, localize, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

__all__ = [
    "cells_of",
    "from_rule_text",
    "main",
    "make_parser",
    "one_provider",
    "provider_row",
    "retry_text",
    "username_text",
]

_KIB = 1024
_TLS = {"implicit": "TLS", "starttls": "STARTTLS", "plain": say("without TLS: never")}

# The rules of the preset files about the sender and the login name, in words.
_FROM_RULES = {
    "must-equal-login": say("only the address that logs in"),
    "must-equal-login-or-alias": say("the address that logs in, or an alias of it"),
    "must-equal-login-or-send-as": say("the address that logs in, or one that it may send as"),
    "must-equal-login-or-verified": say("the address that logs in, or one that was verified"),
    "must-be-own-address": say("an address of the account"),
    "must-be-own-address-or-alias": say("an address of the account, or an alias of it"),
    "alias-allowed": say("an address of the account, or an alias of it"),
    "rewritten-unless-verified-alias": say("others than verified ones are replaced by the login"),
    "verified-domain": say("an address of a verified domain"),
    "verified-identity": say("a verified address, or one of a verified domain"),
}
_USERNAMES = {
    "full-address": say("the whole address"),
    "sender-address-created-in-console": say("the sender's address, made in the console"),
    "shown-by-bridge": say("as Bridge shows it"),
    "same-as-password": say("the same as the password"),
    "smtp-credential": say("as the console shows it"),
    "smtp-login": say("as the console shows it"),
    "api-key": say("the API key"),
    "smtp-user": say("as the console shows it"),
}
_LIMITS: dict[str, Callable[[int], str]] = {
    "messages_per_day": lambda count: say("{count} mails a day", count=count),
    "messages_per_hour": lambda count: say("{count} mails an hour", count=count),
    "messages_per_minute": lambda count: say("{count} mails a minute", count=count),
    "recipients_per_day": lambda count: say("{count} recipients a day", count=count),
    "recipients_per_message": lambda count: say("{count} recipients a mail", count=count),
}
# How sure we are, as the preset files write it.
_CONFIDENCE = {
    "S": say("from a source"),
    "G": say("general knowledge"),
    "I": say("inferred"),
}
_RETRIES = {
    "no": say("do not try again"),
    "later": say("try again later"),
    "later-once": say("try again once, later"),
    "next-day": say("try again the next day"),
    "hold": say("no login for an hour"),
}

_TEXTS = {
    "where": say("Where mail is handed in"),
    "console": say("What to do in the console"),
    "login": say("The login and the sender"),
    "limits": say("Limits"),
    "dns": say("DNS of your domain"),
    "quirks": say("Good to know"),
    "replies": say("What its servers say"),
    "more": say("More"),
}


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox providers``.

    Raises:
        UsageError: The arguments are wrong.
        MissingInputError: No provider, or none alone, is called so.

    """
    choose_language(argv)
    wishes = make_parser().parse_args(argv)
    if not wishes.name:
        _print_all(is_json=wishes.json)
        return EX_OK
    provider = one_provider(wishes.name)
    if wishes.json:
        print(json.dumps(provider_row(provider), ensure_ascii=False, indent=2))
    else:
        _print_one(provider)
    return EX_OK


def make_parser() -> SpeakingParser:
    """Return the reader of the command line."""
    parser = SpeakingParser(
        prog="pillarbox providers",
        description=spoken(say("Show what is known of hosted mail providers; asks no network.")),
        allow_abbrev=False,
    )
    name = say("a provider, by its name, a domain, an address, a host or an MX; all if left out")
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help=spoken(name))
    parser.add_argument("--json", action="store_true", help=spoken(say("print JSON for a program")))
    return parser


def one_provider(words: str) -> Provider:
    """
    Return the provider that a person names.

    Raises:
        MissingInputError: None is called so, or several.

    """
    found = find_providers(words)
    if len(found) == 1:
        return found[0]
    name = printable(words, 60)
    if found:
        raise MissingInputError(
            say("'{name}' may be one of several providers", name=name),
            advice=say("write one of: {names}", names=", ".join(each.id for each in found)),
        )
    raise MissingInputError(
        say("no provider is known as '{name}'", name=name),
        advice=say("'pillarbox providers' lists them; any other server works too, set up by hand"),
    )


def provider_row(provider: Provider) -> dict[str, Any]:
    """Return all that is known of a provider, for JSON."""
    return {
        "id": provider.id,
        "name": {"en": provider.name("en"), "zh": provider.name("zh")},
        "aliases": provider.aliases,
        "kind": provider.kind,
        "domains": provider.domains,
        "mx_suffixes": provider.mx_suffixes,
        "endpoints": [_endpoint_row(endpoint) for endpoint in provider.endpoints],
        "username": {"rule": provider.username_rule, "value": provider.username},
        "from": {"rule": provider.from_rule, "note": provider.from_note},
        "auth": provider.auth,
        "secret": {
            "kind": provider.secret_kind,
            "label": {lang: provider.secret_label(lang) for lang in ("en", "zh")},
            "url": provider.secret_url,
        },
        "steps": {lang: provider.steps(lang) for lang in ("en", "zh")},
        "limits": {**provider.limits, "note": provider.limits_note},
        "spf_include": provider.spf_include,
        "dkim": {"selectors": provider.dkim_selectors, "note": provider.dkim_note},
        "replies": [
            {
                "sample": reply.sample,
                "stage": reply.stage,
                "retry": reply.retry,
                "cause": {lang: reply.cause(lang) for lang in ("en", "zh")},
                "fix": {lang: reply.fix(lang) for lang in ("en", "zh")},
                "confidence": reply.confidence,
            }
            for reply in provider.replies
        ],
        "notes": provider.notes,
        "docs": provider.docs,
        "confidence": provider.confidence,
    }


def _endpoint_row(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "tls": endpoint.tls,
        "is_preferred": endpoint.is_preferred,
        "note": endpoint.note,
        "confidence": endpoint.confidence,
    }


def _print_all(*, is_json: bool) -> None:
    if is_json:
        rows = [provider_row(provider) for provider in load_providers()]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    heads = (say("name"), say("host, port, TLS"), say("sender"), say("limits"), say("sure?"))
    table = [[spoken(head) for head in heads]]
    language = language_of(os.environ)
    table += [list(cells_of(provider, language)) for provider in load_providers()]
    widths = [max(map(width_of, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [
            cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())
    print()
    print(spoken(say("S: from a source; G: general knowledge; I: inferred; -: not known")))
    print(spoken(say("'pillarbox providers NAME' shows all that is known of one")))


def cells_of(provider: Provider, language: str) -> Iterator[str]:
    """Yield a provider's row of the table, in ``en`` or ``zh``; docs/generate.py asks too."""
    best = provider.preferred
    yield provider.id
    yield f"{best.host}:{best.port} {localize(_TLS[best.tls], language)}"
    yield localize(from_rule_text(provider), language)
    yield ", ".join(_limits(provider, language)) or "-"
    known = provider.confidence
    yield "/".join(_short(known.get(fact, "")) for fact in ("host", "from_rule", "limits"))


def _short(confidence: str) -> str:
    return confidence[:1] if confidence[:1] in "SGI" and confidence else "-"


def from_rule_text(provider: Provider) -> str:
    """Return which senders a provider takes."""
    return _FROM_RULES[provider.from_rule]


def username_text(provider: Provider) -> str:
    """Return what the login name is."""
    if provider.username_rule == "literal":
        return say("always {name}", name=provider.username)
    if provider.username_rule == "domain-user":
        return say("such as {name}", name=provider.username)
    return _USERNAMES[provider.username_rule]


def retry_text(retry: str) -> str:
    """Return what a class of ``KnownReply.retry`` means."""
    return _RETRIES[retry]


def _limits(provider: Provider, language: str) -> Iterator[str]:
    for name, text in _LIMITS.items():
        if name in provider.limits:
            yield localize(text(provider.limits[name]), language)
    size = provider.limits.get("message_bytes")
    if size:
        yield f"{size / _KIB / _KIB:.0f} MiB"


def _print_one(provider: Provider) -> None:
    language = language_of(os.environ)
    page = Page({key: spoken(text) for key, text in _TEXTS.items()})
    title = f"{provider.name(language)} ({provider.id})"
    print(title, "=" * width_of(title), sep="\n")
    page.section("where")
    for endpoint in provider.endpoints:
        mark = spoken(say("recommended")) if endpoint.is_preferred else ""
        text = f"{endpoint.host}:{endpoint.port} {spoken(_TLS[endpoint.tls])}"
        words = [mark, _sure(endpoint.confidence), endpoint.note]
        page.item(f"{text} ({'; '.join(filter(None, words))})" if any(words) else text)
    page.section("console")
    for number, step in enumerate(provider.steps(language), 1):
        page.row(f"[ ] {number}.", step, width=8)
    page.line(f"({_sure(provider.confidence['steps'])})")
    _print_login(page, provider, language)
    _print_dns(page, provider)
    if provider.notes:
        page.section("quirks")
        for note in provider.notes:
            page.item(note)
    _print_replies(page, provider, language)
    page.section("more")
    _print_items(page, provider.docs)
    page.item(f"pillarbox explain --provider {provider.id} TEXT")


def _print_login(page: Page, provider: Provider, language: str) -> None:
    page.section("login")
    _row(page, say("user"), spoken(username_text(provider)))
    secret = provider.secret_label(language)
    _row(page, say("password"), secret, provider.secret_url)
    _row(page, say("methods"), ", ".join(provider.auth))
    _row(page, say("sender"), spoken(from_rule_text(provider)), provider.from_note)
    _row(page, say("sure?"), _sure(provider.confidence.get("from_rule", "unknown")))
    page.section("limits")
    text = ", ".join(_limits(provider, language)) or spoken(say("none is published"))
    _row(page, say("limits"), text, provider.limits_note)
    _row(page, say("sure?"), _sure(provider.confidence.get("limits", "unknown")))


def _print_dns(page: Page, provider: Provider) -> None:
    page.section("dns")
    unknown = spoken(say("not known; the console tells"))
    mx = ", ".join(f"*.{suffix}" for suffix in provider.mx_suffixes)
    if provider.kind == "mailbox" and mx:
        _row(page, "MX", mx)
    spf = f"include:{provider.spf_include}" if provider.spf_include else unknown
    _row(page, "SPF", spf, _sure(provider.confidence.get("spf", "unknown")))
    names = [f"{selector}._domainkey" for selector in provider.dkim_selectors]
    _row(page, "DKIM", ", ".join(names) or unknown, provider.dkim_note)


def _print_replies(page: Page, provider: Provider, language: str) -> None:
    if not provider.replies:
        return
    page.section("replies")
    for reply in provider.replies:
        page.item(reply.sample)
        for text in (reply.cause(language), reply.fix(language), spoken(retry_text(reply.retry))):
            page.row("", text, width=2)


def _row(page: Page, title: str, text: str, note: str = "") -> None:
    name = spoken(title)
    page.row(name, f"{text} ({note})" if note else text, width=max(12, width_of(name) + 1))


def _print_items(page: Page, texts: Sequence[str]) -> None:
    for text in texts:
        page.item(text)


def _sure(confidence: str) -> str:
    """Return how sure we are, in words; what a file says beyond its letter stays as it is."""
    words = [spoken(_CONFIDENCE[letter]) for letter in confidence.split("/") if letter in "SGI"]
    if words and confidence.replace("/", "") in ("S", "G", "I", "SG"):
        return " / ".join(words)
    return spoken(say("not known for certain")) if confidence == "unknown" else confidence
