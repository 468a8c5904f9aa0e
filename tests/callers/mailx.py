"""bsd-mailx, which people call and scripts too; it is unpacked, with its library beside it."""

import shlex

from callers.packages import require

__all__ = ["install_mailx"]


def install_mailx(stage):
    """Return the path of a ``mail`` that runs bsd-mailx."""
    root = require("bsd-mailx")
    (library,) = root.glob("usr/lib/*/liblockfile.so.1")
    path = stage.folder / "mail"
    path.write_text(
        "#!/bin/sh\n"
        f"LD_LIBRARY_PATH={shlex.quote(str(library.parent))} "
        f'exec {shlex.quote(str(root / "usr/bin/bsd-mailx"))} "$@"\n'
    )
    path.chmod(0o755)
    return path
