"""Every failure a caller may see: its status, type, code and public words. One handler renders them.

BrokerError
├── InvalidRequest        400 invalid_request_error
├── Unauthenticated       401 authentication_error
├── BudgetExceeded        402 budget_exceeded
│   └── BudgetReserved    402 budget_exceeded, which may be over in a moment
├── PermissionDenied      403 permission_error
├── NotFound              404 not_found_error
├── MethodNotAllowed      405 invalid_request_error
├── Conflict              409 conflict_error
│   └── AnswerNotKept     409 conflict_error, which trying again does not help
├── TooLarge              413 request_too_large
├── UnsupportedMedia      415 invalid_request_error
├── Unprocessable         422 invalid_request_error
├── IdempotencyMismatch   422 idempotency_error
├── HeadersTooLarge       431 invalid_request_error
├── RateLimited           429 rate_limit_error
│   └── RequestOverLimit  429 rate_limit_error, which trying again does not help
├── InternalFault         500 internal_error
├── ProviderFailed        502 provider_error
├── Overloaded            503 overloaded_error
├── NoProvider            503 no_provider_available
└── ProviderTimedOut      504 provider_timeout
"""

from typing import Any, ClassVar


class BrokerError(Exception):
    """A failure with public words.

    `code` is stable and machine-readable, `message` says what happened and what to do next, `param` names the
    offending field, `retry_after` is in seconds. Nothing in it may hold a secret: it goes to the caller as it is.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal_error"
    default_code: ClassVar[str] = "internal_error"
    default_message: ClassVar[str] = "Something failed on our side. Quote the request id when you report it."
    is_retryable: ClassVar[bool] = False
    should_retry: bool | None = None
    """What libraries are told (`x-should-retry`): False where all was tried already, True where later makes sense."""

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        param: str | None = None,
        provider: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.code = code or self.default_code
        self.param = param
        self.provider = provider
        self.retry_after = retry_after
        self.headers: tuple[tuple[bytes, bytes], ...] = ()
        """What the answer says in its headers beside that."""
        super().__init__(self.message)

    def body(self, request_id: str) -> dict[str, Any]:
        """The error object of the contract, ready for JSON."""
        return {
            "error": {
                "type": self.type,
                "code": self.code,
                "message": self.message,
                "param": self.param,
                "request_id": request_id,
                "provider": self.provider,
                "retryable": self.is_retryable,
                "retry_after": self.retry_after,
            }
        }


class InvalidRequest(BrokerError):
    status, type, default_code = 400, "invalid_request_error", "invalid_request"
    default_message = "The request is not valid."


class Unauthenticated(BrokerError):
    status, type, default_code = 401, "authentication_error", "invalid_api_key"
    default_message = (
        "The API key is not valid. Send it as 'Authorization: Bearer <key>'; "
        "get or regenerate one on the portal's Keys page."
    )


class BudgetExceeded(BrokerError):
    status, type, default_code = 402, "budget_exceeded", "budget_exceeded"
    default_message = "The budget is spent."


class BudgetReserved(BudgetExceeded):
    default_code, is_retryable = "budget_reserved", True


class PermissionDenied(BrokerError):
    status, type, default_code = 403, "permission_error", "permission_denied"
    default_message = "This key may not do that."


class NotFound(BrokerError):
    status, type, default_code = 404, "not_found_error", "not_found"
    default_message = "There is nothing here."


class MethodNotAllowed(BrokerError):
    status, type, default_code = 405, "invalid_request_error", "method_not_allowed"
    default_message = "This route does not take that method."


class Conflict(BrokerError):
    status, type, default_code, is_retryable = 409, "conflict_error", "conflict", True
    should_retry = True
    default_message = "Another request is changing the same thing."


class AnswerNotKept(Conflict):
    is_retryable, default_code = False, "answer_not_kept"
    should_retry = False
    default_message = (
        "The request with this Idempotency-Key was answered, but its answer is not kept: it is over 4 MiB, or was "
        "destroyed since. Send a new key to ask again."
    )


class TooLarge(BrokerError):
    status, type, default_code = 413, "request_too_large", "request_too_large"
    default_message = "The request body is too large."


class UnsupportedMedia(BrokerError):
    status, type, default_code = 415, "invalid_request_error", "unsupported_media_type"
    default_message = "Send an uncompressed JSON body (no Content-Encoding)."


class Unprocessable(BrokerError):
    status, type, default_code = 422, "invalid_request_error", "invalid_value"
    default_message = "A value is not valid."


class IdempotencyMismatch(BrokerError):
    status, type, default_code = 422, "idempotency_error", "idempotency_key_reused"
    default_message = (
        "This Idempotency-Key was used with another body in the last 24 hours. Send the same body, or a new key."
    )


class HeadersTooLarge(BrokerError):
    status, type, default_code = 431, "invalid_request_error", "headers_too_large"
    default_message = "The request headers are too large."


class RateLimited(BrokerError):
    status, type, default_code, is_retryable = 429, "rate_limit_error", "rate_limited", True
    should_retry = True
    default_message = "Too many requests."


class RequestOverLimit(RateLimited):
    is_retryable = False
    should_retry = False


class InternalFault(BrokerError):
    is_retryable = True


class ProviderFailed(BrokerError):
    status, type, default_code, is_retryable = 502, "provider_error", "provider_failed", True
    should_retry = False
    default_message = "The provider did not give an answer."


class Overloaded(BrokerError):
    status, type, default_code, is_retryable = 503, "overloaded_error", "overloaded", True
    should_retry = True
    default_message = "The broker is not taking requests right now."


class NoProvider(BrokerError):
    status, type, default_code = 503, "no_provider_available", "no_provider_available"
    should_retry = False
    default_message = "No provider is configured for this task. An admin can add one on the Providers page."


class ProviderTimedOut(BrokerError):
    status, type, default_code, is_retryable = 504, "provider_timeout", "provider_timeout", True
    should_retry = False
    default_message = "The provider did not answer in time."
