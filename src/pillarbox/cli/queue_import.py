"""
``pillarbox queue import``: the mails that msmtpq left waiting.

msmtpq keeps a mail as two files, ``ID.mail`` and ``ID.msmtp``: the mail, and msmtp's arguments on
one line. Each pair goes the way of ``msmtp --queue ARGUMENTS < mail`` (the mail service, or the
user's own queue), and when that has it, durably, the pair is moved into ``imported`` beside them.
Killed in between, the next run puts that one mail in again; none is ever lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from pillarbox.cli.main import complain, spoken
from pillarbox.cli.queue_talk import said_yes
from pillarbox.errors import (
    EX_OK,
    DataError,
    InputOutputError,
    MissingInputError,
    PillarboxError,
    SpoolError,
    UsageError,
)
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DONE", "Pair", "find_pairs", "folder_of", "import_queue", "split_arguments"]

DONE = "imported"  # the folder for pairs that the queue has now
_LOCK = ".lock"  # a directory: msmtpq's own lock
_SHOWN = ("From", "To", "Subject")
_START = (
    "import sys; sys.path.insert(0, {!r}); sys.argv[0] = 'msmtp';"
    " from pillarbox.cli.main import run; run('msmtp')"
)


class Pair(Value):
    """
    A mail of msmtpq.

    Attributes:
        mail: The file with the mail.
        arguments: What msmtp was to be called with.

    """

    __slots__ = ("arguments", "mail")

    def __init__(self, mail: Path, arguments: tuple[str, ...]) -> None:
        self.mail = mail
        self.arguments = arguments


def folder_of(given: str, environment: Mapping[str, str]) -> Path:
    """Return where msmtpq's queue is: as it was given, else as msmtpq finds it."""
    name = given or environment.get("MSMTPQ_Q") or environment.get("Q") or "~/.msmtp.queue"
    return Path(name).expanduser()


def find_pairs(folder: Path) -> Iterator[Pair]:
    """
    Yield what waits in a queue of msmtpq, the oldest first: its IDs begin with the time.

    Raises:
        MissingInputError: There is no such queue, or it cannot be read.

    """
    try:
        found = sorted(folder.glob("*.msmtp"))
        if not found and not folder.is_dir():
            raise FileNotFoundError(2, os.strerror(2))
        for file in found:
            mail = file.with_suffix(".mail")
            if mail.is_file():
                line = file.read_text("utf-8", "surrogateescape")
                yield Pair(mail, tuple(split_arguments(line)))
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise MissingInputError(
            say("cannot read {path}: {reason}", path=str(folder), reason=reason)
        ) from exc


def split_arguments(line: str) -> Iterator[str]:
    """
    Yield the arguments that msmtpq wrote down with a space between any two.

    A full name had spaces of its own (``-F John Q Public -- to@example.org``): what follows it,
    up to an option or an address, was part of it.
    """
    words = line.split()
    while words:
        word = words.pop(0)
        if word in ("-F", "--from-full-name", "--from_full_name") or word.startswith(
            ("-F", "--from-full-name=", "--from_full_name=")
        ):
            value = [] if "=" in word or (word != "-F" and word[:2] == "-F") else words[:1]
            words = words[len(value) :]
            while words and not words[0].startswith("-") and "@" not in words[0]:
                value.append(words.pop(0))
            yield from _joined(word, value)
        else:
            yield word


def _joined(word: str, value: list[str]) -> Iterator[str]:
    if word in ("-F", "--from-full-name", "--from_full_name"):
        yield word
        yield " ".join(value)
    else:
        yield " ".join((word, *value))


def import_queue(given: str, *, may: bool) -> int:
    """
    Take over what waits, after a person has agreed.

    Args:
        given: The folder; empty: msmtpq's own.
        may: He has agreed already.

    Returns:
        0: all of it is in the queue; else the code of the first that is not.

    Raises:
        MissingInputError: There is no such folder.
        UsageError: Nobody can be asked.
        SpoolError: msmtpq is at work in it.

    """
    folder = folder_of(given, os.environ)
    pairs = list(find_pairs(folder))
    if not pairs:
        print(spoken(say("no mail waits")))
        return EX_OK
    for pair in pairs:
        _show(pair)
    if not may:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(say("nobody can be asked"), advice=say("add --yes"))
        if not said_yes(say("Put them into the queue?"), len(pairs)):
            return EX_OK
    worst = EX_OK
    with _locked(folder):
        for pair in pairs:
            code = _take_over(pair, folder)
            worst = worst or code
    return worst


def _show(pair: Pair) -> None:
    print(f"{pair.mail.stem}  msmtp {printable(' '.join(pair.arguments), 500)}")
    try:
        with pair.mail.open("rb") as file:
            section, _ = read_header_section(file.read)
    except (OSError, DataError):
        return  # msmtp has the words for it
    for name in _SHOWN:
        value = section.first(name)
        if value:
            print(f"    {name}: {printable(value)}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = folder / _LOCK
    try:
        lock.mkdir()
    except FileExistsError as exc:
        problem = say("msmtpq works in {path}", path=str(folder))
        raise SpoolError(problem, advice=say("if it does not, remove {lock}", lock=lock)) from exc
    except OSError as exc:
        raise _failed(folder, exc) from exc
    try:
        yield
    finally:
        lock.rmdir()


def _take_over(pair: Pair, folder: Path) -> int:
    """Put one mail into the queue, and its files aside; return what msmtp returned."""
    # Beside the package, wherever it is: the child knows nothing of our own path.
    package = str(Path(__file__).parent.parent.parent)
    command = [sys.executable, "-I", "-S", "-c", _START.format(package), "--queue"]
    try:
        with pair.mail.open("rb") as mail:
            code = subprocess.run([*command, *pair.arguments], stdin=mail, check=False).returncode
        if code != EX_OK:
            raise _NotTakenError(code, pair.mail.stem)
        done = folder / DONE
        done.mkdir(mode=0o700, exist_ok=True)
        for file in (pair.mail, pair.mail.with_suffix(".msmtp")):
            file.rename(done / file.name)
    except OSError as exc:
        failure: PillarboxError = _failed(folder, exc)
    except PillarboxError as exc:
        failure = exc
    else:
        text = say("is in the queue")
        print(f"{pair.mail.stem}  {spoken(text)}")
        return EX_OK
    complain("pillarbox queue", failure)
    return failure.exit_code


class _NotTakenError(PillarboxError):
    def __init__(self, code: int, name: str) -> None:
        super().__init__(
            say("{name} is not in the queue: msmtp ended with code {code}", name=name, code=code),
            advice=say("it stays where it is; put its .msmtp file right, and import again"),
        )
        self.exit_code = code if code > 0 else SpoolError.exit_code


def _failed(folder: Path, exc: OSError) -> InputOutputError:
    reason = exc.strerror or str(exc)
    return InputOutputError(
        say("cannot write in {path}: {reason}", path=str(folder), reason=reason)
    )
