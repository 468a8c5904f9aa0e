"""What the log says of a mail on its way, so that it can be followed to the provider."""

from __future__ import annotations

import pytest

from peer import Puppet
from queue_world import DAY_S, HOUR_S, MINUTE_S, World


@pytest.fixture
def puppet():
    """Run a server that says what it is told."""
    with Puppet() as puppet:
        yield puppet


def fields(line):
    """Return the fields of a line without quotes."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word and '"' not in word)


def test_a_delivery_says_what_the_provider_calls_the_mail(tmp_path, puppet):
    """Host, attempt, Message-ID and the provider's own ID are in the line."""
    puppet.replies["."] = "250 2.0.0 Ok: queued as 4XyZ123abc"
    world = World(tmp_path, puppet=puppet)
    name = world.put()
    world.run(MINUTE_S)
    (line,) = world.told("delivered")
    found = fields(line)
    assert found["id"] == name
    assert found["host"] == "127.0.0.1"
    assert found["attempts"] == "1"
    assert found["provider_id"] == "4XyZ123abc"
    message_id = found["message_id"].encode()
    assert b"\r\nMessage-ID: " + message_id + b"\r\n" in puppet.contents[0]


def test_a_refusal_says_no_provider_id(tmp_path, puppet):
    """What stands in a refusal is not taken for one."""
    puppet.replies["."] = "450 4.2.0 queued as 4XyZ123abc, not"
    world = World(tmp_path, puppet=puppet)
    world.put()
    world.run(MINUTE_S / 2)
    assert "provider_id" not in world.told("deferred")[0]


def test_a_mail_keeps_its_own_message_id(tmp_path, puppet):
    """The line says what is in the mail, not what we would have given it."""
    world = World(tmp_path, puppet=puppet)
    content = b"Message-ID: <its.own@example.net>\nSubject: alert\nFrom: me@example.org\n\nx\n"
    world.put(content=content)
    world.run(MINUTE_S)
    assert fields(world.told("delivered")[0])["message_id"] == "<its.own@example.net>"


def test_a_failure_is_told_with_its_notice_and_where_the_mail_is(tmp_path, puppet):
    """The notice says what it is about, and the mail is filed."""
    puppet.replies["RCPT"] = "550 5.1.1 no such user"
    world = World(tmp_path, puppet=puppet)
    name = world.put()
    world.run(MINUTE_S / 2)
    assert fields(world.told("bounced")[0])["id"] == name
    (notice,) = world.told("notice")
    assert fields(notice)["about"] == name
    assert fields(notice)["id"] != name
    assert fields(world.told("filed")[0]) == {"event": "filed", "id": name, "state": "failed"}
    order = [line for line in world.lines if name in line]
    assert [fields(line)["event"] for line in order] == ["notice", "repaired", "bounced", "filed"]


def test_a_mail_that_is_too_old_is_told_of(tmp_path, puppet):
    """Why it is given up, and how old it was."""
    puppet.replies["RCPT"] = "450 4.2.0 busy"
    world = World(tmp_path, puppet=puppet)
    name = world.put()
    world.run(5.2 * DAY_S)
    (line,) = [line for line in world.told("expired") if name in line]
    assert 5 * DAY_S <= int(fields(line)["age_s"]) < 5.2 * DAY_S


def test_each_mail_that_goes_another_way_says_so(tmp_path, puppet):
    """Through which account a mail goes in place of its own."""
    more = (
        f"\naccount spare\nhost 127.0.0.1\nport {puppet.port}\nfrom spare@example.org\n"
        "tls off\nauth off\ntimeout 2\n"
    )
    world = World(tmp_path, puppet=puppet, more=more, tls="on", fallback="spare")
    names = [world.put(), world.put()]
    world.run(HOUR_S)
    found = [fields(line) for line in world.told("rerouted")]
    ways = [(row["id"], row["account"], row["via"]) for row in found if "id" in row]
    assert sorted(ways) == sorted((name, "default", "spare") for name in names)
    assert {fields(line)["account"] for line in world.told("delivered")} == {"spare"}
