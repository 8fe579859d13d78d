"""Cohere's failures: `{"id", "message"}`, and an `error_type` where a prompt is too long (docs.cohere.com)."""

import re
from collections.abc import Mapping

from aiservice.providers._openai_errors import failure_from_body
from aiservice.wire import AttemptFailure, Blame

_INVALID_TOKEN = 498
_CLOSED_BY_US = 499
# A trial key's month is over: no waiting that a request does helps.
_MONTHLY = re.compile(r"/ ?month|per month|monthly", re.IGNORECASE)


def failure_of(status: int, body: object, headers: Mapping[str, str]) -> AttemptFailure:
    """The failure that a reply of `status` with `body` means; `status` may be 200."""
    if status == _INVALID_TOKEN:
        status = 401
    if status == _CLOSED_BY_US:
        status = 504
    failure = failure_from_body(status, body, headers)
    if failure.code == "too_many_tokens":
        failure.code = "context_length_exceeded"
    if failure.code == "provider_quota_exhausted" and _MONTHLY.search(failure.message):
        failure.status, failure.code, failure.blame = 502, "upstream_quota_exhausted", Blame.FAILOVER
    return failure
