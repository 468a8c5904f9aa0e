"""
What a domain and a host say of TLS: MTA-STS (RFC 8461), TLS-RPT (RFC 8460), DANE (RFC 6698, 7672).

The first two are about mail that comes to a domain, the third about a server. Only the DNS is
asked; the policy of MTA-STS lies on a web server, which is not.
"""

from __future__ import annotations

from pillarbox.dns.answers import TlsaRecord
from pillarbox.dns.record import RecordError
from pillarbox.dns.tags import parse_tags, texts_of
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.dns.answers import Ask

__all__ = ["fault_of_statement", "find_pins", "find_statements"]

# Where each stands, its version, and the tag that it must have.
_STATEMENTS = {
    "MTA-STS": ("_mta-sts", "STSv1", "id"),
    "TLS-RPT": ("_smtp._tls", "TLSRPTv1", "rua"),
}


def find_statements(name: str, domain: str, ask: Ask) -> tuple[str, ...]:
    """
    Return the records of a domain, which should be one. Blocks.

    Args:
        name: ``MTA-STS`` or ``TLS-RPT``.
        domain: In ASCII.
        ask: Who answers questions to the DNS.

    Raises:
        LookupFailedError: The domain's nameservers did not answer.

    """
    place, version, _ = _STATEMENTS[name]
    return tuple(
        text for text in texts_of(f"{place}.{domain}", ask) if text.startswith(f"v={version}")
    )


def fault_of_statement(name: str, text: str) -> str:
    """Return what is wrong with a record; empty: nothing."""
    _, _, wanted = _STATEMENTS[name]
    try:
        tags = parse_tags(text)
    except RecordError as exc:
        return exc.problem
    if any(tag.name == wanted and tag.value for tag in tags):
        return ""
    return say("'{name}=' is missing", name=wanted)


def find_pins(host: str, port: int, ask: Ask) -> tuple[TlsaRecord, ...]:
    """
    Return what the DNS says of a server's certificate. Blocks.

    It counts only where the answer is signed (DNSSEC), which is not looked at here.

    Raises:
        LookupFailedError: The host's nameservers did not answer.

    """
    rows = ask(f"_{port}._tcp.{host}", "TLSA")
    return tuple(row for row in rows if isinstance(row, TlsaRecord))
