"""Every shape of the corpus, through the real program to a server: what arrives is good mail."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from functools import cache

import pytest

from corpus.sending import Senders
from corpus.shape import PERSON, SENDER
from corpus.shapes import SHAPES
from strict import faults

_SERVERS = {"8BITMIME": ("8BITMIME", "SIZE 52428800"), "7-bit only": ()}
_SEALED = [shape for shape in SHAPES if shape.is_sealed]
_each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


@pytest.fixture(scope="module", params=_SERVERS)
def server(request):
    """Give the name of a server's kind."""
    return request.param


@pytest.fixture(scope="module")
def senders(server, tmp_path_factory):
    """Give the programs with a server of that kind."""
    with Senders(tmp_path_factory.mktemp("home"), _SERVERS[server]) as senders:
        yield senders


@pytest.fixture(scope="module")
def sent(senders):
    """Return a function that gives what the server received of a shape."""
    return cache(senders.by_ours)


def _readable(content):
    """Return what a person can read of a mail: its fields, decoded, and the text of its parts."""
    mail = message_from_bytes(content, policy=policy.compat32)
    texts = [_decoded(value) for part in mail.walk() for _, value in part.raw_items()]
    for part in mail.walk():
        if not part.is_multipart():
            charset = part.get_content_charset("utf-8")
            texts.append(part.get_payload(decode=True).decode(charset, "replace"))
    return "\n".join(texts).replace("\r\n", "\n")


def _decoded(value):
    """Return a field's value in Unicode, from encoded words or from raw UTF-8."""
    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return str(make_header(decode_header(value)))


def _body(octets):
    """Return a mail's body with its line ends as on the wire."""
    lines = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return lines.partition(b"\r\n\r\n")[2]


def test_there_are_as_many_shapes_as_names():
    """The corpus has at least 64 shapes, and no two of them the same name or input."""
    assert len(SHAPES) >= 64
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)
    assert len({(shape.octets, shape.call) for shape in SHAPES}) == len(SHAPES)


@_each_shape
def test_leaves_without_a_fault(shape, sent, server):
    """A strict reader, which knows nothing of repair, has nothing against the mail as sent."""
    mail = sent(shape)
    found = faults(mail, allows_8bit=server == "8BITMIME" or shape.is_sealed)
    if "DKIM" in shape.name:  # the signature covers the fault
        found = [fault for fault in found if fault.place.lower() != "subject"]
    assert not found, mail


@_each_shape
def test_keeps_its_text(shape, sent):
    """What the sender wanted to say can be read in the mail as sent."""
    assert shape.keeps in _readable(sent(shape)), sent(shape)


@_each_shape
def test_comes_from_the_account_to_the_person(shape, sent):
    """From is the account's address, and To or Cc names who gets it."""
    mail = message_from_bytes(sent(shape), policy=policy.default)
    senders_of_it = [mailbox.addr_spec for mailbox in mail["From"].addresses]
    if "www.example.net" not in shape.call:  # it has an address of its own that can be answered
        assert senders_of_it == [SENDER]
    if "DKIM" not in shape.name:
        assert PERSON in str(mail["To"])


@_each_shape
def test_is_not_changed_again(shape, senders, sent):
    """What was repaired leaves octet for octet when it is sent again."""
    assert senders.by_ours(shape, sent(shape)) == sent(shape)


@pytest.mark.parametrize("name", ["good", "Windows line ends", "mail of s-nail"])
def test_leaves_a_good_mail_as_it_is(name, sent):
    """Where nothing is wrong, the octets that come are the octets that go."""
    (shape,) = (shape for shape in SHAPES if shape.name == name)
    assert sent(shape) == shape.octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.mark.parametrize("shape", _SEALED, ids=lambda shape: shape.name)
def test_leaves_a_sealed_body_as_it_is(shape, sent):
    """Nothing of a signed or encrypted body is touched, whatever is in it."""
    assert _body(sent(shape)) == _body(shape.octets)


@_each_shape
def test_is_not_repaired_with_raw(shape, senders):
    """With --raw the body that comes is the body that goes."""
    mail = senders.by_ours(shape, options=["--raw"])
    # Line ends and NUL are the protocol's affair; a text without headers has no body to compare.
    octets = shape.octets.replace(b"\r\n", b"\n").replace(b"\0", b"")
    if octets[:1].isalpha() and b"\n\n" in octets and b"\r" not in octets:
        assert _body(mail).rstrip() == _body(octets).rstrip()
