"""The mutable area: whatever a power cut or a sick disk makes of it, nobody loses a mail."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.spool.area import (
    MAX_RECIPIENTS,
    area_bytes,
    first_area,
    format_progress,
    parse_progress,
)
from pillarbox.spool.base import Progress
from pillarbox.spool.entry import PREFIX_BYTES

OLD = Progress(b"PPP", attempts=1, last_attempt_s=1000.0, observed_s=99.999, reason="old")
NEW = Progress(
    b"DPF",
    attempts=2,
    last_attempt_s=100_000.5,
    observed_s=100.0,
    is_in_doubt=True,
    has_warned=True,
    reason="421 später",
)
SECTOR = 512


def test_lies_in_the_first_page_whatever_it_holds():
    """The area of the longest list ends in front of octet 4096."""
    assert PREFIX_BYTES + area_bytes(MAX_RECIPIENTS) <= 4096
    assert MAX_RECIPIENTS >= 1000


@pytest.mark.parametrize("recipients", [0, 1, 3, 1000, MAX_RECIPIENTS])
def test_has_a_fixed_width(recipients):
    """No progress is longer or shorter than another of as many recipients."""
    for progress in (
        Progress(b"P" * recipients),
        Progress(b"D" * recipients, attempts=10**20, last_attempt_s=1e30, observed_s=1e30),
        Progress(b"F" * recipients, is_in_doubt=True, has_warned=True, reason="长" * 300),
    ):
        assert len(format_progress(progress)) == area_bytes(recipients)
    assert len(first_area(recipients)) == area_bytes(recipients)


@given(
    st.binary().map(lambda octets: bytes(b"PDF"[octet % 3] for octet in octets)),
    st.integers(0, 9_999_999_999),
    st.integers(0, 9_999_999_999_000),
    st.booleans(),
    st.booleans(),
    st.text(max_size=50).filter(lambda text: text.isprintable() and text == text.rstrip()),
)
def test_reads_what_it_wrote(statuses, attempts, thousandths, is_in_doubt, has_warned, reason):
    """Every progress comes back, times to the millisecond."""
    progress = Progress(
        statuses,
        attempts=attempts,
        last_attempt_s=thousandths / 1000,
        observed_s=thousandths / 1000,
        is_in_doubt=is_in_doubt,
        has_warned=has_warned,
        reason=reason,
    )
    assert parse_progress(format_progress(progress), len(statuses)) == progress


@pytest.mark.parametrize("progress", [OLD, NEW, Progress(b"PPP")])
def test_one_damaged_octet_changes_nothing(progress):
    """Whichever octet is spoilt, and to whatever, the other copy says it all."""
    area = format_progress(progress)
    for position in range(len(area)):
        for octet in (0, ord("D"), ord("P"), ord("F"), 0xFF, area[position] ^ 1):
            spoiled = bytearray(area)
            spoiled[position] = octet
            assert parse_progress(bytes(spoiled), 3) == progress


def test_a_write_torn_anywhere_is_the_old_or_the_new():
    """A write that ended at any octet, forwards or backwards, leaves a state that was meant."""
    old, new = format_progress(OLD), format_progress(NEW)
    for end in range(len(new) + 1):
        assert parse_progress(new[:end] + old[end:], 3) in (OLD, NEW)
        assert parse_progress(old[:end] + new[end:], 3) in (OLD, NEW)


def mixtures(old, new, random_, count):
    """Yield areas of which each sector is an old or a new one."""
    cuts = list(range(SECTOR - PREFIX_BYTES, len(old), SECTOR))
    bounds = [0, *cuts, len(old)]
    for _ in range(count):
        yield b"".join(
            random_.choice((old, new))[start:end] for start, end in itertools.pairwise(bounds)
        )


def test_sectors_mixed_at_will_lose_nothing_and_resend_to_nobody():
    """With a thousand recipients, whose area has several sectors, every status is one of two."""
    random_ = random.Random(5)
    before = b"".join(random_.choice((b"P", b"D")) for _ in range(1000))
    after = bytes(random_.choice(b"PDF") if status == 80 else status for status in before)
    old = format_progress(Progress(before, attempts=9, observed_s=9_999.0))
    new = format_progress(Progress(after, attempts=10, observed_s=10_000.0))
    for area in mixtures(old, new, random_, 300):
        found = parse_progress(area, 1000)
        for was, is_now, status in zip(before, after, found.statuses, strict=True):
            assert status in (was, is_now)
        assert found.attempts in (0, 9, 10)
        assert found.observed_s in (0.0, 9_999.0, 10_000.0)


@given(st.integers(0, 1 << 32))
def test_octets_mixed_at_will_lose_nothing_and_resend_to_nobody(seed):
    """Even octets of three writes in any mixture keep final statuses and invent none."""
    areas = [
        format_progress(Progress(statuses, attempts=number, last_attempt_s=number * 111.0))
        for number, statuses in enumerate((b"PDPF", b"PDFF", b"DDFF"), 9)
    ]
    choice = random.Random(seed).choice
    area = bytes(map(choice, zip(*areas, strict=True)))
    found = parse_progress(area, 4)
    assert found.statuses[1:2] == b"D"
    assert found.statuses[3:] == b"F"
    assert found.statuses[:1] in (b"P", b"D")
    assert found.statuses[2:3] in (b"P", b"F")


@pytest.mark.parametrize("order", [(OLD, NEW), (NEW, OLD)])
def test_of_two_whole_copies_the_later_counts_and_every_final_status(order):
    """A write that ended exactly between the copies loses neither what is new nor what is final."""
    first, second = (format_progress(one) for one in order)
    half = len(first) // 2
    assert parse_progress(first[:half] + second[half:], 3) == NEW
    older = Progress(b"PPD", attempts=1, last_attempt_s=5.0)
    newer = Progress(b"DPP", attempts=2, last_attempt_s=6.0, reason="newer")
    area = format_progress(older)[:half] + format_progress(newer)[half:]
    expected = Progress(b"DPD", attempts=2, last_attempt_s=6.0, reason="newer")
    assert parse_progress(area, 3) == expected


@pytest.mark.parametrize("octet", [0, 0x20, 0x58, 0xFF])
def test_an_area_that_says_nothing_leaves_all_pending(octet):
    """Rubbish loses no mail: it is sent to all, with a mark that it may be a second time."""
    assert parse_progress(bytes([octet]) * area_bytes(3), 3) == Progress(b"PPP", is_in_doubt=True)


def test_rubbish_around_final_statuses_does_not_resend():
    """Where both copies are spoilt, a status that can be read still counts."""
    area = bytearray(format_progress(NEW))
    half = len(area) // 2
    for start in (0, half):
        area[start + 30 : start + half] = b"?" * (half - 30)
    assert parse_progress(bytes(area), 3) == Progress(b"DPF", is_in_doubt=True)


@given(st.binary(max_size=1000), st.integers(0, 20))
def test_any_octets_are_some_progress(area, recipients):
    """Nothing makes the reader fail, and there is a status for each recipient."""
    area = area.ljust(area_bytes(recipients))[: area_bytes(recipients)]
    found = parse_progress(area, recipients)
    assert len(found.statuses) == recipients
    assert not found.statuses.strip(b"PDF")
