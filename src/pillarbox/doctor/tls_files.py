"""
Whether what the account names for TLS can be carried out: files, a fingerprint, priorities.

``net.tls.make_context`` knows, and says so in words; which keyword is at fault is found out by
leaving one after the other out, so that no word is read back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.doctor.finding import FAULT, Finding
from pillarbox.errors import PillarboxError
from pillarbox.net.tls import TlsPolicy, make_context
from pillarbox.text import say

if TYPE_CHECKING:
    from typing import Any

__all__ = ["find_unusable"]

# What is left out, in turn, and the code if that was it.
_SUSPECTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tls.client-certificate", {"key_file": "", "cert_file": ""}),
    ("tls.priorities", {"priorities": ""}),
    ("tls.fingerprint", {"fingerprint": ""}),
    ("tls.trust-file", {"trust_file": "system", "crl_file": ""}),
)


def find_unusable(policy: TlsPolicy) -> Finding | None:
    """Return why a policy cannot be carried out on this machine; None: it can. Reads files."""
    try:
        make_context(policy)
    except PillarboxError as exc:
        return Finding(
            _guilty(policy),
            FAULT,
            exc.sentence,
            meaning=say("no connection is secured, so nothing is sent"),
            fix=exc.advice or say("correct the path, or the rights of the file"),
        )
    return None


def _guilty(policy: TlsPolicy) -> str:
    for code, without in _SUSPECTS:
        fields = {name: getattr(policy, name) for name in policy.__slots__} | without
        try:
            make_context(TlsPolicy(**fields))
        except PillarboxError:
            continue
        return code
    return "tls.trust-file"
