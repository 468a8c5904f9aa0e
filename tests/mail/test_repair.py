"""
What repair promises about every message, held against a strict reader that shares no code with it.

The messages are those of ``faulty_mail`` (each field and body good or faulty, in any combination)
and octets of no form at all.
"""

from __future__ import annotations

import os
import re
import tracemalloc
from codecs import lookup
from random import Random
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faulty_mail import FIELDS, NOW_S, Body, Faulty, faulty_mails, good_mails
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.message import CHUNK_SIZE, read_message
from pillarbox.mail.originate import HeaderWishes, recipient_fields
from pillarbox.mail.repair import RepairFacts, repair
from pillarbox.mail.rescue import rescue
from pillarbox.mail.rules import RULE_BY_ID
from strict import faults, ids
from strict_mime import leaves

# More for a long search: PILLARBOX_EXAMPLES=20000 pytest tests/mail/test_repair.py
EXAMPLES = int(os.environ.get("PILLARBOX_EXAMPLES", "120"))
# A plain run tries the same messages each time; a long search tries others.
bounded = settings(
    max_examples=EXAMPLES, deadline=None, derandomize="PILLARBOX_EXAMPLES" not in os.environ
)

ANN, BOB, TIM = map(parse_mailbox, ("ann@example.com", "bob@test.example", "tim@example.org"))

# What repair may add; every other field of the output stood in the input.
MAY_ADD = frozenset(
    b"from date message-id to subject reply-to x-original-from x-original-date auto-submitted"
    b" mime-version content-type content-transfer-encoding".split()
)


def facts_of(*, recipients=(ANN,), takes_8bit=True, demands_sender=True, host="web01", wishes=None):
    """Return the facts of an account that is in order."""
    return RepairFacts(
        sender=TIM,
        recipients=recipients,
        wishes=wishes or HeaderWishes(),
        epoch_s=NOW_S,
        message_id="<new.1@example.org>",
        host=host,
        takes_8bit=takes_8bit,
        demands_sender=lambda: demands_sender,
    )


some_facts = st.builds(
    facts_of,
    recipients=st.sampled_from([(ANN,), (ANN, BOB)]),
    takes_8bit=st.booleans(),
    demands_sender=st.booleans(),
)


def reader(pieces):
    """Return a function that gives the pieces one after the other, cut to what was asked for."""
    held = b""
    source = iter(pieces)

    def read(limit):
        nonlocal held
        while not held:
            held = next(source, None)
            if held is None:
                held = b""
                return b""
        piece, held = held[:limit], held[limit:]
        return piece

    return read


def sent(octets, facts=None, *, pieces=None):
    """Return what leaves for a message, and the changes."""
    changes = []
    message = read_message(reader([octets] if pieces is None else pieces))
    content = repair(message, facts or facts_of(), changes).content()
    return b"".join(chunk for chunk, _ in content.chunks()), changes


def rules(changes):
    """Return which rules were applied."""
    return [change.rule for change in changes]


def wire(octets):
    """Return octets with CRLF line ends, the last one there."""
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


# --- What is good stays as it is ------------------------------------------------------------------


@bounded
@given(mail=good_mails(), facts=some_facts)
def test_good_mail_leaves_byte_for_byte(mail, facts):
    """Not an octet of a message that is in order changes, line ends apart, and nothing is noted."""
    if mail.body.needs_8bit and not facts.takes_8bit:
        return
    output, changes = sent(mail.octets, facts)
    assert changes == []
    assert output == wire(mail.octets)
    if not mail.body.is_sealed:
        assert faults(output, now_s=NOW_S, allows_8bit=facts.takes_8bit) == []


# --- What is repaired -----------------------------------------------------------------------------


@bounded
@given(mail=faulty_mails(), facts=some_facts)
def test_a_second_repair_changes_nothing(mail, facts):
    """A repaired message is one with nothing wrong."""
    once, _ = sent(mail.octets, facts)
    twice, changes = sent(once, facts)
    assert twice == once
    assert set(rules(changes)) <= {"SIGNED"}


@bounded
@given(mail=faulty_mails(), facts=some_facts)
def test_repaired_mail_satisfies_the_strict_reader(mail, facts):
    """Whatever came in, what leaves has no fault but those that nobody may repair."""
    output, _ = sent(mail.octets, facts)
    found = faults(output, now_s=NOW_S, allows_8bit=facts.takes_8bit)
    assert [fault for fault in found if not is_allowed(fault, mail, facts)] == []


def is_allowed(fault, mail, facts):
    """Tell whether a fault has to stay."""
    if mail.body.is_sealed:  # a change would break the signature
        return fault.place not in {"from", "to", "subject", "date", "message-id", "reply-to"}
    # Who got it is not for strangers: To stays as it is when there are several.
    is_to = fault.place in {"to", "cc"} and fault.id in {"missing", "address-local"}
    return is_to and len(facts.recipients) > 1 and not mail.names_to


@bounded
@given(mail=faulty_mails(), facts=some_facts)
def test_the_meaning_of_the_body_survives(mail, facts):
    """Each text says what it said, and each attachment has the same octets."""
    output, _ = sent(mail.octets, facts)
    texts, files = meaning(output)
    for text in mail.body.texts:
        assert any(settled(text) in found for found in texts), text
    for data in mail.body.files:
        assert any(same_file(data, found) for found in files), data
    assert len(files) == len(mail.body.files) + mail.body.is_sealed


def meaning(octets):
    """Return the texts and the files of a message in wire form."""
    texts, files = [], []
    for leaf in leaves(octets):
        if not leaf.media_type.name.startswith("text/") or leaf.disposition == "attachment":
            files.append(leaf.octets)
        else:
            charset = leaf.media_type.parameters.get("charset", "us-ascii")
            texts.append(settled(lookup(charset).decode(leaf.octets, "replace")[0]))
    return texts, files


def settled(text):
    """Return a text with LF line ends and without blank lines around it."""
    return re.sub(r"\r\n|\r", "\n", text).strip("\n")


def same_file(data, found):
    """Tell whether octets arrived: exactly, or as lines where they are ASCII text."""
    if data == found:
        return True
    is_text = data.isascii() and b"\0" not in data
    return is_text and data.strip(b"\n") == found.replace(b"\r\n", b"\n").strip(b"\n")


@bounded
@given(mail=faulty_mails(), facts=some_facts)
def test_every_fault_is_noted(mail, facts):
    """A message that changes has a change that says so, by a rule that there is."""
    output, changes = sent(mail.octets, facts)
    assert all(change.rule in RULE_BY_ID for change in changes)
    assert all(change.what.isprintable() and change.what for change in changes)
    if not changes:
        # Bcc goes without a note, and line ends are the wire's business.
        kept = re.sub(rb"(?m)^Bcc: .*\n", b"", mail.octets.replace(b"\r\n", b"\n"))
        assert output == wire(re.sub(rb"\AFrom tim.*\n", b"", kept))


# --- How it is read does not matter ---------------------------------------------------------------


@bounded
@given(mail=faulty_mails(), facts=some_facts, seed=st.integers(0, 1 << 30))
def test_how_the_octets_come_does_not_matter(mail, facts, seed):
    """Whole, octet by octet or in any pieces: the same message leaves, with the same changes."""
    whole = sent(mail.octets, facts)
    assert sent(mail.octets, facts, pieces=list(cut(mail.octets, seed))) == whole
    single = [mail.octets[i : i + 1] for i in range(len(mail.octets))]
    assert sent(mail.octets, facts, pieces=single) == whole


def cut(octets, seed):
    """Yield octets in random pieces."""
    rng = Random(seed)
    start = 0
    while start < len(octets):
        size = rng.choice([1, 2, 7, 60, 1000])
        yield octets[start : start + size]
        start += size


# --- Octets of no form ----------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\r", b"\0", b"\n\n", b" ", b"\t", b":", b"=?utf-8?Q?=0D=0ABcc:_x?="),
        *(b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Bcc: e@f.example\n", b"Message-ID: <"),
        *(b"a@b.example", b"root", b"\xe6\xb5\x8b", b"\xb2\xe2", b"\xff", b"\\n", b"-e ", b"<"),
        *(b"MIME-Version: 1.0\n", b"Content-Type: multipart/mixed; boundary=x\n", b"\n--x\n"),
        *(b"\n--x--\n", b"Content-Type: text/html\n", b"Content-Transfer-Encoding: base64\n"),
        *(b"Content-Type: text/plain; charset=gbk\n", b"=E6", b"5rWL", b"\x1b[m", b"x" * 999),
        *(b"Content-Type: message/rfc822\n", b'"', b"(", b")", b",", b";", b"="),
        *(b"DKIM-Signature: ", b"Content-Disposition: attachment\n", b"<![x["),
    ]
)  # fmt: skip
raw_octets = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=25).map(b"".join))


@bounded
@given(octets=raw_octets, facts=some_facts, seed=st.integers(0, 1 << 30))
def test_octets_of_no_form_are_repaired_once_and_for_all(octets, facts, seed):
    """No exception, no second change, no matter of pieces; and the wire's own rules hold."""
    once, changes = sent(octets, facts)
    assert sent(octets, facts, pieces=list(cut(octets, seed))) == (once, changes)
    twice, again = sent(once, facts)
    assert twice == once
    assert set(rules(again)) <= {"SIGNED", "MIME-LATE"}
    assert not ids(faults(once, now_s=NOW_S)) & {"bare-cr", "bare-lf", "nul", "control", "bcc"}


# --- Attack: header injection ---------------------------------------------------------------------


@bounded
@given(octets=st.one_of(raw_octets, faulty_mails().map(lambda mail: mail.octets)), facts=some_facts)
@example(b"Subject: =?utf-8?B?YQ0KQmNjOiBlQGY=?=\n\nx\n", facts_of())
@example(b"Subject: =?utf-8?Q?a=0ABcc:_e?=\n\nx\n", facts_of())
@example("Subject: a\u2028Bcc: e@f\n\nx\n".encode(), facts_of())
@example(b"Subject: \xb2\xe2\x0bBcc: e@f\n\nx\n", facts_of())
@example(b'From: "=?utf-8?Q?x=0D=0AX-I:_1?=" <root>\n\nx\n', facts_of())
@example(b'Content-Type: text/plain; charset="a\\\rBcc: x"\n\n\xe6\n', facts_of())
def test_header_injection_is_impossible(octets, facts):
    """No field leaves that was neither in the input nor one of those that repair may add."""
    output, _ = sent(octets, facts)
    names = field_names(output)
    allowed = {name for name, _ in typed_names(octets)} | MAY_ADD
    assert set(names) - allowed == set()
    assert not {b"bcc", b"resent-bcc"} & set(names)


def field_names(output):
    """Return the lower-case names of the fields of a message in wire form."""
    if output.startswith(b"\r\n"):
        return []
    head = output.partition(b"\r\n\r\n")[0]
    lines = [line for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert all(re.match(rb"[!-9;-~]+:", line) for line in lines), lines
    return [line.partition(b":")[0].lower() for line in lines]


def typed_names(octets):
    """Yield what a person typed as a field name: at a line's start, or behind echo's slips."""
    octets = re.sub(rb"[\x01-\x08\x0b-\x1f\x7f]", b" ", octets.replace(b"\0", b""))
    octets += b"\n" + octets.replace(b"\\n", b"\n").replace(b"\\t", b"\t")
    for line in octets.split(b"\n"):
        name, colon, value = re.sub(rb"\A(?:-[neE]+ +)+", b"", line).partition(b":")
        if colon:
            yield name.strip(b" \t").lower(), value


@pytest.mark.parametrize("host", ["web01\r\nBcc: e@f.example", "web01\nX-Injected: 1", "a\0b"])
def test_attack_host_name_with_a_line_end(host):
    """The name of the computer is shown in fields; it cannot bring a field of its own."""
    output, _ = sent(b"From: root\n\n", facts_of(host=host))
    assert set(field_names(output)) <= MAY_ADD
    assert not ids(faults(output, now_s=NOW_S)) & {"control", "nul", "bare-lf", "bare-cr"}


def test_attack_backslashes_in_a_subject_name_no_recipient():
    """Whoever fills in a form's Subject cannot choose who gets the mail."""
    octets = (
        b"From: web@example.org\nTo: ops@example.org\n"
        b"Subject: hi\\nBcc: eve@evil.example\\nCc: mal@evil.example\\n\\nspam\n\n"
    )
    changes = []
    message = rescue(read_message(reader([octets])), changes)
    assert recipient_fields(message.headers) == ["ops@example.org"]


# --- Attack: what takes for ever ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["<![x[", "<a ", '<a href="', "<!--", "</", "<!-!- <![CDAT\\["])
def test_attack_html_that_html_parser_dies_of(text):
    """Hostile HTML leaves as it came, soon: no exception, no minutes of computing."""
    octets = b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + (text * 9999)[:60_000].encode()
    octets = re.sub(rb"(.{60})(?=.)", rb"\1\n", octets)
    start_s = process_time()
    output, _ = sent(octets)
    assert process_time() - start_s < 5
    assert any(
        settled(octets.partition(b"\n\n")[2].decode()) in text for text in meaning(output)[0]
    )


# --- The account's wishes -------------------------------------------------------------------------


@bounded
@given(mail=faulty_mails())
def test_wishes_of_the_account_are_honoured(mail):
    """What msmtp's keywords say is the account's own affair is neither added nor changed."""
    facts = facts_of(wishes=HeaderWishes(set_from="off", set_date=False, set_message_id=False))
    output, changes = sent(mail.octets, facts)
    assert not [rule for rule in rules(changes) if rule.startswith(("HDR-FROM", "HDR-DATE"))]
    assert not [rule for rule in rules(changes) if rule.startswith("HDR-MID")]
    typed = {name for name, _ in typed_names(mail.octets)}
    assert {b"from", b"date", b"message-id"} & set(field_names(output)) <= typed


# --- Large mail -----------------------------------------------------------------------------------


def attachment(total_bytes):
    """Yield a message with a large attachment, in pieces."""
    yield FIELDS["from"][0][1] + b"".join(FIELDS[name][0][1] for name in ("to", "subject", "date"))
    yield FIELDS["message-id"][0][1] + b"MIME-Version: 1.0\n"
    yield b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
    lines = b"A" * 76 + b"\n"
    for _ in range(total_bytes // (77 * 800)):
        yield lines * 800


def text_of(line, total_bytes):
    """Yield a message with a large text that needs an encoding, in pieces."""
    yield b"Subject: log\n\n"
    for _ in range(total_bytes // len(line) // 500):
        yield line * 500


@pytest.mark.parametrize(
    "pieces",
    [
        lambda: attachment(32 << 20),
        lambda: text_of("备份 done\n".encode(), 32 << 20),
        lambda: text_of(b"word " * 300 + b"\n", 32 << 20),
        lambda: text_of("备份失败\n".encode("gbk"), 32 << 20),
    ],
    ids=["attachment", "utf-8 text", "long lines", "gbk text"],
)
def test_memory_is_bounded(pieces):
    """A message of 32 MiB needs a few chunks of memory, whatever has to be done to it."""
    message = read_message(reader(pieces()))
    tracemalloc.start()
    try:
        content = repair(message, facts_of(takes_8bit=False), []).content()
        total = sum(len(chunk) for chunk, _ in content.chunks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 30 << 20
    assert peak < 3 << 20


def test_large_good_mail_leaves_byte_for_byte():
    """An attachment that is far larger than what is looked at passes as it is."""
    octets = b"".join(attachment(4 * CHUNK_SIZE))
    output, changes = sent(octets)
    assert changes == []
    assert output == wire(octets)


def test_large_text_keeps_its_meaning():
    """Every line of a text far larger than what is looked at arrives, decoded."""
    line = "备份失败：磁盘空间不足\n"
    octets = b"".join(text_of(line.encode("gbk"), 4 * CHUNK_SIZE))
    output, _ = sent(octets, facts_of(takes_8bit=False))
    (text,) = meaning(output)[0]
    assert set(text.split("\n")) == {line.strip()}
    assert text.count("\n") + 1 == octets.count(b"\n") - 2
    assert [fault for fault in faults(output, now_s=NOW_S) if fault.place != "reply-to"] == []


# --- Signed mail ----------------------------------------------------------------------------------


@bounded
@given(mail=faulty_mails(), facts=some_facts)
def test_what_dkim_signed_stays_as_it_is(mail, facts):
    """Neither a field in h=, nor the body, nor a MIME field of a DKIM-signed message changes."""
    signature = (
        b"DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=k; bh=x; b=y;\n"
        b" h=From:To:Cc:Subject:Date:Message-ID:MIME-Version:Content-Type\n"
    )
    octets = re.sub(rb"\A(?:From tim Mon Nov 23\r?\n|-e )", b"", mail.octets)
    if re.search(rb"(?i)\r(?!\n)|\0", octets):
        return  # the wire's own rules settle these
    output, _ = sent(signature + octets, facts)
    head, _, body = wire(octets).partition(b"\r\n\r\n")
    assert output.partition(b"\r\n\r\n")[2] == body
    names = rb"From|To|Cc|Subject|Date|Message-ID|MIME-Version|Content-Type"
    signed = rb"(?im)^(?:" + names + rb"):.*\r\n(?:[ \t].*\r\n)*"
    before = re.findall(signed, head + b"\r\n")
    after = re.findall(signed, output.partition(b"\r\n\r\n")[0] + b"\r\n")
    assert [field.split() for field in after] == [field.split() for field in before]


def test_signed_fields_that_are_left_alone_are_told():
    """One line names the fields that would have been changed, and no other."""
    head = (
        "DKIM-Signature: h=From:To:Subject:Date; b=x\nFrom: Tim <tim@example.org>\n"
        "To: ann@example.com\nSubject: 测试\nDate: x\nMessage-ID: <1@example.org>\n"
        "X-A: 测\n\ntext\n"
    )
    _, changes = sent(head.encode(), facts_of())
    assert "HDR-LINE" in rules(changes)  # X-A is not signed
    (told,) = [change for change in changes if change.rule == "SIGNED"]
    assert told.place == "Date, Subject"
    _, changes = sent(head.replace("测试", "x").replace(" x\nM", " {}\nM").encode(), facts_of())
    assert [change.place for change in changes if change.rule == "SIGNED"] == ["Date"]


@pytest.mark.parametrize("kind", ["multipart/signed", "multipart/encrypted"])
def test_what_a_person_signed_stays_as_it_is(kind):
    """The body of signed mail is not touched, whatever is in it."""
    inner = "--s\nContent-Type: text/plain\n\n\x1b[31m测试\n--s\n\nx\n--s--\n".encode()
    head = f"Content-Type: {kind}; boundary=s\nMIME-Version: 1.0\n".encode()
    output, changes = sent(head + b"\n" + inner, facts_of(takes_8bit=True))
    assert output.partition(b"\r\n\r\n")[2] == wire(inner)
    assert rules(changes).count("SIGNED") == 1


def test_the_generator_makes_what_it_says():
    """Rows called good have no fault, and there are enough of both kinds."""
    for name, rows in FIELDS.items():
        assert {is_good for is_good, _ in rows} == {True, False}, name
    assert isinstance(Faulty(b"", Body(b"", b""), is_good=True, names_to=True), tuple)
