"""
/etc/hosts: whether it has another address for a host than the DNS.

The rule to keep: the file alone is no fault. Only where the DNS has an address too, and none of
them is the file's, do the two differ.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from pillarbox.errors import PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from pillarbox.doctor.patient import Patient
    from pillarbox.text import Text

__all__ = ["OtherAddress", "find_other_address"]

_PATH = "/etc/hosts"


class OtherAddress(Value):
    """
    What the file says, and what the DNS says.

    Attributes:
        path: The file.
        host: The name.
        own: The addresses in the file; not empty.
        public: Those in the DNS; not empty.

    """

    __slots__ = ("host", "own", "path", "public")

    def __init__(self, path: str, host: str, own: tuple[str, ...], public: tuple[str, ...]) -> None:
        self.path = path
        self.host = host
        self.own = own
        self.public = public

    @property
    def evidence(self) -> tuple[str, ...]:
        """Both, a line each."""
        return (f"{self.path}: {', '.join(self.own)}", f"DNS: {', '.join(self.public)}")

    @property
    def fix(self) -> Text:
        """What to do, unless it is meant so."""
        return say(
            "take the line with {host} out of {path}, unless it is meant so",
            host=printable(self.host),
            path=self.path,
        )


def find_other_address(patient: Patient, host: str) -> OtherAddress | None:
    """Return where file and DNS differ about a host; None: nowhere. Asks the DNS if need be."""
    own = _in_file(patient.read(_PATH) or "", host)
    name = host.rstrip(".")
    if not own or "." not in name:
        return None
    try:
        public = tuple(str(answer) for kind in ("A", "AAAA") for answer in patient.ask(name, kind))
    except PillarboxError:
        return None  # nobody can be asked
    if not public or set(own) & set(public):
        return None
    return OtherAddress(patient.at(_PATH), name, own, public)


def _in_file(text: str, host: str) -> tuple[str, ...]:
    """Return the addresses that a hosts file has for a name (hosts(5))."""
    wanted, found = host.lower().rstrip("."), []
    for line in text.splitlines():
        words = line.partition("#")[0].lower().split()
        if wanted in words[1:]:
            try:
                found.append(str(ip_address(words[0])))
            except ValueError:
                continue
    return tuple(found)
