"""
A person at a terminal: what he is shown, and what he answers.

With ``rich`` (extra ``ui``) there is colour and the lines are broken between words; without it
the same words are printed. What he types for a secret is not echoed, and the terminal is as it
was before, however the question ends: an answer, Ctrl-C, Ctrl-D, a signal.

The rule to keep: a text is never interpreted, neither as markup nor as an escape. What others
wrote has passed ``printable`` before it comes here.
"""

from __future__ import annotations

import os
import select
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Terminal", "has_terminal"]

_PIECE = 4096  # octets: the line of a terminal is not longer
_LOOK_S = 0.5  # seconds between two looks for a signal
# style -> rich's words for it.
_STYLES = {
    "title": "bold",
    "step": "",
    "good": "green",
    "bad": "bold red",
    "added": "green",
    "removed": "red",
}


def has_terminal() -> bool:
    """Tell whether there is somebody who reads what we print and types what we read."""
    # None is one that was closed when the program began.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


class Terminal:
    """The person at standard input and standard output."""

    def __init__(self) -> None:
        self._console = _console()

    def ask(self, prompt: str) -> str:
        """
        Return the line that he types.

        Raises:
            KeyboardInterrupt: He pressed Ctrl-C, or Ctrl-D.

        """
        self._print_prompt(prompt)
        try:
            _await_input(sys.stdin.fileno())
            line = sys.stdin.readline()
        except UnicodeDecodeError:
            return "\N{REPLACEMENT CHARACTER}"  # no answer to anything: he is asked again
        if not line:
            print()
            raise KeyboardInterrupt  # the end of the input is an end
        return line.rstrip("\r\n")

    def ask_secret(self, prompt: str) -> str:
        """
        Return the line that he types unseen; what was typed before the question is dropped.

        Raises:
            KeyboardInterrupt: He pressed Ctrl-C, or Ctrl-D.

        """
        descriptor = sys.stdin.fileno()
        shown = termios.tcgetattr(descriptor)
        hidden = [*shown]
        hidden[3] &= ~termios.ECHO
        try:
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, hidden)
            self._print_prompt(prompt)
            typed = _read_line(descriptor)
        finally:
            with suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(descriptor, termios.TCSAFLUSH, shown)
            with suppress(OSError):
                print(flush=True)
        if not typed:
            raise KeyboardInterrupt
        return typed.partition(b"\n")[0].rstrip(b"\r").decode("utf-8", "surrogateescape")

    def tell(self, text: str, style: str = "") -> None:
        """Show a text, a line or several."""
        if self._console is None:
            print(text)
            return
        self._console.print(
            text,
            style=_STYLES.get(style, ""),
            markup=False,
            highlight=False,
            emoji=False,
            # To be copied whole: the lines of a file, and an address on the web.
            soft_wrap=style in ("added", "removed") or "://" in text,
        )

    def _print_prompt(self, prompt: str) -> None:
        print(prompt, end="", flush=True)


def _await_input(descriptor: int) -> None:
    """
    Wait until something was typed.

    A signal that comes between our last look for one and the waiting does not end the waiting;
    so it is looked for again and again, and Ctrl-C is never without an effect.
    """
    while not select.select([descriptor], [], [], _LOOK_S)[0]:
        pass


def _read_line(descriptor: int) -> bytes:
    """Return a line; empty: the input has ended, be it in the middle of one."""
    line = b""
    while not line.endswith(b"\n"):  # Ctrl-D hands over what was typed so far
        _await_input(descriptor)
        piece = os.read(descriptor, _PIECE)
        if not piece:
            return b""
        line += piece
    return line


def _console() -> Any:
    """Return rich's console; None: it is not installed."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()
