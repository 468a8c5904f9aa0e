"""
Read a small file whole, and learn who owns exactly what was read.

Decisions about owner and mode are made on what ``read_file`` returns, never on the path: what a
path names can change between two looks.
"""

from __future__ import annotations

import os

__all__ = ["read_file"]


def read_file(path: str, limit: int) -> tuple[bytes, os.stat_result]:
    """
    Return the bytes of a file and the status of the file that they came from.

    Args:
        path: May be a symbolic link, a device or a pipe; a pipe is waited for.
        limit: In bytes. More than that is returned (but not all) when the file is larger.

    Raises:
        OSError: It cannot be opened or read.

    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        content = b""
        while len(content) <= limit:
            piece = os.read(fd, 65536)
            if not piece:
                break
            content += piece
        return content, os.fstat(fd)
    finally:
        os.close(fd)
