"""
The proof that mail arrives: a test mail, and its word typed back by who has received it.

The account is written before; whatever happens here undoes nothing of it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pillarbox.delivery.report import failure_lines
from pillarbox.errors import EX_OK, DataError
from pillarbox.mail.reply import printable
from pillarbox.setup.placing import look
from pillarbox.setup.proof_mail import is_token, make_token, send_test_mail
from pillarbox.setup.way import read_address
from pillarbox.setup.writing import AliasPlan, write_root_alias
from pillarbox.text import say

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.mail.address import Mailbox
    from pillarbox.setup.questions import Questions
    from pillarbox.setup.report import Report
    from pillarbox.setup.writing import Draft

__all__ = ["send_proof"]

_MAILS = 3  # to other addresses: whoever has mistyped twice is to look it up
_WORDS = 5  # mistyped, before we take the mail for not received


def send_proof(
    draft: Draft,
    account: Account,
    recipient: Mailbox,
    questions: Questions,
    report: Report,
) -> int:
    """
    Send the test mail, and have its word typed back where there is a person.

    Returns:
        The exit code: that of the sending where nobody can be asked for another address.

    """
    if not questions.answers.is_yes("test_mail", default=True):
        return EX_OK
    is_asking = questions.has_person and questions.answers.is_yes("confirm", default=True)
    for left in reversed(range(_MAILS)):
        token = make_token()
        code = _send(draft, account, recipient, token, questions, report)
        if not is_asking:
            return code
        other = _await_word(token, recipient, questions, report, is_sent=code == EX_OK)
        if other is None or not left:
            return EX_OK
        recipient = other
        _move_root(draft, recipient, questions, report)
    return EX_OK


def _send(
    draft: Draft,
    account: Account,
    recipient: Mailbox,
    token: str,
    questions: Questions,
    report: Report,
) -> int:
    report.recipient = str(recipient)
    outcome = send_test_mail(
        account,
        draft.way.address,
        recipient,
        token,
        environment=draft.order.environment,
        language=questions.language,
        hostname=printable(socket.gethostname(), 60) or "localhost",
    )
    if outcome.exit_code == EX_OK:
        report.tested = "sent"
        questions.tell(say("a test mail is on its way to {address}", address=recipient), "good")
        return EX_OK
    report.tested = "refused"
    for line in failure_lines(outcome, account, questions.language):
        questions.tell(line, "bad")
    return outcome.exit_code


def _await_word(
    token: str, recipient: Mailbox, questions: Questions, report: Report, *, is_sent: bool
) -> Mailbox | None:
    """Return another address that the person types; None: he is done."""
    prompt = say("type the word in it; another address to try that one; or Enter to leave it")
    if not is_sent:
        prompt = say("another address to try that one; or Enter to leave it")
    for _ in range(_WORDS):
        typed = questions.ask(prompt, str)
        if is_sent and is_token(typed, token):
            report.tested = "confirmed"
            questions.tell(say("it has arrived: mail from this computer works"), "good")
            return None
        if "@" in typed:
            try:
                return read_address(typed)
            except DataError as error:
                questions.tell(error.sentence, "bad")
                continue
        if not typed:
            break
        questions.tell(say("that is not the word; look into the spam folder, too"), "bad")
    questions.tell(say("whether mail to {address} arrives is not known", address=recipient), "bad")
    questions.tell(say("'pillarbox doctor' says what may keep it back"))
    return None


def _move_root(draft: Draft, recipient: Mailbox, questions: Questions, report: Report) -> None:
    """Have root's mail go to another address, if the line of his is ours."""
    plan = draft.aliases
    if plan.root is None or plan.place is None:
        return
    before = str(plan.root)
    draft.aliases = AliasPlan(plan.path, look(plan.place.path), recipient)
    write_root_alias(draft, questions, report, replaces=before)
