"""
Why sending is fast: round trips, windows, no Nagle, bounded memory.

Causes are counted here, seconds in ``bench/``, whose server and proxy these tests use.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.config.secrets import find_secret
from pillarbox.delivery.attempt import Connection, Mail
from pillarbox.delivery.route import Route
from pillarbox.mail.address import parse_address_list
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Content
from pillarbox.mail.status import DELIVERED

ROOT = Path(__file__).parent.parent.parent

# How often the client speaks before the first mail: TLS hello, TLS finished (the greeting
# answers it), EHLO, AUTH. TCP's own handshake is one round trip more.
_BEFORE_MAIL = 4
_TCP = 1


class Service:
    """A server or proxy of bench/, which counts."""

    def __init__(self, process):
        self._process = process
        self.port = int(process.stdout.readline().split()[1])

    def counts(self):
        """Return what was counted since this was last asked."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def _running(name, *arguments):
    command = [sys.executable, "-I", ROOT / "bench" / name, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Return a folder with ``ca.pem`` and ``server.pem``."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    pair = authority.issue_cert("localhost").private_key_and_cert_chain_pem
    pair.write_to_path(str(folder / "server.pem"))
    return folder


@contextmanager
def _sink(certificates, *options):
    with _running("sink.py", "--certificate", certificates / "server.pem", *options) as sink:
        yield sink


def _options(extension):
    return () if extension == "CHUNKING" else ("--no-chunking",)


def _write_msmtprc(certificates, folder, port):
    place = folder / "msmtprc"
    place.write_text(
        f"account default\nhost localhost\nport {port}\nfrom me@example.test\n"
        f"tls on\ntls_starttls off\ntls_trust_file {certificates / 'ca.pem'}\n"
        "auth plain\nuser me@example.test\npassword secret\n"
    )
    place.chmod(0o600)
    return place


def _connect(certificates, folder, port):
    """Return an open connection."""
    place = _write_msmtprc(certificates, folder, port)
    wishes = Wishes({}, env={}, user_file=str(place))
    chosen, _ = choose_account(load_files(wishes), wishes)
    account = finish_account(chosen, wishes, None)
    connection = Connection(Route(account, find_secret(account, env={})))
    assert connection.open() is None, connection.trouble
    return connection


def _deliver(connection, count):
    """Send a mail so often; every one must be delivered."""
    sender, recipient = parse_address_list("me@example.test, you@example.test")
    text = b"Subject: hello\r\n\r\nHello.\r\n" * 4
    content = Content(text, size_bytes=len(text), is_8bit=False)
    mails = (Mail(Envelope(sender, (recipient,)), content) for _ in range(count))
    ended = list(connection.deliver(mails))
    assert [mail.statuses[0].action for mail in ended] == [DELIVERED] * count


def _turns(certificates, folder, extension, count, rtt_ms=0):
    """Return how often the client spoke until ``count`` mails were answered."""
    with (
        _sink(certificates, *_options(extension)) as sink,
        _running("proxy.py", "--to", sink.port, "--rtt", rtt_ms) as proxy,
    ):
        connection = _connect(certificates, folder, proxy.port)
        _deliver(connection, count)
        turns = proxy.counts()["turns"]
        connection.close()
        assert sink.counts()["mails"] == count
    return turns


@pytest.mark.parametrize(("extension", "round_trips"), [("DATA", 7), ("CHUNKING", 6)])
def test_a_mail_takes_as_few_round_trips_as_the_standards_allow(
    certificates, tmp_path, extension, round_trips
):
    """TCP, TLS 1.3, greeting, EHLO, AUTH, the envelope, and with DATA the content."""
    assert _TCP + _turns(certificates, tmp_path, extension, 1) == round_trips


def test_a_mail_more_takes_one_round_trip_more_with_data(certificates, tmp_path):
    """The end of a content goes out with the next mail's MAIL, RCPT and DATA."""
    count = 20
    assert _turns(certificates, tmp_path, "DATA", count) == _BEFORE_MAIL + 1 + count


def test_a_thousand_mails_share_round_trips_with_chunking(certificates, tmp_path):
    """A window of transactions is under way at once, so most mails wait for nobody."""
    assert _turns(certificates, tmp_path, "CHUNKING", 1000, rtt_ms=20) < 100


def test_the_answer_to_quit_is_not_waited_for(certificates, tmp_path):
    """QUIT is said, and a server that never answers it holds nobody up."""
    with _sink(certificates, "--no-quit-reply") as sink:
        connection = _connect(certificates, tmp_path, sink.port)
        _deliver(connection, 1)
        assert sink.counts()["commands"] == 5  # EHLO, AUTH, MAIL, RCPT, BDAT
        start = time.monotonic()
        connection.close()
        assert time.monotonic() - start < 4  # it would give up waiting after 5
        commands = 0
        while not commands and time.monotonic() - start < 10:
            commands = sink.counts()["commands"]
        assert commands == 1


def test_nagle_does_not_hold_small_packets_back(certificates, tmp_path):
    """TCP_NODELAY is set: without it a mail waits for delayed ACKs, twice 40 ms."""
    with _sink(certificates) as sink:
        connection = _connect(certificates, tmp_path, sink.port)
        sock = connection.stream._sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        connection.close()


_SEND_AND_TELL_PEAK = """
import sys
sys.argv[0] = "msmtp"
from pillarbox.cli import msmtp
code = msmtp.main(sys.argv[1:])
with open("/proc/self/status") as status:
    peak = next(line for line in status if line.startswith("VmHWM"))
print(code, peak.split()[1])
"""


def _peak_kb(msmtprc, size):
    """Send a mail of that many octets through a pipe; return the peak of resident memory."""
    body = b"TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsuIE1hbnkgaGFuZHMgbWFrZSBsaWdodCB3b3JrLiAg\n"
    mail = b"Subject: large\n\n" + body * (size // len(body))
    command = [sys.executable, "-c", _SEND_AND_TELL_PEAK, "-C", msmtprc, "you@example.test"]
    done = subprocess.run(command, input=mail, capture_output=True, check=True, env=os.environ)
    code, peak = map(int, done.stdout.split())
    assert code == 0
    return peak


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
@pytest.mark.parametrize("extension", ["DATA", "CHUNKING"])
def test_memory_does_not_grow_with_the_mail(certificates, tmp_path, extension):
    """64 MB from a pipe take at most 4 MB more than a small mail, and never 25 MB in all."""
    with _sink(certificates, *_options(extension)) as sink:
        msmtprc = _write_msmtprc(certificates, tmp_path, sink.port)
        small, large = _peak_kb(msmtprc, 1000), _peak_kb(msmtprc, 64_000_000)
        assert sink.counts()["octets"] > 64_000_000
    assert large - small < 4096
    assert large < 25_000
