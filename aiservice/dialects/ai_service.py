"""`POST /ai-service`: one endpoint for every task, with its own answer and stream."""

import base64
import difflib
from collections.abc import Iterable
from typing import Any

import orjson

from aiservice.dialects._at_most import at_most
from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    StreamWriter,
    flag_of,
    model_of,
    refuse_overrides,
    usage_json,
)
from aiservice.errors import BrokerError, InvalidRequest
from aiservice.kit.money import to_usd_text
from aiservice.kit.sse import named_frame
from aiservice.tasks import inference, inferred_task, registry, task_named
from aiservice.wire import AI_SERVICE_WIRE, MEDIA_KINDS, Answer, Ask, Attempt, EventKind, StreamEvent, ToolCallDelta

_FIELDS = (
    "task", "input", "model", "stream", "parameters", "preferences", "metadata", "cache", "continue_on_failure",
    "resumable",
)  # fmt: skip
_MAX_METADATA = 16
_DELTAS = {EventKind.TEXT: "text", EventKind.REASONING: "reasoning", EventKind.REFUSAL: "refusal"}


class AiService(Dialect):
    surface = "ai-service"
    may_ask_to_resume = True

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        if isinstance(body.get("parameters"), dict):
            refuse_overrides(body["parameters"])
        for name in body:
            if name not in _FIELDS:
                near = difflib.get_close_matches(name[:60], _FIELDS, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known fields: {', '.join(_FIELDS)}."
                raise InvalidRequest(f"'{name[:60]}' is not a field of /ai-service. {hint}", param=name[:60])
        if "input" not in body:
            raise InvalidRequest("'input' is missing: a text, a list of messages, or the task's object.", param="input")
        task, reason = (
            inferred_task(body) if body.get("task") is None else (task_named(body["task"]), "`task` names it")
        )
        is_stream = flag_of(body, "stream")
        if is_stream and task.kind != "chat":
            raise InvalidRequest(f"The task '{task.name}' cannot be streamed.", param="stream")
        _check_metadata(body.get("metadata"))
        is_resumable = flag_of(body, "resumable")
        if is_resumable and not is_stream:
            raise InvalidRequest("Only a stream can be resumed: set 'stream' to true, too.", param="resumable")
        model = model_of(body)
        ask = Ask(task.name, task.kind, task.ask_body(body), is_stream, requested_model=model, wire=AI_SERVICE_WIRE)
        if task.kind in MEDIA_KINDS:
            ask.at_most = at_most(ask)
        if is_stream and ask.body.get("logprobs"):
            raise InvalidRequest("Log probabilities are given in whole answers only.", param="parameters.logprobs")
        continues = flag_of(body, "continue_on_failure")
        given = body.get("preferences")
        return ClientRequest(ask, model, given, continues=continues, task_reason=reason, is_resumable=is_resumable)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        output = registry()[outcome.task].output(answer.body)
        if answer.media is not None:
            output |= _media_json(answer)
        return orjson.dumps(
            {
                "id": outcome.request_id,
                "object": "ai_service.response",
                "created": outcome.created_s,
                "task": outcome.task,
                "provider": outcome.provider,
                "model": outcome.model,
                "output": output,
                "finish_reason": outcome.finish_reason,
                **_accounts(outcome),
                "cached": outcome.is_cached,
            }
        )

    def writer(self, request: ClientRequest) -> StreamWriter:
        return AiServiceWriter()


class AiServiceWriter(StreamWriter):
    """Events `start`, `delta`, `tool_call`, `done` and `error`, each with a JSON object."""

    def start(self, outcome: Outcome) -> bytes:
        about = {
            "id": outcome.request_id,
            "task": outcome.task,
            "provider": outcome.provider,
            "model": outcome.model,
            "created": outcome.created_s,
        }
        return named_frame("start", orjson.dumps(about))

    def events(self, events: Iterable[StreamEvent]) -> bytes:
        out = []
        for event in events:
            if event.kind is EventKind.TOOL_CALL and event.tool_call is not None:
                out.append(named_frame("tool_call", orjson.dumps(_call_json(event.tool_call))))
            elif delta := _delta_json(event):
                out.append(named_frame("delta", orjson.dumps(delta)))
        return b"".join(out)

    def boundary(self, outcome: Outcome) -> bytes:
        about = {"provider": outcome.provider, "model": outcome.model}
        return named_frame("boundary", orjson.dumps(about))

    def done(self, outcome: Outcome) -> bytes:
        about = {
            "id": outcome.request_id,
            "provider": outcome.provider,
            "model": outcome.model,
            "finish_reason": outcome.finish_reason,
            **_accounts(outcome),
            "cached": outcome.is_cached,
        }
        return named_frame("done", orjson.dumps(about))

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        body = error.body(outcome.request_id)
        return named_frame("error", orjson.dumps({**body, **_accounts(outcome)}))


def _media_json(answer: Answer) -> Json:
    """An answer that is no JSON: subtitles as text, sound in base64."""
    media = answer.media or b""
    if answer.media_type.startswith("text/"):
        return {"text": media.decode("utf-8", "replace")}
    return {"audio": base64.b64encode(media).decode(), "media_type": answer.media_type}


def _delta_json(event: StreamEvent) -> Json:
    """What a piece of the answer says: text, thinking, a refusal; empty where it is none of them."""
    delta: Json = {}
    name = _DELTAS.get(event.kind)
    if name is not None:
        if event.text:
            delta[name] = event.text
        if event.details is not None:
            if event.kind is EventKind.REASONING:
                delta["reasoning_details"] = [event.details]
            else:
                delta["extra_content"] = event.details
    return delta


def _call_json(call: ToolCallDelta) -> Json:
    piece: Json = {"index": call.index, "arguments": call.arguments}
    if call.call_id is not None:
        piece["id"] = call.call_id
    if call.name is not None:
        piece["name"] = call.name
    if call.extra_content is not None:
        piece["extra_content"] = call.extra_content
    return piece


def _accounts(outcome: Outcome) -> Json:
    cost = outcome.cost_nano_usd
    return {
        "usage": usage_json(outcome.usage),
        # A model without a known price has no cost; 0 would be a claim.
        "cost": None if cost is None else {"amount": to_usd_text(cost), "currency": "USD"},
        "route": {"attempts": [_attempt_json(attempt) for attempt in outcome.attempts]},
    }


def _attempt_json(attempt: Attempt) -> Json:
    said: Json = {
        "provider": attempt.connection,
        "model": attempt.model,
        "status": attempt.status,
        "ms": attempt.duration_ms,
        "reason": attempt.reason,
    }
    if attempt.code is not None:
        said["code"] = attempt.code
    return said


def _check_metadata(given: Any) -> None:
    if given is None:
        return
    is_fine = (
        isinstance(given, dict)
        and len(given) <= _MAX_METADATA
        and all(len(name) <= 64 and isinstance(value, str) and len(value) <= 512 for name, value in given.items())
    )
    if not is_fine:
        raise InvalidRequest(f"'metadata' must be an object of at most {_MAX_METADATA} short texts.", param="metadata")


def prepare() -> None:
    """Makes what tells tasks apart: its patterns take 50 ms, which the first request must not hold everybody up for."""
    inference()


DIALECT = AiService()
