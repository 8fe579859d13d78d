"""AWS's errors, rebuilt from their kind and vetted words.

`{"message" | "Message"}` with `x-amzn-errortype: Kind:http://…`, or `__type` in the body; inside a stream, a frame with
the kind in lower camel case. A proxy may have dropped the header: then status and words decide.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._failures import retry_after_seconds, vetted
from aiservice.wire import AttemptFailure, Blame, HttpReply

_CREDENTIAL: Final = frozenset(
    {"accessdenied", "expiredtoken", "incompletesignature", "invalidclienttokenid", "invalidsignature",
     "missingauthenticationtoken", "notauthorized", "requestexpired", "signaturedoesnotmatch", "unrecognizedclient",
     "unauthorizedoperation"}
)  # fmt: skip
_KIND_OF_STATUS: Final = {
    400: "validation",
    401: "accessdenied",
    403: "accessdenied",
    404: "resourcenotfound",
    408: "modeltimeout",
    413: "requesttoolarge",
    424: "modelerror",
    429: "throttling",
    500: "internalserver",
    503: "serviceunavailable",
    504: "modeltimeout",
}
_STATUS_OF_KIND: Final = {
    "accessdenied": 403,
    "internalserver": 500,
    "modelerror": 424,
    "modelnotready": 429,
    "modelstreamerror": 424,
    "modeltimeout": 408,
    "resourcenotfound": 404,
    "servicequotaexceeded": 400,
    "serviceunavailable": 503,
    "throttling": 429,
    "validation": 400,
}
# ARNs and account numbers say whose account it is.
_ACCOUNT: Final = re.compile(r"\barn:aws[\w-]*:\S+|(?<![\w.-])\d{12}(?![\w.-])")
_NO_MODEL: Final = re.compile(
    r"model identifier is invalid|on-demand throughput isn|is not supported in (?:this|your) region|"
    r"could not (?:find|resolve) the (?:foundation )?model|marked by provider as legacy|reached the end of its life",
    re.IGNORECASE,
)
_NO_ACCESS: Final = re.compile(
    r"access to the model|model access|use case details|not available for this account", re.IGNORECASE
)
_MAY_NOT_LIST: Final = re.compile(r"not authorized to perform: bedrock:List", re.IGNORECASE)
_TOO_LONG: Final = re.compile(
    r"input tokens exceeded|input is too long|prompt is too long|too many input tokens|maximum context|context length|"
    r"context window|exceeds? the (?:maximum|model's) (?:number of )?(?:input )?(?:tokens|context)|"
    r"expected maxlength: \d+",
    re.IGNORECASE,
)
# What this model cannot do, another may.
_NOT_THIS_MODEL: Final = re.compile(
    r"does(?:n.t| not) support|isn.t supported|(?:is|are) not supported|not supported (?:by|with|for)|"
    r"deprecated for this model",
    re.IGNORECASE,
)
_A_DAY: Final = re.compile(r"per day|daily", re.IGNORECASE)


def failure_of(reply: HttpReply) -> AttemptFailure:
    """Why a reply with another status than 200 failed."""
    try:
        body: Any = loads(reply.body) if reply.body else None
    except orjson.JSONDecodeError:
        body = None
    said = body if isinstance(body, dict) else {}
    inner = said.get("error")  # the OpenAI-like endpoints
    said = {**said, **inner} if isinstance(inner, dict) else said
    kind = reply.headers.get("x-amzn-errortype") or said.get("__type") or said.get("code")
    return failure(reply.status, kind, said.get("message", said.get("Message")), reply.headers)


def failure(status: int, kind: object, message: object, headers: Mapping[str, str]) -> AttemptFailure:
    """The failure of that `kind` (as AWS writes it); `status` is 200 where it came inside a stream."""
    plain = _plain(kind) or _KIND_OF_STATUS.get(status, "")
    seen = _STATUS_OF_KIND.get(plain, 500) if status == 200 else status
    words = vetted(_ACCOUNT.sub("[removed]", message)) if isinstance(message, str) else ""
    found = _judged(plain, seen, words)
    found.upstream_status = seen
    found.retry_after_seconds = retry_after_seconds(headers)
    return found


def _plain(kind: object) -> str:
    """`com.amazon.coral#ThrottlingException:http://…` and `throttlingException` as `throttling`."""
    if not isinstance(kind, str):
        return ""
    name = kind.partition(":")[0].rpartition("#")[2].lower()
    return name.removesuffix("exception").removesuffix("fault")


def _judged(kind: str, status: int, words: str) -> AttemptFailure:
    if kind in _CREDENTIAL or status in (401, 403):
        if _MAY_NOT_LIST.search(words):
            message = "The key is good, but may not list models (bedrock:ListFoundationModels): name them yourself."
            return AttemptFailure(502, "models_not_listed", message, Blame.FAILOVER)
        if _NO_ACCESS.search(words):
            message = "The provider account has no access to this model. An admin can ask AWS for it."
            return AttemptFailure(404, "model_not_found", message, Blame.FAILOVER)
        # The provider's words about credentials are about ours: none of them go out.
        message = "The provider refused the credential that is stored for it. An admin can set a new one."
        return AttemptFailure(502, "upstream_auth_failed", message, Blame.FAILOVER)
    if kind == "resourcenotfound" or (kind == "validation" and _NO_MODEL.search(words)):
        message = words or "The provider does not know this model."
        return AttemptFailure(404, "model_not_found", message, Blame.FAILOVER)
    if kind in ("throttling", "toomanyrequests"):
        blame = Blame.FAILOVER if _A_DAY.search(words) else Blame.RETRY
        message = words or "The provider's rate limit is reached."
        return AttemptFailure(429, "provider_quota_exhausted", message, blame)
    if kind == "servicequotaexceeded":
        message = words or "A quota of the provider account is used up."
        return AttemptFailure(429, "provider_quota_exhausted", message, Blame.FAILOVER)
    if kind in ("modelnotready", "serviceunavailable"):
        return AttemptFailure(503, "provider_overloaded", "The provider is overloaded.", Blame.RETRY)
    if kind == "modeltimeout":
        return AttemptFailure(504, "provider_timeout", "The provider did not answer in time.", Blame.FAILOVER)
    if kind in ("validation", "conflict", "requesttoolarge") or status in (400, 413, 422):
        return _callers(status, words)
    message = f"The provider failed: {words}" if words else f"The provider failed with status {status}."
    return AttemptFailure(502, "provider_failed", message, Blame.FAILOVER)


def _callers(status: int, words: str) -> AttemptFailure:
    if _TOO_LONG.search(words):
        return AttemptFailure(400, "context_length_exceeded", words, Blame.CALLER, param="messages")
    if status == 413:
        message = words or "The request is too large for the provider."
        return AttemptFailure(413, "request_too_large", message, Blame.CALLER)
    if _NOT_THIS_MODEL.search(words):
        return AttemptFailure(400, "unsupported_parameter", words, Blame.FAILOVER)
    return AttemptFailure(400, "provider_rejected_request", words or "Bad request.", Blame.CALLER)
