"""
The server's side as tables: what command may stand where, and every reply that is said otherwise.

A command is looked up in ``SERVER``; its cell is empty (go on) or names the row of ``REPLIES``
that refuses it. Whatever the engine says by itself is a row of ``REPLIES``, so that somebody who
plays another server (the embedded provider, a test) changes a row and not the engine.
"""

from __future__ import annotations

__all__ = [
    "AUTHENTICATE",
    "CHUNK",
    "CHUNKS",
    "COLUMNS",
    "CONNECTED",
    "DATA",
    "DEFAULT_LINE",
    "ENDED",
    "EXTENSIONS",
    "FREE_BEFORE_LOGIN",
    "FREE_BEFORE_TLS",
    "HANDSHAKE",
    "HELLO",
    "HTTP_VERBS",
    "LINES",
    "MAIL",
    "OF_NO_USE",
    "RCPT",
    "READY",
    "REPLIES",
    "SERVER",
    "STARTTLS",
    "UNSUPPORTED",
]

CONNECTED = "CONNECTED"  # nothing said yet; the handler decides about the greeting
HELLO = "HELLO"  # greeted, or secured anew; EHLO is awaited
READY = "READY"  # no transaction is open
MAIL = "MAIL"  # a reverse-path is given
RCPT = "RCPT"  # at least one forward-path was accepted
CHUNKS = "CHUNKS"  # a BDAT was taken and was not the last
AUTHENTICATE = "AUTHENTICATE"  # a response to a challenge is awaited
STARTTLS = "STARTTLS"  # the handler decides about TLS
HANDSHAKE = "HANDSHAKE"  # the driver negotiates TLS
DATA = "DATA"  # the content, up to a line with a dot
CHUNK = "CHUNK"  # the octets of one BDAT
ENDED = "ENDED"  # nothing is read any more

# The states in which a command is looked for, in the order of the columns below.
COLUMNS = {HELLO: 0, READY: 1, MAIL: 2, RCPT: 3, CHUNKS: 4}

# RFC 5321 4.1.4, with those of STARTTLS (3207 4), AUTH (4954 4), BDAT (3030 2), ETRN (1985 5.1).
_ = ""
SERVER = {
    # command     HELLO          READY         MAIL            RCPT           CHUNKS
    b"EHLO":     (_,             _,            _,              _,             _),
    b"HELO":     (_,             _,            _,              _,             _),
    b"LHLO":     (_,             _,            _,              _,             _),
    b"STARTTLS": ("hello_first", _,            "in_mail",      "in_mail",     "in_mail"),
    b"AUTH":     ("hello_first", _,            "in_mail",      "in_mail",     "in_mail"),
    b"MAIL":     ("hello_first", _,            "nested_mail",  "nested_mail", "nested_mail"),
    b"RCPT":     ("hello_first", "mail_first", _,              _,             "in_chunks"),
    b"DATA":     ("hello_first", "mail_first", "no_recipient", _,             "in_chunks"),
    b"BDAT":     ("hello_first", "mail_first", "no_recipient", _,             _),
    b"ETRN":     ("hello_first", _,            "in_mail",      "in_mail",     "in_mail"),
    b"RSET":     (_,             _,            _,              _,             _),
    b"NOOP":     (_,             _,            _,              _,             _),
    b"VRFY":     ("hello_first", _,            _,              _,             _),
    b"HELP":     (_,             _,            _,              _,             _),
    b"QUIT":     (_,             _,            _,              _,             _),
}  # fmt: skip

# Said in clear even where TLS is required, and before a login even where that is required.
FREE_BEFORE_TLS = frozenset((b"EHLO", b"HELO", b"LHLO", b"STARTTLS", b"NOOP", b"RSET", b"QUIT"))
FREE_BEFORE_LOGIN = FREE_BEFORE_TLS | {b"AUTH", b"HELP"}

# Commands that move nothing: a session may say only so many between two mails.
OF_NO_USE = frozenset((b"NOOP", b"RSET", b"VRFY", b"HELP", b"ETRN", b"EHLO", b"HELO", b"LHLO"))

# Known to the RFCs, and nobody's business here (RFC 5321 3.3, 4.1.1.7, appendix F).
UNSUPPORTED = frozenset((b"EXPN", b"SEND", b"SOML", b"SAML", b"TURN", b"ATRN"))

# A browser, or a server talked into a request, that was sent to our port (attack L13).
HTTP_VERBS = frozenset(
    b"GET POST HEAD PUT DELETE OPTIONS CONNECT TRACE PATCH PRI".split()  # PRI: HTTP/2
)

# The extension that a command belongs to.
EXTENSIONS = {b"STARTTLS": "STARTTLS", b"AUTH": "AUTH", b"BDAT": "CHUNKING", b"ETRN": "ETRN"}

# Octets of a command line with its CRLF. RFC 5321 4.5.3.1.4 has 512; SIZE, BODY, SMTPUTF8, DSN
# and AUTH each add to MAIL or RCPT, together less than 1,100. AUTH: msmtp's limit; RFC 4954 4
# asks for 12,288, which only tokens come near to.
DEFAULT_LINE = 512
LINES = {b"MAIL": 2048, b"RCPT": 2048, b"AUTH": 8192}

# name -> code, enhanced code (RFC 3463), text.
REPLIES = {
    # good ones
    "tls_ready": (220, "2.0.0", "Ready to start TLS"),
    "bye": (221, "2.0.0", "Bye"),
    "logged_in": (235, "2.7.0", "Authentication successful"),
    "noop": (250, "2.0.0", "Ok"),
    "reset": (250, "2.0.0", "Ok"),
    "mail": (250, "2.1.0", "Sender ok"),
    "recipient": (250, "2.1.5", "Recipient ok"),
    "chunk": (250, "2.0.0", "Octets received"),
    "content": (250, "2.0.0", "Message accepted"),
    "etrn": (250, "2.0.0", "Queuing started"),
    "help": (214, "2.0.0", "See RFC 5321"),
    "vrfy": (252, "2.1.5", "Send some mail, and it will be seen"),
    "send_content": (354, "", "End data with <CR><LF>.<CR><LF>"),
    # the end of the session
    "early": (554, "5.5.0", "Something was said before the greeting"),
    "unsynchronized": (554, "5.5.0", "Commands must not follow EHLO before its reply"),
    "plaintext_behind_starttls": (554, "5.5.0", "Nothing must follow STARTTLS in clear"),
    "http": (421, "4.7.0", "This is a mail server"),
    "bare_newline_in_command": (521, "5.5.2", "A line ends in CR LF, not in CR or LF alone"),
    "bdat_syntax": (501, "5.5.4", "Syntax: BDAT octets [LAST]"),
    "too_many_errors": (421, "4.7.0", "Too many errors"),
    "too_many_commands": (421, "4.7.0", "Too many commands without a mail"),
    "too_many_logins": (421, "4.7.0", "Too many failed logins"),
    "closing": (421, "4.3.2", "Closing the connection"),
    # what is wrong with a line
    "unknown": (500, "5.5.2", "Unknown command"),
    "line_too_long": (500, "5.5.2", "Line too long"),
    "control_character": (501, "5.5.2", "A control character cannot stand in a command"),
    "no_argument": (501, "5.5.4", "This command takes no argument"),
    "hello_syntax": (501, "5.5.4", "A host name or address literal must follow"),
    "vrfy_syntax": (501, "5.5.4", "Syntax: VRFY address"),
    "etrn_syntax": (501, "5.5.4", "Syntax: ETRN node"),
    "mail_syntax": (501, "5.5.4", "Syntax: MAIL FROM:<address>"),
    "rcpt_syntax": (501, "5.5.4", "Syntax: RCPT TO:<address>"),
    "sender_syntax": (501, "5.1.7", "Bad sender address"),
    "recipient_syntax": (501, "5.1.3", "Bad recipient address"),
    "bad_parameter": (501, "5.5.4", "Bad parameter"),
    "unknown_parameter": (555, "5.5.4", "Unknown parameter"),
    "needs_smtputf8": (553, "5.6.7", "This address needs SMTPUTF8"),
    "auth_syntax": (501, "5.5.4", "Syntax: AUTH mechanism [initial response]"),
    "bad_base64": (501, "5.5.2", "This is not base64"),
    "bad_response": (501, "5.5.2", "This response has not the form of the mechanism"),
    "auth_cancelled": (501, "5.7.0", "Authentication cancelled"),
    # what stands in the wrong place
    "hello_first": (503, "5.5.1", "Say hello first"),
    "mail_first": (503, "5.5.1", "MAIL must come first"),
    "nested_mail": (503, "5.5.1", "A mail is under way already"),
    "no_recipient": (554, "5.5.1", "No valid recipients"),
    "in_mail": (503, "5.5.1", "Not while a mail is under way"),
    "in_chunks": (503, "5.5.1", "BDAT must be finished first"),
    "secured_already": (503, "5.5.1", "TLS is there already"),
    "logged_in_already": (503, "5.5.1", "You are logged in already"),
    "tls_first": (530, "5.7.0", "STARTTLS must come first"),
    "login_first": (530, "5.7.0", "Authentication required"),
    "login_in_clear": (538, "5.7.11", "Encryption required for this authentication mechanism"),
    # what is not offered
    "unsupported": (502, "5.5.1", "Command not implemented"),
    "lmtp_only": (500, "5.5.1", "This is LMTP: say LHLO"),
    "mechanism": (504, "5.5.4", "Unknown authentication mechanism"),
    # what is refused unless the handler knows better
    "login_refused": (535, "5.7.8", "Authentication failed"),
    "etrn_refused": (458, "4.0.0", "Unable to queue messages for that node"),
    "tls_refused": (454, "4.7.0", "TLS is not available now"),
    # limits, and the content
    "too_many_recipients": (452, "4.5.3", "Too many recipients"),
    "too_big": (552, "5.3.4", "The message is too big"),
    "bare_newline": (550, "5.6.11", "The message has a CR or LF that is no line end"),
    "local_error": (451, "4.3.0", "Local error, try again later"),
}
