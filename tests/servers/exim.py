"""
Exim, with its own logins: plaintext, CRAM-MD5, NTLM, client certificates, and Dovecot's SCRAM.

It is built to look up its user when it starts, so that user is shown to it by ``nss_wrapper``;
then it needs no root either.
"""

import os

from servers.dovecot import PASSWORD, USER
from servers.mailbox import NAMES, Maildirs
from servers.packages import is_root, library_path, require
from servers.process import HAS_IPV6, Log, Server

__all__ = ["Exim"]

_UID, _GID = 8, 8  # mail: a user that every Debian has

_WITHOUT_LOGIN = ("open", "no-chunking", "small")
_WITH_LOGIN = ("starttls", "tls", "tls12", "client-certificate")

_CONFIGURATION = r"""
exim_user = Debian-exim
exim_group = Debian-exim
exim_path = {root}/usr/sbin/exim4
deliver_drop_privilege = true
never_users =
keep_environment = LD_PRELOAD : LD_LIBRARY_PATH : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/pid
log_selector = +smtp_connection +tls_cipher +tls_certificate_verified +received_recipients
primary_hostname = mail.example.test
qualify_domain = example.test
local_interfaces = <; {addresses}
daemon_smtp_ports = {port_list}
tls_on_connect_ports = {ports[tls]} : {ports[tls12]} : {ports[client-certificate]}
tls_advertise_hosts = *
tls_certificate = {directory}/server.pem
tls_privatekey = {directory}/server.pem
tls_verify_certificates = {directory}/authority.pem
tls_try_verify_hosts = ${{if eq{{$received_port}}{{{ports[client-certificate]}}}{{*}}{{}}}}
tls_require_ciphers = \
  ${{if eq{{$received_port}}{{{ports[tls12]}}}{{NORMAL:-VERS-ALL:+VERS-TLS1.2}}{{NORMAL}}}}
chunking_advertise_hosts = ${{if eq{{$received_port}}{{{ports[no-chunking]}}}{{}}{{*}}}}
pipelining_advertise_hosts = ${{if eq{{$received_port}}{{{ports[no-chunking]}}}{{}}{{*}}}}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
accept_8bitmime = true
message_size_limit = ${{if eq{{$received_port}}{{{ports[small]}}}{{2000}}{{64M}}}}
rfc1413_hosts =
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
bounce_return_message = false
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data

begin acl
check_mail:
  deny senders = mallory@example.test
       message = 5.7.1 you are not mallory
  accept

check_rcpt:
  defer recipients = later@example.test
        message = 4.2.0 come back later
  deny condition = ${{if inlist{{$received_port}}{{{open_list}}}{{no}}{{yes}}}}
       !authenticated = *
       message = 5.7.0 log in first
  require verify = recipient
  accept

check_data:
  deny condition = ${{if def:h_X-Refuse:}}
       message = 5.7.1 refused by the test
  accept

begin routers
boxes:
  driver = accept
  domains = example.test
  local_parts = lsearch;{directory}/names
  transport = maildir
  cannot_route_message = no such mailbox

begin transports
maildir:
  driver = appendfile
  directory = {directory}/boxes/$local_part_data
  maildir_format
  create_directory
  check_string =
  escape_string =
  delivery_date_add
  envelope_to_add
  return_path_add

begin authenticators
PLAIN:
  driver = plaintext
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_prompts = :
  server_condition = \
    ${{if and{{ {{eq{{$auth2}}{{$acl_c_user}}}} {{eq{{$auth3}}{{$acl_c_password}}}} }}}}
  server_set_id = $auth2
LOGIN:
  driver = plaintext
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_prompts = <| Username: | Password:
  server_condition = \
    ${{if and{{ {{eq{{$auth1}}{{$acl_c_user}}}} {{eq{{$auth2}}{{$acl_c_password}}}} }}}}
  server_set_id = $auth1
CRAM_MD5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{$acl_c_user}}{{$acl_c_password}}fail}}
  server_set_id = $auth1
NTLM:
  driver = spa
  server_password = ${{if eq{{$auth1}}{{$acl_c_user}}{{$acl_c_password}}fail}}
  server_set_id = $auth1
EXTERNAL:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = ${{if eq{{$received_port}}{{{ports[client-certificate]}}}}}
  server_param2 = ${{certextract {{subj_altname,mail,>:}}{{$tls_in_peercert}}}}
  server_condition = ${{if forany{{$auth2}}{{eq{{$item}}{{client@example.test}}}}}}
  server_set_id = $auth1
{dovecot}
"""

_DOVECOT = """
SCRAM_SHA_1:
  driver = dovecot
  public_name = SCRAM-SHA-1
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_socket = {socket}
  server_set_id = $auth1
SCRAM_SHA_256:
  driver = dovecot
  public_name = SCRAM-SHA-256
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_socket = {socket}
  server_set_id = $auth1
"""


class Exim:
    """
    A running Exim.

    Attributes:
        ports: ``open`` needs no login and offers everything, ``no-chunking`` neither CHUNKING
            nor PIPELINING, ``small`` takes 2000 octets; ``starttls``, ``tls``, ``tls12`` and
            ``client-certificate`` want a login.
        boxes: The maildirs of the recipients.
        log: The main log.

    """

    def __init__(self, certificates, dovecot):
        root = require("exim")
        server = self._server = Server("exim")
        self.ports = {name: server.ports.reserve() for name in (*_WITHOUT_LOGIN, *_WITH_LOGIN)}
        uid, gid = (_UID, _GID) if is_root() else (os.getuid(), os.getgid())
        owner = (uid, gid) if is_root() else None
        directory = server.directory
        self.boxes = Maildirs(server.make_directory("boxes", owner))
        for name in ("spool", "log"):
            server.make_directory(name, owner)
        server.write("names", "".join(f"{name}: {name}\n" for name in (*NAMES, "alice")))
        server.write("group", f"root:x:0:\nDebian-exim:x:{gid}:\n")
        server.write(
            "passwd", f"root:x:0:0::/:/bin/false\nDebian-exim:x:{uid}:{gid}::/:/bin/false\n"
        )
        for path in (certificates.server, certificates.authority):
            server.write(path.name, path.read_text())  # where it can read without being root
        text = _CONFIGURATION.format(
            directory=directory,
            root=root,
            addresses="127.0.0.1 ; ::1" if HAS_IPV6 else "127.0.0.1",
            ports=self.ports,
            open_list=":".join(str(self.ports[name]) for name in _WITHOUT_LOGIN),
            port_list=" : ".join(map(str, self.ports.values())),
            dovecot=_DOVECOT.format(socket=dovecot.auth_socket),
        )
        text = text.replace("$acl_c_user", USER).replace("$acl_c_password", _expandable(PASSWORD))
        path = server.write("exim.conf", text)
        self.log = Log(directory / "log" / "mainlog")
        server.session_log = self.log
        server.session_ends = (
            r"connection count = ",
            r"SMTP connection from .* (?:lost|closed|dropped)|TLS error on connection",
        )
        server.logs += [self.log, Log(directory / "log" / "paniclog")]
        (preload,) = (root / "usr/lib").glob("*/libnss_wrapper.so")
        server.start(
            [root / "usr/sbin/exim4", "-C", path, "-bdf", "-q1h"],
            {
                "LD_LIBRARY_PATH": library_path(root),
                "LD_PRELOAD": preload,
                "NSS_WRAPPER_PASSWD": directory / "passwd",
                "NSS_WRAPPER_GROUP": directory / "group",
            },
            port=self.ports["open"],
        )

    def stop(self):
        """End it."""
        self._server.stop()


def _expandable(text):
    """Return a text so that Exim's expansion gives it back."""
    return "".join(f"\\x{ord(char):02x}" for char in text)
