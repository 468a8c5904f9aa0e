"""
The installed ``sendmail`` and ``msmtp``: which way a mail goes, and what arrives there.

Everything is real: the script in an interpreter of its own, a service behind a Unix socket, a
server on loopback, a spool on disk.
"""

import os
import socket
import subprocess
import sys

import pytest

from peer import Puppet
from pillarbox.mail.reply import Reply
from pillarbox.spool.directory import Directory
from porter import Porter
from programs import BIN, ENVIRONMENT, Result

MAIL = b"Subject: test\nTo: in-header@example.org\nBcc: hidden@example.org\n\nHello.\n"


class Machine:
    """A user with a home, and what he can send to."""

    def __init__(self, root):
        self.home = root / "home"
        self.run_directory = root / "run"
        self.socket = root / "named.sock"
        self.user_socket = self.run_directory / "pillarbox" / "submit.sock"
        self.home.mkdir()
        self.user_socket.parent.mkdir(parents=True)
        self.run_directory.chmod(0o700)
        self.puppet = None
        self.env = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.run_directory)}

    def configure(self, *lines, path=".msmtprc"):
        """Write a configuration of the user's own."""
        file = self.home / path
        file.touch(mode=0o600)
        own = ["host 127.0.0.1", f"port {self.puppet.port}", "from owner@example.org"]
        file.write_text("\n".join(["account default", *own, *lines, ""]))
        return file

    def call(self, name, *arguments, stdin=MAIL, env=None, **options):
        """Run an installed script."""
        if isinstance(stdin, bytes):
            options["input"] = stdin
        else:
            options["stdin"] = stdin
        done = subprocess.run(
            [sys.executable, "-S", BIN / name, *arguments],
            capture_output="stdout" not in options,
            check=False,
            env=ENVIRONMENT | self.env | (env or {}),
            start_new_session=True,
            timeout=30,
            **options,
        )
        return Result(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())

    @property
    def spooled(self):
        """The entries in the user's own spool."""
        path = self.home / ".local/state/pillarbox/spool"
        if not path.exists():
            return []
        spool = Directory(str(path), part="draft")
        spool.open()
        found = list(spool.scan())
        spool.close()
        return found


@pytest.fixture
def machine(tmp_path):
    """Return a machine with a server, and a service whose socket the environment names."""
    machine = Machine(tmp_path)
    with Puppet() as machine.puppet, Porter(machine.socket) as machine.porter:
        machine.env["PILLARBOX_SOCKET"] = str(machine.socket)
        yield machine


OWN = "me@x.example"

# Program and words, lines of an own configuration (None: there is none) -> where the mail is.
SERVICE, SERVER, SPOOL, NOWHERE = "service", "server", "spool", "nowhere"
CALLS = [
    # the system's: handed over, whatever is asked
    (f"sendmail {OWN}", None, SERVICE),
    (f"sendmail -i -f app@x.example {OWN}", None, SERVICE),
    (f"sendmail -odq -oi {OWN}", None, SERVICE),
    ("sendmail -t", None, SERVICE),
    (f"sendmail --queue {OWN}", None, SERVICE),
    (f"sendmail --wait {OWN}", None, SERVICE),
    (f"msmtp {OWN}", None, SERVICE),
    (f"msmtp -a work {OWN}", None, SERVICE),
    (f"msmtp --raw {OWN}", None, SERVICE),
    ("msmtp -t --from=a@x.example", None, SERVICE),
    # his own: as his account says
    (f"sendmail {OWN}", [], SERVER),
    (f"sendmail {OWN}", ["queue off"], SERVER),
    (f"sendmail {OWN}", ["queue on"], SERVICE),
    ("sendmail -t", ["queue on"], SERVICE),
    (f"sendmail --queue {OWN}", [], SERVICE),
    (f"sendmail --wait {OWN}", ["queue off"], SERVICE),
    (f"msmtp {OWN}", ["queue on"], SERVICE),
    # what says how to send, and --direct
    (f"sendmail --direct {OWN}", ["queue on"], SERVER),
    (f"msmtp --direct {OWN}", ["queue on"], SERVER),
    (f"msmtp --auth=off {OWN}", ["queue on"], SERVER),
    ("msmtp -t --read-envelope-from", ["queue on"], NOWHERE),  # there is no From
    (f"msmtp --host=127.0.0.1 --port=PORT -f a@x.example {OWN}", None, SERVER),
    (f"msmtp -C FILE {OWN}", None, SERVER),
    # contradictions, and nobody to write to
    (f"msmtp --queue --auth=off {OWN}", [], NOWHERE),
    (f"msmtp --wait --host=127.0.0.1 {OWN}", None, NOWHERE),
    (f"msmtp --wait --queue {OWN}", None, NOWHERE),
    (f"sendmail --direct --queue {OWN}", None, NOWHERE),
    ("sendmail", None, NOWHERE),
    ("sendmail -i", ["queue on"], NOWHERE),
    (f"sendmail --direct {OWN}", None, NOWHERE),  # there is no configuration at all
]


@pytest.mark.parametrize(("line", "lines", "place"), CALLS)
def test_a_mail_goes_one_way_and_no_other(machine, line, lines, place):
    """The table of ways, in the flesh."""
    if lines is not None:
        machine.configure(*lines)
    elif "FILE" in line:
        line = line.replace("FILE", str(machine.configure(path="rc")))
    name, *words = line.replace("PORT", str(machine.puppet.port)).split()
    result = machine.call(name, *words)
    assert (result.exit_code == 0) is (place != NOWHERE), result
    assert (result.out, result.err == "") == ("", place != NOWHERE)
    assert len(machine.porter.mails) == (place == SERVICE)
    assert len(machine.puppet.contents) == (place == SERVER)
    assert machine.spooled == []
    for mail in machine.porter.mails:
        assert bytes(mail.content) == MAIL  # as it came, the Bcc too: it is the service's to drop
        assert ("XWAIT" in mail.wishes) is ("--wait" in words)
        assert ("XRAW" in mail.wishes) is ("--raw" in words)
        if "-t" not in words:
            assert mail.recipients == [OWN]
        else:
            assert mail.recipients == ["in-header@example.org", "hidden@example.org"]


def test_the_whole_road_says_the_same_to_the_service_as_the_quick_one(machine):
    """``-t`` has to read the header; what is handed over differs in nothing."""
    words = ["-f", "a@x.example", "-F", "Name", "-N", "never", "-R", "hdrs", "-V", "id"]
    machine.call("sendmail", *words, "in-header@example.org", "hidden@example.org")
    machine.call("sendmail", *words, "-t")
    quick, whole = machine.porter.mails
    assert quick == whole


def test_a_shell_mishap_in_the_header_is_seen_through(machine):
    """``-t`` finds the recipients as the direct way does; the octets go as they came."""
    mangled = b"-e To: me@x.example\nSubject: x\n\nHello.\n"
    assert machine.call("sendmail", "-t", stdin=mangled).exit_code == 0
    (mail,) = machine.porter.mails
    assert mail.recipients == ["me@x.example"]
    assert bytes(mail.content) == mangled


@pytest.mark.parametrize("head", [b"To: me@x.example\n\n", b"There are no headers in this.\n"])
@pytest.mark.parametrize("is_file", [False, True], ids=["a pipe", "a file"])
def test_a_long_mail_by_t_arrives_whole(machine, head, is_file):
    """What was read to find the recipients comes first, and nothing twice or not at all."""
    content = head + bytes(range(256)) * 4000
    (machine.home / "mail").write_bytes(content)
    with (machine.home / "mail").open("rb") as file:
        stdin = file if is_file else content  # a file gives more at a time
        assert machine.call("sendmail", "-t", OWN, stdin=stdin).exit_code == 0
    assert bytes(machine.porter.mails[0].content) == content


# -- the user's own service and spool --------------------------------------------------------------


def test_his_own_service_is_asked_where_its_socket_is(machine):
    """``queue on`` and ``pillarbox serve --user``."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    with Porter(machine.user_socket) as own:
        assert machine.call("sendmail", OWN) == Result(0, "", "")
        assert len(own.mails) == 1
    assert machine.porter.mails == []


def test_without_a_service_he_keeps_it_himself_and_sends_it_at_once(machine):
    """``queue on`` alone: durably kept, then sent, and nothing is left."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    assert machine.call("sendmail", OWN) == Result(0, "", "")
    assert machine.spooled == []
    (content,) = machine.puppet.contents
    assert b"Bcc" not in content
    assert b"(uid " in content


def test_a_service_that_was_killed_is_no_reason_to_refuse_a_mail(machine):
    """Its socket is left behind; the spool is there, and the next service finds the mail in it."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(machine.user_socket))
    machine.call("sendmail", "--queue", OWN)
    assert len(machine.spooled) == 1
    assert machine.call("sendmail", OWN) == Result(0, "", "")
    assert len(machine.puppet.contents) == 2


def test_queue_only_keeps_it(machine):
    """``--queue``: nothing is tried, and nothing said."""
    machine.configure()
    del machine.env["PILLARBOX_SOCKET"]
    assert machine.call("sendmail", "--queue", "-f", "a@x.example", OWN) == Result(0, "", "")
    (entry,) = machine.spooled
    assert str(entry.head.envelope.reverse_path) == "a@x.example"
    assert entry.head.origin.uid == os.getuid()
    assert entry.size_bytes == len(MAIL)
    assert machine.puppet.connections == 0


def test_what_cannot_go_yet_is_kept_and_said(machine):
    """The mail is safe, so it is 0; why it still waits is said."""
    machine.configure("queue on")
    machine.puppet.replies[""] = "421 not today"
    del machine.env["PILLARBOX_SOCKET"]
    result = machine.call("sendmail", OWN)
    (entry,) = machine.spooled
    assert result.exit_code == 0
    assert result.lines[0].startswith(f"kept in the queue as {entry.head.id}: ")
    assert "not today" in result.err


def test_what_waits_goes_with_the_next_mail(machine):
    """Without a daemon somebody has to."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    machine.call("sendmail", "--queue", OWN)
    assert machine.call("sendmail", OWN).exit_code == 0
    assert machine.spooled == []
    assert len(machine.puppet.contents) == 2


def test_a_spool_that_is_being_sent_by_somebody_else_takes_mail(machine):
    """Only one delivers at a time; the others leave theirs to him."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    machine.call("sendmail", "--queue", OWN)
    spool = Directory(str(machine.home / ".local/state/pillarbox/spool"), part="deliver")
    spool.open()
    try:
        result = machine.call("sendmail", OWN)
    finally:
        spool.close()
    assert result.exit_code == 0
    assert "kept in the queue as" in result.err
    assert len(machine.spooled) == 2


def test_a_spool_that_does_not_take_it_means_75(machine):
    """Nothing was kept, and nothing is sent past it."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    (machine.home / ".local").touch()
    result = machine.call("sendmail", OWN)
    assert result.exit_code == 75
    assert machine.puppet.connections == 0


def test_wait_without_a_service_is_said(machine):
    """There is nobody to wait for."""
    machine.configure()
    del machine.env["PILLARBOX_SOCKET"]
    result = machine.call("sendmail", "--wait", OWN)
    assert result.exit_code == 75
    assert "--wait needs a mail service" in result.lines[0]
    assert machine.puppet.connections == 0


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_named_socket_that_is_not_there_is_no_reason_to_send_otherwise(machine):
    """Attack: an administrator who stops the service would not know what goes past it."""
    code = (
        "import sys; sys.argv[0] = 'sendmail'\n"
        "from pillarbox import handoff\n"
        "handoff._PATIENCE_S = 0\n"
        "fault = handoff.start()\n"
        "from pillarbox.cli.main import run\n"
        "run('sendmail', fault)\n"
    )
    env = ENVIRONMENT | machine.env | {"PILLARBOX_SOCKET": "/nonexistent/socket"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, OWN],
        input=MAIL,
        capture_output=True,
        check=False,
        env=env,
        timeout=30,
    )
    first, second = done.stderr.decode().splitlines()
    assert done.returncode == 75
    assert first.startswith("sendmail: the mail service at /nonexistent/socket cannot be reached")
    assert second.startswith("sendmail: advice: the mail was not taken")


def test_the_text_is_in_the_language_of_the_person(machine):
    """What is ours is said in his language; the service's words stay."""
    env = {"LC_ALL": "zh_CN.UTF-8", "PYTHONUTF8": "1"}
    result = machine.call("sendmail", "--wait", "--direct", OWN, env=env)
    assert "--wait" in result.err
    assert not result.err.isascii()


@pytest.mark.parametrize("name", ["sendmail", "msmtp"])
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_is_not_taken_for_the_socket(machine, name, closed):
    """Attack: what we open must not become standard input, or be written over."""
    result = machine.call(name, OWN, preexec_fn=lambda: os.close(closed))
    if closed == 0:
        assert result.exit_code == 74
        assert machine.porter.mails == []
    else:
        assert result.exit_code == 0
        assert bytes(machine.porter.mails[0].content) == MAIL


def test_an_empty_mail_is_a_mail(machine):
    """As sendmail has it."""
    assert machine.call("sendmail", OWN, stdin=b"").exit_code == 0
    assert bytes(machine.porter.mails[0].content) == b""


def test_a_writer_is_not_killed_when_the_mail_is_refused(machine):
    """Else a program that still writes would die of SIGPIPE, and never see our exit code."""
    machine.porter.answer_to_mail = Reply(550, (b"no",))
    source = "{ head -c 3000000 /dev/zero; echo wrote $? >&2; }"
    done = subprocess.run(
        ["sh", "-c", f'{source} | {sys.executable} -S "$0" {OWN}', BIN / "sendmail"],
        capture_output=True,
        check=False,
        env=ENVIRONMENT | machine.env,
        timeout=30,
    )
    assert done.returncode == 69
    assert b"wrote 0" in done.stderr


def test_a_hundred_megabytes_take_no_memory(tmp_path):
    """The content streams, whatever its size: 100 MB in less than 24."""
    path = tmp_path / "submit.sock"
    size_bytes = 100 << 20
    code = (
        "from pillarbox.handoff import Call, hand_over, has_input, read_input\n"
        f"hand_over(Call([{OWN!r}]), {str(path)!r}, read_input, has_input)\n"
        # Not rusage: its peak is also that of who forked us.
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\n"
    )
    with (
        Porter(path, keeps_contents=False) as porter,
        subprocess.Popen(
            ["head", "-c", str(size_bytes), "/dev/zero"], stdout=subprocess.PIPE
        ) as source,
    ):
        done = subprocess.run(
            [sys.executable, "-S", "-c", code],
            stdin=source.stdout,
            capture_output=True,
            check=True,
            env=ENVIRONMENT,
            timeout=60,
        )
        assert porter.mails[0].received_bytes == size_bytes
    assert int(done.stdout) < 24 << 10  # kibibytes


@pytest.mark.parametrize("called", ["mailq", "newaliases"])
def test_a_link_of_another_name_hands_nothing_over(machine, tmp_path, called):
    """Attack: ``mailq`` as a link to ``sendmail`` sends no mail, whatever its arguments."""
    link = tmp_path / called
    link.symlink_to(BIN / "sendmail")
    done = subprocess.run(
        [sys.executable, "-S", link, OWN],
        input=MAIL,
        capture_output=True,
        check=False,
        env=ENVIRONMENT | machine.env,
        timeout=30,
    )
    assert done.returncode == 0
    assert machine.porter.mails == []


def test_a_link_named_sendmail_to_msmtp_has_sendmails_options(machine, tmp_path):
    """Attack: option injection, by the quick road."""
    link = tmp_path / "sendmail"
    link.symlink_to(BIN / "msmtp")
    done = subprocess.run(
        [sys.executable, "-S", link, "--account=other", OWN],
        input=MAIL,
        capture_output=True,
        check=False,
        env=ENVIRONMENT | machine.env,
        timeout=30,
    )
    assert done.returncode == 64
    assert machine.porter.mails == []


@pytest.mark.parametrize("fault", ["ZeroDivisionError", "KeyboardInterrupt"])
def test_what_goes_wrong_behind_the_keeping_changes_no_exit_code(machine, fault):
    """A bug or an impatient person: the mail is kept, and must not be sent once more."""
    machine.configure("queue on")
    del machine.env["PILLARBOX_SOCKET"]
    code = (
        "import sys; sys.argv[0] = 'sendmail'\n"
        "from pillarbox.delivery.deliverer import Deliverer\n"
        f"def fails(self, **_): raise {fault}\n"
        "Deliverer.flush_once = fails\n"
        "from pillarbox.cli.main import run\n"
        "run('sendmail')\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, OWN],
        input=MAIL,
        capture_output=True,
        check=False,
        env=ENVIRONMENT | machine.env,
        timeout=30,
    )
    (entry,) = machine.spooled
    assert done.returncode == 0
    assert f"kept in the queue as {entry.head.id}: " in done.stderr.decode()


def test_a_refusal_for_ever_is_said_at_once_too(machine):
    """The sender gets a notice; who stands there need not wait for it."""
    machine.configure("queue on")
    machine.puppet.replies["RCPT TO:<me@"] = "550 5.1.1 nobody of that name"
    del machine.env["PILLARBOX_SOCKET"]
    result = machine.call("sendmail", OWN)
    assert result.exit_code == 0
    assert result.lines[0].startswith("not delivered, and the sender is told: ")
    assert "nobody of that name" in result.err
