"""Bodies in OpenAI's shape, made from the request alone, so that a test knows what to expect."""

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any

from tests.mock.script import DEFAULT_WORDS, Json, Script, text_of

MODELS = ("mock-small", "mock-large", "mock-embedding")
DIMENSIONS = 8
CREATED = 1_790_000_000
_VOCABULARY = ["the", "gate", "keeps", "every", "key", "and", "counts", "each", "word", "that", "passes", "through"]
_TOOL_PIECE = 7


def count_tokens(body: Json) -> int:
    """The mock's tokenizer: words between spaces, of all messages or inputs."""
    texts = [text_of(m.get("content")) for m in body.get("messages", []) if isinstance(m, dict)]
    given = body.get("input", [])
    texts += [given] if isinstance(given, str) else [t for t in given if isinstance(t, str)]
    return sum(len(text.split()) for text in texts)


def words_of(body: Json, script: Script) -> list[str]:
    """The words of the answer, each but the first with its leading space."""
    messages = body.get("messages") or [{}]
    if messages[-1].get("role") == "tool":
        plain = ["The", "tool", "said:", *text_of(messages[-1].get("content")).split()]
    elif script.says("echo"):
        plain = text_of(messages[-1].get("content")).split()
    else:
        count = script.number("words", DEFAULT_WORDS)
        plain = [_VOCABULARY[i % len(_VOCABULARY)] for i in range(count)]
    cap = body.get("max_completion_tokens") or body.get("max_tokens")
    plain = plain[: int(cap)] if cap else plain
    return [word if i == 0 else " " + word for i, word in enumerate(plain)]


def usage_of(body: Json, output_tokens: int, script: Script) -> Json | None:
    if script.says("no-usage"):
        return None
    if script.says("bad-usage"):
        return {"prompt_tokens": -5, "completion_tokens": "10", "total_tokens": 1e308}
    prompt = count_tokens(body)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output_tokens,
        "total_tokens": prompt + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def wanted_tools(body: Json, script: Script) -> list[Json]:
    """The tool calls of the answer: what the script says, if the request brings tools and no result yet."""
    if not body.get("tools") or (body.get("messages") or [{}])[-1].get("role") == "tool":
        return []
    return [
        {"id": f"call_{number}_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for number, (name, given) in enumerate(script.tools)
    ]


def is_cut_by_limit(body: Json, script: Script) -> bool:
    cap = body.get("max_completion_tokens") or body.get("max_tokens")
    return bool(cap) and script.number("words", DEFAULT_WORDS) > int(cap or 0)


def completion(body: Json, script: Script, number: int) -> Json:
    """A whole chat.completion."""
    calls = wanted_tools(body, script)
    words = [] if calls else words_of(body, script)
    message: Json = {"role": "assistant", "content": None if calls else "".join(words), "refusal": None}
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else "length" if is_cut_by_limit(body, script) else "stop"
    answer: Json = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "system_fingerprint": "fp_mock",
    }
    usage = usage_of(body, len(words) or len(calls), script)
    return answer if usage is None else {**answer, "usage": usage}


def chunk(body: Json, number: int, delta: Json | None, finish: str | None = None, usage: Json | None = None) -> Json:
    """One chat.completion.chunk; `delta` None makes the usage chunk, whose choices are empty."""
    answer: Json = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": body.get("model"),
        "choices": [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "system_fingerprint": "fp_mock",
    }
    if (body.get("stream_options") or {}).get("include_usage"):
        answer["usage"] = usage
    return answer


def tool_deltas(calls: list[Json]) -> Iterator[Json]:
    """Deltas of a streamed tool call: id and name first, then the arguments in pieces."""
    for index, call in enumerate(calls):
        function = call["function"]
        head = {"index": index, "id": call["id"], "type": "function", "function": {**function, "arguments": ""}}
        yield {"tool_calls": [head]}
        arguments = function["arguments"]
        for start in range(0, len(arguments), _TOOL_PIECE):
            piece = {"index": index, "function": {"arguments": arguments[start : start + _TOOL_PIECE]}}
            yield {"tool_calls": [piece]}


def embeddings(body: Json) -> Json:
    """An embeddings list; each vector is made from the SHA-256 of its input."""
    given = body.get("input", "")
    inputs = given if isinstance(given, list) and not (given and isinstance(given[0], int)) else [given]
    dimensions = int(body.get("dimensions") or DIMENSIONS)
    is_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector(text, dimensions), is_base64)}
        for index, text in enumerate(inputs)
    ]
    tokens = count_tokens(body)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body.get("model"), "data": data, "usage": usage}


def vector(text: object, dimensions: int = DIMENSIONS) -> list[float]:
    """`dimensions` numbers in [-1, 1] that are exact in 32 bits, so that base64 and JSON carry the same."""
    digest = hashlib.shake_128(repr(text).encode()).digest(dimensions)
    return [(byte - 128) / 128 for byte in digest]


def _encoded(numbers: list[float], is_base64: bool) -> Any:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode() if is_base64 else numbers


def models() -> Json:
    listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "mock"} for name in MODELS]
    return {"object": "list", "data": listed}


def error(message: str, *, kind: str = "server_error", code: str | None = None) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
