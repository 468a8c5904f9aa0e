"""The service: whether it takes mail, brings it away, and keeps it where it is safe."""

import contextlib
import json
import os
import socket
import threading
import time

import pytest

from machine_tree import ACCOUNT, as_nobody, tree
from peer import Peer
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.local_config import check_config
from pillarbox.doctor.local_service import CODES, check_service
from pillarbox.doctor.spool_place import ids_of, mount_of
from pillarbox.net.control import ControlClient
from served import Service, accounts_for

MAIL = b"Subject: x\r\n\r\nhello\r\n"
SOCKETS = ("/run/pillarbox/submit.sock", "/run/pillarbox/control.sock")


@pytest.fixture(name="machine")
def _machine():
    with tree() as made:
        yield made


def find(machine, text=ACCOUNT, **options):
    """Return what is found of the service, behind the configuration."""
    machine.configure(text, 0o640)
    options.setdefault("patience_s", 5.0)
    return machine.find(machine.patient(**options), check_config, check_service)


def codes(found):
    """Return what was found, shortly."""
    return [(finding.code, finding.severity) for finding in found]


# -- a real service --------------------------------------------------------------------------------


@contextlib.contextmanager
def running(machine, accounts, **options):
    """Run a service whose files are the machine's."""
    machine.write("/etc/pillarbox/.keep", "")
    machine.link("/etc/pillarbox/pillarbox.toml", "../../pillarbox.toml")
    with Service(accounts, folder=machine.root, **options) as service:
        yield service


def test_service_that_is_well_has_no_finding(machine):
    """It greets, it delivers, and nothing waits."""
    with Peer() as relay, running(machine, accounts_for(relay.port)):
        assert find(machine) == []


def test_account_that_a_person_has_paused_is_told(machine):
    """The fix is the command that undoes it."""
    with Peer() as relay, running(machine, accounts_for(relay.port)) as service:
        with ControlClient(service.control) as client:
            list(client.ask({"command": "pause", "account": "default"}))
        service.hand_over(MAIL)
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("service.paused", WARNING)
    assert finding.fix == "sudo pillarbox queue resume default"
    assert "a person" in finding.problem


def test_account_that_fails_is_told_with_its_reason(machine):
    """The last thing that the provider said, or that kept it from being reached."""
    with running(machine, accounts_for(1)) as service:
        service.hand_over(MAIL)
        service.wait_for_line("account=default", "kind=site")
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("service.paused", WARNING)
    assert "127.0.0.1" in finding.evidence[0]
    assert finding.fix.startswith("mend that first")
    assert finding.meaning == "mails that wait for it: 1"


def test_service_that_only_takes_mail_is_told(machine):
    """The deliverer is away: nothing is lost, and nothing goes."""
    with running(machine, accounts_for(1)) as service:
        os.unlink(service.control)
        found = find(machine)
    assert codes(found) == [("service.deliver", FAULT)]
    assert found[0].fix == "sudo systemctl restart pillarbox.service"
    assert "not lost" in found[0].meaning


def test_what_a_killed_service_left_behind_is_told(machine):
    """Its socket is there, and whoever calls waits ten seconds for nobody."""
    with running(machine, accounts_for(1)) as service:
        service.stop(9)
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("service.dead", FAULT)
    assert "Connection refused" in finding.evidence[0]
    assert finding.fix.startswith("sudo systemctl restart pillarbox-submit.socket")


def test_submitter_is_told_whether_the_service_works_for_him(machine):
    """He may not read the account, and need not."""
    with running(machine, accounts_for(1)) as service:
        env = {"PILLARBOX_SOCKET": service.submit}
        machine.configure(ACCOUNT, 0o600 if os.geteuid() == 0 else 0)
        with as_nobody() as uid:
            patient = machine.patient(uid=uid, env=env)
            assert codes(machine.find(patient, check_config)) == [("config.service", NOTE)]
            assert machine.find(patient, check_service) == []
        service.stop(9)
        with as_nobody() as uid:
            patient = machine.patient(uid=uid, env=env)
            (finding,) = machine.find(patient, check_service)
    assert finding.code == "service.dead"
    assert "PILLARBOX_SOCKET" in finding.fix


def test_user_with_an_account_of_his_own_is_not_told_of_the_systems(machine):
    """His mail does not go that way; root hears of it all the same."""
    machine.install_units()
    machine.configure_user()
    assert machine.find(machine.patient(uid=1000), check_service) == []
    assert codes(machine.find(machine.patient(), check_service)) == [("service.down", FAULT)]


# -- one that answers what a test says ------------------------------------------------------------


@contextlib.contextmanager
def answering(machine, *answers, greeting=b"220 host LMTP\r\n"):
    """
    Listen at both sockets.

    Args:
        machine: Whose.
        answers: What the control socket says to each question, in order; None: it hangs up.
        greeting: What the submission socket says; None: nothing, ever.

    """
    with contextlib.ExitStack() as stack:
        listeners = []
        for path in SOCKETS:
            place = machine.at(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(place))
            listener.listen()
            listeners.append(listener)
        ended = threading.Event()
        submit, control = listeners
        threads = [
            threading.Thread(target=_greet, args=(submit, greeting, ended)),
            threading.Thread(target=_answer, args=(control, answers)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for listener in listeners:
                listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def _greet(listener, greeting, ended):
    with contextlib.suppress(OSError):
        channel, _ = listener.accept()
        with channel:
            if greeting is None:
                ended.wait()
            elif greeting:
                channel.sendall(greeting)
            if greeting:
                channel.recv(100)


def _answer(listener, answers):
    with contextlib.suppress(OSError):
        channel, _ = listener.accept()
        with channel, channel.makefile("rb") as questions:
            for answer in answers:
                questions.readline()
                if answer is None:
                    return
                channel.sendall(answer)
            questions.readline()


def rows(*made):
    """Return an answer."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in (*made, {"end": True}))


def status(counts=None, *, is_delivering=True):
    """Return the answer to ``status``."""
    return rows({"is_delivering": is_delivering, "counts": counts or {}, "may_steer": True})


def waiting(*ages_s, state="queue"):
    """Return the answer to ``list``."""
    return rows(
        *(
            {"id": f"id-{age}", "state": state, "age_s": age, "reason": f"450 \x1b[2J {age}"}
            for age in ages_s
        )
    )


@pytest.mark.parametrize(
    ("ages_s", "state", "expected"),
    [
        ((), "queue", []),
        ((100.0, 14399.0), "queue", []),
        ((100.0, 18000.0), "queue", [("service.stuck", WARNING)]),
        ((18000.0,), "hold", []),
    ],
)
def test_mail_that_waits_for_too_long_is_told(machine, ages_s, state, expected):
    """The oldest, with what its last try came to; what a person holds may wait."""
    with answering(machine, status(), waiting(*ages_s, state=state)):
        found = find(machine)
    assert codes(found) == expected
    for finding in found:
        assert "5 hours" in finding.problem
        assert finding.evidence == ("450 \\x1b[2J 18000.0",)
        assert "id-18000.0" in finding.fix


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"queue": 3, "failed": 0, "corrupt": 0}, []),
        ({"failed": 2}, [("service.failed", NOTE)]),
        ({"corrupt": 1}, [("service.corrupt", WARNING)]),
        ({"corrupt": 1, "failed": 1}, [("service.corrupt", WARNING), ("service.failed", NOTE)]),
    ],
)
def test_mail_that_is_laid_aside_is_told(machine, counts, expected):
    """What was given up is a note, what is damaged a warning."""
    with answering(machine, status(counts), waiting()):
        assert codes(find(machine)) == expected


def test_mail_of_a_paused_account_waits_for_that(machine):
    """One cause, one warning."""
    paused = {"account": "work\x1b", "is_paused": True, "kind": "login", "reason": "535 no\x1b[2J"}
    answer = rows({"is_delivering": True, "counts": {}}, paused | {"waiting": 7})
    with answering(machine, answer, waiting(18000.0)):
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("service.paused", WARNING)
    assert finding.evidence == ("535 no\\x1b[2J",)
    assert "work\\x1b" in finding.problem
    assert finding.meaning == "mails that wait for it: 7"


BROKEN = [
    ((status(is_delivering=False), waiting()), "no daemon delivers"),
    ((rows(), waiting()), "no daemon delivers"),
    ((None,), "did not answer to the end"),
    ((b"nonsense\n",), "did not answer to the end"),
    ((b"[]\n",), "did not answer to the end"),
    ((status(), None), "did not answer to the end"),
]


@pytest.mark.parametrize(("answers", "seen"), BROKEN)
def test_deliverer_that_does_not_deliver_is_told(machine, answers, seen):
    """Whatever it says in place of an answer."""
    with answering(machine, *answers):
        (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("service.deliver", FAULT)
    assert seen in finding.evidence[0]


@pytest.mark.parametrize(
    ("greeting", "seen"),
    [(b"421 4.3.2 Going down \x1b[2J\r\n", "421 4.3.2 Going down \\x1b"), (b"", "it hung up")],
)
def test_submission_socket_that_turns_away_is_told(machine, greeting, seen):
    """With its words, none of which reaches the terminal as it is."""
    with answering(machine, greeting=greeting):
        (finding,) = find(machine)
    assert finding.code == "service.dead"
    assert seen in finding.evidence[0]


def test_submission_socket_that_says_nothing_is_given_up(machine, monkeypatch):
    """A process that hangs is as bad as none."""
    monkeypatch.setattr("pillarbox.doctor.local_service._ANSWER_S", 0.05)
    with answering(machine, greeting=None):
        (finding,) = find(machine)
    assert finding.code == "service.dead"
    assert "no answer within 0.05 seconds" in finding.evidence[0]


def test_socket_that_the_environment_names_has_to_be_there(machine):
    """A mistake in a unit or a profile: every call fails."""
    (finding,) = find(machine, env={"PILLARBOX_SOCKET": "/nonexistent/submit.sock"})
    assert (finding.code, finding.severity) == ("service.dead", FAULT)
    assert finding.fix.startswith("PILLARBOX_SOCKET names it")


# -- wanted, and not there ------------------------------------------------------------------------


def test_machine_without_a_service_is_healthy(machine):
    """Mail is sent by the program that was called."""
    assert find(machine) == []


@pytest.mark.parametrize(
    ("is_enabled", "expected"),
    [(True, ("service.down", FAULT)), (False, ("service.off", NOTE))],
)
def test_units_that_are_there_and_do_not_run(machine, is_enabled, expected):
    """Enabled: somebody wants them. Installed only: how to start them is a note."""
    machine.install_units(is_enabled=is_enabled)
    machine.write("/etc/group", "pillarbox:x:997:\n")
    os.chmod(machine.configure(ACCOUNT), 0o604)
    found = machine.find(machine.patient(), check_service)
    assert codes(found) == [expected]
    assert "systemctl enable --now pillarbox-submit.socket pillarbox.service" in found[0].fix


def test_socket_alone_that_is_enabled_counts(machine):
    """The rest is started by it."""
    machine.install_units(is_enabled=False)
    wanted = "/etc/systemd/system/sockets.target.wants/pillarbox-submit.socket"
    machine.link(wanted, "../pillarbox-submit.socket")
    os.chmod(machine.configure(ACCOUNT), 0o604)
    assert codes(machine.find(machine.patient(), check_service)) == [("service.down", FAULT)]


@pytest.mark.parametrize("text", ["spol = '/x'\n", "[limits\n", "spool = 1\n"])
def test_settings_that_are_wrong_are_told_with_their_place(machine, text):
    """The service does not start with them."""
    machine.write("/etc/pillarbox/pillarbox.toml", text)
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("service.settings", FAULT)
    assert "pillarbox.toml" in finding.problem


@pytest.mark.parametrize(
    ("mode", "group", "is_told"),
    [
        (0o600, 0, True),
        (0o640, 0, True),
        (0o640, 997, False),
        (0o640, 500, False),
        (0o604, 0, False),
    ],
)
def test_accounts_that_the_service_may_not_read_are_told(machine, mode, group, is_told):
    """The trap of every tutorial: 600 and root, and a service that is somebody else."""
    machine.install_units()
    path = machine.configure(ACCOUNT, mode)
    if os.geteuid() == 0:
        os.chown(path, 0, group)
    elif group:
        pytest.skip("only root gives a file to a group that he is not in")
    with answering(machine, status(), waiting()):
        found = machine.find(machine.patient(), check_service)
    assert codes(found) == ([("service.accounts", FAULT)] if is_told else [])
    for finding in found:
        assert finding.fix == "sudo chgrp pillarbox /etc/msmtprc && sudo chmod 640 /etc/msmtprc"
        assert f"{mode:04o}" in finding.evidence[0]


# -- the spool -------------------------------------------------------------------------------------

SPOOL = "/var/spool/pillarbox"


@pytest.fixture(name="served")
def _served(machine):
    """Give a machine with a service that is well."""
    with answering(machine, status(), waiting()):
        yield machine


MOUNTS = [
    # kind, options, code, severity, words of the meaning
    ("ext4", "rw,relatime", None, ""),
    ("xfs", "rw", None, ""),
    ("btrfs", "rw,ssd", None, ""),
    ("zfs", "rw", None, ""),
    ("tmpfs", "rw,size=1g", ("service.filesystem", WARNING), "EVERY mail that waits is lost"),
    ("ramfs", "rw", ("service.filesystem", WARNING), "EVERY mail that waits is lost"),
    ("overlay", "rw,lowerdir=/a", ("service.filesystem", WARNING), "container ends"),
    ("nfs4", "rw,hard", ("service.filesystem", WARNING), "another computer"),
    ("cifs", "rw", ("service.filesystem", WARNING), "another computer"),
    ("fuse.sshfs", "rw", ("service.filesystem", WARNING), "another computer"),
    ("9p", "rw", ("service.filesystem", WARNING), "another computer"),
    ("vfat", "rw", ("service.filesystem", WARNING), "no owners"),
    ("ext4", "rw,nobarrier", ("service.filesystem", WARNING), "nobarrier"),
    ("ext4", "rw,barrier=0", ("service.filesystem", WARNING), "barrier=0"),
    ("ext4", "ro,relatime", ("service.readonly", FAULT), "its disk fails"),
    ("tmpfs", "ro", ("service.readonly", FAULT), "its disk fails"),
]


@pytest.mark.parametrize(("kind", "options", "expected", "meaning"), MOUNTS)
def test_file_system_of_the_spool_is_judged(served, kind, options, expected, meaning):
    """A warning where accepted mail may be lost, a fault where none can be kept."""
    served.write("/proc/mounts", f"/dev/sda1 / ext4 rw 0 0\nx /var/spool {kind} {options} 0 0\n")
    found = find(served)
    assert codes(found) == ([expected] if expected else [])
    for finding in found:
        assert meaning in finding.meaning
        assert f"{SPOOL} is on {kind}, mounted at /var/spool" in finding.evidence[0]


def test_file_system_behind_a_link_counts(served):
    """Whoever had no room has put a link there."""
    served.link("/var/spool", "../mnt/big")
    served.at("/mnt/big").mkdir(parents=True)
    served.write("/proc/mounts", "/dev/sda1 / ext4 rw 0 0\nx /mnt/big nfs rw 0 0\n")
    (finding,) = find(served)
    assert finding.code == "service.filesystem"
    assert "/mnt/big" in finding.evidence[0]


TABLE = """\
/dev/a / ext4 rw 0 0
b /var tmpfs rw 0 0
/dev/c /var xfs rw,x=1 0 0
d /var/spo nfs rw 0 0
e /mnt/with\\040blank vfat rw 0 0
f /mnt/back\\134slash nfs rw 0 0
g /odd\\9x zfs rw 0 0
nonsense
"""


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        ("/", "/", "ext4"),
        ("/home", "/", "ext4"),
        ("/var", "/var", "xfs"),
        ("/var/spool/pillarbox", "/var", "xfs"),
        ("/variable", "/", "ext4"),
        ("/mnt/with blank/x", "/mnt/with blank", "vfat"),
        ("/mnt/back\\slash", "/mnt/back\\slash", "nfs"),
        ("/odd\\9x/y", "/odd\\9x", "zfs"),
    ],
)
def test_mount_with_the_longest_path_counts_and_of_equals_the_last(path, point, kind):
    """It hides the others."""
    found = mount_of(TABLE, path)
    assert found is not None
    assert found[:2] == (point, kind)


def test_nothing_is_mounted_in_an_empty_table():
    """As in a sandbox without /proc."""
    assert mount_of("", SPOOL) is None


@pytest.mark.parametrize("has_units", [True, False])
def test_spool_of_somebody_else_is_told(served, has_units):
    """Where the service has a user of its own, it has to be his."""
    served.at(SPOOL).mkdir(parents=True, mode=0o700)
    os.chmod(served.configure(ACCOUNT), 0o604)
    if has_units:
        served.install_units()
    found = served.find(served.patient(), check_service)
    assert codes(found) == ([("service.spool", FAULT)] if has_units else [])
    for finding in found:
        assert finding.fix == f"sudo chown -R pillarbox: {SPOOL}"


@pytest.mark.parametrize(("mode", "is_told"), [(0o700, False), (0o750, False), (0o770, True)])
def test_spool_that_others_can_write_to_is_told(served, mode, is_told):
    """The service refuses it."""
    served.at(SPOOL).mkdir(parents=True)
    served.at(SPOOL).chmod(mode)
    found = find(served)
    assert codes(found) == ([("service.spool", FAULT)] if is_told else [])
    for finding in found:
        assert finding.fix == f"sudo chmod 700 {SPOOL}"


def test_groups_of_a_user_are_all_found(machine):
    """His own, and those that name him."""
    assert ids_of(machine.patient(), "pillarbox") == (998, frozenset((997, 500)))
    assert ids_of(machine.patient(), "nobody") is None
    machine.write("/etc/passwd", "pillarbox\npillarbox:x:y:z\n:::\npillarbox:x:\u00b2:\u00b2\n")
    assert ids_of(machine.patient(), "pillarbox") is None


# -- the user's own queue --------------------------------------------------------------------------

QUEUED = ACCOUNT + "queue on\n"


def own(machine, text=QUEUED, **options):
    """Return what is found for a user with a queue of his own."""
    machine.configure_user(text)
    uid = os.geteuid()
    return machine.find(machine.patient(uid=uid, **options), check_config, check_service)


def spool_of(machine):
    """Return his spool."""
    return machine.home / ".local" / "state" / "pillarbox" / "spool"


def test_own_queue_that_is_empty_is_healthy(machine):
    """Nothing is there before the first mail."""
    assert own(machine) == []


def test_own_queue_without_queue_on_is_not_looked_at(machine):
    """Mail is sent at once."""
    machine.write("/proc/mounts", "t / tmpfs rw 0 0\n")
    assert own(machine, ACCOUNT) == []


@pytest.mark.parametrize(("age_s", "is_told"), [(60, False), (5 * 3600 + 60, True)])
def test_mail_that_waits_for_nobody_is_told(machine, age_s, is_told):
    """Without a service it waits for the next call: cron is the fix."""
    place = spool_of(machine) / "queue"
    place.mkdir(parents=True, mode=0o700)
    for number in range(2):
        (place / f"entry{number}").write_text("x")
    os.utime(place / "entry0", (time.time() - age_s,) * 2)
    found = own(machine)
    assert codes(found) == ([("service.stuck", WARNING)] if is_told else [])
    for finding in found:
        assert "5 hours" in finding.problem
        assert "pillarbox queue flush --user" in finding.fix
        assert finding.evidence == ("mails that wait: 2",)


def test_own_spool_in_memory_is_told(machine):
    """Home is on a disk of its own often enough."""
    machine.write(
        "/proc/mounts", f"/dev/a / ext4 rw 0 0\nt /{machine.home.parts[-2]} tmpfs rw 0 0\n"
    )
    assert codes(own(machine)) == [("service.filesystem", WARNING)]


@contextlib.contextmanager
def own_service(machine, *answers):
    """Have a service of his own, which says so much; without an answer, it was killed."""
    place = machine.home / "run" / "pillarbox" / "control.sock"
    place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        if not answers:
            listener.close()
            yield
            return
        listener.listen()
        thread = threading.Thread(target=_answer_second, args=(listener, answers))
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer_second(listener, answers):
    """Answer a call behind one that only sees whether somebody is there."""
    _answer(listener, ())
    _answer(listener, answers)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((status(), waiting()), []),
        ((status(), waiting(20000.0)), [("service.stuck", WARNING)]),
        ((status(is_delivering=False), waiting()), [("service.deliver", FAULT)]),
        ((), []),
    ],
)
def test_own_service_is_asked_if_it_answers(machine, answers, expected):
    """What a killed one left behind is as good as none: the next call sends."""
    with own_service(machine, *answers):
        found = own(machine, env={"XDG_RUNTIME_DIR": str(machine.home / "run")})
    assert codes(found) == expected
    if ("service.deliver", FAULT) in expected:
        assert found[0].fix == "pillarbox serve --user"


def test_own_settings_that_are_wrong_are_told(machine):
    """They are a file of his own."""
    place = machine.home / ".config" / "pillarbox"
    place.mkdir(parents=True)
    (place / "pillarbox.toml").write_text("nonsense")
    (finding,) = own(machine)
    assert finding.code == "service.settings"


def test_codes_are_all_found_here():
    """Each code has a test above."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [code for code in CODES if f'"{code}"' not in text] == []
