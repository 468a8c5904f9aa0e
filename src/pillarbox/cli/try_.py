"""
``pillarbox try``: the main job, shown on a provider inside this computer.

The steps, each with the function that shows it: a temporary directory and the provider in a
child process (``_Provider``); the msmtprc of the tutorial (``_write_config``); the real,
installed ``msmtp`` with the tutorial's command (``_run_msmtp``); what the provider saw
(``_show_session``), the mail (``_show_mail``), and what msmtp repaired in it
(``_show_repairs``).

Nothing is left behind, however it ends; and no password is shown or stands in an argv.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from base64 import b64decode
from io import BytesIO

from pillarbox.cli.page import Page
from pillarbox.cli.try_texts import TEXTS
from pillarbox.errors import (
    EX_NAMES,
    DeadlineError,
    MissingExtraError,
    MissingInputError,
    NetworkError,
)
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, localize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from pillarbox.mail.headers import HeaderSection
    from pillarbox.mail.rules import Rule

__all__ = ["main"]

SUBJECT = "这是一封测试发送的邮件, 来自服务器"
BODY = "这里是邮件内容, 仅用于测试"
# What `echo -e` of bash makes of the tutorial's text: made here, so that no shell is needed.
INPUT = f"Subject: {SUBJECT}\n\n{BODY}\n".encode()

USER = "no-reply@example.com"
SOMEBODY_ELSE = "someone-else@example.com"

# What msmtp is told where --lang asks for another language than the environment's.
_LOCALES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}

_LOG = "log"

_START_S = 30
_SEND_S = 60
_FAILED = 1


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox try``.

    Returns:
        0 when everything went as it should: the mail, or the failure that was asked for, was
        seen by the provider. Else 1.

    Raises:
        UsageError: The arguments are wrong.
        MissingExtraError: There is no trustme for the provider's certificate.

    """
    wishes = _parse_arguments(argv)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with _ways_out():
            return _demonstrate(wishes, Page(TEXTS[wishes.lang]))
    except (NetworkError, MissingInputError) as exc:
        print(f"pillarbox try: {exc}", file=sys.stderr)
        return _FAILED


@contextlib.contextmanager
def _ways_out() -> Iterator[None]:
    """Let a request to end be a Ctrl-C, so that nothing is left behind by it either."""
    import signal

    kinds = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(kind, signal.default_int_handler) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def _parse_arguments(argv: list[str]) -> Any:
    import argparse

    from pillarbox.cli.arguments import Parser

    early = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    early.add_argument("--lang", default="")
    lang = ""
    with contextlib.suppress(argparse.ArgumentError):
        lang = early.parse_known_args(argv)[0].lang
    lang = lang if lang in TEXTS else language_of(os.environ)
    texts = TEXTS[lang]
    parser = Parser(prog="pillarbox try", description=texts["help"], allow_abbrev=False)
    failures = parser.add_mutually_exclusive_group()
    failures.add_argument(
        "--wrong-password", action="store_true", help=texts["help_wrong_password"]
    )
    failures.add_argument("--wrong-from", action="store_true", help=texts["help_wrong_from"])
    parser.add_argument("--to", default="me@test.com", metavar="ADDRESS", help=texts["help_to"])
    parser.add_argument("--keep", action="store_true", help=texts["help_keep"])
    parser.add_argument("--lang", choices=sorted(TEXTS), default=lang, help=texts["help_lang"])
    wishes = parser.parse_args(argv)
    if wishes.to.startswith("-") or not wishes.to.isprintable():
        parser.error(f"{printable(wishes.to, 60)} is not an address")
    return wishes


# -- the course of things --------------------------------------------------------------------------


def _demonstrate(wishes: Any, page: Page) -> int:
    """Show one mail, or the failure that was asked for."""
    from importlib.util import find_spec

    if find_spec("trustme") is None:
        raise MissingExtraError("pillarbox try", "try")
    msmtp = _find_msmtp(page)
    page.title("title", "promise_kept" if wishes.keep else "promise")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_folder(is_kept=wishes.keep))
        provider = stack.enter_context(_Provider(folder, page))
        page.section("provider")
        page.say("provider_facts", host=provider.host, port=provider.port)
        config = _write_config(folder, provider, wishes, page)
        code = _run_msmtp(msmtp, config, wishes, page)
        events = provider.finish()
        is_good = _show_session(events, wishes, page) and (code == 0) is _is_plain(wishes)
        if _is_plain(wishes):
            _show_repairs(folder, wishes, page)
        if wishes.keep:
            _keep(folder, events)
        _show_end(wishes, page, folder, is_good=is_good)
    return 0 if is_good else _FAILED


def _is_plain(wishes: Any) -> bool:
    return not (wishes.wrong_password or wishes.wrong_from)


def _find_msmtp(page: Page) -> str:
    """Return the path of the msmtp that was installed with this program, and of no other."""
    folders = [os.path.dirname(os.path.abspath(sys.argv[0])), os.path.dirname(sys.executable)]
    for folder in folders:
        path = os.path.join(folder, "msmtp")
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if b"pillarbox" in file.read(4096) and os.access(path, os.X_OK):
                return path
    places = ", ".join(dict.fromkeys(folders))
    raise MissingInputError(page.text("no_msmtp", places=places))


@contextlib.contextmanager
def _folder(*, is_kept: bool) -> Iterator[str]:
    """Yield a directory that nobody else can read; it is removed at the end, unless kept."""
    import shutil
    import tempfile

    path = tempfile.mkdtemp(prefix="pillarbox-try-")
    try:
        yield path
    except BaseException:
        is_kept = False
        raise
    finally:
        if not is_kept:
            shutil.rmtree(path, ignore_errors=True)


class _Provider:
    """
    ``pillarbox provider --json`` in a process of its own, which ends with ours.

    The rooms of the house say why it is no import: what listens and what a person types are
    neighbours that do not know each other.
    """

    def __init__(self, folder: str, page: Page) -> None:
        import secrets

        self.password = secrets.token_urlsafe(12)
        self.ca_file = os.path.join(folder, "ca.pem")
        self._page = page
        password_file = os.path.join(folder, "password")
        _write_private(password_file, self.password + "\n")
        # -P: the directory that somebody happens to stand in is no place for modules.
        self._command = [sys.executable, "-P", "-m", "pillarbox", "provider", "--json"]
        self._command += ["--user", USER, "--password-file", password_file]
        self._command += ["--ca-file", self.ca_file]

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe)
        try:
            ready = json.loads(self._first_line() or "null")
        except BaseException:
            self.__exit__()
            raise
        if ready is None:
            self.__exit__()
            raise NetworkError(self._page.text("no_start"))
        self.host, self.port = str(ready["host"]), int(ready["port"])
        return self

    def _first_line(self) -> bytes:
        """Return what it says once it is ready; nothing when it ended or takes too long."""
        import select

        stream = self._process.stdout
        if stream is None:
            return b""
        readable, _, _ = select.select([stream], [], [], _START_S)
        return stream.readline() if readable else b""

    def finish(self) -> list[dict[str, Any]]:
        """End it, and return everything that it told."""
        out, _ = self._process.communicate(timeout=_START_S)
        return [json.loads(line) for line in out.splitlines()]

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_START_S)
            except subprocess.TimeoutExpired:
                process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()


def _write_private(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _write_config(folder: str, provider: _Provider, wishes: Any, page: Page) -> str:
    """Write the msmtprc with the tutorial's keywords, and show it without the password."""
    import secrets

    path = os.path.join(folder, "msmtprc")
    password = secrets.token_urlsafe(12) if wishes.wrong_password else provider.password
    rows = [
        ("account", "default"),
        ("tls", "on"),
        ("tls_trust_file", provider.ca_file),
        ("tls_starttls", "off"),
        ("host", provider.host),
        ("port", str(provider.port)),
        ("auth", "on"),
        ("user", USER),
        ("password", password),
        ("from", SOMEBODY_ELSE if wishes.wrong_from else USER),
    ]
    if wishes.wrong_from:
        rows.append(("repair", "off"))
    _write_private(path, "".join(f"{keyword} {value}\n" for keyword, value in rows))
    page.section("config")
    page.say("config_place", path=path)
    for keyword, value in rows:
        page.row(keyword, "********" if keyword == "password" else value, width=15)
    if not _is_plain(wishes):
        page.say("config_wrong_password" if wishes.wrong_password else "config_wrong_from")
    return path


def _run_msmtp(msmtp: str, config: str, wishes: Any, page: Page) -> int:
    """Run the tutorial's command, show it and what it says, and return its exit code."""
    page.section("run")
    page.line(f'$ echo -e "Subject: {SUBJECT}\\n\\n{BODY}" | msmtp {wishes.to}')
    page.say("run_really")
    environment, prefix = dict(os.environ), ""
    if language_of(os.environ) != wishes.lang:
        environment["LC_ALL"] = _LOCALES[wishes.lang]
        prefix = f"LC_ALL={_LOCALES[wishes.lang]} "
    log = os.path.join(os.path.dirname(config), _LOG)
    command = [msmtp, "-C", config, wishes.to, f"--logfile={log}"]
    page.line(prefix + " ".join(command))
    start = time.monotonic()
    try:
        ended = subprocess.run(
            command,
            input=INPUT,
            env=environment,
            capture_output=True,
            timeout=_SEND_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise DeadlineError(page.text("too_slow", seconds=_SEND_S)) from exc
    code = ended.returncode
    name = f" ({EX_NAMES[code]})" if code in EX_NAMES else ""
    page.say("run_exit", code=code, name=name, seconds=time.monotonic() - start)
    said = (ended.stdout + ended.stderr).splitlines()
    if said:
        page.say("run_stderr")
        for line in said:
            page.line(f"  {printable(line, 2000)}")
    return code


# -- what came of it -------------------------------------------------------------------------------


def _show_session(events: list[dict[str, Any]], wishes: Any, page: Page) -> bool:
    """Show what the provider saw; return whether that was what should have happened."""
    page.section("saw")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_kind.setdefault(event["event"], []).append(event)
    mails, logins = by_kind.get("mail", []), by_kind.get("login", [])
    refused = by_kind.get("refused", [])
    for login in logins if not mails else []:
        page.row(page.text("saw_tls"), login["tls"] or page.text("saw_no_tls"))
        who = f"{login['user']} ({login['mechanism']})"
        page.row(
            page.text("saw_login"),
            who if login["accepted"] else page.text("saw_login_refused", **login),
        )
    for refusal in refused:
        page.row(page.text("saw_refused"), f"{refusal['command']} -> {refusal['reply']}")
    if not events:
        page.say("saw_nothing")
    for mail in mails:
        _show_mail(mail, page)
    if wishes.wrong_password:
        return not mails and any(not login["accepted"] for login in logins)
    if wishes.wrong_from:
        return not mails and any(refusal["reply"].startswith("440") for refusal in refused)
    return len(mails) == 1


def _show_mail(event: dict[str, Any], page: Page) -> None:
    """Show one mail: envelope, header by header, text."""
    page.row(page.text("saw_tls"), event["tls"] or page.text("saw_no_tls"))
    page.row(page.text("saw_login"), f"{event['login']} ({event['mechanism']})")
    page.row("MAIL FROM", f"<{event['reverse_path'] or ''}>")
    for path in event["forward_paths"]:
        page.row("RCPT TO", f"<{path}>")
    page.row(page.text("saw_commands"), ", ".join(_verbs(event["commands"])))
    page.section("mail")
    stream = BytesIO(b64decode(event["content"]))
    headers, start = read_header_section(stream.read)
    for field in headers.fields:
        value, note = field.value, ""
        if not field.raw.isascii():
            note = page.text("mail_raw")
        elif "=?" in value and (decoded := _decode_words(value)) != value:
            value, note = decoded, page.text("mail_encoded")
        page.row(field.name.decode("ascii"), printable(_whole(value)), note=note)
    page.line("")
    text = _text_of(headers, start + stream.read()) or page.text("mail_empty_body")
    for line in text.splitlines():
        page.line(f"  {printable(line, 2000)}")


def _verbs(commands: list[str]) -> Iterator[str]:
    """Yield the commands as a person calls them, without their arguments."""
    for command in commands:
        verb, _, argument = command.partition(" ")
        yield f"AUTH {argument.split(' ')[0]}" if verb.upper() == "AUTH" else verb.upper()


def _whole(value: str) -> str | bytes:
    """Return a header's value as octets if it has any that are no UTF-8, for ``printable``."""
    return value if value.isprintable() else value.encode("utf-8", "surrogateescape")


def _decode_words(value: str) -> str:
    """Return a header's value with its encoded words (RFC 2047) decoded, if they can be."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):
        return value


def _text_of(headers: HeaderSection, body: bytes) -> str:
    """Return the text as a reader sees it: transfer encoding undone, character set applied."""
    if "Content-Type" not in headers:
        return body.decode("utf-8", "backslashreplace")
    from email import message_from_bytes, policy

    whole = message_from_bytes(headers.wire_form() + b"\r\n" + body, policy=policy.default)
    part = whole.get_body(("plain", "html"))
    try:
        return str(part.get_content()) if part is not None else ""
    except (KeyError, LookupError, UnicodeError):
        return body.decode("utf-8", "backslashreplace")


def _show_repairs(folder: str, wishes: Any, page: Page) -> None:
    """Show what msmtp's log says that it repaired, why, and what it would have cost."""
    page.section("repairs")
    rules = list(_repairs(os.path.join(folder, _LOG)))
    if not rules:
        page.say("repairs_none")
        return
    page.say("repairs_intro")
    for rule in rules:
        what, fix = (localize(text, wishes.lang) for text in (rule.what, rule.fix))
        page.item(page.text("repair", what=what, fix=fix), note=_cost(page, [rule]))
    if len(rules) > 1:
        page.line(f"= {page.text('repairs_total')}: {_cost(page, rules)}")
    page.say("repairs_off")


def _repairs(log: str) -> Iterator[Rule]:
    """Yield the rule of each repair in a log, once."""
    from pillarbox.mail.rules import RULE_BY_ID

    with contextlib.suppress(OSError), open(log, encoding="utf-8") as file:
        ids = [line.partition(" repair=")[2].partition(" ")[0] for line in file]
        yield from (RULE_BY_ID[name] for name in dict.fromkeys(ids) if name in RULE_BY_ID)


def _cost(page: Page, rules: list[Rule]) -> str:
    return page.text(
        "cost",
        spamassassin=sum(rule.spamassassin or 0 for rule in rules),
        rspamd=sum(rule.rspamd or 0 for rule in rules),
    )


def _keep(folder: str, events: list[dict[str, Any]]) -> None:
    for event in events:
        if event["event"] == "mail":
            path = os.path.join(folder, "mail.eml")
            _write_private(path, "")
            with open(path, "wb") as file:
                file.write(b64decode(event["content"]))


def _show_end(wishes: Any, page: Page, folder: str, *, is_good: bool) -> None:
    page.section("next")
    if _is_plain(wishes):
        for key in ("config", "host", "console", "printf", "failures"):
            page.item(page.text(f"next_{key}"))
    else:
        page.item(page.text("next_success"))
    page.line("")
    if wishes.keep:
        page.say("kept", path=folder)
    page.say(("good" if _is_plain(wishes) else "good_failure") if is_good else "bad")
