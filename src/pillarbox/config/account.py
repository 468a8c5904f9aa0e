"""
The keywords of msmtprc, each defined once, and the ``Account`` that holds their values.

``FIELDS`` is the one place that knows a keyword: the parser of files, the long options, the
output of ``--pretend`` and the reference page are all derived from it, in its order. To add a
keyword, add one row there and one annotation to ``Account``; a test proves that they agree.
"""

from __future__ import annotations

from pillarbox.config import values
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pillarbox.secret import Secret

__all__ = ["ALIASES", "FIELDS", "FIELD_BY_NAME", "Account", "Alias", "Field", "parse_setting"]

_OLD = "msmtp 1.4 or older"
_OWN = "pillarbox 0.1"
_NOT_SET = (say("default"), 0)  # who set a keyword that nobody set, and on which line


class Field(Value):
    """
    One keyword of msmtprc.

    Attributes:
        name: The keyword.
        parse: Reads its argument; raises ``ValueError`` with a plain reason.
        default: The value when the keyword is not used.
        help: One line for a person.
        since: The version of msmtp that brought it, or ``pillarbox 0.1``.
        option: The long option without its dashes, or None when there is none.
        short: The letter of the short option; empty when there is none.
        argument: ``required``, or ``optional``: the keyword or option may stand alone.
        absent: The argument that is meant when an optional one is not given.
        attribute: The attribute of ``Account`` that holds the value.
        is_path: A leading ``~`` stands for the home directory.

    """

    __slots__ = (
        "absent",
        "argument",
        "attribute",
        "default",
        "help",
        "is_path",
        "name",
        "option",
        "parse",
        "short",
        "since",
    )

    def __init__(
        self,
        name: str,
        parse: Callable[[str], object],
        help_line: str,
        *,
        default: object = None,
        since: str = _OLD,
        option: str | None = "",
        short: str = "",
        absent: str = "",
        attribute: str = "",
        is_path: bool = False,
    ) -> None:
        self.name = name
        self.parse = parse
        self.default = default
        self.help = help_line
        self.since = since
        self.option = name.replace("_", "-") if option == "" else option
        self.short = short
        self.argument = "optional" if absent else "required"
        self.absent = absent
        self.attribute = attribute or name
        self.is_path = is_path


class Alias(Value):
    """
    An older spelling of a keyword.

    Attributes:
        name: The keyword.
        target: The name of the field that it sets; empty when it is accepted and ignored.
        words: What each argument means to the target; None when it is passed on as it is.
        help: One line for a person.
        option: The long option without its dashes, or None when there is none.
        argument: ``required``, ``optional`` or ``none``.
        absent: The argument that is meant when none is given.

    """

    __slots__ = ("absent", "argument", "help", "name", "option", "target", "words")

    def __init__(
        self,
        name: str,
        target: str,
        words: Mapping[str, str] | None,
        help_line: str,
        *,
        option: str | None = "",
        argument: str = "optional",
        absent: str = "on",
    ) -> None:
        self.name = name
        self.target = target
        self.words = words
        self.help = help_line
        self.option = name.replace("_", "-") if option == "" else option
        self.argument = argument
        self.absent = absent


# In the order of msmtp's --pretend; then what is ours.
FIELDS = (
    Field("host", values.parse_required_text, "Name or address of the server.", default=""),
    Field("port", values.parse_port, "Port; by default 25, with implicit TLS 465."),
    Field(
        "source_ip",
        values.parse_optional_text,
        "Local address to connect from.",
        since="msmtp 1.6.8",
    ),
    Field(
        "proxy_host",
        values.parse_optional_text,
        "SOCKS5 proxy to connect through; it resolves the name of the host.",
        since="msmtp 1.6.0",
    ),
    Field(
        "proxy_port",
        values.parse_optional_port,
        "Port of the proxy; by default 1080.",
        since="msmtp 1.6.0",
    ),
    Field(
        "socket",
        values.parse_socket_path,
        "Unix socket of the server, in place of host and port.",
        since="msmtp 1.8.8",
    ),
    Field(
        "timeout",
        values.parse_timeout,
        "Seconds that the server may take for one step, or off.",
        attribute="timeout_s",
    ),
    Field("protocol", values.one_of("smtp", "lmtp"), "Protocol: smtp or lmtp.", default="smtp"),
    Field(
        "domain",
        values.parse_text,
        "Our name in EHLO or LHLO; may contain %H, %C and %M.",
        default="localhost",
    ),
    Field(
        "auth",
        values.parse_auth,
        "Log in: on chooses a safe method, or the name of one, or off.",
        default="off",
        absent="on",
    ),
    Field("user", values.parse_optional_text, "Login name."),
    Field(
        "password",
        values.parse_secret,
        "Password in plain text; passwordeval is better.",
        option=None,
    ),
    Field(
        "passwordeval",
        values.parse_shell_command,
        "Shell command whose first line of output is the password.",
        since="msmtp 1.4.22",
    ),
    Field("ntlmdomain", values.parse_optional_text, "Domain for NTLM.", option=None),
    Field("tls", values.parse_on_off, "Use TLS.", default=False, absent="on"),
    Field(
        "tls_starttls",
        values.parse_on_off,
        "Start TLS inside SMTP (on), or with the connection (off).",
        default=True,
        absent="on",
    ),
    Field(
        "tls_trust_file",
        values.parse_path,
        "PEM file of trusted certificate authorities, or system.",
        default="system",
        is_path=True,
    ),
    Field(
        "tls_crl_file",
        values.parse_path,
        "PEM file of revoked certificates.",
        since="msmtp 1.4.15",
        is_path=True,
    ),
    Field(
        "tls_fingerprint",
        values.parse_fingerprint,
        "Fingerprint of the one certificate that is accepted, in place of all other checks.",
        since="msmtp 1.4.20",
    ),
    Field("tls_key_file", values.parse_path, "PEM file of our private key.", is_path=True),
    Field("tls_cert_file", values.parse_path, "PEM file of our certificate.", is_path=True),
    Field(
        "tls_certcheck",
        values.parse_on_off,
        "Check the certificate of the server; off makes TLS worthless against an active attacker.",
        default=True,
        absent="on",
    ),
    Field(
        "tls_min_dh_prime_bits",
        values.parse_optional_positive,
        "Deprecated: smallest Diffie-Hellman prime to accept, in bits.",
        since="msmtp 1.4.15",
    ),
    Field(
        "tls_priorities",
        values.parse_optional_text,
        "TLS versions and ciphers, as a GnuTLS priority string.",
        since="msmtp 1.4.15",
    ),
    Field(
        "tls_host_override",
        values.parse_optional_text,
        "Name that the certificate must have, in place of host.",
        since="msmtp 1.8.8",
    ),
    Field(
        "auto_from",
        values.parse_on_off,
        "Obsolete: make the envelope sender from the user's name and maildomain.",
        default=False,
        since="msmtp 1.4.3",
        absent="on",
    ),
    Field("maildomain", values.parse_text, "Obsolete: domain for auto_from."),
    Field(
        "from",
        values.parse_sender,
        "Envelope sender; may contain %U, %H, %C, %M and %F, or be a wildcard pattern.",
        short="f",
        attribute="from_",
    ),
    Field(
        "from_full_name",
        values.parse_optional_text,
        "Name of a person or service for a From header that is added.",
        since="msmtp 1.8.24",
        option=None,
        short="F",
    ),
    Field(
        "allow_from_override",
        values.parse_on_off,
        "Let -f and --read-envelope-from replace the sender of the account.",
        default=True,
        since="msmtp 1.8.20",
        option=None,
    ),
    Field(
        "set_from_header",
        values.one_of("auto", "on", "off"),
        "Add a missing From header (auto), replace it always (on), or neither (off).",
        default="auto",
        since="msmtp 1.8.8",
        absent="auto",
    ),
    Field(
        "set_date_header",
        values.one_of("auto", "off"),
        "Add a missing Date header (auto), or not (off).",
        default="auto",
        since="msmtp 1.8.8",
        absent="auto",
    ),
    Field(
        "set_msgid_header",
        values.one_of("auto", "off"),
        "Add a missing Message-ID header (auto), or not (off).",
        default="auto",
        since="msmtp 1.8.21",
        absent="auto",
    ),
    Field(
        "set_to_header",
        values.one_of("on", "off", "undisclosed_recipients"),
        "Replace To, Cc and Bcc by the recipients (on) or by undisclosed-recipients.",
        default="off",
        since="msmtp 1.8.29",
        absent="on",
    ),
    Field(
        "remove_bcc_headers",
        values.parse_on_off,
        "Remove Bcc headers.",
        default=True,
        since="msmtp 1.6.0",
        absent="on",
    ),
    Field(
        "dsn_notify",
        values.parse_dsn_notify,
        "Ask for notices: never, or some of failure,delay,success; off leaves it to the server.",
        short="N",
    ),
    Field(
        "dsn_return",
        values.parse_dsn_return,
        "What a notice of failure gives back: headers, full, or off.",
        short="R",
    ),
    Field(
        "logfile",
        values.parse_path,
        "File that gets one line for each mail; - is standard output.",
        short="X",
        is_path=True,
    ),
    Field(
        "logfile_time_format",
        values.parse_optional_text,
        "Time in the log file, for strftime; none leaves it out; by default %b %d %H:%M:%S.",
        since="msmtp 1.8.0",
    ),
    Field(
        "syslog",
        values.parse_syslog,
        "Log to syslog: on, off, or a facility such as LOG_MAIL.",
        absent="on",
    ),
    Field(
        "aliases",
        values.parse_path,
        "File of aliases for recipients without @.",
        since="msmtp 1.4.25",
        is_path=True,
    ),
    Field(
        "allow_plaintext_auth",
        values.parse_on_off,
        "With tls off: send the password unencrypted to a host that is not this machine.",
        default=False,
        since=_OWN,
        absent="on",
    ),
    Field(
        "repair",
        values.parse_on_off,
        "Put right what would make filters take the mail for spam.",
        default=True,
        since=_OWN,
        absent="on",
    ),
    Field(
        "own_copies",
        values.parse_on_off,
        "Send a copy of his own to each recipient that To and Cc do not name.",
        default=False,
        since=_OWN,
        absent="on",
    ),
    # What the queue makes of an account. No options: on a command line they would say how one
    # mail is sent, and these are about all that wait. --queue is an option of its own.
    Field(
        "queue",
        values.parse_on_off,
        "In a user's own configuration: keep the mail in his queue first, and send it from there.",
        default=False,
        since=_OWN,
        option=None,
        absent="on",
    ),
    Field(
        "fallback",
        values.parse_optional_text,
        "Name of the account through which mail goes while this one cannot log in or is not "
        "trusted.",
        since=_OWN,
        option=None,
    ),
    Field(
        "bounce_to",
        values.parse_remote_address,
        "Address that is told when queued mail could not be delivered.",
        since=_OWN,
        option=None,
    ),
    Field(
        "max_per_minute",
        values.parse_limit,
        "Mails a minute that the queue sends through the account; 0 for no limit.",
        default=0,
        since=_OWN,
        option=None,
    ),
    Field(
        "max_per_hour",
        values.parse_limit,
        "The same in an hour.",
        default=0,
        since=_OWN,
        option=None,
    ),
    Field(
        "max_per_day",
        values.parse_limit,
        "The same in 24 hours.",
        default=0,
        since=_OWN,
        option=None,
    ),
)

_INVERSE = {"on": "off", "off": "on"}
_AUTO_OFF = {"on": "auto", "off": "off"}

ALIASES = (
    Alias(
        "connect_timeout",
        "timeout",
        None,
        "Old name of timeout.",
        argument="required",
        absent="",
    ),
    Alias(
        "tls_nostarttls",
        "tls_starttls",
        _INVERSE,
        "Old form of tls_starttls off.",
        option=None,
        argument="none",
    ),
    Alias(
        "tls_nocertcheck",
        "tls_certcheck",
        _INVERSE,
        "Old form of tls_certcheck off.",
        option=None,
        argument="none",
    ),
    Alias("keepbcc", "remove_bcc_headers", _INVERSE, "Old inverse of remove_bcc_headers."),
    Alias(
        "undisclosed_recipients",
        "set_to_header",
        {"on": "undisclosed_recipients", "off": "off"},
        "Old form of set_to_header undisclosed_recipients.",
    ),
    Alias("add_missing_from_header", "set_from_header", _AUTO_OFF, "Old set_from_header."),
    Alias("add_missing_date_header", "set_date_header", _AUTO_OFF, "Old set_date_header."),
    Alias("tls_force_sslv3", "", None, "Accepted and ignored: SSL 3 is not spoken any more."),
)

FIELD_BY_NAME = {field.name: field for field in FIELDS}
_ALIAS_BY_NAME = {alias.name: alias for alias in ALIASES}


def parse_setting(keyword: str, text: str | None) -> tuple[Field, object] | None:
    """
    Read one setting, from a file or from an option.

    Args:
        keyword: The name of a field or an alias.
        text: The argument; None when there is none at all.

    Returns:
        The field and its value, or None when the keyword is one that is ignored.

    Raises:
        KeyError: There is no such keyword.
        ValueError: The argument is wrong; the text of the exception says why.

    """
    field = FIELD_BY_NAME.get(keyword)
    if field is None:
        return _parse_alias(_ALIAS_BY_NAME[keyword], text)
    if text is None:
        text = field.absent
    return field, field.parse(text)


def _parse_alias(alias: Alias, text: str | None) -> tuple[Field, object] | None:
    if not alias.target:
        return None
    if text is None:
        text = alias.absent
    elif alias.argument == "none":
        raise ValueError(values.NOT_TAKEN)
    field = FIELD_BY_NAME[alias.target]
    if alias.words is None:
        return field, field.parse(text)
    values.parse_on_off(text)
    return field, field.parse(alias.words[text])


class Account:
    """
    A named set of sending choices; ``from_`` and ``timeout_s`` are ``from`` and ``timeout``.

    It is filled by the loader and then handed on, not changed again. What is not set has the
    default of its field (so it does not cost memory); ``where`` tells who set a value.

    Attributes:
        name: As in the file; empty when it was made from the command line or environment.
        origin: The path of the file; empty likewise.
        own_sender: The account's ``from`` as it is written, whatever the caller says with ``-f``;
            empty: there is none.
        from_pattern: The account's ``from`` when it is a pattern from which no sender could
            be made for this mail, which leaves ``from_`` None; else empty.

    """

    name: str
    origin: str
    own_sender: str
    from_pattern: str

    host: str
    port: int | None
    source_ip: str | None
    proxy_host: str | None
    proxy_port: int | None
    socket: str | None
    timeout_s: int | None
    protocol: str
    domain: str
    auth: str
    user: str | None
    password: Secret | None
    passwordeval: str | None
    ntlmdomain: str | None
    tls: bool
    tls_starttls: bool
    tls_trust_file: str | None
    tls_crl_file: str | None
    tls_fingerprint: str | None
    tls_key_file: str | None
    tls_cert_file: str | None
    tls_certcheck: bool
    tls_min_dh_prime_bits: int | None
    tls_priorities: str | None
    tls_host_override: str | None
    auto_from: bool
    maildomain: str | None
    from_: str | None
    from_full_name: str | None
    allow_from_override: bool
    set_from_header: str
    set_date_header: str
    set_msgid_header: str
    set_to_header: str
    remove_bcc_headers: bool
    dsn_notify: str | None
    dsn_return: str | None
    logfile: str | None
    logfile_time_format: str | None
    syslog: str | None
    aliases: str | None
    allow_plaintext_auth: bool
    repair: bool
    own_copies: bool
    queue: bool
    fallback: str | None
    bounce_to: str | None
    max_per_minute: int
    max_per_hour: int
    max_per_day: int

    def __init__(self, name: str, origin: str, *, base: Account | None = None) -> None:
        self._places: dict[str, tuple[str, int]] = {}
        self._explicit: set[str] = set()
        if base is not None:
            self.__dict__.update(base.__dict__)
            self._places = self._places.copy()
            self._explicit = set()
        self.name = name
        self.origin = origin
        self.own_sender = ""
        self.from_pattern = ""

    def set(self, field: Field, value: object, source: str, line: int = 0) -> None:
        """
        Set one value.

        Args:
            field: A row of ``FIELDS``.
            value: What its parser returned.
            source: The path of a file, ``command line``, or another word for who set it.
            line: The line in that file, counted from 1; 0 when there is none.

        """
        self.__dict__[field.attribute] = value
        self._places[field.name] = source, line
        self._explicit.add(field.name)

    def inherit(self, parent: Account) -> None:
        """Take over what was set in ``parent`` itself, and not what it had from defaults."""
        for name in parent._explicit:
            field = FIELD_BY_NAME[name]
            self.set(field, parent.get(field), *parent.place(name))

    def copy(self) -> Account:
        """Return an account with the same values that can be changed without changing this."""
        copy = Account(self.name, self.origin, base=self)
        copy._explicit = self._explicit.copy()
        return copy

    def get(self, field: Field) -> object:
        """Return the value of a field."""
        value: object = getattr(self, field.attribute)
        return value

    def is_set(self, name: str) -> bool:
        """Tell whether the keyword was used for this account itself, defaults not counted."""
        return name in self._explicit

    def place(self, name: str) -> tuple[str, int]:
        """Return who set the keyword and on which line (0: not in a file)."""
        return self._places.get(name, _NOT_SET)

    def where(self, name: str) -> str:
        """Return who set the keyword: ``FILE:LINE``, ``command line``, ``default`` ..."""
        source, line = self.place(name)
        return f"{source}:{line}" if line else source

    def __repr__(self) -> str:
        return f"Account(name={self.name!r}, origin={self.origin!r})"


for _field in FIELDS:
    setattr(Account, _field.attribute, _field.default)
del _field
