"""
Ask the rspamd of this computer, over its HTTP port (``/checkv2``).

Its answer is JSON from another program: whatever it lacks counts as not said.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException

from pillarbox.lint.score import CLIENT_ADDRESS, CLIENT_NAME, FilterError, Hit, Score
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["RSPAMD", "ask_rspamd", "read_answer"]

RSPAMD = "127.0.0.1:11333"  # where its normal worker listens unless told otherwise
_PATIENCE_S = 30  # its own limit for one message is 8 s
_ANSWER_MAX = 1 << 22  # bytes of an answer that are read


def ask_rspamd(octets: bytes, *, endpoint: str, sender: str, recipients: tuple[str, ...]) -> Score:
    """
    Return what rspamd says of a message that ``arrived``. Blocks up to half a minute.

    Args:
        octets: The message.
        endpoint: ``host:port`` of its normal worker, or of its controller.
        sender: The envelope sender; empty: unknown.
        recipients: Who gets it.

    Raises:
        FilterError: Nobody answers there, or not as rspamd would.

    """
    host, _, port = endpoint.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=_PATIENCE_S)
    headers = {"IP": CLIENT_ADDRESS, "Helo": CLIENT_NAME, "Hostname": CLIENT_NAME}
    if sender.isascii() and sender:
        headers["From"] = sender
    if recipients and recipients[0].isascii():
        headers["Rcpt"] = recipients[0]
    try:
        connection.request("POST", "/checkv2", octets, headers)
        response = connection.getresponse()
        answer = response.read(_ANSWER_MAX)
    except (OSError, HTTPException) as exc:
        raise FilterError(
            say("no rspamd answers at {endpoint}: {reason}", endpoint=endpoint, reason=_said(exc)),
            advice=say("start rspamd, or say with --rspamd HOST:PORT where it listens"),
        ) from exc
    finally:
        connection.close()
    score = read_answer(answer) if response.status == 200 else None
    if score is None:
        raise FilterError(say("what answers at {endpoint} is no rspamd", endpoint=endpoint))
    return score


def _said(exc: Exception) -> str:
    return printable(getattr(exc, "strerror", None) or str(exc) or type(exc).__name__)


def read_answer(answer: bytes) -> Score | None:
    """Return what an answer says; None: it is none of rspamd's."""
    try:
        said = json.loads(answer)
        points = float(said["score"])
        symbols = said.get("symbols") or {}
        hits = tuple(_hit(name, symbol) for name, symbol in symbols.items())
        required = said.get("required_score")
        limit = None if required is None else float(required)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return Score("rspamd", points, limit, hits)


def _hit(name: str, symbol: dict[str, Any]) -> Hit:
    description = printable(str(symbol.get("description") or ""))
    options = ", ".join(str(option) for option in symbol.get("options") or ())
    if options:
        description = f"{description} [{printable(options, 60)}]".lstrip()
    return Hit(printable(name), float(symbol.get("score") or 0), description)
