"""What is done from time to time: new entries, ages, warnings, giving up, files, the failed."""

from __future__ import annotations

import os
from contextlib import ExitStack
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from peer import PASSWORD, Puppet
from pillarbox.errors import ConfigError
from pillarbox.spool.base import CORRUPT, FAILED, Progress
from queue_world import DAY_S, HOUR_S, MINUTE_S, YEAR_S, World, repair

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = {"RCPT TO:<you": "450 4.2.0 later"}
NO_LOGIN = {"AUTH": "535 5.7.8 authentication failed"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as opened:
        yield opened


def world_of(folder, stack, replies=None, **settings):
    """Return a world with a puppet that answers so."""
    return World(folder, puppet=stack.enter_context(Puppet(replies)), **settings)


def reports(world: World) -> list[bytes]:
    """Return the notices that the server took."""
    return [each for each in world.puppet.contents if b"multipart/report" in each]


# -- the spool ---------------------------------------------------------------------------------


def test_entry_of_another_process_is_found(tmp_path, stack):
    """Where the parts run apart, a lost wake-up costs a scan's interval and no mail."""
    world = world_of(tmp_path, stack, limits={"scan_interval_s": 60.0})
    world.put(is_known=False)
    world.run(30)
    assert world.arrived == []
    world.run(40)
    assert len(world.arrived) == 1


def test_entry_whose_coming_is_told_is_sent_at_once(tmp_path, stack):
    """``wake``: the scan need not be waited for; told twice, it is sent once."""
    world = world_of(tmp_path, stack)
    entry_id = world.put(is_known=False)
    for _ in range(3):
        world.deliverer.added(entry_id)
    world.deliverer.added("0" * 11 + "-" + "a" * 25)  # one that is not there
    world.run(1)
    assert len(world.arrived) == 1


def test_entry_that_is_gone_is_forgotten(tmp_path, stack):
    """What another process has deleted leaves the index with the next scan."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put()
    world.run(1)
    world.spool.remove(entry_id)
    world.run(HOUR_S)
    assert len(world.deliverer.queue) == 0


# -- ages --------------------------------------------------------------------------------------


def test_sender_is_told_once_that_it_takes_long(tmp_path, stack):
    """After four hours there is one warning, also across restarts, and the mail waits on."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put()
    world.run(3.9 * HOUR_S)
    assert reports(world) == []
    world.run(HOUR_S)
    assert len(reports(world)) == 1
    world.run(6 * HOUR_S)
    world.start()
    world.run(6 * HOUR_S)
    assert len(reports(world)) == 1
    assert b"Action: delayed" in reports(world)[0]
    assert world.spool.names() == [entry_id]
    assert world.spool.read(entry_id).progress.has_warned


def test_mail_is_given_up_after_five_days_and_told(tmp_path, stack):
    """The sender gets a notice, the mail is kept, and what was delivered is not reported."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put("you@example.net", "other@example.net")
    world.run(4.99 * DAY_S)
    assert world.statuses(entry_id) == "PD"
    world.run(HOUR_S)
    assert world.spool.names() == []
    assert world.spool.names(FAILED) == [entry_id]
    last = reports(world)[-1]
    assert b"Action: failed" in last
    assert b"you@example.net" in last
    assert b"other@example.net" not in last.partition(b"text/rfc822-headers")[0]
    text = message_from_bytes(last).get_payload(0).get_payload(decode=True).decode()
    assert "within 5.0 days; last: 450 4.2.0 later" in text
    assert "天内未能投递" in text


@pytest.mark.parametrize("jump_s", [10 * YEAR_S, -10 * YEAR_S])
def test_calendar_alone_gives_nothing_up(jump_s, tmp_path, stack):
    """Ten years in one step make no mail older, in this process or the next (P9)."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put()
    world.run(3 * HOUR_S)
    world.clock.calendar_s += jump_s
    world.run(HOUR_S / 2)
    world.start()
    world.run(HOUR_S / 4)
    assert world.spool.names() == [entry_id]
    assert reports(world) == []


def test_wrong_calendar_has_no_mail_read_again_with_each_scan(tmp_path, stack):
    """All mail is old by it: each entry is opened once in ten minutes, and not with every look."""
    world = world_of(tmp_path, stack, LATER, limits={"scan_interval_s": 60.0})
    world.put()
    world.run(1)
    world.clock.calendar_s += 10 * YEAR_S
    claims = []
    claim = world.spool.claim
    world.spool.claim = lambda *words: (claims.append(words), claim(*words))[1]
    world.deliverer._upkeep._look_at_ages()
    world.deliverer._upkeep._look_at_ages()
    assert len(claims) == 1
    world.clock.now_s += 601
    world.deliverer._upkeep._look_at_ages()
    assert len(claims) == 2


def test_age_is_counted_in_short_lives(tmp_path, stack):
    """A daemon that is started anew every day gives a mail up after five days all the same."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    entry_id = world.put()
    for _ in range(5):
        world.run(0.97 * DAY_S)
        assert world.deliverer.stop(10)
        world.start()
    progress_days = world.spool.read(entry_id).progress.observed_s / DAY_S
    assert 4.8 < progress_days < 4.9
    world.run(6 * HOUR_S)
    assert entry_id in world.spool.names(FAILED)


def test_crash_loses_an_hour_of_age_at_most(tmp_path, stack):
    """Ages are written down every hour, whatever happens to the mail meanwhile."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    entry_id = world.put()
    world.run(10 * HOUR_S)
    observed_s = world.spool.read(entry_id).progress.observed_s
    assert 9 * HOUR_S <= observed_s <= 10 * HOUR_S


def test_failed_mail_is_kept_for_a_month(tmp_path, stack):
    """What failed can be looked at for thirty days, and does not fill the disk for ever."""
    world = world_of(tmp_path, stack, {"RCPT TO:<bad": "550 no"}, limits={"scan_interval_s": DAY_S})
    entry_id = world.put("bad@example.net")
    world.run(29 * DAY_S)
    assert world.spool.names(FAILED) == [entry_id]
    world.run(2 * DAY_S)
    assert world.spool.names(FAILED) == []


def test_failed_mail_that_is_damaged_is_never_deleted(tmp_path, stack):
    """What cannot be read has no age: it is put aside for people, and the sweep goes on."""
    replies = {"RCPT TO:<bad": "550 no"}
    world = world_of(tmp_path, stack, replies, limits={"scan_interval_s": DAY_S})
    damaged, whole = world.put("bad@example.net"), world.put("bad@example.net")
    world.run(1)
    world.spool.damage(damaged, FAILED)
    world.run(31 * DAY_S)
    assert world.spool.names(CORRUPT) == [damaged]
    assert whole not in world.spool.names(FAILED)


# -- files -------------------------------------------------------------------------------------


def test_mended_file_is_noticed_and_tried_at_once(tmp_path, stack):
    """Who corrects the password need do nothing else: the mail goes."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    world.put()
    world.run(MINUTE_S)
    repair(world.puppet)
    world.write_settings(password='"another password"')
    world.run(MINUTE_S)
    assert world.told("reloaded")
    assert world.told("account_resumed")
    assert len(world.arrived) == 1


def test_broken_file_is_refused_and_the_old_one_goes_on(tmp_path, stack):
    """A file with a fault in it stops no mail, and is told of."""
    world = world_of(tmp_path, stack)
    world.write_settings(nonsense="5")
    world.run(MINUTE_S)
    assert world.told("reload_refused")
    with pytest.raises(ConfigError):
        world.deliverer.reload()
    world.put()
    world.run(1)
    assert len(world.arrived) == 1
    assert PASSWORD not in "\n".join(world.lines)


def test_file_that_is_touched_costs_no_login(tmp_path, stack):
    """The same settings, written again, are no reason to try a refused login."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    world.put()
    world.run(1)
    for number in range(20):
        os.utime(tmp_path / "msmtprc", ns=(number, number))
        world.run(20)
    assert len(world.told("reloaded")) >= 10
    assert world.logins == 1


def test_mail_in_doubt_is_given_up_like_any_other(tmp_path, stack):
    """Doubt keeps a mail no longer than five days."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put()
    world.spool.update(
        entry_id,
        Progress(b"P", attempts=20, is_in_doubt=True, observed_s=5 * DAY_S, has_warned=True),
    )
    world.clock.calendar_s += 5 * DAY_S
    world.run(HOUR_S)
    assert world.spool.names(FAILED) == [entry_id]


def test_age_that_is_not_worth_it_is_not_written_down(tmp_path, stack):
    """A disk is not written to for a few seconds of each mail."""
    world = world_of(tmp_path, stack, LATER)
    world.put()
    world.run(1)
    updates = []
    update = world.spool.update
    world.spool.update = lambda *words: (updates.append(words), update(*words))
    world.clock.now_s += 30
    world.deliverer._upkeep.note_ages()
    assert updates == []
    world.clock.now_s += 60
    world.deliverer._upkeep.note_ages()
    assert len(updates) == 1


def test_warned_of_mail_is_not_opened_again_for_it(tmp_path, stack):
    """Once its sender knows, its age is nobody's business until it is to be given up."""
    world = world_of(tmp_path, stack, LATER)
    world.put()
    world.run(5 * HOUR_S)
    assert len(reports(world)) == 1
    claims = []
    claim = world.spool.claim
    world.spool.claim = lambda *words: (claims.append(words), claim(*words))[1]
    world.clock.now_s += HOUR_S
    world.deliverer._upkeep._look_at_ages()
    assert claims == []
