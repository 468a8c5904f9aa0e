"""The preset files: each has the shape that is read, and each hint explains its own sample."""

import re
import tomllib
from importlib import resources

import pytest

from pillarbox.config import hints
from pillarbox.config.hints import find_hint
from pillarbox.config.values import AUTH_METHODS

FOLDER = resources.files("pillarbox.config") / "presets"
FILES = sorted((path for path in FOLDER.iterdir()), key=lambda path: path.name)
PRESETS = {path.name: tomllib.loads(path.read_text("utf-8")) for path in FILES}
PROVIDERS = {name: preset for name, preset in PRESETS.items() if name != "generic.toml"}

RETRIES = {"no", "later", "later-once", "next-day", "hold"}
TLS = {"implicit", "starttls", "plain"}
CONFIDENCE = {"S", "G", "I", "unknown"}

# The keys of a provider: their types, and whether they must be there.
KEYS = {
    "id": (str, True),
    "name_en": (str, True),
    "name_zh": (str, True),
    "aliases": (list, True),
    "kind": (str, True),
    "domains": (list, True),
    "mx_suffixes": (list, True),
    "greeting": (str, False),
    "auth": (list, True),
    "spf_include": (str, False),
    "notes": (list, True),
    "docs": (list, True),
    "smtp": (dict, True),
    "endpoints": (list, True),
    "username": (dict, True),
    "from_rule": (dict, True),
    "secret": (dict, True),
    "limits": (dict, True),
    "dkim": (dict, False),
    "error_hints": (list, False),
    "steps": (list, True),
    "confidence": (dict, True),
}
HINT_KEYS = {"regex", "stage", "retry", "cause_en", "cause_zh", "fix_en", "fix_zh", "confidence"}


def test_the_folder_holds_presets_only():
    """A file that is no preset would be read as one."""
    assert len(FILES) > 20
    assert all(path.name.endswith(".toml") for path in FILES)
    assert "generic.toml" in PRESETS


@pytest.mark.parametrize("name", PROVIDERS)
def test_shape(name):
    """A preset has every key that is read, of the right type, and no other."""
    preset = PROVIDERS[name]
    assert set(preset) <= set(KEYS)
    for key, (kind, is_needed) in KEYS.items():
        if is_needed or key in preset:
            assert isinstance(preset[key], kind), key
    assert preset["id"] == name.removesuffix(".toml")
    assert re.fullmatch(r"[a-z0-9-]+", preset["id"])
    assert preset["kind"] in {"mailbox", "relay"}
    assert preset["name_en"].isascii()
    assert preset["name_en"].strip()
    assert preset["name_zh"].strip()
    for key in ("aliases", "domains", "mx_suffixes", "auth", "notes", "docs"):
        assert all(isinstance(item, str) and item.strip() for item in preset[key]), key
    assert all(re.fullmatch(r"https?://\S+", link) for link in preset["docs"])
    for word in preset["confidence"].values():
        assert re.match(r"S|G|I|unknown|n/a", word)
    if "greeting" in preset:
        assert not re.search(preset["greeting"], "")


@pytest.mark.parametrize("name", PROVIDERS)
def test_endpoints(name):
    """One endpoint is preferred, it is the one to configure, and it is never without TLS."""
    preset = PROVIDERS[name]
    for endpoint in preset["endpoints"]:
        assert set(endpoint) == {"host", "port", "tls", "preferred", "note", "confidence"}
        assert endpoint["host"] == endpoint["host"].lower()
        assert re.fullmatch(r"[a-z0-9.-]+|[a-z0-9.-]*\{[a-z]+\}[a-z0-9.-]+", endpoint["host"])
        assert not endpoint["host"].endswith(".")
        assert 0 < endpoint["port"] < 65536
        assert endpoint["tls"] in TLS
        assert isinstance(endpoint["preferred"], bool)
    (preferred,) = [endpoint for endpoint in preset["endpoints"] if endpoint["preferred"]]
    assert {key: preferred[key] for key in ("host", "port", "tls")} == preset["smtp"]
    assert preferred["tls"] != "plain"
    assert (preferred["port"] == 465) <= (preferred["tls"] == "implicit")
    assert (preferred["port"] == 587) <= (preferred["tls"] == "starttls")


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_a_person_is_asked_for(name):
    """User name, sender rule and secret say which, and where to get it, in both languages."""
    preset = PROVIDERS[name]
    assert preset["username"]["rule"]
    assert preset["from_rule"]["rule"]
    secret = preset["secret"]
    assert set(secret) <= {"kind", "label_en", "label_zh", "url"}
    assert secret["label_en"].isascii()
    assert secret["label_zh"].strip()
    assert re.match(r"https?://\S+$", secret.get("url", "https://x"))
    known = {method.upper() for method in AUTH_METHODS}
    assert any(method in known for method in preset["auth"])


@pytest.mark.parametrize("name", PROVIDERS)
def test_console_steps(name):
    """What is to be done in the console is said in both languages, and how sure we are."""
    preset = PROVIDERS[name]
    assert preset["steps"]
    for step in preset["steps"]:
        assert set(step) == {"en", "zh"}
        assert all(text.isprintable() and text == text.strip() for text in step.values())
        assert step["en"].endswith(".")
        assert step["zh"].endswith("\u3002")
        assert re.search("[\u4e00-\u9fff]", step["zh"])
    assert preset["confidence"]["steps"] in {"S", "S/G", "G"}


@pytest.mark.parametrize("name", PROVIDERS)
def test_dns(name):
    """What a domain publishes for the provider is a name that DNS can have."""
    preset = PROVIDERS[name]
    dns_name = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
    for host in (*preset["mx_suffixes"], *preset["domains"]):
        assert dns_name.fullmatch(host)
    if "spf_include" in preset:
        assert dns_name.fullmatch(preset["spf_include"])
    dkim = preset.get("dkim", {})
    assert set(dkim) <= {"selector", "selectors", "note", "confidence"}
    for selector in dkim.get("selectors", ()):
        assert re.fullmatch("[a-z0-9]+", selector)
    assert dkim.get("selector") in (None, *dkim.get("selectors", (dkim.get("selector"),)))


def test_the_console_of_the_tutorial_is_told_with_its_menu_names():
    """The five places of Aliyun's console are those that its own pages call so."""
    steps = " ".join(step["zh"] for step in PROVIDERS["aliyun-qiye.toml"]["steps"])
    for menu in (
        "组织与用户 - 员工账号管理 - 新建账号",
        "开启 IMAP/SMTP 服务",
        "安全管理 - 账号安全策略 - 三方客户端安全",
        "双重认证",
        "定期修改密码提醒",
        "三方客户端安全密码",
    ):
        assert menu in steps


def test_no_two_presets_are_the_same():
    """Identifiers and aliases name one preset each."""
    names = [word for preset in PROVIDERS.values() for word in (preset["id"], *preset["aliases"])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", PRESETS)
def test_hint_has_what_is_shown(name):
    """A hint has its class, its texts in both languages, and its sample."""
    for row in _rows(name):
        assert set(row) <= HINT_KEYS | {"code", "sample"}
        assert set(row) >= HINT_KEYS | {"sample"}
        assert row["retry"] in RETRIES
        assert row["stage"] in {*hints._STAGES, "any"}
        assert row["confidence"] in CONFIDENCE
        assert 200 <= row.get("code", 200) < 600
        for key in ("cause", "fix"):
            assert row[f"{key}_en"].isascii()
            assert not row[f"{key}_zh"].isascii() or row[f"{key}_zh"] == row[f"{key}_en"]
            for text in (row[f"{key}_en"], row[f"{key}_zh"]):
                assert text.isprintable()
                assert text == text.strip() != ""


@pytest.mark.parametrize("name", PRESETS)
def test_sample_finds_its_own_hint_first(name):
    """What the provider was seen to say is explained by the hint that was made of it."""
    for row in _rows(name):
        for host in _hosts(name):
            for language in ("en", "zh"):
                hint = find_hint(row["sample"], host=host, language=language)
                assert hint is not None, row["sample"]
                found = (hint.cause, hint.fix, hint.retry)
                assert found == (row[f"cause_{language}"], row[f"fix_{language}"], row["retry"])
                assert bool(hint.provider) is (name != "generic.toml")


@pytest.mark.parametrize("name", PRESETS)
def test_expression_is_true_of_few_texts(name):
    """
    An expression that is broken, or true of everything, is no hint.

    A code in it is the reply's own, at its start: else "450 come back in 535 seconds" would be a
    refused login, and the mail would be lost.
    """
    for row in _rows(name):
        expression = re.compile(row["regex"], re.IGNORECASE | re.DOTALL)
        for text in ("", "250 OK", "550 no", "450 later", "cannot connect"):
            assert not expression.search(text), row["regex"]
        code = row["sample"][:3]
        if code.isdigit() and code in row["regex"]:
            assert f"^{code}" in row["regex"] or f"({code}" in row["regex"], row["regex"]


def _rows(name):
    return PRESETS[name].get("error_hints", [])


def _hosts(name):
    endpoints = PRESETS[name].get("endpoints", [{"host": "mail.example.org"}])
    return sorted({re.sub(r"\{\w+\}", "some-region-1", row["host"]) for row in endpoints})


# Every number that stands in an expression.
NUMBERS = sorted(
    {
        number
        for name in PRESETS
        for row in _rows(name)
        for number in re.findall("[45][0-9]{2}", row["regex"])
    }
)


@pytest.mark.parametrize("name", PRESETS)
def test_greylisting_is_never_a_refusal(name):
    """Attack: whatever number stands in it, "try again in N seconds" does not end a mail (R8)."""
    host = _hosts(name)[0]
    for number in NUMBERS:
        for text in (
            f"450 4.2.0 greylisted, try again in {number} seconds",
            f"451 queue {number} is busy",
            f"450 <user{number}@example.org>: mailbox busy",
        ):
            for stage in ("RCPT", ""):
                hint = find_hint(text, host=host, stage=stage)
                assert hint is None or hint.retry != "no", text


def test_provider_of_the_tutorial():
    """The tutorial's provider is there as the tutorial configures it."""
    preset = PRESETS["aliyun-qiye.toml"]
    assert preset["smtp"] == {"host": "smtp.qiye.aliyun.com", "port": 465, "tls": "implicit"}
    assert preset["from_rule"]["rule"] == "must-equal-login"
