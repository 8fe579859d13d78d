"""OpenAI-shaped errors, rebuilt from status, code and vetted words.

Bodies to survive (all recorded): `{"error": {…}}`, `{"error": "text"}`, `{"message": …}`, `{"detail": … | […]}`,
`{"object": "error", "message"}`, an array around any of them, HTML, nothing; `code` may be an integer.
"""

import re
from collections.abc import Mapping
from typing import Any

from aiservice.providers._failures import retry_after_seconds, vetted
from aiservice.wire import AttemptFailure, Blame

_ERROR_STATUS = re.compile(r"[45][0-9]{2}")
# Errors after 200 have no status of their own where their code is a word.
_STATUS_OF_CODE = {
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "tool_use_failed": 400,
}
_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
# A 429 that no waiting helps: this request alone is over the account's limit of tokens.
_OVER_LIMIT_WORDS = re.compile(r"request too large|tokens must be reduced", re.IGNORECASE)
_CONTEXT_WORDS = re.compile(
    r"context.{0,20}length|maximum context|prompt is too long|input token count|too many tokens|context size",
    re.IGNORECASE,
)


def failure_from_body(status: int, body: object, headers: Mapping[str, str]) -> AttemptFailure:
    """The failure that a reply of `status` with `body` means; `status` may be 200 (errors after 200)."""
    words, code, param, said_status = _read(body)
    wait = retry_after_seconds(headers)
    code_text = str(code or "").lower()
    if status == 200:
        text = code_text if said_status is None else str(said_status)
        status = int(text) if _ERROR_STATUS.fullmatch(text) else _STATUS_OF_CODE.get(code_text, 200)

    def failed(ours: int, our_code: str, message: str, blame: Blame) -> AttemptFailure:
        return AttemptFailure(ours, our_code, message, blame, status, param, wait)

    if status in (401, 403) or code_text in {"invalid_api_key", "api_key_invalid"}:
        # The provider's words about credentials are about ours: none of them go out.
        message = "The provider refused the credential that is stored for it. An admin can set a new one."
        return failed(502, "upstream_auth_failed", message, Blame.FAILOVER)
    if status == 402 or code_text == "insufficient_quota":
        return failed(502, "upstream_quota_exhausted", "The provider account has no credit left.", Blame.FAILOVER)
    if status == 429 and _OVER_LIMIT_WORDS.search(words):
        return failed(413, "request_over_provider_quota", words, Blame.FAILOVER)
    if status == 429:
        return failed(429, "provider_quota_exhausted", words or "The provider's rate limit is reached.", Blame.RETRY)
    if code_text == "context_length_exceeded" or (status in (400, 413, 500) and _CONTEXT_WORDS.search(words)):
        return failed(400, "context_length_exceeded", words or "The prompt is too long for this model.", Blame.CALLER)
    if status == 404:
        return failed(404, "model_not_found", words or "The provider does not know this model.", Blame.FAILOVER)
    if status in (400, 409, 413, 415, 422):
        return failed(413 if status == 413 else 400, _public_code(code_text), words or "Bad request.", Blame.CALLER)
    if status in (408, 504, 524):
        return failed(504, "provider_timeout", "The provider did not answer in time.", Blame.FAILOVER)
    message = f"The provider failed: {words}" if words else f"The provider failed with status {status}."
    return failed(502, "provider_failed", message, Blame.FAILOVER)


def _read(body: object) -> tuple[str, object, str | None, int | None]:
    """Vetted words, code, param, and the status that an error after 200 says it has (Groq)."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return "", None, None, None
    error: Any = body.get("error", body)
    if isinstance(error, str):
        return vetted(error), body.get("code"), None, None
    if isinstance(error, list):
        error = {"message": "; ".join(str(part) for part in error[:3])}
    if not isinstance(error, dict):
        return "", None, None, None
    message = error.get("message", error.get("detail", error.get("Message", "")))
    if isinstance(message, dict):
        message = message.get("detail", message.get("message", ""))
    if isinstance(message, list):
        message = "; ".join(str(part.get("msg", part)) if isinstance(part, dict) else str(part) for part in message[:3])
    code = error.get("code") or error.get("type") or error.get("error_type")
    param = error.get("param")
    clean_param = vetted(param)[:100] if isinstance(param, str) else None
    status = error.get("status_code")
    words = vetted(message if isinstance(message, str) else "")
    return words, code, clean_param, status if isinstance(status, int) else None


def _public_code(code: str) -> str:
    return code if _CODE.fullmatch(code) else "provider_rejected_request"
