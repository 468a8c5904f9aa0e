"""What becomes of a mail: octets, header section, recipients in it, aliases, characters."""

from differential.case import Case

__all__ = ["MESSAGES"]

_HEAD = b"From: me@example.org\nTo: to@example.org\nSubject: t\n"

# name, the mail, what it shows
_OCTETS = (
    ("crlf", _HEAD.replace(b"\n", b"\r\n") + b"\r\none\r\ntwo\r\n", ""),
    ("no-final-newline", _HEAD + b"\nlast", ""),
    ("dots", _HEAD + b"\n.\n..\n.x\n", ""),
    ("dot-at-end", _HEAD + b"\nx\n.", ""),
    ("lone-cr-in-body", _HEAD + b"\na\rb\n", "D-LONE-CR"),
    ("lone-cr-in-header", b"Subject: a\rb\n" + _HEAD + b"\nx\n", "D-LONE-CR"),
    ("crcrlf", _HEAD + b"\na\r\r\nb\n", "D-LONE-CR"),
    ("nul", _HEAD + b"\na\0b\n", "D-NUL"),
    ("eight-bit", _HEAD + b"\ncaf\xc3\xa9 \xff\n", ""),
    ("long-line", _HEAD + b"\n" + b"x" * 3000 + b"\n", ""),
    ("empty-body", _HEAD + b"\n", ""),
    ("no-separator", _HEAD, "D-TEXT-WITHOUT-HEADER"),
    ("no-separator-no-newline", _HEAD.rstrip(b"\n"), "D-TEXT-WITHOUT-HEADER"),
    ("text-alone", b"hello\n", "D-TEXT-WITHOUT-HEADER"),
    ("text-of-two-lines", b"hello world\nand more\n", "D-TEXT-WITHOUT-HEADER"),
    ("empty-line-first", b"\nthe body\n", ""),
    ("nothing", b"", "D-TEXT-WITHOUT-HEADER"),
    (
        "mbox-line",
        b"From me@example.org Mon Jan  1 00:00:00 2024\n" + _HEAD + b"\nx\n",
        "D-MBOX-LINE",
    ),
    ("from-in-body", _HEAD + b"\nFrom the beginning\n", ""),
    ("folded-header", b"Subject: a\n b\n\tc\n" + _HEAD[21:] + b"\nx\n", ""),
    ("spaces-on-empty-line", _HEAD + b" \nx\n\ny\n", "D-TEXT-WITHOUT-HEADER"),
    ("blank-lines-at-end", _HEAD + b"\nx\n\n\n\n", ""),
    ("long-header", b"X-Long: " + b"y" * 2000 + b"\n" + _HEAD + b"\nx\n", ""),
    ("large", _HEAD + b"\n" + b"0123456789abcdef\n" * 20000, ""),
)

_BASE = b"Subject: t\n"
# name, options, the mail, what it shows
_HEADERS = (
    ("all-added", "", _BASE + b"\nx\n", ""),
    (
        "none-added",
        "",
        b"From: a@b.example\nDate: Mon, 01 Jan 2024 00:00:00 +0000\nMessage-ID: <x@y>\n\nx\n",
        "",
    ),
    ("names-in-other-case", "", b"fROM: a@b.example\nDATE: x\nmessage-id: <x@y>\n\nx\n", ""),
    ("presence-not-value", "", b"From:\nDate:\nMessage-ID:\n\nx\n", "D-EMPTY-FROM"),
    ("bcc-removed", "", b"To: a@example.org\nBcc: b@example.org\nSubject: t\n\nx\n", ""),
    ("bcc-folded", "", b"Bcc: b@example.org,\n c@example.org\nSubject: t\n\nx\n", ""),
    ("bcc-twice", "", b"Bcc: b@example.org\nSubject: t\nBCC: c@example.org\n\nx\n", ""),
    ("bcc-empty", "", b"Bcc:\nSubject: t\n\nx\n", ""),
    ("bcc-alone", "", b"Bcc: b@example.org\n\nx\n", ""),
    ("bcc-last", "", b"Subject: t\nBcc: b@example.org\n\nx\n", ""),
    (
        "bcc-folded-over-crlf",
        "",
        b"Bcc: b@example.org,\r\n\tc@d.example\r\nSubject: t\r\n\r\nx\r\n",
        "",
    ),
    ("bcc-in-body", "", b"Subject: t\n\nBcc: b@example.org\n", ""),
    ("bcc-in-name", "", b"X-Bcc: b@example.org\nBccx: y\n\nx\n", ""),
    ("date-twice", "", b"Date: a\nDate: b\n\nx\n", ""),
    (
        "sender-header",
        "--set-from-header=on",
        b"Sender: s@example.org\nFrom: a@b.example\n\nx\n",
        "",
    ),
    ("from-on-without-from", "--set-from-header=on", b"Subject: t\n\nx\n", ""),
    (
        "from-on-and-empty-sender",
        "--set-from-header=on -f <>",
        b"From: a@b.example\n\nx\n",
        "D-NO-EMPTY-FROM D-MESSAGE-ID",
    ),
    ("reply-to-and-list", "", b"Reply-To: r@b.example\nList-Id: <x>\nReceived: y\n\nx\n", ""),
    ("name-of-sender-pattern", "-f %U@example.org -F %U", b"Subject: t\n\nx\n", ""),
    ("long-name", "-F '" + "Very " * 20 + "'", b"Subject: t\n\nx\n", "D-NAME-BLANKS"),
    ("bcc-with-space", "", b"Bcc : b@example.org\nSubject: t\n\nx\n", "D-SPACE-BEFORE-COLON"),
    ("bcc-kept", "--remove-bcc-headers=off", b"Bcc: b@example.org\nSubject: t\n\nx\n", ""),
    ("resent-bcc", "", b"Resent-Bcc: b@example.org\nSubject: t\n\nx\n", "D-BCC-RESENT"),
    ("resent-bcc-kept", "--keepbcc=on", b"Resent-Bcc: b@example.org\nSubject: t\n\nx\n", ""),
    ("from-replaced", "--set-from-header=on", b"From: Old <old@example.org>\n\nx\n", ""),
    (
        "from-replaced-twice",
        "--set-from-header=on",
        b"From: a@b.example\nFrom: c@d.example\n\nx\n",
        "",
    ),
    ("from-folded-replaced", "--set-from-header=on", b"From: Old\n <old@example.org>\n\nx\n", ""),
    ("from-not-added", "--set-from-header=off", _BASE + b"\nx\n", ""),
    ("date-not-added", "--set-date-header=off", _BASE + b"\nx\n", ""),
    ("id-not-added", "--set-msgid-header=off", _BASE + b"\nx\n", ""),
    (
        "undisclosed",
        "--undisclosed-recipients",
        b"To: a@example.org\nCc: b@example.org\nSubject: t\n\nx\n",
        "",
    ),
    (
        "undisclosed-resent",
        "--undisclosed-recipients",
        b"Resent-To: a@example.org\nReply-To: b@example.org\nSender: c@example.org\n\nx\n",
        "",
    ),
    ("name-plain", "-F 'Full Name'", _BASE + b"\nx\n", ""),
    ("name-with-comma", "-F 'Name, Full'", _BASE + b"\nx\n", "D-NAME-QUOTED"),
    ("name-with-dot", "-F 'J. Name'", _BASE + b"\nx\n", "D-NAME-QUOTED"),
    ("name-with-quote", "-F 'A \"B\" C'", _BASE + b"\nx\n", "D-NAME-QUOTED"),
    ("name-unicode", "-F 'Zoë'", _BASE + b"\nx\n", "D-NAME-ENCODED"),
    ("name-empty", "-F ''", _BASE + b"\nx\n", "D-NAME-BLANKS"),
    ("name-newline", "-F 'A\nBcc: evil@example.net'", _BASE + b"\nx\n", "D-NEWLINE"),
    ("sender-empty", "-f <>", _BASE + b"\nx\n", "D-NO-EMPTY-FROM D-MESSAGE-ID"),
    ("sender-without-domain", "-f me", _BASE + b"\nx\n", "D-MESSAGE-ID"),
    ("id-from-domain", "--domain=client.example", _BASE + b"\nx\n", "D-MESSAGE-ID"),
    (
        "id-without-sender",
        "-f '' --domain=localhost",
        _BASE + b"\nx\n",
        "D-NO-EMPTY-FROM D-MESSAGE-ID",
    ),
    ("id-empty-domain", "--domain=", _BASE + b"\nx\n", "D-DOMAIN-EMPTY"),
)

# name, the mail, what it shows: who gets it with -t
_RECIPIENTS = (
    ("to-cc-bcc", b"To: a@b.example\nCc: c@d.example\nBcc: e@f.example\n\nx\n", ""),
    ("order-of-fields", b"Bcc: e@f.example\nTo: a@b.example\nCc: c@d.example\n\nx\n", ""),
    ("twice", b"To: a@b.example\nCc: a@b.example\n\nx\n", ""),
    ("names", b'To: A B <a@b.example>, "C, D" <c@d.example>, e@f.example\n\nx\n', ""),
    ("comments", b"To: a@b.example (x (y) z), (pre) c@d.example\n\nx\n", ""),
    ("group", b"To: g: a@b.example, c@d.example;, e@f.example\n\nx\n", ""),
    ("group-empty", b"To: undisclosed-recipients:;\nBcc: a@b.example\n\nx\n", ""),
    ("folded", b"To: a@b.example,\n\tc@d.example,\n e@f.example\n\nx\n", ""),
    ("quoted-local-part", b'To: "a b"@c.example\n\nx\n', "D-ADDRESS-QUOTED"),
    ("source-route", b"To: <@x.example:a@b.example>\n\nx\n", "D-ADDRESS-ROUTE"),
    ("space-around-at", b"To: a @ b.example\n\nx\n", "D-ADDRESS-SPACE"),
    ("without-domain", b"To: a, b@c.example\n\nx\n", ""),
    ("semicolons", b"To: a@b.example; c@d.example\n\nx\n", ""),
    ("trailing-comma", b"To: a@b.example, \n\nx\n", ""),
    ("space-before-colon", b"To : a@b.example\nCc: c@d.example\n\nx\n", "D-SPACE-BEFORE-COLON"),
    ("encoded-word", b"To: =?utf-8?q?Zo=C3=AB?= <a@b.example>\n\nx\n", ""),
    ("resent", b"Resent-To: r@s.example\nTo: a@b.example\n\nx\n", ""),
    (
        "resent-two-blocks",
        (
            b"Resent-To: r@s.example\nResent-Cc: t@u.example\nTo: a@b.example\n"
            b"Resent-To: old@s.example\n\nx\n"
        ),
        "",
    ),
    ("resent-date-only", b"Resent-Date: x\nTo: a@b.example\n\nx\n", ""),
    (
        "resent-bcc",
        b"Resent-Bcc: r@s.example\nResent-To: q@s.example\nTo: a@b.example\n\nx\n",
        "D-BCC-RESENT",
    ),
    ("lower-case-names", b"to: a@b.example\nCC: c@d.example\nbcc: e@f.example\n\nx\n", ""),
    ("empty-to", b"To:\nCc: c@d.example\n\nx\n", ""),
    ("quote-with-at", b'To: "x@y.example" <a@b.example>\n\nx\n', ""),
    ("angle-in-quote", b'To: "<x@y.example>" <a@b.example>\n\nx\n', ""),
    ("comment-before-address", b"To: (x@y.example) a@b.example\n\nx\n", ""),
    ("escaped-quote", b'To: "A \\"B\\" C" <a@b.example>\n\nx\n', ""),
    ("many", b"To: " + b", ".join(b"r%d@b.example" % i for i in range(60)) + b"\n\nx\n", ""),
    ("to-twice", b"To: a@b.example\nTo: c@d.example\n\nx\n", ""),
    ("in-body", b"To: a@b.example\n\nCc: c@d.example\n", ""),
    ("angle-open", b"To: A <a@b.example\n\nx\n", "D-ADDRESS-BROKEN"),
    ("two-addresses-without-comma", b"To: a@b.example c@d.example\n\nx\n", "D-ADDRESS-BROKEN"),
    ("literal", b"To: a@[192.0.2.1]\n\nx\n", ""),
)

# name, the mail, what it shows: the sender with --read-envelope-from
_SENDER = (
    ("first-of-two", b"From: a@b.example, c@d.example\n\nx\n", ""),
    ("first-field", b"From: a@b.example\nFrom: c@d.example\n\nx\n", ""),
    ("with-name", b'From: "A, B" <a@b.example>\n\nx\n', ""),
    ("resent-first", b"Resent-From: r@b.example\nFrom: c@d.example\n\nx\n", "D-RESENT-FROM"),
    ("resent-second", b"From: c@d.example\nResent-From: r@b.example\n\nx\n", ""),
    ("percent", b"From: a%Hb@c.example\n\nx\n", "D-PERCENT"),
    ("empty", b"From:\n\nx\n", "D-NO-SENDER-IN-MAIL"),
    ("folded", b"From: A\n <a@b.example>\n\nx\n", ""),
)

# name, the file, the recipients, what it shows
_ALIASES = (
    ("one", "root: a@b.example\n", ("root",), ""),
    ("address-untouched", "root: a@b.example\n", ("root@c.example",), ""),
    ("two-locals", "root: a@b.example\ncron: c@d.example\n", ("root", "cron"), "D-ALIAS-NEXT"),
    ("list", "root: a@b.example, c@d.example\n", ("root",), "D-ALIAS-ORDER"),
    ("recursive", "root: admin\nadmin: a@b.example\n", ("root",), ""),
    ("loop", "a: b\nb: a\n", ("a",), ""),
    ("default", "default: d@b.example\n", ("anybody",), ""),
    ("no-match", "root: a@b.example\n", ("other",), ""),
    ("comment", "# all\nroot: a@b.example # me\n", ("root",), ""),
    ("empty-side", "root:\n", ("root",), "D-ALIAS-EMPTY"),
    ("no-colon", "root a@b.example\n", ("root",), ""),
    ("other-case", "Root: a@b.example\n", ("root",), "D-ALIAS-CASE"),
    ("twice", "root: a@b.example\nroot: c@d.example\n", ("root",), ""),
    ("continuation", "root: a@b.example,\n  c@d.example\n", ("root",), "D-ALIAS-SYNTAX"),
    ("quoted-name", '"my root": a@b.example\nroot: c@d.example\n', ("root",), ""),
    ("pipe", 'root: "|cat"\n', ("root",), "D-ALIAS-COMMAND"),
    ("file", "root: /var/mail/root\n", ("root",), "D-ALIAS-COMMAND"),
    ("at-in-name", "root@x: a@b.example\n", ("root",), ""),
    (
        "same-target-twice",
        "a: x@y.example\nb: x@y.example\n",
        ("a", "z@y.example", "b"),
        "D-ALIAS-TWICE",
    ),
)

MESSAGES = (
    *(Case(f"octets-{name}", mail=mail, shows=shows) for name, mail, shows in _OCTETS),
    *(
        Case(f"header-{name}", options, mail=mail, shows=shows)
        for name, options, mail, shows in _HEADERS
    ),
    *(
        Case(f"recipients-{name}", "-t", to=(), mail=mail, shows=shows)
        for name, mail, shows in _RECIPIENTS
    ),
    *(
        Case(f"sender-of-mail-{name}", "--read-envelope-from", mail=mail, shows=shows)
        for name, mail, shows in _SENDER
    ),
    *(
        Case(
            f"alias-{name}", "--aliases={home}/aliases", to=to, files={"aliases": text}, shows=shows
        )
        for name, text, to, shows in _ALIASES
    ),
    Case("alias-file-missing", "--aliases={home}/aliases", to=("root",)),
    Case("alias-file-missing-unread", "--aliases={home}/aliases", to=("a@b.example",)),
    Case(
        "alias-in-pretend", "-P --aliases={home}/aliases", to=("root",), shows="D-PRETEND-KEYWORDS"
    ),
    Case(
        "alias-and-header",
        "-t --aliases={home}/aliases",
        to=(),
        mail=b"To: root\nCc: c@d.example\n\nx\n",
        files={"aliases": "root: a@b.example\n"},
    ),
    Case("utf8-domain", to=("a@bücher.example",), offers="SMTPUTF8;8BITMIME", shows="D-IDN"),
    Case("utf8-domain-not-offered", to=("a@bücher.example",), shows="D-IDN"),
    Case("utf8-local-part", to=("zoë@b.example",), offers="SMTPUTF8;8BITMIME", shows="D-SMTPUTF8"),
    Case("utf8-local-part-not-offered", to=("zoë@b.example",), shows="D-SMTPUTF8-MISSING"),
    Case("utf8-offered-not-needed", offers="SMTPUTF8;8BITMIME"),
)
