"""``pillarbox queue`` as people and scripts use it: on a live daemon, on a spool, on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from pillarbox.cli.queue import ACTIONS
from pillarbox.cli.queue_stats import METRICS
from pillarbox.delivery.carrier import AccountState
from pillarbox.delivery.filters import FILTERS
from pillarbox.delivery.operations import OPERATIONS
from pillarbox.spool.base import FAILED, HOLD, QUEUE, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory
from programs import ENVIRONMENT, call_program
from queue_desk import ANN, BEN, CONTENT, NOW_S, OWNER, Desk, HandCarrier, fill, put

ME = os.getuid()
ONE, TWO = ("0hognofoxgj-" + letter * 10 + "0" * 15 for letter in "ab")
PAUSED = AccountState(
    "work", is_open=True, kind="login", since_s=NOW_S, next_try_s=4e9, reason="535 5.7.8 no",
    waiting=2,
)  # fmt: skip


@pytest.fixture(name="desk")
def _desk(tmp_path):
    """Return a daemon's desk with an empty queue; ``run`` runs a subcommand against it."""
    spool, carrier = Memory(), HandCarrier()
    spool.open()
    with Desk(tmp_path, spool, carrier, owner_uid=ME) as desk:
        desk.spool, desk.carrier = spool, carrier
        desk.env = {"PILLARBOX_CONTROL": desk.path}
        desk.run_queue = lambda *words, **env: call_program(
            "pillarbox", ["queue", *words], env=desk.env | env
        )
        yield desk


def json_of(result):
    """Return the objects of an answer that went well."""
    assert (result.exit_code, result.err) == (0, "")
    return [json.loads(line) for line in result.out.splitlines()]


# -- a thousand mails ------------------------------------------------------------------------------


@pytest.fixture(name="full", scope="module")
def _full():
    """Return a daemon's desk with 1,000 mails of three users, in all states."""
    spool = Memory()
    spool.open()
    fill(spool, 1000)
    for name in sorted(spool.names())[:100]:
        spool.move(name, QUEUE, HOLD)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103 (others have to come to the socket)
        carrier = HandCarrier()
        with Desk(Path(folder), spool, carrier) as desk:
            desk.spool, desk.carrier = spool, carrier
            yield desk


def run_as(uid, desk, *words):
    """Run a subcommand as a user."""
    code = "import sys; sys.argv[0] = 'pillarbox'; from pillarbox.cli.main import run; run('')"
    return subprocess.run(
        [sys.executable, "-S", "-c", code, "queue", *words], user=uid, group=uid, extra_groups=[],
        env=ENVIRONMENT | {"PILLARBOX_CONTROL": desk.path}, cwd="/", capture_output=True,
        text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.skipif(ME != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("uid", [0, OWNER, ANN, 65534])
@pytest.mark.users
def test_a_thousand_mails_are_listed_for_whom_they_concern(full, uid):
    """Table and JSON tell the same; root and the owner see all, others what is theirs."""
    is_all = uid in (0, OWNER)
    expected = Counter(
        (state, entry.head.id)
        for state in (QUEUE, HOLD, FAILED)
        for entry in full.spool.scan(state)
        if is_all or entry.head.origin.uid == uid
    )
    assert len(expected) == {0: 1000, OWNER: 1000, ANN: 333, 65534: 0}[uid]
    found = run_as(uid, full, "list", "--json", "--state", "all")
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert Counter((row["state"], row["id"]) for row in rows) == expected
    table = run_as(uid, full, "list", "--state", "all")
    assert (table.returncode, table.stderr) == (0, "")
    heads = [line for line in table.stdout.splitlines() if line[:1].isalnum() and "@" in line]
    assert len(heads) == len(expected)


@pytest.mark.skipif(ME != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("words", "code", "problem"), [
    (["show", "{ben}"], 66, "there is no mail"),
    (["delete", "{ben}", "--yes"], 66, "there is no mail"),
    (["retry", "{ben}"], 66, "there is no mail"),
    (["hold", "{ann}"], 77, "only root and the owner"),
    (["release", "{ann}"], 77, "only root and the owner"),
    (["edit", "{ann}", "--to", "me@example.org", "--yes"], 77, "only root and the owner"),
    (["show", "{ann}", "--content"], 77, "only root and the owner"),
    (["flush"], 77, "only root and the owner"),
    (["pause", "work"], 77, "only root and the owner"),
    (["resume", "work"], 77, "only root and the owner"),
])  # fmt: skip
@pytest.mark.users
def test_attack_a_user_who_steers_what_is_not_his(full, words, code, problem):
    """He is told, and nothing has changed."""
    ids = {entry.head.origin.uid: entry.head.id for entry in full.spool.scan()}
    before = {state: sorted(full.spool.names(state)) for state in (QUEUE, HOLD, FAILED)}
    words = [word.format(ann=ids[ANN], ben=ids[BEN]) for word in words]
    done = run_as(ANN, full, *words)
    assert done.returncode == code
    assert problem in done.stdout + done.stderr
    assert before == {state: sorted(full.spool.names(state)) for state in (QUEUE, HOLD, FAILED)}


# -- pages -----------------------------------------------------------------------------------------


def test_the_listing_of_a_person(desk):
    """Two lines a mail, and its reason; below it what is out of order."""
    put(desk.spool, "a@example.net", "b@example.net", "c@example.net", "d@example.net",
        entry_id=ONE,
        progress=Progress(b"DPFP", attempts=3, reason="x", is_in_doubt=True))  # fmt: skip
    put(desk.spool, entry_id=TWO, state=HOLD, sender=None, account="other", age_s=200_000)
    put(desk.spool, state=FAILED)
    desk.carrier.states = [PAUSED, AccountState("fine", waiting=7)]
    desk.carrier.busy.add(ONE)
    result = desk.run_queue("list")
    assert (result.exit_code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert " ".join(lines[0].split()) == "ID state age size tries next try from, to, reason"
    assert lines[1].startswith("aaaaaaaaaa on its way     1m     80     3 ")
    assert lines[1].endswith("  ann@example.org")
    assert lines[2:5] == [
        "            -> a@example.net (delivered), b@example.net, c@example.net (failed), 1 more",
        "            (535 5.7.8 no)",
        "            it may have arrived already; if so, it arrives twice",
    ]
    assert lines[5].startswith("bbbbbbbbbb on hold      2d     80     0        - ")
    assert lines[5].endswith("  <>")
    assert lines[7:] == [
        "waits: 1, on hold: 1, failed: 1",
        "account work: 2 waiting; paused since 2026-11-24 14:41:11 +0000",
        "  (535 5.7.8 no)",
        lines[-1],
    ]
    assert lines[-1].endswith("at once with: pillarbox queue resume work")


def test_an_empty_queue(desk):
    """One line, and nothing else."""
    assert desk.run_queue("list").out == "no mail waits\n"
    assert json_of(desk.run_queue("list", "--json")) == []


def test_one_mail_in_full(desk):
    """Everything but the body."""
    put(desk.spool, entry_id=ONE, progress=Progress(b"P", attempts=1, last_attempt_s=NOW_S))
    out = desk.run_queue("show", "aaaa").out
    for text in (ONE, "2026-11-24 14:40:11 +0000", f"uid {ANN}, pid 4242", "80 bytes", "work",
                 "<it@example.org>", "ann@example.org", "  you@example.net  waits",
                 "Subject: the disk is full"):  # fmt: skip
        assert text in out
    assert "secret body" not in out


def test_the_content_of_a_mail(desk):
    """As it was written, and nothing else."""
    put(desk.spool, entry_id=ONE)
    assert desk.run_queue("show", ONE, "--content").out == CONTENT.decode()


@pytest.mark.parametrize(
    "words", [["list", "--state", "all"], ["show", ONE], ["status"], ["stats"]]
)
def test_a_person_who_reads_chinese(desk, words):
    """Every page is there in his language."""
    put(desk.spool, entry_id=ONE)
    put(desk.spool, state=FAILED)
    out = desk.run_queue(*words, LC_ALL="zh_CN.UTF-8").out
    assert "等待中" in out
    assert "waits" not in out


def test_attack_a_mail_that_steers_the_terminal(desk):
    """Nothing of a mail or a server's reply reaches it as it is."""
    put(desk.spool, entry_id=ONE, content=b"Subject: \x1b]0;owned\x07 \xff\n\nx\n",
        progress=Progress(b"P", reason="\x1b[2J\u202eno"))  # fmt: skip
    evil = AccountState("work", is_open=True, reason="\x1b[2J\r\n\u202eno")
    for words in (["list"], ["show", ONE], ["list", "--json"], ["status"], ["retry", ONE]):
        desk.carrier.states = [evil] if words[0] != "show" else []
        assert not {"\x1b", "\x07", "\u202e"} & set(desk.run_queue(*words).out)


def test_numbers_for_prometheus(desk):
    """Every metric has its help, its type and its value."""
    put(desk.spool, account='a"b')
    lines = desk.run_queue("stats", "--prometheus").out.splitlines()
    for name in METRICS:
        assert f"# TYPE {name} gauge" in lines
    assert 'pillarbox_account_mails{account="a\\"b"} 1' in lines
    assert 'pillarbox_queue_mails{state="queue"} 1' in lines
    values = [line for line in lines if not line.startswith("#")]
    assert all(float(line.rpartition(" ")[2]) >= 0 for line in values)


# -- doing something -------------------------------------------------------------------------------


def test_filters_are_options_of_every_command_that_means_several(desk):
    """They come from the one table."""
    wanted = put(desk.spool, "joe@example.net", age_s=7200)
    put(desk.spool, "zoe@example.net", age_s=7200)
    for command in ("list", "retry", "hold", "release", "delete"):
        yes = ["--yes"] if command in ("hold", "delete") else []
        rows = json_of(desk.run_queue(command, "--to", "joe", "--older", "1h", "--json", *yes))
        assert [row["id"] for row in rows] == [wanted]
    for name, action in ACTIONS.items():
        assert action.has_filters == (name in OPERATIONS and "where" in OPERATIONS[name].needs)
    assert "--in-doubt" in desk.run_queue("list", "--help").out


@pytest.mark.parametrize("command", ["delete", "hold"])
@pytest.mark.parametrize("words", [["all"], ["aaaa", "bbbb"], ["--from", "ann"]])
def test_nobody_is_asked_so_nothing_is_done(desk, command, words):
    """Without a terminal and without --yes, what changes many mails does nothing."""
    put(desk.spool, entry_id=ONE)
    put(desk.spool, entry_id=TWO)
    result = desk.run_queue(command, *words)
    assert (result.exit_code, result.out, desk.carrier.told) == (64, "", [])
    assert "--yes" in result.err
    assert len(desk.spool.names()) == 2


def test_with_yes_it_is_done_and_told(desk):
    """One line a mail; the exit code is that of the first that failed."""
    put(desk.spool, entry_id=ONE)
    put(desk.spool, entry_id=TWO)
    desk.carrier.busy.add(TWO)
    result = desk.run_queue("delete", "aaaa", "bbbb", "zzzz", "--yes")
    assert result.out.splitlines() == [
        "aaaaaaaaaa  deleted",
        "bbbbbbbbbb  it is being delivered right now",
        "zzzz  there is no mail zzzz",
    ]
    assert (result.exit_code, desk.spool.names()) == (75, [TWO])


def test_hundreds_of_named_mails_are_several_requests(desk):
    """Each of them is done once."""
    ids = [put(desk.spool) for _ in range(250)]
    result = desk.run_queue("delete", "zzzz", *ids, "--yes", "--json")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["id"] for row in rows] == ["zzzz", *ids]
    assert {(*row,) for row in rows} == {("id", "done", "note")}
    assert (result.exit_code, desk.spool.names()) == (66, [])


def test_a_mail_is_edited_by_options(desk):
    """The new one has its place, and its id is told."""
    put(desk.spool, entry_id=ONE)
    result = desk.run_queue("edit", "aaaa", "--to", "new@example.org", "--from", "<>", "--yes")
    (name,) = desk.spool.names()
    assert result.out == f"aaaaaaaaaa  is {name[12:22]} now\n"
    envelope = desk.spool.read(name).head.envelope
    assert (envelope.reverse_path, str(envelope.forward_paths[0])) == (None, "new@example.org")


def test_a_mail_is_edited_by_a_file(desk, tmp_path):
    """Larger than any other request may be."""
    put(desk.spool, entry_id=ONE)
    content = b"Subject: new\n\n" + b"x" * 3_000_000 + b"\n"
    (tmp_path / "new.eml").write_bytes(content)
    rows = json_of(
        desk.run_queue("edit", ONE, "--content", str(tmp_path / "new.eml"), "--yes", "--json")
    )
    claim = desk.spool.claim(rows[0]["new_id"])
    assert claim.read(1 << 23) == content


@pytest.mark.parametrize(("words", "code"), [
    (["edit", ONE], 64),
    (["edit", ONE, "--to", "a@b.example"], 64),
    (["edit", ONE, "--to", "nonsense@@", "--yes"], 65),
    (["edit", ONE, "--content", "/nonexistent", "--yes"], 66),
    (["edit", ONE, "--content", "/dev/null", "--yes"], 66),
    (["edit", "zzzz", "--account", "x", "--yes"], 66),
])  # fmt: skip
def test_an_edit_that_is_not_done(desk, words, code):
    """The mail waits as it was."""
    put(desk.spool, entry_id=ONE)
    assert desk.run_queue(*words).exit_code == code
    assert desk.spool.names() == [ONE]


@pytest.mark.parametrize(("words", "code", "out"), [
    (["flush"], 75, "fine: is tried now\nwork: account work is paused"),
    (["flush", "fine"], 0, "fine: is tried now\n"),
    (["flush", "wrok"], 66, ""),
    (["resume", "work"], 0, "work: is tried now\n"),
    (["resume", "fine"], 0, "fine: account fine was not paused\n"),
])  # fmt: skip
def test_accounts_are_steered(desk, words, code, out):
    """And it is told what came of it."""
    desk.carrier.states = [AccountState("fine", waiting=1), PAUSED]
    result = desk.run_queue(*words)
    assert result.exit_code == code
    assert result.out.startswith(out)


@pytest.mark.parametrize("words", [
    [], ["lst"], ["list", "--strange"], ["list", "x"], ["show"], ["show", "a", "b"], ["retry"],
    ["delete"], ["hold"], ["release"], ["edit"], ["resume"], ["pause"], ["flush", "a", "b"],
    ["list", "--older", "soon"], ["list", "--state", "nowhere"], ["list", "--older"],
    ["delete", "all", ONE, "--yes"], ["history", "--limit", "x"], ["history", "--limit", "0"],
    ["retry", "--uid", "no such user"], ["list", "--stat", "all"],
])  # fmt: skip
def test_wrong_usage(desk, words):
    """It ends with 64 and one sentence, and nothing was done."""
    put(desk.spool, entry_id=ONE)
    result = desk.run_queue(*words)
    assert result.exit_code == 64
    assert result.err
    assert "Traceback" not in result.err
    assert (desk.spool.names(), desk.carrier.told) == ([ONE], [])


@pytest.mark.parametrize("action", [None, *ACTIONS])
def test_help_names_everything(action):
    """Every subcommand, argument and filter has its line, and the exit codes stand below."""
    words = ["queue", "--help"] if action is None else ["queue", action, "--help"]
    result = call_program("pillarbox", words)
    assert result.exit_code == 0
    if action is None:
        assert all(name in result.out for name in ACTIONS)
        assert "75" in result.out
    elif ACTIONS[action].has_filters:
        assert all(f"--{name}" in result.out for name in FILTERS)


# -- on a terminal ------------------------------------------------------------------------------


def on_terminal(desk, answer, *words, **env):
    """Run a subcommand on a terminal of its own, and type something; return code and screen."""
    code = "import sys; sys.argv[0] = 'pillarbox'; from pillarbox.cli.main import run; run('')"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code, "queue", *words],
        env=ENVIRONMENT | desk.env | env, cwd="/", stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    screen = b""
    try:
        while piece := os.read(ours, 1 << 16):
            screen += piece
    except OSError:
        pass  # EIO: the other side is closed
    os.close(ours)
    return process.wait(20), screen.decode()


@pytest.mark.parametrize(("answer", "is_done"), [
    ("y", True), ("yes", True), ("Y", True), ("n", False), ("", False), ("delete", False),
])  # fmt: skip
def test_a_person_is_shown_what_goes_and_asked(desk, answer, is_done):
    """Only a yes is one."""
    put(desk.spool, entry_id=ONE)
    code, screen = on_terminal(desk, answer, "delete", "aaaa")
    assert code == 0
    assert "-> you@example.net" in screen
    assert "without notice to anybody? [y/N]" in screen
    assert (desk.spool.names() == []) is is_done


def test_what_was_not_shown_does_not_go(desk):
    """``all`` is what was there when it was asked, not what has come since."""
    put(desk.spool, entry_id=ONE)
    is_busy = desk.carrier.is_busy

    def come_meanwhile(entry_id):
        if TWO not in desk.spool.names():
            put(desk.spool, entry_id=TWO)
        return is_busy(entry_id)

    desk.carrier.is_busy = come_meanwhile
    code, screen = on_terminal(desk, "y", "delete", "all")
    assert (code, desk.spool.names()) == (0, [TWO])
    assert "mails: 1." in screen


def test_one_mail_is_held_without_a_question(desk):
    """It is as easily released."""
    put(desk.spool, entry_id=ONE)
    assert desk.run_queue("hold", "aaaa").out == "aaaaaaaaaa  on hold\n"


@pytest.mark.parametrize(("script", "answer", "code", "is_changed"), [
    ("sed -i s/full/empty/", "y", 0, True),
    ("sed -i s/full/empty/", "n", 0, False),
    ("true", "y", 0, False),
    ("false", "y", 64, False),
    ("/nonexistent/editor", "y", 64, False),
    ("truncate -s 0", "y", 66, False),
])  # fmt: skip
def test_a_mail_is_edited_in_the_editor(desk, script, answer, code, is_changed):
    """What is saved is shown and asked about; what is not changed is left alone."""
    put(desk.spool, entry_id=ONE)
    ended, _ = on_terminal(desk, answer, "edit", "aaaa", VISUAL=script, EDITOR="false")
    assert ended == code
    (name,) = desk.spool.names()
    claim = desk.spool.claim(name)
    expected = CONTENT.replace(b"full", b"empty") if is_changed else CONTENT
    assert claim.read(1 << 20) == expected
    assert (name != ONE) is is_changed


# -- without a daemon ------------------------------------------------------------------------------


@pytest.fixture(name="folder")
def _folder(tmp_path):
    """Return the directory of a spool with two mails."""
    spool = Directory(str(tmp_path / "spool"))
    spool.open()
    put(spool, entry_id=ONE)
    put(spool, entry_id=TWO, state=FAILED, progress=Progress(b"F", attempts=20))
    spool.close()
    return tmp_path / "spool"


def offline(folder, *words, **env):
    """Run a subcommand on a spool."""
    return call_program("pillarbox", ["queue", *words, "--spool", str(folder)], env=env)


def test_a_spool_is_looked_into_without_a_daemon(folder):
    """Also while another process delivers from it."""
    other = Directory(str(folder), part="deliver")
    other.open()
    rows = json_of(offline(folder, "list", "--json", "--state", "all"))
    assert [row["id"] for row in rows] == [ONE, TWO]
    assert "no daemon delivers this queue" in offline(folder, "status").out
    assert json_of(offline(folder, "stats", "--json"))[0]["states"]["failed"] == 1
    other.close()


def test_what_changes_a_spool_needs_its_lock(folder):
    """Who delivers has it, and is named."""
    other = Directory(str(folder), part="deliver")
    other.open()
    result = offline(folder, "delete", ONE, "--yes")
    assert (result.exit_code, result.out) == (75, "")
    assert str(os.getpid()) in result.err
    other.close()


@pytest.mark.parametrize(("words", "names"), [
    (["delete", "aaaa", "--yes"], {FAILED: [TWO]}),
    (["hold", "aaaa"], {HOLD: [ONE], FAILED: [TWO]}),
    (["delete", "--state", "failed", "--yes"], {QUEUE: [ONE]}),
])  # fmt: skip
def test_a_spool_is_changed_without_a_daemon(folder, words, names):
    """The same operations, on the files themselves."""
    assert offline(folder, *words).exit_code == 0
    spool = Directory(str(folder))
    spool.open()
    found = {state: spool.names(state) for state in (QUEUE, HOLD, FAILED) if spool.names(state)}
    assert found == names
    spool.close()


def test_what_people_did_without_a_daemon_is_in_the_history(folder):
    """As if the daemon had done it."""
    offline(folder, "delete", "aaaa", "--yes")
    (row,) = json_of(offline(folder, "history", "--json"))
    assert (row["id"], row["state"], row["by"]) == (ONE, "deleted", ME)
    assert row["recipients"][0]["address"] == "you@example.net"


def test_only_an_account_that_there_is_can_be_paused_without_a_daemon(folder, tmp_path):
    """One that mail waits for, or one of the configuration; of a slip nothing is left."""
    (tmp_path / ".msmtprc").write_text("account idle\nhost localhost\nfrom me@example.org\n")
    home = {"HOME": str(tmp_path)}
    result = offline(folder, "pause", "wrok", "--user", **home)
    assert (result.exit_code, result.out) == (64, "")
    assert "there is no account wrok" in result.err
    assert list(folder.rglob("account-*.json")) == []
    for name in ("idle", "work"):
        assert offline(folder, "pause", name, "--user", **home).out == f"{name}: is paused\n"
    assert offline(folder, "resume", "idle", "--user", **home).exit_code == 0
    for words, code in ((["flush", "wrok"], 66), (["resume", "wrok"], 64)):
        result = offline(folder, *words, "--user", **home)
        assert (result.exit_code, result.out) == (code, "")
        assert "account wrok" in result.err
    assert list(folder.rglob("account-wrok*")) == []
    moved = offline(folder, "edit", ONE, "--account", "wrok", "--yes", "--user", **home)
    assert (moved.exit_code, moved.out) == (64, "")


@pytest.fixture(name="theirs")
def _theirs():
    """Return the directory of another user's spool with a mail, where everybody can come to it."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: S103 (the spool in it is shut, not the way there)
        spool = Directory(f"{name}/spool")
        spool.open()
        put(spool, entry_id=ONE)
        spool.close()
        folder = Path(f"{name}/spool")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, OWNER, OWNER)
        yield folder


@pytest.mark.skipif(ME != 0, reason="only root can become somebody else")
def test_root_leaves_nothing_of_his_in_the_spool_of_another(theirs):
    """The daemon could not read it."""
    for words in (["hold", "aaaa"], ["release", "aaaa"], ["pause", "work"], ["list"]):
        assert offline(theirs, *words).exit_code == 0
    assert len(list(theirs.rglob("*.json"))) == 1
    assert {path.stat().st_uid for path in (theirs, *theirs.rglob("*"))} == {OWNER}


class _Nowhere:
    path = "/nonexistent"


@pytest.mark.skipif(ME != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("uid", "is_advised"), [(0, True), (OWNER, True), (ANN, False)])
@pytest.mark.users
def test_nobody_is_advised_to_do_what_he_may_not(full, uid, is_advised):
    """Whose mail waits for a paused account is told so, and only who may resume it how."""
    paused = [PAUSED]
    full.carrier.states, before = paused, full.carrier.states
    ann = next(entry.head.id for entry in full.spool.scan() if entry.head.origin.uid == ANN)
    told = [run_as(uid, full, *words) for words in (["status"], ["list"], ["retry", ann])]
    full.carrier.states = before
    for each in told:
        assert "535 5.7.8 no" in each.stdout
        assert ("pillarbox queue resume work" in each.stdout) is is_advised
    assert "tried again in" in told[0].stdout


@pytest.mark.skipif(ME != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("uid", "code"), [(OWNER, 0), (ANN, 75)])
@pytest.mark.users
def test_a_spool_is_its_owners(theirs, uid, code):
    """For others it is shut, and it is said who could look."""
    done = run_as(uid, _Nowhere, "list", "--spool", str(theirs))
    assert done.returncode == code
    assert ("only its owner and root" in done.stderr) is bool(code)
    assert ("aaaaaaaaaa" in done.stdout) is not bool(code)


@pytest.mark.parametrize("words", [
    ["list"], ["status"], ["stats"], ["history"], ["flush"], ["delete", "all", "--yes"],
    ["retry", "all"], ["resume", "work"],
])  # fmt: skip
def test_where_there_is_no_queue_nothing_waits(words):
    """That is no failure."""
    result = call_program("pillarbox", ["queue", *words, "--user"])
    assert (result.exit_code, result.err) == (0, "")


@pytest.mark.parametrize(("words", "code", "problem"), [
    (["show", "abcd"], 66, "there is no mail abcd"),
    (["retry", "abcd"], 66, ""),
    (["delete", "abcd", "--yes"], 66, ""),
    (["edit", "abcd", "--yes", "--account", "work"], 66, "there is no mail abcd"),
    (["pause", "work"], 75, "there is no queue at /nonexistent/.local/state/pillarbox/spool"),
])  # fmt: skip
def test_where_there_is_no_queue_nothing_is_done(words, code, problem):
    """And nobody hears that it was."""
    result = call_program("pillarbox", ["queue", *words, "--user"])
    assert result.exit_code == code
    assert problem in result.err
    assert "there is no" in result.out + result.err


@pytest.mark.parametrize("is_left", [False, True])
@pytest.mark.parametrize("words", [["list"], ["status"], ["delete", "all", "--yes"]])
def test_a_daemon_that_was_named_and_does_not_answer_is_no_empty_queue(words, is_left, tmp_path):
    """What is wrong, where, and what can be done; neither the file nor who listens has to be."""
    import socket

    path = str(tmp_path / "control.sock")
    if is_left:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
    result = call_program("pillarbox", ["queue", *words], env={"PILLARBOX_CONTROL": path})
    assert (result.exit_code, result.out) == (75, "")
    assert f"cannot reach the daemon at {path}: " in result.err
    assert "PILLARBOX_CONTROL names it" in result.err


def test_a_daemon_that_was_killed_leaves_a_socket_that_is_passed_by(folder, tmp_path):
    """Nobody listens on it, so the spool itself is asked."""
    import socket

    (tmp_path / "pillarbox").mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "pillarbox" / "control.sock"))
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    folder.rename(tmp_path / "pillarbox" / "spool")
    result = call_program("pillarbox", ["queue", "list", "--user", "--json"], env=env)
    assert [row["id"] for row in json_of(result)] == [ONE]


def test_an_impostor_at_the_socket_is_no_queue(tmp_path):
    """What speaks another language is told as what it is."""
    import socket
    import threading

    path = str(tmp_path / "other.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def greet():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 mail ESMTP\r\n")

    thread = threading.Thread(target=greet)
    thread.start()
    result = call_program("pillarbox", ["queue", "list"], env={"PILLARBOX_CONTROL": path})
    thread.join()
    listener.close()
    assert (result.exit_code, result.out) == (75, "")
    assert "did not answer to the end" in result.err
