"""No form of a secret is left in a text, and nobody who gets mail is named."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patients import patient_of
from pillarbox.doctor.masking import Mask, known_secrets
from pillarbox.mail.reply import printable

SECRET = 'Kanarien vogel_+16/"\\ä%'

# How a program may write a secret down, made here by the libraries that programs use for it.
WAYS = {
    "plain": lambda secret: secret,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 without padding": lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    "base64 for addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "AUTH PLAIN": lambda secret: base64.b64encode(f"\0me\0{secret}".encode()).decode(),
    "AUTH PLAIN with an identity": lambda secret: base64.b64encode(
        f"me\0me\0{secret}".encode()
    ).decode(),
    "address": quote,
    "address, all quoted": lambda secret: quote(secret, safe=""),
    "address, small letters": lambda secret: "".join(
        f"%{octet:02x}" if octet > 127 or not chr(octet).isalnum() else chr(octet)
        for octet in secret.encode()
    ),
    "form": quote_plus,
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON with all letters": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "Python": lambda secret: repr(secret)[1:-1],
    "Python's bytes": lambda secret: repr(secret.encode())[2:-1],
    "netrc": lambda secret: secret.replace("\\", "\\\\").replace('"', '\\"'),
    "shown": printable,
    "base16": lambda secret: secret.encode().hex(),
    "base16, capitals": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_secret_is_hidden_however_it_is_written(way):
    """What stands around it stays."""
    written = way(SECRET)
    masked = Mask([SECRET], ["me"]).hide_secrets(f"before <{written}> after")
    assert masked.startswith("before <")
    assert masked.endswith("> after")
    assert written not in masked
    assert SECRET not in masked


@pytest.mark.parametrize("around", [("", ""), ("a", "b"), ("ab", ""), ("abc", "yz")])
def test_a_secret_inside_of_encoded_text_is_hidden(around):
    """A server that quotes a line encodes the user in front of it: other letters, same secret."""
    first, last = around
    text = base64.b64encode(f"{first}{SECRET}{last}".encode()).decode()
    masked = Mask([SECRET]).hide_secrets(f"500 {text} what?")
    assert masked != f"500 {text} what?"
    for part in masked.split():
        try:
            plain = base64.b64decode(part.replace("*", ""), validate=True)
        except ValueError:
            continue
        assert b"vogel" not in plain


@given(
    secret=st.text(min_size=1, max_size=24),
    before=st.text(max_size=12),
    after=st.text(max_size=12),
    way=st.sampled_from(sorted(WAYS)),
)
def test_no_form_of_any_secret_is_left(secret, before, after, way):
    """Of one letter, of stars, of letters that escapes are made of: rather nothing than a part."""
    try:
        secret.encode()
    except UnicodeEncodeError:
        return
    mask = Mask([secret], ["me"])
    masked = mask.hide_secrets(f"{before}{WAYS[way](secret)}{after}")
    for name, form in WAYS.items():
        written = form(secret)
        # Three letters or fewer are half of every word; nobody leaves the padding out of so little.
        if name != "base64 without padding" or len(written) > 3:
            assert written not in masked


@pytest.mark.parametrize(
    ("secret", "masked"),
    [
        ("*", "a (masked) b"),
        ("***", "a (masked) b"),
        ("x*", "a *** b"),
        ("* ", "a (masked) b"),
    ],
)
def test_what_stands_for_a_secret_does_not_hold_it(secret, masked):
    """Attack: somebody whose password is a star."""
    assert Mask([secret]).hide_secrets(f"a {secret} b") == masked


def test_a_text_that_cannot_be_without_a_secret_is_left_out():
    """Whatever is put in its place would make another: no text is better than that one."""
    assert Mask(["*", "m", "#", "a a"]).hide_secrets("a* m#a") == ""


def test_the_longest_secret_is_hidden_first():
    """One that begins with another leaves no rest."""
    assert Mask(["abcd", "abcdefgh"]).hide_secrets("x abcdefgh y") == "x *** y"


def test_without_a_secret_nothing_changes():
    """An empty one is none: it would be everywhere."""
    assert Mask([]).hide_secrets("text") == "text"
    assert Mask([""]).hide_secrets("text") == "text"


def test_people_get_short_names():
    """The same for the same person, whatever the case; one's own stay; another bundle, others."""
    mask = Mask([], own=["Me@example.com"])
    said = mask.hide_people(
        'to=<bob@example.org> cc="BOB@example.org" from=me@example.com, ann@example.org'
        " rfc822;bob@example.org"
    )
    assert "bob" not in said.lower()
    assert "ann" not in said
    assert "from=me@example.com," in said
    names = [part.partition(")")[0] for part in said.split("(address ")[1:]]
    assert len(names) == 4
    assert len(set(names)) == 2
    assert Mask([]).name_of("bob@example.org") != mask.name_of("bob@example.org")


def test_all_secrets_that_the_machine_shows_are_known(tmp_path):
    """The login's, those of other accounts, of netrc, of credentials; and no service's but ours."""
    home, credentials, root = tmp_path / "home", tmp_path / "credentials", tmp_path / "root"
    for folder in (home, credentials, root / "etc/credstore"):
        folder.mkdir(parents=True)
    (home / ".netrc").write_text("machine h login u password of-netrc\ndefault password d-f-l-t\n")
    (root / "etc/netrc").write_text('machine h login u password "of system"\n')
    (credentials / "pillarbox.work").write_text("of-credential\nsecond line\n")
    (root / "etc/credstore/pillarbox.password").write_text("of-store\n")
    (root / "etc/credstore/database").write_text("of-others\n")
    env = {"HOME": str(home), "CREDENTIALS_DIRECTORY": str(credentials)}
    lines = "auth plain\ntls off\n\naccount other\nhost h\npassword of-another\n"
    patient = patient_of(tmp_path, password="of-login", env=env, root=str(root), lines=lines)
    from pillarbox.config.load import load_files

    patient.files = load_files(patient.wishes, system_file=patient.system_file)
    assert set(known_secrets(patient)) == {
        "of-login", "of-another", "of-netrc", "d-f-l-t", "of system", "of-credential", "of-store",
    }  # fmt: skip


def test_where_nothing_can_be_read_no_secret_is_known(tmp_path):
    """It is no error."""
    patient = patient_of(tmp_path, password=None, root=str(tmp_path / "none"))
    assert set(known_secrets(patient)) == set()
