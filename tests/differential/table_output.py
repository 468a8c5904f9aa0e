"""What is printed and logged: --pretend, --debug, --serverinfo, --rmqs, records of the log."""

from differential.case import MAIL, Case

__all__ = ["OUTPUT"]

_LOG = "logfile {home}/log\n"
_TLS = "tls on\ntls_trust_file {ca}\n"

# name, config, options, what it shows
_PRETEND = (
    ("plain", "", "", "D-PRETEND-KEYWORDS"),
    ("with-t", "", "-t", "D-PRETEND-KEYWORDS"),
    (
        "options-win",
        "domain a.example\n",
        "--domain=b.example --timeout=1 -f x@y.example",
        "D-PRETEND-KEYWORDS",
    ),
    ("tls", "tls on\n", "", "D-PRETEND-KEYWORDS"),
    ("tls-implicit-port", "tls on\ntls_starttls off\n", "", "D-PRETEND-KEYWORDS"),
    (
        "tls-everything",
        (
            "tls on\ntls_starttls off\ntls_trust_file ~/ca\ntls_crl_file ~/crl\n"
            "tls_key_file ~/key\ntls_cert_file ~/cert\ntls_certcheck off\ntls_priorities NORMAL\n"
            "tls_host_override x.example\n"
        ),
        "",
        "D-PRETEND-KEYWORDS",
    ),
    ("fingerprint", "tls_fingerprint " + ":".join(["ab"] * 20) + "\n", "", "D-PRETEND-KEYWORDS"),
    (
        "fingerprint-spaced",
        "tls_fingerprint " + " ".join(["ab"] * 32) + "\n",
        "",
        "D-PRETEND-KEYWORDS",
    ),
    ("auth-on", "auth on\nuser me\npassword secret\n", "", "D-PRETEND-KEYWORDS"),
    (
        "auth-method",
        "auth scram-sha-256\nuser me\npasswordeval echo x\nntlmdomain d\n",
        "",
        "D-PRETEND-PASSWORDEVAL D-PRETEND-KEYWORDS",
    ),
    ("auth-eval-fails", "auth on\nuser me\npasswordeval true\n", "", "D-PRETEND-PASSWORDEVAL"),
    ("proxy", "proxy_host p.example\nsource_ip 192.0.2.1\n", "", "D-PRETEND-KEYWORDS"),
    ("proxy-port", "proxy_host p.example\nproxy_port 99\n", "", "D-PRETEND-KEYWORDS"),
    ("socket", "socket /run/x\n", "", "D-PRETEND-KEYWORDS"),
    ("lmtp", "protocol lmtp\n", "", "D-PRETEND-KEYWORDS"),
    (
        "headers",
        "set_from_header on\nset_date_header off\nremove_bcc_headers off\n",
        "",
        "D-PRETEND-KEYWORDS",
    ),
    (
        "headers-old",
        "add_missing_from_header off\nadd_missing_date_header off\nkeepbcc on\n",
        "",
        "D-PRETEND-KEYWORDS",
    ),
    ("undisclosed", "undisclosed_recipients on\n", "", "D-PRETEND-KEYWORDS"),
    ("dsn", "dsn_notify delay,failure\ndsn_return headers\n", "", "D-PRETEND-KEYWORDS"),
    ("dsn-full", "dsn_return full\n", "", "D-PRETEND-KEYWORDS"),
    ("log", "logfile -\nlogfile_time_format %s\nsyslog LOG_MAIL\n", "", "D-PRETEND-KEYWORDS"),
    ("syslog-on", "syslog on\naliases ~/aliases\n", "", "D-PRETEND-KEYWORDS"),
    ("auto-from", "auto_from on\nmaildomain example.net\n", "", "D-PRETEND-KEYWORDS"),
    ("override-off", "allow_from_override off\n", "-f x@y.example", "D-PRETEND-KEYWORDS"),
    ("full-name", "", "-F 'Full Name'", "D-PRETEND-KEYWORDS"),
    ("dh-bits", "tls_min_dh_prime_bits 512\n", "", "D-PRETEND-KEYWORDS"),
    ("timeout-one", "timeout 1\n", "", "D-PRETEND-KEYWORDS"),
    ("bad-config", "host\n", "", "D-PRETEND-ERROR"),
    ("serverinfo", "", "-S", ""),
    ("rmqs", "", "--rmqs=@x.example", ""),
)

# name, offers, config, server, what it shows
_INFO = (
    ("nothing", "", "", "tcp", ""),
    ("known", "PIPELINING;DSN;ETRN;SIZE 10485760;AUTH PLAIN LOGIN XFOO", "", "tcp", ""),
    ("size-small", "SIZE 100", "", "tcp", ""),
    ("size-kib", "SIZE 20480", "", "tcp", ""),
    ("size-zero", "SIZE 0", "", "tcp", "D-SERVERINFO-SIZE"),
    ("size-bare", "SIZE", "", "tcp", "D-SERVERINFO-SIZE"),
    ("more-than-msmtp", "8BITMIME;CHUNKING;SMTPUTF8;HELP", "", "tcp", "D-SERVERINFO-MORE"),
    ("starttls-hint", "STARTTLS;PIPELINING", "", "tcp", ""),
    ("starttls", "STARTTLS;AUTH PLAIN", _TLS, "starttls", "D-SERVERINFO-TLS"),
    (
        "implicit",
        "AUTH CRAM-MD5 DIGEST-MD5 GSSAPI NTLM XOAUTH2 EXTERNAL OAUTHBEARER",
        _TLS + "tls_starttls off\n",
        "implicit",
        "D-SERVERINFO-TLS D-SERVERINFO-AUTH",
    ),
    ("untrusted", "STARTTLS", "tls on\n", "starttls", ""),
    ("no-login-though-configured", "AUTH PLAIN", "auth plain\nuser me\npassword x\n", "tcp", ""),
    ("lmtp", "PIPELINING", "protocol lmtp\n", "tcp", ""),
)

# name, config, to, replies, what it shows
_RECORDS = (
    ("success", "", ("a@b.example",), {}, ""),
    ("two-recipients", "", ("a@b.example", "c@d.example"), {}, ""),
    ("multi-line-reply", "", ("a@b.example",), {".": "250-one\r\n250 it's two"}, ""),
    ("refused", "", ("a@b.example",), {"RCPT": "550 5.1.1 unknown"}, "D-EXIT-RCPT D-QUIT"),
    ("refused-content", "", ("a@b.example",), {".": "554 no"}, "D-EXIT-CONTENT D-QUIT"),
    ("later", "", ("a@b.example",), {"MAIL": "451 later"}, "D-EXIT-4XX D-QUIT"),
    ("with-login", "auth plain\nuser me\npassword x\n", ("a@b.example",), {}, ""),
    (
        "user-with-space",
        "auth plain\nuser my name\npassword x\n",
        ("a@b.example",),
        {},
        "D-LOG-ESCAPED",
    ),
    (
        "login-refused",
        "auth plain\nuser me\npassword x\n",
        ("a@b.example",),
        {"AUTH": "535 no"},
        "D-QUIT",
    ),
    ("time-format", "logfile_time_format %Y-%m\n", ("a@b.example",), {}, ""),
    ("no-time", "logfile_time_format none\n", ("a@b.example",), {}, "D-LOG-TIME-NONE"),
    ("control-character", "", ("a@b.example",), {".": "250 a\tb"}, "D-ESCAPES"),
    ("lmtp", "protocol lmtp\n", ("a@b.example", "c@d.example"), {}, "D-LOG-LMTP"),
    (
        "lmtp-partial",
        "protocol lmtp\n",
        ("a@b.example", "c@d.example"),
        {".": ("250 taken", "550 full")},
        "D-EXIT-LMTP D-LMTP-WORDS D-QUIT",
    ),
    ("greeting", "", ("a@b.example",), {"": "421 busy"}, "D-EXIT-421"),
)

OUTPUT = (
    *(
        Case(
            f"pretend-{name}",
            f"-P {options}",
            config=config,
            server="none",
            to=() if name in ("serverinfo", "rmqs") else ("to@example.org",),
            shows=shows,
        )
        for name, config, options, shows in _PRETEND
    ),
    Case("pretend-without-recipients", "-P", to=(), server="none", shows="D-PRETEND-KEYWORDS"),
    Case(
        "pretend-without-from",
        "-P",
        rc="host x.example\n",
        server="none",
        shows="D-PRETEND-KEYWORDS D-SENDER-FALLBACK",
    ),
    Case(
        "pretend-host",
        "-P --host=x.example",
        rc="",
        server="none",
        shows="D-PRETEND-KEYWORDS D-SENDER-FALLBACK",
    ),
    Case(
        "pretend-environment",
        "-P",
        rc="",
        server="none",
        env={"SMTPSERVER": "x.example", "EMAIL": "a@b.example"},
        shows="D-PRETEND-KEYWORDS",
    ),
    Case(
        "pretend-from-of-mail", "-P --read-envelope-from", server="none", shows="D-PRETEND-KEYWORDS"
    ),
    Case("pretend-no-account", "-P", rc="", server="none", shows="D-PRETEND-ERROR"),
    *(
        Case(
            f"serverinfo-{name}",
            "-S",
            to=(),
            offers=offers,
            config=config,
            server=server,
            shows=shows,
        )
        for name, offers, config, server, shows in _INFO
    ),
    Case(
        "serverinfo-unix",
        "-S",
        to=(),
        rc="socket {home}/sock\nfrom me@example.org\n",
        server="unix",
        offers="PIPELINING",
    ),
    Case("serverinfo-greeting", "-S", to=(), replies={"": "220-one\r\n220 two"}),
    Case("serverinfo-helo", "-S", to=(), replies={"EHLO": "502 what"}),
    Case("serverinfo-refused", "-S --port=1", to=()),
    Case("rmqs", "--rmqs=@example.org", to=(), offers="ETRN"),
    Case("rmqs-not-offered", "--rmqs=example.org", to=()),
    *(
        Case(
            f"rmqs-{code}",
            "--rmqs=example.org",
            to=(),
            offers="ETRN",
            replies={"ETRN": f"{code} what the server says"},
            shows="D-QUIT" if code > 400 else "",
        )
        for code in (251, 252, 253, 458, 459, 500, 501, 530)
    ),
    *(
        Case(
            f"log-{name}",
            config=_LOG + config,
            to=to,
            replies=replies,
            offers="AUTH PLAIN" if "auth" in config else "",
            shows=shows,
        )
        for name, config, to, replies, shows in _RECORDS
    ),
    Case("log-file-of-tilde", config="logfile ~/log\n"),
    Case("log-is-directory", config="logfile {home}\n"),
    Case("log-to-device", config="logfile /dev/null\n"),
    Case("log-null-sender", "-f <>", config=_LOG),
    Case("log-sender-of-mail", "--read-envelope-from", config=_LOG),
    Case(
        "log-with-host",
        "--host=127.0.0.1 --port={port} -f a@b.example -X {home}/log",
        rc="",
    ),
    Case("log-starttls", config=_LOG + _TLS, server="starttls", offers="STARTTLS"),
    Case("serverinfo-debug", "-S -d", to=(), offers="PIPELINING", shows="D-QUIT-NOT-AWAITED"),
    Case("serverinfo-host", "-S --host=127.0.0.1 --port={port}", rc="", to=()),
    Case("rmqs-debug", "--rmqs=x.example -d", to=(), offers="ETRN", shows="D-QUIT-NOT-AWAITED"),
    Case(
        "debug-starttls",
        "-d",
        config=_TLS,
        server="starttls",
        offers="STARTTLS",
        shows="D-QUIT-NOT-AWAITED D-DEBUG-TLS D-PRETEND-KEYWORDS",
    ),
    Case("debug-pretend", "-d -P", shows="D-PRETEND-KEYWORDS"),
    Case(
        "debug-lmtp", "-d", config="protocol lmtp\n", shows="D-QUIT-NOT-AWAITED D-PRETEND-KEYWORDS"
    ),
    Case("log-cannot-be-written", config="logfile {home}/none/log\n"),
    Case("log-not-for-usage-errors", config=_LOG, to=()),
    Case("log-not-when-pretending", "-P", config=_LOG, shows="D-PRETEND-KEYWORDS"),
    Case("log-refused-connection", "--port=1", config=_LOG),
    Case(
        "log-with-aliases",
        config=_LOG + "aliases {home}/aliases\n",
        to=("root",),
        files={"aliases": "root: a@b.example\n"},
    ),
    Case("log-size-of-dots", config=_LOG, mail=MAIL + b".\nx\n"),
    Case("debug", "-d", shows="D-QUIT-NOT-AWAITED D-PRETEND-KEYWORDS"),
    Case(
        "debug-with-login",
        "-v",
        config="auth plain\nuser me\npassword secret\n",
        offers="AUTH PLAIN",
        shows="D-QUIT-NOT-AWAITED D-DEBUG-MASKED D-PRETEND-KEYWORDS",
    ),
    Case("debug-refused", "--debug", replies={"MAIL": "550 no"}, shows="D-PRETEND-KEYWORDS D-QUIT"),
)
