"""The program under test: ``msmtp``, run as a script runs it, with a home of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from servers.process import HAS_IPV6

__all__ = ["Client", "Result", "command"]

_SOURCE = Path(__file__).parents[2] / "src"
_STARTER = "import sys; sys.argv[0] = {0!r}; from pillarbox.cli.main import run; run({0!r})"
_LIMIT_S = 60


def command(name):
    """Return the installed program of this environment, or what does the same in the source."""
    installed = Path(sys.executable).with_name(name)
    if installed.exists():
        return [str(installed)]
    starter = [sys.executable, "-c", _STARTER.format(name)]
    return ["env", f"PYTHONPATH={_SOURCE}", *starter]


class Result:
    """Exit code and output of one run."""

    def __init__(self, code, output, errors):
        self.code = code
        self.output = output
        self.errors = errors

    def __repr__(self):
        return f"exit code {self.code}\n{self.output}{self.errors}"


class Client:
    """
    ``msmtp`` with a home directory of its own.

    Args:
        home: An empty directory.
        settings: Keywords that every configuration here begins with.

    """

    def __init__(self, home, settings):
        self.home = home
        self._settings = settings
        self.environment = {
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
        }

    def write_configuration(self, settings, name="msmtprc"):
        """Write an account with these keywords, in their order, and return the path."""
        path = self.home / name
        lines = [f"{key} {value}".rstrip() for key, value in (self._settings | settings).items()]
        path.write_text("\n".join(["account default", *lines, ""]), encoding="utf-8")
        path.chmod(0o600)
        return path

    def send(self, settings, *arguments, mail, program=None):
        """
        Send a mail.

        Args:
            settings: Keywords of the account.
            arguments: Recipients and options.
            mail: The mail in bytes, or the path of a file, which then is standard input.
            program: Another program to run with the same configuration.

        """
        if "::1" in settings.values() and not HAS_IPV6:
            pytest.skip("loopback has no IPv6 here")
        path = self.write_configuration(settings)
        return self.run("-C", str(path), *arguments, mail=mail, program=program)

    def run(self, *arguments, mail=b"", program=None):
        """Run with these arguments and nothing else."""
        # Octets are compared here, and the way they go: repair has tests of its own.
        ours = [*command("msmtp"), "--raw"]
        words = [*(program or ours), *map(str, arguments)]
        if isinstance(mail, bytes):
            return self._run(words, input=mail)
        with mail.open("rb") as file:
            return self._run(words, stdin=file)

    def _run(self, words, **source):
        ran = subprocess.run(
            words,
            capture_output=True,
            env=self.environment,
            cwd=self.home,
            timeout=_LIMIT_S,
            check=False,
            **source,
        )
        output, errors = (text.decode("utf-8", "replace") for text in (ran.stdout, ran.stderr))
        return Result(ran.returncode, output, errors)
