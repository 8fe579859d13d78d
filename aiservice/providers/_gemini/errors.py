"""Google's errors: `{"error": {"code", "message", "status", "details"}}`, alone or in an array (google.rpc.Status).

A bad key is a 400 here, and the wait after a 429 is in the body (`google.rpc.RetryInfo`), not in a header.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._failures import retry_after_seconds, vetted
from aiservice.wire import AttemptFailure, Blame, Json

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_KEY_REASON = re.compile(r"API_KEY_|ACCESS_TOKEN_|CREDENTIALS_MISSING|ACCOUNT_STATE_INVALID|SERVICE_DISABLED")
_KEY_WORDS = re.compile(r"API key (not valid|expired|not found)|API_KEY_INVALID", re.IGNORECASE)
_CONTEXT_WORDS = re.compile(r"input token count|exceeds the maximum number of tokens|context (length|window)", re.I)
_NO_CREDIT_WORDS = re.compile(r"prepay|credits are depleted|billing (account|is) (is )?(closed|disabled|not)", re.I)
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
_PUBLIC_STATUS = re.compile(r"[A-Z][A-Z_]{1,40}")


def failure_in(status: int, body: bytes, headers: Mapping[str, str]) -> AttemptFailure:
    """The failure that a reply of another status than 200 means."""
    try:
        said = loads(body) if body else None
    except orjson.JSONDecodeError:
        said = None
    return failure_of(status, said, headers)


def error_in(said: object) -> Json | None:
    """The error object that a body holds instead of an answer; None where it holds none."""
    if isinstance(said, list) and said:
        said = said[0]
    error = said.get("error") if isinstance(said, dict) else None
    if not error:
        return None
    return error if isinstance(error, dict) else {"message": error if isinstance(error, str) else ""}


def failure_of(status: int, said: object, headers: Mapping[str, str]) -> AttemptFailure:
    """The failure that `said` means; `status` may be 200 (errors after 200), then the error's own counts."""
    error = error_in(said) or {}
    kind = error.get("status")
    kind = kind if isinstance(kind, str) and _PUBLIC_STATUS.fullmatch(kind) else ""
    if status == 200:
        code = error.get("code")
        status = code if isinstance(code, int) and 400 <= code <= 599 else _STATUS.get(kind, 500)
    words = vetted(error["message"]) if isinstance(error.get("message"), str) else ""
    details = list(_details(error))
    wait = retry_after_seconds(headers) or _retry_delay(details)

    def failed(ours: int, code: str, message: str, blame: Blame) -> AttemptFailure:
        return AttemptFailure(ours, code, message, blame, status, None, wait)

    is_key = any(_KEY_REASON.match(str(detail.get("reason"))) for detail in details) or _KEY_WORDS.search(words)
    if status in (401, 403) or (status == 400 and is_key):
        # The provider's words about credentials are about ours: none of them go out.
        message = "The provider refused the credential that is stored for it. An admin can set a new one."
        return failed(502, "upstream_auth_failed", message, Blame.FAILOVER)
    if status == 402 or (status in (400, 429) and _NO_CREDIT_WORDS.search(words)):
        return failed(502, "upstream_quota_exhausted", "The provider account has no credit left.", Blame.FAILOVER)
    if status == 429:
        blame = Blame.FAILOVER if _is_daily(details) else Blame.RETRY
        return failed(429, "provider_quota_exhausted", words or "The provider's rate limit is reached.", blame)
    if status in (400, 413, 500) and _CONTEXT_WORDS.search(words):
        return failed(400, "context_length_exceeded", words, Blame.CALLER)
    if status == 404:
        return failed(404, "model_not_found", words or "The provider does not know this model.", Blame.FAILOVER)
    if kind == "FAILED_PRECONDITION":  # about the account: its country, its billing
        return failed(502, "provider_failed", f"The provider failed: {words}", Blame.FAILOVER)
    if status in (400, 409, 413, 415, 422):
        code = kind.lower() or "provider_rejected_request"
        return failed(413 if status == 413 else 400, code, words or "Bad request.", Blame.CALLER)
    if status in (408, 504, 524):
        return failed(504, "provider_timeout", "The provider did not answer in time.", Blame.FAILOVER)
    message = f"The provider failed: {words}" if words else f"The provider failed with status {status}."
    return failed(502, "provider_failed", message, Blame.RETRY if status == 503 else Blame.FAILOVER)


def _details(error: Json) -> Iterator[Json]:
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            yield detail


def _retry_delay(details: list[Json]) -> float | None:
    """Seconds of `RetryInfo.retryDelay`, a duration such as `34.4s`."""
    for detail in details:
        found = _SECONDS.fullmatch(str(detail.get("retryDelay")))
        if found is not None:
            return min(float(found[1]), 86_400.0)
    return None


def _is_daily(details: list[Json]) -> bool:
    """Whether a quota of the whole day is used up: the wait that is named then is one after which it still is."""
    quotas: list[Any] = []
    for detail in details:
        violations = detail.get("violations")
        quotas += violations if isinstance(violations, list) else []
    return any("PerDay" in str(quota.get("quotaId")) for quota in quotas if isinstance(quota, dict))
