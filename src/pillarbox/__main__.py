"""``python -m pillarbox``: the command ``pillarbox``."""

from pillarbox.cli.main import run

run("pillarbox")
