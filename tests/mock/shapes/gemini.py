"""Gemini's generateContent, streamGenerateContent, embedContent, batchEmbedContents and countTokens."""

import json
from collections.abc import Iterator
from typing import Any

from tests.mock.plan import DIMENSIONS, Plan, count_tokens, vector
from tests.mock.script import Json, text_of
from tests.mock.shapes._base import Shape, data

SIGNATURE = "dGhvdWdodCBvZiB0aGUgbW9jaw=="
_CRLF = "\r\n\r\n"
_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class GeminiShape(Shape):
    def ask(self, body: Json, path: str) -> Json:
        model, _, method = path.removeprefix("/v1beta/models/").partition(":")
        if "mbedContent" in method:
            requests = body.get("requests") or [body]
            return {**body, "model": model, "input": [_text(request.get("content")) for request in requests]}
        messages: list[Json] = []
        if body.get("systemInstruction"):
            messages.append({"role": "system", "content": _text(body["systemInstruction"])})
        asked = body.get("generateContentRequest") or body
        for content in asked.get("contents") or []:
            messages += _messages(content)
        return {
            **body,
            "model": model,
            "messages": messages,
            "max_tokens": (body.get("generationConfig") or {}).get("maxOutputTokens"),
            "stream": method == "streamGenerateContent",
        }

    def task(self, path: str) -> str | None:
        method = path.rpartition(":")[2]
        if method in ("generateContent", "streamGenerateContent"):
            return "chat"
        return {"embedContent": "embeddings", "batchEmbedContents": "embeddings", "countTokens": "count"}.get(method)

    def whole(self, plan: Plan) -> Json:
        parts: list[Json] = [{"text": plan.thought, "thought": True}] if plan.thought else []
        parts += [_call(call) for call in plan.calls] if plan.calls else [{"text": plan.text}]
        return _chunk(plan, parts, plan.reason, is_last=True)

    def opening(self, plan: Plan) -> bytes:
        return b""

    def thinking(self, plan: Plan) -> Iterator[bytes]:
        if plan.thought:
            yield data(_chunk(plan, [{"text": plan.thought, "thought": True}]), _CRLF)

    def tool_calls(self, plan: Plan) -> Iterator[bytes]:
        for call in plan.calls:
            yield data(_chunk(plan, [_call(call)]), _CRLF)

    def word(self, plan: Plan, word: str, place: int) -> bytes:
        return data(_chunk(plan, [{"text": word}]), _CRLF)

    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        return b"", data(_chunk(plan, [{"text": ""}], plan.reason, is_last=True), _CRLF)

    def error(self, status: int, message: str, code: str | None = None) -> Json:
        error: Json = {"code": status, "message": message, "status": _STATUSES.get(status, "INTERNAL")}
        if status == 429:
            retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}
            error["details"] = [retry]
        return {"error": error}

    def error_event(self, message: str) -> bytes:
        return data(self.error(503, message), _CRLF)

    def half_event(self) -> bytes:
        return b'data: {"candidates": [{"content": {"parts": [{"text": "caf\xc3\r\n\r\n'

    def embeddings(self, body: Json) -> Json:
        first = (body.get("requests") or [body])[0]
        dimensions = int(first.get("outputDimensionality") or DIMENSIONS)
        vectors = [{"values": vector(text, dimensions)} for text in body["input"]]
        usage = {"promptTokenCount": count_tokens(body)}
        if "requests" in body:
            return {"embeddings": vectors, "usageMetadata": usage}
        return {"embedding": vectors[0], "usageMetadata": usage}

    def count(self, body: Json) -> Json:
        return {"totalTokens": count_tokens(body)}


def _text(content: Any) -> str:
    return text_of(content.get("parts")) if isinstance(content, dict) else ""


def _messages(content: Any) -> list[Json]:
    if not isinstance(content, dict):
        return []
    parts = [part for part in content.get("parts") or [] if isinstance(part, dict)]
    told: list[Json] = [
        {"role": "tool", "content": _told(part["functionResponse"].get("response"))}
        for part in parts
        if "functionResponse" in part
    ]
    text = text_of([part for part in parts if "text" in part])
    role = "assistant" if content.get("role") == "model" else "user"
    return [*([{"role": role, "content": text}] if text or not told else []), *told]


def _told(response: Any) -> str:
    if isinstance(response, dict) and len(response) == 1:
        (value,) = response.values()
        return value if isinstance(value, str) else json.dumps(value)
    return json.dumps(response)


def _call(call: Json) -> Json:
    function = call["function"]
    called = {"id": call["id"], "name": function["name"], "args": json.loads(function["arguments"])}
    return {"functionCall": called, "thoughtSignature": SIGNATURE}


def _chunk(plan: Plan, parts: list[Json], reason: str | None = None, *, is_last: bool = False) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = _REASONS[reason]
    answer: Json = {"candidates": [candidate], "modelVersion": plan.body.get("model"), "responseId": f"g{plan.number}"}
    usage = _usage(plan, is_last=is_last)
    return answer if usage is None else {**answer, "usageMetadata": usage}


def _usage(plan: Plan, *, is_last: bool) -> Json | None:
    tokens = plan.tokens
    if tokens is None:
        return None
    if plan.is_usage_bad:
        return {"promptTokenCount": -5, "candidatesTokenCount": "10", "totalTokenCount": 1e308}
    usage: Json = {"promptTokenCount": tokens.given, "totalTokenCount": tokens.given}
    if tokens.cached:
        usage["cachedContentTokenCount"] = tokens.cached
    if is_last:
        usage["candidatesTokenCount"] = tokens.made - tokens.thought
        usage["totalTokenCount"] = tokens.given + tokens.made
        if tokens.thought:
            usage["thoughtsTokenCount"] = tokens.thought
    return usage
