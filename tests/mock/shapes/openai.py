"""OpenAI's chat completions, completions and embeddings."""

from collections.abc import Iterator

from tests.mock.plan import CREATED, DIMENSIONS, Plan, count_tokens, embedded_inputs, packed, vector
from tests.mock.script import Json
from tests.mock.shapes._base import Shape, data, pieces


class OpenAiShape(Shape):
    def ask(self, body: Json, path: str) -> Json:
        if "prompt" not in body:
            return body
        return {**body, "messages": [{"role": "user", "content": body["prompt"]}]}

    def task(self, path: str) -> str | None:
        tasks = {"/completions": "chat", "/embeddings": "embeddings"}
        return next((task for ending, task in tasks.items() if path.endswith(ending)), None)

    def whole(self, plan: Plan) -> Json:
        message: Json = {"role": "assistant", "content": None if plan.calls else plan.text, "refusal": None}
        if plan.calls:
            message["tool_calls"] = plan.calls
        if plan.thought:
            message["reasoning_content"] = plan.thought
        answer: Json = {
            "id": f"chatcmpl-{plan.number}",
            "object": "chat.completion",
            "created": CREATED,
            "model": plan.body.get("model"),
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": plan.reason}],
            "system_fingerprint": "fp_mock",
        }
        if "prompt" in plan.body:
            answer |= {"id": f"cmpl-{plan.number}", "object": "text_completion"}
            answer["choices"] = [_text_choice(plan.text, plan.reason)]
        usage = _usage(plan)
        return answer if usage is None else {**answer, "usage": usage}

    def opening(self, plan: Plan) -> bytes:
        return data(_chunk(plan, {"role": "assistant", "content": "", "refusal": None}))

    def thinking(self, plan: Plan) -> Iterator[bytes]:
        for piece in plan.thought.split(" ") if plan.thought else ():
            yield data(_chunk(plan, {"reasoning_content": piece + " "}))

    def tool_calls(self, plan: Plan) -> Iterator[bytes]:
        for index, call in enumerate(plan.calls):
            function = call["function"]
            head = {"index": index, "id": call["id"], "type": "function", "function": {**function, "arguments": ""}}
            yield data(_chunk(plan, {"tool_calls": [head]}))
            for piece in pieces(function["arguments"]):
                yield data(_chunk(plan, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))

    def word(self, plan: Plan, word: str, place: int) -> bytes:
        return data(_chunk(plan, {"content": word}))

    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        frames = data(_chunk(plan, {}, finish=plan.reason))
        usage = _usage(plan)
        if usage is not None and _wants_usage(plan):
            frames += data(_chunk(plan, None, usage=usage))
        return frames, b"data: [DONE]\n\n"

    def error(self, status: int, message: str, code: str | None = None) -> Json:
        kind = "invalid_request_error" if status in (400, 401, 403, 404, 422) else "server_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def error_event(self, message: str) -> bytes:
        return data(self.error(500, message))

    def half_event(self) -> bytes:
        return b'data: {"id": "chatcmpl-1", "choices": [{"delta": {"content": "caf\xc3\n\n'

    def embeddings(self, body: Json) -> Json:
        dimensions = int(body.get("dimensions") or DIMENSIONS)
        is_base64 = body.get("encoding_format") == "base64"
        vectors = [vector(text, dimensions) for text in embedded_inputs(body)]
        items = [
            {"object": "embedding", "index": index, "embedding": packed(numbers) if is_base64 else numbers}
            for index, numbers in enumerate(vectors)
        ]
        tokens = count_tokens(body)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": body.get("model"), "data": items, "usage": usage}


def _wants_usage(plan: Plan) -> bool:
    return bool((plan.body.get("stream_options") or {}).get("include_usage"))


def _chunk(plan: Plan, delta: Json | None, finish: str | None = None, usage: Json | None = None) -> Json:
    """One chat.completion.chunk; `delta` None makes the usage chunk, whose choices are empty."""
    answer: Json = {
        "id": f"chatcmpl-{plan.number}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": plan.body.get("model"),
        "choices": [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "system_fingerprint": "fp_mock",
    }
    if "prompt" in plan.body:
        answer |= {"id": f"cmpl-{plan.number}", "object": "text_completion"}
        answer["choices"] = [] if delta is None else [_text_choice(str(delta.get("content") or ""), finish)]
    if _wants_usage(plan):
        answer["usage"] = usage
    return answer


def _text_choice(text: str, finish: str | None) -> Json:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


def _usage(plan: Plan) -> Json | None:
    tokens = plan.tokens
    if tokens is None:
        return None
    if plan.is_usage_bad:
        return {"prompt_tokens": -5, "completion_tokens": "10", "total_tokens": 1e308}
    return {
        "prompt_tokens": tokens.given,
        "completion_tokens": tokens.made,
        "total_tokens": tokens.given + tokens.made,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.thought, "audio_tokens": 0},
    }
