"""What the Bedrock tests share: asks, answers, and events by hand."""

from typing import Any

import orjson
import pytest

from aiservice.providers._base import AttemptFailed
from aiservice.providers.bedrock import PROVIDER
from aiservice.wire import Answer, Ask, AttemptFailure, Blame, EventKind, HttpCall, HttpReply, Json, StreamEvent
from tests.mock.shapes.bedrock import frame

CLAUDE, OLD_CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"
NOVA, LLAMA, KIMI = "amazon.nova-pro-v1:0", "meta.llama3-1-70b-instruct-v1:0", "moonshot.kimi-k2-thinking"
WEATHER: Json = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def delta(index: int, **said: Any) -> bytes:
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": said, "p": "abc"})


def start(index: int, call_id: str, name: str) -> bytes:
    said = {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": call_id, "name": name}}}
    return frame("contentBlockStart", said)


def stop(index: int) -> bytes:
    return frame("contentBlockStop", {"contentBlockIndex": index})


def begun() -> bytes:
    return frame("messageStart", {"role": "assistant", "p": "ab"})


def ended(reason: str = "end_turn", **usage: int) -> bytes:
    counts = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7, **usage}
    return frame("messageStop", {"stopReason": reason}) + frame("metadata", {"usage": counts, "metrics": {}})


def ask(*messages: Json, is_stream: bool = False, **body: Any) -> Ask:
    said = list(messages) or [{"role": "user", "content": "Hi"}]
    return Ask("chat", "chat", {"messages": said, **body}, is_stream)


def built(*messages: Json, model: str = CLAUDE, **body: Any) -> Json:
    """The body that is sent for a chat."""
    found: Json = orjson.loads(PROVIDER.build(ask(*messages, **body), model).body)
    return found


def refused(*messages: Json, model: str = CLAUDE, **body: Any) -> str | None:
    """The field that a chat is refused for; another provider may take it."""
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(ask(*messages, **body), model)
    assert caught.value.failure.blame is Blame.FAILOVER
    return caught.value.failure.param


def answer(
    *blocks: Json, reason: str = "end_turn", usage: Json | None = None, model: str = CLAUDE, **asked: Any
) -> Answer:
    """A whole answer of those blocks."""
    counts = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7} if usage is None else usage
    body = {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": reason,
        "usage": counts,
    }
    chat = ask(**asked)
    return PROVIDER.read(chat, PROVIDER.build(chat, model), HttpReply(200, {}, orjson.dumps(body)))


def streamed(*pieces: bytes, model: str = CLAUDE, **asked: Any) -> tuple[list[StreamEvent], bool]:
    """The events of a stream that arrived in `pieces` and closed, and whether it was whole."""
    chat = ask(is_stream=True, **asked)
    reader = PROVIDER.reader(chat, PROVIDER.build(chat, model))
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    return events, reader.is_finished


def failure(status: int, kind: str | None, message: str, **headers: str) -> AttemptFailure:
    """Why a reply with that error failed."""
    given = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/"} if kind else {}
    return PROVIDER.failure(HttpReply(status, {**given, **headers}, orjson.dumps({"message": message})))


def folded(events: list[StreamEvent]) -> Json:
    """A message put together from events, as a client does it."""
    message: Json = {"content": "", "reasoning": "", "details": {}, "calls": {}, "finish": None, "usage": None}
    for event in events:
        if event.kind is EventKind.TEXT:
            message["content"] += event.text
        elif event.kind is EventKind.REASONING:
            message["reasoning"] += event.text
            if event.details is None:  # it thinks, and does not say what
                continue
            known = message["details"].setdefault(event.details["index"], {**event.details, "text": ""})
            known.update({**event.details, "text": known["text"] + event.details.get("text", "")})
        elif event.tool_call is not None:
            call = message["calls"].setdefault(event.tool_call.index, ["", "", ""])
            call[0], call[1] = call[0] or event.tool_call.call_id, call[1] or event.tool_call.name
            call[2] += event.tool_call.arguments
        elif event.kind is EventKind.FINISH:
            message["finish"] = event.finish_reason
        elif event.kind is EventKind.USAGE:
            message["usage"] = event.usage
    return message


def told(whole: Answer) -> Json:
    """The same of a whole answer."""
    message = whole.body["choices"][0]["message"]
    details = [{"text": "", **item} for item in message.get("reasoning_details", [])]
    calls = [
        [call["id"], call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls", [])
    ]
    return {
        "content": message["content"] or "",
        "reasoning": message.get("reasoning_content", ""),
        "details": {item["index"]: item for item in details},
        "calls": dict(enumerate(calls)),
        "finish": whole.finish_reason,
        "usage": whole.usage,
    }


CALL = HttpCall("/model/x/converse", b"{}")
