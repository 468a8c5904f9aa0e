"""
Read the relay settings of other programs, and say them as an msmtprc does.

``IMPORTERS`` is the table of programs; one file each. Nothing is run and nothing is written here:
an importer reads what is there and returns an ``Import``, which also says what could not be
carried over. TLS never becomes weaker by it: where the other program took what it got, the new
account demands TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.importers import dma, nullmailer, postfix, ssmtp
from pillarbox.config.importers.result import Import, NewAccount

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["IMPORTERS", "Import", "NewAccount"]

# program -> where its settings are, and what reads them.
IMPORTERS: dict[str, tuple[str, Callable[[str], Import]]] = {
    "ssmtp": (ssmtp.PATH, ssmtp.read),
    "nullmailer": (nullmailer.PATH, nullmailer.read),
    "dma": (dma.PATH, dma.read),
    "postfix": (postfix.PATH, postfix.read),
}
