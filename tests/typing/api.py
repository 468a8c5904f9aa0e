"""
The interface for programs as a type checker sees it; this file is checked and never run.

``mypy --strict`` over it is the test: each call must be accepted, each result has its type.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import assert_type

import pillarbox
from pillarbox.api import RecipientResult
from pillarbox.logs import MailHandler

result = pillarbox.send("a@example.org", "subject", "text")
assert_type(result, pillarbox.SendResult)
assert_type(result.recipients, tuple[RecipientResult, ...])
assert_type(result.is_delivered, bool)
assert_type(result.changes, tuple[str, ...])
assert_type(result.message_id, str)
assert_type(result.recipients[0].action, str)
result.raise_for_failure()

pillarbox.send(
    ["a@example.org", "B <b@example.org>"],
    "subject",
    markdown="*text*",
    cc=("c@example.org",),
    attachments=[Path("a.txt"), "b.txt", pillarbox.Attachment(content=b"x", name="c.bin")],
    headers={"X-Team": "ops"},
    account="work",
    config=Path("/etc/msmtprc"),
)

message = pillarbox.Message(to="a@example.org", subject="s", html="<p>x</p>", priority="high")
assert_type(message.send(account="work"), pillarbox.SendResult)

try:
    result.raise_for_failure()
except pillarbox.NotDeliveredError as exc:
    assert_type(exc.result, pillarbox.SendResult)

handler: logging.Handler = MailHandler("ops@example.org", interval_s=10)

pillarbox.send("a@example.org")  # type: ignore[call-arg]
pillarbox.send(1, "subject")  # type: ignore[arg-type]
message.subject = "x"  # type: ignore[misc]
