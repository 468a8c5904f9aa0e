"""
The hand-off: a mail goes to the mail service over its Unix socket, and the process is gone.

This is the hot ring. A whole call costs hardly more than starting the interpreter, so nothing
here imports a module of ours, or of the standard library beyond what is built in, before
something has gone wrong; a test holds it to that. No configuration is read. (Annotations are in
quotes here: ``from __future__`` loads a module, and that takes a fiftieth of the whole call.)

1. ``read_call``: the plain shapes of a command line; any other is for ``cli``, which comes back
   with a ``Call`` of its own.
2. ``way``: whether the mail is handed over at all, by the one rule that ``docs/queue.md`` tells.
3. ``hand_over``: the mail goes through a ``talk.Talk``, and is the service's when that is over.

The rule to keep: what is not accepted by the service is reported, and never sent another way.
"""

import posix
import sys
from time import monotonic, sleep

from pillarbox.handoff.call import DIRECT, PROGRAMS, QUEUE, WAIT, WISHES, Call, read_call
from pillarbox.handoff.talk import PAUSE_S, PIECE_BYTES, Talk, commands, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ACCOUNT",
    "DIRECT",
    "QUEUE",
    "SYSTEM",
    "SYSTEM_SOCKET",
    "WAIT",
    "WISHES",
    "Call",
    "drain_input",
    "hand_over",
    "has_input",
    "has_own_configuration",
    "read_call",
    "read_input",
    "socket_of",
    "start",
    "way",
]

SYSTEM_SOCKET = "/run/pillarbox/submit.sock"

# Ways beside ``DIRECT``: to the system's service, or as the account says.
SYSTEM = "system"
ACCOUNT = "account"

_PATIENCE_S = 10.0  # for a service that starts again, or is busy


# -- the way ---------------------------------------------------------------------------------------


def way(
    wish: str, *, changes_sending: bool, has_own_configuration: bool, has_system_socket: bool
) -> str:
    """
    Return which way a call goes; the first line that fits decides.

    Args:
        wish: ``--direct``, ``--queue`` or ``--wait`` without dashes; empty: none was given.
        changes_sending: The command line says how to send (a host, a file of accounts ...).
        has_own_configuration: The user has a configuration file of his own.
        has_system_socket: The socket of the system's service is there, or the environment
            names another one.

    Returns:
        ``DIRECT``, ``SYSTEM``, or ``ACCOUNT``: ``queue on`` of the account, or a wish for the
        queue, hands over to the user's own service or keeps the mail in his own spool; else it
        is sent directly.

    """
    if wish == DIRECT or (changes_sending and not wish):
        return DIRECT
    if has_own_configuration:
        return ACCOUNT
    return SYSTEM if has_system_socket else ACCOUNT


def has_own_configuration(environment: "Mapping[bytes, bytes]") -> bool:
    """Whether the user has a configuration file where ``config.load`` looks for one."""
    home = environment.get(b"HOME") or _home()
    config_home = environment.get(b"XDG_CONFIG_HOME") or home + b"/.config"
    return _is_there(home + b"/.msmtprc") or _is_there(config_home + b"/msmtp/config")


def _home() -> bytes:
    import pwd

    try:
        return pwd.getpwuid(posix.getuid()).pw_dir.encode("utf-8", "surrogateescape")
    except KeyError:
        return b""


def _is_there(path: "bytes | str") -> bool:
    try:
        posix.stat(path)
    except PermissionError:
        try:
            posix.lstat(path)  # it is his; why it cannot be read is for ``config.load`` to say
        except OSError:
            return False
    except (OSError, ValueError):
        return False
    return True


def socket_of(environment: "Mapping[bytes, bytes]") -> str:
    """Return the path of the system's socket if it is to be used; empty: there is none."""
    named = environment.get(b"PILLARBOX_SOCKET")
    if named:
        return named.decode("utf-8", "surrogateescape")  # there or not: it is what he wants
    return SYSTEM_SOCKET if _is_there(SYSTEM_SOCKET) else ""


# -- the start -------------------------------------------------------------------------------------


def start() -> "BaseException | None":
    """
    Hand the mail over and end the process, if that is the way of this call.

    The name that the process was called by decides what the options mean, as in ``cli.main``.

    Returns:
        None when it is not, and nothing was done; else why it failed, for ``cli.main.run``.

    """
    program = sys.argv[0].rpartition("/")[2]
    environment = posix.environ
    if program not in PROGRAMS or b"POSIXLY_CORRECT" in environment:
        return None
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        return None  # what we open would be taken for one of them
    call = read_call(program, sys.argv[1:])
    if call is None:
        return None
    path = socket_of(environment)
    is_own = has_own_configuration(environment)
    chosen = way(
        call.wish,
        changes_sending=False,
        has_own_configuration=is_own,
        has_system_socket=bool(path),
    )
    if chosen != SYSTEM:
        return None
    try:
        hand_over(call, path, read_input, has_input)
    except Exception as exc:  # noqa: BLE001 (``cli.main.run`` knows what each becomes)
        drain_input()
        return exc
    except BaseException as exc:  # noqa: BLE001 (``cli.main.run`` knows what each becomes)
        return exc
    posix._exit(0)  # noqa: SLF001 (public as ``os._exit``)


# -- the mail --------------------------------------------------------------------------------------


def hand_over(
    call: Call,
    path: str,
    read: "Callable[[int], bytes]",
    has_input: "Callable[[float], bool]" = lambda _: True,
) -> None:
    """
    Give the mail to the service, durably: it has it when this returns. Blocks.

    Args:
        call: What is asked for.
        path: The socket.
        read: Gives up to so many octets of the content, ``b""`` at its end.
        has_input: Waits up to so many seconds until ``read`` would not block; whether it is so.

    Raises:
        PillarboxError: The service does not have it; ``exit_code`` tells what to do.

    """
    first, is_whole = _first_piece(read)
    head = commands(call, len(first) if is_whole else 0)
    until_s = monotonic() + _PATIENCE_S
    while True:
        talk = Talk(connect(path, until_s), path, call)
        try:
            if is_whole and len(call.recipients) == 1:
                # Nobody else is concerned when a command is refused: all at once.
                talk.write_last(first, head)
            else:
                talk.write(b"".join(head))
                talk.read_replies(1 + len(head))
                talk.write_content(first, read, has_input, is_whole=is_whole)
            talk.read_end()
        finally:
            talk.close()
        if not talk.is_turned_away or monotonic() > until_s:
            break
        sleep(PAUSE_S)
    talk.judge()


def _first_piece(read: "Callable[[int], bytes]") -> "tuple[bytes, bool]":
    """Return the first piece of the content, and whether it is all of it."""
    pieces: list[bytes] = []
    size_bytes = 0
    while size_bytes < PIECE_BYTES:
        piece = read(PIECE_BYTES - size_bytes)
        if not piece:
            return b"".join(pieces), True
        pieces.append(piece)
        size_bytes += len(piece)
    return b"".join(pieces), False


def read_input(size: int) -> bytes:
    """
    Read from standard input. Blocks; ``b""`` is its end.

    Raises:
        InputOutputError: It cannot be read.

    """
    while True:
        try:
            return posix.read(0, size)
        except BlockingIOError:
            # Whoever has the other end made it non-blocking for both of us.
            from select import select

            select((0,), (), ())
        except OSError as exc:
            from pillarbox.handoff.faults import unreadable_input

            raise unreadable_input(exc) from exc


def has_input(timeout_s: float) -> bool:
    """Wait until standard input has something to read, its end perhaps."""
    from select import POLLIN, poll

    waiting = poll()
    waiting.register(0, POLLIN)
    return bool(waiting.poll(timeout_s * 1000))


def drain_input() -> None:
    """Read what the caller still writes: killed by SIGPIPE, it would not see our exit code."""
    from pillarbox.errors import InputOutputError

    try:
        kind = posix.fstat(0).st_mode & 0o170000
        while kind in (0o010000, 0o140000) and read_input(PIECE_BYTES):  # a pipe, a socket
            pass
    except (OSError, InputOutputError):
        return
