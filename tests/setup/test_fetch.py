"""Files from the web: got from who proves his name, within limits, and from nobody else."""

import contextlib
import socket
import threading
import time

import pytest
import trustme

from pillarbox.errors import CertificateError, NetworkError, TlsError
from pillarbox.setup.fetch import Fetcher, NotThereError
from website import Website, page

NAMES = ("files.example.com", "other.example.com")
URL = "https://files.example.com/a.xml?b=c%40d"
PLACE = "files.example.com/a.xml?b=c%40d"
LATE_S = 5.0


def fetched(folder, answer, url=URL, *, patience_s=LATE_S, **more):
    """Get a file of a website that answers so; return the content and the site."""
    pages = {PLACE: answer} | {name.replace("__", "/"): value for name, value in more.items()}
    with Website(folder, NAMES, pages) as site:
        fetch = Fetcher(site.trust_file, resolver=site.resolver)
        return fetch(url, patience_s), site


def to(url):
    """Return an answer that sends on."""
    return page(b"", "302 Found", Location=url)


def chunked(connection):
    """Answer in pieces, and keep the connection open."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.sendall(b"3\r\n<a/\r\n1\r\n>\r\n0\r\n\r\n")
    connection.recv(1)


def until_the_end(connection):
    """Answer as HTTP/1.0 does."""
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n<a/>")
    connection.unwrap()


@pytest.mark.parametrize(
    "answer", [page(b"<a/>"), chunked, until_the_end], ids=["length", "chunked", "end"]
)
def test_a_file_is_returned_as_it_is(tmp_path, answer):
    """However its end is told."""
    assert fetched(tmp_path, answer)[0] == b"<a/>"


def test_the_request_tells_nothing_but_what_is_wanted(tmp_path):
    """No cookie, no login, no referrer, no version."""
    _, site = fetched(tmp_path, page(b"x"))
    (head,) = site.heads
    assert head.split("\r\n") == [
        "GET /a.xml?b=c%40d HTTP/1.1",
        "Host: files.example.com",
        "User-Agent: pillarbox",
        "Accept: text/xml, application/xml",
        "Connection: close",
        "",
        "",
    ]


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "410 Gone"])
def test_a_file_that_is_not_there_is_told_so(tmp_path, status):
    """That is no failure of the network."""
    with pytest.raises(NotThereError, match=rf"no such file \({status[:3]}\)"):
        fetched(tmp_path, page(b"<a/>", status))


@pytest.mark.parametrize("status", ["500 Oops", "204 No Content", "206 Partial Content"])
def test_another_status_is_a_failure(tmp_path, status):
    """What comes with it is not the file."""
    with pytest.raises(NetworkError, match=f"answers {status[:3]}") as failure:
        fetched(tmp_path, page(b"" if status[:3] == "204" else b"<a/>", status))
    assert not isinstance(failure.value, NotThereError)


# -- sent on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("onward", ["https://other.example.com/b", "//other.example.com/b"])
def test_three_hops_are_followed(tmp_path, onward):
    """To another host, too, and by an address that is not whole."""
    hops = {
        "other.example.com/b": to("/c"),
        "other.example.com/c": to("https://files.example.com:443/d"),
        "files.example.com/d": page(b"<d/>"),
    }
    assert fetched(tmp_path, to(onward), **hops)[0] == b"<d/>"


def test_a_circle_has_an_end(tmp_path):
    """One more than three is one too many."""
    with pytest.raises(NetworkError, match="more than 3 hops"):
        fetched(tmp_path, to(URL))


NOWHERE = [
    "http://other.example.com/b",
    "ftp://other.example.com/b",
    "file:///etc/passwd",
    "https://other.example.com:8443/b",
    "https://other.example.com:99999/b",
    "https://me:secret@other.example.com/b",
    "https://127.0.0.1/b",
    "https://[::1]/b",
    "https://[::1/b",
    "https://localhost/b",
    "https://2130706433/b",
    "https://other.example.com/b c",
    "https://other.example.com/" + "a" * 2000,
    "https://other.example.com/\u4f8b",
    "https://",
]


@pytest.mark.parametrize("url", NOWHERE[:-2])
def test_attack_redirect_to_plain_http_or_into_the_house(tmp_path, url):
    """A site cannot lead us to what is not encrypted, nor to this machine's own services."""
    with Website(tmp_path, NAMES, {PLACE: to(url)}) as site:
        fetch = Fetcher(site.trust_file, resolver=site.resolver)
        with pytest.raises(NetworkError, match="where pillarbox does not go"):
            fetch(URL, LATE_S)
        assert site.asked == ["files.example.com"]


@pytest.mark.parametrize("url", NOWHERE)
def test_attack_address_that_is_none(url):
    """What we would never go to is not gone to at the first hop either."""

    def nobody(*_, **__):
        raise AssertionError

    with pytest.raises(NetworkError, match="where pillarbox does not go"):
        Fetcher(resolver=nobody)(url, LATE_S)


def test_attack_line_end_in_an_address_stays_encoded(tmp_path):
    """An encoded line end is a path like any other, and ends no line of the request."""
    content, site = fetched(
        tmp_path,
        to("https://other.example.com/b%0d%0aX:y"),
        **{"other.example.com/b%0d%0aX:y": page(b"ok")},
    )
    assert content == b"ok"
    assert "\r\nX" not in site.heads[1]


# -- limits -----------------------------------------------------------------------------------


def test_the_largest_file_is_taken_and_one_octet_more_is_not(tmp_path):
    """64 KiB."""
    assert len(fetched(tmp_path, page(b"x" * 65536))[0]) == 65536
    with pytest.raises(NetworkError, match="larger than 65536 bytes"):
        fetched(tmp_path, page(b"x" * 65537))


def _endless(start, piece):
    def answer(connection):
        connection.sendall(start)
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(piece)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        _endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 5000),
        _endless(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 100),
        _endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 500),
        _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        _endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 5000),
    ],
    ids=["content", "fields", "pieces", "continue", "field"],
)
def test_attack_answer_without_end(tmp_path, answer):
    """Whatever goes on for ever is left, and soon."""
    start = time.monotonic()
    with pytest.raises(NetworkError):
        fetched(tmp_path, answer, patience_s=60)
    assert time.monotonic() - start < 20


def test_attack_answer_that_drips(tmp_path):
    """An octet now and then gains no time: the deadline is over everything."""
    end = threading.Event()

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while not end.wait(0.02):
                connection.sendall(b"x")

    start = time.monotonic()
    with pytest.raises(NetworkError, match="timed out"):
        fetched(tmp_path, drip, patience_s=0.4)
    end.set()
    assert time.monotonic() - start < LATE_S


def test_hops_share_the_deadline(tmp_path):
    """A site that sends on and on, slowly, gains nothing either."""

    def late(connection):
        with contextlib.suppress(OSError):
            connection.recv(1)

    start = time.monotonic()
    with pytest.raises(NetworkError, match="timed out"):
        fetched(
            tmp_path,
            to("https://other.example.com/b"),
            patience_s=0.4,
            **{"other.example.com/b": late},
        )
    assert time.monotonic() - start < LATE_S


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["smtp", "status", "nothing", "chunk"],
)
def test_what_is_no_http_is_told_so(tmp_path, answer):
    """And is no traceback."""
    with pytest.raises(NetworkError, match="does not speak HTTP"):
        fetched(tmp_path, answer)


def test_half_a_file_is_none(tmp_path):
    """Who cuts the connection cannot cut the file."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"
    with pytest.raises(NetworkError, match="broke off"):
        fetched(tmp_path, half)


# -- who is asked -----------------------------------------------------------------------------


def test_attack_certificate_of_another_authority(tmp_path):
    """A network in between with a certificate of its own gives us no file."""
    with Website(tmp_path, NAMES, {PLACE: page(b"evil")}, ca=trustme.CA()) as site:
        with pytest.raises(CertificateError):
            Fetcher(site.trust_file, resolver=site.resolver)(URL, LATE_S)
        assert site.heads == []


def test_attack_certificate_of_another_name(tmp_path):
    """A site proves its own name and no other."""
    with Website(tmp_path, ("evil.example.com",), {}) as site:

        def resolver(_name, port, **more):
            return site.resolver(b"evil.example.com", port, **more)

        with pytest.raises(CertificateError):
            Fetcher(site.trust_file, resolver=resolver)(URL, LATE_S)
        assert site.heads == []


def test_a_plain_server_is_not_talked_to(tmp_path):
    """Where TLS is not spoken, nothing is said."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n<a/>")

        thread = threading.Thread(target=serve)
        thread.start()
        place = listener.getsockname()
        fetch = Fetcher(
            str(tmp_path / "ca.pem"),
            resolver=lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 0, "", place)],
        )
        with pytest.raises((TlsError, NetworkError)):
            fetch(URL, LATE_S)
        thread.join()


def test_a_name_that_does_not_exist_is_told_so(tmp_path):
    """The network's own words stay."""
    with Website(tmp_path, ("else.example.com",), {}) as site:
        fetch = Fetcher(site.trust_file, resolver=site.resolver)
        with pytest.raises(NetworkError, match=r"cannot locate host files\.example\.com"):
            fetch(URL, LATE_S)
