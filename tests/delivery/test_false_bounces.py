"""
No fault of a provider, a network, a clock or a disk makes a mail fail (R8, R9, R10).

Each row of ``FAULTS`` is a world in which something is wrong, with a real server, a real spool and
the real deliverer; only the clocks are ours. Mail waits for an hour in it; then the fault is
repaired, and the mail goes out, once.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from certificates import Chain, make
from peer import Puppet
from pillarbox.delivery import attempt
from pillarbox.delivery.policy import BROKEN
from pillarbox.net.dial import dial
from pillarbox.spool.base import FAILED
from pillarbox.spool.directory import Directory
from queue_world import DAY_S, HOUR_S, MINUTE_S, YEAR_S, FullDisk, World, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TLS = {"tls": "on", "tls_starttls": "off", "tls_host_override": "good.example"}
STARTTLS = {"tls": "on", "tls_starttls": "on"}
GOOD = Chain("a good one")


class TlsPuppet(Puppet):
    """A server that speaks TLS from the start, with a certificate that can be changed."""

    def __init__(self, folder, chain: Chain) -> None:
        super().__init__()
        self._folder = folder
        self._number = 0
        self.trust = ""
        context = self._context(chain)
        self._listener = context.wrap_socket(
            self._listener, server_side=True, do_handshake_on_connect=False
        )

    def show(self, chain: Chain) -> None:
        """Show this certificate from now on."""
        self._listener._context = self._context(chain)

    def _context(self, chain: Chain) -> ssl.SSLContext:
        self._number += 1
        folder = self._folder / f"certificate-{self._number}"
        folder.mkdir()
        material = make(chain, folder)
        self.trust = self.trust or material.policy["trust_file"]
        return material.server


@dataclass(frozen=True)
class Fault:
    """
    A row: what is wrong, what comes of it, and how it is repaired.

    Attributes:
        name: What is wrong.
        kind: What the account is then, of ``policy.KINDS``; empty: well.
        replies: What the server says while it is wrong.
        settings: Of the account.
        seconds: For how long it stays wrong.
        repair_s: Within how much time the mail has gone after it was put right.
        min_tries: How often the server was spoken to, at the least.

    """

    name: str
    kind: str
    replies: dict[str, str] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    seconds: float = HOUR_S
    repair_s: float = 2 * HOUR_S
    min_tries: int = 2

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


# Those that a person is told of within an hour.
TOLD = BROKEN | {"throttled"}

_EHLO = "250-puppet\r\n250-8BITMIME\r\n250 "
_QIYE = {"": "220 smtp.aliyun-inc.com MX AliMail Server"}

REPLIES = [
    # The login.
    Fault("535 login", "login", {"AUTH": "535 5.7.8 Error: authentication failed"}),
    Fault("526 of Aliyun", "login", _QIYE | {"AUTH": "526 Authentication failure[0]"}),
    Fault("534 wants an application password", "login", {"AUTH": "534 5.7.9 go to the web"}),
    Fault("530 wants a login at MAIL", "login", {"MAIL": "530 5.7.0 Authentication required"}),
    Fault("538 wants encryption at MAIL", "login", {"MAIL": "538 encryption required"}),
    Fault("535 at RCPT", "login", {"RCPT": "535 5.7.8 log in again"}),
    Fault("550 instead of a login", "login", {"AUTH": "550 User has no permission"}),
    Fault("454 at AUTH", "throttled", {"AUTH": "454 4.7.0 Temporary failure"}),
    Fault("432 too many logins", "throttled", {"AUTH": "432 4.7.12 too many connections"}),
    Fault("closed at AUTH", "dropped", {"AUTH": ""}),
    Fault("no mechanism", "login", {"EHLO": _EHLO + "AUTH GSSAPI"}),
    Fault("no AUTH at all", "login", {"EHLO": _EHLO + "SIZE"}),
    # The way there.
    Fault("STARTTLS missing", "tls", {}, STARTTLS),
    Fault("STARTTLS refused", "tls", {"EHLO": _EHLO + "STARTTLS", "STARTTLS": "454 no"}, STARTTLS),
    Fault("421 greeting", "site", {"": "421 4.3.2 too busy"}),
    Fault("451 greeting", "site", {"": "451 come back later"}),
    Fault("554 greeting", "blocked", {"": "554 5.7.1 no service for you"}),
    Fault("closed without a greeting", "site", {"": ""}),
    Fault("550 to EHLO and HELO", "blocked", {"EHLO": "550 no", "HELO": "550 no"}),
    # A mail is under way.
    Fault("421 in the session", "site", {"RCPT": "421 4.4.2 bye"}),
    Fault("421 for the content", "site", {".": "421 4.3.0 bye"}),
    Fault("451 sender", "busy", {"MAIL": "451 4.3.0 try later"}),
    Fault("452 daily limit", "daily", {"MAIL": "452 4.5.3 Daily sending quota exceeded"}),
    Fault("greylisted", "", {"RCPT": "450 4.2.0 Greylisted, try again later"}),
    Fault("mailbox full", "", {"RCPT": "452 4.2.2 Mailbox full"}),
    Fault("content deferred", "", {".": "451 4.3.0 try later"}),
    Fault("lost before the dot", "site", {"DATA": ""}),
    Fault("lost after the dot", "site", {".": ""}),
    Fault(
        "tomorrow of Aliyun",
        "tomorrow",
        _QIYE | {"RCPT": "504 the number of RCPT attempts is achieved the maximum threshold"},
        repair_s=DAY_S,
        min_tries=1,
    ),
    Fault(
        "behaviour of Aliyun",
        "",
        _QIYE | {".": "554 Reject by behaviour spamANTISPAM_BAT: too frequently sending"},
        seconds=20 * MINUTE_S,
        min_tries=1,
    ),
    Fault(
        "sender refused once",
        "",
        {"MAIL": "553 5.7.1 sender rejected"},
        seconds=20 * MINUTE_S,
        min_tries=1,
    ),
    # Nonsense.
    Fault("no SMTP", "protocol", {"": "hello there"}),
    Fault("reply too long", "protocol", {"": "220 " + "x" * 100_000}),
    Fault("endless reply", "protocol", {"EHLO": "250-x\r\n" * 500 + "250 x"}),
    Fault("354 to MAIL", "protocol", {"MAIL": "354 go on"}),
    Fault("answers before it is asked", "protocol", {"MAIL": "250 fine\r\n250 fine"}),
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as opened:
        yield opened


def check_kept(world: World, ids: list[str], fault: Fault) -> None:
    """Nothing failed, nobody was told that something did, and all of it waits."""
    assert world.spool.names(FAILED) == []
    assert world.notices == []
    assert sorted(world.spool.names()) == sorted(ids)
    for each in world.spool.scan():
        assert each.progress.statuses == b"P", each.progress
    log = [line for line in world.lines if "event=bounced" in line or "event=fault" in line]
    assert log == []
    health = world.deliverer._traffic.known_health("default")
    assert (health.breaker.kind if health is not None else "") == fault.kind
    assert len(world.alarms) == int(health is not None and health.breaker.kind in TOLD)


def check_gone(world: World, ids: list[str]) -> None:
    """All of it has arrived since the repair, once, and nothing is left."""
    assert world.spool.names() == []
    assert world.spool.names(FAILED) == []
    assert len(world.arrived) == len(ids)


@pytest.mark.parametrize("fault", REPLIES, ids=str)
@pytest.mark.parametrize("jump_s", [0.0, 10 * YEAR_S, -10 * YEAR_S], ids=["", "+10y", "-10y"])
def test_what_a_server_says(fault, jump_s, tmp_path, stack):
    """A server that says the wrong thing for an hour costs time, and no mail."""
    puppet = stack.enter_context(Puppet(fault.replies))
    world = World(tmp_path, puppet=puppet, **fault.settings)
    ids = [world.put(), world.put()]
    world.run(fault.seconds / 2)
    world.clock.calendar_s += jump_s
    world.run(fault.seconds / 2)
    assert puppet.connections >= fault.min_tries
    check_kept(world, ids, fault)
    if fault.settings is STARTTLS:
        world.write_settings(tls="off")  # as the puppet cannot learn it
    repair(puppet)
    world.run(fault.repair_s)
    check_gone(world, ids)


CERTIFICATES = [
    replace(GOOD, title="expired", valid=(-60, -10)),
    replace(GOOD, title="not yet valid", valid=(10, 60)),
    replace(GOOD, title="wrong name", names=("evil.example",)),
    replace(GOOD, title="self-signed", issuer="self"),
]


@pytest.mark.parametrize("chain", CERTIFICATES, ids=str)
def test_certificate(chain, tmp_path, stack):
    """A certificate that proves nothing costs time until there is a right one, and no login."""
    puppet = stack.enter_context(TlsPuppet(tmp_path, GOOD))
    puppet.show(chain)
    world = World(tmp_path, puppet=puppet, tls_trust_file=puppet.trust, **TLS)
    ids = [world.put(), world.put()]
    world.run(HOUR_S)
    assert puppet.connections == 3  # at once, after 5 and after 20 minutes
    assert puppet.commands == []
    check_kept(world, ids, Fault(chain.title, "tls"))
    puppet.show(GOOD)
    world.run(HOUR_S)
    check_gone(world, ids)


def resolver_that_fails(code: int) -> Callable[..., object]:
    """Return what looks names up and finds none."""

    def look_up(*_: object, **__: object) -> object:
        raise socket.gaierror(code, socket.gaierror(code).strerror or "no such name")

    return look_up


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_NONAME, socket.EAI_FAIL])
def test_name_that_is_not_found(code, tmp_path, stack, monkeypatch):
    """A resolver that is down, or says that there is no such host, fails no mail."""
    puppet = stack.enter_context(Puppet())
    # Without a login, which is shown in clear to this machine only.
    world = World(tmp_path, puppet=puppet, host="relay.example", auth="off")
    monkeypatch.setattr(attempt, "dial", partial(dial, resolver=resolver_that_fails(code)))
    ids = [world.put(), world.put()]
    world.run(HOUR_S)
    assert puppet.connections == 0
    check_kept(world, ids, Fault("no name", "site"))

    def found(_: str, port: int, **options: object) -> object:
        return socket.getaddrinfo("127.0.0.1", port, **options)

    monkeypatch.setattr(attempt, "dial", partial(dial, resolver=found))
    world.run(HOUR_S)
    check_gone(world, ids)


def test_connection_refused(tmp_path, stack):
    """A server that is not running fails no mail."""
    puppet = Puppet()
    puppet._listener.close()
    puppet._listener = stack.enter_context(socket.socket())
    puppet._listener.bind(("127.0.0.1", puppet.port))  # and nobody listens
    world = World(tmp_path, puppet=puppet)
    ids = [world.put(), world.put()]
    world.run(HOUR_S)
    check_kept(world, ids, Fault("refused", "site"))
    puppet._listener.listen()
    stack.enter_context(puppet)
    world.run(HOUR_S)
    check_gone(world, ids)


def test_connection_times_out(tmp_path, stack):
    """A server that does not answer at all fails no mail."""
    puppet = Puppet()
    puppet._listener.listen(0)
    callers = [stack.enter_context(socket.socket()) for _ in range(4)]
    for caller in callers:
        caller.settimeout(0)
        caller.connect_ex(("127.0.0.1", puppet.port))  # until nobody else is let in
    world = World(tmp_path, puppet=puppet, timeout=1)
    ids = [world.put()]
    world.run(2 * MINUTE_S)
    check_kept(world, ids, Fault("time-out", "site"))
    # A new door at the same place: who stood before the old one is gone.
    for caller in callers:
        caller.close()
    puppet._listener.close()
    puppet._listener = socket.create_server(("127.0.0.1", puppet.port))
    stack.enter_context(puppet)
    world.run(HOUR_S)
    check_gone(world, ids)


def test_server_that_says_nothing(tmp_path, stack):
    """A server that takes the connection and keeps silent fails no mail."""
    puppet = Puppet()  # nobody accepts, the kernel does
    world = World(tmp_path, puppet=puppet, timeout=1)
    ids = [world.put()]
    world.run(MINUTE_S / 2)
    check_kept(world, ids, Fault("silence", "site"))
    puppet._listener.settimeout(0)
    with suppress(BlockingIOError):
        while True:
            puppet._listener.accept()[0].close()
    puppet._listener.settimeout(None)
    stack.enter_context(puppet)
    world.run(HOUR_S)
    check_gone(world, ids)


@pytest.mark.parametrize("jump_s", [-50 * YEAR_S, -10 * YEAR_S, 10 * YEAR_S, 50 * YEAR_S])
def test_calendar_that_jumps(jump_s, tmp_path, stack):
    """Mail that waits while the calendar jumps by years is neither given up nor reported late."""
    puppet = stack.enter_context(Puppet({"RCPT": "450 4.2.0 later", "": "220 p"}))
    world = World(tmp_path, puppet=puppet)
    ids = [world.put()]
    for _ in range(20):
        world.run(10 * MINUTE_S)
        world.clock.calendar_s += jump_s
        world.run(MINUTE_S)
        world.clock.calendar_s -= jump_s
    assert world.spool.read(ids[0]).progress.attempts >= 10
    check_kept(world, ids, Fault("calendar", ""))
    world.clock.calendar_s += jump_s
    world.start()  # a process that knows nothing else than this calendar
    world.run(HOUR_S / 4)
    check_kept(world, ids, Fault("calendar", ""))
    repair(puppet)
    world.run(HOUR_S)
    check_gone(world, ids)


@pytest.mark.parametrize("is_full_when", ["before the mail", "after the dot"])
def test_disk_is_full_while_recording(is_full_when, tmp_path, stack):
    """What cannot be written down is not sent on, nor sent again, nor given up."""
    disk = FullDisk()
    spool = Directory(str(tmp_path / "spool"), disk=disk)
    stack.callback(spool.close)

    def fill() -> None:
        if is_full_when == "after the dot" and puppet.contents:
            disk.is_full = True

    puppet = stack.enter_context(Puppet(watch=fill))
    world = World(tmp_path, puppet=puppet, spool=spool)
    ids = [world.put(), world.put()]
    disk.is_full = is_full_when == "before the mail"
    world.run(HOUR_S)
    sent = len(world.arrived)
    assert sent <= (1 if is_full_when == "after the dot" else 0)
    assert world.spool.names(FAILED) == []
    assert world.notices == []
    assert sorted(spool.names()) == sorted(ids)
    assert any("suspended" in alarm for alarm in world.alarms)
    disk.is_full = False
    puppet._watch = None
    world.run(2 * HOUR_S)
    check_gone(world, ids)


def test_wrong_password_with_a_thousand_mails(tmp_path, stack):
    """A thousand mails behind a wrong password cost eight logins a day, and none of them fails."""
    puppet = stack.enter_context(Puppet({"AUTH": "535 5.7.8 authentication failed"}))
    world = World(tmp_path, puppet=puppet)
    ids = [world.put() for _ in range(1000)]
    days = []
    for day in range(3):
        before = world.logins
        world.run(DAY_S / 2)
        if day == 1:
            world.start()  # a restart in the middle of it
        world.clock.calendar_s += (10 * YEAR_S, -10 * YEAR_S, 0.0)[day]
        world.run(DAY_S / 2)
        days.append(world.logins - before)
    assert max(days) <= 8
    assert min(days) >= 6
    assert sum("no fallback" in alarm for alarm in world.alarms) == 1
    assert world.spool.names(FAILED) == []
    waiting = [each for each in world.spool.scan() if each.head.origin.door != "notice"]
    assert sorted(each.head.id for each in waiting) == sorted(ids)
    assert all(each.progress.statuses == b"P" for each in waiting)
    repair(puppet)
    world.deliverer.resume("default")
    world.run(HOUR_S)
    assert len(world.arrived) == 1000
    assert world.spool.names() == []


def test_restarts_do_not_make_more_logins(tmp_path, stack):
    """A service that is started again every minute does not lock the account out."""
    puppet = stack.enter_context(Puppet({"AUTH": "535 5.7.8 authentication failed"}))
    world = World(tmp_path, puppet=puppet)
    world.put()
    for _ in range(120):
        world.start()
        world.run(MINUTE_S)
    assert world.logins == 3  # at once, after 15 and after 75 minutes


def test_only_refused_recipients_fail(tmp_path, stack):
    """One recipient's 550 is that one's: the others have the mail, or wait for theirs (R10)."""
    replies = {"RCPT TO:<bad": "550 5.1.1 no such user", "RCPT TO:<slow": "450 4.2.0 later"}
    puppet = stack.enter_context(Puppet(replies))
    world = World(tmp_path, puppet=puppet)
    entry_id = world.put("good@example.net", "bad@example.net", "slow@example.net")
    world.run(MINUTE_S / 2)
    assert world.spool.read(entry_id).progress.statuses == b"DFP"
    assert len(world.arrived) == 1
    commands = [line for line in puppet.commands if line.startswith("RCPT")]
    repair(puppet, forgets=False)
    world.run(HOUR_S)
    later = [line for line in puppet.commands if line.startswith("RCPT")][len(commands) :]
    assert later == ["RCPT TO:<slow@example.net>"]
    assert len(world.arrived) == 2
    # And this is what a failure looks like: a notice, and the mail is kept for people.
    assert commands[-1] == "RCPT TO:<me@example.org>"
    assert len(puppet.contents) == 3
    assert world.spool.names(FAILED) == [entry_id]


def test_sender_that_is_refused_fails_after_half_an_hour(tmp_path, stack):
    """A sender whose refusal is meant has one more try, and then its mail fails."""
    puppet = stack.enter_context(Puppet({"MAIL FROM:<me@": "553 5.7.1 not yours"}))
    world = World(tmp_path, puppet=puppet)
    entry_id = world.put()
    world.run(29 * MINUTE_S)
    assert world.spool.names() == [entry_id]
    world.run(2 * MINUTE_S)
    assert world.spool.names(FAILED) == [entry_id]


def test_three_senders_that_are_refused_are_the_accounts_fault(tmp_path, stack):
    """When everybody is refused, nobody's mail fails, however long that takes."""
    puppet = stack.enter_context(Puppet({"MAIL": "553 5.7.1 must be the login"}))
    world = World(tmp_path, puppet=puppet)
    ids = [world.put(sender=f"{name}@example.org") for name in ("a", "b", "c", "d")]
    world.run(3 * HOUR_S)
    check_kept(world, ids, Fault("senders", "sender"))
    repair(puppet)
    world.run(4 * HOUR_S)
    check_gone(world, ids)


def test_mail_behind_a_broken_account_is_given_up_in_the_end(tmp_path, stack):
    """Five days by both clocks, a notice of the delay first, and not a day less."""
    puppet = stack.enter_context(Puppet({"AUTH": "535 5.7.8 authentication failed"}))
    world = World(tmp_path, puppet=puppet)
    entry_id = world.put()
    world.run(5 * DAY_S - HOUR_S)
    assert entry_id in world.spool.names()
    assert world.spool.read(entry_id).progress.has_warned
    world.run(3 * HOUR_S)
    assert entry_id in world.spool.names(FAILED)
