"""Log records by mail: one a record, no flood, and nothing raised into the application."""

import logging
import logging.handlers
import queue

import pytest

from peer import Peer
from pillarbox.logs import MailHandler
from written import config_for, parsed


@pytest.fixture
def peer():
    """Return a server of somebody else's."""
    with Peer() as server:
        yield server


class Clock:
    """Seconds that pass when a test says so."""

    now_s = 1000.0

    def __call__(self):
        """Return the time."""
        return self.now_s


def logger_with(handler, name="app"):
    """Return a logger that nobody else has, with a handler."""
    logger = logging.Logger(name)  # noqa: LOG001 (it must leave nothing behind)
    logger.addHandler(handler)
    return logger


@pytest.fixture
def clock():
    """Return a clock that stands."""
    return Clock()


@pytest.fixture
def handler(peer, tmp_path, clock):
    """Return a handler whose mail goes to the peer."""
    made = MailHandler("ops@example.org", config=config_for(peer.port, tmp_path), clock=clock)
    made.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    yield made
    made.close()


@pytest.fixture
def log(handler):
    """Return a logger with it."""
    return logger_with(handler, "app.db")


def test_mails_a_record(peer, log):
    """Its level and host in the subject; the whole of it, with the exception, in the text."""
    try:
        {}["测试"]
    except KeyError:
        log.exception("lookup of %s failed\nbadly", "a")
    received = peer.last()
    mail = parsed(received.content)
    assert received.recipients == ["ops@example.org"]
    assert mail["Subject"].startswith("ERROR on ")
    assert mail["Subject"].endswith(": lookup of a failed")
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert text.startswith("app.db: lookup of a failed\nbadly\nTraceback (most recent call last):")
    assert text.endswith("KeyError: '测试'\n")


def test_only_records_from_its_level_on(peer, log):
    """ERROR, unless another is given."""
    log.warning("x")
    assert peer.received == []
    log.critical("x")
    assert parsed(peer.last().content)["Subject"].startswith("CRITICAL")


def test_a_flood_is_one_mail_a_minute(peer, log, clock):
    """Records that differ only in their values; the next mail says how many were left out."""
    for number in range(50):
        log.error("cannot reach %s", number)
    assert "cannot reach 0" in parsed(peer.last().content).get_content()
    clock.now_s += 59.9
    log.error("cannot reach %s", 50)
    assert peer.received == []
    clock.now_s += 0.2
    log.error("cannot reach %s", 51)
    text = parsed(peer.last().content).get_content()
    assert "cannot reach 51" in text
    assert "(50 more records like this one were not mailed)" in text
    clock.now_s += 61
    log.error("cannot reach %s", 52)
    assert "more records" not in parsed(peer.last().content).get_content()


def test_another_message_is_not_held_back(peer, log):
    """Nor the same from another level."""
    log.error("one")
    log.error("two")
    log.critical("one")
    assert len(peer.received) == 3


def test_what_is_remembered_is_bounded(peer, log, handler, clock):
    """A program that makes its templates does not fill the memory."""
    handler._mail = lambda *_: None
    for number in range(3000):
        log.error(f"made {number}")  # noqa: G004
    assert len(handler._mailed) == 1000
    del handler._mail
    log.error("made 2999")
    assert peer.received == []
    clock.now_s += 61
    log.error("made 2999")
    assert "(1 more" in parsed(peer.last().content).get_content()


@pytest.mark.parametrize("trouble", ["refused", "config", "address", "format", "unreachable"])
def test_nothing_is_raised_into_the_application(peer, tmp_path, capsys, trouble):
    """What goes wrong is told on standard error, as by every handler."""
    config = config_for(peer.port, tmp_path)
    if trouble == "refused":
        peer.refused["ops@example.org"] = "550 no"
    if trouble == "unreachable":
        with Peer() as other:
            config = config_for(other.port, tmp_path)
    handler = MailHandler(
        "a@" if trouble == "address" else "ops@example.org",
        config="/nonexistent/msmtprc" if trouble == "config" else config,
    )
    logger = logger_with(handler)
    logger.error("%d" if trouble == "format" else "x", *(["y"] if trouble == "format" else []))
    assert "Logging error" in capsys.readouterr().err
    assert peer.received == []


def test_what_is_logged_while_it_mails_is_not_mailed(peer, handler, log):
    """Else it would never end."""
    handler.format = lambda record: log.error("inner") or record.getMessage()
    log.error("outer")
    assert parsed(peer.last().content).get_content() == "outer\n"


def test_works_behind_a_queue(peer, handler):
    """The application does not wait for the server then."""
    records = queue.Queue()
    listener = logging.handlers.QueueListener(records, handler)
    logger = logger_with(logging.handlers.QueueHandler(records))
    listener.start()
    logger.error("from a thread")
    listener.stop()
    assert "from a thread" in parsed(peer.last().content).get_content()


def test_header_injection_through_a_record(peer, log):
    """A value with a line end in it stays in the text."""
    log.error("user %s", "x\r\nBcc: evil@example.com\r\n\r\nevil")
    received = peer.last()
    assert received.recipients == ["ops@example.org"]
    mail = parsed(received.content)
    assert mail["Bcc"] is None
    assert mail["Subject"].endswith(": user x")


def test_the_subject_may_be_ones_own(peer, tmp_path):
    """In the words of logging.Formatter."""
    handler = MailHandler(
        ["a@example.org", "b@example.org"],
        config=config_for(peer.port, tmp_path),
        subject="[%(name)s] %(message)s",
        from_="App <app@example.org>",
        level="INFO",
    )
    logger = logger_with(handler)
    logger.info("x" * 300)
    received = peer.last()
    assert (received.sender, len(received.recipients)) == ("app@example.org", 2)
    assert parsed(received.content)["Subject"] == "[app] " + "x" * 144
