"""
The text of an account inside an msmtprc that may have others in it.

1. ``find_default_name`` says which account is to be written where nobody named one.
2. ``with_account`` writes it: every other octet of the file stays as it is.
3. ``read_account`` reads it back, so that the login that is tried is the one that will be used.

The rule to keep: of an account that is there already only the server, the login, the TLS and the
sender are replaced (``_OWN``); its comments, its log file and whatever else it says stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.account import ALIASES, FIELD_BY_NAME
from pillarbox.config.importers.result import NewAccount, text_of
from pillarbox.config.parse import parse
from pillarbox.errors import ConfigError, DataError
from pillarbox.secret import Secret
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from pillarbox.config.account import Account

__all__ = [
    "DEFAULT",
    "Login",
    "find_default_name",
    "read_account",
    "require_sound",
    "with_account",
]

DEFAULT = "default"  # the account that is used where nothing else is said

# What is replaced in an account that is there already, and what each is worth where the account
# does not say it: a section of defaults, or a parent, may say something else.
_OWN = {
    "host": "",
    "port": "",
    "socket": "",
    "protocol": "smtp",
    "auth": "on",
    "user": "",
    "password": "",
    "passwordeval": "",
    "ntlmdomain": "",
    "tls": "on",
    "tls_starttls": "on",
    "tls_trust_file": "system",
    "tls_crl_file": "",
    "tls_fingerprint": "",
    "tls_certcheck": "on",
    "tls_host_override": "",
    "auto_from": "off",
    "maildomain": "",
    "from": "",
    "allow_plaintext_auth": "off",
}
_OWN_ALIASES = frozenset(alias.name for alias in ALIASES if alias.target in _OWN)
# Where the value is None or empty, an argument that is not there would be refused.
_CANNOT_BE_EMPTY = frozenset(("host", "port", "from", "user", "maildomain"))
_BOM = b"\xef\xbb\xbf"


class Login(Value):
    """
    What an account has to say.

    Attributes:
        host: The server.
        port: Its port.
        is_implicit: TLS comes first; else STARTTLS.
        user: The login name.
        sender: The address that mail is from.
        trust_file: A PEM file, or ``system``.
        password: What stands in the file; None: it comes from elsewhere.
        aliases: The file of aliases that it names; empty: none.

    """

    __slots__ = (
        "aliases",
        "host",
        "is_implicit",
        "password",
        "port",
        "sender",
        "trust_file",
        "user",
    )

    def __init__(
        self,
        host: str,
        port: int,
        *,
        is_implicit: bool,
        user: str,
        sender: str,
        trust_file: str = "system",
        password: Secret | None = None,
        aliases: str = "",
    ) -> None:
        self.host = host
        self.port = port
        self.is_implicit = is_implicit
        self.user = user
        self.sender = sender
        self.trust_file = trust_file
        self.password = password
        self.aliases = aliases

    def settings(self) -> dict[str, str]:
        """
        Return its keywords and their arguments, in the order of the file.

        Raises:
            DataError: One of them fits in no line of an msmtprc.

        """
        account = NewAccount(DEFAULT)
        account.set_server(self.host, self.port, "implicit" if self.is_implicit else "starttls")
        account.set("tls_trust_file", self.trust_file)
        account.set("auth", "on")
        account.set("user", self.user)
        if self.password is not None:
            account.set("password", self.password.reveal())
        account.set("from", self.sender)
        account.set("aliases", self.aliases)
        return account.settings


def find_default_name(text: bytes, path: str, sender: str, fresh: str) -> str:
    """
    Return the name of the account to write where nobody named one.

    It is ``default``; where ``account default : NAME`` is the file's way to say so, it is that
    account if it is the sender's already, and else one of its own, which becomes the default.

    Args:
        text: The file as it is.
        path: Its name, for messages.
        sender: The address of the account to be written.
        fresh: How an account of its own is to be called.

    """
    blocks = _Blocks(text)
    parents = blocks.parents_of_default()
    if not parents:
        return DEFAULT
    accounts = {account.name: account for account in _parsed(text, path)}
    own = accounts[parents[-1]]
    if (own.from_ or "").lower() == sender.lower():
        return own.name
    name, number = fresh, 1
    while name in accounts:
        number += 1
        name = f"{fresh}-{number}"
    return name


def with_account(text: bytes, path: str, name: str, login: Login, *, is_default: bool) -> bytes:
    """
    Return the file with the account in it.

    Args:
        text: The file as it is; empty: there is none.
        path: Its name, for messages.
        name: The name of the account; one of this name is replaced.
        login: What it has to say.
        is_default: It becomes the account that is used where nothing else is said; it does so
            anyway where there is no such account yet.

    Raises:
        ConfigError: The file is faulty, or something in it would win over what is written.
        DataError: The account cannot be said in an msmtprc.

    """
    accounts = {account.name: account for account in _parsed(text, path)}
    settings = login.settings()
    if "aliases" in settings and name in accounts and accounts[name].aliases:
        del settings["aliases"]  # it has one, which stays
    if name not in accounts or not _says_the_same(accounts[name], login):
        text = _written(text, path, name, settings)
    if name != DEFAULT and (is_default or DEFAULT not in accounts):
        text = _with_default(text, path, name)
    _require_effect(text, path, name, login)
    return text


def read_account(text: bytes, path: str, name: str) -> Account:
    """
    Return the account of a name, not finished.

    Raises:
        ConfigError: The file is faulty, or has none of this name.

    """
    for account in _parsed(text, path):
        if account.name == name:
            return account
    raise ConfigError(say("account {name} not found", name=name), path=path)


def require_sound(text: bytes, path: str) -> None:
    """
    Raise where a file is faulty, so that nothing may be added to it.

    Raises:
        ConfigError: It is, and where.

    """
    try:
        _parsed(text, path)
    except ConfigError as error:
        advice = say("mend it first: pillarbox config check {path}", path=path)
        raise ConfigError(error.problem, path=path, line=error.line, advice=advice) from error


def _parsed(text: bytes, path: str) -> tuple[Account, ...]:
    """Return the accounts of a text; no command of it is run."""
    return parse(text, path, run_eval=lambda _command, _line: "# not run").accounts


# -- the blocks of a file --------------------------------------------------------------------------


class _Line:
    """One line of a file, which is an account's, or nobody's."""

    __slots__ = ("argument", "keyword", "owner", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        text = raw.removeprefix(_BOM).decode("utf-8", "surrogateescape").strip(" \t\r\n")
        self.keyword = self.argument = ""
        if text and not text.startswith("#"):
            blank = min((at for at in map(text.find, " \t") if at >= 0), default=len(text))
            self.keyword, self.argument = text[:blank], text[blank:].strip(" \t")
        self.owner: str | None = None  # None: of no account


class _Blocks:
    """The lines of a file, each with the account that it belongs to."""

    def __init__(self, text: bytes) -> None:
        self.newline = b"\r\n" if b"\r\n" in text else b"\n"
        # As the reader splits it: a lone CR ends no line.
        lines = text.split(b"\n")
        whole = [line + b"\n" for line in lines[:-1]]
        self.lines = [_Line(raw) for raw in (*whole, *filter(None, lines[-1:]))]
        owner: str | None = DEFAULT  # settings above the first account line are an account
        for line in self.lines:
            if line.keyword == "account":
                owner = self._name_and_parents(line)[0]
            elif line.keyword == "defaults":
                owner = None
            line.owner = owner if line.keyword else None

    def of(self, name: str) -> list[int]:
        """Return the positions of an account's lines."""
        return [at for at, line in enumerate(self.lines) if line.owner == name]

    def parents_of_default(self) -> list[str]:
        """Return what ``account default : ...`` names, if it says nothing of its own."""
        own = self.of(DEFAULT)
        if len(own) != 1 or self.lines[own[0]].keyword != "account":
            return []
        return self._name_and_parents(self.lines[own[0]])[1]

    def text(self) -> bytes:
        """Return the file."""
        return b"".join(line.raw for line in self.lines)

    def made(self, words: str) -> bytes:
        """Return a line of this file."""
        return words.encode("utf-8", "surrogateescape") + self.newline

    @staticmethod
    def _name_and_parents(line: _Line) -> tuple[str, list[str]]:
        argument = line.argument
        if len(argument) > 1 and argument[0] == argument[-1] == '"':
            argument = argument[1:-1]
        name, _, parents = argument.partition(":")
        return name.rstrip(" \t"), [word.strip(" \t") for word in parents.split(",") if word]


def _written(text: bytes, path: str, name: str, settings: dict[str, str]) -> bytes:
    """Return the file with the settings of an account written, and what would win over them."""
    written = _replaced(text, name, settings)
    account = read_account(written, path, name)
    resets = {
        keyword: neutral
        for keyword, neutral in _OWN.items()
        if keyword not in settings
        and keyword not in _CANNOT_BE_EMPTY
        and account.get(FIELD_BY_NAME[keyword]) != FIELD_BY_NAME[keyword].parse(neutral)
    }
    return _replaced(text, name, settings | resets) if resets else written


def _replaced(text: bytes, name: str, settings: dict[str, str]) -> bytes:
    blocks = _Blocks(text)
    new = _lines_of(settings)
    own = blocks.of(name)
    if not own:
        gap = [] if not blocks.lines else [""]
        if blocks.lines and not text.endswith(b"\n"):
            blocks.lines[-1].raw += blocks.newline
        words = [*gap, f"account {name}", *new]
        return blocks.text() + b"".join(map(blocks.made, words))
    replaced = [at for at in own if _is_replaced(blocks.lines[at].keyword)]
    if not text.endswith(b"\n"):
        blocks.lines[-1].raw += blocks.newline
    for at in replaced:
        blocks.lines[at].raw = b""
    place = replaced[0] if replaced else own[0]
    made = b"".join(map(blocks.made, new))
    line = blocks.lines[place]
    bom = _BOM if place == 0 and text.startswith(_BOM) and replaced else b""
    line.raw = bom + made if replaced else line.raw + made
    return blocks.text()


def _is_replaced(keyword: str) -> bool:
    return keyword in _OWN or keyword in _OWN_ALIASES or keyword == "eval"


def _lines_of(settings: dict[str, str]) -> list[str]:
    account = NewAccount(DEFAULT)
    account.settings = {key: value for key, value in settings.items() if value}
    lines = list(text_of([account], hides_secrets=False))[1:-1]
    return lines + [key for key, value in settings.items() if not value]


def _with_default(text: bytes, path: str, name: str) -> bytes:
    """Return the file with an account as the default one; its line goes behind the account."""
    blocks = _Blocks(text)
    own = blocks.of(DEFAULT)
    parents = blocks.parents_of_default()
    if parents == [name]:
        return text
    if own and not parents:
        problem = say("the file has an account default that stands for itself")
        raise ConfigError(
            problem, path=path, advice=say("leave --account out, and that one is replaced")
        )
    for at in own:
        blocks.lines[at].raw = b""
    kept = blocks.text()
    gap = b"" if kept.endswith((b"\n\n", b"\r\n\r\n")) else blocks.newline
    return kept + gap + blocks.made(f"account {DEFAULT} : {name}")


def _says_the_same(account: Account, login: Login) -> bool:
    """Tell whether an account, as it is, is what would be written, in whatever words."""
    wanted = login.settings()
    for keyword, neutral in _OWN.items():
        field = FIELD_BY_NAME[keyword]
        argument = wanted.get(keyword)
        if argument is None and keyword in _CANNOT_BE_EMPTY:
            if account.get(field):
                return False
            continue
        expected = field.parse(neutral if argument is None else argument)
        if not _is_equal(account.get(field), expected):
            return False
    return not login.aliases or bool(account.aliases)


def _is_equal(one: object, other: object) -> bool:
    if isinstance(one, Secret) and isinstance(other, Secret):
        return one.reveal() == other.reveal()
    return one == other


def _require_effect(text: bytes, path: str, name: str, login: Login) -> None:
    """Refuse a text that would not say what was wanted: a pattern, or something above it."""
    account = read_account(text, path, name)
    if any(letter in login.sender for letter in "%*?["):
        raise DataError(
            say("{address} would be a pattern in an msmtprc", address=login.sender),
            advice=say("write the account by hand, or use another address"),
        )
    if not _says_the_same(account, login):
        raise ConfigError(
            say("account {name} cannot be written so that it counts", name=name),
            path=path,
            advice=say("take the account out of the file, and try again"),
        )
