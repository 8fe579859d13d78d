"""OpenAI's Responses API."""

import json
from collections.abc import Iterator
from typing import Any

from tests.mock.plan import CREATED, Plan, count_tokens
from tests.mock.script import Json, text_of
from tests.mock.shapes._base import Shape, pieces


class ResponsesShape(Shape):
    def ask(self, body: Json, path: str) -> Json:
        given = body.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
        messages: list[Json] = []
        if body.get("instructions"):
            messages.append({"role": "system", "content": body["instructions"]})
        messages += [message for item in items if (message := _message_of(item)) is not None]
        asked = {name: value for name, value in body.items() if name != "input"}
        return {**asked, "messages": messages, "max_tokens": body.get("max_output_tokens")}

    def task(self, path: str) -> str | None:
        return "count" if path.endswith("/input_tokens") else "chat"

    def whole(self, plan: Plan) -> Json:
        return _response(plan, _items(plan), is_done=True)

    def opening(self, plan: Plan) -> bytes:
        begun = _response(plan, [], is_done=False)
        return _event("response.created", response=begun) + _event("response.in_progress", response=begun)

    def thinking(self, plan: Plan) -> Iterator[bytes]:
        if not plan.thought:
            return
        item = _items(plan)[0]
        yield _event("response.output_item.added", output_index=0, item={**item, "summary": []})
        where = {"item_id": item["id"], "output_index": 0, "summary_index": 0}
        part = {"type": "summary_text", "text": ""}
        yield _event("response.reasoning_summary_part.added", **where, part=part)
        for place, piece in enumerate(plan.thought.split(" ")):
            delta = f" {piece}" if place else piece
            yield _event("response.reasoning_summary_text.delta", **where, delta=delta)
        part = {"type": "summary_text", "text": plan.thought}
        yield _event("response.reasoning_summary_text.done", **where, text=plan.thought)
        yield _event("response.reasoning_summary_part.done", **where, part=part)
        yield _event("response.output_item.done", output_index=0, item=item)

    def tool_calls(self, plan: Plan) -> Iterator[bytes]:
        for place, item in enumerate(_items(plan)):
            if item["type"] != "function_call":
                continue
            yield _event("response.output_item.added", output_index=place, item={**item, "arguments": ""})
            where = {"item_id": item["id"], "output_index": place}
            for piece in pieces(item["arguments"]):
                yield _event("response.function_call_arguments.delta", **where, delta=piece)
            yield _event("response.function_call_arguments.done", **where, arguments=item["arguments"])
            yield _event("response.output_item.done", output_index=place, item=item)

    def word(self, plan: Plan, word: str, place: int) -> bytes:
        index = int(bool(plan.thought))
        item = {"type": "message", "id": f"msg_{plan.number}", "status": "in_progress", "role": "assistant"}
        begun = b""
        if place == 0:
            part = {"type": "output_text", "text": "", "annotations": []}
            begun = _event("response.output_item.added", output_index=index, item={**item, "content": []})
            begun += _event(
                "response.content_part.added", item_id=item["id"], output_index=index, content_index=0, part=part
            )
        where = {"item_id": item["id"], "output_index": index, "content_index": 0}
        return begun + _event("response.output_text.delta", **where, delta=word)

    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        frames = b""
        if plan.words:
            index, item = int(bool(plan.thought)), _items(plan)[-1]
            where = {"item_id": item["id"], "output_index": index, "content_index": 0}
            frames = _event("response.output_text.done", **where, text=plan.text)
            frames += _event("response.content_part.done", **where, part=item["content"][0])
            frames += _event("response.output_item.done", output_index=index, item=item)
        name = "response.incomplete" if plan.reason == "length" else "response.completed"
        return frames, _event(name, response=self.whole(plan))

    def error(self, status: int, message: str, code: str | None = None) -> Json:
        return {"error": {"message": message, "type": "server_error", "param": None, "code": code}}

    def error_event(self, message: str) -> bytes:
        error = {"type": "server_error", "code": "server_error", "message": message, "param": None}
        return _event("error", error=error)

    def half_event(self) -> bytes:
        return b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "delta": "caf\xc3\n\n'

    def count(self, body: Json) -> Json:
        return {"object": "response.input_tokens", "input_tokens": count_tokens(body)}


def _message_of(item: Any) -> Json | None:
    if not isinstance(item, dict):
        return None
    if item.get("type") == "function_call_output":
        return {"role": "tool", "content": text_of(item.get("output"))}
    if item.get("type", "message") != "message":
        return None
    return {"role": item.get("role"), "content": text_of(item.get("content"))}


def _items(plan: Plan) -> list[Json]:
    items: list[Json] = []
    if plan.thought:
        summary = [{"type": "summary_text", "text": plan.thought}]
        items.append(
            {"type": "reasoning", "id": f"rs_{plan.number}", "summary": summary, "encrypted_content": "c2VhbGVk"}
        )
    for call in plan.calls:
        named = {"call_id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        items.append({"type": "function_call", "id": f"fc_{call['id']}", "status": "completed", **named})
    if not plan.calls:
        content = [{"type": "output_text", "text": plan.text, "annotations": []}]
        message = {"type": "message", "id": f"msg_{plan.number}", "status": "completed", "role": "assistant"}
        items.append({**message, "content": content})
    return items


def _response(plan: Plan, items: list[Json], *, is_done: bool) -> Json:
    is_cut = is_done and plan.reason == "length"
    return {
        "id": f"resp_{plan.number}",
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if is_cut else "completed" if is_done else "in_progress",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "error": None,
        "model": plan.body.get("model"),
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(plan) if is_done else None,
    }


def _usage(plan: Plan) -> Json | None:
    tokens = plan.tokens
    if tokens is None:
        return None
    if plan.is_usage_bad:
        return {"input_tokens": -5, "output_tokens": "10", "total_tokens": 1e308}
    return {
        "input_tokens": tokens.given,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.made,
        "output_tokens_details": {"reasoning_tokens": tokens.thought},
        "total_tokens": tokens.given + tokens.made,
    }


def _event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()
