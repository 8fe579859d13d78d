"""What is asked and what the mocks answer; both have fixed sizes so that runs can be compared."""

import json
from typing import Literal

Wire = Literal["chat", "messages"]
PATHS: dict[Wire, str] = {"chat": "/v1/chat/completions", "messages": "/v1/messages"}
CLIENT_KEY = "sk-bench-client-of-the-yardstick"
UPSTREAM_KEY = "sk-bench-upstream"
WHOLE_MODEL = "bench-whole"
STREAM_MODEL = "bench-stream"
REQUEST_BYTES = 339
ANSWER_BYTES = 741
STREAM_EVENTS = 24
STREAM_WORDS = 20
MESSAGES_EVENTS = STREAM_WORDS + 5  # message_start, the block's start and stop, message_delta, message_stop
_SAMPLE = "Every request goes through one gate that knows who asks, what it may cost and where it went. "


def request_body(*, model: str = WHOLE_MODEL, is_stream: bool = False, wait_ms: int = 0) -> bytes:
    """Two messages; a whole answer's request is `REQUEST_BYTES` long."""
    asked = f"(wait-{wait_ms}) Tell me about the gate." if wait_ms else "Tell me about the gate."
    body = {
        "model": model,
        "messages": [{"role": "system", "content": ""}, {"role": "user", "content": asked}],
        "temperature": 0.2,
        "stream": is_stream,
    }
    if is_stream:
        body["stream_options"] = {"include_usage": True}
    missing = REQUEST_BYTES - len(_dumped(body))
    body["messages"] = [{"role": "system", "content": (_SAMPLE * 4)[:missing]}, {"role": "user", "content": asked}]
    return _dumped(body)


def messages_body(*, model: str = WHOLE_MODEL, is_stream: bool = False, wait_ms: int = 0) -> bytes:
    """The same request in Anthropic's words."""
    chat = json.loads(request_body(model=model, is_stream=is_stream, wait_ms=wait_ms))
    system, asked = chat["messages"]
    return _dumped(
        {
            "model": model,
            "max_tokens": 1024,
            "system": [{"type": "text", "text": system["content"]}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": asked["content"]}]}],
            "temperature": chat["temperature"],
            "stream": is_stream,
        }
    )


def answer_body() -> bytes:
    """One chat.completion of `ANSWER_BYTES` bytes."""
    message: dict[str, object] = {"role": "assistant", "content": "", "refusal": None, "annotations": []}
    details = {"reasoning_tokens": 0, "audio_tokens": 0}
    usage = {
        "prompt_tokens": 61,
        "completion_tokens": 55,
        "total_tokens": 116,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": details,
    }
    body = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": WHOLE_MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
        "system_fingerprint": "fp_bench",
    }
    message["content"] = (_SAMPLE * 4)[: ANSWER_BYTES - len(_dumped(body))]
    return _dumped(body)


def stream_events() -> list[bytes]:
    """The 24 events of a stream, ready to be written."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": f" word{number}"}, None) for number in range(STREAM_WORDS)]
    deltas.append(({}, "stop"))
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": finish}], None) for delta, finish in deltas]
    chunks.append(_chunk([], {"prompt_tokens": 61, "completion_tokens": 20, "total_tokens": 81}))
    return [b"data: " + chunk + b"\n\n" for chunk in [*chunks, b"[DONE]"]]


def _chunk(choices: list[dict[str, object]], usage: dict[str, int] | None) -> bytes:
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": STREAM_MODEL}
    return _dumped({**head, "choices": choices, "usage": usage})


def _dumped(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
