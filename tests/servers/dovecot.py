"""
Dovecot: the login service behind Postfix, LMTP over TCP and a unix socket, and submission.

It needs no root: everything then runs as the user of the tests.
"""

import base64
import grp
import hashlib
import hmac
import json
import os
import pwd
import socket
import time

import pytest

from servers.mailbox import NAMES, Maildirs
from servers.packages import is_root, library_path, require
from servers.process import HAS_IPV6, Log, Server

__all__ = ["PASSWORD", "USER", "USERS", "Dovecot"]

USER = "alice@example.test"
PASSWORD = 'correct horse; battery="staple" #1'
# Who may log in, and with what.
USERS = {
    USER: PASSWORD,
    "zoe@example.test": "Füße-密码",  # which no code page but UTF-8 spells right
    "no-reply@example.com": "Tutorial1",
}

_INTERNAL, _LOGIN = "news", "irc"  # users that every Debian has and nobody uses
_OWNER = (9, 9)  # news, by number

_BUILT_PLUGINS = b"/usr/lib/dovecot/modules"
_OUR_PLUGINS = b".//./././././././modules"  # of the same length
assert len(_BUILT_PLUGINS) == len(_OUR_PLUGINS)

_CONFIGURATION = """
base_dir = {directory}/run
state_dir = {directory}/state
libexec_dir = {directory}/libexec
mail_plugin_dir = {root}/usr/lib/dovecot/modules
stats_writer_socket_path =
import_environment = LD_LIBRARY_PATH
log_path = {directory}/log
auth_verbose = yes
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
protocols = lmtp submission
listen = {addresses}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{directory}/boxes/%n
mailbox_list_index = no
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
ssl_min_protocol = TLSv1.2
hostname = mail.example.test
postmaster_address = postmaster@example.test
lda_mailbox_autocreate = yes
recipient_delimiter =

auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2
auth_username_chars =
auth_failure_delay = 0
disable_plaintext_auth = yes
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {directory}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {directory}/boxes.users
}}

service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
  unix_listener auth-userdb {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
  inet_listener lmtps {{
    port = {lmtps}
    ssl = yes
  }}
}}
service submission-login {{
  {chroot}
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = {submissions}
    ssl = yes
  }}
}}
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  {chroot}
}}
protocol lmtp {{
  mail_plugins = quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=1G
}}
"""


class Dovecot:
    """
    A running Dovecot.

    Attributes:
        auth_socket: Where Postfix asks it about logins.
        lmtp_socket: LMTP over a unix socket.
        ports: ``lmtp``, ``lmtps``, ``submission``, ``submissions``.
        boxes: The maildirs that LMTP delivers into.
        full: An address whose mailbox is full, which is found out after the content.

    """

    def __init__(self, certificates, relay_port=0):
        root = require("dovecot")
        server = self._server = Server("dovecot")
        self.ports = {
            name: server.ports.reserve() for name in ("lmtp", "lmtps", "submission", "submissions")
        }
        owner = _OWNER if is_root() else None
        for name in ("run", "state"):
            server.make_directory(name)
        self.boxes = Maildirs(server.make_directory("boxes", owner))
        self.full = "full@example.test"
        self._write_users(owner or (os.getuid(), os.getgid()))
        self._write_oauth2()
        programs = self._make_programs(root / "usr/lib/dovecot")
        user, group, login = (_INTERNAL, _INTERNAL, _LOGIN) if is_root() else _own_names()
        text = _CONFIGURATION.format(
            directory=server.directory,
            root=root,
            addresses="127.0.0.1, ::1" if HAS_IPV6 else "127.0.0.1",
            certificate=certificates.server,
            internal=user,
            internal_group=group,
            login=login,
            chroot="" if is_root() else "chroot =",
            **self.ports,
        )
        if relay_port:
            text += f"submission_relay_host = 127.0.0.1\nsubmission_relay_port = {relay_port}\n"
            text += "submission_relay_trusted = no\n"
        path = server.write("dovecot.conf", text, mode=0o600)
        self.log = Log(server.directory / "log")
        server.logs.append(self.log)
        self.auth_socket = server.directory / "run" / "auth-client"
        self.lmtp_socket = server.directory / "run" / "lmtp"
        doveconf, dovecot = root / "usr/bin/doveconf", root / "usr/sbin/dovecot"
        # dovecot itself would look for doveconf where it was built to be.
        server.start(
            [doveconf, "-c", path, "-m", "master", "-p", "-e", dovecot, "-F", "-c", path],
            {"LD_LIBRARY_PATH": f"{programs}:{library_path(root)}"},
            socket_path=self.auth_socket,
        )
        self._ask_for_mechanisms()

    def stop(self):
        """End it."""
        self._server.stop()

    def _ask_for_mechanisms(self):
        """Make sure that logins work, as Postfix would wait for long before it gave up."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self.auth_socket))
            greeting = b""
            while b"DONE\n" not in greeting:
                data = sock.recv(4096)
                assert data, f"no logins:\n{self._server.describe()}"
                greeting += data

    def _make_programs(self, installed):
        """
        Make a directory of Dovecot's programs that find their plugins elsewhere than built.

        Some plugins are looked for before any setting is read, and without them (TLS is one)
        nothing starts. So the programs and libraries that know the place are copied, and in the
        copies it is below the working directory, which is ``base_dir``.
        """
        programs = self._server.make_directory("libexec")
        for path in installed.iterdir():
            if path.is_symlink():
                (programs / path.name).symlink_to(path.readlink())
            elif path.is_file() and _BUILT_PLUGINS in (content := path.read_bytes()):
                (programs / path.name).write_bytes(content.replace(_BUILT_PLUGINS, _OUR_PLUGINS))
                (programs / path.name).chmod(0o755)
            else:
                (programs / path.name).symlink_to(path)
        (self._server.directory / "run/modules").symlink_to(installed / "modules")
        return programs

    def _write_users(self, owner):
        server = self._server
        lines = [f"{user}:{{PLAIN}}{word}::::::\n" for user, word in USERS.items()]
        server.write("users", "".join(lines))
        uid, gid = owner
        names = (USER.partition("@")[0], *NAMES)
        rows = [f"{name}::{uid}:{gid}::{server.directory}/boxes/{name}::\n" for name in names]
        full = f"full::{uid}:{gid}::{server.directory}/boxes/full::userdb_quota_rule=*:bytes=10\n"
        server.write("boxes.users", "".join([*rows, full]))

    def _write_oauth2(self):
        """Let tokens be checked with a key in a file, so that no server of tokens is needed."""
        server = self._server
        self._key = b"the key that signs tokens"
        keys = server.make_directory("keys/default/HS256")
        (keys / "default").write_bytes(base64.b64encode(self._key))
        server.write(
            "oauth2.conf",
            "introspection_mode = local\n"
            f"local_validation_key_dict = fs:posix:prefix={server.directory}/keys/\n"
            "username_attribute = sub\n",
        )

    def token(self, user=USER):
        """Return a bearer token for a user, as the provider's login page would give it."""
        now = int(time.time())
        claims = {"sub": user, "iat": now - 1, "exp": now + 600, "iss": "test"}
        head = {"alg": "HS256", "typ": "JWT"}
        signed = b".".join(_url_base64(json.dumps(part).encode()) for part in (head, claims))
        signature = hmac.new(self._key, signed, hashlib.sha256).digest()
        return (signed + b"." + _url_base64(signature)).decode()


def _own_names():
    """Return user, group and user again of whoever runs the tests, as names."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
        return user, grp.getgrgid(os.getgid()).gr_name, user
    except KeyError:
        pytest.skip("dovecot must be started by a user and a group that have names")


def _url_base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")
