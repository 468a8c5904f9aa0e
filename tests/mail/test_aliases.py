"""Aliases of local recipients: the syntax of aliases(5), and expansion that always ends."""

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import ConfigError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.aliases import expand_aliases


@pytest.fixture
def expand(tmp_path):
    """Return a function that expands recipients by the text of an aliases file."""
    path = tmp_path / "aliases"

    def run(text, *recipients):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found = expand_aliases([parse_mailbox(recipient) for recipient in recipients], str(path))
        return [str(mailbox) for mailbox in found]

    return run


SYNTAX = [
    # the file, the recipient, who gets it
    ("root: a@x.org", "root", ["a@x.org"]),
    ("root:a@x.org", "root", ["a@x.org"]),
    ("root :\ta@x.org  ", "root", ["a@x.org"]),
    ("  root: a@x.org", "root", ["a@x.org"]),
    ("root: a@x.org\n", "root", ["a@x.org"]),
    ("root: a@x.org\r\n", "root", ["a@x.org"]),
    ("\n\n# c\nroot: a@x.org\n\n", "root", ["a@x.org"]),
    ("root: a@x.org, b@x.org", "root", ["a@x.org", "b@x.org"]),
    ("root: a@x.org,b@x.org,", "root", ["a@x.org", "b@x.org"]),
    ("root: , a@x.org,, b@x.org", "root", ["a@x.org", "b@x.org"]),
    # Case.
    ("root: a@x.org", "ROOT", ["a@x.org"]),
    ("ROOT: a@x.org", "root", ["a@x.org"]),
    ("root: A@X.org", "root", ["A@X.org"]),
    # Comments.
    ("root: a@x.org # b@x.org", "root", ["a@x.org"]),
    ("#root: b@x.org\nroot: a@x.org", "root", ["a@x.org"]),
    (" # root: b@x.org\nroot: a@x.org", "root", ["a@x.org"]),
    ('root: "a#b"@x.org', "root", ['"a#b"@x.org']),
    # Continuation lines.
    ("root: a@x.org,\n  b@x.org", "root", ["a@x.org", "b@x.org"]),
    ("root: a@x.org,\n\tb@x.org,\n\tc@x.org", "root", ["a@x.org", "b@x.org", "c@x.org"]),
    ("root:\n a@x.org", "root", ["a@x.org"]),
    ("root: a@x.org, # first\n  # remark\n  b@x.org", "root", ["a@x.org", "b@x.org"]),
    ("root: a@x.org,\n\n  b@x.org", "root", ["a@x.org", "b@x.org"]),
    # Quotes.
    ('"root": a@x.org', "root", ["a@x.org"]),
    ('"a:b": a@x.org', '"a:b"', ["a@x.org"]),
    ('"two words": a@x.org', '"two words"', ["a@x.org"]),
    ('root: "Doe, J" <a@x.org>, b@x.org', "root", ["a@x.org", "b@x.org"]),
    ('root: "a b"@x.org', "root", ['"a b"@x.org']),
    ("root: Admin <a@x.org>", "root", ["a@x.org"]),
    # Names that lead to names.
    ("root: admin\nadmin: a@x.org", "root", ["a@x.org"]),
    ("admin: a@x.org\nroot: admin, b@x.org", "root", ["a@x.org", "b@x.org"]),
    ("root: Admin\nadmin: a@x.org", "root", ["a@x.org"]),
    ("a: b\nb: c\nc: d, e\nd: x@x.org\ne: y@x.org", "a", ["x@x.org", "y@x.org"]),
    ("a: b, c\nb: x@x.org\nc: x@x.org", "a", ["x@x.org"]),
    ("a: b, b, c\nb: c\nc: x@x.org", "a", ["x@x.org"]),
    # Nobody's names stay.
    ("root: a@x.org", "cron", ["cron"]),
    ("root: cron", "root", ["cron"]),
    ("", "root", ["root"]),
    ("# nothing", "root", ["root"]),
    # default takes what has no other entry.
    ("default: a@x.org", "root", ["a@x.org"]),
    ("root: b@x.org\ndefault: a@x.org", "root", ["b@x.org"]),
    ("root: cron\ndefault: a@x.org", "root", ["a@x.org"]),
    ("default: admin\nadmin: a@x.org", "root", ["a@x.org"]),
    ("default: postmaster", "root", ["postmaster"]),
    ("default: one, two", "root", ["one", "two"]),
    ("default: root\nroot: a@x.org", "cron", ["a@x.org"]),
    ("default: admin\nadmin: ann, a@x.org", "root", ["ann", "a@x.org"]),
    ("default: default", "root", ["default"]),
    # A name that leads to itself is final, and so is one behind a backslash.
    ("root: root, a@x.org", "root", ["root", "a@x.org"]),
    ("root: ROOT", "root", ["ROOT"]),
    ("root: \\root, a@x.org", "root", ["root", "a@x.org"]),
    ("root: \\admin\nadmin: a@x.org", "root", ["admin"]),
    ("admin: root\nroot: root, a@x.org", "admin", ["root", "a@x.org"]),
    ("default: \\x", "root", ["x"]),
    # Another character that some take for a line's end is none.
    ("root: a@x.org # \u2028cron: evil@x.org", "cron", ["cron"]),
    ("root: a@x.org # \x85cron: evil@x.org", "cron", ["cron"]),
    ("root: a@x.org # \x0bcron: evil@x.org", "cron", ["cron"]),
    # More than ASCII.
    ("root: 用户@x.org", "root", ["用户@x.org"]),
    ("管理: a@x.org", "管理", ["a@x.org"]),
]


@pytest.mark.parametrize(("text", "recipient", "expected"), SYNTAX)
def test_syntax(expand, text, recipient, expected):
    """A file in the syntax of aliases(5) means what it means to sendmail."""
    assert expand(text, recipient) == expected


MALFORMED = [
    # the file, its line that is at fault, what is said
    ("root", 1, "an alias needs the form 'name: address, ...'"),
    ("root a@x.org", 1, "an alias needs the form"),
    (": a@x.org", 1, "an alias needs the form"),
    ('"root: a@x.org', 1, "an alias needs the form"),
    ('"root" a@x.org', 1, "an alias needs the form"),
    ("a: x@y.z\n\nroot:", 3, "alias root leads to nobody"),
    ("root: # nobody", 1, "alias root leads to nobody"),
    ("root: ,,", 1, "alias root leads to nobody"),
    ("root@x.org: a@x.org", 1, "only a local name can be an alias"),
    ("root: a@x.org\nroot: b@x.org", 2, "alias root was defined on line 1"),
    ("root: a@x.org\n#\nROOT: b@x.org", 3, "alias ROOT was defined on line 1"),
    # What only the entry that is used is asked for.
    ("root: a@", 1, "invalid address"),
    ("root: a@x.org b@x.org", 1, "invalid address"),
    ('root: "a@x.org', 1, "invalid address"),
    ("x: y@z\nroot: a@x.org,\n  <b", 2, "invalid address"),
    ("root: a\x01b@x.org", 1, "invalid address"),
    ("root: |/bin/cat", 1, "a program as the target of an alias is not supported"),
    ('root: "|/bin/cat >x"', 1, "a program as the target"),
    ('root: " |/bin/cat"', 1, "a program as the target"),
    ("root: a@x.org, |touch /x", 1, "a program as the target"),
    ("root: \\|cat", 1, "a program as the target"),
    ("root: /var/mail/root", 1, "a file as the target"),
    ('root: "/var/mail/root"', 1, "a file as the target"),
    ("root: /dev/null", 1, "a file as the target"),
    ("root: :fail: no such user", 1, "an instruction as the target"),
    ("root: :blackhole:", 1, "an instruction as the target"),
    ("default: |cat", 1, "a program as the target"),
    ("root: a\na: b\nb: a", 2, "aliases lead in a circle: a -> b -> a"),
    ("root: a\na: b\nb: c\nc: root", 1, "aliases lead in a circle: root -> a -> b -> c -> root"),
    ("root: a\na: x@x.org, b\nb: c@x.org, A", 2, "aliases lead in a circle: a -> b -> a"),
    (
        "\n".join(f"n{n}: n{n + 1}" for n in range(30)) + "\nroot: n0",
        16,
        "aliases are nested deeper",
    ),
]


@pytest.mark.parametrize(("text", "line", "problem"), MALFORMED)
def test_faults_are_told_by_line(expand, tmp_path, text, line, problem):
    """A fault is a configuration error that names the file, the line and what is wrong."""
    with pytest.raises(ConfigError) as caught:
        expand(text, "root")
    assert caught.value.exit_code == 78
    assert caught.value.problem.startswith(problem)
    assert (caught.value.path, caught.value.line) == (str(tmp_path / "aliases"), line)


def test_faults_of_other_entries_do_not_matter(expand):
    """Real files have entries for programs and /dev/null; they harm only who writes to them."""
    text = "bin: /dev/null\nnews: |cat\nodd: a@\nloop: pool\npool: loop\nroot: a@x.org"
    assert expand(text, "root") == ["a@x.org"]


# -- several recipients -----------------------------------------------------------------------


def test_order_is_kept(expand):
    """Every recipient is expanded, in order (msmtp: the next was skipped, and lists reversed)."""
    text = "root: a@x.org, b@x.org\ncron: c@x.org\nall: root, cron"
    assert expand(text, "root", "cron") == ["a@x.org", "b@x.org", "c@x.org"]
    assert expand(text, "cron", "root") == ["c@x.org", "a@x.org", "b@x.org"]
    assert expand(text, "z@x.org", "root", "y@x.org", "cron") == [
        "z@x.org", "a@x.org", "b@x.org", "y@x.org", "c@x.org",
    ]  # fmt: skip
    assert expand(text, "all", "root") == ["a@x.org", "b@x.org", "c@x.org"]


def test_a_mailbox_gets_one_copy(expand):
    """Who comes up twice gets the mail once, where he came up first."""
    text = "root: a@x.org\ncron: a@x.org, b@x.org"
    assert expand(text, "b@x.org", "root", "cron", "a@x.org") == ["b@x.org", "a@x.org"]


def test_addresses_pass_through(expand):
    """A mailbox with a domain is no local name, also when its local-part has an entry."""
    assert expand("root: a@x.org", "root@y.org") == ["root@y.org"]


def test_a_thousand_recipients_of_one_alias(expand):
    """An alias may lead to a thousand; one more is refused; plain recipients are not counted."""
    names = [f"r{n}@x.org" for n in range(1000)]
    assert expand(f"root: {', '.join(names)}", "root") == names
    assert (
        len(expand(f"root: {', '.join(names)}", "root", *(f"p{n}@y.org" for n in range(50))))
        == 1050
    )
    with pytest.raises(ConfigError, match="over 1000 recipients"):
        expand(f"root: {', '.join(names)}, more@x.org", "root")


def test_fan_out_ends_soon(expand):
    """Attack: names that lead to ten names each, sixteen levels deep (L7)."""
    lines = [f"l{n}: {', '.join([f'l{n + 1}'] * 10)}" for n in range(14)]
    start = time.monotonic()
    assert expand("\n".join([*lines, "l14: a@x.org", "root: l0"]), "root") == ["a@x.org"]
    wide = [
        f"w{n}_{k}: {', '.join(f'w{n + 1}_{j}' for j in range(10))}"
        for n in range(10)
        for k in range(10)
    ]
    text = "\n".join([*wide, *(f"w10_{k}: u{k}@x.org" for k in range(10)), "root: w0_0"])
    assert len(expand(text, "root")) == 10
    assert time.monotonic() - start < 2


# -- included files ---------------------------------------------------------------------------


def include(tmp_path, text, mode=0o644):
    """Write a list and return its path."""
    path = tmp_path / "list"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_include(expand, tmp_path):
    """:include: reads a list of addresses, with comments, one or more a line."""
    path = include(tmp_path, '# people\na@x.org, b@x.org # here\n\n  admin\n"c#d"@x.org\r\n')
    expected = ["a@x.org", "b@x.org", "z@x.org", '"c#d"@x.org']
    for item in (f":include:{path}", f":INCLUDE: {path}", f'":include:{path}"'):
        assert expand(f"root: {item}\nadmin: z@x.org", "root") == expected
    assert expand(f"root: q@x.org, :include:{path}", "root")[0] == "q@x.org"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a@", "invalid address"),
        ("|cat", "a program as the target"),
        ('"|cat"', "a program as the target"),
        ("/etc/passwd", "a file as the target"),
        (":include:/etc/hosts", "an included file includes another"),
        ('":include:/etc/hosts"', "an included file includes another"),
    ],
)
def test_include_holds_addresses_only(expand, tmp_path, text, problem):
    """Attack: a list that somebody may edit has no power of its own."""
    path = include(tmp_path, f"ok@x.org\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        expand(f"root: :include:{path}", "root")
    assert caught.value.problem.startswith(problem)
    assert (caught.value.path, caught.value.line) == (str(path), 2)


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o602, 0o622, 0o777])
def test_include_that_others_can_write_is_refused(expand, tmp_path, mode):
    """Attack: who can write the list would get root's mail."""
    path = include(tmp_path, "a@x.org", mode)
    with pytest.raises(ConfigError, match="can be written by others") as caught:
        expand(f"root: :include:{path}", "root")
    assert caught.value.advice.startswith("chmod go-w ")


@pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
def test_include_of_another_user_is_refused(expand, tmp_path):
    """Attack: a list that belongs to somebody else is his to change."""
    path = include(tmp_path, "a@x.org")
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigError, match="can be written by others"):
        expand(f"root: :include:{path}", "root")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("list", "the included file must be named by its whole path"),
        ("./list", "the included file must be named by its whole path"),
        ("~/list", "the included file must be named by its whole path"),
        ("", "the included file must be named by its whole path"),
        ("/nonexistent", "cannot read /nonexistent: No such file"),
        ("/etc", "/etc is not a file"),
        ("/dev/null", "/dev/null is not a file"),
    ],
)
def test_include_of_something_else(expand, tmp_path, monkeypatch, name, problem):
    """What is included is a file with a whole path, whatever the working directory has."""
    include(tmp_path, "evil@x.org")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        expand(f"root: :include:{name}", "root")
    assert caught.value.problem.startswith(problem)


def test_include_of_a_pipe_does_not_block(expand, tmp_path):
    """Attack: a FIFO that nobody writes to is refused, not waited for."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(ConfigError, match="is not a file"):
        expand(f"root: :include:{tmp_path / 'fifo'}", "root")


# -- the file itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/nonexistent/aliases", "cannot read /nonexistent/aliases: No such file or directory"),
        ("/", "/ is not a file"),
        ("/dev/zero", "/dev/zero is not a file"),
        ("/etc/pass\0wd", "cannot read /etc/pass\0wd: the name is not valid"),
    ],
)
def test_file_that_cannot_be_read(path, problem):
    """A file that is not there, or is no file, is a configuration error."""
    with pytest.raises(ConfigError) as caught:
        expand_aliases([parse_mailbox("root")], path)
    assert caught.value.problem == problem


def test_file_of_more_than_a_mebibyte(expand):
    """Attack: an endless file costs no endless memory."""
    with pytest.raises(ConfigError, match="is larger than 1048576 octets"):
        expand("# " + "x" * (1 << 20), "root")


def test_bytes_that_are_no_utf8(expand):
    """Odd bytes in a comment are no fault; in an address they are one."""
    assert expand(b"# \xff\xfe\nroot: a@x.org", "root") == ["a@x.org"]
    with pytest.raises(ConfigError, match="invalid address"):
        expand(b"root: \xff@x.org", "root")


# -- properties -------------------------------------------------------------------------------

_names = st.sampled_from("abcdef")
_targets = st.one_of(
    _names, _names.map("\\{}".format), _names.map("{}@x.org".format), st.just("default")
)
_graphs = st.dictionaries(
    st.one_of(_names, st.just("default")), st.lists(_targets, min_size=1, max_size=5), max_size=7
)


@settings(max_examples=150, deadline=None)
@given(_graphs, st.lists(_names, min_size=1, max_size=4))
def test_any_graph_ends(tmp_path_factory, graph, recipients):
    """
    Attack: whatever leads to whatever, expansion ends in recipients or in a refusal (L7).

    Nobody is there twice, nothing is there that the file does not name, and a local name that is
    left has no entry of its own or is final.
    """
    path = tmp_path_factory.getbasetemp() / "graph"
    path.write_text("".join(f"{name}: {', '.join(items)}\n" for name, items in graph.items()))
    try:
        found = expand_aliases([parse_mailbox(name) for name in recipients], str(path))
    except ConfigError as exc:
        assert "circle" in exc.problem or "deeper" in exc.problem  # noqa: PT017 (one of two ends)
        return
    shown = [str(mailbox) for mailbox in found]
    assert shown
    assert len(set(shown)) == len(shown)
    named = {item.lstrip("\\") for items in graph.values() for item in items}
    assert set(shown) <= named | set(recipients)
    final = {item[1:] for items in graph.values() for item in items if item[0] == "\\"}
    for name in shown:
        if name in graph and "@" not in name:
            assert name in final or name in graph[name]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["root", "a", '"x y"']))
def test_any_file_gives_an_answer(tmp_path_factory, text, recipient):
    """A file of any bytes is understood or refused by line, and nothing else happens."""
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(text)
    try:
        found = expand_aliases([parse_mailbox(recipient)], str(path))
    except ConfigError as exc:
        assert exc.path  # noqa: PT017 (one of two ends)
        return
    assert found
