"""
``pillarbox dns DOMAIN``: the records that a domain needs to send, and what is there of them.

As rows, as a snippet of a zone file, and as the fields of the form of Aliyun DNS, whose three
words are the same in every language. Nothing is written to the DNS. Exit code: 0 all is as it
should be, 1 something is missing or for the console to say, 2 something is wrong.
"""

from __future__ import annotations

import json
import os

from pillarbox.cli.arguments import SpeakingParser, choose_language
from pillarbox.cli.main import spoken
from pillarbox.cli.providers import one_provider
from pillarbox.cli.spf import domain_of, nameservers
from pillarbox.config.providers import provider_of_mx
from pillarbox.dns.record import parse_term
from pillarbox.dns.sender_records import FINE, MISSING, OPEN, WRONG, sender_records
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.config.providers import Provider
    from pillarbox.dns.answers import Ask
    from pillarbox.dns.sender_records import Row

__all__ = ["main"]

_CODES = {FINE: 0, MISSING: 1, OPEN: 1, WRONG: 2}
_STATES = {
    FINE: say("as it should be"),
    MISSING: say("missing"),
    OPEN: say("see the provider's console"),
    WRONG: say("to be changed"),
}
_FORM = ("\u4e3b\u673a\u8bb0\u5f55", "\u8bb0\u5f55\u7c7b\u578b", "\u8bb0\u5f55\u503c")
_SHOWN = 600  # characters of a value: a DKIM key of 2048 bits has 410


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox dns``.

    Raises:
        UsageError: The arguments are wrong.
        MissingInputError: No provider, or none alone, is called so.
        NetworkError: The DNS does not answer.
        MissingExtraError: dnspython is not installed.
        RecordError: ``--add`` is no term of SPF.

    """
    choose_language(argv)
    wishes = _parser().parse_args(argv)
    domain = domain_of(wishes.domain)
    ask = nameservers()
    provider = one_provider(wishes.provider) if wishes.provider else _receiving(domain, ask)
    rows = sender_records(
        domain,
        ask,
        mx_suffixes=provider.mx_suffixes if provider else (),
        spf_include=provider.spf_include if provider else "",
        selectors=provider.dkim_selectors if provider else (),
        additions=tuple(parse_term(text) for text in wishes.add),
        reports_to=wishes.reports_to,
    )
    if wishes.json:
        _print_json(domain, provider, rows)
    else:
        _print_page(domain, provider, rows)
    return max(_CODES[row.state] for row in rows)


def _parser() -> SpeakingParser:
    parser = SpeakingParser(
        prog="pillarbox dns",
        description=spoken(say("Show the records that a domain needs to send mail.")),
        epilog=spoken(
            say(
                "Exit code: 0 all is as it should be, 1 something is missing or for the"
                " provider's console to say, 2 something is wrong; 75 the DNS does not answer."
            )
        ),
        allow_abbrev=False,
    )
    for flag, metavar, text in (
        ("--provider", "NAME", say("the mail provider; else the one that the MX name")),
        ("--reports-to", "ADDRESS", say("who gets DMARC reports; else postmaster")),
    ):
        parser.add_argument(flag, metavar=metavar, default="", help=spoken(text))
    parser.add_argument("domain", metavar="DOMAIN", help=spoken(say("the domain")))
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="TERM",
        help=spoken(say("what may send too: a:HOST, ip4:ADDRESS, include:DOMAIN")),
    )
    parser.add_argument(
        "--json", action="store_true", help=spoken(say("print one JSON object for scripts"))
    )
    return parser


def _receiving(domain: str, ask: Ask) -> Provider | None:
    for row in sorted(row for row in ask(domain, "MX") if isinstance(row, tuple)):
        provider = provider_of_mx(row[1])
        if provider is not None:
            return provider
    return None


def _print_page(domain: str, provider: Provider | None, rows: Sequence[Row]) -> None:
    language = language_of(os.environ)
    name = provider.name(language) if provider else say("not known")
    print(spoken(say("{domain}: mail provider {name}", domain=domain, name=name)))
    for row in rows:
        print(f"\n{row.host} {row.kind}: {spoken(_STATES[row.state])}")
        for value in row.present:
            print(f"   {printable(value, _SHOWN)}")
        for note in row.notes:
            print(f"   ! {printable(spoken(note), _SHOWN)}")
    print("\n" + spoken(say("As a zone file (nothing was written):")))
    for row in rows:
        for line in row.zone_lines(domain):
            print(f"   {line}")
    print("\n" + spoken(say("As the form of Aliyun DNS:")))
    print("   " + " | ".join(_FORM))
    for row in rows:
        for value in row.wished:
            print("   " + " | ".join((row.host, row.kind, printable(value, _SHOWN))))


def _print_json(domain: str, provider: Provider | None, rows: Sequence[Row]) -> None:
    found = {
        "domain": domain,
        "provider": provider.id if provider else "",
        "records": [
            {
                "host": row.host,
                "kind": row.kind,
                "state": row.state,
                "present": list(row.present),
                "wished": list(row.wished),
                "zone": list(row.zone_lines(domain)),
                "notes": [spoken(note) for note in row.notes],
            }
            for row in rows
        ],
    }
    print(json.dumps(found, indent=2))
