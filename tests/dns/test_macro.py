"""The macros of SPF: their grammar, and what becomes of them (RFC 7208 7)."""

import pytest

from pillarbox.dns.macro import MacroError, depends_on_mail, expand, split_macros

# The mail of RFC 7208 7.4.
VALUES = {
    "s": "strong-bad@email.example.com",
    "l": "strong-bad",
    "o": "email.example.com",
    "d": "email.example.com",
    "h": "host.example.net",
    "i": "192.0.2.3",
    "v": "in-addr",
    "c": "192.0.2.3",
    "r": "mx.example.org",
    "t": "1700000000",
}

EXAMPLES = [
    # the examples of RFC 7208 7.4
    ("%{s}", "strong-bad@email.example.com"),
    ("%{o}", "email.example.com"),
    ("%{d4}", "email.example.com"),
    ("%{d3}", "email.example.com"),
    ("%{d2}", "example.com"),
    ("%{d1}", "com"),
    ("%{dr}", "com.example.email"),
    ("%{d2r}", "example.email"),
    ("%{l-}", "strong.bad"),
    ("%{lr}", "strong-bad"),
    ("%{lr-}", "bad.strong"),
    ("%{l1r-}", "strong"),
    ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
    ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
    ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
    ("%{p}.example.", "name.example.net.example"),
    # what they leave out
    ("%{D2}", "example.com"),
    ("%{S}", "strong-bad%40email.example.com"),
    ("a%%b%_c%-d", "a%b c%20d"),
    ("%{d99999999999}", "email.example.com"),
]


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_expands_as_the_examples_of_the_rfc(text, expected):
    """Each macro, its count, its reversal and its delimiters."""
    assert expand(text, VALUES, lambda: "name.example.net") == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [("%", 0), ("a.%x", 2), ("%{x}", 0), ("%{d0}", 0), ("%{d", 0), ("%{c}", 0), ("a b", 1),
     ("a\x7f", 1), ("ok.%{d}.\u00fc", 8)],
)  # fmt: skip
def test_fault_is_found_at_its_place(text, place):
    """What begins no macro, or may not stand in a name, is a fault there."""
    with pytest.raises(MacroError) as caught:
        list(split_macros(text))
    assert caught.value.place == place


def test_explanation_may_say_more():
    """Blanks and the letters c, r and t are for the text of ``exp=`` alone."""
    text = "%{c} at %{t} is refused by %{r}"
    made = expand(text, VALUES, str, is_explanation=True)
    assert made == "192.0.2.3 at 1700000000 is refused by mx.example.org"


def test_long_name_loses_labels_on_its_left():
    """A name that fits in no question is cut between labels; an explanation is not."""
    text = ".".join(["x" * 60] * 6) + ".example.com"
    assert expand(text, VALUES, str) == ".".join(["x" * 60] * 3) + ".example.com"
    assert expand(text, VALUES, str, is_explanation=True) == text


@pytest.mark.parametrize(
    ("text", "is_it"),
    [("a.example", False), ("%{d}", False), ("%{D2r}.x", False), ("%{i}.x", True), ("%{p}", True)],
)
def test_tells_what_is_another_for_every_mail(text, is_it):
    """Only the domain is known before there is a mail."""
    assert depends_on_mail(text) is is_it
