"""The house's rules about who may import whom, and what a fast command loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from porter import Porter

PACKAGE = Path(__file__).parent.parent / "src" / "pillarbox"

# Floor of each room; a room imports from floors below its own, and from itself.
FLOORS = {
    "errors": 0,
    "secret": 0,
    "text": 0,
    "texts_zh": 0,
    "value": 0,
    "mail": 0,
    "config": 1,
    "smtp": 1,
    "net": 1,
    "spool": 1,
    "handoff": 1,
    "dns": 1,
    "delivery": 2,
    "compose": 3,
    "lint": 3,
    "doctor": 3,
    "setup": 3,
    "alert": 3,
    "api": 4,
    "cli": 4,
    "django": 4,
    "intake": 4,
    "logs": 4,
}

# Within floor 0: values import nothing, and mail imports the other words.
WORDS = {
    "value": set(),
    "secret": set(),
    "texts_zh": set(),
    "text": {"texts_zh"},
    "errors": {"text"},
    "mail": {"value", "secret", "errors", "text"},
}


def _files():
    return sorted(PACKAGE.rglob("*.py"))


def _room(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def _imports(path):
    """Yield each room that a file imports, in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room they cross"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "pillarbox" and len(parts) > 1:
                yield parts[1]


def _offences():
    for path in _files():
        room = _room(path)
        if room.startswith("__"):
            continue
        for other in _imports(path):
            if other in (room, "__version__"):
                continue
            if FLOORS[room] == 0 and FLOORS[other] == 0:
                is_allowed = other in WORDS[room]
            else:
                is_allowed = FLOORS[other] < FLOORS[room]
            if not is_allowed:
                yield f"{path.relative_to(PACKAGE)} imports {other}"


def test_every_room_has_a_floor():
    """A new room must be given its floor here before anything is built in it."""
    rooms = {_room(path) for path in _files()} - {"__init__", "__main__"}
    assert rooms <= set(FLOORS)


def test_imports_go_down_only():
    """No room imports a room of its own floor or above, not even for types."""
    assert list(_offences()) == []


def test_the_check_would_notice_an_upward_import(tmp_path, monkeypatch):
    """The rule above can fail: a planted upward import is found."""
    room = tmp_path / "mail"
    room.mkdir()
    (room / "planted.py").write_text("def f():\n    from pillarbox.smtp import client\n")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert list(_offences()) == ["mail/planted.py imports smtp"]


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path):
    """A module opens with a docstring and, unless it is a package's face, lists its names."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    if path.name not in ("__init__.py", "__main__.py"):
        names = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        assert "__all__" in names


def test_the_engine_does_no_io():
    """Nothing in smtp/ or mail/ imports what could touch a socket, a clock or a process."""
    forbidden = {"socket", "ssl", "select", "time", "threading", "asyncio", "subprocess", "random"}
    for path in _files():
        if _room(path) != "smtp":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not forbidden & {alias.name for alias in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in forbidden, path


# What `import ssl` loads by itself is paid for already; of the rest of the standard library, the
# hot ring may load only these.
_HOT = {
    "__future__",
    "__main__",
    "_ssl",
    "binascii",
    "errno",
    "fcntl",
    "math",
    "posix",
    "select",
    "stat",
    "time",
}
_HEAVY = {
    "argparse",
    "asyncio",
    "ctypes",
    "dataclasses",
    "datetime",
    "difflib",
    "email",
    "fnmatch",
    "getpass",
    "gettext",
    "hashlib",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "random",
    "shutil",
    "smtplib",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "tomllib",
    "typing",
    "urllib",
}


def _modules_after(code):
    """Return what a fresh interpreter, without site, has loaded when ``code`` prints it."""
    path = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); "
    command = [sys.executable, "-I", "-S", "-c", path + code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_sending_loads_little():
    """The modules behind a direct send are those of ssl, our own, and a handful of builtins."""
    loaded = _modules_after(
        "import ssl; before = set(sys.modules);"
        "import pillarbox.cli.msmtp, pillarbox.cli.direct, pillarbox.delivery.submit;"
        "print(*set(sys.modules) - before)"
    )
    foreign = {name for name in loaded if not name.startswith("pillarbox")}
    assert foreign <= _HOT, foreign - _HOT


# What a whole hand-off may load: itself, and what is built into Debian's interpreter. Of other
# builds _socket is a file beside it.
_HANDED_OVER = {
    "pillarbox",
    "pillarbox.handoff",
    "pillarbox.handoff.call",
    "pillarbox.handoff.talk",
    "_socket",
}


@pytest.mark.parametrize("words", [["me@x.example"], ["-i", "-f", "a@x", "me@x.example", "root"]])
def test_handing_over_loads_only_what_is_built_in(tmp_path, words):
    """The hot ring: from argv to the end of the process, with a service that takes the mail."""
    path = tmp_path / "submit.sock"
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); before = set(sys.modules);"
        f"import posix; posix.environ.update({{b'PILLARBOX_SOCKET': {str(path).encode()!r}}});"
        "posix._exit = lambda code: print(code, *set(sys.modules) - before);"
        f"sys.argv = ['/usr/sbin/sendmail', *{words!r}];"
        "import pillarbox.handoff; pillarbox.handoff.start()"
    )
    with Porter(path) as porter:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code],
            input=b"\nx\n",
            capture_output=True,
            check=True,
            env={"HOME": "/nonexistent"},
        )
        assert len(porter.mails) == 1
    code, *loaded = done.stdout.decode().split()
    assert code == "0"
    assert set(loaded) <= _HANDED_OVER, set(loaded) - _HANDED_OVER


def test_what_fails_to_be_handed_over_may_load_more(tmp_path):
    """The list above can fail: the texts of a failure are loaded only then."""
    path = tmp_path / "submit.sock"
    code = (
        f"import pillarbox.handoff as it; it._PATIENCE_S = 0;"
        f"call = it.Call(['x']);\ntry: it.hand_over(call, {str(path)!r}, lambda _: b'')\n"
        "except Exception as exc: print(*sys.modules)"
    )
    assert {"pillarbox.handoff.faults", "pillarbox.errors"} <= _modules_after(code) - _HANDED_OVER


def test_heavy_modules_are_not_loaded_by_ssl_itself():
    """Should a future Python load one of these with ssl, the whitelist above would hide it."""
    assert not _HEAVY & _modules_after("import ssl; print(*sys.modules)")


def test_importing_the_package_loads_nothing():
    """``import pillarbox`` brings in no other module of the standard library."""
    code = "before = set(sys.modules); import pillarbox; print(*set(sys.modules) - before)"
    assert _modules_after(code) == {"pillarbox"}
