"""
From an address to an account that has logged in: what is asked, tried and written, in order.

1. ``_ready_place`` - the file that will be written, and whether it can be: before any question.
2. ``find_way`` (``way``) - the address, and from it the server and what the provider wants.
3. ``_proved`` - the secret, and a real login with it, three times at most; nothing is written
   before it succeeded, and nothing is tried where everything is there already.
4. ``_agreed`` - the difference, and the person's yes.
5. ``write`` (``writing``) - the credential, the aliases, and last the account.
6. ``send_proof`` (``proof``) - a test mail, whose word the person types back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.account import FIELD_BY_NAME
from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes
from pillarbox.errors import EX_OK, UsageError
from pillarbox.mail.reply import printable
from pillarbox.setup.account_file import read_account, require_sound
from pillarbox.setup.placing import require_room
from pillarbox.setup.proof import send_proof
from pillarbox.setup.report import Report
from pillarbox.setup.trial import try_login
from pillarbox.setup.way import find_way, read_address
from pillarbox.setup.writing import STORES, Draft, plan_aliases, write
from pillarbox.text import say

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.mail.address import Mailbox
    from pillarbox.secret import Secret
    from pillarbox.setup.order import Order
    from pillarbox.setup.placing import Place
    from pillarbox.setup.questions import Questions
    from pillarbox.setup.trial import Trial

__all__ = ["interview"]

_LOGINS = 3  # in all: providers lock an account after five wrong ones and more
_OLD_SHOWN = 500


def interview(order: Order, questions: Questions, report: Report) -> int:
    """
    Set an account up. Blocks: it asks, and it talks to servers.

    Args:
        order: What is to be done.
        questions: Who answers.
        report: Filled as things are done, so that it is true however this ends.

    Returns:
        The exit code.

    Raises:
        PillarboxError: Something is missing or cannot be done.
        KeyboardInterrupt: The person ended it.

    """
    place = _ready_place(order, report)
    store = _read_store(questions.answers.get("store") or STORES[0])
    if store == "credential" and not order.is_system:
        raise UsageError(say("--store credential is for the system's service: leave --user out"))
    questions.require_secret()
    questions.tell(say("pillarbox setup: mail from this computer"), "title")
    way = find_way(order, questions, report)
    recipient = _recipient(questions, way.address)
    aliases = plan_aliases(order, questions, place, recipient)
    draft = Draft(order, place, way, store, questions.answers.get("account") or None, aliases)
    report.account = draft.name
    if not questions.has_person:
        _require_confirmed(draft, questions)
    secret = _proved(draft, questions, recipient, report)
    report.way = draft.way
    if isinstance(secret, int):
        return secret
    if not _is_to_be_written(draft, secret, questions, report):
        return EX_OK
    write(draft, secret, questions, report)
    code = send_proof(draft, _with_secret(draft, secret), recipient, questions, report)
    _tell_what_is_next(draft, questions)
    return code


def _ready_place(order: Order, report: Report) -> Place:
    """Return where the account goes, which can be written."""
    place = order.look(order.account_path())
    report.file = place.path
    require_room(place, is_rooted=order.is_rooted and order.is_system)
    require_sound(place.content, place.path)
    return place


def _read_store(text: str) -> str:
    if text in STORES:
        return text
    names = ", ".join(STORES)
    problem = say("a password is kept in one of: {names}", names=names)
    raise UsageError(problem)


def _recipient(questions: Questions, address: Mailbox) -> Mailbox:
    """Return whom the test mail, and root's, goes to: the address itself, if nobody is named."""
    given = questions.answers.get("to")
    return read_address(given) if given else address


def _require_confirmed(draft: Draft, questions: Questions) -> None:
    """Refuse to change a file that is there, where nobody can be asked, unless that is wished."""
    if not questions.answers.is_yes("confirm", default=True) or draft.order.is_dry:
        return
    secret = questions.given_secret()
    if secret is not None and (touched := draft.touched(secret)):
        raise UsageError(
            say("{path} would be changed, and nobody can be asked", path=", ".join(touched)),
            advice=say("use --no-confirm, which changes it and keeps the old one"),
        )


# -- the login -------------------------------------------------------------------------------------


def _proved(draft: Draft, questions: Questions, recipient: Mailbox, report: Report) -> Secret | int:
    """Return the secret that has logged in, or is there already; else an exit code."""
    given = questions.given_secret()
    for number in range(1, _LOGINS + 1):
        secret = given if number == 1 and given is not None else _ask_secret(draft, questions)
        if secret is None:
            questions.tell(say("nothing was typed"), "bad")
            continue
        if not draft.is_change(secret):
            return secret
        trial = _try_ways(draft, secret, questions, recipient)
        report.login_tried()
        if trial.exit_code == EX_OK:
            report.is_login_good = True
            questions.tell(say("the login works"), "good")
            if trial.recipient_refusal:
                refusal = say(
                    "but {address} is refused: {reply}",
                    address=recipient,
                    reply=trial.recipient_refusal,
                )
                questions.tell(refusal, "bad")
            return secret
        for line in trial.lines:
            questions.tell(line, "bad")
        if not (trial.is_login_refused and questions.has_person) or number == _LOGINS:
            questions.tell(say("nothing was written"), "bad")
            return trial.exit_code
    questions.tell(say("nothing was written"), "bad")
    raise UsageError(say("there is no password"))


def _ask_secret(draft: Draft, questions: Questions) -> Secret | None:
    if not questions.has_person:
        questions.require_secret()
    user = draft.way.user or str(draft.way.address)
    return questions.ask_secret(say("password of {user} (is not shown)", user=user))


def _try_ways(draft: Draft, secret: Secret, questions: Questions, recipient: Mailbox) -> Trial:
    """Try the server, and where it cannot be reached the others that are known, in order."""
    order = draft.order
    while True:
        account = _with_secret(draft, secret)
        where = say("{host}, port {port}", host=account.host, port=str(account.port))
        questions.tell(say("logging in at {place} ...", place=where))
        trial = try_login(
            account,
            draft.way.address,
            recipient,
            environment=order.environment,
            language=questions.language,
        )
        other = draft.way.next() if trial.is_way_barred else None
        if other is None:
            return trial
        for line in trial.lines:
            questions.tell(line, "bad")
        draft.way = other


def _with_secret(draft: Draft, secret: Secret) -> Account:
    """Return the account as the written file will say it, finished, with its secret."""
    text = draft.text(secret)
    account = read_account(text, draft.place.path, draft.name)
    wishes = Wishes({}, env=draft.order.environment)
    finished = finish_account(account, wishes)
    finished.set(FIELD_BY_NAME["password"], secret, "setup")
    return finished


# -- the person's yes, and what is next ------------------------------------------------------------


def _is_to_be_written(draft: Draft, secret: Secret, questions: Questions, report: Report) -> bool:
    """Tell whether there is something to write, and it may be."""
    if not draft.is_change(secret):
        questions.tell(say("everything is there already: nothing was changed"), "good")
        return False
    if not _agreed(draft, secret, questions):
        questions.tell(say("nothing was written"), "bad")
        return False
    if draft.order.is_dry:
        report.is_changed = True
        questions.tell(say("nothing was written, for this is a dry run"))
        return False
    return True


def _agreed(draft: Draft, secret: Secret, questions: Questions) -> bool:
    """Show what will be changed; where a file is there already, ask."""
    for line in draft.differences(secret):
        style = "added" if line[:1] == "+" else "removed" if line[:1] == "-" else ""
        questions.tell(printable(line, _OLD_SHOWN), style)
    touched = draft.touched(secret)
    if not touched or not questions.has_person or draft.order.is_dry:
        return True
    question = say("change {path} so? the old one is kept", path=", ".join(touched))
    return questions.is_agreed("confirm", question, default=True)


def _tell_what_is_next(draft: Draft, questions: Questions) -> None:
    questions.tell(say("what is next:"), "title")
    questions.tell(say("  pillarbox doctor    examines all of it, and the domain's DNS records"))
    if draft.order.is_system:
        questions.tell(
            say("  pillarbox install   puts sendmail in place, with a queue that loses nothing")
        )
