"""The documents tell the truth: generated pages are current, links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])

sys.path.insert(0, str(ROOT / "docs"))
import generate  # noqa: E402 (behind the path)


@pytest.mark.parametrize("name", generate.PAGES)
def test_generated_page_is_current(name):
    """A page under reference/ is what the tables in the code say."""
    assert (ROOT / "docs" / name).read_text() == generate.PAGES[name](), (
        "run: python docs/generate.py"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    """Every relative link of a page names a file that is there."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_chinese_pages_follow_the_english_ones():
    """A user page in Chinese has the headings and the commands of the English one."""
    pairs = [
        (ROOT / "README.md", ROOT / "README.zh.md"),
        (ROOT / "docs/queue.md", ROOT / "docs/queue.zh.md"),
        (ROOT / "docs/operating.md", ROOT / "docs/operating.zh.md"),
        (ROOT / "docs/setup.md", ROOT / "docs/setup.zh.md"),
        (ROOT / "docs/doctor.md", ROOT / "docs/doctor.zh.md"),
        (
            ROOT / "docs/reference/configuration.md",
            ROOT / "docs/reference/configuration.zh.md",
        ),
    ]
    for english, chinese in pairs:
        texts = [page.read_text() for page in (english, chinese)]
        headings = [len(re.findall(r"(?m)^#+ ", text)) for text in texts]
        assert headings[0] == headings[1], chinese
        english_commands, chinese_commands = (
            [
                command.strip()
                for command in re.findall(r"(?m)^    (?:make|pillarbox) [a-z]+[^#\n]*", text)
                if not re.search("[\u4e00-\u9fff]|web01", command)  # what is written differs
            ]
            for text in texts
        )
        assert english_commands == chinese_commands, chinese


def test_every_make_target_of_the_readme_exists():
    """What the README tells a newcomer to type is in the Makefile."""
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    named = set(re.findall(r"(?m)^    make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named
    assert named <= targets


def test_rfc_page_names_files_that_exist():
    """Each file that docs/rfc.md points at is there."""
    names = re.findall(r"`(src/[^`]+)`", (ROOT / "docs/rfc.md").read_text())
    assert names
    for name in names:
        assert (ROOT / name).is_file(), name


def test_threats_page_names_tests_that_exist():
    """Each file or folder that docs/threats.md points at is there."""
    names = re.findall(r"`(tests/[^`]+)`", (ROOT / "docs/threats.md").read_text())
    assert names
    for name in names:
        assert (ROOT / name).exists(), name


def test_architecture_names_every_room():
    """Every module or folder of the package stands on the architecture page."""
    text = (ROOT / "docs/architecture.md").read_text()
    for path in (ROOT / "src/pillarbox").iterdir():
        if path.name.startswith("_") or path.name == "py.typed":
            continue
        name = f"{path.name}/" if path.is_dir() else path.name
        assert name in text, name


def test_decisions_are_numbered_without_gaps():
    """Decision records count up from 1 and have a status."""
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert "\nStatus: " in record.read_text(), record.name


@pytest.mark.parametrize("program", ["msmtp", "pillarbox"])
def test_help_names_every_option_or_command(program):
    """``--help`` of a program shows every long option, and every subcommand."""
    code = f"from pillarbox.cli.main import run; run({program!r})"
    shown = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    ).stdout
    if program == "pillarbox":
        expected = list(generate.main.COMMANDS)
    else:
        from pillarbox.config.account import FIELDS

        own = {"--version", "--help", "--file", "--account", "--read-recipients", "--pretend"}
        own |= {"--debug", "--serverinfo", "--rmqs", "--configure", "--read-envelope-from"}
        expected = [f"--{field.option}" for field in FIELDS if field.option]
        expected += sorted(own)
    for name in expected:
        assert name in shown, name
