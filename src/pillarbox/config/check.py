"""
Find everything that is wrong with configuration files, and what is not wrong but not meant.

Reading them for a mail stops at the first fault; here all are found, each with its place. An
error is what fails or will fail; a warning works and should not stay; a note is what a person
may not know. To add a check, write a generator and give it a row in ``CHECKS`` (of one account)
or ``CHECKS_OF_ALL``.

The rule to keep: nothing is run (``eval`` and ``passwordeval`` are commands), nothing is asked of
the network, and no finding repeats what may be a secret.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.account import ALIASES, FIELD_BY_NAME, FIELDS, Account
from pillarbox.config.fallback import check_fallbacks
from pillarbox.config.files import read_file
from pillarbox.config.finish import finish_account
from pillarbox.config.load import SYSTEM_FILE, Wishes, judge_permissions
from pillarbox.config.match import has_wildcard, matches_sender
from pillarbox.config.parse import STRUCTURE, ParsedFile, parse
from pillarbox.config.patterns import Surroundings
from pillarbox.config.providers import load_providers, provider_of_host
from pillarbox.errors import ConfigError, PillarboxError
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "CHECKS",
    "CHECKS_OF_ALL",
    "ERROR",
    "NOTE",
    "WARNING",
    "Finding",
    "check_files",
    "usual_files",
]

ERROR, WARNING, NOTE = "error", "warning", "note"

_FILE_MAX = 1 << 20  # bytes, as for a mail
_PORT_IMPLICIT = 465
_PORTS_STARTTLS = (25, 587)
_CLOSE = 0.85  # of difflib: one or two letters of a host's name
_KEYWORDS = frozenset(
    [*FIELD_BY_NAME, *(alias.name for alias in ALIASES), *(word for word, _ in STRUCTURE)]
)
_WITHOUT_USER = ("off", "external", "gssapi")


class Finding(Value):
    """
    One thing that was found.

    Attributes:
        severity: ``ERROR``, ``WARNING`` or ``NOTE``.
        problem: What is wrong.
        advice: What to do; empty: nothing.
        path: The file; empty: it is about all of them.
        line: Counted from 1; 0: it is in no single line.
        column: Counted from 1, in characters; 0 likewise.

    """

    __slots__ = ("advice", "column", "line", "path", "problem", "severity")

    def __init__(
        self,
        severity: str,
        problem: str,
        advice: str = "",
        *,
        place: tuple[str, int] = ("", 0),
        column: int = 0,
    ) -> None:
        self.severity = severity
        self.problem = problem
        self.advice = advice
        self.path, self.line = place
        self.column = column


class _File(Value):
    """
    One file that could be read.

    Attributes:
        parsed: What it says, as far as it can be understood.
        lines: Its text.
        has_eval: What its ``eval`` lines would set is not known.

    """

    __slots__ = ("has_eval", "lines", "parsed")

    def __init__(self, parsed: ParsedFile, lines: list[str], *, has_eval: bool) -> None:
        self.parsed = parsed
        self.lines = lines
        self.has_eval = has_eval


class _Desk:
    """What the checks look at."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self.files: list[_File] = []

    @property
    def accounts(self) -> list[Account]:
        """The accounts among which one is chosen, in that order: the user's first."""
        by_name: dict[str, Account] = {}
        for file in reversed(self.files):
            for account in file.parsed.accounts:
                by_name.setdefault(account.name, account)
        return list(by_name.values())

    @property
    def has_eval(self) -> bool:
        """Whether something is set that is not known here."""
        return any(file.has_eval for file in self.files)

    def headers(self) -> Iterator[tuple[str, int, str, list[str]]]:
        """Yield path, line, name and parents of each ``account`` line."""
        for file in self.files:
            for number, line in enumerate(file.lines, 1):
                word, _, rest = line.strip().replace("\t", " ").partition(" ")
                if word == "account":
                    name, _, parents = rest.strip().partition(":")
                    names = [parent.strip() for parent in parents.split(",") if parent.strip()]
                    yield file.parsed.path, number, name.strip(), names

    def place_of(self, account: Account) -> tuple[str, int]:
        """Return where an account begins."""
        for path, line, name, _ in self.headers():
            if path == account.origin and name == account.name:
                return path, line
        return account.origin, 0


def usual_files(wishes: Wishes) -> list[str]:
    """Return the files that would be read for this user, the system's first; all are there."""
    home = Surroundings(wishes.env, wishes.uid).home_directory()
    config_home = wishes.env.get("XDG_CONFIG_HOME") or f"{home}/.config"
    own = [f"{home}/.msmtprc", f"{config_home}/msmtp/config"]
    there = [path for path in own if os.path.lexists(path)]
    return [path for path in (SYSTEM_FILE, *there[:1]) if os.path.lexists(path)]


def check_files(paths: Sequence[str], wishes: Wishes) -> list[Finding]:
    """
    Return what is to be said about files that are used together.

    Args:
        paths: The files, the system's first.
        wishes: The caller; ``settings`` are not looked at.

    """
    desk = _Desk(wishes)
    findings: list[Finding] = []
    for path in paths:
        findings += _read(path, desk)
    for account in desk.accounts:
        for check in CHECKS:
            findings += check(account, desk)
    for check_all in CHECKS_OF_ALL:
        findings += check_all(desk)
    order = {path: number for number, path in enumerate(paths)}
    findings = [_with_column(finding, desk) for finding in findings]
    return sorted(findings, key=lambda each: (order.get(each.path, len(order)), each.line))


def _read(path: str, desk: _Desk) -> Iterator[Finding]:
    """Read one file; what it breaks of the grammar, and what its owner and mode are."""
    try:
        content, status = read_file(path, _FILE_MAX)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or say("no file can have this name")
        yield Finding(ERROR, say("cannot be read: {reason}", reason=reason), place=(path, 0))
        return
    if len(content) > _FILE_MAX:
        yield Finding(ERROR, say("is larger than a mebibyte"), place=(path, 0))
        return
    faults: list[ConfigError] = []
    evals: list[int] = []

    def skip_eval(_command: str, line: int) -> str:
        evals.append(line)
        return "# nothing is run here"

    try:
        parsed = parse(content, path, run_eval=skip_eval, on_fault=faults.append)
    except ConfigError as error:  # no text at all
        yield _of_error(error)
        return
    yield from map(_of_error, faults)
    for line in evals:
        problem = say("eval is not run here: what it prints is not checked")
        yield Finding(NOTE, problem, place=(path, line))
    try:
        is_system = path == SYSTEM_FILE
        for note in judge_permissions(parsed, status, desk.wishes, is_system=is_system):
            advice = say("chmod 600 {path}, or use passwordeval in place of password", path=path)
            yield Finding(WARNING, note, advice, place=(path, 0))
    except ConfigError as error:
        yield _of_error(error)
    lines = content.decode("utf-8-sig", "surrogateescape").split("\n")
    desk.files.append(_File(parsed, lines, has_eval=bool(evals)))


def _of_error(error: ConfigError) -> Finding:
    return Finding(ERROR, error.problem, error.advice, place=(error.path, error.line))


def _with_column(finding: Finding, desk: _Desk) -> Finding:
    """Return a finding with the column of what it is about: the argument of a known keyword."""
    for file in desk.files:
        if file.parsed.path == finding.path and 0 < finding.line <= len(file.lines):
            column = _column(file.lines[finding.line - 1])
            place = finding.path, finding.line
            return Finding(
                finding.severity, finding.problem, finding.advice, place=place, column=column
            )
    return finding


def _column(line: str) -> int:
    start = len(line) - len(line.lstrip(" \t"))
    word, _, rest = line[start:].replace("\t", " ").partition(" ")
    argument = rest.strip()
    if word not in _KEYWORDS or not argument:
        return start + 1
    return line.index(argument, start + len(word)) + 1 if argument in line else start + 1


# -- one account --------------------------------------------------------------------------------


def _cannot_work(account: Account, desk: _Desk) -> Iterator[Finding]:
    """Find settings that are missing or contradict each other."""
    if desk.has_eval:
        return  # what is missing may come from there
    bare = Wishes({}, env=desk.wishes.env, uid=desk.wishes.uid, euid=desk.wishes.euid)
    try:
        finish_account(account, bare)
    except ConfigError as error:
        place = (error.path, error.line) if error.line else desk.place_of(account)
        yield Finding(ERROR, error.problem, error.advice, place=place)
    except PillarboxError as error:
        yield Finding(ERROR, error.problem, error.advice, place=desk.place_of(account))
    if account.auth not in _WITHOUT_USER and not account.user:
        problem = say("account {name}: auth is on and there is no user", name=account.name)
        yield Finding(ERROR, problem, say("add a line user NAME"), place=account.place("auth"))
    if account.password is not None and account.passwordeval is not None:
        problem = say("account {name}: password and passwordeval are both set", name=account.name)
        advice = say("remove one of them")
        yield Finding(WARNING, problem, advice, place=account.place("password"))


def _tls(account: Account, desk: _Desk) -> Iterator[Finding]:
    """TLS that does not fit the port, or does not protect."""
    del desk
    name, port = account.name, account.port
    if account.socket or not account.host:
        return
    if port == _PORT_IMPLICIT and not (account.tls and not account.tls_starttls):
        yield Finding(
            ERROR,
            say("account {name}: port 465 speaks TLS from the first octet on", name=name),
            say("write tls on and tls_starttls off"),
            place=account.place("port"),
        )
    if port in _PORTS_STARTTLS and account.tls and not account.tls_starttls:
        yield Finding(
            ERROR,
            say("account {name}: port {port} does not begin with TLS", name=name, port=port),
            say("write tls_starttls on, or port 465"),
            place=account.place("port"),
        )
    is_near = account.host in ("localhost", "::1") or account.host.startswith("127.")
    if not account.tls and account.auth != "off" and not is_near:
        if not account.allow_plaintext_auth:
            yield Finding(
                ERROR,
                say("account {name}: no password is sent without TLS", name=name),
                say("write tls on"),
                place=account.place("auth"),
            )
        else:
            yield Finding(
                WARNING,
                say("account {name}: the password crosses the network openly", name=name),
                say("write tls on"),
                place=account.place("allow_plaintext_auth"),
            )
    if account.tls and not account.tls_certcheck and account.tls_fingerprint is None:
        yield Finding(
            WARNING,
            say("account {name}: anybody can pretend to be the server", name=name),
            say("remove tls_certcheck off; tls_fingerprint pins a certificate of your own"),
            place=account.place("tls_certcheck"),
        )


def _provider(account: Account, desk: _Desk) -> Iterator[Finding]:
    """Find what a known provider does not take."""
    del desk
    provider = provider_of_host(account.host)
    if provider is None:
        yield from _host_of_nobody(account)
        return
    tls = "plain" if not account.tls else "starttls" if account.tls_starttls else "implicit"
    port = account.port or (_PORT_IMPLICIT if tls == "implicit" else 25)
    host = account.host.lower().rstrip(".")
    ways = [way for way in provider.endpoints if way.is_host(host)]
    if (port, tls) not in [(way.port, way.tls) for way in ways]:
        known = [f"{way.port} {way.tls}" for way in ways if way.tls != "plain"]
        yield Finding(
            WARNING,
            say("{host} is not known to take mail at port {port} so", host=host, port=port),
            say("known are: {names}", names=", ".join(known)),
            place=account.place("port" if account.is_set("port") else "host"),
        )
    user, sender = account.user or "", account.from_ or ""
    if provider.username_rule == "full-address" and user and "@" not in user:
        yield Finding(
            ERROR,
            say("account {name}: the provider wants the whole address as user", name=account.name),
            say("write user NAME@DOMAIN"),
            place=account.place("user"),
        )
    if provider.from_rule != "must-equal-login" or not sender or "@" not in user:
        return
    if "%" not in sender and not matches_sender(sender, user):
        yield Finding(
            ERROR,
            say("account {name}: the provider takes no sender but its user", name=account.name),
            say("write from {user}", user=user),
            place=account.place("from"),
        )


def _host_of_nobody(account: Account) -> Iterator[Finding]:
    """Yield that a host is nearly that of a provider."""
    from difflib import get_close_matches

    hosts = [way.host for each in load_providers() for way in each.endpoints]
    close = get_close_matches(account.host.lower(), hosts, 1, _CLOSE)
    if close:
        yield Finding(
            WARNING,
            say("{host} is no known provider's host", host=account.host),
            say("did you mean {keyword}?", keyword=close[0]),
            place=account.place("host"),
        )


def _paths(account: Account, desk: _Desk) -> Iterator[Finding]:
    """Files that are named and not there."""
    home = Surroundings(desk.wishes.env, desk.wishes.uid).home_directory()
    for field in FIELDS:
        path = account.get(field)
        if not field.is_path or not isinstance(path, str) or path in ("system", "-", ""):
            continue
        path = home + path[1:] if path.startswith("~") else path
        is_log = field.name == "logfile"
        looked = os.path.dirname(path) or "." if is_log and not os.path.exists(path) else path
        if os.access(looked, os.W_OK if is_log else os.R_OK):
            continue
        yield Finding(
            WARNING if is_log else ERROR,
            say("{keyword}: {path} cannot be used by you", keyword=field.name, path=path),
            say("check whether it is there, and its mode"),
            place=account.place(field.name),
        )


CHECKS = (_cannot_work, _tls, _provider, _paths)


# -- all accounts -------------------------------------------------------------------------------


def _fallbacks(desk: _Desk) -> Iterator[Finding]:
    """Every fallback that leads nowhere; each is mended in a copy to find the next."""
    accounts = {account.name: account.copy() for account in desk.accounts}
    while True:
        try:
            check_fallbacks(accounts.values())
        except ConfigError as error:
            yield _of_error(error)
            for account in accounts.values():
                if account.place("fallback") == (error.path, error.line):
                    account.set(FIELD_BY_NAME["fallback"], None, error.path, error.line)
        else:
            return


def _default(desk: _Desk) -> Iterator[Finding]:
    """No account for a mail whose sender fits none."""
    names = [account.name for account in desk.accounts]
    if names and "default" not in names and not desk.has_eval:
        yield Finding(
            WARNING,
            say("there is no account default: mail whose sender fits no account is refused"),
            say("write a line account default : {name}", name=names[0]),
            place=(desk.files[-1].parsed.path, 0),
        )
    if not names and desk.files and not desk.has_eval:
        problem = say("the file names no account")
        yield Finding(WARNING, problem, place=(desk.files[-1].parsed.path, 0))


def _reached(desk: _Desk) -> Iterator[Finding]:
    """Accounts that no mail goes through unless somebody names them."""
    accounts = desk.accounts
    helpers = {account.fallback for account in accounts} | {"default"}
    parents = {parent for *_, names in desk.headers() for parent in names}
    for number, account in enumerate(accounts):
        if account.name in helpers:
            continue
        if account.from_ is None:
            if account.name not in parents:
                yield _unused(account, desk)
            continue
        first = next((each for each in accounts[:number] if _takes(each, account.from_)), None)
        if first is not None:
            yield Finding(
                NOTE,
                say(
                    "account {name} is not chosen for {sender}: {other} comes before it",
                    name=account.name,
                    sender=account.from_,
                    other=first.name,
                ),
                say("-a {name} still uses it", name=account.name),
                place=account.place("from"),
            )


def _unused(account: Account, desk: _Desk) -> Finding:
    return Finding(
        NOTE,
        say("account {name} is used only with -a {name}", name=account.name),
        say("give it a from, or make it the fallback of another"),
        place=desk.place_of(account),
    )


def _takes(earlier: Account, sender: str) -> bool:
    """Tell whether an earlier account takes everything that a ``from`` is about."""
    pattern = earlier.from_
    if pattern is None:
        return False
    if has_wildcard(sender):
        return pattern == sender or not pattern.strip("*")
    return matches_sender(pattern, sender)


def _hidden(desk: _Desk) -> Iterator[Finding]:
    """Accounts of the system's file that the user's file has too."""
    if len(desk.files) < 2:
        return
    system, own = desk.files[0], desk.files[-1]
    names = {account.name for account in own.parsed.accounts}
    for account in system.parsed.accounts:
        if account.name in names:
            problem = say(
                "account {name} is hidden by the one in {path}",
                name=account.name,
                path=own.parsed.path,
            )
            yield Finding(NOTE, problem, place=desk.place_of(account))


CHECKS_OF_ALL = (_fallbacks, _default, _reached, _hidden)
