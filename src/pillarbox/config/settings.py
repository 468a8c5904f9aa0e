"""
The settings of the daemon, each defined once, and the ``Service`` that holds their values.

``SETTINGS`` is the one place that knows a setting: the reader of the file (``service``) and the
reference page are derived from it. To add one, add a row there and an annotation to the class of
its section; a test proves that they agree. What an *account* is stays in msmtprc (``account``);
here is only what concerns the service as a whole, and every default is good.

A setting is called without its unit in the file (``queue_lifetime = "5d"``) and with it in the
code (``service.delivery.queue_lifetime_s``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pillarbox.config import units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "SECTIONS",
    "SENDERS",
    "SETTINGS",
    "Alerts",
    "Delivery",
    "Limits",
    "Listen",
    "Log",
    "Notices",
    "Service",
    "Setting",
    "patterns_of",
]

SENDERS = "senders"  # the only section whose names are the user's own
_EVERYBODY_ELSE = "*"
_RECIPIENTS_MAX = 1500  # what an entry of the spool has room for (spool.entry.MAX_RECIPIENTS)


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting of the file.

    Attributes:
        section: The table that it stands in; empty for the top of the file.
        name: Its name there.
        parse: Takes what TOML gave; returns the value or raises ``ValueError`` with a reason.
        default: The value when it is not set; a name of ``Places`` in braces stands for that
            path, which differs between the system's and a user's own service.
        help: One line for a person.
        unit: What its attribute ends in: ``s``, ``bytes`` or nothing.
        since: The version that brought it.

    """

    section: str
    name: str
    parse: Callable[[object], object]
    default: object
    help: str
    unit: str = ""
    since: str = "pillarbox 0.1"

    @property
    def attribute(self) -> str:
        """The name of the field that holds the value."""
        return f"{self.name}_{self.unit}" if self.unit else self.name


SETTINGS = (
    Setting(
        "",
        "roles",
        units.SomeOf("submit", "deliver", "listen"),
        ("submit", "deliver"),
        "What this process does: take mail from programs (submit), bring it to the relay host "
        "(deliver), take mail by SMTP (listen).",
    ),
    Setting("", "spool", units.parse_path, "{spool}", "Directory of the mail that waits."),
    Setting(
        "",
        "submit_socket",
        units.parse_socket,
        "{submit_socket}",
        "Unix socket at which `sendmail` and `msmtp` hand mail over.",
    ),
    Setting(
        "",
        "control_socket",
        units.parse_socket,
        "{control_socket}",
        "Unix socket of `pillarbox queue` and `mailq`.",
    ),
    Setting(
        "",
        "accounts_file",
        units.parse_path,
        "{accounts_file}",
        "The msmtprc with the accounts that the service sends through.",
    ),
    Setting(
        "",
        "aliases",
        units.parse_optional_path,
        "",
        "File of aliases for recipients without @; not set: the account says.",
    ),
    Setting(
        "",
        "hostname",
        units.parse_text,
        "",
        "Our name in Received headers and notices; not set: that of the machine.",
    ),
    Setting("limits", "max_message", units.parse_size, 26214400, "Size of a mail.", "bytes"),
    Setting(
        "limits",
        "max_recipients",
        units.count_to(_RECIPIENTS_MAX),
        1000,
        "Recipients of a mail, at most 1500.",
    ),
    Setting(
        "limits",
        "per_user_rate_per_minute",
        units.parse_count,
        600,
        "Mails that one user may hand over per minute in the long run; root ten times as many.",
    ),
    Setting(
        "limits",
        "per_user_burst",
        units.parse_count,
        2000,
        "Mails that one user may hand over at once before the rate counts; root ten times as many.",
    ),
    Setting(
        "limits",
        "per_user_share_count",
        units.parse_count,
        20000,
        "Mails of one user that may wait at a time; root ten times as many.",
    ),
    Setting(
        "limits",
        "per_user_share",
        units.parse_size,
        2 << 30,
        "Size of all mails of one user that wait; root ten times as much.",
        "bytes",
    ),
    Setting("limits", "max_queue_count", units.parse_count, 1000000, "Mails that may wait."),
    Setting(
        "limits",
        "min_free_percent",
        units.parse_percent,
        5,
        "Space on the spool's file system that is left to others; root may use it up.",
    ),
    Setting(
        "limits",
        "min_free_inodes_percent",
        units.parse_percent,
        5,
        "Inodes on the spool's file system that are left to others; root may use them up.",
    ),
    Setting("limits", "max_connections", units.parse_count, 200, "Programs at a time."),
    Setting(
        "limits",
        "max_connections_per_user",
        units.parse_count,
        20,
        "Programs of one user at a time.",
    ),
    Setting(
        "limits",
        "idle",
        units.parse_duration,
        300,
        "How long a program that hands over a mail may say nothing.",
        "s",
    ),
    Setting(
        "listen",
        "addresses",
        units.parse_addresses,
        ("127.0.0.1:2525", "[::1]:2525"),
        "Where the role listen takes mail by SMTP. Other addresses than those of this computer "
        "need a certificate and users.",
    ),
    Setting(
        "listen",
        "socket",
        units.parse_optional_socket,
        "",
        "Unix socket at which it does so too; not set: none.",
    ),
    Setting(
        "listen",
        "tls_certificate",
        units.parse_optional_path,
        "",
        "File of our certificate with its chain, for STARTTLS; not set: there is no TLS.",
    ),
    Setting(
        "listen",
        "tls_key",
        units.parse_optional_path,
        "",
        "File of its key; not set: it is in the same file.",
    ),
    Setting(
        "listen",
        "users",
        units.parse_optional_path,
        "",
        "File of those who may log in; `pillarbox serve --hash-password NAME` makes a line of it.",
    ),
    Setting(
        "listen",
        "requires_login",
        units.parse_switch,
        False,  # noqa: FBT003 (a default, in its column)
        "Whether programs of this computer have to log in as well; the kernel names them anyway.",
    ),
    Setting(
        "delivery",
        "connections_per_account",
        units.parse_count,
        2,
        "Connections to the relay host of one account at a time.",
    ),
    Setting(
        "delivery",
        "mails_per_connection",
        units.parse_count,
        100,
        "Mails over one connection before a new one is made.",
    ),
    Setting(
        "delivery",
        "connection_idle",
        units.parse_duration,
        60,
        "How long a connection is kept for the next mail.",
        "s",
    ),
    Setting(
        "delivery",
        "connection_lifetime",
        units.parse_duration,
        300,
        "How old a connection may get.",
        "s",
    ),
    Setting(
        "delivery",
        "queue_lifetime",
        units.parse_duration,
        432000,
        "How long a mail is tried before it is given up and its sender told (RFC 5321 4.5.4.1).",
        "s",
    ),
    Setting(
        "delivery",
        "warning_after",
        units.parse_duration,
        14400,
        "When the sender is told that his mail still waits.",
        "s",
    ),
    Setting(
        "delivery",
        "failed_kept",
        units.parse_duration,
        2592000,
        "How long mail that was given up stays to be looked at.",
        "s",
    ),
    Setting(
        "delivery",
        "scan_interval",
        units.parse_duration,
        60,
        "How often the spool is looked through for what no signal announced.",
        "s",
    ),
    Setting(
        "delivery",
        "history_kept",
        units.parse_duration,
        2592000,
        "How long is remembered what became of each mail (`pillarbox trace`).",
        "s",
    ),
    Setting(
        "notices",
        "per_day",
        units.parse_count,
        20,
        "Notices of failure and delay a day; what is over goes into one digest.",
    ),
    Setting(
        "notices",
        "languages",
        units.SomeOf("en", "zh"),
        ("en", "zh"),
        "Languages of a notice's text, in this order.",
    ),
    Setting(
        "alerts",
        "command",
        units.parse_command,
        (),
        "Program and arguments run without a shell when an account is broken and when a notice "
        "cannot be sent; the text is its standard input.",
    ),
    Setting(
        "log",
        "targets",
        units.SomeOf("stderr", "file", "syslog", "journal"),
        ("stderr",),
        "Where the log goes: standard error (under systemd that is the journal), a file, syslog, "
        "or the journal with a field for each thing that an event says.",
    ),
    Setting(
        "log",
        "format",
        units.OneOf("words", "json"),
        "words",
        "How a line is written: `key=value` words, or a JSON object.",
    ),
    Setting(
        "log",
        "file",
        units.parse_optional_path,
        "",
        "The file of target `file`; a SIGHUP opens it anew.",
    ),
    Setting(
        "log",
        "level",
        units.OneOf("critical", "error", "warning", "notice", "info"),
        "info",
        "The least important events that are logged.",
    ),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken from programs, and how much of it. Counts are of mails unless named."""

    max_message_bytes: int
    max_recipients: int
    per_user_rate_per_minute: int
    per_user_burst: int
    per_user_share_count: int
    per_user_share_bytes: int
    max_queue_count: int
    min_free_percent: int
    min_free_inodes_percent: int
    max_connections: int
    max_connections_per_user: int
    idle_s: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and from whom mail is taken by SMTP."""

    addresses: tuple[str, ...]
    socket: str
    tls_certificate: str
    tls_key: str
    users: str
    requires_login: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """How mail is brought to the relay host."""

    connections_per_account: int
    mails_per_connection: int
    connection_idle_s: int
    connection_lifetime_s: int
    queue_lifetime_s: int
    warning_after_s: int
    failed_kept_s: int
    scan_interval_s: int
    history_kept_s: int


@dataclass(frozen=True, slots=True)
class Notices:
    """What senders are told."""

    per_day: int
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the administrator is told when mail cannot carry it."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """Where the events of the service are told, and how."""

    targets: tuple[str, ...]
    format: str
    file: str
    level: str


@dataclass(frozen=True, slots=True)
class Service:
    """
    The settings of one service; never changed, replaced as a whole by a reload.

    Attributes:
        senders: Which envelope senders a user may use: patterns by user name, user id in
            digits, ``@group``, or ``*`` for those who are in none of them. Ask ``patterns_of``.
        path: The file that they were read from; empty when there was none.

    """

    roles: tuple[str, ...]
    spool: str
    submit_socket: str
    control_socket: str
    accounts_file: str
    aliases: str
    hostname: str
    limits: Limits
    listen: Listen
    delivery: Delivery
    notices: Notices
    alerts: Alerts
    log: Log
    senders: Mapping[str, tuple[str, ...]]
    path: str = ""


SECTIONS = {
    "limits": Limits,
    "listen": Listen,
    "delivery": Delivery,
    "notices": Notices,
    "alerts": Alerts,
    "log": Log,
}


def patterns_of(
    service: Service, *, uid: int, user: str, groups: tuple[str, ...]
) -> tuple[str, ...] | None:
    """
    Return the patterns of the senders that a user may use; None: every sender.

    What names the user decides alone; else what names his groups, all of them together; else
    ``*``. Who is named by nothing may use every sender, as without the section.
    """
    senders = service.senders
    for name in (user, str(uid)):
        if name in senders:
            return senders[name]
    of_groups = [senders[f"@{group}"] for group in groups if f"@{group}" in senders]
    if of_groups:
        return tuple(pattern for patterns in of_groups for pattern in patterns)
    return senders.get(_EVERYBODY_ELSE)
