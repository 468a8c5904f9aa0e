"""
The quick reading of a command line, against the whole one.

Whatever ``read_call`` gives must be what ``cli`` makes of the same words; it may only give None.
"""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.cli import msmtp, queueing, sending, sendmail
from pillarbox.errors import PillarboxError
from pillarbox.handoff.call import PROGRAMS, read_call

MAINS = {"msmtp": msmtp, "sendmail": sendmail}

FIELDS = ("recipients", "sender", "account", "full_name", "notify", "ret", "envid", "is_raw")


def _whole(program, words, monkeypatch_to):
    """Return the ``Call`` that the whole road makes of a command line, or None."""
    requests, calls = [], []
    module = MAINS[program]
    monkeypatch_to(module, "send_mail", lambda request: requests.append(request) or 0)
    monkeypatch_to(queueing, "hand_over", lambda call, *_: calls.append(call))
    try:
        module.main(words)
        if not requests or requests[0].changes_sending or requests[0].reads_recipients:
            return None
        source = sending.Source(requests[0], is_given_again=True)
        queueing.hand_over_as_it_is(requests[0], source, "/socket")
    except PillarboxError:
        return None
    return calls[0]


@pytest.fixture
def whole(monkeypatch):
    """Return ``_whole`` with what would send replaced."""
    monkeypatch.delenv("POSIXLY_CORRECT", raising=False)
    return lambda program, words: _whole(program, words, monkeypatch.setattr)


def _fields(call):
    return {name: getattr(call, name) for name in (*FIELDS, "wish")}


# What programs call us with, and what it means; the rest of the fields is as in ``Call()``.
PLAIN = [
    ("sendmail", "me@x.example", {}),
    ("sendmail", "root", {"recipients": ["root"]}),
    ("sendmail", "-FCronDaemon -i -B8BITMIME -oem root", {"full_name": "CronDaemon"}),
    ("sendmail", "-i -f app@x.example me@x.example", {"sender": "app@x.example"}),
    ("sendmail", "-oi -oem -odb -fapp@x.example -- me@x.example", {"sender": "app@x.example"}),
    ("sendmail", "-r app@x.example me@x.example", {"sender": "app@x.example"}),
    ("sendmail", "-f a@b.example -f c@d.example me@x.example", {"sender": "c@d.example"}),
    ("sendmail", "-f MAILER-DAEMON me@x.example", {"sender": ""}),
    ("sendmail", "-N never me@x.example", {"notify": "NEVER"}),
    ("sendmail", "-N failure,DELAY me@x.example", {"notify": "FAILURE,DELAY"}),
    ("sendmail", "-R hdrs -V id7 me@x.example", {"ret": "HDRS", "envid": "id7"}),
    ("sendmail", "-bm -im me@x.example", {}),
    ("sendmail", "-s -v me@x.example", {}),
    ("sendmail", "--queue me@x.example", {"wish": "queue"}),
    ("sendmail", "--wait -i me@x.example", {"wish": "wait"}),
    ("sendmail", "--direct me@x.example", {"wish": "direct"}),
    ("sendmail", "me@x.example you@x.example", {"recipients": ["me@x.example", "you@x.example"]}),
    (
        "sendmail",
        "me@x.example -i you@x.example",
        {"recipients": ["me@x.example", "you@x.example"]},
    ),
    ("msmtp", "me@x.example", {}),
    ("msmtp", "-a work me@x.example", {"account": "work"}),
    ("msmtp", "--account=work me@x.example", {"account": "work"}),
    (
        "msmtp",
        "--account work --from=a@b.example x@y",
        {"account": "work", "sender": "a@b.example"},
    ),
    ("msmtp", "--from a@b.example -i -oem x@y", {"sender": "a@b.example"}),
    ("msmtp", "-F Name -N failure -R full x@y", {"full_name": "Name", "ret": "FULL"}),
    ("msmtp", "--wait -bm x@y", {"wish": "wait"}),
]


@pytest.mark.parametrize(("program", "words", "values"), PLAIN)
def test_what_programs_say_is_read_quickly(whole, program, words, values):
    """The plain shapes are read, and as the whole table reads them."""
    call = read_call(program, words.split())
    assert call is not None
    for name, value in values.items():
        assert getattr(call, name) == value
    if "sender" not in values:
        assert call.sender is None
    assert _fields(call) == _fields(whole(program, words.split()))


# What is left to the whole table, because it is something else, needs more, or is wrong.
NOT_PLAIN = [
    ("sendmail", ""),
    ("sendmail", "-t"),
    ("sendmail", "-t me@x.example"),
    ("sendmail", "-bp"),
    ("sendmail", "-bs me@x.example"),
    ("sendmail", "-q"),
    ("sendmail", "-f me@x.example"),
    ("sendmail", "-f <> me@x.example"),
    ("sendmail", "-f MAILER-DAEMON,b me@x.example"),
    ("sendmail", "me@x.example,you@x.example"),
    ("sendmail", "<me@x.example>"),
    ("sendmail", "a@b@c"),
    ("sendmail", "@c"),
    ("sendmail", "a@"),
    ("sendmail", "-- -me@x.example"),
    ("sendmail", "-X/log me@x.example"),
    ("sendmail", "-C/rc me@x.example"),
    ("sendmail", "-N nonsense me@x.example"),
    ("sendmail", "-R nonsense me@x.example"),
    ("sendmail", "-F --x me@x.example"),
    ("sendmail", "--queue --wait me@x.example"),
    ("sendmail", "--que me@x.example"),
    ("sendmail", "--account=x me@x.example"),
    ("sendmail", "--nosuch me@x.example"),
    ("sendmail", "-Z me@x.example"),
    ("sendmail", "-"),
    ("sendmail", "-i -f"),
    ("msmtp", "--host=h me@x.example"),
    ("msmtp", "--raw me@x.example"),
    ("msmtp", "-C/rc me@x.example"),
    ("msmtp", "-P me@x.example"),
    ("msmtp", "-d me@x.example"),
    ("msmtp", "-v me@x.example"),
    ("msmtp", "--acc=x me@x.example"),
    ("msmtp", "--account"),
    ("msmtp", "--read-envelope-from me@x.example"),
    ("msmtp", "-X/log me@x.example"),
]


@pytest.mark.parametrize(("program", "words"), NOT_PLAIN)
def test_the_rest_is_left_to_the_whole_table(program, words):
    """Whatever is not plain is not read at all."""
    assert read_call(program, words.split()) is None


@pytest.mark.parametrize(
    "text",
    ["a b@x", 'a"b@x', "a\\b@x", "a(b)@x", "ä@x", "a:b@x", "a;b@x", "a\r\nRCPT TO:<b@x>", "\0"],
)
def test_an_address_that_could_be_read_otherwise_is_not_read(text):
    """Attack: quoting, comments, groups, line ends; neither as recipient nor as sender."""
    assert read_call("sendmail", [text]) is None
    assert read_call("sendmail", ["-f", text, "me@x.example"]) is None
    assert read_call("msmtp", [f"--from={text}", "me@x.example"]) is None


@pytest.mark.parametrize("text", ["", "a\nb", "\x1b[2J", "ä", "--x"])
def test_a_value_that_needs_care_is_not_read(text):
    """Attack: a line end in a name, an account or an identifier."""
    assert read_call("sendmail", ["-F", text, "me@x.example"]) is None
    assert read_call("sendmail", ["-V", text, "me@x.example"]) is None
    assert read_call("msmtp", ["-a", text, "me@x.example"]) is None


_LETTERS = {"sendmail": "AbBceFfriImnNoqRstvVXxZ", "msmtp": "aAbBCdFfiGmnNoOPRStvX"}
_VALUES = (
    "me@x.example",
    "root",
    "m",
    "never",
    "full",
    "x",
    "--",
    "-",
    "<>",
    "a,b",
    "ä@x",
    "--wait",
)


def _words(program):
    letters = st.text(_LETTERS[program], min_size=1, max_size=3).map("-".__add__)
    glued = st.builds(str.__add__, letters, st.sampled_from(_VALUES))
    long = ("--wait", "--queue", "--direct", "--from", "--account", "--from=a@b", "--account=w")
    return st.lists(
        st.one_of(st.sampled_from(_VALUES), letters, glued, st.sampled_from(long)), max_size=6
    )


@given(st.sampled_from(list(PROGRAMS)).flatmap(lambda p: st.tuples(st.just(p), _words(p))))
def test_the_quick_reading_never_differs_from_the_whole_one(line):
    """Whatever the command line: read the same, or left to the whole table."""
    program, words = line
    call = read_call(program, words)
    if call is None:
        return
    os.environ.pop("POSIXLY_CORRECT", None)
    with pytest.MonkeyPatch.context() as patch:
        whole = _whole(program, words, patch.setattr)
    assert whole is not None, words
    assert _fields(call) == _fields(whole)
