"""Configuration files: where they are looked for, their grammar, and the choice of an account."""

from differential.case import Case

__all__ = ["CONFIGURATION"]

_AT = "host 127.0.0.1\nport {port}\n"
_ME = _AT + "from me@example.org\n"

# name, the whole file, options, what it shows
_FILES = (
    ("implicit-default", _ME, "", ""),
    ("defaults-then-account", f"defaults\n{_AT}account default\nfrom a@example.org\n", "", ""),
    (
        "defaults-accumulate",
        f"defaults\n{_AT}defaults\nfrom a@example.org\naccount default\n",
        "",
        "",
    ),
    ("inherit", f"account one\n{_ME}account default : one\nfrom b@example.org\n", "", ""),
    (
        "inherit-two",
        f"account one\n{_ME}account two\nfrom two@example.org\naccount default:one,two\n",
        "",
        "",
    ),
    (
        "inherit-not-from-defaults",
        (
            f"{_ME}defaults\nfrom a@example.org\naccount one\n{_AT}"
            "defaults\nfrom b@example.org\naccount two : one\n"
        ),
        "-a two",
        "",
    ),
    ("name-with-space", f"account my mail\n{_ME}", "-a 'my mail'", ""),
    ("name-quoted", f'account "quoted"\n{_ME}', "-a quoted", ""),
    ("comment", f"# a comment\n  # another\n{_ME}", "", ""),
    ("trailing-comment", f"{_ME}domain here # not there\n", "", "D-DOMAIN-WORD"),
    ("quotes", f'{_ME}domain "quoted.example"\n', "", ""),
    ("quotes-inside", f'{_ME}domain quo"ted.example\n', "", ""),
    ("quote-alone", f'{_ME}domain "\n', "", ""),
    ("blanks-around", f"{_AT}\tfrom  \t me@example.org \t \n", "", ""),
    ("carriage-returns", _ME.replace("\n", "\r\n"), "", ""),
    ("no-final-newline", _ME.rstrip("\n"), "", ""),
    ("port-in-octal", f"{_ME}port 031\nport {{port}}\ntimeout 010\n", "-P", "D-PRETEND-KEYWORDS"),
    ("eval", f"{_AT}eval echo from me@example.org\n", "", ""),
    ("eval-empty-line", f"{_ME}eval echo\n", "", ""),
    ("eval-fails-with-output", f"{_AT}eval echo from x@example.org; exit 3\n", "", ""),
    ("eval-nothing", f"{_ME}eval true\n", "", ""),
    ("eval-reads-input", f"{_ME}eval head -c 20 >/dev/null; echo domain x\n", "", ""),
    ("eval-without-command", f"{_ME}eval\n", "", ""),
    ("unknown-command", f"{_ME}hoast x\n", "", ""),
    ("upper-case-command", f"{_ME}Domain x\n", "", ""),
    ("upper-case-value", f"{_ME}tls ON\n", "", ""),
    ("account-without-name", f"account\n{_ME}", "", ""),
    ("account-twice", f"account a\n{_ME}account a\n{_ME}", "-a a", ""),
    ("account-default-twice", f"{_ME}account default\n", "", ""),
    ("parent-unknown", f"account a : b\n{_ME}", "-a a", ""),
    ("defaults-with-argument", f"defaults x\n{_ME}", "", ""),
    ("host-empty", "account default\nhost\nfrom me@example.org\n", "", ""),
    ("host-missing", "account default\nfrom me@example.org\n", "", ""),
    ("from-missing", f"account default\n{_AT}", "", "D-SENDER-FALLBACK"),
    ("port-too-large", f"{_ME}port 65536\n", "", ""),
    ("port-with-text", f"{_ME}port 25a\n", "", ""),
    ("override-empty", f"{_ME}allow_from_override\n", "", ""),
    ("nostarttls-with-argument", f"{_ME}tls_nostarttls on\n", "", ""),
    ("nocertcheck", f"{_ME}tls_nocertcheck\n", "", ""),
    ("connect-timeout", f"{_ME}connect_timeout 9\n", "-P", "D-PRETEND-KEYWORDS"),
    ("sslv3", f"{_ME}tls_force_sslv3\n", "", ""),
    ("key-without-certificate", f"{_ME}tls_key_file /dev/null\n", "", ""),
    ("certificate-without-key", f"{_ME}tls_cert_file /dev/null\n", "", ""),
    ("crl-without-trust", f"{_ME}tls_trust_file\ntls_crl_file /dev/null\n", "", ""),
    ("tls-without-trust", f"{_ME}tls on\ntls_trust_file\n", "", ""),
    (
        "empty-trust-in-defaults",
        f"defaults\ntls_trust_file\ntls on\naccount default\n{_ME}",
        "-P",
        "D-PRETEND-KEYWORDS",
    ),
    ("notify-with-space", f"{_ME}dsn_notify failure, delay\n", "", ""),
    ("notify-empty", f"{_ME}dsn_notify\n", "", ""),
    ("return-hdrs", f"{_ME}dsn_return hdrs\n", "", "D-DSN-RETURN-HDRS"),
    ("password-without-value", f"{_ME}password\n", "-P", "D-PRETEND-KEYWORDS"),
    ("line-of-600", f"{_ME}# {'x' * 600}\n", "", ""),
    ("line-of-490", f"{_ME}# {'x' * 480}\n", "", ""),
    ("lmtp-without-port", "host 127.0.0.1\nprotocol lmtp\nfrom me@example.org\n", "", ""),
    ("new-keywords", f"{_ME}from_full_name X\nset_to_header on\n", "", "D-NEWER-KEYWORDS"),
    ("own-keyword", f"{_ME}allow_plaintext_auth on\n", "", "D-OWN-KEYWORDS"),
    ("socket-empty", f"{_ME}socket\n", "", ""),
    ("timeout-off", f"{_ME}timeout off\n", "-P", "D-PRETEND-KEYWORDS"),
    (
        "on-off-empty-is-on",
        f"{_ME}keepbcc\nset_from_header\nauth\nauth off\n",
        "-P",
        "D-PRETEND-KEYWORDS",
    ),
    ("syslog-word", f"{_ME}syslog maybe\n", "", ""),
    ("tilde-in-path", f"{_ME}logfile ~/log\naliases ~/none\n", "-P", "D-PRETEND-KEYWORDS"),
    ("tabs", f"host\t127.0.0.1\nport\t{{port}}\n{_ME}", "", ""),
    ("blank-lines", f"\n  \n\t\n{_ME}\n", "", ""),
    ("from-quoted-empty", f'{_AT}from ""\n', "", ""),
    ("from-empty", f"{_AT}from\n", "", ""),
    ("domain-nothing", f"{_ME}domain\n", "", "D-DOMAIN-EMPTY"),
    (
        "inherit-blanks",
        f"account one\n{_ME}account two\nfrom x@y.example\naccount default :  one ,  two\n",
        "",
        "",
    ),
    ("inherit-from-itself", f"account a : a\n{_ME}", "-a a", ""),
    ("inherit-colon-alone", f"account a :\n{_ME}", "-a a", ""),
    ("inherit-later-account", f"account a : b\n{_ME}account b\n{_ME}", "-a a", ""),
    ("defaults-after-account", f"account default\n{_ME}defaults\ndomain x.example\n", "", ""),
    ("last-of-two-wins", f"{_ME}from other@example.org\n", "", ""),
    ("single-quotes", f"{_ME}domain 'x'\n", "", ""),
    ("source-ip", f"{_ME}source_ip 127.0.0.1\n", "", ""),
    ("eval-with-quotes", f"{_AT}eval echo 'from q@example.org'\n", "", ""),
    ("eval-comment", f"{_ME}eval echo '# nothing'\n", "", ""),
    ("eval-account", f"eval echo account default\n{_ME}", "", ""),
    ("eval-unknown-command", f"{_ME}eval echo nonsense\n", "", ""),
    ("password-of-many-words", f"{_ME}password a b c\n", "-P", "D-PRETEND-KEYWORDS"),
    ("maildomain", f"{_AT}auto_from\nmaildomain example.net\n", "", ""),
    ("auto-from-off", f"{_ME}auto_from off\nmaildomain example.net\n", "", ""),
    ("byte-order-mark", "\ufeff" + _ME, "", "D-BYTE-ORDER-MARK"),
    ("tls-nostarttls", f"{_ME}tls_nostarttls\n", "-P", "D-PRETEND-KEYWORDS"),
    ("logfile-dash", f"{_ME}logfile -\nlogfile_time_format %Y\n", "", ""),
    ("tilde-of-user", f"{_ME}logfile ~x/log\n", "-P", "D-PRETEND-KEYWORDS"),
)

_MAIL = b"From: a@example.org\nTo: x\nDate: x\nMessage-ID: <1@x>\n\nx\n"

# Five accounts and a default; who is chosen.
_CHOICE = (
    f"account a\n{_AT}from a@example.org\ndomain is-a\n"
    f"account b\n{_AT}from B@Example.org\ndomain is-b\n"
    f"account w\n{_AT}from *@wild.example\ndomain is-w\n"
    f"account u\n{_AT}from %U@example.com\ndomain is-u\n"
    f"account locked\n{_AT}from locked@example.org\nallow_from_override off\ndomain is-locked\n"
    f"account default\n{_AT}from d@example.org\ndomain is-d\n"
)
_CHOSEN = (
    ("no-sender", "", ""),
    ("by-sender", "-f a@example.org", ""),
    ("by-sender-in-other-case", "-f b@example.ORG", ""),
    ("by-subaddress", "-f a+detail@example.org", ""),
    ("by-wildcard", "-f any@wild.example", ""),
    ("wildcard-in-other-case", "-f any@WILD.example", ""),
    ("pattern-is-not-expanded", "-f root@example.com", ""),
    ("by-nobody", "-f x@nowhere.example", ""),
    ("by-name-and-sender", "-a a -f b@example.org", ""),
    ("sender-not-allowed", "-a locked -f x@example.org", ""),
    ("sender-not-allowed-by-default", "-f locked@example.org", ""),
    ("wildcard-without-sender", "-a w", "D-WILDCARD-SENDER"),
    ("wildcard-and-sender", "-a w -f x@y.example", ""),
    ("user-pattern", "-a u", ""),
    ("by-header", "--read-envelope-from", ""),
)

_NAMED = f"account default\n{_AT}from "
_SENDERS = (
    ("user", "%U@example.org", {"USER": "alice"}, ""),
    ("logname", "%U@example.org", {"USER": "", "LOGNAME": "bob"}, "D-EMPTY-USER"),
    ("hostname", "me@%H", {"HOSTNAME": "box.example"}, ""),
    ("mailname-missing", "me@%M", {}, ""),
    ("mail-from", "%F", {}, "D-PATTERN-F"),
    ("unknown-letter", "%X%%@example.org", {}, ""),
    ("control-character", "%U@example.org", {"USER": "a\tb"}, "D-WILDCARD-SENDER"),
)

CONFIGURATION = (
    *(Case(f"file-{name}", options, rc=rc, shows=shows) for name, rc, options, shows in _FILES),
    *(
        Case(f"choice-{name}", options, rc=_CHOICE, shows=shows, mail=_MAIL)
        for name, options, shows in _CHOSEN
    ),
    *(
        Case(f"choice-pretend-{name}", f"-P {options}", rc=_CHOICE, shows=shows, mail=_MAIL)
        for name, options, shows in (
            ("no-sender", "", "D-PRETEND-KEYWORDS"),
            ("by-sender", "-f a@example.org", "D-PRETEND-KEYWORDS"),
            ("by-header", "--read-envelope-from", "D-PRETEND-KEYWORDS"),
            ("by-name", "-a b", "D-PRETEND-KEYWORDS"),
            ("by-nobody", "-f x@nowhere.example", "D-PRETEND-KEYWORDS"),
        )
    ),
    *(
        Case(f"sender-{name}", rc=_NAMED + pattern, env=env, shows=shows)
        for name, pattern, env, shows in _SENDERS
    ),
    Case("xdg-default-place", rc="", files={".config/msmtp/config": _ME}),
    Case(
        "xdg-config-home",
        rc="",
        files={"x/msmtp/config": _ME},
        env={"XDG_CONFIG_HOME": "{home}/x"},
    ),
    Case("msmtprc-before-xdg", files={".config/msmtp/config": "nonsense\n"}),
    Case("no-file-at-all", rc="", server="none"),
    Case(
        "environment-server",
        rc="",
        env={"SMTPSERVER": "127.0.0.1", "EMAIL": "env@example.org"},
        options="--port={port}",
    ),
    Case(
        "environment-server-and-from",
        "--port={port} -f x@example.org",
        rc="",
        env={"SMTPSERVER": "127.0.0.1"},
    ),
    Case(
        "environment-server-alone",
        "--port={port}",
        rc="",
        env={"SMTPSERVER": "127.0.0.1"},
    ),
    Case(
        "environment-loses-to-default",
        env={"SMTPSERVER": "nowhere.example", "EMAIL": "env@example.org"},
    ),
)
