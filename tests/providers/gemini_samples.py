"""What the Gemini tests share: asks, answers and streams written by hand."""

from typing import Any

import orjson
import pytest

from aiservice.providers._base import AttemptFailed
from aiservice.providers.gemini import PROVIDER
from aiservice.wire import Answer, Ask, Blame, EventKind, HttpCall, HttpReply, Json, StreamEvent

PNG = "data:image/png;base64,iVBORw0KGgo="
NEW, OLD = "gemini-3-flash-preview", "gemini-2.5-flash"


def ask(*messages: Json, is_stream: bool = False, **body: Any) -> Ask:
    said = list(messages) or [{"role": "user", "content": "Hi"}]
    return Ask("chat", "chat", {"messages": said, **body}, is_stream=is_stream)


def built(*messages: Json, model: str = NEW, **body: Any) -> Json:
    """The body that is sent for a chat."""
    found: Json = orjson.loads(PROVIDER.build(ask(*messages, **body), model).body)
    return found


def refused(model: str = NEW, *messages: Json, **body: Any) -> tuple[str | None, Blame]:
    """The field that a chat is refused for, and whether another provider may take it."""
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(ask(*messages, **body), model)
    return caught.value.failure.param, caught.value.failure.blame


def contents(*messages: Json, model: str = NEW) -> list[Json]:
    found: list[Json] = built(*messages, model=model)["contents"]
    return found


def user(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


def assistant(*calls: Json, **fields: Any) -> Json:
    return {"role": "assistant", "content": None, **({"tool_calls": list(calls)} if calls else {}), **fields}


def call(call_id: str, name: str = "look", arguments: str = "{}", **fields: Any) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def result(call_id: str, content: Any, **fields: Any) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **fields}


def signed(signature: str) -> Json:
    return {"extra_content": {"google": {"thought_signature": signature}}}


def response(*parts: Json, finish: object = "STOP", index: int | None = None, **fields: Any) -> Json:
    """One GenerateContentResponse with one candidate; `finish` None: not finished yet."""
    candidate: Json = {"content": {"role": "model", "parts": list(parts)}}
    candidate |= {} if finish is None else {"finishReason": finish}
    candidate |= {} if index is None else {"index": index}
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "gemini-x", **fields}


def usage(prompt: int = 5, candidates: int = 2, **more: int) -> Json:
    return {"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": candidates, **more}}


def whole(*responses: Json, of: Ask | None = None) -> Answer:
    """A whole answer: one object."""
    path = HttpCall(f"/models/{NEW}:generateContent", b"")
    return PROVIDER.read(of or ask(), path, HttpReply(200, {}, orjson.dumps(responses[0])))


def frames(*responses: Json) -> bytes:
    return b"".join(b"data: " + orjson.dumps(one) + b"\r\n\r\n" for one in responses)


def streamed(*pieces: bytes, wanted: int = 1) -> tuple[list[StreamEvent], bool]:
    """The events of a stream that arrived in `pieces` and closed, and whether it was whole."""
    reader = PROVIDER.reader(ask(is_stream=True, n=wanted), HttpCall("/", b"", is_stream=True))
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    return events, reader.is_finished


def folded(events: list[StreamEvent], choice: int = 0) -> Json:
    """What a stream said of one choice, in the words of a message."""
    said: Json = {"text": "", "thoughts": "", "signatures": [], "extra": None, "calls": [], "finish": None}
    for event in events:
        if event.choice != choice:
            continue
        if event.kind is EventKind.TEXT:
            said["text"] += event.text
            said["extra"] = event.details or said["extra"]
        elif event.kind is EventKind.REASONING:
            said["thoughts"] += event.text
            said["signatures"] += [event.details["signature"]] if event.details else []
        elif event.tool_call is not None and event.tool_call.name is not None:
            piece = event.tool_call
            said["calls"].append([piece.call_id, piece.name, piece.arguments, piece.extra_content])
        elif event.tool_call is not None:
            said["calls"][event.tool_call.index][2] += event.tool_call.arguments
        elif event.kind is EventKind.FINISH:
            said["finish"] = event.finish_reason
    return said


def told(answer: Answer, choice: int = 0) -> Json:
    """The same of a whole answer."""
    found = answer.body["choices"][choice]
    message = found["message"]
    details = message.get("reasoning_details") or []
    calls = [
        [one["id"], one["function"]["name"], one["function"]["arguments"], one.get("extra_content")]
        for one in message.get("tool_calls") or []
    ]
    return {
        "text": message["content"] or "",
        "thoughts": message.get("reasoning_content", ""),
        "signatures": [item["signature"] for item in details if "signature" in item],
        "extra": message.get("extra_content"),
        "calls": calls,
        "finish": found["finish_reason"],
    }
