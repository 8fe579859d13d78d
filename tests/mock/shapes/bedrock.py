"""Amazon Bedrock's Converse, its binary event stream, CountTokens, and Titan's embeddings."""

import json
import struct
from binascii import crc32
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from tests.mock.plan import Plan, count_tokens, vector
from tests.mock.script import Json, text_of
from tests.mock.shapes._base import Shape, pieces

SIGNATURE = "c2VhbCBvZiB0aGUgbW9jaydzIGNsb3Vk"
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_TASKS = {"converse": "chat", "converse-stream": "chat", "count-tokens": "count", "invoke": "embeddings"}


class BedrockShape(Shape):
    content_type = "application/vnd.amazon.eventstream"

    def ask(self, body: Json, path: str) -> Json:
        model, _, way = path.removeprefix("/model/").rpartition("/")
        asked = body.get("input", {}).get("converse", body) if way == "count-tokens" else body
        messages: list[Json] = []
        if asked.get("system"):
            messages.append({"role": "system", "content": _text(asked["system"])})
        for message in asked.get("messages") or []:
            messages += _messages(message)
        limits = asked.get("inferenceConfig") or {}
        return {
            **body,
            "model": unquote(model),
            "messages": messages,
            "input": [body["inputText"]] if "inputText" in body else [],
            "tools": (asked.get("toolConfig") or {}).get("tools"),
            "max_tokens": limits.get("maxTokens"),
            "stream": way == "converse-stream",
        }

    def task(self, path: str) -> str | None:
        return _TASKS.get(path.rpartition("/")[2])

    def whole(self, plan: Plan) -> Json:
        content: list[Json] = []
        if plan.thought:
            thought = {"text": plan.thought, "signature": SIGNATURE}
            content.append({"reasoningContent": {"reasoningText": thought}})
        if plan.calls:
            content += [{"toolUse": {**_use(call), "input": json.loads(_given(call))}} for call in plan.calls]
        else:
            content.append({"text": plan.text})
        said: Json = {"output": {"message": {"role": "assistant", "content": content}}, "metrics": {"latencyMs": 1}}
        return {**said, "stopReason": _REASONS[plan.reason], **_usage(plan)}

    def opening(self, plan: Plan) -> bytes:
        return frame("messageStart", {"role": "assistant"})

    def thinking(self, plan: Plan) -> Iterator[bytes]:
        if not plan.thought:
            return
        for piece in plan.thought.split(" "):
            yield _delta(0, {"reasoningContent": {"text": piece + " "}})
        yield _delta(0, {"reasoningContent": {"signature": SIGNATURE}})
        yield frame("contentBlockStop", {"contentBlockIndex": 0})

    def tool_calls(self, plan: Plan) -> Iterator[bytes]:
        for index, call in enumerate(plan.calls, start=bool(plan.thought)):
            yield frame("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": _use(call)}})
            for piece in pieces(_given(call)):
                yield _delta(index, {"toolUse": {"input": piece}})
            yield frame("contentBlockStop", {"contentBlockIndex": index})

    def word(self, plan: Plan, word: str, place: int) -> bytes:
        return _delta(int(bool(plan.thought)), {"text": word})

    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        end = {"contentBlockIndex": int(bool(plan.thought))}
        frames = frame("contentBlockStop", end) if plan.words else b""
        stop = frame("messageStop", {"stopReason": _REASONS[plan.reason]})
        return frames + stop, frame("metadata", {"metrics": {"latencyMs": 1}, **_usage(plan)})

    def error(self, status: int, message: str, code: str | None = None) -> Json:
        return {"message": message}

    def error_event(self, message: str) -> bytes:
        return frame("serviceUnavailableException", {"message": message}, "exception")

    def half_event(self) -> bytes:
        return _delta(0, {"text": "caf"})[:-7] + b"\xc3" * 7

    def embeddings(self, body: Json) -> Json:
        return {"embedding": vector(body["inputText"]), "inputTextTokenCount": count_tokens(body)}

    def count(self, body: Json) -> Json:
        return {"inputTokens": count_tokens(body)}

    def half_whole(self) -> bytes:
        return b'{"output": {"message": {"content": [{"text": "caf\xc3'


def frame(kind: str, payload: Json | bytes, name: str = "event", **more: str) -> bytes:
    """One frame of AWS's event stream, after the format's description alone; `more` are other headers."""
    header = {":message-type": name, (":event-type" if name == "event" else ":exception-type"): kind, **more}
    raw = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(text.encode())) + text.encode()
        for key, text in header.items()
    )
    body = payload if isinstance(payload, bytes) else json.dumps({**payload, "p": "abcdef"}).encode()
    prelude = struct.pack(">II", 16 + len(raw) + len(body), len(raw))
    whole = prelude + struct.pack(">I", crc32(prelude)) + raw + body
    return whole + struct.pack(">I", crc32(whole))


def _delta(index: int, said: Json) -> bytes:
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": said})


def _messages(message: Any) -> list[Json]:
    """One turn as OpenAI's: a tool result is a message of its own there."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return []
    told = [
        {"role": "tool", "content": _text(part["toolResult"]["content"])} for part in content if "toolResult" in part
    ]
    text = _text(content)
    return [*([{"role": message.get("role"), "content": text}] if text or not told else []), *told]


def _text(blocks: Any) -> str:
    return text_of([{"type": "text", "text": block["text"]} for block in blocks if "text" in block])


def _use(call: Json) -> Json:
    return {"toolUseId": call["id"], "name": call["function"]["name"]}


def _given(call: Json) -> str:
    given: str = call["function"]["arguments"]
    return given


def _usage(plan: Plan) -> Json:
    tokens = plan.tokens
    if tokens is None:
        return {}
    if plan.is_usage_bad:
        return {"usage": {"inputTokens": -5, "outputTokens": "10"}}
    counts = {
        "inputTokens": tokens.given - tokens.cached,
        "cacheReadInputTokens": tokens.cached,
        "cacheReadInputTokenCount": tokens.cached,
        "outputTokens": tokens.made,
        "totalTokens": tokens.given + tokens.made,
    }
    return {"usage": counts}
