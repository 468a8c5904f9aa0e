"""
What is known of the provider, held against what is configured; nobody is asked.

The rule to keep: a fault only where the settings cannot work at all, and for each fact that no
page of the provider's confirms, that it is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.doctor.account_lines import write_line, write_sender
from pillarbox.doctor.connect_failed import lines_to_set
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.smtp.auth import PREFERENCE
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pillarbox.config.account import Account
    from pillarbox.config.providers import Endpoint, Provider
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_quirks"]

CODES = (
    "quirks.region",
    "quirks.unencrypted",
    "quirks.host",
    "quirks.port",
    "quirks.auth",
    "quirks.sender",
    "quirks.secret",
    "quirks.limits",
)

_REGION = "{region}"
# Names by which servers ask for a token and not for a password.
_TOKENS = ("XOAUTH2", "OAUTHBEARER")
_PROMPTING = "LOGIN"


def check_quirks(patient: Patient) -> Iterator[Finding]:
    """Hold each rule of the provider's against the account."""
    account, provider = patient.account, patient.provider
    assert account is not None  # it needs ``config``
    if _REGION in account.host:
        yield Finding(
            "quirks.region",
            FAULT,
            say("the host {host} is a pattern, and no name", host=account.host),
            meaning=say("the region of the account stands in its place"),
            fix=say(
                "{line}, with your own region in it",
                line=write_line(account, "host", account.host.replace(_REGION, "us-east-1")),
            ),
        )
        return
    if provider is None or not _is_meant(account, provider):
        return
    for rule in _RULES:
        yield from rule(account, provider)


def _is_meant(account: Account, provider: Provider) -> bool:
    """Tell whether an address of this machine, where anything may listen, is the provider's."""
    if not account.host.startswith("127."):
        return True
    return any(account.port == way.port for way in provider.endpoints)


def _name(provider: Provider) -> str:
    return bilingual(provider.name("en"), provider.name("zh"))


def _certain(provider: Provider, fact: str, meaning: str = "") -> str:
    """Return a meaning that says so where the provider itself has not confirmed the fact."""
    level = provider.confidence.get(fact, "")
    if not level or level.startswith("S"):
        return meaning
    doubt = say(
        "this is general knowledge, not from a page of the provider's, and may have changed"
    )
    return say("{meaning}; {doubt}", meaning=meaning, doubt=doubt) if meaning else doubt


def _mode(account: Account) -> str:
    if not account.tls:
        return "plain"
    return "starttls" if account.tls_starttls else "implicit"


def _way(account: Account, provider: Provider) -> Endpoint | None:
    """Return the endpoint that the account uses; None: it is not known."""
    host = account.host.lower().rstrip(".")
    for way in provider.endpoints:
        if way.is_host(host) and (way.port, way.tls) == (account.port, _mode(account)):
            return way
    return None


def _lines(account: Account, way: Endpoint) -> str:
    """Return what to write to use an endpoint, in the host's own region where it has one."""
    host = account.host if _REGION in way.host else way.host
    starttls = "on" if way.tls == "starttls" else "off"
    lines = f"host {host}", f"port {way.port}", "tls on", f"tls_starttls {starttls}"
    return lines_to_set(account, *lines)


def _unencrypted(account: Account, provider: Provider) -> Iterator[Finding]:
    """Yield that TLS is off."""
    if account.tls or account.socket or account.host.startswith("127."):
        return
    yield Finding(
        "quirks.unencrypted",
        WARNING,
        say("mail to {host} goes in the clear", host=account.host),
        meaning=say("everybody on the way can read it, and the password"),
        fix=_lines(account, provider.preferred),
        evidence=(f"tls off ({account.where('tls')})", f"port {account.port}"),
    )


def _endpoint(account: Account, provider: Provider) -> Iterator[Finding]:
    """Yield that another host or port is used than the one to configure."""
    best, way = provider.preferred, _way(account, provider)
    host = account.host.lower().rstrip(".")
    if not account.tls or account.socket or way is best:
        return
    same_host = [each for each in provider.endpoints if each.is_host(host)]
    evidence = (way.note,) if way is not None and way.note else ()
    # Several hosts may be as good as one another: one for each region.
    if not best.is_host(host) and not any(_REGION in each.host for each in same_host):
        yield Finding(
            "quirks.host",
            NOTE,
            say(
                "{host} is not the host that {provider} names first",
                host=account.host,
                provider=_name(provider),
            ),
            meaning=_certain(
                provider, "host", say("it may belong to another region or be an older name")
            ),
            fix=say("if that was not meant, {lines}", lines=_lines(account, best)),
            evidence=evidence,
        )
    elif account.port != best.port or way is None:
        yield Finding(
            "quirks.port",
            NOTE,
            say(
                "port {port} is not the one that {provider} names first",
                port=account.port,
                provider=_name(provider),
            ),
            meaning=_certain(provider, "port", _about_port(account)),
            fix=say("if anything is wrong with it, {lines}", lines=_lines(account, best)),
            evidence=evidence,
        )


def _about_port(account: Account) -> str:
    if account.port == 25:
        return say("many networks block port 25")
    return say("it works as well, unless a network blocks it")


def _auth(account: Account, provider: Provider) -> Iterator[Finding]:
    """Yield that a mechanism is named which the provider does not offer, or does badly."""
    if account.auth == "off" or not provider.auth:
        return
    usable = [name for name in PREFERENCE if name in provider.auth]
    token = next((name for name in _TOKENS if name in provider.auth), "")
    wanted = account.auth.upper()
    if wanted == "ON" and not usable and token:
        yield Finding(
            "quirks.auth",
            WARNING,
            say("{provider} takes a token, and no password", provider=_name(provider)),
            meaning=_certain(provider, "auth"),
            fix=say(
                "{line}, and a passwordeval that prints the token",
                line=write_line(account, "auth", token.lower()),
            ),
        )
    elif wanted not in ("ON", *provider.auth):
        yield Finding(
            "quirks.auth",
            WARNING,
            say(
                "{provider} is not known to take the login method {name}",
                provider=_name(provider),
                name=wanted,
            ),
            meaning=_certain(provider, "auth"),
            fix=write_line(account, "auth", "on"),
            evidence=(", ".join(provider.auth),),
        )
    elif wanted == _PROMPTING and "PLAIN" in provider.auth:
        prompts = [note for note in provider.notes if "AUTH LOGIN prompt" in note]
        if prompts:
            yield Finding(
                "quirks.auth",
                NOTE,
                say(
                    "{provider} asks for LOGIN in a way that breaks some programs",
                    provider=_name(provider),
                ),
                meaning=say("pillarbox does not read what is asked, so it works here"),
                fix=write_line(account, "auth", "on"),
                evidence=tuple(prompts),
            )


def _sender(account: Account, provider: Provider) -> Iterator[Finding]:
    """Yield that the sender is not the login, where the provider looks at that."""
    login, sender = account.user or "", account.from_ or account.own_sender or ""
    if account.auth == "off" or not sender or sender.lower() == login.lower():
        return
    if provider.from_rule.startswith("must-") and "@" in login:
        rule: str = say("the sender must be the user, or an address of his")
        fix: str = write_sender(account, login)
    elif provider.from_rule.startswith("verified-"):
        rule = say("the sender or its domain must be verified in its console")
        fix = say("look in its console whether {sender} is verified", sender=sender)
    else:
        return
    evidence = (provider.from_note,) if provider.from_note else ()
    yield Finding(
        "quirks.sender",
        NOTE,
        say("{provider} looks at who sends", provider=_name(provider)),
        meaning=_certain(provider, "from_rule", rule),
        fix=fix,
        evidence=evidence,
    )


def _secret(account: Account, provider: Provider) -> Iterator[Finding]:
    """Yield which password is wanted."""
    if account.auth == "off":
        return
    fix: str = say("how to get it: {url}", url=provider.secret_url) if provider.secret_url else ""
    yield Finding(
        "quirks.secret",
        NOTE,
        say(
            "{provider} wants as the password: {label}",
            provider=_name(provider),
            label=bilingual(provider.secret_label("en"), provider.secret_label("zh")),
        ),
        meaning=_certain(provider, "steps"),
        fix=fix,
    )


def _limit_texts(limits: Mapping[str, int]) -> Iterator[str]:
    """Yield each published limit, for a person."""
    for name, count in limits.items():
        texts = {
            "messages_per_minute": say("{count} mails a minute", count=count),
            "messages_per_hour": say("{count} mails an hour", count=count),
            "messages_per_day": say("{count} mails a day", count=count),
            "recipients_per_day": say("{count} recipients a day", count=count),
            "recipients_per_message": say("{count} recipients a mail", count=count),
            "message_bytes": say("{count} octets a mail", count=count),
        }
        if name in texts:
            yield texts[name]


def _limits(account: Account, provider: Provider) -> Iterator[Finding]:
    """Yield how much may be sent."""
    listed: str = ""
    for one in _limit_texts(provider.limits):
        listed = say("{names}, {name}", names=listed, name=one) if listed else one
    if not listed:
        return
    daily = provider.limits.get("messages_per_day", 0)
    fix: str = ""
    if daily and not account.max_per_day:
        fix = say("to stay below it by itself, write max_per_day {count}", count=daily)
    yield Finding(
        "quirks.limits",
        NOTE,
        say("{provider} takes at most: {limits}", provider=_name(provider), limits=listed),
        meaning=_certain(provider, "limits"),
        fix=fix,
        evidence=(provider.limits_note,) if provider.limits_note else (),
    )


_RULES: tuple[Callable[[Account, Provider], Iterator[Finding]], ...] = (
    _unencrypted,
    _endpoint,
    _auth,
    _sender,
    _secret,
    _limits,
)
