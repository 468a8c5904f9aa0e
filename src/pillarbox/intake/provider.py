"""
A mail provider inside this computer, that behaves like Aliyun enterprise mail.

For ``pillarbox try``, for tests, and for whoever wants to see what a program really sends: on
loopback only, with a certificate made on the spot; it takes mail, keeps it in memory and sends
nothing. How Aliyun talks is in ``aliyun``; here is the thread that it runs in, and the command.

``pillarbox provider --json`` speaks lines of JSON on standard output, each with an ``event``:

``ready``
    ``host``, ``port``, ``ca_file``, ``user``: it listens.
``login``
    ``user``, ``mechanism``, ``accepted``, ``tls``: somebody tried to log in.
``refused``
    ``command``, ``reply``: the provider refused something.
``mail``
    ``reverse_path`` (null for ``<>``), ``forward_paths``, ``login``, ``mechanism``, ``tls``,
    ``hello``, ``commands``, ``size_bytes``, ``content`` (base64): a mail was taken.

With ``--json`` it ends when its standard input does, so that it never outlives who started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import sys
import threading

from pillarbox.errors import (
    EX_OK,
    InputOutputError,
    MissingExtraError,
    MissingInputError,
    NetworkError,
    UsageError,
)
from pillarbox.intake.aliyun import ALIYUN, AliyunHandler, Desk, ProviderOptions, ReceivedMail
from pillarbox.intake.driver import Listener
from pillarbox.mail.reply import printable
from pillarbox.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Self

__all__ = ["ALIYUN", "EmbeddedProvider", "ProviderOptions", "ReceivedMail", "main"]

_HOST = "127.0.0.1"
_START_S = 30.0  # making a certificate takes 0.1 s; a machine under load gets time


class EmbeddedProvider:
    """
    The provider, running in a thread of its own while its ``with`` block does.

    Args:
        options: What it offers and whom it knows.
        ca_file: Where the certificate of its authority is written (PEM); empty: a file of its
            own, removed at the end.
        watch: Told of everything that happens, as the JSON lines are, from the other thread.

    Attributes:
        host: The address that it listens on.
        port: The port; 0 on a Unix socket.
        ca_file: The file that a client trusts; empty without TLS.
        faults: Exceptions that should not have happened.

    """

    def __init__(
        self,
        options: ProviderOptions | None = None,
        *,
        ca_file: str = "",
        watch: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.options = options or ProviderOptions()
        self.host = _HOST
        self.port = 0
        self.ca_file = ca_file
        self.faults: list[BaseException] = []
        self._desk = Desk(self.options, watch)
        self._owns_ca_file = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def __enter__(self) -> Self:
        """
        Start it; it listens from then on.

        Raises:
            MissingExtraError: There is no trustme to make a certificate with.
            InputOutputError: Its certificate cannot be written.
            NetworkError: The port or path cannot be had.

        """
        self._context = self._make_context()
        self._thread.start()
        self._is_ready.wait(_START_S)
        if self.faults or not self._is_ready.is_set():
            self._remove_ca_file()
            cause = self.faults[0] if self.faults else None
            problem = f"the provider could not be started: {cause or 'it takes too long'}"
            raise NetworkError(problem, peer=self.options.unix_path or self.host) from cause
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)
        self._remove_ca_file()

    @property
    def mails(self) -> list[ReceivedMail]:
        """What was taken so far."""
        return self._desk.mails

    def wait_for_mails(self, count: int, timeout_s: float = 10.0) -> list[ReceivedMail]:
        """
        Return the mails as soon as there are so many. Blocks.

        Raises:
            DeadlineError: There were fewer when the time was over.

        """
        return self._desk.wait_for_mails(count, timeout_s)

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:  # noqa: BLE001 (told to who started the thread)
            self.faults.append(exc)
        finally:
            self._is_ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_loop_fault)
        self._stop = asyncio.Event()
        options = self.options
        listener = Listener(
            lambda session: AliyunHandler(session, self._desk),
            options.server_options(),
            tls=self._context,
            is_tls_implicit=options.tls == "implicit" and not options.unix_path,
            limits=options.limits,
            on_fault=self.faults.append,
        )
        try:
            if options.unix_path:
                await listener.listen_unix(options.unix_path)
            else:
                self.port = await listener.listen(self.host, options.port)
            self._is_ready.set()
            await self._stop.wait()
        finally:
            await listener.close()

    def _on_loop_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exc = context.get("exception") or RuntimeError(context.get("message", ""))
        if not isinstance(exc, OSError):  # a connection that broke is nobody's fault
            self.faults.append(exc)

    def _make_context(self) -> ssl.SSLContext | None:
        """Make an authority and a certificate, and write what a client has to trust."""
        if self.options.tls == "none" or self.options.unix_path:
            return None
        try:
            import trustme
        except ImportError:
            raise MissingExtraError("pillarbox try", "try") from None

        authority = trustme.CA(organization_name="pillarbox try")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        authority.issue_cert("localhost", _HOST, "::1").configure_cert(context)
        try:
            self._write_ca_file(authority.cert_pem.bytes())
        except OSError as exc:
            msg = f"the provider's certificate could not be written: {exc.strerror}"
            raise InputOutputError(msg) from exc
        return context

    def _write_ca_file(self, pem: bytes) -> None:
        if not self.ca_file:
            import tempfile

            descriptor, self.ca_file = tempfile.mkstemp(prefix="pillarbox-ca-", suffix=".pem")
            os.close(descriptor)
            self._owns_ca_file = True
        with open(self.ca_file, "wb") as file:
            file.write(pem)

    def _remove_ca_file(self) -> None:
        if self._owns_ca_file:
            self._owns_ca_file = False
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.ca_file)


# -- the subcommand --------------------------------------------------------------------------------


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox provider``: until Ctrl-C, or with ``--json`` until standard input ends.

    Raises:
        UsageError: The arguments are wrong.
        MissingInputError: The password file cannot be read.
        InputOutputError: A file of ours cannot be written.
        MissingExtraError: There is no trustme.
        NetworkError: The port cannot be had.

    """
    import signal

    arguments = _parse_arguments(argv)
    say = _say_json if arguments.json else _say_plainly
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        path = arguments.password_file or _make_password_file(stack)
        options = ProviderOptions(
            user=arguments.user, password=_read_password(path), port=arguments.port
        )
        provider = EmbeddedProvider(options, ca_file=arguments.ca_file, watch=say)
        stack.enter_context(provider)
        ready = {"host": provider.host, "port": provider.port, "ca_file": provider.ca_file}
        say({"event": "ready", **ready, "user": options.user, "password_file": path})
        if arguments.json:
            sys.stdin.buffer.read()
        else:
            threading.Event().wait()
    return EX_OK


def _parse_arguments(argv: list[str]) -> Any:
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> Any:
            raise UsageError(message, advice="'pillarbox provider --help' lists the options")

    parser = Parser(
        prog="pillarbox provider",
        description="A mail provider inside this computer, like Aliyun enterprise mail:"
        " it takes mail over TLS, shows it and sends nothing.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument("--user", default="no-reply@example.com", help="its one account")
    parser.add_argument(
        "--password-file", default="", help="its first line is the password (default: a new one)"
    )
    parser.add_argument("--ca-file", default="", help="where to write what a client has to trust")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each event")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.port <= _MAX_PORT:
        parser.error(f"there is no port {arguments.port}")
    return arguments


_MAX_PORT = 65535


def _make_password_file(stack: contextlib.ExitStack) -> str:
    """Write a new password to a file that nobody else can read; it is removed with the stack."""
    import secrets
    import tempfile

    try:
        descriptor, path = tempfile.mkstemp(prefix="pillarbox-password-")
        stack.callback(os.unlink, path)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(12) + "\n")
    except OSError as exc:
        msg = f"no password could be written: {exc.strerror}"
        raise InputOutputError(msg) from exc
    return path


def _read_password(path: str) -> Secret:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return Secret(file.readline().rstrip("\r\n"))
    except OSError as exc:
        raise MissingInputError(f"cannot read {path}: {exc.strerror}") from exc


def _say_json(event: dict[str, Any]) -> None:
    import json

    _say(json.dumps(event))


def _say_plainly(event: dict[str, Any]) -> None:
    """Say for a person what happened."""
    match event["event"]:
        case "ready":
            _say(f"listening:      {event['host']}, port {event['port']}, implicit TLS")
            _say(f"tls_trust_file  {event['ca_file']}")
            _say(f"user            {event['user']}")
            _say(f"password        the first line of {event['password_file']}")
            _say("Ctrl-C ends it.")
        case "login":
            answer = "accepted" if event["accepted"] else "refused"
            _say(f"login of {event['user']} by {event['mechanism']}: {answer}")
        case "refused":
            _say(f"{event['command']}: {event['reply']}")
        case "mail":
            _say(
                f"mail from <{event['reverse_path'] or ''}> to {', '.join(event['forward_paths'])}:"
            )
            _say_content(event["content"])


def _say_content(encoded: str) -> None:
    from base64 import b64decode

    for line in b64decode(encoded).split(b"\r\n")[:_SHOWN_LINES]:
        _say(f"    {printable(line)}")


_SHOWN_LINES = 40


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # who started us is gone, and the end near
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
