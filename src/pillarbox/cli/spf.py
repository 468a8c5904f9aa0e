"""
``pillarbox spf check|explain|merge``: what a domain says of who may send for it.

Nothing is ever written to the DNS: ``merge`` prints what a person is to publish. Exit code: 0
fine, or pass; 1 softfail, neutral, none, or a warning; 2 fail, or a record that is an error.
"""

from __future__ import annotations

import argparse
import json
import os
from ipaddress import ip_address

from pillarbox.cli.arguments import SpeakingParser, choose_language
from pillarbox.cli.main import spoken
from pillarbox.dns.answers import is_askable, nameservers_of
from pillarbox.dns.record import RecordError, parse_record, parse_term
from pillarbox.dns.spf import LOOKUPS_MAX, check_host, find_records
from pillarbox.dns.spf_coverage import needless
from pillarbox.dns.spf_merge import merge, split_strings
from pillarbox.dns.spf_walk import walk
from pillarbox.dns.spf_weakness import LENGTH_MAX, weaknesses
from pillarbox.errors import EX_TEMPFAIL, ConfigError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.net.names import ascii_host
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.record import Term

__all__ = ["domain_of", "main", "nameservers"]

_FINE, _WARNING, _ERROR = 0, 1, 2
_CODES = {"pass": _FINE, "fail": _ERROR, "permerror": _ERROR, "temperror": EX_TEMPFAIL}
_SHOWN = 400  # characters of a record


def nameservers() -> Ask:
    """
    Return who is asked; ``PILLARBOX_DNS=ADDRESS:PORT`` names another than /etc/resolv.conf.

    Raises:
        UsageError: It is no address and port.

    """
    return nameservers_of(os.environ)


def domain_of(text: str) -> str:
    """
    Return a domain, or that of an address, in ASCII.

    Raises:
        UsageError: It is none.
        MissingExtraError: It is not ASCII, and the package ``idna`` is not installed.

    """
    domain = text.rpartition("@")[2].removesuffix(".").lower()
    try:
        domain = domain if domain.isascii() else ascii_host(domain).decode()
    except ConfigError:
        domain = ""
    if "." not in domain or not is_askable(domain) or not domain.isprintable():
        raise UsageError(say("'{domain}' is no domain", domain=printable(text, 60)))
    return domain


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox spf``.

    Raises:
        UsageError: The arguments are wrong.
        NetworkError: The DNS does not answer.
        MissingExtraError: dnspython is not installed.

    """
    choose_language(argv)
    wishes = _parser().parse_args(argv)
    domain = domain_of(wishes.domain)
    ask = nameservers()
    records = tuple(wishes.record) or find_records(domain, ask)
    try:
        return _ACTIONS[wishes.action](wishes, domain, records, ask)
    except RecordError as exc:
        return _print_fault(exc, wishes.json)


def _parser() -> SpeakingParser:
    parser = SpeakingParser(
        prog="pillarbox spf",
        description=spoken(say("Check, explain or merge the SPF records of a domain.")),
        epilog=spoken(say("Exit code: 0 fine or pass, 1 warnings or no clear answer, 2 errors or"
                          " fail; 75 the DNS does not answer.")),
        allow_abbrev=False,
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        ("check", say("is the record right, and may an address send")),
        ("explain", say("the record in plain words, with its cost")),
        ("merge", say("one record out of all, and with what is added; nothing is written")),
    ):
        action = actions.add_parser(name, help=spoken(text), allow_abbrev=False)
        action.add_argument("domain", metavar="DOMAIN", help=spoken(say("the domain")))
        action.add_argument(
            "--record", action="append", default=[], metavar="TEXT",
            help=spoken(say("take this record in the place of what is published")),
        )  # fmt: skip
        action.add_argument("--json", action="store_true",
                            help=spoken(say("print one JSON object for scripts")))  # fmt: skip
        if name == "check":
            action.add_argument("--ip", metavar="IP", type=_ip,
                                help=spoken(say("the address that sends")))  # fmt: skip
            action.add_argument("--from", dest="sender", default="", metavar="ADDRESS",
                                help=spoken(say("the sender; else postmaster")))  # fmt: skip
        if name == "merge":
            action.add_argument(
                "--add", action="append", default=[], metavar="TERM",
                help=spoken(say("what may send too: a:HOST, ip4:ADDRESS, include:DOMAIN")),
            )  # fmt: skip
    return parser


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        problem = say("'{address}' is no IP address", address=printable(text, 60))
        raise argparse.ArgumentTypeError(spoken(problem)) from None


def _check(wishes: argparse.Namespace, domain: str, records: tuple[str, ...], ask: Ask) -> int:
    code = _FINE
    facts: dict[str, Any] = {"domain": domain, "records": list(records)}
    lines = [_shown(text) for text in records]
    problems: tuple[str, ...] = ()
    if not records:
        problems, code = (say("{domain} has no SPF record", domain=domain),), _WARNING
    elif len(records) > 1:
        problems = (say("{domain} has more than one SPF record", domain=domain),)
        lines.append(spoken(say("'pillarbox spf merge {domain}' makes one of them", domain=domain)))
        code = _ERROR
    else:
        way = walk(parse_record(records[0]), domain, ask)
        problems = way.problems
        facts["lookups"] = way.lookups
        lines.append(spoken(say("{count} of 10 DNS lookups", count=way.lookups)))
        code = _ERROR if problems else _FINE
        weak = tuple(weakness.problem for weakness in weaknesses(way.steps))
        if len(records[0]) > LENGTH_MAX:
            weak += (say("the SPF record of {domain} has {count} characters, and {limit} should do",
                         domain=domain, count=len(records[0]), limit=LENGTH_MAX),)  # fmt: skip
        problems, code = (*problems, *weak), max(code, _WARNING if weak else _FINE)
    if wishes.ip:
        record = records[0] if wishes.record else ""
        sender = wishes.sender or f"postmaster@{domain}"
        verdict = check_host(wishes.ip, sender, ask, helo=domain, record=record)
        facts["result"], facts["term"] = verdict.result, verdict.term
        facts["explanation"] = printable(verdict.explanation, _SHOWN)
        lines.append(f"{wishes.ip}: {verdict.result} {verdict.term}".rstrip())
        if verdict.problem:
            problems = tuple(dict.fromkeys((*problems, verdict.problem)))
        code = _CODES.get(verdict.result, _WARNING)
    facts["problems"] = [spoken(problem) for problem in problems]
    lines += [f"! {printable(problem, _SHOWN)}" for problem in facts["problems"]]
    return _print(facts, lines, code, as_json=wishes.json)


def _explain(wishes: argparse.Namespace, domain: str, records: tuple[str, ...], ask: Ask) -> int:
    if len(records) != 1:
        return _check(argparse.Namespace(ip=None, **vars(wishes)), domain, records, ask)
    way = walk(parse_record(records[0]), domain, ask)
    lines, rows = [_shown(records[0])], []
    for step in way.steps:
        words = spoken(_words(step.term, step.domain))
        indent = "  " * (step.depth + 1)
        lines.append(f"{indent}{printable(step.term.text, 100)}  [{step.lookups}/{LOOKUPS_MAX}]"
                     f"  {words}")  # fmt: skip
        if step.found and step.term.network is None:
            lines.append(f"{indent}    {' '.join(step.found[:20])}")
        if step.problem:
            lines.append(f"{indent}    ! {printable(spoken(step.problem), _SHOWN)}")
        rows.append({"depth": step.depth, "domain": step.domain, "term": step.term.text,
                     "lookups": step.lookups, "found": list(step.found), "meaning": words,
                     "problem": spoken(step.problem)})  # fmt: skip
    lines.append(spoken(say("{count} of 10 DNS lookups", count=way.lookups)))
    facts = {"domain": domain, "record": records[0], "lookups": way.lookups, "terms": rows,
             "problems": [spoken(problem) for problem in way.problems]}  # fmt: skip
    lines += [f"! {printable(spoken(problem), _SHOWN)}" for problem in way.problems]
    return _print(facts, lines, _ERROR if way.problems else _FINE, as_json=wishes.json)


def _words(term: Term, domain: str) -> str:
    """Return a term in plain words."""
    target = printable(term.value or domain, 100)
    if term.is_modifier:
        meanings = {"redirect": say("else what {domain} says", domain=target),
                    "exp": say("where the text for refused senders stands")}  # fmt: skip
        return meanings.get(term.name, say("receivers do not know it and go on"))
    who = {
        "all": say("everybody else"),
        "include": say("whom {domain} permits", domain=target),
        "a": say("the addresses of {domain}", domain=target),
        "mx": say("the mail servers of {domain}", domain=target),
        "ptr": say("hosts whose name ends in {domain}", domain=target),
        "exists": say("if {domain} is there", domain=target),
    }.get(term.name, say("the addresses {network}", network=term.network))
    return {
        "+": say("{who}: may send", who=who),
        "-": say("{who}: refused", who=who),
        "~": say("{who}: suspicious", who=who),
        "?": say("{who}: nothing is said", who=who),
    }[term.qualifier]


def _merge(wishes: argparse.Namespace, domain: str, records: tuple[str, ...], ask: Ask) -> int:
    additions = tuple(parse_term(text) for text in wishes.add)
    for term in additions:
        if term.qualifier != "+" or term.name == "all":
            raise UsageError(say("--add takes what may send, such as a:mail.example.com"))
    merged = merge(records, additions, domain=domain)
    way = walk(parse_record(merged.text), domain, ask)
    told = (*merged.notes, *way.problems, *needless(additions, records, domain, ask))
    notes = list(dict.fromkeys(told))
    strings = " ".join(f'"{part}"' for part in split_strings(merged.text))
    facts: dict[str, Any] = {
        "domain": domain,
        "published": list(records), "record": merged.text,
             "zone": f"{domain}. IN TXT {strings}", "lookups": way.lookups,
             "notes": [spoken(note) for note in notes]}  # fmt: skip
    lines = [merged.text, "", facts["zone"], *(f"! {note}" for note in facts["notes"])]
    return _print(facts, lines, _ERROR if way.problems else _FINE, as_json=wishes.json)


_ACTIONS = {"check": _check, "explain": _explain, "merge": _merge}


def _print(facts: dict[str, Any], lines: list[str], code: int, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({**facts, "code": code}, indent=2))
    else:
        print("\n".join(lines))
    return code


def _print_fault(exc: RecordError, as_json: bool) -> int:  # noqa: FBT001 (one caller)
    problem, advice = spoken(exc.problem), spoken(exc.advice)
    facts = {"record": exc.record, "place": exc.place + 1, "problems": [problem], "advice": advice}
    # One character stays one column, so that the mark stands below the fault.
    text = "".join(char if " " <= char <= "~" else "?" for char in exc.record)
    first = max(0, exc.place - 40)
    mark = " " * (exc.place - first) + "^" * min(exc.length, 60)
    lines = [text[first : first + 100], mark, f"! {problem}", *([f"  {advice}"] if advice else [])]
    return _print(facts, lines, _ERROR, as_json=as_json)


def _shown(record: str) -> str:
    return printable(record, _SHOWN)
