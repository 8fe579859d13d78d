"""The limits that Google's refusals tell of: `google.rpc.QuotaFailure`, where `quotaId` says what is counted and how
long, and newer replies have its amount in `quotaValue`. Good answers say nothing."""

import re
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._gemini.errors import error_in
from aiservice.providers._limit_headers import DAY, MINUTE, amount
from aiservice.wire import HttpReply, QuotaMeasure, QuotaNote

_INPUT = re.compile(r"input_?token", re.IGNORECASE)
_OUTPUT = re.compile(r"output_?token", re.IGNORECASE)
_TOKENS = re.compile(r"token", re.IGNORECASE)


def quota_in_refusal(reply: HttpReply) -> tuple[QuotaNote, ...]:
    """The quotas that a 429 names as used up."""
    try:
        error = error_in(loads(reply.body)) if reply.body else None
    except orjson.JSONDecodeError:
        return ()
    details = error.get("details") if error else None
    notes: list[QuotaNote] = []
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("violations") if isinstance(detail, dict) else None
        if isinstance(violations, list):
            notes += [_note_of(one) for one in violations if isinstance(one, dict) and one.get("quotaId")]
    return tuple(notes)


def _note_of(violation: dict[str, Any]) -> QuotaNote:
    name = str(violation["quotaId"])[:200]
    value = violation.get("quotaValue")
    limit = amount(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    return QuotaNote(_measure_of(name), DAY if "PerDay" in name else MINUTE, limit or None, 0)


def _measure_of(name: str) -> QuotaMeasure:
    if _INPUT.search(name):
        return "input_tokens"
    if _OUTPUT.search(name):
        return "output_tokens"
    return "tokens" if _TOKENS.search(name) else "requests"
