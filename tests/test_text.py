"""Texts for people: made once in English, said in Chinese, and none of them forgotten."""

from __future__ import annotations

import ast
import re
import socket
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox import texts_zh
from pillarbox.config.values import parse_port, parse_timeout, reason_of
from pillarbox.errors import ConfigError, MissingExtraError, NetworkError
from pillarbox.net.dial import Endpoint
from pillarbox.net.proxy import connect_through
from pillarbox.net.stream import Stream
from pillarbox.text import bilingual, language_of, localize, say
from pillarbox.texts_zh import TEXTS

PACKAGE = Path(__file__).parent.parent / "src" / "pillarbox"

# Han characters, and the punctuation that is as wide as they are.
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


# -- say and localize -----------------------------------------------------------------------


@pytest.fixture(name="catalogue")
def _catalogue(monkeypatch):
    """Put a small catalogue in the place of the real one."""
    texts = {
        "cannot read {path}: {reason}": "无法读取 {path}：{reason}",
        "nothing in it": "其中没有内容",
        "{one} before {other}": "{other}在{one}之后",
    }
    monkeypatch.setattr(texts_zh, "TEXTS", texts)


def test_a_text_is_the_english_sentence():
    """Whoever knows nothing of languages sees a string like any other."""
    text = say("cannot read {path}: {reason}", path="/x", reason="why")
    assert isinstance(text, str)
    assert text == "cannot read /x: why"
    assert repr(text) == "'cannot read /x: why'"
    assert (text.template, text.fields) == (
        "cannot read {path}: {reason}",
        {"path": "/x", "reason": "why"},
    )


def test_a_text_without_fields_is_its_template():
    """Nothing is filled in where nothing is given."""
    assert say("nothing in it") == "nothing in it"


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(("text", "chinese"), [
    (say("nothing in it"), "其中没有内容"),
    (say("cannot read {path}: {reason}", path="/x", reason="EIO"), "无法读取 /x：EIO"),
    # A field that is a text is localized too, as deep as it may be.
    (say("cannot read {path}: {reason}", path="/x", reason=say("nothing in it")),
     "无法读取 /x：其中没有内容"),
    (say("{one} before {other}", one="1", other=say("{one} before {other}", one="2",
                                                  other=say("nothing in it"))),
     "其中没有内容在2之后在1之后"),
    # Numbers are as good as strings.
    (say("{one} before {other}", one=1, other=2), "2在1之后"),
    # What nobody has translated stays English; its parts need not.
    (say("unheard of"), "unheard of"),
    (say("unheard of: {reason}", reason=say("nothing in it")), "unheard of: 其中没有内容"),
    # A plain string is what a machine said, or another room that speaks English only.
    ("nothing in it", "nothing in it"),
])  # fmt: skip
def test_a_text_is_said_in_chinese(text, chinese):
    """The template's place is taken, and the fields are where its language wants them."""
    assert localize(text, "zh") == chinese


@pytest.mark.usefixtures("catalogue")
def test_english_is_the_text_itself():
    """For ``en`` nothing is looked up or made anew."""
    text = say("nothing in it")
    assert localize(text, "en") is text


@pytest.mark.usefixtures("catalogue")
@settings(max_examples=50)
@given(st.text(alphabet="{}[]!:.0az%\\", max_size=12))
def test_braces_in_a_field_are_not_interpreted(evil):
    """A server's words are never a template: neither in English nor in another language."""
    text = say("cannot read {path}: {reason}", path=evil, reason=say("{evil}", evil=evil))
    assert text == f"cannot read {evil}: {evil}"
    assert localize(text, "zh") == f"无法读取 {evil}：{evil}"


@pytest.mark.usefixtures("catalogue")
def test_a_text_may_bring_its_translation_along():
    """What is known of a provider stands in its preset, in both languages, braces and all."""
    text = bilingual("a {thing}", "一个 {东西}")
    assert text == "a {thing}"
    assert localize(text, "en") == "a {thing}"
    assert localize(text, "zh") == "一个 {东西}"
    whole = say("cannot read {path}: {reason}", path="/x", reason=text)
    assert localize(whole, "zh") == "无法读取 /x：一个 {东西}"


@pytest.mark.parametrize(("environment", "language"), [
    ({}, "en"),
    ({"LANG": "C"}, "en"),
    ({"LANG": "POSIX"}, "en"),
    ({"LANG": "en_US.UTF-8"}, "en"),
    ({"LANG": "zh_CN.UTF-8"}, "zh"),
    ({"LANG": "zh"}, "zh"),
    ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "de_DE"}, "en"),
    ({"LANG": "de_DE", "LC_MESSAGES": "zh_TW"}, "zh"),
    ({"LANG": "zh_CN", "LC_MESSAGES": "zh_CN", "LC_ALL": "C"}, "en"),
    ({"LANG": "en_US", "LC_MESSAGES": "en_US", "LC_ALL": "zh_CN"}, "zh"),
    ({"LANG": "zh_CN", "LC_ALL": ""}, "zh"),
    ({"LANG": "zh_CN", "LC_MESSAGES": "", "LC_ALL": ""}, "zh"),
    ({"LANG": "", "LC_ALL": ""}, "en"),
    ({"LC_CTYPE": "zh_CN", "LC_TIME": "zh_CN"}, "en"),
])  # fmt: skip
def test_language_is_the_locales(environment, language):
    """LC_ALL counts more than LC_MESSAGES, which counts more than LANG; empty ones do not."""
    assert language_of(environment) == language


def test_importing_the_mechanism_loads_nothing():
    """English costs no catalogue, and no module of the standard library."""
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); before = set(sys.modules);"
        "import pillarbox.text; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) == {"__future__", "pillarbox", "pillarbox.text"}


# -- what carries texts ---------------------------------------------------------------------


@pytest.mark.parametrize(("error", "english", "chinese"), [
    (ConfigError(say("host not set")), "host not set", "未设置 host"),
    (ConfigError(say("host not set"), line=3), "line 3: host not set", "第 3 行：未设置 host"),
    (ConfigError(say("host not set"), path="/r"), "/r: host not set", "/r：未设置 host"),
    (ConfigError(say("host not set"), path="/r", line=3), "/r: line 3: host not set",
     "/r：第 3 行：未设置 host"),
    (ConfigError("made elsewhere", path="/r"), "/r: made elsewhere", "/r：made elsewhere"),
    (MissingExtraError("NTLM", "ntlm"), "NTLM needs an extra: pip install 'pillarbox[ntlm]'",
     "缺少附加组件（NTLM），请执行：pip install 'pillarbox[ntlm]'"),
])  # fmt: skip
def test_an_exception_says_its_whole_sentence_in_chinese(error, english, chinese):
    """``sentence`` has the place as well; ``str`` stays English."""
    assert f"{error}" == str(error) == error.sentence == english
    assert localize(error.sentence, "zh") == chinese


def test_the_reason_of_a_reader_is_a_text():
    """``str`` of a ``ValueError`` would forget the template."""
    with pytest.raises(ValueError, match="write a number") as caught:
        parse_timeout("-1")
    reason = reason_of(caught.value)
    assert reason == "write a number from 1 to 2147483647 (seconds), or off"
    assert localize(reason, "zh") == "请填写 1 到 2147483647 之间的整数（单位为秒），或 off"


def test_the_reason_of_any_other_error_is_its_text():
    """What Python itself refuses has no template, and may have several arguments."""
    with pytest.raises(UnicodeEncodeError) as caught:
        "\ud800".encode()
    assert reason_of(caught.value) == str(caught.value)
    with pytest.raises(ValueError, match="write a number") as caught:
        parse_port("x")
    assert reason_of(caught.value) == str(caught.value)


def test_an_endpoint_is_named_in_chinese():
    """``str`` hands on the text, so that a message that has it as a field can be localized."""
    assert localize(str(Endpoint("mx.example", 465)), "zh") == "mx.example（端口 465）"
    assert localize(str(Endpoint("", 0, socket_path="/run/x")), "zh") == "/run/x"


def test_a_sentence_of_parts_is_said_in_chinese_to_its_last_word():
    """A proxy's refusal has a proxy, a server and a reason (RFC 1928 6): all are localized."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"\x05\x00" + b"\x05\x05\x00\x01")
        stream = Stream(ours, str(Endpoint("proxy", 1080)))
        with pytest.raises(NetworkError) as caught:
            connect_through(stream, "mx.example", 25, time.monotonic() + 5)
        stream.close()
    assert str(caught.value) == (
        "cannot connect through the proxy proxy, port 1080: mx.example, port 25: "
        "the server refused the connection"
    )
    assert localize(caught.value.problem, "zh") == (
        "无法通过代理 proxy（端口 1080）建立连接：mx.example（端口 25）：服务器拒绝了连接"
    )


# -- the catalogue --------------------------------------------------------------------------


def _fields(template):
    """Return the names of a template's fields; nothing but ``{name}`` is allowed."""
    names = set()
    for _, name, spec, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        assert name.isidentifier(), template
        assert not spec, template
        assert conversion is None, template
        names.add(name)
    return names


def _imports_say(tree):
    """Return whether a module has ``say`` of ours; others may call theirs what they like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pillarbox.text":
            assert all(alias.asname is None for alias in node.names), "say under another name"
            if any(alias.name == "say" for alias in node.names):
                return True
    return False


def _templates(source):
    """Return the templates of all calls of ``say`` in a module's source."""
    tree = ast.parse(source)
    if not _imports_say(tree):
        return set()
    found = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "say"):
            continue
        call = ast.unparse(node)
        assert len(node.args) == 1, call
        template = getattr(node.args[0], "value", None)
        assert isinstance(node.args[0], ast.Constant), f"no literal: {call}"
        assert isinstance(template, str), f"no literal: {call}"
        names = {keyword.arg for keyword in node.keywords}
        assert _fields(template) == names, f"other fields than those of the template: {call}"
        assert names or not set("{}") & set(template), f"braces without a field: {call}"
        found.add(template)
    return found


def _all_templates():
    return {text for path in PACKAGE.rglob("*.py") for text in _templates(path.read_text())}


def test_every_template_stands_in_the_catalogue():
    """A person who reads Chinese is never answered in English because a line was forgotten."""
    assert sorted(_all_templates() - TEXTS.keys()) == []


def test_the_catalogue_has_nothing_that_is_not_used():
    """A template that was changed or removed takes its translation along."""
    assert sorted(TEXTS.keys() - _all_templates()) == []


@pytest.mark.parametrize("template", sorted(TEXTS))
def test_a_translation_says_the_same_in_chinese(template):
    """It has the fields of the English, no others, and is Chinese."""
    assert _fields(TEXTS[template]) == _fields(template)
    assert _CHINESE.search(TEXTS[template])
    assert TEXTS[template] != template


@pytest.mark.parametrize("call", [
    "say(f'cannot read {path}', path=path)",
    "say('a' if path else 'b')",
    "say(TEMPLATE)",
    "say('cannot read {path}')",
    "say('cannot read {path}', path=path, reason=reason)",
    "say('cannot read {path}', **fields)",
    "say('cannot read {path.name}', path=path)",
    "say('cannot read {path!r}', path=path)",
    "say('mode {mode:04o}', mode=mode)",
    "say('cannot read {}', path)",
    "say('a lonely }')",
    "say()",
])  # fmt: skip
def test_a_call_that_could_not_be_translated_is_found(call):
    """The two tests above see every call, and these forms would escape a catalogue."""
    with pytest.raises((AssertionError, ValueError)):
        _templates(f"from pillarbox.text import say\n{call}\n")


def test_the_search_finds_what_is_there():
    """Calls in functions, in tables and within one another; not those of another ``say``."""
    source = """
def f():
    from pillarbox.text import say
    return {1: say("one {what}", what=say("two"))}, self.say("no")
"""
    assert _templates(source) == {"one {what}", "two"}
    assert _templates("def f(say):\n    say('no')\n") == set()
    with pytest.raises(AssertionError):
        _templates("from pillarbox.text import say as tell\ntell('no')\n")


# -- the code -------------------------------------------------------------------------------

# What carries a message to a person, or makes one that does. A ``LocalProtocolError`` does not:
# it is a bug, and read by whoever mends it.
_CARRIERS = frozenset((
    "CertificateError", "ConfigError", "CredentialError", "DataError", "DeadlineError",
    "HostNotFoundError", "InputOutputError", "MissingExtraError", "MissingInputError",
    "NetworkError", "NoMechanism", "RemoteProtocolError", "TlsError", "Trouble", "UsageError",
    "ValueError", "_broken", "_fail", "_fault", "_give_up", "_trouble", "_UnsupportedModeError",
    "tell",
))  # fmt: skip
_TOLD = frozenset(("advice", "did", "problem"))

# They speak to programs (replies of a server, --help), or have a table of their own.
_ENGLISH_ONLY = ("cli/try_", "intake/", "smtp/server")


def _is_literal(node):
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and " " in node.value
    if isinstance(node, ast.IfExp):
        return _is_literal(node.body) or _is_literal(node.orelse)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.BinOp) and (_is_literal(node.left) or _is_literal(node.right))
    )


def _untranslatable(source):
    """Return the messages of a module that were not made by ``say``."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        nodes = list(ast.walk(function))
        named = {
            target.id
            for node in nodes
            if isinstance(node, ast.Assign) and _is_literal(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _CARRIERS:
                told = [*node.args, *(word.value for word in node.keywords if word.arg in _TOLD)]
                found += [
                    ast.unparse(argument)
                    for argument in told
                    if _is_literal(argument) or getattr(argument, "id", "") in named
                ]
    return found


def test_every_message_is_made_by_say():
    """A message that is a plain string would stay English wherever it is shown."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(_ENGLISH_ONLY):
            assert _untranslatable(path.read_text()) == [], name


@pytest.mark.parametrize(("code", "is_found"), [
    ("raise DataError('no good')", True),
    ("raise DataError(f'no {good}')", True),
    ("raise DataError('no ' + good)", True),
    ("raise DataError('no good' if good else say('x'))", True),
    ("raise DataError(say('x'), advice='do this')", True),
    ("msg = 'no good'; raise DataError(msg)", True),
    ("return Trouble(stage='no stage', problem='no good')", True),
    ("return self._broken(did='sent nothing')", True),
    ("raise DataError(say('no good'), path='a b')", False),
    ("raise LocalProtocolError('no good')", False),
    ("problem = say('no good'); raise DataError(problem)", False),
])  # fmt: skip
def test_a_message_that_is_a_plain_string_is_found(code, is_found):
    """The search sees literals where they are given, and the names that they go by."""
    assert bool(_untranslatable(f"def f():\n    {code}\n")) == is_found
