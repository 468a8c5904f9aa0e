"""
Cyrus IMAP's LMTP server: the one mail server of Debian that offers SCRAM with channel binding.

It binds to ``tls-unique``, so its -PLUS mechanisms work under TLS 1.2.
"""

import asyncio
import os
import ssl
import subprocess

from servers.dovecot import PASSWORD
from servers.loop import LoopServer
from servers.packages import library_path, require
from servers.process import Server, eventually

__all__ = ["USER", "Cyrus", "Relay"]

USER = "alice"  # the realm is the server's name

_OWNER, _OWNER_IDS = "news", (9, 9)  # a user that every Debian has and nobody uses

_CONFIGURATION = """
configdirectory: {directory}/conf
partition-default: {directory}/mail
defaultpartition: default
cyrus_user: {owner}
cyrus_group: {owner}
servername: mail.example.test
syslog_prefix: cyrus
duplicatesuppression: no
virtdomains: off
unixhierarchysep: yes
altnamespace: yes
autocreate_quota: 0
autocreate_post: yes
lmtp_admins: {user}
lmtp_downcase_rcpt: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {directory}/conf/sasldb2
sasl_mech_list: PLAIN SCRAM-SHA-1 SCRAM-SHA-256
tls_server_cert: {directory}/conf/server.pem
tls_server_key: {directory}/conf/server.pem
tls_versions: tls1_2 tls1_3
sync_log: no
"""
_SERVICES = """
START {{
}}
SERVICES {{
  lmtp cmd="{root}/usr/lib/cyrus/bin/lmtpd -C {directory}/imapd.conf" listen="127.0.0.1:{port}"
}}
EVENTS {{
}}
"""


class Cyrus:
    """
    A running Cyrus.

    Attributes:
        port: Where it speaks LMTP with STARTTLS, on 127.0.0.1.

    """

    def __init__(self, certificates):
        root = require("cyrus", needs_root=True)
        server = self._server = Server("cyrus")
        self.port = server.ports.reserve()
        directory = server.directory
        for name in ("conf", "mail"):
            server.make_directory(name, _OWNER_IDS, 0o750)
        server.write("conf/server.pem", certificates.server.read_text())
        names = {
            "directory": directory,
            "root": root,
            "owner": _OWNER,
            "user": USER,
            "port": self.port,
        }
        server.write("imapd.conf", _CONFIGURATION.format(**names))
        server.write("cyrus.conf", _SERVICES.format(**names))
        (plugins,) = (root / "usr/lib").glob("*/sasl2")
        environment = {"LD_LIBRARY_PATH": library_path(root), "SASL_PATH": str(plugins)}
        users = directory / "conf/sasldb2"
        saslpasswd = root / "usr/sbin/saslpasswd2"
        subprocess.run(
            [saslpasswd, "-p", "-c", "-f", users, "-u", "mail.example.test", USER],
            input=PASSWORD.encode(),
            env=environment,
            check=True,
        )
        os.chown(users, *_OWNER_IDS)
        master = root / "usr/lib/cyrus/bin/master"
        services = ("-M", directory / "cyrus.conf", "-p", directory / "conf/pid")
        server.start(
            [master, "-C", directory / "imapd.conf", *services],
            environment,
            port=self.port,
        )

    def stop(self):
        """End it."""
        self._server.stop()

    def mail_with(self, text):
        """Wait for the mail that holds these octets and return it, with lines that end in LF."""

        def find():
            for path in (self._server.directory / "mail").rglob("*."):
                if path.is_file() and text in (mail := path.read_bytes()):
                    return mail.replace(b"\r\n", b"\n")
            return None

        return eventually(find, f"a mail with {text}")


class Relay(LoopServer):
    """
    Somebody in the middle: he has a certificate that we trust, and passes on what he reads.

    Args:
        certificates: Where his is from.
        port: The server's port.
        hidden: What he takes out of what the server says.

    """

    def __init__(self, certificates, port, hidden=b""):
        self._ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ours.load_cert_chain(certificates.server)
        self._theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._theirs.check_hostname = False
        self._theirs.verify_mode = ssl.CERT_NONE
        for context in (self._ours, self._theirs):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._port = port
        self._hidden = hidden
        super().__init__(lambda: asyncio.start_server(self._serve, "127.0.0.1", 0))

    async def _serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(await far_reader.readline())
            command = b""
            while command.upper() != b"STARTTLS\r\n":
                command = await reader.readline()
                far_writer.write(command)
                line = b"250-"
                while line[3:4] == b"-":
                    line = await far_reader.readline()
                    writer.write(line)
            await writer.drain()
            await writer.start_tls(self._ours)
            await far_writer.start_tls(self._theirs)
            await asyncio.gather(
                _pass_on(reader, far_writer, b""), _pass_on(far_reader, writer, self._hidden)
            )
        except OSError:
            pass  # one of the two has had enough
        finally:
            # Not close(): under TLS that would wait for the other side's farewell.
            far_writer.transport.abort()
            writer.transport.abort()


async def _pass_on(source, sink, hidden):
    while data := await source.read(1 << 16):
        sink.write(data.replace(hidden, b"") if hidden else data)
        await sink.drain()
    sink.close()
