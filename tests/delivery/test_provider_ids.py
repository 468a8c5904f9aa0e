"""What providers call a mail, as they say it."""

import pytest

from pillarbox.delivery.provider_ids import provider_id

REPLIES = [
    ("250 2.0.0 Ok: queued as 4XyZ123abc", "4XyZ123abc"),
    ("250 2.0.0 Ok: queued as 3C1F020A4E", "3C1F020A4E"),
    ("250 Ok: queued as 1A2B3C.", "1A2B3C"),
    ("250 2.0.0 OK  1795531271 a1-20020a17090ad3c100b0028c1234sm1234567pjv.12 - gsmtp",
     "a1-20020a17090ad3c100b0028c1234sm1234567pjv.12"),
    ("250 2.0.0 OK 1795531271 ffacd0b85a97d-1a2b3c4d5e6si1234.56 - gsmtp",
     "ffacd0b85a97d-1a2b3c4d5e6si1234.56"),
    ("250 2.6.0 <m@h> [InternalId=12345678901234, Hostname=X.prod.outlook.com] 9876 bytes Queued",
     "12345678901234"),
    ("250 Ok 0100018c1a2b3c4d-1234abcd-12ab-34cd-56ef-1234567890ab-000000",
     "0100018c1a2b3c4d-1234abcd-12ab-34cd-56ef-1234567890ab-000000"),
    ("250 Mail OK queued as smtp1,gcCowABXaYb1,123", "smtp1,gcCowABXaYb1,123"),
    ("250 OK: queued as.", ""),
    ("250 Data Ok: queued as freedom", ""),
    ("250 data OK: queued as Freedom.", ""),
    ("250 OK id=1rABCD-0001Xy-2f", "1rABCD-0001Xy-2f"),
    ("250 OK id=1rABCD-00000001Xyz-0AbC", "1rABCD-00000001Xyz-0AbC"),
    ("250 2.0.0 1a2b3c4d Message accepted for delivery", "1a2b3c4d"),
    ("250 2.0.0 3AIHJ1kb012345 Message accepted for delivery", "3AIHJ1kb012345"),
    ("250 ok 1795531271 qp 12345", "qp 12345"),
    ("250 2.0.0 <you@example.com> Q0xYZ1234567890abcdEFGH Saved", "Q0xYZ1234567890abcdEFGH"),
    ("250 2.0.0 Queued as 0hognofoxgj-26kv0rvs1pfio3zmd1qm1ej5a",
     "0hognofoxgj-26kv0rvs1pfio3zmd1qm1ej5a"),
    ("250 2.0.0 Ok", ""),
    ("250 taken", ""),
    ("250 2.6.0 Message received", ""),
    ("250 Great success", ""),
    ("250 requeued as nothing", ""),
    ("Ok: queued as 4XyZ123abc", "4XyZ123abc"),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "name"), REPLIES)
def test_reads_the_id_out_of_a_reply(reply, name):
    """Each server has its own way; where it says none, there is none."""
    assert provider_id(reply) == name


@pytest.mark.parametrize("evil", ["a" * 100_000, "queued as " + "x" * 100_000, "ok " * 50_000])
def test_hostile_replies_cost_no_time(evil):
    """No reply makes the search go on and on; what is found is never long."""
    assert len(provider_id("250 " + evil)) <= 122
