"""
What will be written, worked out before anything is; and the writing of it.

1. ``plan_aliases`` - whether the account names a file of aliases, and whether root's line is new.
2. ``Draft.text`` - the msmtprc as it will be; ``is_change`` - whether anything will be different.
3. ``write`` - the credential, the aliases, and last the account, which needs the other two. After
   each the system works as before or as wished, so a kill in between does no harm.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.errors import ConfigError, InputOutputError, UsageError
from pillarbox.setup.account_file import (
    Login,
    find_default_name,
    read_account,
    with_account,
)
from pillarbox.setup.difference import difference
from pillarbox.setup.order import CREDENTIAL_FILE
from pillarbox.setup.placing import make_folder, put, require_room, set_rights
from pillarbox.setup.root_alias import ALIASES_FILE, MODE, find_root, with_root
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.mail.address import Mailbox
    from pillarbox.secret import Secret
    from pillarbox.setup.order import Order
    from pillarbox.setup.placing import Place
    from pillarbox.setup.questions import Questions
    from pillarbox.setup.report import Report
    from pillarbox.setup.way import Way

__all__ = ["STORES", "AliasPlan", "Draft", "plan_aliases", "write"]

STORES = ("file", "credential")

_PRIVATE = 0o600


class AliasPlan(Value):
    """
    What is done about root's mail.

    Attributes:
        path: The file of aliases that the account names; empty: none.
        place: That file; None likewise.
        root: Whom root's mail is to go to by a line of ours; None: there is none to be written.
        known: Whom it goes to already.

    """

    __slots__ = ("known", "path", "place", "root")

    def __init__(
        self,
        path: str = "",
        place: Place | None = None,
        root: Mailbox | None = None,
        known: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.place = place
        self.root = root
        self.known = known


class Draft:
    """
    An account that is to be written.

    Args:
        order: Where.
        place: The msmtprc as it is.
        way: The server and the login; another one where this cannot be reached.
        store: Where the password will be.
        wanted: The account that somebody named; None: the default one.
        aliases: What is done about root's mail.

    """

    def __init__(
        self,
        order: Order,
        place: Place,
        way: Way,
        store: str,
        wanted: str | None,
        aliases: AliasPlan,
    ) -> None:
        self.order = order
        self.place = place
        self.way = way
        self.store = store
        self.aliases = aliases
        self.is_default = wanted is None
        self.name = wanted or self._usual_name()
        if not self.name.isprintable() or any(letter in self.name for letter in ':,# "'):
            raise UsageError(say("an account is called by one word without : , # and quotes"))

    def _usual_name(self) -> str:
        provider = self.way.provider
        fresh = provider.id if provider is not None else self.way.address.domain.split(".")[0]
        path, sender = self.place.path, str(self.way.address)
        return find_default_name(self.place.content, path, sender, fresh)

    def text(self, secret: Secret) -> bytes:
        """
        Return the msmtprc as it will be.

        Raises:
            ConfigError: What is there is faulty.
            DataError: It cannot be said in an msmtprc.

        """
        way = self.way
        login = Login(
            way.host,
            way.port,
            is_implicit=way.is_implicit,
            user=secret.reveal() if way.is_user_secret else way.user,
            sender=str(way.address),
            trust_file=way.trust_file,
            password=secret if self.store == "file" else None,
            aliases=self.aliases.path,
        )
        return with_account(
            self.place.content, self.place.path, self.name, login, is_default=self.is_default
        )

    def is_change(self, secret: Secret) -> bool:
        """Tell whether anything will be different behind it."""
        if self.text(secret) != self.place.content or self.aliases.root is not None:
            return True
        if self.store == "credential" and not self.has_credential(secret):
            return True
        status = self.place.status
        return status is None or not self.order.rights(status).are_of(status)

    def differences(self, secret: Secret) -> Iterator[str]:
        """Yield what will be different, as lines of a diff, without a secret."""
        place, plan = self.place, self.aliases
        hidden = secret.reveal() if self.way.is_user_secret else ""
        for line in difference(place.content, self.text(secret), place.path):
            yield line.replace(hidden, "****") if hidden else line
        if self.store == "credential" and not self.has_credential(secret):
            yield from ("+++ " + self.order.at(CREDENTIAL_FILE), "+****")
        if plan.place is not None and plan.root is not None:
            before, after = plan.place.content, with_root(plan.place.content, plan.root)
            yield from difference(before, after, plan.place.path)

    def touched(self, secret: Secret) -> list[str]:
        """Return the files that are there already and will say something else."""
        plan = self.aliases
        paths = []
        if self.place.content and self.text(secret) != self.place.content:
            paths.append(self.place.path)
        if plan.place is not None and plan.place.content and plan.root is not None:
            paths.append(plan.place.path)
        credential = self.order.at(CREDENTIAL_FILE)
        is_other = self.store == "credential" and not self.has_credential(secret)
        if is_other and os.path.lexists(credential):
            paths.append(credential)
        return paths

    def has_credential(self, secret: Secret) -> bool:
        """Tell whether the service's credential is this password already."""
        try:
            place = self.order.look(self.order.at(CREDENTIAL_FILE))
        except InputOutputError:
            return False
        rights = self.order.root_rights(_PRIVATE)
        return (
            place.status is not None
            and place.content == _credential(secret)
            and rights.are_of(place.status)
        )


def plan_aliases(order: Order, questions: Questions, place: Place, recipient: Mailbox) -> AliasPlan:
    """
    Return what is to be done about root's mail; what is there already stays.

    Args:
        order: Where.
        questions: Whether it is wished.
        place: The msmtprc as it is.
        recipient: Whom root's mail is to go to.

    """
    given = questions.answers.get("alias")
    is_wished = questions.answers.is_yes("alias", default=order.is_system)
    if not order.is_system:
        if given is not None and is_wished:
            raise UsageError(say("--alias is for the system's file: leave --user out"))
        return AliasPlan()
    if not is_wished:
        return AliasPlan()
    path = _named_file(place) or ALIASES_FILE
    if not path.startswith("/"):
        return AliasPlan()  # each user's own, or nobody's: no file of the system
    aliases = order.look(order.at(path))
    try:
        known = find_root(aliases)
    except ConfigError as error:
        questions.tell(error.sentence, "bad")
        questions.tell(say("so the account names no aliases, and root has none"), "bad")
        return AliasPlan()
    if not known:
        require_room(aliases, is_rooted=order.is_rooted)
    return AliasPlan(path, aliases, None if known else recipient, known)


def _named_file(place: Place) -> str:
    """Return the file of aliases that the present default account names; empty: none."""
    if not place.content:
        return ""
    try:
        return read_account(place.content, place.path, "default").aliases or ""
    except ConfigError:
        return ""


def _credential(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogateescape") + b"\n"


def write(draft: Draft, secret: Secret, questions: Questions, report: Report) -> None:
    """
    Write what is new of it. Blocks until it is on the disk.

    Raises:
        InputOutputError: Something could not be written; what stands before it in the order is.

    """
    if draft.store == "credential" and not draft.has_credential(secret):
        _write_credential(draft, secret, questions, report)
    report.store = draft.store
    write_root_alias(draft, questions, report)
    place, text = draft.place, draft.text(secret)
    rights = draft.order.rights(place.status)
    if text != place.content or place.status is None:
        report.backup = put(place, text, rights, has_secret=True)
        report.is_changed = True
        questions.tell(say("wrote {path}", path=place.path), "good")
        if report.backup:
            questions.tell(say("the old one is {path}", path=report.backup))
    elif not rights.are_of(place.status):
        set_rights(place, rights)
        report.is_changed = True
        mode = f"{rights.mode:o}"
        questions.tell(say("mode of {path}: {mode}", path=place.path, mode=mode), "good")


def write_root_alias(
    draft: Draft, questions: Questions, report: Report, *, replaces: str = ""
) -> None:
    """Write root's line, if there is none; else say whom his mail goes to."""
    plan = draft.aliases
    report.aliases = plan.path
    if plan.place is None:
        return
    if plan.root is None:
        report.root_alias = plan.known
        people = ", ".join(plan.known)
        questions.tell(
            say("mail to root goes to {people}, as before ({path})", people=people, path=plan.path)
        )
        return
    text = with_root(plan.place.content, plan.root, replaces=replaces)
    status = plan.place.status
    mode = status.st_mode & 0o777 if status is not None else MODE
    put(plan.place, text, draft.order.root_rights(mode), has_secret=False)
    report.is_changed = True
    report.root_alias = (str(plan.root),)
    questions.tell(
        say("mail to root goes to {people} ({path})", people=str(plan.root), path=plan.path),
        "good",
    )


def _write_credential(draft: Draft, secret: Secret, questions: Questions, report: Report) -> None:
    path = draft.order.at(CREDENTIAL_FILE)
    make_folder(os.path.dirname(path))
    put(
        draft.order.look(path),
        _credential(secret),
        draft.order.root_rights(_PRIVATE),
        has_secret=True,
    )
    report.is_changed = True
    report.credential = path
    questions.tell(say("wrote {path}", path=path), "good")
