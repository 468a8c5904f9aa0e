"""
One search on its way: whom it can ask, how much time is left, and what was tried so far.

The rule to keep: whatever is asked is told, with what came of it, so that a person who gets no
answer sees why; and nothing is asked when the time is up.
"""

from __future__ import annotations

import time

from pillarbox.dns.answers import LookupFailedError
from pillarbox.setup.candidate import Tried, Wish
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.config.providers import Provider
    from pillarbox.dns.answers import Answer, Ask
    from pillarbox.mail.address import Mailbox
    from pillarbox.setup.fetch import Fetch
    from pillarbox.setup.probe import Probe

__all__ = ["SEARCH_S", "Seams", "Search"]

SEARCH_S = 30.0  # seconds for everything together: what a person waits before the first question


class Seams:
    """
    Whom a search can ask; None: nobody of that kind.

    Args:
        ask: Answers questions to the DNS.
        fetch: Gets a file from the web.
        probe: Looks whether a server answers; without it, nothing is proved and nothing guessed.
        no_ask: Why there is no ``ask``, for a person.

    """

    def __init__(
        self,
        *,
        ask: Ask | None = None,
        fetch: Fetch | None = None,
        probe: Probe | None = None,
        no_ask: str = "",
    ) -> None:
        self.ask = ask
        self.fetch = fetch
        self.probe = probe
        self.no_ask = no_ask or say("there is no nameserver to ask")


class Search:
    """
    A search for the server of a mailbox.

    Attributes:
        mailbox: Whose server it is about.
        domain: Its domain as A-labels in lower case.
        seams: Whom it can ask.
        wish: What is known from the beginning.
        provider: Who has the mailbox, once that is known.
        mx_hosts: Who receives for the domain, once that is known, the first to be tried first.
        is_dns_silent: A nameserver failed; it is not asked again.
        tried: What was asked, in order.

    """

    def __init__(
        self,
        mailbox: Mailbox,
        domain: str,
        seams: Seams,
        wish: Wish,
        show: Callable[[Tried], None] | None,
    ) -> None:
        self.mailbox = mailbox
        self.domain = domain
        self.seams = seams
        self.wish = wish
        self.provider: Provider | None = None
        self.mx_hosts: tuple[str, ...] = ()
        self.is_dns_silent = False
        self.tried: list[Tried] = []
        self._show = show
        self._until_s = time.monotonic() + SEARCH_S

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self._until_s - time.monotonic()

    def note(self, source: str, what: str, result: str) -> None:
        """Note what was asked and what came of it."""
        self.tried.append(Tried(source, what, result))
        if self._show is not None:
            self._show(self.tried[-1])

    def note_no_dns(self, source: str, what: str) -> None:
        """Note that the DNS was not asked, and why."""
        is_silent = self.is_dns_silent
        reason = say("the DNS did not answer before") if is_silent else self.seams.no_ask
        self.note(source, what, say("not asked: {reason}", reason=reason))

    def dns_failed(self, source: str, what: str, failure: LookupFailedError) -> None:
        """Note that a nameserver failed."""
        self.is_dns_silent = True
        self.note(source, what, failure.sentence)

    def ask(self, source: str, what: str, name: str, kind: str) -> Answer | None:
        """Return the answer to a question to the DNS; None: there is none, and it was told."""
        if self.seams.ask is None or self.is_dns_silent:
            self.note_no_dns(source, what)
            return None
        try:
            return self.seams.ask(name, kind)
        except LookupFailedError as exc:
            self.dns_failed(source, what, exc)
            return None

    def take_provider(self, provider: Provider | None) -> None:
        """Note who has the mailbox; the first who is named stays."""
        self.provider = self.provider or provider
