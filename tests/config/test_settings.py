"""The table of the service's settings."""

import typing
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from pillarbox.config.places import Places
from pillarbox.config.settings import SECTIONS, SENDERS, SETTINGS, Service, patterns_of

PLACES = Places("/s.toml", "/spool", "/submit", "/control", "/accounts")


def service(**senders):
    """Return the settings with these senders, and defaults that do not matter."""
    values = {row.attribute: row.default for row in SETTINGS if not row.section}
    sections = {
        name: kind(**{row.attribute: row.default for row in SETTINGS if row.section == name})
        for name, kind in SECTIONS.items()
    }
    return Service(**values, **sections, senders=senders)


@pytest.mark.parametrize("section", ["", *SECTIONS])
def test_rows_and_annotations_agree(section):
    """Each row is a field of the class of its section, of the type of its default."""
    kind = SECTIONS.get(section, Service)
    hints = typing.get_type_hints(kind, localns={"Mapping": typing.Mapping})
    rows = {row.attribute: row for row in SETTINGS if row.section == section}
    others = {*SECTIONS, SENDERS, "path"} if not section else set()
    assert list(rows) == [field.name for field in fields(kind) if field.name not in others]
    for name, row in rows.items():
        assert type(row.default) is (typing.get_origin(hints[name]) or hints[name]), name


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.attribute)
def test_row_is_complete(row):
    """Each row has what the reference page needs, and its default is what its reader gives."""
    assert row.help.endswith(".")
    assert "\n" not in row.help
    assert row.since.startswith("pillarbox ")
    assert row.unit in {"", "s", "bytes"}
    assert row.section in {"", *SECTIONS}
    if isinstance(row.default, str) and row.default.startswith("{"):
        assert getattr(PLACES, row.default[1:-1])
    else:
        given = list(row.default) if isinstance(row.default, tuple) else row.default
        assert row.parse(given) == row.default


def test_names_are_not_there_twice():
    """One name means one thing in the whole file: a misplaced setting can be told its section."""
    names = [row.name for row in SETTINGS] + [*SECTIONS, SENDERS]
    assert len(set(names)) == len(names)


def test_no_more_recipients_than_the_spool_has_room_for():
    """What the settings allow, an entry can hold."""
    from pillarbox.spool import entry

    (row,) = (row for row in SETTINGS if row.name == "max_recipients")
    assert row.parse(entry.MAX_RECIPIENTS) == entry.MAX_RECIPIENTS
    with pytest.raises(ValueError, match="1 to 1500"):
        row.parse(entry.MAX_RECIPIENTS + 1)


def test_service_cannot_be_changed():
    """A reload replaces the settings as a whole; nobody changes them under the others."""
    settings = service()
    with pytest.raises(FrozenInstanceError):
        settings.spool = "/elsewhere"
    with pytest.raises(FrozenInstanceError):
        settings.limits.max_recipients = 1
    assert replace(settings, spool="/elsewhere").limits == settings.limits


USER, ID, GROUP, ELSE = ("u@a",), ("i@a",), ("g@a",), ("e@a",)


@pytest.mark.parametrize(
    ("senders", "patterns"),
    [
        ({}, None),
        ({"bob": USER, "8": ID}, None),
        ({"ann": USER, "7": ID, "@web": GROUP, "*": ELSE}, USER),
        ({"7": ID, "@web": GROUP, "*": ELSE}, ID),
        ({"@web": GROUP, "*": ELSE}, GROUP),
        ({"@web": GROUP, "@mail": ("m@a",), "*": ELSE}, ("g@a", "m@a")),
        ({"@other": GROUP, "*": ELSE}, ELSE),
        ({"@other": GROUP}, None),
        ({"ann": (), "*": ELSE}, ()),
        ({"*": ()}, ()),
    ],
)
def test_senders_that_a_user_may_use(senders, patterns):
    """His name decides, else his id, else his groups together, else ``*``, else he is free."""
    found = patterns_of(service(**senders), uid=7, user="ann", groups=("web", "mail"))
    assert found == patterns


def test_a_uid_without_a_name_is_found_by_its_number():
    """A container's user has often no name; an empty one matches nothing."""
    settings = service(**{"7": ID, "@": GROUP})
    assert patterns_of(settings, uid=7, user="", groups=()) == ID
    assert patterns_of(settings, uid=8, user="", groups=()) is None
