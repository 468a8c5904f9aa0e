"""Values compare, hash and show themselves by their fields."""

from __future__ import annotations

from pillarbox.value import Value


class Point(Value):
    """A value for the tests."""

    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Place(Value):
    """Another one with the same fields."""

    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


def test_equal_fields_make_equal_values():
    """Fields decide, and the class."""
    assert Point(1, "a") == Point(1, "a")
    assert Point(1, "a") != Point(1, "b")
    assert Point(1, "a") != Place(1, "a")
    assert Point(1, "a") != (1, "a")


def test_equal_values_have_one_hash():
    """Values can be kept in sets."""
    assert len({Point(1, 2), Point(1, 2), Point(2, 1), Place(1, 2)}) == 3


def test_shows_class_and_fields():
    """The repr is how one would make it."""
    assert repr(Point(1, "a")) == "Point(x=1, y='a')"


def test_has_no_room_for_other_attributes():
    """A typing error in a name is an error."""
    assert not hasattr(Point(1, 2), "__dict__")
