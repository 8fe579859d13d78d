"""Cohere's v2 wire: chat, embed and rerank."""

from collections.abc import Iterator
from typing import Any

from tests.mock.plan import DIMENSIONS, Plan, count_tokens, vector
from tests.mock.script import Json
from tests.mock.shapes._base import Shape, data, pieces

PLAN = "I will call it."
PREAMBLE = 500  # tokens of a prompt of its own that are counted, and not billed
_REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


class CohereShape(Shape):
    def ask(self, body: Json, path: str) -> Json:
        if path == "/v2/rerank":
            return {**body, "messages": [{"role": "user", "content": body.get("query")}]}
        return {**body, "input": body["texts"]} if "texts" in body else body

    def task(self, path: str) -> str | None:
        return {"/v2/chat": "chat", "/v2/embed": "embeddings", "/v2/rerank": "embeddings"}.get(path)

    def whole(self, plan: Plan) -> Json:
        message: Json = {"role": "assistant"}
        content: list[Json] = [{"type": "thinking", "thinking": plan.thought}] if plan.thought else []
        if plan.calls:
            message |= {"tool_plan": PLAN, "tool_calls": plan.calls}
        else:
            content.append({"type": "text", "text": plan.text})
        if content:
            message["content"] = content
        return {"id": f"{plan.number}", "message": message, "finish_reason": _REASONS[plan.reason], **_usage(plan)}

    def opening(self, plan: Plan) -> bytes:
        message: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        return _event("message-start", message)

    def thinking(self, plan: Plan) -> Iterator[bytes]:
        if not plan.thought:
            return
        yield _event("content-start", {"content": {"type": "thinking", "thinking": ""}}, 0)
        for piece in plan.thought.split(" "):
            yield _event("content-delta", {"content": {"thinking": piece + " "}}, 0)
        yield _event("content-end", None, 0)

    def tool_calls(self, plan: Plan) -> Iterator[bytes]:
        for piece in pieces(PLAN if plan.calls else ""):
            yield _event("tool-plan-delta", {"tool_plan": piece})
        for index, call in enumerate(plan.calls):
            function = call["function"]
            yield _event("tool-call-start", {"tool_calls": {**call, "function": {**function, "arguments": ""}}}, index)
            for piece in pieces(function["arguments"]):
                yield _event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index)
            yield _event("tool-call-end", None, index)

    def word(self, plan: Plan, word: str, place: int) -> bytes:
        index = int(bool(plan.thought))
        begun = _event("content-start", {"content": {"type": "text", "text": ""}}, index) if place == 0 else b""
        return begun + _event("content-delta", {"content": {"text": word}}, index)

    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        frames = _event("content-end", None, int(bool(plan.thought))) if plan.words else b""
        end = _event("message-end", None, None, finish_reason=_REASONS[plan.reason], **_usage(plan))
        return frames, end + b"data: [DONE]\n\n"

    def error(self, status: int, message: str, code: str | None = None) -> Json:
        return {"id": "of-the-mock", "message": message}

    def error_event(self, message: str) -> bytes:
        return _event("message-end", None, None, finish_reason="ERROR", usage={}, error=message)

    def half_event(self) -> bytes:
        return b'event: content-delta\ndata: {"type": "content-delta", "delta": {"message": {"content": "caf\xc3\n\n'

    def embeddings(self, body: Json) -> Json:
        if "documents" in body:
            return _ranking(body)
        size = body.get("output_dimension") or DIMENSIONS
        vectors = [vector(text, size) for text in body["texts"]]
        billed = {"input_tokens": count_tokens(body)}
        return {"id": "1", "texts": body["texts"], "embeddings": {"float": vectors}, "meta": {"billed_units": billed}}


def _ranking(body: Json) -> Json:
    query = set(str(body["query"]).split())
    shares = [len(query & set(text.split())) / max(1, len(query)) for text in body["documents"]]
    places = sorted(range(len(shares)), key=lambda place: -shares[place])[: body.get("top_n")]
    results = [{"index": place, "relevance_score": shares[place]} for place in places]
    return {"id": "1", "results": results, "meta": {"billed_units": {"search_units": 1}}}


def _usage(plan: Plan) -> Json:
    tokens = plan.tokens
    if tokens is None:
        return {}
    if plan.is_usage_bad:
        return {"usage": {"tokens": {"input_tokens": -5, "output_tokens": "10"}}}
    billed = {"input_tokens": tokens.given, "output_tokens": tokens.made}
    counted = {
        "input_tokens": tokens.given + PREAMBLE,
        "output_tokens": tokens.made,
        "reasoning_tokens": tokens.thought,
    }
    return {"usage": {"billed_units": billed, "tokens": counted, "cached_tokens": tokens.cached}}


def _event(kind: str, message: Json | None, index: int | None = None, **delta: Any) -> bytes:
    event: Json = {"type": kind}
    if index is not None:
        event["index"] = index
    if message is not None:
        delta["message"] = message
    if delta:
        event["delta"] = delta
    return f"event: {kind}\n".encode() + data(event)
