"""The session: extensions, TLS, logins, proxies, sockets, LMTP, refusals and exit codes."""

from base64 import b64encode

from differential.case import MAIL, Case
from differential.recorder import HANG_UP, SILENCE

__all__ = ["SESSIONS"]

_TWO = ("a@example.org", "b@example.org")
_LARGE = MAIL + b"0123456789abcdef\n" * 20000 + b"last line\n"
_TLS = "tls on\ntls_trust_file {ca}\n"
_LOGIN = "user me\npassword secret\n"

# name, offers, config, what it shows
_EXTENSIONS = (
    ("pipelining", "PIPELINING", "", ""),
    ("size", "SIZE 100000", "", "D-SIZE"),
    ("size-without-number", "SIZE", "", "D-SIZE"),
    ("size-zero", "SIZE 0", "", "D-SIZE"),
    ("size-too-small", "SIZE 10", "", "D-SIZE-CHECKED"),
    ("eight-bit-mime", "8BITMIME", "", ""),
    ("chunking", "CHUNKING", "", "D-CHUNKING"),
    ("chunking-and-pipelining", "CHUNKING;PIPELINING", "", "D-CHUNKING"),
    ("dsn-notify", "DSN", "dsn_notify failure,delay\n", "D-ORCPT"),
    ("dsn-never", "DSN", "dsn_notify never\n", "D-ORCPT"),
    ("dsn-return-headers", "DSN", "dsn_return headers\n", ""),
    ("dsn-return-full", "DSN", "dsn_return full\n", ""),
    ("dsn-not-offered", "", "dsn_notify failure\n", "D-DSN-MISSING"),
    ("dsn-offered-not-wanted", "DSN", "", ""),
    ("lower-case", "pipelining;dsn", "dsn_notify success\n", "D-ORCPT"),
    ("unknown", "XFOO;VRFY;ENHANCEDSTATUSCODES", "", ""),
    (
        "everything",
        "PIPELINING;SIZE 5000;8BITMIME;DSN;SMTPUTF8;CHUNKING;ETRN",
        "",
        "D-CHUNKING D-SIZE",
    ),
)

# name, replies, what it shows
_REFUSALS = (
    ("greeting-421", {"": "421 busy"}, "D-EXIT-421"),
    ("greeting-554", {"": "554 go away"}, "D-EXIT-GREETING D-QUIT"),
    ("greeting-multi-line", {"": "220-one\r\n220 two"}, ""),
    ("greeting-nothing", {"": HANG_UP}, "D-EXIT-CLOSED"),
    ("greeting-nonsense", {"": "hello there"}, ""),
    ("ehlo-502", {"EHLO": "502 what"}, ""),
    ("ehlo-421", {"EHLO": "421 busy"}, "D-EHLO-421"),
    ("ehlo-and-helo-refused", {"EHLO": "502 what", "HELO": "502 what"}, "D-EXIT-GREETING D-QUIT"),
    ("ehlo-hangs-up", {"EHLO": HANG_UP}, "D-EXIT-CLOSED"),
    ("mail-550", {"MAIL": "550 5.7.1 no"}, "D-QUIT"),
    ("mail-451", {"MAIL": "451 4.3.0 later"}, "D-EXIT-4XX D-QUIT"),
    ("mail-421", {"MAIL": "421 closing"}, "D-EXIT-421"),
    ("mail-hangs-up", {"MAIL": HANG_UP}, "D-EXIT-CLOSED"),
    ("rcpt-550", {"RCPT": "550 5.1.1 unknown"}, "D-EXIT-RCPT D-QUIT"),
    (
        "rcpt-550-multi-line",
        {"RCPT": "550-5.1.1 no\r\n550 5.1.1 such user"},
        "D-EXIT-RCPT D-QUIT",
    ),
    ("rcpt-450", {"RCPT": "450 4.2.1 later"}, "D-EXIT-4XX D-QUIT"),
    ("rcpt-251", {"RCPT": "251 forwarded"}, ""),
    ("rcpt-252", {"RCPT": "252 who knows"}, "D-RCPT-252 D-QUIT"),
    ("rcpt-hangs-up", {"RCPT": HANG_UP}, "D-EXIT-CLOSED"),
    ("data-554", {"DATA": "554 no"}, "D-QUIT"),
    ("data-451", {"DATA": "451 later"}, "D-EXIT-4XX D-QUIT"),
    ("data-250", {"DATA": "250 strange"}, "D-EXIT-PROTOCOL"),
    ("data-hangs-up", {"DATA": HANG_UP}, "D-EXIT-CLOSED"),
    ("content-550", {".": "550 5.7.1 spam"}, "D-EXIT-CONTENT D-QUIT"),
    ("content-552", {".": "552 too big"}, "D-EXIT-CONTENT D-QUIT"),
    ("content-451", {".": "451 later"}, "D-EXIT-4XX D-QUIT"),
    ("content-421", {".": "421 closing"}, "D-EXIT-421"),
    ("content-hangs-up", {".": HANG_UP}, "D-EXIT-CLOSED"),
    ("content-multi-line", {".": "250-one\r\n250 two"}, ""),
    ("quit-refused", {"QUIT": "500 no"}, ""),
    ("quit-hangs-up", {"QUIT": HANG_UP}, ""),
    ("control-characters", {"RCPT": "550 a\tb\x1b[31mc"}, "D-EXIT-RCPT D-QUIT D-ESCAPES"),
    ("code-alone", {"MAIL": "250"}, "D-CODE-ALONE D-QUIT"),
    ("code-of-two-digits", {"MAIL": "25 ok"}, ""),
)

_FIRST_BAD = {"RCPT TO:<a": "550 unknown"}
_SECOND_BAD = {"RCPT TO:<b": "550 unknown"}


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()


# name, server, offers, config, replies, what it shows
_LOGINS = (
    ("plain-tls", "starttls", "STARTTLS;AUTH PLAIN LOGIN", _TLS + "auth plain\n" + _LOGIN, {}, ""),
    (
        "on-plain-tls",
        "implicit",
        "AUTH PLAIN LOGIN",
        _TLS + "tls_starttls off\nauth on\n" + _LOGIN,
        {},
        "",
    ),
    (
        "on-scram-first",
        "implicit",
        "AUTH PLAIN LOGIN SCRAM-SHA-256",
        _TLS + "tls_starttls off\nauth on\n" + _LOGIN,
        {"AUTH SCRAM": "535 no"},
        "D-AUTH-ORDER",
    ),
    (
        "on-cram-md5",
        "implicit",
        "AUTH CRAM-MD5",
        _TLS + "tls_starttls off\nauth\n" + _LOGIN,
        {"AUTH CRAM": ("334 " + _b64("<1.2@x>"), "235 ok")},
        "D-AUTH-WEAK",
    ),
    ("plain-loopback", "tcp", "AUTH PLAIN", "auth plain\n" + _LOGIN, {}, ""),
    (
        "login-loopback",
        "tcp",
        "AUTH LOGIN",
        "auth login\n" + _LOGIN,
        {"AUTH": ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok")},
        "",
    ),
    (
        "cram-md5-loopback",
        "tcp",
        "AUTH CRAM-MD5",
        "auth cram-md5\n" + _LOGIN,
        {"AUTH": ("334 " + _b64("<1.2@x>"), "235 ok")},
        "",
    ),
    ("oauthbearer-loopback", "tcp", "AUTH OAUTHBEARER", "auth oauthbearer\n" + _LOGIN, {}, ""),
    (
        "xoauth2-loopback",
        "tcp",
        "AUTH XOAUTH2",
        "auth xoauth2\n" + _LOGIN,
        {"AUTH": ("334 ", "235 ok")},
        "D-INITIAL-RESPONSE",
    ),
    (
        "external-loopback",
        "tcp",
        "AUTH EXTERNAL",
        "auth external\nuser me\n",
        {"AUTH EXTERNAL": ("334 ", "235 ok"), "AUTH EXTERNAL bWU=": "235 ok"},
        "D-INITIAL-RESPONSE",
    ),
    ("old-spelling", "tcp", "AUTH=PLAIN", "auth plain\n" + _LOGIN, {}, ""),
    ("on-loopback-without-tls", "tcp", "AUTH PLAIN", "auth on\n" + _LOGIN, {}, "D-QUIT"),
    ("not-offered", "tcp", "PIPELINING", "auth plain\n" + _LOGIN, {}, ""),
    ("method-not-offered", "tcp", "AUTH LOGIN", "auth plain\n" + _LOGIN, {}, "D-QUIT"),
    (
        "refused-535",
        "tcp",
        "AUTH PLAIN",
        "auth plain\n" + _LOGIN,
        {"AUTH": "535 5.7.8 wrong"},
        "D-QUIT",
    ),
    (
        "refused-454",
        "tcp",
        "AUTH PLAIN",
        "auth plain\n" + _LOGIN,
        {"AUTH": "454 4.7.0 later"},
        "D-EXIT-AUTH D-QUIT",
    ),
    ("no-user", "tcp", "AUTH PLAIN", "auth plain\npassword x\n", {}, "D-QUIT"),
    ("no-password", "tcp", "AUTH PLAIN", "auth plain\nuser me\n", {}, "D-PASSWORD-FIRST"),
    (
        "passwordeval",
        "tcp",
        "AUTH PLAIN",
        "auth plain\nuser me\npasswordeval echo secret\n",
        {},
        "",
    ),
    (
        "passwordeval-first-line",
        "tcp",
        "AUTH PLAIN",
        "auth plain\nuser me\npasswordeval printf 'one\\r\\ntwo\\n'\n",
        {},
        "",
    ),
    (
        "passwordeval-status",
        "tcp",
        "AUTH PLAIN",
        "auth plain\nuser me\npasswordeval echo secret; exit 1\n",
        {},
        "",
    ),
    (
        "passwordeval-nothing",
        "tcp",
        "AUTH PLAIN",
        "auth plain\nuser me\npasswordeval true\n",
        {},
        "",
    ),
    ("passwordeval-without-auth", "tcp", "", "user me\npasswordeval touch {home}/ran\n", {}, ""),
    (
        "password-wins",
        "tcp",
        "AUTH PLAIN",
        "auth plain\n" + _LOGIN + "passwordeval echo other\n",
        {},
        "",
    ),
)

_NETRC = (
    ("entry", "machine 127.0.0.1 login me password secret\n", ""),
    (
        "other-login",
        "machine 127.0.0.1 login you password x\nmachine 127.0.0.1 login me password secret\n",
        "",
    ),
    ("quoted", 'machine 127.0.0.1 login me password "a secret"\n', ""),
    ("over-lines", "# mine\nmachine 127.0.0.1\n  login me\n  password secret\n", ""),
    ("default-entry", "default login me password secret\n", "D-PASSWORD-FIRST"),
    ("other-machine", "machine localhost login me password secret\n", "D-PASSWORD-FIRST"),
)

# name, server, offers, config, replies, what it shows
_SECURED = (
    ("starttls", "starttls", "STARTTLS", _TLS, {}, ""),
    ("implicit", "implicit", "", _TLS + "tls_starttls off\n", {}, ""),
    ("starttls-not-offered", "tcp", "", _TLS, {}, ""),
    (
        "starttls-refused",
        "tcp",
        "STARTTLS",
        _TLS,
        {"STARTTLS": "454 not now"},
        "D-EXIT-STARTTLS D-QUIT",
    ),
    (
        "starttls-refused-for-ever",
        "tcp",
        "STARTTLS",
        _TLS,
        {"STARTTLS": "501 no"},
        "D-EXIT-STARTTLS D-QUIT",
    ),
    ("starttls-hangs-up", "tcp", "STARTTLS", _TLS, {"STARTTLS": HANG_UP}, "D-EXIT-CLOSED"),
    ("starttls-without-tls", "tcp", "STARTTLS", _TLS, {"STARTTLS": "220 go"}, "D-EXIT-HANDSHAKE"),
    ("untrusted", "starttls", "STARTTLS", "tls on\n", {}, ""),
    ("untrusted-unchecked", "starttls", "STARTTLS", "tls on\ntls_certcheck off\n", {}, ""),
    ("other-name", "starttls", "STARTTLS", _TLS + "tls_host_override other.example\n", {}, ""),
    ("name-overridden", "starttls", "STARTTLS", _TLS + "tls_host_override localhost\n", {}, ""),
    (
        "fingerprint-wrong",
        "starttls",
        "STARTTLS",
        "tls on\ntls_fingerprint " + ":".join(["AB"] * 32) + "\n",
        {},
        "",
    ),
    ("trust-file-missing", "starttls", "STARTTLS", "tls on\ntls_trust_file {home}/none\n", {}, ""),
    (
        "trust-file-no-certificate",
        "starttls",
        "STARTTLS",
        "tls on\ntls_trust_file {home}/.msmtprc\n",
        {},
        "",
    ),
    (
        "key-file-missing",
        "starttls",
        "STARTTLS",
        _TLS + "tls_key_file {home}/no\ntls_cert_file {home}/no\n",
        {},
        "",
    ),
    (
        "priorities-bad",
        "starttls",
        "STARTTLS",
        _TLS + "tls_priorities NONSENSE\n",
        {},
        "D-EXIT-PRIORITIES",
    ),
    ("priorities-good", "starttls", "STARTTLS", _TLS + "tls_priorities NORMAL\n", {}, ""),
    (
        "implicit-to-plain",
        "tcp",
        "",
        _TLS + "tls_starttls off\ntimeout 4\n",
        {},
        "D-EXIT-HANDSHAKE",
    ),
)

SESSIONS = (
    *(
        Case(f"extension-{name}", config=config, offers=offers, shows=shows)
        for name, offers, config, shows in _EXTENSIONS
    ),
    *(Case(f"reply-{name}", replies=replies, shows=shows) for name, replies, shows in _REFUSALS),
    Case(
        "reply-first-of-two",
        to=_TWO,
        replies=_FIRST_BAD,
        shows="D-EXIT-RCPT D-QUIT D-OTHERS-GET-IT",
    ),
    Case(
        "reply-second-of-two",
        to=_TWO,
        replies=_SECOND_BAD,
        shows="D-EXIT-RCPT D-QUIT D-OTHERS-GET-IT",
    ),
    Case(
        "reply-first-of-two-pipelined",
        to=_TWO,
        replies=_FIRST_BAD,
        offers="PIPELINING",
        shows="D-EXIT-RCPT D-QUIT D-OTHERS-GET-IT",
    ),
    Case(
        "reply-one-later",
        to=_TWO,
        replies={"RCPT TO:<a": "450 later"},
        shows="D-EXIT-4XX D-QUIT D-OTHERS-GET-IT",
    ),
    Case(
        "reply-mail-refused-pipelined",
        replies={"MAIL": "550 no", "RCPT": "503 no", "DATA": "503 no"},
        offers="PIPELINING",
        shows="D-QUIT",
    ),
    Case(
        "eight-bit-mail-offered",
        mail=MAIL + b"caf\xc3\xa9\n",
        offers="8BITMIME",
        shows="D-8BITMIME",
    ),
    Case("eight-bit-mail-not-offered", mail=MAIL + b"caf\xc3\xa9 au lait\n"),
    *(
        Case(
            f"login-{name}",
            server=server,
            offers=offers,
            config=config,
            replies=replies,
            shows=shows,
        )
        for name, server, offers, config, replies, shows in _LOGINS
    ),
    *(
        Case(
            f"netrc-{name}",
            offers="AUTH PLAIN",
            config="auth plain\nuser me\n",
            files={".netrc": text},
            shows=shows,
        )
        for name, text, shows in _NETRC
    ),
    *(
        Case(
            f"tls-{name}", server=server, offers=offers, config=config, replies=replies, shows=shows
        )
        for name, server, offers, config, replies, shows in _SECURED
    ),
    Case(
        "unix-socket",
        server="unix",
        rc="account default\nsocket {home}/sock\nfrom me@example.org\n",
    ),
    Case("unix-socket-missing", rc="socket {home}/none\nfrom me@example.org\n"),
    Case(
        "unix-socket-with-host",
        server="unix",
        rc="host a.example\nsocket {home}/sock\nlogfile {home}/log\nfrom me@example.org\n",
    ),
    Case(
        "proxy",
        server="socks",
        rc="host mail.example\nport 2525\nfrom me@example.org\nproxy_host 127.0.0.1\n"
        "proxy_port {port}\n",
    ),
    Case(
        "proxy-to-address",
        server="socks",
        shows="D-PROXY-ADDRESS",
        rc="host 192.0.2.7\nport 25\nfrom me@example.org\nproxy_host 127.0.0.1\n"
        "proxy_port {port}\n",
    ),
    *(
        Case(
            f"proxy-refuses-{code}",
            server="socks",
            socks_reply=code,
            shows="D-EXIT-PROXY",
            rc="host mail.example\nfrom me@example.org\nproxy_host 127.0.0.1\nproxy_port {port}\n",
        )
        for code in (1, 2, 4, 5)
    ),
    Case(
        "login-in-the-open-to-distant-host",
        server="socks",
        offers="AUTH PLAIN",
        shows="D-PLAINTEXT-PASSWORD",
        rc="host mail.example\nfrom me@example.org\nproxy_host 127.0.0.1\nproxy_port {port}\n"
        "auth plain\n" + _LOGIN,
    ),
    Case(
        "login-in-the-open-by-socket",
        server="unix",
        offers="AUTH PLAIN",
        rc="socket {home}/sock\nfrom me@example.org\nauth plain\n" + _LOGIN,
    ),
    Case(
        "passwordeval-reads-input",
        offers="AUTH PLAIN",
        mail=_LARGE,
        shows="D-PASSWORDEVAL-INPUT",
        config="auth plain\nuser me\npasswordeval cat >/dev/null; echo secret\n",
    ),
    Case(
        "eval-reads-input-of-large-mail",
        config="eval cat >/dev/null; echo domain x\n",
        mail=_LARGE,
        shows="D-PASSWORDEVAL-INPUT",
    ),
    Case(
        "tls-fingerprint-right",
        server="starttls",
        offers="STARTTLS",
        config="tls on\ntls_fingerprint {fingerprint}\n",
    ),
    Case(
        "tls-starttls-with-more-behind",
        server="starttls",
        offers="STARTTLS",
        config=_TLS,
        replies={"STARTTLS": "220 go on\r\n250 injected"},
    ),
    Case(
        "reply-lines-of-2000-octets",
        replies={"MAIL": "250 " + "x" * 2000},
        shows="D-REPLY-LIMITS D-QUIT",
    ),
    Case(
        "reply-of-60-lines",
        replies={"MAIL": "250-x\r\n" * 60 + "250 x"},
        shows="D-REPLY-LIMITS D-QUIT",
    ),
    Case("reply-codes-differ", replies={"MAIL": "250-x\r\n550 y"}, shows="D-REPLY-CODES"),
    Case("reply-with-bare-line-feeds", replies={"": "220-one\n220 two"}),
    Case(
        "recipients-120-pipelined",
        to=[f"r{i}@example.org" for i in range(120)],
        offers="PIPELINING",
    ),
    Case("proxy-missing", "--proxy-host=127.0.0.1 --proxy-port=1"),
    Case("connection-refused", "--port=1"),
    Case("source-ip-not-ours", config="source_ip 192.0.2.1\n", shows="D-EXIT-SOURCE-IP"),
    Case("source-ip-no-address", config="source_ip here\n", shows="D-EXIT-SOURCE-IP"),
    Case("silent-server", config="timeout 1\n", replies={"MAIL": SILENCE}, shows="D-EXIT-TIMEOUT"),
    Case(
        "silent-greeting",
        config="timeout 1\n",
        replies={"": SILENCE},
        shows="D-EXIT-TIMEOUT D-PROBE",
    ),
    Case(
        "silent-after-content", config="timeout 1\n", replies={".": SILENCE}, shows="D-EXIT-TIMEOUT"
    ),
    Case(
        "silent-at-quit",
        config="timeout 3\n",
        replies={"QUIT": SILENCE},
        shows="D-QUIT-NOT-AWAITED",
    ),
    Case(
        "silent-with-tls",
        server="starttls",
        offers="STARTTLS",
        config=_TLS + "timeout 1\n",
        replies={"MAIL": SILENCE},
        shows="D-TLS-TIMEOUT",
    ),
    Case("lmtp", config="protocol lmtp\n"),
    Case("lmtp-two", config="protocol lmtp\n", to=_TWO),
    Case("lmtp-pipelined", config="protocol lmtp\n", to=_TWO, offers="PIPELINING"),
    Case(
        "lmtp-one-fails",
        config="protocol lmtp\n",
        to=_TWO,
        replies={".": ("250 taken", "550 5.2.2 full")},
        shows="D-EXIT-LMTP D-LMTP-WORDS D-QUIT",
    ),
    Case(
        "lmtp-one-later",
        config="protocol lmtp\n",
        to=_TWO,
        replies={".": ("450 later", "250 taken")},
        shows="D-EXIT-4XX D-LMTP-WORDS D-QUIT",
    ),
    Case(
        "lmtp-all-fail",
        config="protocol lmtp\n",
        to=_TWO,
        replies={".": "550 no"},
        shows="D-EXIT-LMTP D-LMTP-WORDS D-QUIT",
    ),
    Case(
        "lmtp-refused-lhlo",
        config="protocol lmtp\n",
        replies={"LHLO": "500 what"},
        shows="D-EXIT-GREETING D-QUIT",
    ),
    Case(
        "lmtp-rcpt-refused",
        config="protocol lmtp\n",
        to=_TWO,
        replies=_SECOND_BAD,
        shows="D-EXIT-RCPT D-QUIT D-OTHERS-GET-IT",
    ),
    Case(
        "lmtp-silence-after-one",
        config="protocol lmtp\ntimeout 1\n",
        to=_TWO,
        replies={".": ("250 taken", SILENCE)},
        shows="D-LMTP-CRASH",
    ),
)
