"""The manual pages and completions say everything, and their readers understand them."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import commandlines  # noqa: E402 (behind the path)
import completions  # noqa: E402
import generate  # noqa: E402
import manual  # noqa: E402
import roff  # noqa: E402

from pillarbox.cli import main, msmtp, sendmail  # noqa: E402
from pillarbox.config.account import FIELDS  # noqa: E402
from pillarbox.config.parse import parse  # noqa: E402
from pillarbox.config.service import load_service  # noqa: E402
from pillarbox.config.settings import SETTINGS  # noqa: E402

MAN, COMPLETIONS = ROOT / "man", ROOT / "completions"


def needs(program):
    """Skip a test where a program is not installed."""
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def shown(page):
    """Return a page as a reader sees it, in one line a paragraph, its hyphens plain."""
    command = ["groff", "-man", "-Tascii", "-P-cbou", "-rLL=1000n", "-ww"]
    command.append(MAN / f"man{page[-1]}" / page)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def names_of(line):
    """Return every option of a command and its subcommands."""
    return {name for flag in line.flags for name in flag.names} | {
        name for each in line.subcommands for name in names_of(each)
    }


# -- manual pages -----------------------------------------------------------------------------


@needs("groff")
@pytest.mark.parametrize("page", manual.PAGES, ids=lambda page: page.name)
def test_page_is_understood(page):
    """It is formatted without a warning, and has the parts that a reader looks for."""
    text = shown(f"{page.name}.{page.section}")
    for heading in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert f"\n{heading}\n" in text
    assert ("\nSYNOPSIS\n" in text) == (page.section != 5)
    assert f" {page.name} - {page.text}" in text


@needs("groff")
@pytest.mark.parametrize("page", manual.PAGES, ids=lambda page: page.name)
def test_page_leads_to_pages_that_are_there(page):
    """What stands under SEE ALSO is a page of ours, or of systemd's."""
    for name in page.see:
        own = name.replace("(", ".").rstrip(")")
        assert (MAN / f"man{own[-1]}" / own).exists() or name.startswith("systemd"), name


@needs("groff")
@pytest.mark.parametrize(
    ("page", "options"),
    [
        ("msmtp.1", msmtp.OPTIONS),
        ("sendmail.8", sendmail.OPTIONS),
    ],
)
def test_every_option_is_on_its_page(page, options):
    """No spelling of an option is left out, those that are ignored neither."""
    text = shown(page)
    for option in options:
        assert not option.short or f"-{option.short}" in text, option
        assert not option.long or f"--{option.long}" in text, option


@needs("groff")
def test_every_command_is_on_a_page():
    """Each command and each of its options stands in pillarbox(1), or in a page of its own."""
    text = shown("pillarbox.1")
    for line in commandlines.command_lines():
        assert f"\n   {line.name}\n" in text
        own = [page for page in manual.PAGES if page.name == line.name.replace(" ", "-")]
        there = text + "".join(shown(f"{page.name}.{page.section}") for page in own)
        missing = {name for name in names_of(line) if name not in there} - {"-h", "--help"}
        assert missing == set()


def test_every_program_has_a_page():
    """Whatever name may be called, ``man`` knows it."""
    names = {page.name for page in manual.PAGES}
    assert set(main.PERSONALITIES) <= names
    assert {script.name for script in (ROOT / "bin").iterdir()} <= names


@needs("groff")
def test_every_keyword_and_setting_is_on_its_page():
    """Files have their pages, and nothing of a file is missing there."""
    accounts, settings = shown("msmtprc.5"), shown("pillarbox.toml.5")
    for field in FIELDS:
        assert f"\n       {field.name} " in accounts, field.name
    for row in SETTINGS:
        assert f"\n       {row.name} " in settings or f"\n       {row.name}\n" in settings, row.name


@needs("groff")
def test_every_exit_code_is_on_the_pages_of_programs():
    """Who looks for what 75 means finds it beside the program that said it."""
    for page in ("pillarbox.1", "msmtp.1", "sendmail.8"):
        text = shown(page)
        for _, name, _ in generate._exit_codes():
            assert f" {name.strip('`')}: " in text


def test_every_help_has_a_text():
    """An option without a word about it is no documentation."""
    lines = [*commandlines.command_lines(), commandlines.msmtp_line(), commandlines.sendmail_line()]
    for line in lines:
        for each in (line, *line.subcommands):
            for flag in each.flags:
                assert flag.help, (each.name, flag.names)
    assert {line.name.removeprefix("pillarbox ") for line in lines[:-2]} == set(main.COMMANDS)


@pytest.mark.parametrize(
    ("markdown", "lines"),
    [
        ("a `-x` b", [".PP", "a \\fB\\-x\\fR b"]),
        ("`.msmtprc` is", [".PP", "\\fB\\&.msmtprc\\fR is"]),
        (".x", [".PP", "\\&.x"]),
        ("'x' \\ ^~", [".PP", "\\(aqx\\(aq \\e \\(ha\\(ti"]),
        ("[**a** `b`](c.md#d) e", [".PP", "\\fBa\\fR \\fBb\\fR e"]),
        ("# T\n\n## a-b\n\n### c", [".SH A\\-B", ".SS c"]),
        ("    a\n\n    .b", [".PP", ".RS 4", ".nf", "a", "\\&", "\\&.b", ".fi", ".RE"]),
        ("- a\n- b\n  c", [".IP \\(bu 4", "a", ".IP \\(bu 4", "b", "c"]),
        ("1. a", [".IP 1. 4", "a"]),
        ("| h | i | j |\n| --- | --- | --- |\n| a | b | - |", [".TP", "a", "B."]),
        ("| h | i | j |\n| --- | --- | --- |\n| a | b | c. |", [".TP", "a", "B.", "J: c."]),
        ("```mermaid\nx --> y\n```\n\nz", [".PP", "z"]),
        ("<!-- no -->\n\nz", [".PP", "z"]),
    ],
)
def test_markdown_becomes_man(markdown, lines):
    """Nothing in a text is taken for a command or an escape."""
    assert "\n".join(roff.from_markdown(markdown)).split("\n") == lines


# -- completions ------------------------------------------------------------------------------

# What was typed, what is offered (a part of it), what is not.
TYPED = [
    ("pillarbox ", {"queue", "send", "serve"}, {"list", "--json"}),
    ("pillarbox qu", {"queue"}, {"send"}),
    ("pillarbox queue ", {"list", "show", "flush", "delete"}, {"send"}),
    ("pillarbox queue li", {"list"}, {"flush"}),
    ("pillarbox queue list --", {"--json", "--state", "--user"}, {"--yes"}),
    ("pillarbox queue delete --y", {"--yes"}, {"--json"}),
    ("pillarbox send --priority ", {"high", "normal", "low"}, {"--body"}),
    ("pillarbox try --wro", {"--wrong-password", "--wrong-from"}, set()),
    ("msmtp --tls-c", {"--tls-certcheck", "--tls-cert-file"}, {"--tls"}),
    ("msmtp --pas", {"--passwordeval"}, {"--password"}),
    ("sendmail --w", {"--wait"}, {"--queue"}),
]

VALUES = {"high", "normal", "low"}


def offered_by_bash(typed):
    """Return what bash offers."""
    program, words = typed.split(" ")[0], typed.split(" ")
    script = (
        f"source {COMPLETIONS}/bash/{program}.bash; COMP_WORDS=({' '.join(words)} '');"
        f"COMP_WORDS=($(printf '%s ' {' '.join(words[:-1])}) '{words[-1]}');"
        f"COMP_CWORD={len(words) - 1}; _{program}_completion; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    command = ["bash", "--norc", "-c", script]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def offered_by_fish(typed):
    """Return what fish offers."""
    program = typed.split(" ")[0]
    script = f"source {COMPLETIONS}/fish/{program}.fish; complete -C{json.dumps(typed)}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True
    )
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


# zsh's own completion in a terminal of its own: what is offered is what it would insert.
_ZSH = r"""
zmodload zsh/zpty
zpty -b shell zsh -f -i
say() { zpty -w shell $1 }
say 'PS1= PS2= RPS1=; stty -echo columns 500 rows 500; fpath=(FOLDER $fpath)'
say 'autoload -Uz compinit && compinit -u -D; zstyle ":completion:*" list-prompt ""'
say 'compadd() { local -a hits; [[ "$*" == *-[OAD]* ]] && { builtin compadd "$@"; return };'\
'builtin compadd -O hits "$@"; builtin print -l -- "<"${^hits}">"; builtin compadd "$@" }'
say 'offer() { zle complete-word; builtin print -l -- "END"; }; zle -N offer; bindkey "^T" offer'
say 'builtin print READY'
zpty -r shell line '*READY*READY*' 2>/dev/null || zpty -r shell line '*READY*'
zpty -n -w shell TYPED$'\x14'
zpty -r shell line '*END*'
print -r -- $line
"""


def offered_by_zsh(typed):
    """Return what zsh offers."""
    script = _ZSH.replace("FOLDER", str(COMPLETIONS / "zsh")).replace("TYPED", f"'{typed}'")
    done = subprocess.run(
        ["zsh", "-f", "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    offered = [part.partition(">")[0] for part in done.stdout.split("<")[1:]]
    return {word.rstrip("=") for word in offered}


@needs("bash")
@pytest.mark.parametrize(("typed", "there", "absent"), TYPED)
def test_bash_offers(typed, there, absent):
    """What may come next is offered, and what may not is not."""
    offered = offered_by_bash(typed)
    assert there <= offered
    assert not absent & offered


@needs("bash")
@pytest.mark.parametrize("typed", ["send --priority =", "send --priority = h", "send --priority h"])
def test_bash_offers_values_behind_an_equals_sign(typed):
    """To bash ``--priority=h`` is three words."""
    assert offered_by_bash(f"pillarbox {typed}") == ({"high"} if "h" in typed[-1] else VALUES)


@needs("fish")
@pytest.mark.parametrize(("typed", "there", "absent"), TYPED)
def test_fish_offers(typed, there, absent):
    """The same for fish."""
    offered = {word.rstrip("=") for word in offered_by_fish(typed)}
    assert there <= offered
    assert not absent & offered


@needs("zsh")
@pytest.mark.parametrize(("typed", "there", "absent"), TYPED)
def test_zsh_offers(typed, there, absent):
    """The same for zsh."""
    offered = offered_by_zsh(typed)
    assert there <= offered
    assert not absent & offered


def test_every_program_has_its_completions():
    """A file for each shell, and every option in it that does something."""
    for line in completions.programs():
        for name in (f"bash/{line.name}.bash", f"zsh/_{line.name}", f"fish/{line.name}.fish"):
            text = (COMPLETIONS / name).read_text()
            for _, each in completions._paths(line):
                for flag in completions._flags(each):
                    for option in flag.names:
                        assert option.lstrip("-") in text, (name, option)


# -- what the pages tell a reader to type ---------------------------------------------------------

GUIDES = ["README.md", "docs/queue.md", "docs/operating.md"]
GUIDES += [page.replace(".md", ".zh.md") for page in GUIDES]


def typed_in(page):
    """Yield each pillarbox command of a page: lines of code, and code in a line."""
    text = (ROOT / page).read_text()
    found = re.findall(r"(?m)^    (?:\.venv/bin/)?(pillarbox .*)$", text)
    found += re.findall(r"`(pillarbox [^`]*)`", text)
    for line in found:
        words = shlex.split(re.split(r" [>&|]|2>", line)[0], comments=True)
        if words[1:] and not words[1].startswith("/"):
            yield words


@pytest.mark.parametrize("page", GUIDES)
def test_what_a_guide_says_can_be_typed(page):
    """Every command of the guides is one that there is, with options that it has."""
    commands = {line.name: line for line in commandlines.command_lines()}
    seen = 0
    for words in typed_in(page):
        line = commands[" ".join(words[:2])]
        subcommands = {each.name.rpartition(" ")[2]: each for each in line.subcommands}
        rest = words[2:]
        if subcommands and rest:
            for word in rest[0].split("|"):
                assert word in subcommands, words
            line, rest = subcommands[rest[0].split("|")[0]], rest[1:]
        for word in rest:
            if word.startswith("-") and word != "-":
                assert word.partition("=")[0] in names_of(line), words
        seen += 1
    assert seen > 5


def test_examples_of_settings_are_settings(tmp_path):
    """What the page of the settings shows can be written into a file."""
    text = (ROOT / "docs/reference/service.md").read_text()
    blocks = re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", text)
    examples = [re.sub("(?m)^    ", "", block) for block in blocks]
    assert len(examples) >= 2
    for example in examples:
        path = tmp_path / "settings.toml"
        path.write_text(example.replace("www-data", "root").replace("@backup", "@root"))
        path.chmod(0o600)
        assert load_service(str(path), is_user=True, environment={"HOME": "/h"}).path


def test_examples_of_accounts_are_accounts():
    """What the page of the configuration shows is read without a fault, keywords and all."""
    for page in ("docs/reference/configuration.md", "docs/reference/configuration.zh.md"):
        text = (ROOT / page).read_text()
        block = re.search(r"(?m)(?:^    .*\n|^\n(?=    ))+", text)[0]
        example = re.sub("(?m)^    ", "", block).encode()
        accounts = parse(example, "rc", run_eval=lambda *_: "").accounts
        assert [account.name for account in accounts] == ["work", "default"]
