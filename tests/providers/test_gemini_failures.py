"""Google's errors in our words: whose fault it was, how long to wait, and nothing of our key."""

import orjson
import pytest

from aiservice.providers._base import AttemptFailed
from aiservice.providers.gemini import PROVIDER
from aiservice.wire import AttemptFailure, Blame, HttpReply, Json
from tests.providers.gemini_samples import whole


def _failure(status: int, body: object, headers: dict[str, str] | None = None) -> AttemptFailure:
    return PROVIDER.failure(HttpReply(status, headers or {}, orjson.dumps(body)))


def _error(code: int, status: str, message: str, *details: Json) -> Json:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def test_an_error_after_200_is_one() -> None:
    with pytest.raises(AttemptFailed) as caught:
        whole(_error(503, "UNAVAILABLE", "The model is overloaded."))
    assert (caught.value.failure.code, caught.value.failure.upstream_status) == ("provider_failed", 503)


@pytest.mark.parametrize(
    ("status", "body", "ours", "code", "blame"),
    [
        (400, _error(400, "INVALID_ARGUMENT", "Bad.", {"reason": "API_KEY_INVALID"}), 502, "upstream_auth_failed", "f"),
        (400, _error(400, "INVALID_ARGUMENT", "API key not valid. Pass another."), 502, "upstream_auth_failed", "f"),
        (401, _error(401, "UNAUTHENTICATED", "No."), 502, "upstream_auth_failed", "f"),
        (403, _error(403, "PERMISSION_DENIED", "No."), 502, "upstream_auth_failed", "f"),
        (404, _error(404, "NOT_FOUND", "models/x is not found"), 404, "model_not_found", "f"),
        (
            400,
            _error(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens (5)."),
            400, "context_length_exceeded", "c",
        ),
        (400, _error(400, "INVALID_ARGUMENT", "Please use a valid role."), 400, "invalid_argument", "c"),
        (400, _error(400, "FAILED_PRECONDITION", "User location is not supported."), 502, "provider_failed", "f"),
        (429, _error(429, "RESOURCE_EXHAUSTED", "Quota exceeded."), 429, "provider_quota_exhausted", "r"),
        (429, _error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), 502,
         "upstream_quota_exhausted", "f"),
        (500, _error(500, "INTERNAL", "Oops."), 502, "provider_failed", "f"),
        (503, _error(503, "UNAVAILABLE", "Overloaded."), 502, "provider_failed", "r"),
        (504, _error(504, "DEADLINE_EXCEEDED", "Slow."), 504, "provider_timeout", "f"),
        (400, [_error(400, "INVALID_ARGUMENT", "In an array.")], 400, "invalid_argument", "c"),
        (400, {"error": "words"}, 400, "provider_rejected_request", "c"),
        (502, None, 502, "provider_failed", "f"),
    ],
)  # fmt: skip
def test_failures(status: int, body: object, ours: int, code: str, blame: str) -> None:
    failure = _failure(status, body)
    blames = {"f": Blame.FAILOVER, "c": Blame.CALLER, "r": Blame.RETRY}
    assert (failure.status, failure.code, failure.blame) == (ours, code, blames[blame])
    assert failure.upstream_status == status


def test_the_wait_is_in_the_body() -> None:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
    assert _failure(429, _error(429, "RESOURCE_EXHAUSTED", "x", retry)).retry_after_seconds == 34.4
    assert _failure(429, _error(429, "RESOURCE_EXHAUSTED", "x"), {"retry-after": "7"}).retry_after_seconds == 7
    assert _failure(429, _error(429, "RESOURCE_EXHAUSTED", "x", {"retryDelay": 5})).retry_after_seconds is None
    daily = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
    assert _failure(429, _error(429, "RESOURCE_EXHAUSTED", "x", daily)).blame is Blame.FAILOVER


def test_an_error_tells_nothing_of_our_key() -> None:
    failure = _failure(400, _error(400, "INVALID_ARGUMENT", "Bad field for AIzaSyD4-abcdefghijklmnopqrstuvwxyz0123"))
    assert "AIza" not in failure.message
