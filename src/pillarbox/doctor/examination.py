"""
An examination: the checks in their order, each on what those before it have found sound.

Where a check finds a fault, those that need it are not made: what they would find is its doing and
not a cause of its own. So the first fault of an examination is a root cause, and the checks that
do not need it still tell of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.errors import MissingExtraError, PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from pillarbox.doctor.patient import Patient

__all__ = [
    "EXIT_FAULT",
    "EXIT_WARNING",
    "OWN_CODES",
    "WISH",
    "Check",
    "Examination",
    "Result",
    "examine",
]

# As the plugins of Nagios and all who came after it: 0 OK, 1 WARNING, 2 CRITICAL.
EXIT_WARNING, EXIT_FAULT = 1, 2

# In ``Result.because``, where no check is to blame: whoever asks wanted it so.
WISH = "wish"

# What any check may come to, behind its name; made here.
OWN_CODES = {
    "extra": "an optional part of pillarbox that it needs is not installed",
    "failed": "it could not be made, for the reason that is said",
    "bug": "pillarbox itself is at fault: it could not be made",
}


class Check(Value):
    """
    A check, as a row of a table.

    Attributes:
        name: One word; the codes of its findings begin with it.
        title: What it looks at, for a person.
        run: Yields what it finds in a patient; may raise any ``PillarboxError``, which becomes a
            fault ``NAME.failed``.
        needs: Names of the checks before it that must have passed.
        codes: Every code that it may yield, each with what it says, for the reference page.

    """

    __slots__ = ("codes", "name", "needs", "run", "title")

    def __init__(
        self,
        name: str,
        title: str,
        run: Callable[[Patient], Iterable[Finding]],
        *,
        needs: Sequence[str] = (),
        codes: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.title = title
        self.run = run
        self.needs = tuple(needs)
        self.codes = tuple(codes)


class Result(Value):
    """
    What became of a check.

    Attributes:
        check: The check.
        findings: What it found; empty: all is well, or it was not made.
        because: The name of the check whose fault, or whose ``is_end``, kept it from being made;
            ``WISH``: nobody wanted it; empty: it was made.

    """

    __slots__ = ("because", "check", "findings")

    def __init__(self, check: Check, findings: tuple[Finding, ...], because: str = "") -> None:
        self.check = check
        self.findings = findings
        self.because = because

    @property
    def has_fault(self) -> bool:
        """Whether mail fails here."""
        return any(finding.severity == FAULT for finding in self.findings)

    @property
    def is_end(self) -> bool:
        """Whether what needs it is not looked at."""
        return self.has_fault or any(finding.is_end for finding in self.findings)


class Examination(Value):
    """
    All results, in order.

    Attributes:
        results: One for each check.

    """

    __slots__ = ("results",)

    def __init__(self, results: tuple[Result, ...]) -> None:
        self.results = results

    def findings(self, severity: str) -> tuple[Finding, ...]:
        """Return all findings of a severity, in order."""
        return tuple(
            finding
            for result in self.results
            for finding in result.findings
            if finding.severity == severity
        )

    @property
    def root_cause(self) -> Finding | None:
        """The finding to act on first: the first fault, else the first warning; None: healthy."""
        for severity in (FAULT, WARNING):
            found = self.findings(severity)
            if found:
                return found[0]
        return None

    @property
    def exit_code(self) -> int:
        """What monitoring wants to know: 0, ``EXIT_WARNING`` or ``EXIT_FAULT``."""
        cause = self.root_cause
        if cause is None:
            return 0
        return EXIT_FAULT if cause.severity == FAULT else EXIT_WARNING


def examine(
    patient: Patient,
    checks: Sequence[Check],
    tell: Callable[[Result], None] | None = None,
    *,
    left_out: Collection[str] = (),
) -> Examination:
    """
    Make the checks in their order. Blocks on the disk and the network.

    Args:
        patient: Whom; it is not closed.
        checks: The table.
        tell: Gets each result as it is there; None: nobody waits for it.
        left_out: Names of checks that are not to be made, nor those that need them.

    """
    blamed = dict.fromkeys(left_out, WISH)
    results = []
    for check in checks:
        asked = (check.name, *check.needs)
        because = next((blamed[name] for name in asked if name in blamed), "")
        result = Result(check, () if because else tuple(_findings(check, patient)), because)
        if because or result.is_end:
            blamed[check.name] = because or check.name
        results.append(result)
        if tell is not None:
            tell(result)
    return Examination(tuple(results))


def _findings(check: Check, patient: Patient) -> Iterator[Finding]:
    try:
        for finding in check.run(patient):
            assert finding.code in check.codes, finding.code
            yield finding
    except MissingExtraError as exc:
        yield Finding(f"{check.name}.extra", NOTE, exc.sentence, fix=_install(exc))
    except PillarboxError as exc:
        yield Finding(
            f"{check.name}.failed",
            FAULT,
            exc.sentence,
            fix=exc.advice or say("mend what it says, and ask again"),
        )
    except Exception as exc:  # noqa: BLE001 (the other checks are made all the same)
        yield Finding(
            f"{check.name}.bug",
            WARNING,
            say("pillarbox could not make this check: internal error {kind}", kind=_kind(exc)),
            meaning=say("this is a bug of pillarbox, and says nothing of the mail"),
            fix=say("report it, with the file that pillarbox doctor --bundle FILE.tar.gz writes"),
            evidence=(_innermost_place(exc),),
        )


def _install(exc: MissingExtraError) -> str:
    return f"pip install 'pillarbox[{exc.extra}]'"


def _kind(exc: Exception) -> str:
    return printable(type(exc).__name__)


def _innermost_place(exc: Exception) -> str:
    """Return module and line: enough for a report, and no data of anybody's."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    assert trace is not None  # it was raised
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
