"""
The rules that are not repaired without asking: one row, one rule, one function.

``CHECKS`` is the whole list; those that are repaired stand in ``mail.rules.RULES``. Some of them
stand here too, for the mails that repair has to leave as they are: it may not name strangers, and
where no account is known it has no address to put into From.
"""

from __future__ import annotations

from pillarbox.lint import body_checks, header_checks
from pillarbox.mail.rules import ERROR, HINT, RULE_BY_ID, WARNING, Rule
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pillarbox.lint.finding import Spot
    from pillarbox.lint.letter import Letter

__all__ = ["CHECKS", "Check"]


class Check(Value):
    """
    A rule, and what looks for it.

    Attributes:
        rule: The row of texts and costs.
        find: Yields each place where a letter breaks it.

    """

    __slots__ = ("find", "rule")

    def __init__(self, rule: Rule, find: Callable[[Letter], Iterator[Spot]]) -> None:
        self.rule = rule
        self.find = find


CHECKS = (
    Check(
        Rule(
            "HDR-INJECT",
            ERROR,
            say("a header contains NUL or a bare CR"),
            say("some servers would read a second header in it"),
            say("they become spaces; look at where the text comes from"),
            source="RFC 5322 2.2",
            is_repaired=True,
        ),
        header_checks.control_in_header,
    ),
    Check(RULE_BY_ID["HDR-FROM-MISSING"], header_checks.missing_from),
    Check(RULE_BY_ID["HDR-FROM-NODOMAIN"], header_checks.local_from),
    Check(RULE_BY_ID["HDR-TO-MISSING"], header_checks.missing_to),
    Check(RULE_BY_ID["HDR-TO-UNDISCLOSED"], header_checks.undisclosed_to),
    Check(RULE_BY_ID["HDR-TO-FORGED"], header_checks.forged_to),
    Check(
        Rule(
            "HDR-MID-SENDER",
            HINT,
            say("the Message-ID contains the address in From"),
            say("mass mailers do that, so filters count it"),
            say("leave the Message-ID out, and a better one is added"),
            spamassassin=0.0,
            rspamd=1.0,
            source="RFC 5322 3.6.4",
            is_repaired=False,
        ),
        header_checks.sender_in_message_id,
    ),
    Check(
        Rule(
            "HDR-SUBJ-CAPS",
            HINT,
            say("the Subject is all capitals"),
            say("filters count what shouts"),
            say("write it in small letters"),
            spamassassin=0.5,
            rspamd=2.4,
            source="RFC 5322 3.6.5",
            is_repaired=False,
        ),
        header_checks.capital_subject,
    ),
    Check(
        Rule(
            "HDR-SUBJ-MONEY",
            HINT,
            say("the Subject has signs of currency or rows of exclamation marks"),
            say("advertisements have them, so filters count them"),
            say("write the currency's name; one exclamation mark is enough"),
            spamassassin=0.0,
            rspamd=1.0,
            source="RFC 5322 3.6.5",
            is_repaired=False,
        ),
        header_checks.money_subject,
    ),
    Check(
        Rule(
            "HDR-SUBJ-TEST",
            HINT,
            say("the Subject says nothing: a test, a greeting or a single word"),
            say("163 refuses some of these as spam (554 DT:SPM)"),
            say("say which computer it is and what happened"),
            source="RFC 5322 3.6.5",
            is_repaired=False,
        ),
        header_checks.vague_subject,
    ),
    Check(
        Rule(
            "HDR-SUBJ-LONG",
            HINT,
            say("the Subject is longer than 150 characters"),
            say("no program shows it whole"),
            say("cut it, and put the full text into the body"),
            source="RFC 5322 3.6.5",
            is_repaired=False,
        ),
        header_checks.long_subject,
    ),
    Check(
        Rule(
            "HDR-PRECEDENCE",
            HINT,
            say("Precedence calls it mass mail"),
            say("some servers deliver such mail later or not at all"),
            say("remove it; Auto-Submitted keeps automatic answers away"),
            spamassassin=0.0,
            rspamd=0.0,
            source="RFC 2076 3.9, RFC 3834 5",
            is_repaired=False,
        ),
        header_checks.precedence,
    ),
    Check(
        Rule(
            "REPLYTO-FREEMAIL",
            HINT,
            say("answers go to a free mailer, and the mail comes from elsewhere"),
            say("that is how fraud collects its answers"),
            say("let answers go to an address of the domain in From"),
            spamassassin=1.2,
            rspamd=0.0,
            source="RFC 5322 3.6.2",
            is_repaired=False,
        ),
        header_checks.free_reply_to,
    ),
    Check(
        Rule(
            "MIME-IMAGE-ONLY",
            WARNING,
            say("the mail is an image without words"),
            say("that is how spam hides words from filters"),
            say("write what the image says"),
            spamassassin=4.0,
            rspamd=3.3,
            source="RFC 2046 5.1.4",
            is_repaired=False,
        ),
        body_checks.image_only,
    ),
    Check(
        Rule(
            "BODY-URL-ONLY",
            WARNING,
            say("the text is a link and nothing else"),
            say("filters count it, and careful people do not follow it"),
            say("add a sentence that says what is there"),
            spamassassin=1.0,
            rspamd=1.7,
            source="RFC 5322 3.5",
            is_repaired=False,
        ),
        body_checks.url_only,
    ),
    Check(
        Rule(
            "BODY-SHORTENER",
            HINT,
            say("a shortened link hides where it leads to"),
            say("filters count it"),
            say("write the whole link"),
            spamassassin=1.0,
            rspamd=0.0,
            source="RFC 3986 7.6",
            is_repaired=False,
        ),
        body_checks.short_link,
    ),
    Check(
        Rule(
            "BODY-IPURL",
            HINT,
            say("a link has an address in numbers instead of a name"),
            say("filters count it"),
            say("give the host a name"),
            spamassassin=0.2,
            rspamd=0.0,
            source="RFC 3986 7.6",
            is_repaired=False,
        ),
        body_checks.address_link,
    ),
    Check(
        Rule(
            "BODY-LINKTEXT",
            WARNING,
            say("a link shows another host than the one that it leads to"),
            say("that is how fraud sends people to a false page"),
            say("make the text and the link equal, or write words as the text"),
            spamassassin=0.2,
            rspamd=4.5,
            source="RFC 3986 7.6",
            is_repaired=False,
        ),
        body_checks.link_text,
    ),
    Check(
        Rule(
            "BODY-SIZE",
            WARNING,
            say("the mail is larger than the server takes"),
            say("it comes back (552) after all of it was sent; base64 adds a third to files"),
            say("compress it, or send a link to it"),
            source="RFC 1870 6",
            is_repaired=False,
        ),
        body_checks.large_mail,
    ),
    Check(
        Rule(
            "ATT-TYPE",
            WARNING,
            say("a program, or a locked archive, is attached"),
            say("most providers refuse it (552)"),
            say("send a link to it, or another kind of file"),
            source="RFC 2183 5",
            is_repaired=False,
        ),
        body_checks.attached_program,
    ),
    Check(
        Rule(
            "ENV-ASCII",
            ERROR,
            say("an address is not ASCII in front of the @"),
            say("few servers take such addresses (SMTPUTF8)"),
            say("use the ASCII address of the same mailbox"),
            source="RFC 6531 3.2",
            is_repaired=False,
        ),
        header_checks.unicode_address,
    ),
    Check(
        Rule(
            "ENV-RCPT-COUNT",
            WARNING,
            say("there are more recipients than a server takes at once"),
            say("it refuses the rest of them"),
            say("send it several times, or to a list"),
            source="RFC 5321 4.5.3.1.8",
            is_repaired=False,
        ),
        header_checks.many_recipients,
    ),
)
