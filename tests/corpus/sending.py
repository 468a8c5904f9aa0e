"""
What a server receives of a shape: from Debian's msmtp, and from ours, with one configuration.

Both are called as the shape's program calls them, with the same home and the same server.
"""

import subprocess

from corpus.shape import PERSON, SENDER
from differential.recorder import Recorder
from programs import ENVIRONMENT, call_program

__all__ = ["MSMTP", "Senders", "msmtp_version"]

MSMTP = "/usr/bin/msmtp"
_PATIENCE_S = 20
_CONFIGURATION = f"""account default
host 127.0.0.1
port {{port}}
from {SENDER}
aliases {{home}}/aliases
"""


class Senders:
    """
    Both programs with a home and a server to send to, in a ``with``.

    Args:
        home: An empty directory for them.
        offers: The extensions of the server.

    """

    def __init__(self, home, offers=("8BITMIME", "PIPELINING", "SIZE 52428800")):
        self._home = home
        self._recorder = Recorder({}, offers)
        text = _CONFIGURATION.format(port=self._recorder.port, home=home)
        (home / ".msmtprc").write_text(text)
        (home / ".msmtprc").chmod(0o600)
        (home / "aliases").write_text(f"root: {PERSON}\ndefault: {PERSON}\n")
        self._env = {"HOME": str(home)}

    def __enter__(self):
        self._recorder.__enter__()
        return self

    def __exit__(self, *args):
        self._recorder.__exit__(*args)

    def by_msmtp(self, shape):
        """Return the content that msmtp sends of a shape."""
        done = subprocess.run(
            [MSMTP, *shape.arguments],
            input=shape.octets,
            capture_output=True,
            check=False,
            env=ENVIRONMENT | self._env,
            start_new_session=True,
            timeout=_PATIENCE_S,
        )
        return self._content(shape, done.returncode, done.stderr)

    def by_ours(self, shape, octets=None, options=()):
        """Return the content that we send of a shape, or of other octets in the same call."""
        octets = shape.octets if octets is None else octets
        result = call_program("msmtp", [*options, *shape.arguments], octets, self._env)
        return self._content(shape, result.exit_code, result.err)

    def _content(self, shape, exit_code, told):
        assert (exit_code, len(told)) == (0, 0), (shape.name, exit_code, told)
        contents = [content for one in self._recorder.take() for content in one.contents]
        assert len(contents) == 1, (shape.name, contents)
        return contents[0]


def msmtp_version():
    """Return the version of Debian's msmtp."""
    told = subprocess.run([MSMTP, "--version"], capture_output=True, text=True, check=True)
    return told.stdout.split()[2]
