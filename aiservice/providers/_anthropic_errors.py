"""Anthropic's errors, rebuilt from status, type and vetted words (platform.claude.com/docs/en/api/errors).

`{"type": "error", "error": {"type", "message", "details"?: {"error_code"}}, "request_id"}`, with a status of its own
or, inside a stream, after 200. Look-alikes behind this wire send OpenAI's shapes: those are read, too.
"""

import re
from collections.abc import Mapping
from typing import Final

from aiservice.providers import _openai_errors
from aiservice.providers._failures import retry_after_seconds, vetted
from aiservice.wire import AttemptFailure, Blame

_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TOO_LONG: Final = re.compile(r"prompt is too long|exceed.{0,20}context (?:limit|window)|context window", re.IGNORECASE)
# A spent account answers 400 with words, or 429 with a code of its own.
_SPENT: Final = re.compile(r"credit balance|(?:usage|spend(?:ing)?) limit", re.IGNORECASE)
_SPENT_CODES: Final = frozenset({"enforced_spend_limit_reached"})
# What this model cannot do, another may.
_NOT_THIS_MODEL: Final = re.compile(r"(?:not|n't) support|deprecated for this model|not supported", re.IGNORECASE)
# Whose account it is: an organisation's name or id in brackets, or behind a colon.
_ACCOUNT: Final = re.compile(
    r"\(org[^)]{0,120}\)|\borgani[sz]ation(?:'s)?\s*(?:[:=(]\s*\S{3,80}|[0-9a-f-]{36}\)?)", re.IGNORECASE
)


def failure_from_body(status: int, body: object, headers: Mapping[str, str]) -> AttemptFailure:
    """The failure that a reply of `status` with `body` means; `status` may be 200 (errors inside a stream)."""
    error = body.get("error") if isinstance(body, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(kind, str) or kind not in _STATUS:
        return _unlike(status, body, headers)
    message = error.get("message")
    words = vetted(_ACCOUNT.sub("", message)) if isinstance(message, str) else ""
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    seen = _STATUS[kind] if status == 200 else status
    failure = _failure(seen, kind, words, code)
    failure.upstream_status = seen
    failure.retry_after_seconds = retry_after_seconds(headers)
    if headers.get("x-should-retry") == "false" and failure.blame is Blame.RETRY:
        failure.blame = Blame.FAILOVER
    return failure


def _failure(status: int, kind: str, words: str, code: object) -> AttemptFailure:
    if kind in ("authentication_error", "permission_error"):
        # The vendor's words about credentials are about ours: none of them go out.
        message = "The provider refused the credential that is stored for it. An admin can set a new one."
        return AttemptFailure(502, "upstream_auth_failed", message, Blame.FAILOVER)
    if kind == "billing_error" or code in _SPENT_CODES or (status in (400, 429) and _SPENT.search(words)):
        message = "The provider account has no credit left."
        return AttemptFailure(502, "upstream_quota_exhausted", message, Blame.FAILOVER)
    if kind == "rate_limit_error":
        message = words or "The provider's rate limit is reached."
        return AttemptFailure(429, "provider_quota_exhausted", message, Blame.RETRY)
    if kind == "overloaded_error":
        return AttemptFailure(503, "provider_overloaded", "The provider is overloaded.", Blame.RETRY)
    if kind == "timeout_error":
        return AttemptFailure(504, "provider_timeout", "The provider did not answer in time.", Blame.FAILOVER)
    if kind == "not_found_error":
        message = words or "The provider does not know this model."
        return AttemptFailure(404, "model_not_found", message, Blame.FAILOVER)
    if kind == "request_too_large":
        return AttemptFailure(413, kind, words or "The request is too large for the provider.", Blame.CALLER)
    if kind in ("invalid_request_error", "conflict_error"):
        return _caller(kind, words)
    message = f"The provider failed: {words}" if words else "The provider failed."
    return AttemptFailure(502, "provider_failed", message, Blame.FAILOVER)


def _caller(kind: str, words: str) -> AttemptFailure:
    if _TOO_LONG.search(words):
        return AttemptFailure(400, "context_length_exceeded", words, Blame.CALLER, param="messages")
    if _NOT_THIS_MODEL.search(words):
        return AttemptFailure(400, "unsupported_parameter", words, Blame.FAILOVER)
    return AttemptFailure(400, kind, words or "Bad request.", Blame.CALLER)


def _unlike(status: int, body: object, headers: Mapping[str, str]) -> AttemptFailure:
    """An error of another shape: a proxy's, a look-alike's, or none at all."""
    if status == 529:
        wait = retry_after_seconds(headers)
        return AttemptFailure(503, "provider_overloaded", "The provider is overloaded.", Blame.RETRY, 529, None, wait)
    return _openai_errors.failure_from_body(status, body, headers)
