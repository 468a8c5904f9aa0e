"""What the tests of written mail share: a configuration for a server, and how mail is read."""

from __future__ import annotations

import email
import email.policy
import os
import site
from pathlib import Path
from typing import TYPE_CHECKING

from pillarbox.compose.message import compose

if TYPE_CHECKING:
    from email.message import EmailMessage

    from pillarbox.compose.letter import Letter

__all__ = ["EXTRAS", "PNG", "composed", "config_for", "octets_of", "parsed", "text_of"]

SRC = str(Path(__file__).parent.parent / "src")

# For a program started without site: where the packages of the extras are.
EXTRAS = {"PYTHONPATH": os.pathsep.join([SRC, *site.getsitepackages()])}

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def config_for(port: int, folder: Path, *lines: str) -> str:
    """Write a configuration whose accounts lead to a port of this computer; return its path."""
    path = folder / "msmtprc"
    accounts = (
        "\naccount main\n\naccount other\nfrom other@example.org\nfrom_full_name Ops Zoë\n"
        "\naccount default : main\n"
    )
    defaults = ("defaults", "host 127.0.0.1", "tls off", f"port {port}", "from me@example.org")
    path.write_text("\n".join((*defaults, *lines)) + "\n" + accounts)
    path.chmod(0o600)
    return str(path)


def octets_of(letter: Letter) -> bytes:
    """Return a letter as a message, read in small pieces, and its size as it was announced."""
    message = compose(letter, domain="example.org", epoch_s=1.7e9)
    try:
        octets = b"".join(iter(lambda: message.read(1000), b""))
    finally:
        message.close()
    assert len(octets) == message.size_bytes
    return octets


def composed(letter: Letter) -> EmailMessage:
    """Return a letter as Python's own package reads it, which finds no fault in it."""
    return parsed(octets_of(letter))


def parsed(octets: bytes) -> EmailMessage:
    """Return a message as Python's own package reads it, which finds no fault in it."""
    # The package leaves line ends of texts as they came; those of this system are easier to read.
    mail = email.message_from_bytes(octets.replace(b"\r\n", b"\n"), policy=email.policy.default)
    assert not [part.defects for part in mail.walk() if part.defects]
    return mail


def text_of(part: EmailMessage) -> str:
    """Return the text of a part with line ends of this system; in base64 they are those of mail."""
    text: str = part.get_content()
    return text.replace("\r\n", "\n")
