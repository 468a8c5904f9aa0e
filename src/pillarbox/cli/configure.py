"""``--configure``: a configuration made from a mail address and the DNS."""

from __future__ import annotations

import os

from pillarbox.dns.answers import nameservers_of
from pillarbox.dns.srv import find_submission
from pillarbox.errors import EX_OK, DataError, HostNotFoundError
from pillarbox.mail.address import parse_mailbox
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.dns.srv import Submission
    from pillarbox.mail.address import Mailbox

__all__ = ["configuration_lines", "print_configuration"]


def print_configuration(address: str) -> int:
    """
    Print the lines of an account for an address. Blocks on the DNS.

    Raises:
        DataError: It is no mail address.
        HostNotFoundError: The domain names no submission server.
        NetworkError: The DNS does not answer.
        MissingExtraError: dnspython is not installed.

    """
    mailbox = parse_mailbox(address)
    if not mailbox.domain:
        raise DataError(say("{address} has no domain", address=address))
    found = find_submission(mailbox.domain_ascii, nameservers_of(os.environ))
    if found is None:
        problem = say("no SRV record names a server for {domain}", domain=mailbox.domain)
        advice = say("ask the provider for host and port, and write the account by hand")
        raise HostNotFoundError(problem, advice=advice)
    for line in configuration_lines(mailbox, found):
        print(line)
    return EX_OK


def configuration_lines(mailbox: Mailbox, server: Submission) -> Iterator[str]:
    """Yield the lines of an account, which scripts read, with remarks for a person."""
    yield "# - copy this to your configuration file ~/.msmtprc (mode 600)"
    if not server.host.endswith("." + mailbox.domain) and server.host != mailbox.domain:
        yield f"# - warning: {server.host} does not belong to {mailbox.domain}: check it"
    yield "# - add your password with passwordeval, or store it in the keyring:"
    yield f"#   secret-tool store --label=msmtp host {server.host} service smtp user {mailbox}"
    yield f"account {mailbox}"
    yield f"host {server.host}"
    yield f"port {server.port}"
    yield "tls on"
    yield f"tls_starttls {'off' if server.is_implicit else 'on'}"
    yield "auth on"
    yield f"user {mailbox.local_part}"
    yield f"from {mailbox}"
