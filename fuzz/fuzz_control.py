"""
Feed the steward of a queue with requests that no program of ours would make.

The property: whatever JSON object comes in, the answer is dicts that JSON can carry, the last of
which and no other has ``end``, a sysexits code, and a text wherever the code is not 0; a user who
is nobody in particular learns nothing of the one mail that is there, and does nothing to it; and
when nobody has asked by its id for it to go, it is still there.

Allowed refusals:
    none: what is no JSON object is the control socket's to refuse, and never comes so far.
"""

from __future__ import annotations

import json
from concurrent.futures import Future

from pillarbox.delivery.steward import Steward
from pillarbox.errors import EX_NAMES
from pillarbox.mail.address import Mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import HOLD, QUEUE, Head, Origin
from pillarbox.spool.memory import Memory

_ID = "0hognofoxgj-3789lzox5r000000000000000"
_CANARY = "canary"
_OWNER, _STRANGER = 4711, 4712

SEEDS = [
    b'{"command": "list", "where": {"from": "a*", "older": "1h", "attempts": ">3"}}',
    b'{"command": "list", "ids": ["3789", "x"], "where": {"state": "all", "in-doubt": ""}}',
    b'{"command": "show", "id": "' + _ID.encode() + b'", "content": true, "language": "zh"}',
    b'{"command": "retry", "ids": "all"}',
    b'{"command": "hold", "where": {"uid": "0", "larger": "1k", "to": "[x]", "reason": "?"}}',
    b'{"command": "edit", "id": "3789", "to": ["a@b.example"], "from": "<>", "content": "eAo="}',
    b'{"command": "history", "limit": 5, "where": {"state": "delivered,failed"}}',
    b'{"command": "pause", "account": "work"}',
    b'{"command": "stats"}',
    b'{"command": "trace", "word": "pid:5"}',
]


def _desk() -> tuple[Memory, Steward]:
    spool = Memory()
    spool.open()
    envelope = Envelope(Mailbox(_CANARY, "example.org"), (Mailbox(_CANARY, "example.net"),))
    draft = spool.begin(Head(_ID, 1.8e9, envelope, account=_CANARY, origin=Origin(_OWNER)))
    draft.write(b"Subject: canary\n\ncanary\n")
    draft.commit()
    return spool, Steward(spool, owner_uid=_OWNER)


def check(data: bytes) -> None:
    """Hold the property for a line of the control socket."""
    try:
        request = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(request, dict):
        return
    spool, steward = _desk()
    answer = _ask(steward, _STRANGER, request)
    # What he wrote himself may come back to him, and no more of the mail than that.
    assert json.dumps(answer).count(_CANARY) <= data.decode("utf-8", "replace").count(_CANARY)
    assert spool.names() == [_ID]
    _ask(steward, _OWNER, request)
    if request.get("command") not in ("delete", "edit"):
        assert spool.names(QUEUE) + spool.names(HOLD) == [_ID]


def _ask(steward: Steward, uid: int, request: dict[str, object]) -> list[dict[str, object]]:
    rows = list(steward.answer(uid, request))
    assert not any(isinstance(row, Future) for row in rows)
    assert [row for row in rows if row.get("end")] == rows[-1:]
    end = rows[-1]
    assert end["code"] in EX_NAMES
    assert end["problem"] or end["code"] == 0 or len(rows) > 1
    json.dumps(rows)
    return rows


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
