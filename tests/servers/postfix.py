"""
Postfix, with Dovecot behind its logins: one instance with a port for every kind of service.

``SERVICES`` is the table of those ports. Everything that is accepted is delivered into maildirs.
"""

import re

from servers.dovecot import USERS
from servers.mailbox import NAMES, Maildirs
from servers.packages import library_path, require
from servers.process import HAS_IPV6, Log, Server

__all__ = ["EXTRA_NAMES", "MECHANISMS", "Postfix"]

# Mailboxes beside the usual ones.
EXTRA_NAMES = ("alice", "büro")

# Users and groups that every Debian has and nobody uses; Postfix insists on three different ones.
_MAIL_OWNER, _MAIL_OWNER_UID = "uucp", 10
_SETGID_GROUP, _SETGID_GID = "news", 9
_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming")
_BOXES_UID, _BOXES_GID = 65534, 65534  # nobody

_MAIN = """
compatibility_level = 3.7
queue_directory = {directory}/queue
data_directory = {directory}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {directory}
mail_owner = uucp
setgid_group = news
default_privs = nobody
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = mail.example.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8 [::1]/128
inet_protocols = all
default_transport = error:this server delivers nowhere else
notify_classes =
biff = no
smtputf8_enable = yes
message_drop_headers =
message_size_limit = 64000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = example.test, test.com, bücher.example.test, xn--bcher-kva.example.test
virtual_mailbox_maps = texthash:{directory}/boxes.map
virtual_mailbox_base = {directory}/boxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions =
  check_recipient_access inline:{{ {{ later@example.test = DEFER }} }},
  reject_unlisted_recipient, permit_mynetworks, reject
header_checks = regexp:{directory}/header_checks
smtpd_sender_login_maps = texthash:{directory}/senders.map
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth_socket}
smtpd_tls_chain_files = {certificates.server}
smtpd_tls_CAfile = {certificates.authority}
smtpd_tls_loglevel = 1
smtpd_tls_auth_only = yes
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
in_flow_delay = 0
"""

_AUTH = {
    "smtpd_sasl_auth_enable": "yes",
    "smtpd_sender_restrictions": "reject_sender_login_mismatch",
    "smtpd_client_restrictions": "permit_sasl_authenticated,reject",
}
_IMPLICIT = {"smtpd_tls_wrappermode": "yes", "smtpd_tls_security_level": "encrypt"}
_STARTTLS = {"smtpd_tls_security_level": "encrypt"}
_BARE = "chunking,pipelining,size,8bitmime,dsn,enhancedstatuscodes,smtputf8,vrfy,etrn"


def _discard(words):
    return {"smtpd_discard_ehlo_keywords": f"{words},silent-discard"}


def _chain(path):
    return _IMPLICIT | {"smtpd_tls_chain_files": str(path)}


# What each mechanism is called in msmtprc.
MECHANISMS = ("plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256")


def _services(certificates):
    """Return the table of services: name to parameters."""
    services = {
        "open": {},
        "no-chunking": _discard("chunking"),
        "no-pipelining": _discard("pipelining"),
        "neither": _discard("chunking,pipelining"),
        "bare": _discard(_BARE),
        "no-dsn": _discard("dsn"),
        "small": {"message_size_limit": "2000"},
        "small-silent": {"message_size_limit": "2000"} | _discard("size"),
        "small-data": {"message_size_limit": "2000"} | _discard("size,chunking"),
        "submissions": _IMPLICIT | _AUTH,
        "submission": _STARTTLS | _AUTH,
        "submission-data": _STARTTLS | _AUTH | _discard("chunking"),
        "open-tls": _IMPLICIT,
        "tls11": _IMPLICIT
        | {"smtpd_tls_mandatory_protocols": "TLSv1.1", "smtpd_tls_mandatory_ciphers": "null"},
        "tls12": _IMPLICIT | _AUTH | {"smtpd_tls_mandatory_protocols": "TLSv1.2"},
        "strict": _IMPLICIT | _AUTH | {"smtpd_delay_reject": "no", "smtpd_client_restrictions": ""},
        "unwelcome": {"smtpd_delay_reject": "no", "smtpd_client_restrictions": "reject"},
        "client-certificate": _IMPLICIT
        | {
            "smtpd_tls_req_ccert": "yes",
            "smtpd_tls_security_level": "encrypt",
            "smtpd_client_restrictions": "permit_tls_all_clientcerts,reject",
        },
        "wrong-name": _chain(certificates.wrong_name),
        "expired": _chain(certificates.expired),
        "stranger": _chain(certificates.stranger),
    }
    for mechanism in (*MECHANISMS, "oauthbearer", "xoauth2"):
        only = _AUTH | {"smtpd_sasl_mechanism_filter": mechanism}
        services[f"submissions-{mechanism}"] = _IMPLICIT | only
        services[f"submission-{mechanism}"] = _STARTTLS | only
    return services


# Postfix's own daemons that a receiving server needs: name, private, wakeup, limit, command.
_DAEMONS = """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """
    A running Postfix.

    Attributes:
        ports: The port of each service of the table, on 127.0.0.1 and ::1; ``dialogue`` is like
            ``open`` and logs every command.
        socket: A unix socket with the same service as ``open``.
        secured_socket: The same with TLS.
        boxes: The maildirs of the recipients; nobody else is known.
        log: The mail log.

    """

    def __init__(self, certificates, dovecot):
        root = require("postfix", needs_root=True)
        server = self._server = Server("postfix")
        services = _services(certificates)
        self.ports = {name: server.ports.reserve() for name in ("dialogue", *services)}
        directory = server.directory
        self.boxes = Maildirs(server.make_directory("boxes", (_BOXES_UID, _BOXES_GID)))
        self._make_queue()
        addresses = [f"{name}@example.test" for name in (*NAMES, *EXTRA_NAMES)]
        addresses += ["bob@bücher.example.test", "bob@xn--bcher-kva.example.test", "me@test.com"]
        rows = [f"{address} {address.partition('@')[0]}/\n" for address in addresses]
        server.write("boxes.map", "".join(rows))
        server.write("header_checks", "/^X-Refuse:/ REJECT refused by the test\n")
        server.write("senders.map", "".join(f"{user} {user}\n" for user in USERS))
        server.write(
            "main.cf",
            _MAIN.format(
                directory=directory,
                root=root,
                auth_socket=dovecot.auth_socket,
                certificates=certificates,
                uid=_BOXES_UID,
                gid=_BOXES_GID,
            ),
        )
        server.write("master.cf", self._master(services))
        self.log = Log(directory / "log")
        server.logs.append(self.log)
        server.session_log = self.log
        server.session_ends = (r"smtpd\[\d+\]: connect from", r"smtpd\[\d+\]: disconnect from")
        self.socket = directory / "queue" / "public" / "smtp"
        self.secured_socket = directory / "queue" / "public" / "smtps"
        server.start(
            [root / "usr/lib/postfix/sbin/master", "-s", "-c", directory],
            {"LD_LIBRARY_PATH": library_path(root), "MAIL_CONFIG": directory},
            port=self.ports["open"],
        )

    def stop(self):
        """End it."""
        self._server.stop()

    def session(self):
        """
        Wait for the end of a session since the log's mark; return what Postfix counted in it.

        Returns:
            Commands and how often each came, such as ``{"ehlo": 1, "mail": 1}``.

        """
        line = self.log.wait_for(r"smtpd\[\d+\]: disconnect from \S+ (.*)$")[1]
        counts = dict(word.split("=") for word in line.split())
        counts.pop("commands", None)
        # A command of which some were refused has the form accepted/all.
        return {name: int(count.rpartition("/")[2]) for name, count in counts.items()}

    def connections(self):
        """Return how many connections came since the log's mark."""
        return len(re.findall(r"smtpd\[\d+\]: connect from ", self.log.text()))

    def _make_queue(self):
        server = self._server
        owner = (_MAIL_OWNER_UID, 0)
        server.make_directory("queue")
        server.make_directory("data", owner, 0o700)
        for name in (*_QUEUES, "saved", "trace"):
            server.make_directory(f"queue/{name}", owner, 0o700)
        server.make_directory("queue/pid")
        server.make_directory("queue/private", owner, 0o700)
        server.make_directory("queue/maildrop", (_MAIL_OWNER_UID, _SETGID_GID), 0o730)
        server.make_directory("queue/public", (_MAIL_OWNER_UID, _SETGID_GID), 0o710)

    def _master(self, services):
        lines = [_DAEMONS.strip()]
        for name, settings in services.items():
            options = [f"  -o {key}={value}" for key, value in settings.items()]
            for address in ("127.0.0.1", "[::1]") if HAS_IPV6 else ("127.0.0.1",):
                lines.append(f"{address}:{self.ports[name]} inet n - n - - smtpd")
                lines += [f"  -o syslog_name=postfix/{name}", *options]
        lines.append(f"127.0.0.1:{self.ports['dialogue']} inet n - n - - smtpd -v")
        lines.append("smtp unix n - n - - smtpd")
        lines.append("smtps unix n - n - - smtpd")
        lines += [f"  -o {key}={value}" for key, value in _IMPLICIT.items()]
        return "\n".join([*lines, ""])
