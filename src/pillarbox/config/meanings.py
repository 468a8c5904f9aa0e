"""
What a reply says by its numbers alone, in words: for when nobody knows the text.

Three digits (RFC 5321 4.2, RFC 4954 6, RFC 3207 5) and the enhanced code behind them (RFC 3463,
and the registry that it began). A provider may mean something else by either: ``hints`` is
asked first, always.
"""

from __future__ import annotations

from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["class_text", "code_text", "enhanced_texts", "group_text", "subject_text"]

_CLASSES = {
    "2": say("the server has taken it"),
    "3": say("the server waits for more"),
    "4": say("a failure for now: the same may go through later"),
    "5": say("a failure for good: the same will be refused again"),
}

# What the second digit is about (RFC 5321 4.2.1).
_GROUPS = {
    "0": say("about the command itself"),
    "1": say("information"),
    "2": say("about the connection"),
    "3": say("about logging in"),
    "5": say("about mailbox and delivery"),
}

_CODES = {
    211: say("the state of the server"),
    214: say("help"),
    220: say("the server is ready"),
    221: say("the server closes the connection, as was asked"),
    235: say("the login succeeded"),
    250: say("done"),
    251: say("not of this server, and it will forward"),
    252: say("not verified, and it will try"),
    334: say("the login goes on: the server waits for an answer"),
    354: say("the server waits for the mail"),
    421: say("the server closes the connection: busy, tired of us, or going down"),
    432: say("the password has to be changed, or too many connections at once"),
    450: say("the mailbox is not available now: busy, or the server asks to wait"),
    451: say("an error inside the server"),
    452: say("no room, or too many recipients at once"),
    454: say("logging in, or TLS, does not work at the moment"),
    455: say("parameters cannot be taken at the moment"),
    458: say("no queue can be started for that node"),
    500: say("the server does not know the command, or the line is too long"),
    501: say("the server does not understand what stands behind the command"),
    502: say("the server does not have the command"),
    503: say("the command came at the wrong moment"),
    504: say("the server does not have this parameter or this way to log in"),
    521: say("this host takes no mail"),
    523: say("the mail is larger than the recipient takes"),
    524: say("the login is not complete"),
    525: say("this account, or this address, may not log in"),
    530: say("TLS or a login is demanded first"),
    534: say("this way to log in is too weak"),
    535: say("the server does not take user name and password"),
    538: say("this way to log in needs TLS"),
    550: say("refused: no such mailbox, or a rule of the server"),
    551: say("the recipient is elsewhere"),
    552: say("too large, or the mailbox is full"),
    553: say("the address is not allowed or malformed"),
    554: say("the transaction failed"),
    555: say("the server does not know a parameter of MAIL or RCPT"),
    556: say("the domain of the recipient takes no mail"),
}

_SUBJECTS = {
    "0": say("no further word on what"),
    "1": say("about an address"),
    "2": say("about the recipient's mailbox"),
    "3": say("about the mail system"),
    "4": say("about network and routing"),
    "5": say("about the protocol"),
    "6": say("about the content or its form"),
    "7": say("about security and rules"),
}

# subject.detail -> what it says (RFC 3463 3, RFC 4954, 5248, 6710, 7372, 7505, 8616).
_DETAILS = {
    "1.0": say("something about an address"),
    "1.1": say("there is no such mailbox"),
    "1.2": say("the domain of the recipient does not exist or takes no mail"),
    "1.3": say("the recipient's address is malformed"),
    "1.4": say("the recipient's address means several"),
    "1.5": say("the recipient's address is right"),
    "1.6": say("the mailbox has moved and left no address"),
    "1.7": say("the sender's address is malformed"),
    "1.8": say("the domain of the sender does not exist or has no mail server"),
    "1.9": say("handed on to a system that gives no notices"),
    "1.10": say("the domain of the recipient takes no mail (null MX)"),
    "2.0": say("something about the mailbox"),
    "2.1": say("the mailbox is disabled or takes nothing"),
    "2.2": say("the mailbox is full"),
    "2.3": say("longer than the mailbox takes"),
    "2.4": say("a mailing list could not be expanded"),
    "3.0": say("something about the mail system"),
    "3.1": say("the server's disk is full"),
    "3.2": say("the server takes nothing at the moment"),
    "3.3": say("the server does not have a feature that was asked for"),
    "3.4": say("the mail is too large for the server"),
    "3.5": say("the server is set up wrongly"),
    "3.6": say("the priority was changed"),
    "4.0": say("something about network or routing"),
    "4.1": say("no answer from the next host"),
    "4.2": say("the connection was bad"),
    "4.3": say("a directory server failed, such as the DNS"),
    "4.4": say("no way to the recipient's domain was found"),
    "4.5": say("the mail system is congested"),
    "4.6": say("the mail goes in a circle"),
    "4.7": say("the time to deliver it ran out"),
    "5.0": say("something about the protocol"),
    "5.1": say("a command that does not fit here"),
    "5.2": say("a malformed command"),
    "5.3": say("too many recipients"),
    "5.4": say("a parameter that is wrong or not known, such as too many sent"),
    "5.5": say("the versions of the protocol do not fit"),
    "5.6": say("the line of the login is too long"),
    "6.0": say("something about the content"),
    "6.1": say("content of this kind is not taken"),
    "6.2": say("the content would have to be converted, which is forbidden"),
    "6.3": say("the content would have to be converted, which is not possible"),
    "6.4": say("the content was converted, with losses"),
    "6.5": say("the content could not be converted"),
    "6.6": say("the content is not available"),
    "6.7": say("addresses with other letters than ASCII are not taken here"),
    "6.8": say("an answer in UTF-8 would be needed and is not allowed"),
    "6.9": say("headers in UTF-8 cannot be handed on"),
    "7.0": say("something about security or a rule"),
    "7.1": say("not allowed to send this: a rule, a block, or a login that is missing"),
    "7.2": say("not allowed to write to that mailing list"),
    "7.3": say("a conversion of security is needed and not possible"),
    "7.4": say("a security feature is not supported, often this way to log in"),
    "7.5": say("a cryptographic failure"),
    "7.6": say("an algorithm is not supported"),
    "7.7": say("the content was changed on its way"),
    "7.8": say("user name or password is wrong"),
    "7.9": say("this way to log in is too weak, or a special password is needed"),
    "7.10": say("encryption is demanded"),
    "7.11": say("this way to log in needs TLS"),
    "7.12": say("the password has to be changed"),
    "7.13": say("the account is disabled"),
    "7.14": say("a trust relationship is missing, often a login in a browser"),
    "7.15": say("the priority is too low"),
    "7.16": say("the mail is too large for its priority"),
    "7.17": say("the mailbox has changed hands"),
    "7.18": say("the domain has changed hands"),
    "7.19": say("whether the mailbox changed hands cannot be told"),
    "7.20": say("no DKIM signature that is valid"),
    "7.21": say("no DKIM signature that the server accepts"),
    "7.22": say("no DKIM signature of the author's domain"),
    "7.23": say("SPF: this server may not send for that domain"),
    "7.24": say("SPF could not be evaluated: the record is wrong or DNS fails"),
    "7.25": say("the reverse DNS of the sending address is missing or wrong"),
    "7.26": say("several checks of the sender (SPF, DKIM, DMARC) failed"),
    "7.27": say("the domain of the sender takes no mail (null MX)"),
    "7.28": say("too much mail, or mail of a bad pattern, from here"),
    "7.29": say("the ARC chain is not valid"),
    "7.30": say("REQUIRETLS cannot be kept"),
}


def class_text(code: int) -> str:
    """Return what the first digit says, or an empty text when it is none of a reply."""
    return _CLASSES.get(str(code)[0], "")


def code_text(code: int) -> str:
    """Return what three digits say; empty: no document defines them."""
    return _CODES.get(code, "")


def group_text(code: int) -> str:
    """Return what the second digit is about; empty: nobody knows."""
    return _GROUPS.get(str(code)[1], "")


def subject_text(enhanced: str) -> str:
    """Return what the second number of an enhanced code is about; empty: nobody knows."""
    return _SUBJECTS.get(enhanced.split(".")[1], "")


def enhanced_texts(enhanced: str) -> Iterator[str]:
    """Yield what an enhanced code says: its detail if that is known, else its subject."""
    detail = _DETAILS.get(enhanced.partition(".")[2])
    text = detail or subject_text(enhanced)
    if text:
        yield text
