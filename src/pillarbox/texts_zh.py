"""
What pillarbox says, in Chinese: the English template, and the one that takes its place.

A test proves that every template of the code stands here, with the same fields, and none that is
not used any more. Words of the trade (STARTTLS, From, keywords of msmtprc) stay as they are.
"""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {}
