"""
What the doctor tells to do mends it: the fix is done as it is written, and he is asked again.

A fix that is a line, a command or a file to edit is read out of the text as a person would copy
it. What only the provider, the registrar or a browser can do is not here. Asking again and again
does no harm either.
"""

import os
import re

import pytest

from lab import cases_domain, cases_local, cases_network, cases_session
from lab.cases import BROKEN
from pillarbox.doctor.checks import CHECKS

TABLES = (cases_domain, cases_local, cases_network, cases_session)

# The cases whose fix is done here. All of them take a minute; in a hurry some of each kind.
QUICK = (
    "cloud-blocks-port-25",
    "everybody-can-read-the-password-file",
    "forgotten-line-in-hosts",
    "sendmail-was-taken-back",
    "user-without-domain",
)
ALL = (
    *QUICK,
    "another-sender-at-netease",
    "another-sender-than-the-login",
    "certificate-is-not-looked-at",
    "certificate-of-another-host",
    "everybody-can-read",
    "exim-owns-sendmail",
    "firewall-blocks-port-465",
    "full-width-dots",
    "host-of-the-website",
    "imap-port",
    "implicit-tls-at-587",
    "login-in-clear",
    "misspelt-host",
    "misspelt-keyword",
    "misspelt-port",
    "misspelt-settings",
    "name-of-ones-own",
    "no-logins-here",
    "no-resolv-conf",
    "no-trust-file",
    "nsswitch-without-dns",
    "one-port-is-forbidden",
    "others-can-read-a-users-file",
    "password-of-the-tutorial",
    "password-with-an-invisible-character",
    "paused-account",
    "pinned-address",
    "pop-port",
    "resolv-conf-without-nameserver",
    "sender-is-a-name",
    "sendmail-is-gone",
    "service-may-not-read-the-account",
    "spool-of-somebody-else",
    "starttls-at-465",
    "starttls-where-tls-comes-first",
    "tls-where-starttls-comes-first",
    "trust-file-is-no-pem",
)

_KEYWORDS = "auth|from|host|port|tls(?:_certcheck|_host_override|_starttls|_trust_file)?|user"
_LINE = re.compile(rf"\b({_KEYWORDS}) (?!and\b)([^\s;,()]+)")
_GONE = re.compile(rf"remove (?:the line )?({_KEYWORDS}) \w+")
_COMMAND = re.compile(r"(?:^|[:;] )(?:sudo )?((?:chmod|chown|chgrp|pillarbox) .*)$")
_HOSTS = re.compile(r"line with (\S+) out of /etc/hosts")
_RESOLVER = re.compile(r"into /etc/resolv\.conf: nameserver ADDRESS")
_SOURCES = re.compile(r"in /etc/nsswitch\.conf, write: (.*)")
_WORD = re.compile(r"did you mean (\w+)\?|: write (host)$")
_SECRET = re.compile(r"write (?:it in place of this one|the password anew)")
_NAMESERVER = "nameserver 127.0.0.10\n"


def do(scene, cause):
    """Do what a fix says; fail if nobody could tell what that is."""
    fix = cause["fix"].partition(", or ")[0]  # the first of two ways
    if found := _COMMAND.search(fix):
        scene.write()
        command = found[1].replace("sudo ", "").replace("install", "install --yes")
        _run(scene, command, is_root="sudo " in fix)
        status = scene.machine.path(scene.file).stat()
        scene.mode, scene.owner, scene.group = status.st_mode & 0o7777, status.st_uid, status.st_gid
    elif found := _HOSTS.search(fix):
        lines = scene.machine.read("/etc/hosts").splitlines(keepends=True)
        kept = [line for line in lines if found[1] not in line.split()]
        scene.machine.write("/etc/hosts", "".join(kept))
    elif _RESOLVER.search(fix):
        scene.machine.write("/etc/resolv.conf", _NAMESERVER)
    elif found := _SOURCES.search(fix):
        kept = scene.machine.read("/etc/nsswitch.conf").replace("hosts: files\n", f"{found[1]}\n")
        scene.machine.write("/etc/nsswitch.conf", kept)
    elif found := _WORD.search(fix):
        _correct(scene, cause["problem"], found[1] or found[2])
    elif found := _GONE.search(fix):
        scene.settings[found[1]] = None
    elif _SECRET.search(fix):
        scene.set(password=scene.password)
    else:
        lines = dict(_LINE.findall(fix))
        assert lines, fix
        scene.set(**lines)


def _run(scene, command, *, is_root):
    """Run a command, as the user who asks or as the administrator."""
    done = scene.machine.start("sh", "-ec", command, user=0 if is_root else scene.owner)
    assert done.wait(60) == 0, command


def _correct(scene, problem, word):
    """Put a word in the place of the one that is misspelt."""
    wrong = {"host": "hots", "max_message": "max_mesage"}[word]
    assert wrong in problem
    if "/etc/pillarbox/pillarbox.toml" in problem:
        text = scene.machine.read("/etc/pillarbox/pillarbox.toml")
        scene.machine.write("/etc/pillarbox/pillarbox.toml", text.replace(wrong, word))
    else:
        scene.settings[word] = scene.settings.pop(wrong)


def order_of(cause):
    """Return where the check of a cause stands in the order of blame."""
    names = [check.name for check in CHECKS]
    return names.index(cause["code"].partition(".")[0])


def chosen():
    """Return the cases that are tried."""
    return ALL if os.environ.get("PILLARBOX_ALL_POINTS") else QUICK


@pytest.mark.parametrize("name", chosen())
def test_the_fix_mends_it(scene, name):
    """Done as it is written, the fault is gone; there may be another one behind it."""
    (case,) = [each for each in BROKEN if each.name == name]
    case.damage(scene)
    before = scene.examine()
    do(scene, before.cause)
    after = scene.examine()
    assert before.code not in after.facts["codes"], (before.cause, after)
    assert after.cause is None or order_of(after.cause) >= order_of(before.cause), after


def test_monitoring_without_a_home_does_not_lock_the_account(scene):
    """Attack on availability: NRPE and systemd give no HOME, and the password has become wrong."""
    scene.password = "ZyXwVuTs87654321"
    scene.write()
    del scene.machine.environment["HOME"]
    for _ in range(4):
        said = scene.machine.pillarbox("doctor", "--summary")
        assert said.exit_code == 2, said
        assert "login.refused" in said.out, said
    logins = [event for event in scene.provider.events if event["event"] == "login"]
    assert len(logins) == 1, logins
