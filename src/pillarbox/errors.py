"""
Every exception that pillarbox raises on purpose, and the exit code of each.

A refusal by the server is *not* here: it is a value (``mail.status.RecipientStatus``), one for
every forward-path. Exceptions are for the rest::

    PillarboxError                      70
    ├── UsageError                      64   the command line is wrong
    ├── ConfigError                     78   a configuration file, or what it asks for, is wrong
    ├── DataError                       65   this mail cannot be sent as it is
    ├── MissingInputError               66   a file that the configuration names cannot be read
    ├── MissingExtraError               69   an optional feature is not installed
    ├── CredentialError                 69   no password or token could be found
    ├── InputOutputError                74   standard input or a log failed
    ├── SpoolError                      75   the spool cannot be used, or did not take a mail
    │   ├── SpoolFullError              75   there is no room, or somebody has used up his share
    │   ├── EntryNotFoundError          66   there is no such entry
    │   └── CorruptEntryError           65   an entry cannot be understood
    ├── NetworkError                    75   connecting, reading or writing failed
    │   ├── HostNotFoundError           68   the name does not exist
    │   └── DeadlineError               75   the other side took longer than it was given
    ├── TlsError                        69   no secured connection was made
    │   └── CertificateError            69   the server could not prove who it is
    ├── LocalProtocolError              70   the engine was used wrongly: a bug
    └── RemoteProtocolError             76   the server broke the protocol

Facts are fields; ``str()`` makes the sentence: what failed, where, what the other side said,
what to do next. It is English; ``localize`` takes ``sentence`` and ``advice`` to another language
where they were made by ``say``. Exit codes are those of sysexits.h.
"""

from __future__ import annotations

from pillarbox.text import say

__all__ = [
    "EX_CONFIG",
    "EX_DATAERR",
    "EX_IOERR",
    "EX_NAMES",
    "EX_NOHOST",
    "EX_NOINPUT",
    "EX_NOPERM",
    "EX_NOUSER",
    "EX_OK",
    "EX_OSERR",
    "EX_PROTOCOL",
    "EX_SOFTWARE",
    "EX_TEMPFAIL",
    "EX_UNAVAILABLE",
    "EX_USAGE",
    "CertificateError",
    "ConfigError",
    "CorruptEntryError",
    "CredentialError",
    "DataError",
    "DeadlineError",
    "EntryNotFoundError",
    "HostNotFoundError",
    "InputOutputError",
    "LocalProtocolError",
    "MissingExtraError",
    "MissingInputError",
    "NetworkError",
    "PillarboxError",
    "RemoteProtocolError",
    "SpoolError",
    "SpoolFullError",
    "TlsError",
    "UsageError",
]

EX_OK = 0
EX_USAGE = 64
EX_DATAERR = 65
EX_NOINPUT = 66
EX_NOUSER = 67
EX_NOHOST = 68
EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_OSERR = 71
EX_IOERR = 74
EX_TEMPFAIL = 75
EX_PROTOCOL = 76
EX_NOPERM = 77
EX_CONFIG = 78

EX_NAMES = {
    EX_OK: "EX_OK",
    EX_USAGE: "EX_USAGE",
    EX_DATAERR: "EX_DATAERR",
    EX_NOINPUT: "EX_NOINPUT",
    EX_NOUSER: "EX_NOUSER",
    EX_NOHOST: "EX_NOHOST",
    EX_UNAVAILABLE: "EX_UNAVAILABLE",
    EX_SOFTWARE: "EX_SOFTWARE",
    EX_OSERR: "EX_OSERR",
    EX_IOERR: "EX_IOERR",
    EX_TEMPFAIL: "EX_TEMPFAIL",
    EX_PROTOCOL: "EX_PROTOCOL",
    EX_NOPERM: "EX_NOPERM",
    EX_CONFIG: "EX_CONFIG",
}


class PillarboxError(Exception):
    """
    The root of the tree.

    Args:
        problem: What failed and where, in one sentence without a full stop.
        advice: What to do next, in one sentence; empty when there is nothing to do.

    """

    exit_code = EX_SOFTWARE

    def __init__(self, problem: str, *, advice: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice

    @property
    def sentence(self) -> str:
        """The whole sentence, for ``localize``; the problem where there is no more to say."""
        return self.problem

    def __str__(self) -> str:
        return self.sentence


class UsageError(PillarboxError):
    """The command line cannot be understood or contradicts itself."""

    exit_code = EX_USAGE


class ConfigError(PillarboxError):
    """
    A configuration is wrong.

    Args:
        problem: What is wrong.
        path: The file; empty when the fault is on the command line or in no single file.
        line: The line, counted from 1; 0 when the fault is in no single line.
        advice: What to do next.

    """

    exit_code = EX_CONFIG

    def __init__(self, problem: str, *, path: str = "", line: int = 0, advice: str = "") -> None:
        super().__init__(problem, advice=advice)
        self.path = path
        self.line = line

    @property
    def sentence(self) -> str:
        """The place, as far as there is one, and the problem."""
        path, line, problem = self.path, self.line, self.problem
        if path and line:
            return say("{path}: line {line}: {problem}", path=path, line=line, problem=problem)
        if path:
            return say("{path}: {problem}", path=path, problem=problem)
        if line:
            return say("line {line}: {problem}", line=line, problem=problem)
        return problem


class DataError(PillarboxError):
    """The mail cannot be sent as it is, now or later."""

    exit_code = EX_DATAERR


class MissingInputError(PillarboxError):
    """A file that the configuration names is missing, unreadable or not what it should be."""

    exit_code = EX_NOINPUT


class MissingExtraError(PillarboxError):
    """
    An optional feature is asked for whose libraries are not installed.

    Args:
        feature: What was asked for, as the user would say it.
        extra: The extra of the package that brings it.

    """

    exit_code = EX_UNAVAILABLE

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            say(
                "{feature} needs an extra: pip install 'pillarbox[{extra}]'",
                feature=feature,
                extra=extra,
            )
        )
        self.feature = feature
        self.extra = extra


class CredentialError(PillarboxError):
    """No user name, password or token could be found for a login that needs one."""

    exit_code = EX_UNAVAILABLE


class InputOutputError(PillarboxError):
    """Reading the mail, or writing a file of ours, failed."""

    exit_code = EX_IOERR


class SpoolError(PillarboxError):
    """The spool cannot be used, or it is not certain that it has what it was given."""

    exit_code = EX_TEMPFAIL


class SpoolFullError(SpoolError):
    """There is no room for one more mail, or somebody has used up his share."""


class EntryNotFoundError(SpoolError):
    """There is no such entry in the spool."""

    exit_code = EX_NOINPUT


class CorruptEntryError(SpoolError):
    """An entry of the spool cannot be understood; it is kept for people to look at."""

    exit_code = EX_DATAERR


class NetworkError(PillarboxError):
    """
    Connecting, reading or writing failed.

    Args:
        problem: What failed.
        peer: ``host, port N`` or the path of the socket.
        advice: What to do next.

    """

    exit_code = EX_TEMPFAIL

    def __init__(self, problem: str, *, peer: str = "", advice: str = "") -> None:
        super().__init__(problem, advice=advice)
        self.peer = peer


class HostNotFoundError(NetworkError):
    """The host's name does not exist (a failing resolver is a plain ``NetworkError``)."""

    exit_code = EX_NOHOST


class DeadlineError(NetworkError):
    """The other side took longer than it was given."""


class TlsError(PillarboxError):
    """
    The connection could not be secured.

    Args:
        problem: What failed.
        peer: ``host, port N``.
        advice: What to do next.

    """

    exit_code = EX_UNAVAILABLE

    def __init__(self, problem: str, *, peer: str = "", advice: str = "") -> None:
        super().__init__(problem, advice=advice)
        self.peer = peer


class CertificateError(TlsError):
    """The server's certificate does not prove that it is the server that was asked for."""


class LocalProtocolError(PillarboxError):
    """The engine was used in a way that its contract forbids: a bug of the caller."""


class RemoteProtocolError(PillarboxError):
    """
    The server broke the protocol; the session is finished and nothing more is sent on it.

    Args:
        problem: What was wrong.
        received: The offending bytes, at most a line; empty when there is none.

    """

    exit_code = EX_PROTOCOL

    def __init__(self, problem: str, *, received: bytes = b"") -> None:
        super().__init__(problem)
        self.received = received
