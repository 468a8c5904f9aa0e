"""
What can be wrong with a message and is put right without asking: one row, one rule.

The texts and figures stand here for everybody who shows a rule (``lint``, ``-v``, the reference
page); what a rule does stands in ``rescue``, ``header_repairs`` and ``body``. Nothing on the way
of a mail that is in order imports this.

The costs were measured behind one synthetic delivery with SpamAssassin 4.0.1 (local rules) and
rspamd 3.4, one fault at a time in a message that is otherwise good.
"""

from __future__ import annotations

from pillarbox.text import say
from pillarbox.value import Value

__all__ = ["ERROR", "HINT", "RULES", "RULE_BY_ID", "WARNING", "Rule"]

ERROR = "error"  # servers refuse it, or nobody can read it
WARNING = "warning"  # filters count it
HINT = "hint"  # better without


class Rule(Value):
    """
    One thing that can be wrong with a message.

    Attributes:
        id: Its name for good: logs and scripts hold it.
        severity: ``ERROR``, ``WARNING`` or ``HINT``.
        what: What is wrong, as half a sentence.
        why: Why that matters.
        fix: What to do, or what is done.
        spamassassin: Points that it costs there; None: nothing measured.
        rspamd: Points that it costs there; None: nothing measured.
        source: The document that says so, such as ``RFC 5322 3.6.1``.
        is_repaired: Whether ``mail.repair`` puts it right without asking.

    """

    __slots__ = (
        "fix",
        "id",
        "is_repaired",
        "rspamd",
        "severity",
        "source",
        "spamassassin",
        "what",
        "why",
    )

    def __init__(
        self,
        id_: str,
        severity: str,
        what: str,
        why: str,
        fix: str,
        *,
        spamassassin: float | None = None,
        rspamd: float | None = None,
        source: str,
        is_repaired: bool = True,
    ) -> None:
        self.id = id_
        self.severity = severity
        self.what = what
        self.why = why
        self.fix = fix
        self.spamassassin = spamassassin
        self.rspamd = rspamd
        self.source = source
        self.is_repaired = is_repaired


# In the order in which they are looked at.
RULES = (
    Rule(
        "HDR-DASH-E",
        WARNING,
        say("the first line begins with what echo did not understand"),
        say("the shell's echo printed its option, so the Subject is no header any more"),
        say("the option is removed; use printf in scripts"),
        spamassassin=1.9,
        rspamd=6.9,
        source="POSIX echo",
    ),
    Rule(
        "HDR-BROKEN",
        ERROR,
        say("the text has no header section"),
        say("a server takes the text for headers and shows an empty mail"),
        say("the whole text becomes the body"),
        spamassassin=3.1,
        rspamd=8.9,
        source="RFC 5322 2.1",
    ),
    Rule(
        "HDR-PSEUDO",
        WARNING,
        say("lines of text look like headers"),
        say("they would be hidden from the reader, as no program shows unknown headers"),
        say("they become the body"),
        spamassassin=0.9,
        rspamd=4.9,
        source="RFC 5322 2.2",
    ),
    Rule(
        "HDR-BACKSLASH-N",
        WARNING,
        say("the characters \\n stand where line ends were meant"),
        say("echo without -e prints them; the body is part of the Subject"),
        say("they become line ends"),
        source="POSIX echo",
    ),
    Rule(
        "HDR-DUP",
        WARNING,
        say("a header that may stand once stands several times"),
        say("programs show different ones of them, which filters take for deceit"),
        say("the first is kept"),
        spamassassin=1.7,
        rspamd=4.9,
        source="RFC 5322 3.6",
    ),
    Rule(
        "HDR-LINE",
        WARNING,
        say("a header is not ASCII, or a line of it is too long"),
        say("servers may refuse it or change it on the way"),
        say("it is encoded and folded"),
        source="RFC 5322 2.1.1, RFC 2047",
    ),
    Rule(
        "HDR-FROM-MISSING",
        WARNING,
        say("there is no From header"),
        say("nobody sees whom it is from; QQ and Gmail refuse it"),
        say("the account's address is added"),
        spamassassin=1.0,
        rspamd=2.3,
        source="RFC 5322 3.6.2",
    ),
    Rule(
        "HDR-FROM-MULTI",
        ERROR,
        say("there are several From headers or addresses"),
        say("Gmail refuses it, and filters take it for deceit"),
        say("the first is kept"),
        spamassassin=0.0,
        rspamd=8.0,
        source="RFC 5322 3.6, 3.6.2",
    ),
    Rule(
        "HDR-FROM-ENCODED",
        ERROR,
        say("the address is inside an encoded word"),
        say("no program finds the address; QQ refuses it"),
        say("only the name is encoded"),
        spamassassin=0.0,
        rspamd=7.2,
        source="RFC 2047 5",
    ),
    Rule(
        "HDR-FROM-RAW8",
        WARNING,
        say("the name in From is in raw 8-bit bytes"),
        say("every program guesses their charset in its own way"),
        say("it is encoded"),
        spamassassin=2.2,
        rspamd=1.0,
        source="RFC 2047, RFC 6532",
    ),
    Rule(
        "HDR-FROM-NODOMAIN",
        WARNING,
        say("the address in From is valid on this computer only"),
        say("nobody can answer, and filters take it for forged"),
        say("the account's address takes its place, and the old one becomes the name"),
        spamassassin=1.0,
        rspamd=2.3,
        source="RFC 5321 2.3.5",
    ),
    Rule(
        "HDR-FROM-ACCOUNT",
        WARNING,
        say("the address in From is not the account's"),
        say("the provider takes mail only from the address that logged in"),
        say("the account's address takes its place, and answers go to the old one"),
        spamassassin=1.0,
        rspamd=0.3,
        source="RFC 6409 6.1",
    ),
    Rule(
        "HDR-FROM-NAMEADDR",
        WARNING,
        say("the name in From contains an address"),
        say("it is the usual way to pretend to be somebody else"),
        say("it is dropped if it is the same address, else its @ is replaced"),
        spamassassin=0.0,
        rspamd=4.0,
        source="RFC 5322 3.4",
    ),
    Rule(
        "HDR-TO-MISSING",
        WARNING,
        say("there is no To header"),
        say("only mass mail has none"),
        say("the recipient is named"),
        spamassassin=0.9,
        rspamd=2.0,
        source="RFC 5322 3.6.3",
    ),
    Rule(
        "HDR-TO-UNDISCLOSED",
        WARNING,
        say("To names nobody"),
        say("only mass mail hides its recipients"),
        say("each recipient gets a copy that names him, if own_copies is on or he is alone"),
        spamassassin=0.0,
        rspamd=5.0,
        source="RFC 5322 3.6.3",
    ),
    Rule(
        "HDR-TO-FORGED",
        WARNING,
        say("a recipient stands neither in To nor in Cc"),
        say("filters count it"),
        say("with own_copies on he gets a copy that names him"),
        spamassassin=0.0,
        rspamd=2.0,
        source="RFC 5322 3.6.3",
    ),
    Rule(
        "HDR-TO-NODOMAIN",
        WARNING,
        say("a recipient in To or Cc is valid on this computer only"),
        say("the reader cannot see who got it, and filters count it"),
        say("the address that it stands for is named"),
        spamassassin=0.1,
        rspamd=2.0,
        source="RFC 5321 2.3.5",
    ),
    Rule(
        "HDR-DATE-MISSING",
        WARNING,
        say("there is no Date header"),
        say("filters count it more than most faults"),
        say("the time of now is added"),
        spamassassin=2.7,
        rspamd=1.0,
        source="RFC 5322 3.6.1",
    ),
    Rule(
        "HDR-DATE-INVALID",
        WARNING,
        say("the Date is not in the form of mail"),
        say("a zone such as CST means another time elsewhere, and other languages mean nothing"),
        say("it is written anew with a numeric zone"),
        spamassassin=2.6,
        rspamd=4.0,
        source="RFC 5322 3.3",
    ),
    Rule(
        "HDR-DATE-SKEW",
        WARNING,
        say("the Date is far from now"),
        say("more than 3 hours ahead or 48 hours old looks like spam; look at the clock"),
        say("the time of now is set, the old one is kept as X-Original-Date"),
        spamassassin=2.9,
        rspamd=4.0,
        source="RFC 5322 3.6.1",
    ),
    Rule(
        "HDR-MID-MISSING",
        WARNING,
        say("there is no Message-ID header"),
        say("servers that add their own hint at a sender that is no mail program"),
        say("one is added"),
        spamassassin=0.6,
        rspamd=2.5,
        source="RFC 5322 3.6.4",
    ),
    Rule(
        "HDR-MID-FORM",
        WARNING,
        say("the Message-ID is malformed"),
        say("answers cannot refer to it, and filters count it"),
        say("a new one takes its place"),
        spamassassin=2.6,
        rspamd=0.5,
        source="RFC 5322 3.6.4",
    ),
    Rule(
        "HDR-MID-HOST",
        WARNING,
        say("the Message-ID ends in a name that is valid on this computer only"),
        say("two computers could make the same one"),
        say("the sender's domain takes its place"),
        spamassassin=0.0,
        rspamd=0.5,
        source="RFC 5322 3.6.4",
    ),
    Rule(
        "HDR-SUBJ-MISSING",
        WARNING,
        say("there is no Subject header"),
        say("filters count it, and nobody knows what it is about"),
        say("this computer's name and the first line are added"),
        spamassassin=1.8,
        rspamd=2.0,
        source="RFC 5322 3.6.5",
    ),
    Rule(
        "HDR-SUBJ-EMPTY",
        WARNING,
        say("the Subject is empty"),
        say("filters count it, and nobody knows what it is about"),
        say("this computer's name and the first line are added"),
        spamassassin=0.0,
        rspamd=1.0,
        source="RFC 5322 3.6.5",
    ),
    Rule(
        "HDR-SUBJ-RAW8",
        WARNING,
        say("the Subject is in raw 8-bit bytes"),
        say("every program guesses their charset in its own way, and filters count it"),
        say("it is encoded"),
        spamassassin=1.1,
        rspamd=1.0,
        source="RFC 2047",
    ),
    Rule(
        "HDR-SUBJ-ENCASCII",
        HINT,
        say("the Subject is encoded although it is plain ASCII"),
        say("that is how spam hides words from filters"),
        say("it is decoded"),
        spamassassin=0.0,
        rspamd=1.5,
        source="RFC 2047 5",
    ),
    Rule(
        "MIME-VERSION",
        WARNING,
        say("there is a Content-Type but no MIME-Version"),
        say("filters count it"),
        say("it is added"),
        spamassassin=0.0,
        rspamd=2.0,
        source="RFC 2045 4",
    ),
    Rule(
        "MIME-CHARSET",
        WARNING,
        say("the text is not ASCII and its charset is missing or wrong"),
        say("the reader sees wrong characters, and filters count it"),
        say("the charset is found out and named; what is not Unicode is converted to UTF-8"),
        spamassassin=1.0,
        rspamd=2.0,
        source="RFC 2046 4.1.2",
    ),
    Rule(
        "MIME-CTE",
        WARNING,
        say("the text has 8-bit bytes, or lines over 998 octets, without a transfer encoding"),
        say("servers may refuse it, cut it or change it on the way"),
        say("it is sent in quoted-printable or base64"),
        source="RFC 2045 6, RFC 5321 4.5.3.1.6",
    ),
    Rule(
        "MIME-B64-ASCII",
        HINT,
        say("the text is in base64 although it is plain ASCII"),
        say("that is how spam hides words from filters"),
        say("it is decoded"),
        spamassassin=0.0,
        rspamd=1.0,
        source="RFC 2045 6.8",
    ),
    Rule(
        "MIME-HTML-ONLY",
        HINT,
        say("there is HTML but no plain text"),
        say("filters count it, and some readers see nothing"),
        say("a plain text is made of it"),
        spamassassin=0.1,
        rspamd=0.3,
        source="RFC 2046 5.1.4",
    ),
    Rule(
        "MIME-ALT-DIFF",
        WARNING,
        say("the plain text says nothing of what the HTML says"),
        say("that is how spam hides words from filters"),
        say("the text of the HTML is put behind it"),
        spamassassin=2.2,
        rspamd=0.5,
        source="RFC 2046 5.1.4",
    ),
    Rule(
        "BODY-EMPTY",
        WARNING,
        say("the mail has no text"),
        say("filters count it"),
        say("a line with this computer's name and the time is added"),
        spamassassin=2.2,
        rspamd=0.0,
        source="RFC 5322 3.5",
    ),
    Rule(
        "BODY-CTRL",
        WARNING,
        say("the text has control characters, such as the colours of a terminal"),
        say("the reader sees them as rubbish, and servers may refuse them"),
        say("they are removed; a bare CR becomes a line end"),
        source="RFC 5322 2.2, RFC 5321 2.3.8",
    ),
    Rule(
        "HDR-AUTOSUB",
        HINT,
        say("a program's mail does not say so"),
        say("automatic answers would come back"),
        say("Auto-Submitted is added"),
        spamassassin=0.0,
        rspamd=0.0,
        source="RFC 3834 5",
    ),
    Rule(
        "ENV-SENDER",
        ERROR,
        say("the envelope sender is not the account's login"),
        say("the provider takes mail only from the address that logged in"),
        say("the login takes its place"),
        source="RFC 6409 6.1",
    ),
    Rule(
        "SIGNED",
        HINT,
        say("the message is signed or encrypted"),
        say("a change would break that"),
        say("it is left as it is"),
        source="RFC 1847, RFC 6376",
        is_repaired=False,
    ),
    Rule(
        "MIME-LATE",
        WARNING,
        say("something is wrong far behind the start of a large text"),
        say("its headers had already been sent when it was found"),
        say("it is left as it is; give the mail as a file and not through a pipe"),
        source="RFC 2045 6",
        is_repaired=False,
    ),
)

RULE_BY_ID = {rule.id: rule for rule in RULES}
