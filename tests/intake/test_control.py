"""The control socket: who asks is known, and whatever he sends, the others are served on."""

from __future__ import annotations

import array
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import pytest

from pillarbox.delivery.waiters import Result
from pillarbox.errors import DeadlineError, NetworkError
from pillarbox.intake.control import ControlLimits
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import delivered
from pillarbox.net.control import LINE_MAX, ControlClient
from pillarbox.spool.memory import Memory
from programs import SRC
from queue_desk import ANN, OWNER, Desk, HandCarrier, fill, put

PATIENCE_S = 20


class Talker:
    """One connection, line by line."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(path)
        self.stream = self._socket.makefile("rb")

    def send(self, octets):
        """Send octets."""
        self._socket.sendall(octets)

    def half_close(self):
        """Have nothing more to say."""
        self._socket.shutdown(socket.SHUT_WR)

    def row(self):
        """Return the next row; None: they hung up."""
        line = self.stream.readline()
        return json.loads(line) if line else None

    def end(self):
        """Return the end of the next answer; None: they hung up."""
        while (row := self.row()) is not None and not row.get("end"):
            pass
        return row

    def send_descriptors(self, octets, descriptors):
        """Send octets, and open files along with them."""
        ancillary = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        self._socket.sendmsg([octets], [ancillary])

    def close(self):
        """Hang up."""
        self.stream.close()
        self._socket.close()


@pytest.fixture(name="spool")
def _spool():
    spool = Memory()
    spool.open()
    return spool


@pytest.fixture(name="desk")
def _desk(tmp_path, spool):
    with Desk(tmp_path, spool, HandCarrier(), owner_uid=os.getuid()) as desk:
        yield desk


@pytest.fixture(name="talker")
def _talker(desk):
    talker = Talker(desk.path)
    yield talker
    talker.close()


def open_files():
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_a_question_is_answered_row_by_row(desk, spool):
    """The client gives what the steward says, and the conversation goes on."""
    ids = fill(spool, 10)
    with ControlClient(desk.path) as client:
        rows = list(client.ask({"command": "list"}))
        assert [row["id"] for row in rows[:-1]] == ids[:9]
        assert rows[-1] == {"end": True, "code": 0, "problem": "", "advice": ""}
        (end,) = client.ask({"command": "show", "id": "zzzz"})
        assert (end["code"], end["problem"]) == (66, "there is no mail zzzz")


def test_a_long_answer_comes_whole_and_in_order(desk, spool):
    """Many batches are one answer."""
    fill(spool, 1000)
    with ControlClient(desk.path) as client:
        rows = list(client.ask({"command": "list", "where": {"state": "all"}}))
    assert len(rows) == 1001
    queued = [row["accepted_s"] for row in rows if row.get("state") == "queue"]
    assert queued == sorted(queued)


def test_questions_may_be_sent_ahead(talker):
    """Each is answered, in turn, and so is a last one without a line end."""
    talker.send(b'{"command": "list"}\n{"command": "lst"}\n{"command": "status"}')
    talker.half_close()
    assert [talker.end()["code"] for _ in range(3)] == [0, 64, 0]
    assert talker.row() is None


@pytest.mark.parametrize("line", [
    b"", b"{", b"[]", b"null", b'"list"', b"7", b"{}", b'{"command": 1}', b"\0", b"\xff\xfe",
    b"HELO localhost", b"GET / HTTP/1.1\r", b"[" * 30_000, b'{"a":' * 9_000, b"1" * 60_000,
    b'{"command": "list", "where": NaN}', b'{"command": "\\ud800"}', b"{'command': 'list'}",
    b'{"command": "show", "id": "' + b"a" * 60_000 + b'"}',
])  # fmt: skip
def test_what_makes_no_sense_is_answered_with_one_row(talker, line):
    """And the conversation can go on."""
    talker.send(line + b"\n")
    row = talker.row()
    assert (row["end"], row["code"]) == (True, 64)
    talker.send(b'{"command": "list"}\n')
    assert talker.end()["code"] == 0


@pytest.mark.parametrize("limit", [64 << 10, 1 << 20])
def test_attack_a_line_without_end(tmp_path, spool, limit):
    """It is told, and hung up on, before it takes more memory than a line may."""
    limits = ControlLimits(owner_line_bytes=limit)
    with Desk(tmp_path, spool, HandCarrier(), limits, owner_uid=os.getuid()) as desk:
        talker = Talker(desk.path)
        talker.send(b"x" * limit + b"yyyy")
        assert talker.row()["problem"] == "the request is too long"
        assert talker.row() is None
        talker.close()


@pytest.mark.parametrize("size", [60_000, 70_000, 1 << 20])
def test_a_long_line_of_the_owner_is_a_line(talker, size):
    """It may hold the content of a mail, which comes in pieces."""
    request = b'{"command": "show", "id": "' + b"a" * size + b'"}\n'
    talker.send(request + b'{"command": "list"}\n')
    assert talker.row()["problem"] == "'id' of the request is wrong"
    assert talker.end()["code"] == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.users
def test_attack_a_long_line_of_a_user(spool):
    """He has no content to give."""
    done = _asked_by(ANN, spool, "{'command': 'show', 'id': 'x' * 70_000}", "print(row)")
    assert "the request is too long" in done


def test_attack_a_daemon_that_is_fed_nonsense(desk, spool):
    """After 10,000 malformed lines the same server answers, and nothing of them is left."""
    chance = random.Random(5)
    words = b'{ } "command" : "list" [ ] \\u0000 \xff "ids" "all" null "delete" , " \r e9999'
    pieces = [*words.split(b" "), b" ", b"9" * 30]
    put(spool)
    before = open_files()
    for _ in range(20):
        talker = Talker(desk.path)
        lines = [b"".join(chance.choices(pieces, k=chance.randrange(1, 30))) for _ in range(500)]
        talker.send(b"\n".join(lines) + b"\n")
        assert {talker.end()["code"] for _ in lines} == {64}
        talker.send(b'{"command"')  # and leaves in the middle of a word
        talker.close()
    with ControlClient(desk.path) as client:
        assert len(list(client.ask({"command": "list"}))) == 2
    assert open_files() <= before + 2


def test_attack_descriptors_that_nobody_asked_for(talker):
    """They are closed by the kernel and not kept."""
    with tempfile.TemporaryFile() as file:
        talker.send(b'{"command": "list"}\n')
        assert talker.end()["code"] == 0
        before = open_files()
        talker.send_descriptors(b'{"command": "list"}\n', [file.fileno()] * 50)
        assert talker.end()["code"] == 0
        assert open_files() == before


def test_attack_who_asks_and_does_not_listen(tmp_path, spool):
    """He is hung up on when his time is over, and holds up nobody."""
    fill(spool, 300)
    limits = ControlLimits(idle_s=0.1)
    with Desk(tmp_path, spool, HandCarrier(), limits, owner_uid=os.getuid()) as desk:
        rude = Talker(desk.path)
        rude.send(b'{"command": "list"}\n' * 400)
        polite = Talker(desk.path)
        polite.send(b'{"command": "status"}\n')
        assert polite.end()["code"] == 0
        desk.run(_pause(0.5))
        ends = 0
        with suppress(ConnectionResetError, json.JSONDecodeError):  # in the middle of a row
            while rude.end() is not None:
                ends += 1
        assert ends < 400
        rude.close()
        polite.close()


async def _pause(seconds):
    await asyncio.sleep(seconds)


def test_attack_who_says_nothing(tmp_path, spool):
    """An idle connection is closed."""
    limits = ControlLimits(idle_s=0.05)
    with Desk(tmp_path, spool, HandCarrier(), limits, owner_uid=os.getuid()) as desk:
        talker = Talker(desk.path)
        assert talker.row() is None
        talker.close()


def test_attack_all_connections_for_one(tmp_path, spool):
    """One user has so many and no more; those that end are free again."""
    limits = ControlLimits(per_user=3, per_owner=3)
    with Desk(tmp_path, spool, HandCarrier(), limits) as desk:
        talkers = [Talker(desk.path) for _ in range(3)]
        for talker in talkers:
            talker.send(b'{"command": "list"}\n')
            assert talker.end()["code"] == 0
        late = Talker(desk.path)
        row = late.row()
        assert (row["code"], row["problem"]) == (75, "you have too many connections to the daemon")
        assert late.row() is None
        talkers.pop().close()
        again = [Talker(desk.path)]
        again[0].send(b'{"command": "list"}\n')
        while again[-1].end()["code"] == 75:  # they have not seen yet that one is free
            again.append(Talker(desk.path))
            again[-1].send(b'{"command": "list"}\n')
        for talker in (*talkers, late, *again):
            talker.close()


def test_a_fault_of_ours_is_not_shown_to_the_caller(tmp_path, spool):
    """He hears that there is one, the log where, and the server goes on."""

    class Faulty(HandCarrier):
        def is_busy(self, _):
            msg = "a secret"
            raise RuntimeError(msg)

    put(spool)
    with Desk(tmp_path, spool, Faulty(), owner_uid=os.getuid()) as desk:
        with ControlClient(desk.path) as client:
            (end,) = client.ask({"command": "list"})
            assert (end["code"], "secret" in str(end)) == (70, False)
            assert list(client.ask({"command": "status"}))[-1]["code"] == 0
        assert [str(fault) for fault in desk.faults] == ["a secret"]
        desk.faults.clear()


class _Waiting(HandCarrier):
    def __init__(self):
        super().__init__()
        self.future = Future()

    def wait_for(self, _):
        return self.future


def test_who_waits_holds_up_nobody(tmp_path, spool):
    """The answer comes when it is known, and others are served until then."""
    carrier = _Waiting()
    with Desk(tmp_path, spool, carrier, owner_uid=os.getuid()) as desk:
        waiters = [Talker(desk.path) for _ in range(10)]
        for waiter in waiters:
            waiter.send(b'{"command": "wait", "id": "x"}\n')
        with ControlClient(desk.path) as client:
            assert list(client.ask({"command": "status"}))[-1]["code"] == 0
        status = delivered(parse_mailbox("you@example.net"), Reply(250, (b"ok",)))
        carrier.future.set_result(Result("x", (status,), is_kept=False))
        for waiter in waiters:
            assert waiter.row()["action"] == "delivered"
            assert waiter.end()["code"] == 0
            waiter.close()


def test_who_waits_too_long_is_told_that_the_mail_is_kept(tmp_path, spool):
    """It is no failure."""
    limits = ControlLimits(wait_s=0.05)
    with (
        Desk(tmp_path, spool, _Waiting(), limits, owner_uid=os.getuid()) as desk,
        ControlClient(desk.path) as client,
    ):
        (end,) = client.ask({"command": "wait", "id": "x"})
        assert (end["code"], "kept in the queue" in end["problem"]) == (75, True)


def test_the_end_of_the_server_ends_every_conversation(tmp_path, spool):
    """Who waits as well: a stop does not take as long as the slowest of them."""
    with Desk(tmp_path, spool, _Waiting(), owner_uid=os.getuid()) as desk:
        idle, waiting = Talker(desk.path), Talker(desk.path)
        waiting.send(b'{"command": "wait", "id": "x"}\n')
        idle.send(b'{"command": "status"}\n')
        assert idle.end()["code"] == 0
    for talker in (idle, waiting):
        assert talker.row() is None
        talker.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("uid", "seen"), [(0, 2), (OWNER, 2), (ANN, 1), (65534, 0)])
@pytest.mark.users
def test_the_kernel_says_who_asks(spool, uid, seen):
    """Not he himself: whatever stands in the request, he sees what is his."""
    put(spool, uid=ANN)
    put(spool, uid=OWNER)
    done = _asked_by(uid, spool, "{'command': 'list'}", "print('id' in row)")
    assert done.count("True") == seen


def _asked_by(uid, spool, request, work):
    """Ask as a user, and do something with each row; return what that printed."""
    code = (
        f"import sys; sys.path.insert(0, {str(SRC)!r})\n"
        "from pillarbox.net.control import ControlClient\n"
        f"for row in ControlClient(sys.argv[1]).ask({request}): {work}"
    )
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: S103 (others have to come to the socket)
        with Desk(Path(name), spool, HandCarrier()) as desk:
            return subprocess.run(
                [sys.executable, "-I", "-S", "-c", code, desk.path],
                user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=True,
                cwd="/",
            ).stdout  # fmt: skip


# -- the asking side ---------------------------------------------------------------------------


@pytest.fixture(name="impostor")
def _impostor(tmp_path):
    """Return a function that makes a client of a server that says what it is given to say."""
    listener = socket.socket(socket.AF_UNIX)
    path = str(tmp_path / "socket")
    listener.bind(path)
    listener.listen()
    opened = []

    def meet(octets, timeout_s=PATIENCE_S):
        client = ControlClient(path, timeout_s=timeout_s)
        connection, _ = listener.accept()
        connection.sendall(octets)
        opened.extend((client, connection))
        return client, connection

    yield meet
    for each in opened:
        each.close()
    listener.close()


@pytest.mark.parametrize("octets", [
    b"", b"{", b'{"end": true}', b"[]\n", b"null\n", b"nonsense\n", b"[" * 99_999 + b"\n",
    b"\xff\n", b'{"id": 1}\n',
])  # fmt: skip
def test_an_answer_that_breaks_off_is_an_error(impostor, octets):
    """And never taken for the whole: what was asked for may have been done in part."""
    client, connection = impostor(octets)
    connection.shutdown(socket.SHUT_WR)
    with pytest.raises(NetworkError, match="did not answer to the end"):
        list(client.ask({"command": "list"}))


def test_a_line_that_never_ends_is_not_read_for_ever(impostor):
    """A daemon is trusted with so much memory and no more."""
    client, connection = impostor(b"")
    answer = client.ask({"command": "list"})
    threading.Thread(target=_flood, args=(connection,), daemon=True).start()
    with pytest.raises(NetworkError):
        next(answer)


def _flood(connection):
    with suppress(OSError):
        connection.sendall(b"x" * (LINE_MAX + 1))


def test_a_daemon_that_is_silent_is_not_waited_for_for_ever(impostor):
    """There is a deadline for each line."""
    client, _ = impostor(b'{"id": "a"}\n', timeout_s=0.05)
    answer = client.ask({"command": "list"})
    assert next(answer) == {"id": "a"}
    with pytest.raises(DeadlineError, match="too long"):
        next(answer)


@pytest.mark.parametrize("path", ["/nonexistent/socket", "/" + "x" * 300, "/dev/null"])
def test_a_daemon_that_is_not_there(path):
    """The message names the place."""
    with pytest.raises(NetworkError, match="cannot reach the daemon at"):
        ControlClient(path)


def test_a_daemon_that_went_away_is_an_error(impostor):
    """Whatever the kernel calls it."""
    client, connection = impostor(b"")
    connection.close()
    with pytest.raises(NetworkError):
        list(client.ask({"command": "list", "filler": "x" * 500_000}))
