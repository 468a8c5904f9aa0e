"""pillarbox's sendmail without ``site``: what a distribution's script with -I -S costs."""

import sys

sys.path.insert(0, f"{__file__.rpartition('/bench/')[0]}/src")

from pillarbox.handoff import start

sys.argv[0] = "sendmail"
fault = start()

from pillarbox.cli.main import run  # noqa: E402 (costs more than all before it)

run("sendmail", fault)
