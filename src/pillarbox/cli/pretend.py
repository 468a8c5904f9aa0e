"""
``--pretend``: what would be used to send, in msmtp's words and order.

Scripts read this, so it is the same in every language. The keys are those of ``FIELDS``, in its
order; only what msmtp spells in its own way stands here.
"""

from __future__ import annotations

from pillarbox.config.account import FIELDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pillarbox.config.account import Account, Field
    from pillarbox.config.load import Files

__all__ = ["account_lines", "choice_lines", "file_lines"]

_NOT_SET = "(not set)"

# Keys that msmtp prints with a space, and values that it prints otherwise than they are written.
_KEYS = {"source_ip": "source ip", "proxy_host": "proxy host", "proxy_port": "proxy port"}


def _timeout(value: object) -> str:
    if value is None:
        return "off"
    return "1 second" if value == 1 else f"{value} seconds"


def _auth(value: object) -> str:
    return {"off": "none", "on": "choose"}.get(str(value), str(value).upper())


def _return(value: object) -> str:
    return {"headers": "HDRS"}.get(str(value).lower(), str(value).upper())


_VALUES: dict[str, Callable[[object], str]] = {
    "timeout": _timeout,
    "auth": _auth,
    "password": lambda value: _NOT_SET if value is None else "*",
    "proxy_port": lambda value: str(value or 0),
    "host": lambda value: str(value) or _NOT_SET,
    "dsn_notify": lambda value: str(value).upper() if value else _NOT_SET,
    "dsn_return": lambda value: _return(value) if value else _NOT_SET,
}

# With --serverinfo and --rmqs nothing is sent, so nothing from here on matters.
_FIRST_OF_SENDING = "auto_from"


def file_lines(files: Files) -> Iterator[str]:
    """Yield which configuration files were read, and which not and why."""
    for kind, file in (("system", files.system), ("user", files.user)):
        if file is None:
            continue
        if file.reason:
            yield f"ignoring {kind} configuration file {file.path}: {file.reason}"
        else:
            yield f"loaded {kind} configuration file {file.path}"


def choice_lines(account: Account, reason: str, *, is_named: bool) -> Iterator[str]:
    """
    Yield why this account is used.

    Args:
        account: The account.
        reason: What ``choose_account`` says of it.
        is_named: The account was named by ``-a``, which msmtp does not mention.

    """
    if not account.origin:
        if reason:
            yield "falling back to default account"  # which there is none of, so:
        yield reason or "using account specified on command line"
        return
    if not is_named:
        yield reason
    yield f"using account {account.name} from {account.origin}"


def account_lines(account: Account, *, is_sending: bool) -> Iterator[str]:
    """
    Yield ``key = value`` for each keyword.

    Args:
        account: A finished account.
        is_sending: Whether a mail would be sent; else the keywords about mails are left out.

    """
    for field in FIELDS:
        if field.name == _FIRST_OF_SENDING and not is_sending:
            return
        yield f"{_KEYS.get(field.name, field.name)} = {_shown(field, account.get(field))}"


def _shown(field: Field, value: object) -> str:
    show = _VALUES.get(field.name)
    if show is not None:
        return show(value)
    if value is None:
        return _NOT_SET
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
