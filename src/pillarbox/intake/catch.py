"""
``pillarbox catch``: take every mail, send none, and show it. For those who write programs.

Any login, any sender and any recipient is fine. What a program would have sent is printed as a
page, as one line of JSON, or put into a directory as files. The rule to keep: nothing from a mail
reaches the terminal or a file name but what cannot harm there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from base64 import b64encode
from itertools import count
from time import localtime, strftime
from typing import TYPE_CHECKING

from pillarbox.errors import EX_OK, InputOutputError, NetworkError, PillarboxError, UsageError
from pillarbox.intake.driver import Handler, Limits, Listener
from pillarbox.intake.sockets import FOR_OWNER, make_socket
from pillarbox.mail.reply import printable
from pillarbox.smtp.server_session import ServerOptions
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import EmailMessage
    from typing import Any, NoReturn

    from pillarbox.intake.driver import Session
    from pillarbox.mail.reply import Reply
    from pillarbox.smtp.server_session import (
        AuthAttempt,
        ContentEnded,
        MailRequested,
        RecipientRequested,
    )

__all__ = ["CatchHandler", "main"]

_PORT = 2525
_KEYWORDS = (
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "AUTH PLAIN LOGIN",
)
_MAX_BYTES = 64 << 20  # of one mail: it is held in memory
_SHOWN_LINES = 60
_SHOWN_WIDTH = 200
_SHOWN_FIELDS = ("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID")


def main(argv: Sequence[str]) -> int:
    """
    Run ``pillarbox catch`` until Ctrl-C.

    Raises:
        UsageError: The arguments are wrong.
        NetworkError: The port cannot be had.
        ConfigError, SpoolError: The socket cannot be made.
        InputOutputError: The directory cannot be written.

    """
    arguments = _parse_arguments(argv)
    asyncio.run(_catch(arguments))
    return EX_OK


async def _catch(arguments: Any) -> None:
    show = _page if not arguments.json else _json_line
    keep = _Folder(arguments.dir).keep if arguments.dir else None

    def take(mail: dict[str, Any], content: bytes) -> None:
        if keep is not None:
            mail["file"] = keep(content)
        _print(show(mail, content))

    listener = Listener(
        lambda session: CatchHandler(session, take),
        ServerOptions(
            hostname="localhost",
            greeting="localhost ESMTP pillarbox catch: nothing is sent",
            keywords=_KEYWORDS,
            may_login_in_clear=True,
            max_size_bytes=_MAX_BYTES,
            takes_scripts=True,
            takes_bare_newlines=True,  # shown as they are: somebody wants to see them
        ),
        limits=Limits(takes_early_talkers=True),
        on_fault=_on_fault,
    )
    where = []
    if arguments.socket:
        await listener.listen_on(make_socket(arguments.socket, FOR_OWNER))
        where.append(arguments.socket)
    if arguments.port is not None or not arguments.socket:
        sock = _bind(_PORT if arguments.port is None else arguments.port)
        await listener.listen_on(sock)
        where.append(f"127.0.0.1:{sock.getsockname()[1]}")
    _print(
        json.dumps({"event": "ready", "at": where})
        if arguments.json
        else f"catching mail at {' and '.join(where)}; nothing is sent. Ctrl-C ends it."
    )
    ends = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ends.set)
    await ends.wait()
    await listener.close()
    if arguments.socket:
        with contextlib.suppress(OSError):
            os.unlink(arguments.socket)


class CatchHandler(Handler):
    """
    Take everything.

    Args:
        session: The session.
        take: Called with what is known of a mail, and its content.

    """

    def __init__(self, session: Session, take: Callable[[dict[str, Any], bytes], None]) -> None:
        super().__init__(session)
        self._take = take
        self._sender = ""
        self._parameters: dict[str, Any] = {}
        self._recipients: list[str] = []
        self._content = bytearray()

    async def login_attempted(self, _: AuthAttempt) -> Reply | None:
        """Let everybody in; what they said is nobody's business."""
        return None

    async def mail_requested(self, event: MailRequested) -> Reply | None:
        """Note the sender."""
        self._sender = str(event.reverse_path or "")
        given = event.parameters
        wishes = {
            "size": given.size_bytes,
            "body": given.body,
            "smtputf8": given.is_smtputf8,
            "ret": given.ret,
            "envid": given.envid,
        }
        self._parameters = {name: value for name, value in wishes.items() if value}
        return None

    async def recipient_requested(self, event: RecipientRequested) -> Reply | None:
        """Note a recipient."""
        self._recipients.append(str(event.forward_path))
        return None

    async def content_received(self, chunk: bytes) -> None:
        """Keep a piece."""
        self._content += chunk

    async def content_ended(self, _: ContentEnded) -> Reply | None:
        """Show the mail."""
        mail = {
            "event": "mail",
            "from": self._sender,
            "to": list(self._recipients),
            "parameters": dict(self._parameters),
            "login": self.session.server.login,
            "hello": self.session.server.hello_name,
        }
        await asyncio.to_thread(self._take, mail, bytes(self._content))
        return None

    async def transaction_ended(self) -> None:
        """Forget the mail."""
        self._recipients = []
        self._content = bytearray()


class _Folder:
    """A directory that each mail is put into."""

    def __init__(self, path: str) -> None:
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
        except OSError as exc:
            problem = say(
                "cannot make the directory {path}: {reason}", path=path, reason=exc.strerror
            )
            raise InputOutputError(problem) from exc
        self._path = path
        self._numbers = count(1)

    def keep(self, content: bytes) -> str:
        """Write a mail into a new file, and return its path."""
        while True:
            name = f"{strftime('%Y%m%d-%H%M%S', localtime())}-{next(self._numbers):04}.eml"
            path = os.path.join(self._path, name)
            try:
                with open(path, "xb") as file:
                    file.write(content)
            except FileExistsError:
                continue  # of another run in the same second
            except OSError as exc:
                problem = say("cannot write to {path}: {reason}", path=path, reason=exc.strerror)
                raise InputOutputError(problem) from exc
            return path


# -- showing ---------------------------------------------------------------------------------------


def _json_line(mail: dict[str, Any], content: bytes) -> str:
    return json.dumps(mail | {"content": b64encode(content).decode("ascii")})


def _page(mail: dict[str, Any], content: bytes) -> str:
    """Return a mail for a person: envelope, the fields that people look at, text, parts."""
    from email import message_from_bytes, policy

    message: EmailMessage = message_from_bytes(content, policy=policy.default)
    login = f" (logged in as {printable(mail['login'])})" if mail["login"] else ""
    lines = [
        "-" * 72,
        f"envelope  <{mail['from']}> to {', '.join(f'<{path}>' for path in mail['to'])}{login}",
    ]
    if "file" in mail:
        lines.append(f"file      {printable(mail['file'], 1000)}")
    for name in _SHOWN_FIELDS:
        lines += [f"{name + ':':10}{_field(value)}" for value in _values(message, name)]
    lines.append("")
    shown = _text_of(message, content).splitlines()
    lines += [printable(line, _SHOWN_WIDTH) for line in shown[:_SHOWN_LINES]]
    if len(shown) > _SHOWN_LINES:
        lines.append(f"... {len(shown) - _SHOWN_LINES} lines more")
    lines += [f"[{part}]" for part in _parts_of(message)]
    return "\n".join(lines)


def _values(message: EmailMessage, name: str) -> list[object]:
    try:
        return message.get_all(name, [])
    except Exception:  # noqa: BLE001 (the library trips over some headers: they are shown raw)
        raw = [value for key, value in message.raw_items() if key.lower() == name.lower()]
        return list(raw)


def _field(value: object) -> str:
    return printable(" ".join(str(value).split()), _SHOWN_WIDTH)


def _text_of(message: EmailMessage, content: bytes) -> str:
    """Return the text that a person would read; the raw one where there is no such part."""
    with contextlib.suppress(Exception):  # broken MIME is what such a tool is for
        part = message.get_body(("plain", "html"))
        if part is not None:
            return str(part.get_content())
    content = content.replace(b"\r\n", b"\n")
    return content.partition(b"\n\n")[2].decode("utf-8", "backslashreplace")


def _parts_of(message: EmailMessage) -> list[str]:
    parts = []
    try:
        for part in message.iter_attachments():
            name = printable(part.get_filename() or "no name", 100)
            payload = part.get_payload(decode=True) or b""
            parts.append(f"{part.get_content_type()}, {name}, {len(payload)} octets")
    except Exception:  # noqa: BLE001 (as above)
        parts.append("parts that cannot be read")
    return parts


def _print(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # who started us is gone, and the end near
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _on_fault(exc: BaseException) -> None:
    problem = str(exc) if isinstance(exc, PillarboxError) else f"internal: {type(exc).__name__}"
    print(f"pillarbox catch: {printable(problem)}", file=sys.stderr)


# -- the command line ------------------------------------------------------------------------------


def _bind(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    except OSError as exc:
        sock.close()
        where = f"127.0.0.1:{port}"
        problem = say("cannot listen at {path}: {reason}", path=where, reason=exc.strerror)
        advice = say("choose another with --port, or 0 for any that is free")
        raise NetworkError(problem, peer=where, advice=advice) from exc
    return sock


def _parse_arguments(argv: Sequence[str]) -> Any:
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message, advice=say("'pillarbox catch --help' lists the options"))

    parser = Parser(
        prog="pillarbox catch",
        description="Take every mail that a program of this computer sends by SMTP, show it, and"
        " send nothing. Any login is right.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=_port, help=f"the port at 127.0.0.1 (default: {_PORT})")
    parser.add_argument(
        "--socket", default="", metavar="PATH", help="a Unix socket in place of it, or beside it"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON for each mail")
    parser.add_argument("--dir", default="", help="put each mail into a file of this directory")
    return parser.parse_args(list(argv))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 1 << 16):
        import argparse

        raise argparse.ArgumentTypeError("there is no such port")
    return int(text)
