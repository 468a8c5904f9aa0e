"""What ``msmtp`` asks a server without sending a mail: ``--serverinfo`` and ``--rmqs``."""

from __future__ import annotations

import os

from pillarbox.cli.direct import prepare, show_account
from pillarbox.cli.main import spoken, tell
from pillarbox.cli.sending import program_name
from pillarbox.config.account import FIELD_BY_NAME
from pillarbox.delivery.report import trouble_lines
from pillarbox.delivery.submit import connect_for
from pillarbox.errors import EX_DATAERR, EX_OK, EX_PROTOCOL, EX_UNAVAILABLE
from pillarbox.mail.status import Trouble
from pillarbox.text import language_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.cli.sending import SendRequest
    from pillarbox.delivery.attempt import Connection

__all__ = ["show_server", "start_remote_queue"]


def show_server(request: SendRequest) -> int:
    """
    Print what a server says of itself; never logs in. Blocks.

    Returns:
        The exit code.

    Raises:
        PillarboxError: It never came to a connection.

    """
    from pillarbox.cli.serverinfo import server_lines

    prepared = prepare(request)
    if request.is_pretending or request.is_debugging:
        show_account(request, prepared, is_sending=False)
    if request.is_pretending:
        return EX_OK
    account = prepared.account.copy()
    account.set(FIELD_BY_NAME["auth"], "off", "--serverinfo")
    connection = connect_for(account, environment=os.environ, show=_show(request))
    try:
        trouble = connection.open()
        if trouble is not None:
            return _tell(connection, trouble)
        lines = list(server_lines(connection, account))
    finally:
        connection.close()
    for line in lines:  # behind the dialogue, which --debug shows
        print(line)
    return EX_OK


def start_remote_queue(request: SendRequest, argument: str) -> int:
    """
    Ask the server to send what it holds for us (RFC 1985, Remote Message Queue Starting).

    Args:
        request: What the command line asks for.
        argument: ETRN's: a host, ``@domain`` or ``#queue``.

    Returns:
        The exit code.

    Raises:
        PillarboxError: It never came to a connection.

    """
    prepared = prepare(request)
    if request.is_pretending or request.is_debugging:
        show_account(request, prepared, is_sending=False)
        print(f"RMQS argument = {argument}")
    if request.is_pretending:
        return EX_OK
    connection = connect_for(prepared.account, environment=os.environ, show=_show(request))
    try:
        trouble = connection.open()
        if trouble is not None:
            return _tell(connection, trouble)
        client = connection.client
        if client is not None and "ETRN" not in client.capabilities:
            lacking = say("the server does not support Remote Message Queue Starting")
            tell(program_name(), spoken(lacking))
            return EX_UNAVAILABLE
        reply = connection.ask(argument)
        if reply is None:
            trouble = connection.trouble
            assert trouble is not None  # no answer, so the connection has one
            return _tell(connection, trouble)
    finally:
        connection.close()
    if reply.is_positive:
        return EX_OK
    code, problem = _etrn_refusal(reply.code, argument)
    trouble = Trouble(scope="site", stage="ETRN", problem=problem, exit_code=code, reply=reply)
    return _tell(connection, trouble)


def _etrn_refusal(code: int, argument: str) -> tuple[int, str]:
    """Return msmtp's exit code for what a server may answer to ETRN (RFC 1985 5), and a text."""
    if code == 458:
        problem = say("unable to queue messages for node {argument}", argument=argument)
        return EX_UNAVAILABLE, problem
    if code == 459:
        return EX_UNAVAILABLE, say("node {argument} not allowed", argument=argument)
    if code == 500:
        problem = say("the server does not understand ETRN {argument}", argument=argument)
        return EX_DATAERR, problem
    if code == 501:
        problem = say("the server does not accept the argument {argument}", argument=argument)
        return EX_DATAERR, problem
    return EX_PROTOCOL, say("ETRN {argument} was refused", argument=argument)


def _show(request: SendRequest) -> Callable[[str], None] | None:
    return print if request.is_debugging else None


def _tell(connection: Connection, trouble: Trouble) -> int:
    """Say why there is no session, and return its exit code."""
    language = language_of(os.environ)
    for line in trouble_lines(trouble, connection.route.secret, language):
        tell(program_name(), line)
    return trouble.exit_code
