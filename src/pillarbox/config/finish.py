"""
Make a chosen account ready for one mail.

``finish_account`` puts the command line over it, fills in what is missing, makes the sender, and
refuses what cannot work. ``require_sender`` is for when something is really to be sent: nothing
else may decide what the envelope sender is, so that a pattern never gets on the wire.
"""

from __future__ import annotations

from pillarbox.config.account import FIELD_BY_NAME, FIELDS
from pillarbox.config.match import has_wildcard, matches_sender
from pillarbox.config.patterns import DOMAIN_LETTERS, MAILNAME_FILE, SENDER_LETTERS, Surroundings
from pillarbox.errors import ConfigError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pillarbox.config.account import Account
    from pillarbox.config.load import Wishes

__all__ = ["COMMAND_LINE", "finish_account", "require_sender"]

COMMAND_LINE = say("command line")  # the source of what an option said, for Account.where

_PORT_SMTP = 25
_PORT_SUBMISSIONS = 465  # RFC 8314; 587 is never a default, as in msmtp
_PORT_SOCKS = 1080


def finish_account(
    account: Account,
    wishes: Wishes,
    header_sender: str | None = None,
    *,
    mailname_file: str = MAILNAME_FILE,
) -> Account:
    """
    Return the account as it is to be used for one mail.

    Args:
        account: What ``choose_account`` returned; it is not changed.
        wishes: What the caller asks for.
        header_sender: The address in the mail's From header, whether or not it was asked to
            be the sender; None when there is none.
        mailname_file: Where the mail name is.

    Returns:
        The account, checked. Its ``from_`` may be None: see ``require_sender``.

    Raises:
        ConfigError: Settings are missing, contradict each other, or cannot be filled in.

    """
    result = account.copy()
    surroundings = Surroundings(wishes.env, wishes.uid, header_sender, mailname_file=mailname_file)
    for name, value in wishes.settings.items():
        if name != "from":
            result.set(FIELD_BY_NAME[name], value, COMMAND_LINE)
    _fill_in(result, surroundings)
    _make_sender(result, wishes, surroundings)
    _check(result)
    return result


def _fill_in(account: Account, surroundings: Surroundings) -> None:
    """Fill in ports, home directory, trust and our name, where the fields leave them open."""
    if account.port is None and account.protocol == "smtp":
        is_implicit = account.tls and not account.tls_starttls
        account.port = _PORT_SUBMISSIONS if is_implicit else _PORT_SMTP
    if account.proxy_host is not None and account.proxy_port is None:
        account.proxy_port = _PORT_SOCKS
    # As in msmtp, "no trust" counts only when the account itself says so: from a defaults
    # section that older versions needed it must not switch verification off.
    if account.tls_trust_file is None and not account.is_set("tls_trust_file"):
        account.tls_trust_file = "system"
    for field in FIELDS:
        if field.is_path:
            path = account.get(field)
            if isinstance(path, str) and path[:1] == "~":
                setattr(account, field.attribute, surroundings.home_directory() + path[1:])
    account.domain = surroundings.expand(account.domain, DOMAIN_LETTERS) or ""


def _make_sender(account: Account, wishes: Wishes, surroundings: Surroundings) -> None:
    """Decide the sender: the caller's if the account allows it, else the account's own."""
    field = FIELD_BY_NAME["from"]
    given = wishes.settings.get("from")
    account.own_sender = account.from_ or ""
    if account.auto_from:
        sender = surroundings.user_name()
        sender += f"@{account.maildomain}" if account.maildomain else ""
        account.set(field, sender, "auto_from")
    elif isinstance(given, str) and account.allow_from_override:
        account.set(field, surroundings.expand(given, SENDER_LETTERS), COMMAND_LINE)
    elif wishes.sender is not None and account.allow_from_override:
        # Data from the mail, so no patterns in it: the % of a%Host@b is the sender's own.
        account.set(field, wishes.sender, say("From header"))
    elif account.from_ is not None:
        _expand_sender(account, surroundings)
    else:
        header = surroundings.header_sender if account.allow_from_override else None
        _take_other_sender(account, header)


def _expand_sender(account: Account, surroundings: Surroundings) -> None:
    """Make a sender from the account's ``from``, which may have patterns or be a wildcard."""
    pattern = account.from_ or ""
    account.from_ = surroundings.expand(pattern, SENDER_LETTERS)
    if account.from_ is None:
        _take_other_sender(account, None)
    elif has_wildcard(account.from_):
        header = surroundings.header_sender
        fits = header is not None and matches_sender(account.from_, header)
        account.from_ = None
        _take_other_sender(account, header if fits else None)
    account.from_pattern = pattern if account.from_ is None else ""


def _take_other_sender(account: Account, header: str | None) -> None:
    """Take the mail's own From where it may be the sender, else a login that is an address."""
    field = FIELD_BY_NAME["from"]
    if header is not None:
        account.set(field, header, say("From header"))
    elif account.user is not None and _is_address(account.user):
        account.set(field, account.user, *account.place("user"))


def _is_address(user: str) -> bool:
    local_part, at, domain = user.rpartition("@")
    return bool(local_part and at and domain) and not any(char in user for char in " <>,*?[")


def _check(account: Account) -> None:
    """Refuse what cannot work, in msmtp's words."""
    is_nameless = account.tls and not account.tls_host_override
    if not account.host and (account.socket is None or is_nameless):
        _fail(account, say("host not set"), say("add a line host NAME"))
    if account.port is None and account.socket is None:
        advice = say("add a line port NUMBER: LMTP has no port of its own")
        _fail(account, say("port not set"), advice)
    if " " in account.domain or not account.domain.isascii():
        problem = say("domain must be one word of ASCII ({place})", place=account.where("domain"))
        _fail(account, problem, say("set it to a host name"))
    if account.tls_key_file is not None and account.tls_cert_file is None:
        advice = say("add a line tls_cert_file FILE")
        _fail(account, say("tls_key_file requires tls_cert_file"), advice)
    if account.tls_cert_file is not None and account.tls_key_file is None:
        advice = say("add a line tls_key_file FILE")
        _fail(account, say("tls_cert_file requires tls_key_file"), advice)
    if account.tls_trust_file is not None:
        return
    if account.tls_crl_file is not None:
        advice = say("add a line tls_trust_file system")
        _fail(account, say("tls_crl_file requires tls_trust_file"), advice)
    if account.tls and account.tls_certcheck and account.tls_fingerprint is None:
        _fail(
            account,
            say(
                "tls requires either tls_trust_file (highly recommended) or tls_fingerprint or a "
                "disabled tls_certcheck"
            ),
            say("remove the empty tls_trust_file ({place})", place=account.where("tls_trust_file")),
        )


def require_sender(account: Account) -> str:
    """
    Return the envelope sender of a finished account; an empty one is the null reverse-path.

    Raises:
        ConfigError: There is none.

    """
    if account.from_ is None:
        _fail_without_sender(account)
    return account.from_


def _fail_without_sender(account: Account) -> NoReturn:
    advice = say("use -f ADDRESS, or add a line from ADDRESS to the account")
    if account.from_pattern:
        advice = say(
            "from {pattern} ({place}) is a pattern and this mail has no From header that fits it: "
            "use -f ADDRESS or add a From header",
            pattern=account.from_pattern,
            place=account.where("from"),
        )
    _fail(account, say("envelope-from address is missing"), advice)


def _fail(account: Account, problem: str, advice: str) -> NoReturn:
    if account.origin:
        problem = say(
            "account {name} from {path}: {problem}",
            name=account.name,
            path=account.origin,
            problem=problem,
        )
    raise ConfigError(problem, advice=advice)
