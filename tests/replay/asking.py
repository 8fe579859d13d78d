"""How a recording is asked of the gateway: over the same wire where we speak it, and over others, translated."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.replay import openai_reference, traffic
from tests.replay._expected import Expected
from tests.replay.references import reference_of
from tests.replay.traffic import Json, Recording

# What only the Responses API has: a model of this name is asked there whatever the request.
RESPONSES_MODEL = "gpt-5.1-codex"
# The error of a wire that has no word for our codes: the ledger's says which it was.
ANY_ERROR = "any"


@dataclass(slots=True, frozen=True)
class Way:
    """One of our surfaces: the body for a recording, and how its answer is read."""

    name: str
    path: str
    body: Callable[[Recording], Json]
    read: Callable[[int, bytes], Expected]


def ways_for(recording: Recording, paths: frozenset[str]) -> list[Way]:
    """The ways a recording is asked; `paths` are the routes that this gateway has."""
    if recording.wire in (traffic.OPENAI_EMBEDDINGS, traffic.GEMINI_EMBEDDINGS):
        ways = [EMBEDDINGS, UNIFIED_EMBEDDING]
    elif isinstance(recording.request, dict) and (recording.request.get("n") or 1) > 1:
        ways = [CHAT]  # the others give one answer and never ask for more
    else:
        ways = [CHAT, UNIFIED, MESSAGES]
    return [way for way in ways if way.path in paths]


def connection_for(recording: Recording) -> str:
    """The connection's name; a vendor's Responses API has one of its own."""
    if recording.provider == "gemini" and recording.wire == traffic.OPENAI_CHAT:
        return "gemini-openai"  # Google's own imitation of OpenAI's wire
    is_foreign = recording.wire == traffic.OPENAI_RESPONSES and recording.provider != "openai"
    return f"{recording.provider}-responses" if is_foreign else f"{recording.provider}-recorded"


def model_for(recording: Recording) -> str:
    """The recorded model, or one that may do the same work."""
    if recording.wire == traffic.OPENAI_RESPONSES:
        return RESPONSES_MODEL
    if isinstance(recording.request, dict) and isinstance(recording.request.get("model"), str):
        return str(recording.request["model"])
    if recording.wire in (traffic.GEMINI, traffic.GEMINI_EMBEDDINGS) and "/models/" in recording.url:
        name = recording.url.split("/models/")[1].split(":")[0]
        return name if (recording.wire == traffic.GEMINI_EMBEDDINGS) == ("embed" in name) else "gemini-embedding-001"
    return "embed-replayed" if recording.wire.endswith("embeddings") else "replayed"


def is_well_formed(request: Any) -> bool:
    """Whether a request was recorded that we would not refuse ourselves (one was recorded for its error alone)."""
    given = request.get("messages", []) if isinstance(request, dict) else [None]
    return all(isinstance(message, dict) for message in given)


def expected_of(way: Way, expected: Expected) -> Expected | None:
    """What a recording is in the words of `way`; None where they have none for it."""
    if way is not MESSAGES:
        return expected
    if any(not isinstance(arguments, dict) for _, arguments in expected.tool_calls):
        return None  # of a custom tool, which no client of this wire can have asked for
    if expected.refusal:
        return replace(expected, text=expected.text + expected.refusal, refusal="", finish_reason="content_filter")
    return expected


def _pinned(recording: Recording, body: Json) -> Json:
    body = {**body, "model": f"{connection_for(recording)}/{model_for(recording)}"}
    return {**body, "stream": True} if recording.is_stream else body


def _chat(recording: Recording) -> Json:
    reference = reference_of(recording.wire)
    assert reference is not None
    body = _pinned(recording, reference.chat_request(recording.request))
    if recording.is_stream and recording.wire != traffic.OPENAI_CHAT:
        body["stream_options"] = {"include_usage": True}
    return body


def _unified(recording: Recording) -> Json:
    return _pinned(recording, {"task": "chat", "input": "Hello"})


def _messages(recording: Recording) -> Json:
    if recording.wire == traffic.ANTHROPIC and is_well_formed(recording.request):
        return _pinned(recording, recording.request)
    return _pinned(recording, {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]})


def _embeddings(recording: Recording) -> Json:
    reference = reference_of(recording.wire)
    assert reference is not None
    return _pinned(recording, reference.chat_request(recording.request))


def _unified_embedding(recording: Recording) -> Json:
    texts = _embeddings(recording)["input"]
    return _pinned(recording, {"task": "embedding", "input": [texts] if isinstance(texts, str) else texts})


def _read_unified(status: int, body: bytes) -> Expected:
    if not traffic.is_event_stream(body):
        said = json.loads(body)
        return _error(said, status) if status != 200 else _of_unified(said)
    answer = Expected()
    calls: dict[int, list[str]] = {}
    for name, data in openai_reference.events_of(body):
        event = json.loads(data)
        if name == "delta":
            answer.text += event.get("text", "")
        elif name == "tool_call":
            call = calls.setdefault(event["index"], ["", ""])
            call[0] = event.get("name", call[0])
            call[1] += event["arguments"]
        elif name == "done":
            answer.finish_reason = event["finish_reason"]
        elif name == "error":
            answer.error = event["error"]["code"]
    answer.tool_calls = [(name, openai_reference.parsed(arguments)) for _, (name, arguments) in sorted(calls.items())]
    return answer


def _of_unified(said: Json) -> Expected:
    output = said["output"]
    if "embeddings" in output:
        return Expected(vectors=output["embeddings"])
    answer = Expected(output["text"], finish_reason=said["finish_reason"])
    answer.tool_calls = [openai_reference.call_of(call) for call in output.get("tool_calls") or []]
    return answer


def _read_chat(status: int, body: bytes) -> Expected:
    if not traffic.is_event_stream(body):
        said = json.loads(body)
        if status != 200:
            return _error(said, status)
        return openai_reference.expected(200, body)
    cut = body.find(b'data: {"error":')
    answer = openai_reference.expected(200, body if cut < 0 else body[:cut])
    if cut >= 0:
        answer.error = json.loads(openai_reference.events_of(body[cut:])[0][1])["error"]["code"]
    return answer


def _error(said: Json, status: int) -> Expected:
    return Expected(error=said["error"]["code"], error_status=status)


def _read_messages(status: int, body: bytes) -> Expected:
    reference = reference_of(traffic.ANTHROPIC)
    assert reference is not None
    if status != 200:
        return Expected(error=ANY_ERROR, error_status=status)
    answer: Expected = reference.expected(200, body)
    answer.error = ANY_ERROR if answer.error else None
    return answer


CHAT = Way("chat completions", "/v1/chat/completions", _chat, _read_chat)
UNIFIED = Way("ai-service", "/ai-service", _unified, _read_unified)
MESSAGES = Way("messages", "/v1/messages", _messages, _read_messages)
EMBEDDINGS = Way("embeddings", "/v1/embeddings", _embeddings, _read_chat)
UNIFIED_EMBEDDING = Way("ai-service", "/ai-service", _unified_embedding, _read_unified)
