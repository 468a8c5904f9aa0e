"""
Mails from templates (Jinja2), in a sandbox.

A template may be written by somebody who must not run code here, and its values by anybody: there
is no loader, so that it reads no file; no attribute that leads out of a value; an unknown name is
an error and not an empty space. A first line ``Subject: ...`` is the subject; it is found in the
source, so that no value can make one.
"""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.errors import DataError, MissingExtraError, MissingInputError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Rendered", "parse_variable", "read_variables", "render"]

HTML = "html"
MARKDOWN = "markdown"
TEXT = "text"

_KINDS = ((".html", HTML), (".htm", HTML), (".md", MARKDOWN), (".markdown", MARKDOWN))
_ENDINGS = (".j2", ".jinja2", ".jinja")
_MAX_BYTES = 4 << 20  # of a template, or a file of values: more is a mistake


@dataclass(frozen=True, slots=True)
class Rendered:
    """
    What a template came to.

    Attributes:
        kind: ``HTML``, ``MARKDOWN`` or ``TEXT``, by the file's name.
        body: The text.
        subject: The subject that it gives; None: it gives none.

    """

    kind: str
    body: str
    subject: str | None


def render(path: str, variables: Mapping[str, object]) -> Rendered:
    """
    Fill in a template.

    Args:
        path: Of the template: ``.html.j2`` is HTML, ``.md.j2`` Markdown, all else plain text.
        variables: Values by name.

    Raises:
        MissingInputError: It cannot be read.
        DataError: It is wrong, or a value is missing.
        MissingExtraError: The package is missing.

    """
    source = _read(path)
    kind = _kind_of(path)
    subject = None
    first, _, rest = source.partition("\n")
    if first.lower().startswith("subject:"):
        # The body keeps its line numbers for what is told of a fault.
        subject = _fill(first[8:].strip(), variables, path, is_html=False).strip()
        source = "\n" + rest
    body = _fill(source, variables, path, is_html=kind == HTML)
    return Rendered(kind, body.lstrip("\n") if subject is not None else body, subject)


def _kind_of(path: str) -> str:
    name = path.lower()
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return next((kind for ending, kind in _KINDS if name.endswith(ending)), TEXT)


def _fill(source: str, variables: Mapping[str, object], path: str, *, is_html: bool) -> str:
    try:
        from jinja2 import StrictUndefined, TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise MissingExtraError(say("a template"), "compose") from None
    shown = printable(path)
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=is_html, keep_trailing_newline=True
    )
    try:
        return environment.from_string(source).render(variables)
    except TemplateError as exc:
        line = getattr(exc, "lineno", None) or _line_of(exc)
        reason = printable(exc.message or type(exc).__name__)
        problem = say("{path}: line {line}: {problem}", path=shown, line=line or 1, problem=reason)
        raise DataError(problem, advice=say("values come from --var and --vars")) from exc
    except Exception as exc:  # what a template makes fail is the template's fault
        reason = printable(f"{type(exc).__name__}: {exc}")
        problem = say(
            "{path}: line {line}: {problem}", path=shown, line=_line_of(exc), problem=reason
        )
        raise DataError(problem) from exc


def _line_of(exc: BaseException) -> int:
    """Return the line of the template in which it happened; 1 when nobody knows."""
    line, trace = 1, exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def parse_variable(text: str) -> tuple[str, str]:
    """
    Read ``NAME=VALUE``.

    Raises:
        UsageError: It is none.

    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        problem = say("{text} is not a value for a template", text=printable(repr(text), 80))
        raise UsageError(problem, advice=say("write it as NAME=VALUE"))
    return name, value


def read_variables(path: str) -> dict[str, Any]:
    """
    Read a file of values: TOML if its name ends so, else a JSON object.

    Raises:
        MissingInputError: It cannot be read.
        DataError: It is not what its name says.

    """
    source = _read(path)
    try:
        if path.lower().endswith(".toml"):
            import tomllib

            return tomllib.loads(source)
        import json

        found = json.loads(source)
    except (ValueError, RecursionError) as exc:
        problem = say("{path}: {problem}", path=printable(path), problem=printable(str(exc)))
        raise DataError(problem) from exc
    if not isinstance(found, dict):
        problem = say("{path} must be an object of names and values", path=printable(path))
        raise DataError(problem)
    return found


def _read(path: str) -> str:
    shown = printable(path)
    try:
        with open(path, "rb") as file:
            octets = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise MissingInputError(
            say("cannot read {path}: {reason}", path=shown, reason=reason)
        ) from exc
    if len(octets) > _MAX_BYTES:
        raise DataError(say("{path} is larger than 4 MiB", path=shown))
    try:
        return octets.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        raise DataError(say("{path} is not UTF-8", path=shown)) from exc
