"""Patients for the doctor's checks that talk to a server: an account, and who answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peer import PASSWORD, USER
from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.config.providers import provider_of_host
from pillarbox.doctor.patient import Patient
from pillarbox.mail.address import parse_mailbox
from pillarbox.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pillarbox.doctor.finding import Finding

__all__ = ["findings_of", "one_finding", "patient_of"]


def patient_of(
    folder: Path,
    *,
    port: int = 0,
    socket: Path | None = None,
    host: str = "127.0.0.1",
    user: str = USER,
    password: str | None = PASSWORD,
    sender: str | None = None,
    lines: str = "auth plain\ntls off\n",
    env: dict[str, str] | None = None,
    **settings: object,
) -> Patient:
    """
    Return a patient as the checks ``config`` and ``secret`` leave one.

    Args:
        folder: Where its configuration file goes.
        port: The port of the server.
        socket: The unix socket of the server: then ``host`` may be anybody's.
        host: The host.
        user: The login.
        password: Its password; None: it may not be read.
        sender: The sender; None: the login.
        lines: What else stands in the account.
        env: The environment.
        **settings: For ``Patient``.

    """
    place = f"socket {socket}\n" if socket is not None else f"port {port}\n" if port else ""
    path = folder / "msmtprc"
    path.write_text(
        f"account default\nhost {host}\n{place}user {user}\nfrom {sender or user}\n{lines}"
    )
    path.chmod(0o600)
    wishes = Wishes({}, env=env or {}, user_file=str(path))
    chosen, _ = choose_account(load_files(wishes), wishes)
    patient = Patient(wishes, **settings)  # type: ignore[arg-type]
    patient.account = finish_account(chosen, wishes, None)
    patient.provider = provider_of_host(host) if not host.startswith("127.") else None
    patient.secret = Secret(password) if password is not None else None
    patient.sender = parse_mailbox(sender or user)
    return patient


def findings_of(check: Callable[[Patient], Iterable[Finding]], patient: Patient) -> list[Finding]:
    """Return what a check finds; what it says must not hold the password."""
    found = list(check(patient))
    for finding in found:
        texts = (finding.problem, finding.meaning, finding.fix, *finding.evidence)
        for text in texts:
            assert patient.secret is None or patient.secret.reveal() not in text
            if text is finding.fix:  # which may be several lines, to be copied
                text = "".join(text.split("\n"))  # noqa: PLW2901
            assert text.isprintable(), text
    return found


def one_finding(check: Callable[[Patient], Iterable[Finding]], patient: Patient) -> Finding:
    """Return the one thing that a check finds."""
    found = findings_of(check, patient)
    assert len(found) == 1, [finding.code for finding in found]
    return found[0]
