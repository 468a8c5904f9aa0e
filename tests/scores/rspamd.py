"""
An rspamd of the tests: the package's rules, in a process and a directory of its own.

What asks the network or remembers is off: Bayes, block lists, fuzzy hashes, neural networks,
SPF, DKIM, DMARC. Redis is not needed, and names go to a port of loopback where nobody listens.
"""

import json
import os
import subprocess
from http.client import HTTPConnection

from scores.points import RECIPIENT, RELAY_ADDRESS, RELAY_NAME, SENDER, Score, behind_trace, ranked
from servers.process import Server

__all__ = ["MISSING", "Rspamd"]

_PROGRAM = "/usr/bin/rspamd"
_PATIENCE_S = 30
MISSING = (
    "" if os.access(_PROGRAM, os.X_OK) else "rspamd is missing: tests/scores/install.sh installs it"
)

_CONFIGURATION = """
.include "$CONFDIR/common.conf"
options {{
    pidfile = "$RUNDIR/rspamd.pid";
    .include "$CONFDIR/options.inc"
    .include(priority=10) "$LOCAL_CONFDIR/override.d/options.inc"
}}
logging {{ type = "console"; level = "error"; }}
worker "normal" {{
    bind_socket = "127.0.0.1:{port}";
    count = 1;
    .include "$CONFDIR/worker-normal.inc"
}}
lua = "$RULESDIR/rspamd.lua"
.include "$CONFDIR/metrics.conf"
.include "$CONFDIR/actions.conf"
.include "$CONFDIR/groups.conf"
.include "$CONFDIR/composites.conf"
.include "$CONFDIR/modules.conf"
"""
_OPTIONS = """
control_socket = "$RUNDIR/control.sock mode=0600";
tempdir = "$RUNDIR";
url_tld = "{folder}/suffixes";
disable_hyperscan = true;
dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.01s; retransmits = 1; }}
"""
_OFF = (
    *("arc", "asn", "bimi", "dcc", "dkim", "dkim_signing", "dmarc", "fuzzy_check", "greylist"),
    *("history_redis", "mx_check", "neural", "ratelimit", "rbl", "redis", "replies"),
    *("reputation", "rspamd_update", "spf", "surbl", "url_redirector", "whitelist"),
)
# Compiling the expressions (disable_hyperscan) takes ten seconds in the background, for 80 mails.
# Of hfilter, what looks at the mail; the rest looks for the relay's names in the DNS.
_HFILTER = "".join(f"{part}_enabled = false;\n" for part in ("helo", "hostname", "from", "rcpt"))
# Building the tables for the whole public suffix list takes ten seconds.
_SUFFIXES = "com\nnet\norg\ncn\ncom.cn\nde\nio\njp\nru\ntest\nexample\n"


class Rspamd(Server):
    """A running rspamd; ``stop`` it in the end."""

    def __init__(self):
        super().__init__("rspamd")
        self._port = self.ports.reserve()
        folder = self.directory
        for name in ("db", "run", "local/local.d", "local/override.d"):
            self.make_directory(name)
        for name in _OFF:
            self.write(f"local/local.d/{name}.conf", "enabled = false;\n")
        self.write("local/local.d/hfilter.conf", _HFILTER)
        self.write("suffixes", _SUFFIXES)
        self.write("local/override.d/options.inc", _OPTIONS.format(folder=folder))
        path = self.write("rspamd.conf", _CONFIGURATION.format(folder=folder, port=self._port))
        variables = {
            "LOCAL_CONFDIR": folder / "local",
            "DBDIR": folder / "db",
            "RUNDIR": folder / "run",
            "LOGDIR": folder / "run",
        }
        self.start(
            [_PROGRAM, "--no-fork", "--insecure", "--config", path]
            + [f"--var={name}={value}" for name, value in variables.items()],
            {"LC_ALL": "C.UTF-8"},
            port=self._port,
        )
        self._connection = HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)

    def stop(self):
        """End it; not waiting."""
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()
        super().stop()

    def score(self, mail):
        """Return the ``Score`` of a mail."""
        headers = {
            "From": SENDER,
            "Rcpt": RECIPIENT,
            "IP": RELAY_ADDRESS,
            "Helo": RELAY_NAME,
            "Hostname": RELAY_NAME,
        }
        self._connection.request("POST", "/checkv2", behind_trace(mail), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        found = json.loads(text)
        rules = [(name, rule["score"]) for name, rule in found["symbols"].items()]
        return Score(found["score"], ranked(rules))

    @staticmethod
    def version():
        """Return the program's version."""
        told = subprocess.run([_PROGRAM, "--version"], capture_output=True, text=True, check=True)
        return told.stdout.split()[-1]
