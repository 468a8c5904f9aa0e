"""Daemons that tell root what is wrong with the machine: each by its own code."""

import socket
import sys

import pytest

from callers.arrived import added_fields, assert_silent, crlf
from callers.mailx import install_mailx
from callers.packages import require

HOST = socket.gethostname()


def test_smartd_warns_by_its_script(stage):
    """Smartd's script calls mail, and that sendmail; every address gets the warning."""
    script = require("smartmontools") / "usr/share/smartmontools/smartd_warning.sh"
    stage.record()
    env = {
        "SMARTD_MAILER": str(install_mailx(stage)),
        "SMARTD_ADDRESS": "root ops@example.org",
        "SMARTD_MESSAGE": "Device: /dev/sda [SAT], 8 Currently unreadable (pending) sectors",
        "SMARTD_FAILTYPE": "CurrentPendingSector",
        "SMARTD_TFIRST": "",
        "SMARTD_PREVCNT": "0",
        "SMARTD_NEXTDAYS": "1",
        "SMARTD_DEVICEINFO": "ACME Disk, S/N:1, 1.00 TB",
    }
    assert_silent(stage.run_inside("sh", script, env=env))
    mail = stage.peer.last()
    assert mail.sender == "me@example.org"
    assert sorted(mail.recipients) == ["admin@example.net", "ops@example.org"]
    assert "From" in added_fields(mail, stage.written)
    subject = "SMART error (CurrentPendingSector) detected on host: "
    assert mail.value("Subject") == subject + HOST.partition(".")[0]
    assert f"\r\n{env['SMARTD_MESSAGE']}\r\n".encode() in mail.body


def test_mdadm_tests_its_alert(stage):
    """Mdadm --monitor --test sends a mail for an array, whether there is one or not."""
    program = require("mdadm") / "sbin/mdadm"
    stage.record()
    words = ["--monitor", "--oneshot", "--test", "--mail=root", "/dev/md/none"]
    assert_silent(stage.run_inside(program, *words))
    mail = stage.peer.last()
    assert stage.arguments == ["-t"]
    assert (mail.sender, mail.recipients) == ("me@example.org", ["admin@example.net"])
    assert added_fields(mail, stage.written) == ["Date", "Message-ID"]
    assert mail.value("From") == f"mdadm monitoring <root@{HOST}>"
    assert mail.value("Subject") == f"TestMessage event on /dev/md/none:{HOST}"


def test_mdadm_form_with_a_line_of_one_dot_is_not_cut(stage):
    """Mdadm calls sendmail -t without -i, and /proc/mdstat is its last word."""
    written = (
        b"From: mdadm monitoring <root@host>\nTo: root\n"
        b"Subject: Fail event on /dev/md0:host\n\n"
        b"This is an automatically generated mail message from mdadm\nrunning on host\n\n"
        b"A Fail event had been detected on md device /dev/md0.\n\n"
        b"It could be related to component device /dev/sdb1.\n\n"
        b"Faithfully yours, etc.\n\n"
        b"P.S. The /proc/mdstat file currently contains the following:\n\n"
        b"Personalities : [raid1] \nmd0 : active raid1 sdb1[1](F) sda1[0]\n.\nunused devices\n"
    )
    assert_silent(stage.run(stage.sendmail, "-t", stdin=written))
    mail = stage.peer.last()
    assert mail.recipients == ["admin@example.net"]
    assert added_fields(mail, written) == ["Date", "Message-ID"]


# What fail2ban's server does with an action, by its own reader and its own shell.
_BAN = """
import sys
root, sender = sys.argv[1:]
sys.path.insert(0, root + "/usr/lib/python3/dist-packages")
from fail2ban.client.actionreader import ActionReader
from fail2ban.server.action import CommandAction
options = {"name": "sshd", "dest": "root", "sender": sender}
reader = ActionReader("sendmail", "sshd", options, basedir=root + "/etc/fail2ban")
reader.read()
reader.getOptions({})
action = CommandAction(None, "sendmail")
for name, value in reader.convert()[1][4]:
    setattr(action, name, value)
action.ban({"ip": "192.0.2.1", "failures": 5})
"""


def test_fail2ban_reports_a_ban(stage):
    """fail2ban's sendmail action: a header by printf, sender and recipient as arguments."""
    root = require("fail2ban")
    stage.record()
    sender = "fail2ban@host.example.org"
    # Debian's Python, for which it is packaged.
    done = stage.run_inside("/usr/bin/python3", "-B", "-W", "ignore", "-c", _BAN, root, sender)
    assert_silent(done)
    mail = stage.peer.last()
    assert stage.arguments == ["-f", sender, "root"]
    assert (mail.sender, mail.recipients) == (sender, ["admin@example.net"])
    assert added_fields(mail, stage.written + b"\n") == ["Message-ID"]
    assert mail.value("From") == f"Fail2Ban <{sender}>"
    assert mail.value("Subject").startswith("[Fail2Ban] sshd: banned 192.0.2.1 from ")


# The function of the script that sends; the script itself wants apt's library.
_UPGRADE = """
import ast, email.charset, subprocess, sys
from email.message import Message
path, SENDMAIL_BINARY = sys.argv[1:]
tree = ast.parse(open(path, encoding="utf-8").read())
(function,) = [
    node for node in tree.body if getattr(node, "name", "") == "_send_mail_using_sendmail"
]
exec(compile(ast.Module([function], []), path, "exec"))
text = "Unattended upgrade result: h\\u00e4llo\\n.\\n..two\\nFrom: x\\n"
sys.exit(_send_mail_using_sendmail("root@host.example.org", "root", "[reboot] host", text))
"""


def test_unattended_upgrades_reports(stage):
    """unattended-upgrades writes a whole mail of Python's to sendmail -oi -t."""
    script = require("unattended-upgrades") / "usr/bin/unattended-upgrade"
    stage.record()
    words = [sys.executable, "-c", _UPGRADE, script, stage.folder / "bin/sendmail"]
    assert_silent(stage.run(*words))
    mail = stage.peer.last()
    assert stage.arguments == ["-oi", "-t"]
    assert (mail.sender, mail.recipients) == ("me@example.org", ["admin@example.net"])
    assert added_fields(mail, stage.written) == ["Date", "Message-ID"]
    assert mail.value("Auto-Submitted") == "auto-generated"


# Forms of programs that are not run here: what they write, and to which command line.
_FORMS = {
    "logwatch": (
        ["-t"],
        (
            b"To: root\nTo: ops@example.org\nFrom: Logwatch\n"
            b"Subject: Logwatch for host (Linux)\nAuto-Submitted: auto-generated\n"
            b"Precedence: bulk\nMIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n"
            b'Content-Type: text/plain; charset="UTF-8"\n\n'
            b"\n ################### Logwatch 7.7 ####################\n.\nh\xc3\xa4llo\n"
        ),
        ["admin@example.net", "ops@example.org"],
    ),
    "apticron": (  # mail's answer, formail in between: fields and nothing else
        ["-oi", "-t"],
        b"To: root\nSubject: 3 Debian package updates for host\nX-Mailer: apticron\n\n",
        ["admin@example.net"],
    ),
    "sudo": (  # sudo's mailerflags
        ["-t"],
        (
            b"To: root\nFrom: zoe\nAuto-Submitted: auto-generated\n"
            b"Subject: *** SECURITY information for host ***\n\n"
            b"host : Nov 24 08:00:00 : zoe : user NOT in sudoers ; TTY=pts/0\n\n"
        ),
        ["admin@example.net"],
    ),
    "zed": (  # the ZFS event daemon, by way of a mail that hands on what it is told
        ["-i", "-f", "root", "root"],
        b"Subject: ZFS scrub_finish event for tank on host\nTo: root\n\nstate: ONLINE\n.\n",
        ["admin@example.net"],
    ),
}


@pytest.mark.parametrize("name", _FORMS)
def test_form_of_an_alert_arrives_as_it_was_written(stage, name):
    """Whatever an alert looks like, it arrives, and with a date and an identifier."""
    arguments, written, recipients = _FORMS[name]
    assert_silent(stage.run(stage.sendmail, *arguments, stdin=written))
    mail = stage.peer.last()
    assert sorted(mail.recipients) == recipients
    added = added_fields(mail, written)
    assert set(added) - {"From"} == {"Date", "Message-ID"}
    assert mail.names.count("From") == 1
    assert mail.body == crlf(written.partition(b"\n\n")[2])
