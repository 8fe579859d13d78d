"""How an answer of ours is read, surface by surface: by the same plain references, which know nothing of us."""

import json
from typing import Any

from tests.replay import gemini_reference, openai_reference, responses_reference, traffic, wires
from tests.replay._expected import Expected
from tests.replay.references import reference_of
from tests.replay.traffic import Json

# The error of a wire that has no word for our codes: the ledger's says which it was.
ANY_ERROR = "any"


def unified(status: int, body: bytes) -> Expected:
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


def chat(status: int, body: bytes) -> Expected:
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


def messages(status: int, body: bytes) -> Expected:
    if status != 200:
        return Expected(error=ANY_ERROR, error_status=status)
    answer = _by(wires.ANTHROPIC, body)
    answer.error = ANY_ERROR if answer.error else None
    return answer


def responses(status: int, body: bytes) -> Expected:
    if status != 200:
        return _error(json.loads(body), status)
    answer = responses_reference.expected(200, body)
    answer.error = ANY_ERROR if answer.error else None
    return answer


def generate(status: int, body: bytes) -> Expected:
    if status != 200:
        return Expected(error=ANY_ERROR, error_status=status)
    answer = gemini_reference.expected(200, body)
    answer.error = ANY_ERROR if answer.error else None
    return answer


def native_of(wire: str) -> "Any":
    """Reads an answer in the words of `wire`, with errors in ours."""

    def read(status: int, body: bytes) -> Expected:
        return _error(json.loads(body), status) if status != 200 else _by(wire, body)

    return read


def count(status: int, body: bytes) -> Expected:
    if status != 200:
        return Expected(error=ANY_ERROR, error_status=status)
    return Expected(result=json.loads(body)["input_tokens"])


def google_count(status: int, body: bytes) -> Expected:
    if status != 200:
        return Expected(error=ANY_ERROR, error_status=status)
    return Expected(result=json.loads(body)["totalTokens"])


def _by(wire: str, body: bytes) -> Expected:
    reference = reference_of(wire)
    assert reference is not None
    answer: Expected = reference.expected(200, body)
    return answer


def _error(said: Json, status: int) -> Expected:
    return Expected(error=said["error"]["code"], error_status=status)
