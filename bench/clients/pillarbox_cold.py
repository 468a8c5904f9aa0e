"""The msmtp of this checkout, as an interpreter without site would run it: -I -S this file."""

import sys

sys.path.insert(0, __file__.rpartition("/bench/")[0] + "/src")
sys.argv[0] = "msmtp"

from pillarbox.cli.main import run  # noqa: E402 (the path comes first)

run("msmtp")
