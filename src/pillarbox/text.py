"""
Texts for people, which know how to be said in another language.

A message is written once, in English, as a template with named fields: ``say("cannot read
{path}: {reason}", path=..., reason=...)``. The result *is* the English sentence, so everything
that a machine reads (logs, ``--pretend``) stays the same everywhere; only where a person is
spoken to does ``localize`` put the template of his language in its place.

The rule: a text that a person may see is made by ``say``, and its template stands in the
catalogue of every language; a test reads both and compares.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Text", "bilingual", "language_of", "localize", "say"]


class Text(str):
    """
    An English sentence that remembers what it was made of.

    Attributes:
        template: The sentence with its fields in braces.
        fields: What was put in; a value that is itself a ``Text`` is localized too.

    """

    __slots__ = ("fields", "template")

    template: str
    fields: Mapping[str, object]


def say(template: str, /, **fields: object) -> Text:
    """Return the sentence in English; ``fields`` fill the braces of the template."""
    text = Text(template.format(**fields) if fields else template)
    text.template = template
    text.fields = fields
    return text


def bilingual(english: str, chinese: str) -> Text:
    """Return a text that brings its translation along, as what is known of a provider does."""
    text = Text(english)
    text.template = "{chinese}"  # is in no catalogue, and so filled in as it is
    text.fields = {"chinese": chinese}
    return text


def localize(text: str, language: str) -> str:
    """
    Return a text in a language; what has no translation stays English.

    Args:
        text: A ``Text``, or a plain string, which is returned as it is.
        language: ``en`` or ``zh``.

    """
    if language == "en" or not isinstance(text, Text):
        return text
    from pillarbox.texts_zh import TEXTS

    template = TEXTS.get(text.template, text.template)
    if not text.fields:
        return template
    return template.format(
        **{
            name: localize(value, language) if isinstance(value, str) else value
            for name, value in text.fields.items()
        }
    )


def language_of(environment: Mapping[str, str]) -> str:
    """
    Return ``zh`` or ``en``.

    ``PILLARBOX_LANG``, which ``--lang`` sets, has the first word; then the locale's variables in
    the order of POSIX.
    """
    for name in ("PILLARBOX_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            return "zh" if value.startswith("zh") else "en"
    return "en"
