"""
From an address to a server and a login name, with the person's help where it is needed.

What the provider's console must allow is shown here, as a list to be ticked off, with the names
of its menus; and which password is wanted, for it is seldom the one of the web page.

The rule to keep: a server that a stranger named gets no password before a person has agreed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.providers import find_providers, provider_of_domain, provider_of_host
from pillarbox.errors import CredentialError, DataError, UsageError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.reply import printable
from pillarbox.setup.candidate import IMPLICIT, STARTTLS, is_host_name, is_region
from pillarbox.setup.discover import Wish, discover, seams_for
from pillarbox.text import bilingual, say
from pillarbox.value import Value

if TYPE_CHECKING:
    from typing import NoReturn

    from pillarbox.config.providers import Provider
    from pillarbox.mail.address import Mailbox
    from pillarbox.setup.candidate import Candidate, Tried
    from pillarbox.setup.order import Order
    from pillarbox.setup.questions import Questions
    from pillarbox.setup.report import Report

__all__ = ["Way", "find_way", "read_address"]

_SHOWN = 200
_TOKENS = frozenset(("XOAUTH2", "OAUTHBEARER"))
_MAX_PORT = 65535


class Way(Value):
    """
    Where mail is handed in, and as whom.

    Attributes:
        address: The sender.
        user: The login name; empty: the secret is the login name, too.
        host: The server.
        port: Its port.
        tls: ``implicit`` or ``starttls``.
        trust_file: Whom to trust: a PEM file, or ``system``.
        provider: Whose server it is; None: nobody's that we know.
        source: Who named the server.
        others: What else is known, for when this one cannot be reached.

    """

    __slots__ = (
        "address",
        "host",
        "others",
        "port",
        "provider",
        "source",
        "tls",
        "trust_file",
        "user",
    )

    def __init__(
        self,
        address: Mailbox,
        user: str,
        candidate: Candidate,
        *,
        trust_file: str,
        others: tuple[Candidate, ...] = (),
    ) -> None:
        self.address = address
        self.user = user
        self.host = candidate.host
        self.port = candidate.port
        self.tls = candidate.tls
        self.provider = candidate.provider
        self.source = candidate.source
        self.trust_file = trust_file
        self.others = others

    @property
    def is_user_secret(self) -> bool:
        """Whether the secret is the login name, too, which then is shown nowhere."""
        return not self.user

    @property
    def is_implicit(self) -> bool:
        """Whether TLS comes first."""
        return self.tls == IMPLICIT

    def next(self) -> Way | None:
        """Return the way to try when this one cannot be reached; None: there is no other."""
        if not self.others:
            return None
        first, *rest = self.others
        user = first.username or self.user
        return Way(self.address, user, first, trust_file=self.trust_file, others=tuple(rest))


def find_way(order: Order, questions: Questions, report: Report) -> Way:
    """
    Ask for the address, find the rest, and show what the provider's console must allow.

    Raises:
        UsageError: Something is missing, and nobody can be asked.
        DataError: An address is none.
        PillarboxError: The network failed in a way that says nothing of the address.

    """
    address = questions.text("address", say("the address that mail is sent from"), read_address)
    trust_file = _trust_file(questions.answers.get("trust_file") or "system")
    wish = _wish(questions)
    seams = seams_for(order.environment, trust_file=trust_file)
    found = discover(address, seams, wish, show=lambda tried: _tell_tried(tried, questions))
    if not found.candidates:
        wish = _asked_wish(questions, wish, address)
        found = discover(address, seams, wish)
    best = found.best
    if best is None:
        problem = say("no server was found for {address}", address=address)
        raise UsageError(problem, advice=say("name one with --host and --port"))
    _require_trust(best, address, questions)
    usable = [each for each in found.candidates if each == best or each.is_trusted]
    usable = _in_region(usable, questions)
    _require_password(usable[0].provider)
    user = _user(usable[0], questions)
    others = tuple(each for each in usable[1:] if not wish.port)
    way = Way(address, user, usable[0], trust_file=trust_file, others=others)
    report.way = way
    _show(way, questions)
    return way


def read_address(text: str) -> Mailbox:
    """
    Return an address with a domain.

    Raises:
        DataError: It is none.

    """
    mailbox = parse_mailbox(text.strip())
    if not mailbox.domain:
        problem = say("{address} has no domain", address=printable(text, _SHOWN))
        raise DataError(problem, advice=say("write one address, such as admin@example.com"))
    return mailbox


def _trust_file(given: str) -> str:
    """Return a file by its whole path: who sends mail later stands in another directory."""
    return given if given == "system" or given.startswith("~") else os.path.abspath(given)


def _wish(questions: Questions) -> Wish:
    """Return what was said beforehand of the server."""
    given = questions.answers.get
    tls = (given("tls") or "").lower()
    if tls not in ("", IMPLICIT, STARTTLS):
        raise UsageError(say("--tls is implicit or starttls"))
    host = (given("host") or "").strip()
    if host and (not host.isascii() or not host.isprintable() or " " in host):
        raise UsageError(say("{host} is no host", host=printable(host, _SHOWN)))
    return Wish(
        provider=_provider(given("provider") or ""),
        host=host.lower(),
        port=_port(given("port") or ""),
        tls=tls,
        username=given("user_name") or "",
        region=_region(given("region") or ""),
    )


def _provider(words: str) -> Provider | None:
    if not words.strip():
        return None
    found = find_providers(words)
    if len(found) == 1:
        return found[0]
    shown = printable(words, 60)
    if not found:
        problem = say("no provider is called {name}", name=shown)
        raise UsageError(problem, advice=say("'pillarbox providers' lists them"))
    names = ", ".join(provider.id for provider in found[:8])
    problem = say("{name} may be one of: {names}", name=shown, names=names)
    raise UsageError(problem)


def _port(text: str) -> int:
    if not text.strip():
        return 0
    if text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_PORT:
        return int(text)
    raise UsageError(say("{text} is no port", text=printable(text, 40)))


def _region(text: str) -> str:
    text = text.strip().lower()
    if text and not is_region(text):
        _fail_region(text)
    return text


def _asked_wish(questions: Questions, wish: Wish, address: Mailbox) -> Wish:
    """Ask for the provider or the server of an address of which nothing was found out."""
    if not questions.has_person:
        problem = say("no server was found for {address}", address=address)
        raise UsageError(problem, advice=say("name it: --provider NAME, or --host HOST"))
    questions.tell(say("nothing is known of {domain} yet", domain=address.domain))
    prompt = say("the provider (aliyun, gmail ...), or the server's name")

    def read(text: str) -> Wish:
        word = text.strip().lower()
        provider = provider_of_host(word) or provider_of_domain(word)
        if provider is None and is_host_name(word):
            return Wish(host=word, username=wish.username)
        provider = provider or _provider(word)
        if provider is None:
            raise UsageError(say("name a provider or a server"))
        return Wish(provider=provider, username=wish.username, region=wish.region)

    return questions.ask(prompt, read)


def _require_trust(candidate: Candidate, address: Mailbox, questions: Questions) -> None:
    """Have a person agree to a server that nobody has named who may."""
    if candidate.is_trusted:
        return
    named = say("the domain names {host} as its server", host=candidate.host)
    if not questions.has_person:
        raise UsageError(
            say("{what}, which does not belong to {domain}", what=named, domain=address.domain),
            advice=say("if it is right, use --host {host}", host=candidate.host),
        )
    questions.tell(
        say("{what}, which does not belong to {domain}", what=named, domain=address.domain), "bad"
    )
    question = say("send the password there?")
    if not questions.is_agreed("host", question, default=False):
        raise UsageError(
            say("no server was found for {address}", address=address),
            advice=say("name it: --provider NAME, or --host HOST"),
        )


def _in_region(candidates: list[Candidate], questions: Questions) -> list[Candidate]:
    """Return candidates whose hosts are whole; all of a provider are in the same region."""
    open_ones = [each for each in candidates if each.needs_region]
    if not open_ones:
        return candidates
    host, usual = open_ones[0].host, open_ones[0].default_region
    prompt = say("your account's region, which stands in {host}", host=host)
    if usual:
        prompt = say("{question} [{answer}]", question=prompt, answer=usual)

    def read(text: str) -> str:
        return _region(text) or _region(usual) or _fail_region(text)

    region = questions.text("region", prompt, read)
    return [each.in_region(region) if each.needs_region else each for each in candidates]


def _fail_region(text: str) -> NoReturn:
    raise UsageError(say("{text} is no region", text=printable(text, 60) or "''"))


def _require_password(provider: Provider | None) -> None:
    """
    Raise where a provider takes no password of any kind.

    Raises:
        CredentialError: It takes tokens alone, which somebody must fetch anew each hour.

    """
    if provider is None or not provider.auth or not _TOKENS.issuperset(provider.auth):
        return
    name = bilingual(provider.name("en"), provider.name("zh"))
    raise CredentialError(
        say("{provider} takes no password from a program, only OAuth tokens", provider=name),
        advice=say("write the account by hand: auth xoauth2, and passwordeval COMMAND"),
    )


def _user(candidate: Candidate, questions: Questions) -> str:
    """Return the login name; a person knows it where the provider's rule does not tell."""
    if candidate.username:
        return candidate.username
    provider = candidate.provider
    if provider is not None and provider.username_rule == "same-as-password":
        return ""
    return questions.text("user_name", say("the user name for the login"), _read_user)


def _read_user(text: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():
        raise UsageError(say("{text} is no user name", text=printable(text, _SHOWN) or "''"))
    return text


def _tell_tried(tried: Tried, questions: Questions) -> None:
    what = printable(tried.what, _SHOWN)
    questions.tell(say("  {what}: {result}", what=what, result=tried.result))


def _show(way: Way, questions: Questions) -> None:
    """Show the server, and what the provider's console must allow."""
    tls = say("TLS from the beginning") if way.is_implicit else say("STARTTLS")
    server = say("{host}, port {port}, {tls}", host=way.host, port=str(way.port), tls=tls)
    questions.tell(say("server: {server}", server=server))
    if way.user:
        questions.tell(say("user: {user}", user=printable(way.user, _SHOWN)))
    provider = way.provider
    if provider is None or not questions.has_person:
        return
    name = bilingual(provider.name("en"), provider.name("zh"))
    questions.tell(say("in the console of {provider}:", provider=name), "title")
    pairs = zip(provider.steps("en"), provider.steps("zh"), strict=True)
    for english, chinese in pairs:
        questions.tell(bilingual(f"  [ ] {english}", f"  [ ] {chinese}"), "step")
    label = bilingual(provider.secret_label("en"), provider.secret_label("zh"))
    questions.tell(say("wanted as the password: {label}", label=label), "title")
    if provider.secret_url:
        questions.tell(say("  it is explained at {url}", url=provider.secret_url))
