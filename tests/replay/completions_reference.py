"""Reads text completions as platform.openai.com/docs/api-reference/completions says, and those who copy them."""

import json
from typing import Any

from tests.replay import openai_reference
from tests.replay._expected import Expected
from tests.replay.openai_reference import events_of
from tests.replay.traffic import is_event_stream

_FINISH = {"stop": "stop", "eos": "stop", "length": "length", "content_filter": "content_filter", None: None}


def expected(status: int, body: bytes) -> Expected:
    """What an answer says: of the first choice, where there are several."""
    if not is_event_stream(body):
        said = json.loads(body)
        return openai_reference.error(status, said) if status != 200 else _of(said)
    answer, is_done = Expected(), False
    for _, data in events_of(body):
        if data == "[DONE]":
            is_done = True
            continue
        piece = _of(json.loads(data))
        answer.text += piece.text
        answer.finish_reason = piece.finish_reason or answer.finish_reason
        if piece.input_tokens is not None:
            answer.input_tokens, answer.output_tokens = piece.input_tokens, piece.output_tokens
    if not is_done and answer.finish_reason is None:
        answer.error = "upstream_truncated"
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request itself."""
    return dict(request) if isinstance(request, dict) else {"prompt": "Hello"}


def _of(said: dict[str, Any]) -> Expected:
    answer = Expected()
    for choice in said.get("choices") or []:
        if choice.get("index", 0) == 0:
            answer.text += choice.get("text") or ""
            answer.finish_reason = _FINISH[choice.get("finish_reason")] or answer.finish_reason
    usage = said.get("usage")
    if usage:
        answer.input_tokens, answer.output_tokens = usage["prompt_tokens"], usage.get("completion_tokens", 0)
    return answer
