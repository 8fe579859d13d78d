"""What a vendor's errors mean where status and code alone would say something else."""

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._vendors.row import ErrorRule
from aiservice.wire import AttemptFailure, HttpReply

# Each meaning as the status by which OpenAI's own wire would say it, and the code where that decides.
_AS_OPENAI = {
    "credential": (401, None),
    "credit": (402, None),
    "rate_limit": (429, None),
    "model": (404, None),
    "context": (400, "context_length_exceeded"),
    "overloaded": (503, None),
    "content_filter": (400, "content_filter"),
}
_READ_BYTES = 1_024


def failure_by_rule(rules: tuple[ErrorRule, ...], reply: HttpReply) -> AttemptFailure | None:
    """The failure by the first rule that fits; None where none does, and the wire's own reading holds."""
    if not rules:
        return None
    words = reply.body[:_READ_BYTES].decode(errors="replace")
    for rule in rules:
        if rule.status in (None, reply.status) and (rule.words is None or rule.words.search(words)):
            return _failure(rule, reply)
    return None


def _failure(rule: ErrorRule, reply: HttpReply) -> AttemptFailure:
    status, code = _AS_OPENAI[rule.means]
    try:
        body = loads(reply.body) if reply.body else None
    except orjson.JSONDecodeError:
        body = None
    failure = failure_from_body(status, _coded(body, code) if code else body, reply.headers)
    failure.upstream_status = reply.status
    return failure


def _coded(body: object, code: str) -> dict[str, object]:
    """The body with the code that OpenAI has for this."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    fields = dict(error) if isinstance(error, dict) else {"message": str(error)}
    return {"error": {**fields, "code": code}}
