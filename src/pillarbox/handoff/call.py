"""
What a command line asks for, where the mail service does the rest.

``read_call`` reads the plain shapes of a command line, which nearly every program uses, at the
price of a few table look-ups; ``cli`` reads the rest. The rule to keep: what is read here is
read as ``cli.getopt`` would read it with the whole table. A test compares the two.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["DIRECT", "NOBODY", "PROGRAMS", "QUEUE", "WAIT", "WISHES", "Call", "read_call"]

# Wishes of a command line: the options --direct, --queue and --wait.
DIRECT = "direct"
QUEUE = "queue"
WAIT = "wait"
WISHES = (DIRECT, QUEUE, WAIT)

NOBODY = "mailer-daemon"  # sendmail's way to say the null reverse-path

# Octets that mean nothing else in an address; whatever has others is read by ``mail.address``.
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_{|}~@"

# Rows of the programs' tables: what it is in ``Call`` (empty: no meaning here), has an argument.
_IGNORED = ("", False)
_IGNORED_VALUE = ("", True)
_COMMON = {
    "F": ("full_name", True),
    "N": ("notify", True),
    "R": ("ret", True),
    "f": ("sender", True),
    "b": ("mode", True),
    "B": _IGNORED_VALUE,
    "o": _IGNORED_VALUE,
    "i": _IGNORED,
    "m": _IGNORED,
    "n": _IGNORED,
}
PROGRAMS = {
    "sendmail": {
        **_COMMON,
        "V": ("envid", True),
        "r": ("sender", True),
        "e": _IGNORED_VALUE,
        "s": _IGNORED,
        "v": _IGNORED,
    },
    "msmtp": {**_COMMON, "a": ("account", True)},
}
_LONG = {"sendmail": {}, "msmtp": {"from": "sender", "account": "account"}}


class Call:
    """
    What a command line asks for, where the service does the rest.

    Attributes:
        recipients: Each one address as it stands in a command.
        sender: The envelope sender; empty: the null reverse-path; None: the account's own.
        account: The name of an account; empty: the service chooses.
        full_name: The sender's name for a From header that has to be made; empty: not said.
        notify: ``NEVER`` or a comma list (RFC 3461 4.1); empty: not said.
        ret: ``FULL`` or ``HDRS``; empty: not said.
        envid: The envelope identifier; empty: not said.
        is_raw: Repair nothing.
        wish: One of ``WISHES``, or empty.

    """

    __slots__ = (
        "account",
        "envid",
        "full_name",
        "is_raw",
        "notify",
        "recipients",
        "ret",
        "sender",
        "wish",
    )

    def __init__(
        self,
        recipients: "Sequence[str]",
        *,
        sender: str | None = None,
        account: str = "",
        full_name: str = "",
        notify: str = "",
        ret: str = "",
        envid: str = "",
        is_raw: bool = False,
        wish: str = "",
    ) -> None:
        self.recipients = recipients
        self.sender = sender
        self.account = account
        self.full_name = full_name
        self.notify = notify
        self.ret = ret
        self.envid = envid
        self.is_raw = is_raw
        self.wish = wish


def read_call(name: str, arguments: "Sequence[str]") -> "Call | None":
    """
    Return what a plain command line asks for; None: it is not plain, or wrong.

    It never reads one differently from ``cli.getopt`` with the whole table; a test compares.
    """
    found = _options(name, arguments)
    if found is None:
        return None
    chosen, operands = found
    sender = chosen.get("sender")
    if not operands or not all(map(_is_plain, operands)):
        return None
    if chosen.pop("mode", "m") != "m" or (sender is not None and not _is_plain(sender)):
        return None
    if not all(map(_is_simple, chosen.values())):
        return None
    notify = chosen.get("notify", "").upper()
    ret = chosen.get("ret", "").upper()
    if notify not in _NOTIFY or ret not in ("", "FULL", "HDRS"):
        return None
    return Call(
        operands,
        sender="" if sender is not None and sender.lower() == NOBODY else sender,
        account=chosen.get("account", ""),
        full_name=chosen.get("full_name", ""),
        notify=notify,
        ret=ret,
        envid=chosen.get("envid", ""),
        wish=chosen.get("wish", ""),
    )


_NOTIFY = ("", "NEVER", "FAILURE", "DELAY", "SUCCESS", "FAILURE,DELAY", "DELAY,FAILURE")


def _options(name: str, arguments: "Sequence[str]") -> "tuple[dict[str, str], list[str]] | None":
    short, long = PROGRAMS[name], _LONG[name]
    chosen: dict[str, str] = {}
    operands: list[str] = []
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == "--":
            operands += reversed(waiting)
            break
        if word.startswith("--"):
            is_read = _take_long(word[2:], long, waiting, chosen)
        elif word.startswith("-") and word != "-":
            is_read = _take_short(word, short, waiting, chosen)
        else:
            operands.append(word)
            continue
        if not is_read:
            return None
    return chosen, operands


def _take_long(
    word: str, table: "Mapping[str, str]", waiting: "list[str]", chosen: "dict[str, str]"
) -> bool:
    option, equals, value = word.partition("=")
    if option in WISHES and not equals and "wish" not in chosen:
        chosen["wish"] = option
    elif option in table and (equals or waiting):
        chosen[table[option]] = value if equals else waiting.pop()
    else:
        return False
    return True


def _take_short(
    word: str,
    table: "Mapping[str, tuple[str, bool]]",
    waiting: "list[str]",
    chosen: "dict[str, str]",
) -> bool:
    for position in range(1, len(word)):
        if word[position] not in table:
            return False
        key, has_value = table[word[position]]
        if has_value:
            value = word[position + 1 :]
            if not value and not waiting:
                return False
            value = value or waiting.pop()
            if key:
                chosen[key] = value
            break
    return True


def _is_plain(address: str) -> bool:
    """Whether nobody could read this as anything but this one address."""
    if address.strip(_PLAIN) or address.startswith("-"):
        return False
    local_part, at, domain = address.partition("@")
    return bool(local_part and (domain or not at)) and "@" not in domain


def _is_simple(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and not value.startswith("--")
