"""
Fill in the patterns of ``from`` and ``domain``, and know whose account we run in.

    %U  the user's name        $USER, $LOGNAME, the terminal's owner, the password database
    %H  the machine's name     $HOSTNAME, or what the kernel says
    %C  its canonical name     from the resolver: this may ask the DNS and wait for it
    %M  the mail name          first line of /etc/mailname
    %F  the address in the mail's From header

A value goes in once: what it contains is not looked at for patterns again. Control characters
in it become ``?``. Nothing is asked of the system unless a pattern needs it.
"""

from __future__ import annotations

import os

from pillarbox.config.files import read_file
from pillarbox.errors import ConfigError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DOMAIN_LETTERS", "MAILNAME_FILE", "SENDER_LETTERS", "Surroundings"]

MAILNAME_FILE = "/etc/mailname"
DOMAIN_LETTERS = "HCM"
SENDER_LETTERS = "UHCMF"
_MAILNAME_MAX = 4096  # bytes that are read of it: a name has at most 255


class Surroundings:
    """
    The user, the machine and the mail that patterns speak of.

    Args:
        env: The environment of the caller.
        uid: The real user id.
        header_sender: The address in the mail's From header; None when there is none.
        mailname_file: Where the mail name is.

    """

    def __init__(
        self,
        env: Mapping[str, str],
        uid: int,
        header_sender: str | None = None,
        *,
        mailname_file: str = MAILNAME_FILE,
    ) -> None:
        self.env = env
        self.uid = uid
        self.header_sender = header_sender
        self.mailname_file = mailname_file

    def expand(self, text: str, letters: str) -> str | None:
        """
        Fill in the patterns whose letters are given; leave any other ``%`` as it is.

        Returns:
            The text, or None when it needs the From header and the mail has none.

        Raises:
            ConfigError: The mail name cannot be read.

        """
        head, *parts = text.split("%")
        expanded = [head]
        for part in parts:
            if part[:1] not in letters or not part:
                expanded.append("%" + part)
                continue
            value = self._value(part[0])
            if value is None:
                return None
            expanded.append("".join(map(_without_control, value)) + part[1:])
        return "".join(expanded)

    def _value(self, letter: str) -> str | None:
        match letter:
            case "U":
                return self.user_name()
            case "H":
                return self.host_name()
            case "C":
                return self.canonical_name()
            case "M":
                return self.mail_name()
            case _:
                return self.header_sender

    def user_name(self) -> str:
        """Return the name of the user, or ``unknown``."""
        name = self.env.get("USER") or self.env.get("LOGNAME")
        if name:
            return name
        try:
            return os.getlogin()
        except OSError:  # no terminal: cron, a service
            return self._passwd("pw_name") or "unknown"

    def home_directory(self) -> str:
        """Return ``$HOME``, else the home directory of the real user, else an empty text."""
        return self.env.get("HOME") or self._passwd("pw_dir")

    def _passwd(self, item: str) -> str:
        import pwd

        try:
            return str(getattr(pwd.getpwuid(self.uid), item))
        except KeyError:  # a container often has user ids without names
            return ""

    def host_name(self) -> str:
        """Return the name of the machine."""
        return self.env.get("HOSTNAME") or os.uname().nodename

    def canonical_name(self) -> str:
        """Return what the resolver calls the machine; blocks, and may ask the DNS."""
        from socket import AI_CANONNAME, getaddrinfo

        name = self.host_name()
        try:
            found = getaddrinfo(name, None, flags=AI_CANONNAME)
        except (OSError, UnicodeError):
            return name
        return found[0][3] or name

    def mail_name(self) -> str:
        """Return the first line of the mail name file."""
        path = self.mailname_file
        advice = say("write the mail domain of this machine into {path}", path=path)
        try:
            content, _ = read_file(path, _MAILNAME_MAX)
        except OSError as error:
            msg = say("{path}: {problem}", path=path, problem=error.strerror)
            raise ConfigError(msg, advice=advice) from error
        name = content.partition(b"\n")[0].strip().decode("utf-8", "surrogateescape")
        if not name:
            raise ConfigError(say("{path}: its first line is empty", path=path), advice=advice)
        return name


def _without_control(char: str) -> str:
    return "?" if char < " " or char == "\x7f" else char
