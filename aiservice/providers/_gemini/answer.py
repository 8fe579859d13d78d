"""A whole answer of Gemini's as a chat.completion, a list of embeddings, a token count."""

import base64
import struct
from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.clock import now_us
from aiservice.providers._base import AttemptFailed, token_count
from aiservice.providers._failures import invalid_answer
from aiservice.providers._gemini.contents import FORMAT
from aiservice.providers._gemini.errors import error_in, failure_of
from aiservice.providers._gemini.response import Responses
from aiservice.providers._gemini.usage import read_usage
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, EventKind, FinishReason, Json, StreamEvent, Usage

_LONGEST_NAME = 200
_PLAIN_RESPONSE = frozenset({"candidates", "createTime", "modelVersion", "responseId", "usageMetadata"})
_PLAIN_CANDIDATE = frozenset({"avgLogprobs", "content", "finishReason", "index", "safetyRatings"})
_PLAIN_ENDS: Final[dict[str, FinishReason]] = {"STOP": "stop", "MAX_TOKENS": "length"}


def chat_answer(raw: bytes, model: str, *, is_one_call: bool = False) -> Answer:
    """The answer to generateContent; with `is_one_call`, calls behind each candidate's first are left out.

    Raises:
        AttemptFailed: it is none, or says that it failed.
    """
    said = parsed(raw)
    if (plain := _plain_answer(said, model)) is not None:
        return plain
    responses = Responses(is_one_call=is_one_call)
    events = responses.read(said)
    if responses.failure is not None:
        raise AttemptFailed(responses.failure)
    if not responses.candidates and not responses.is_blocked:
        raise AttemptFailed(invalid_answer("its answer had no candidates"))
    events += responses.end()
    said_by: dict[int, list[StreamEvent]] = {number: [] for number in sorted(responses.candidates) or [0]}
    for event in events:
        if event.choice in said_by:
            said_by[event.choice].append(event)
    choices = [_choice(found, number) for number, found in said_by.items()]
    for candidate, choice in zip(said.get("candidates") or [], choices, strict=False):
        choice["logprobs"] = _logprobs(candidate.get("logprobsResult")) if isinstance(candidate, dict) else None
    body: Json = {
        "id": f"chatcmpl-{responses.response_id}",
        "object": "chat.completion",
        "created": now_us() // 1_000_000,
        "model": responses.model or model,
        "choices": choices,
    }
    if responses.usage is not None:
        body["usage"] = _usage(responses.usage)
    return Answer(
        body,
        body["model"],
        choices[0]["finish_reason"],
        responses.usage,
        is_usage_valid=responses.is_usage_valid,
    )


def _plain_answer(said: Json, model: str) -> Answer | None:
    """The answer where one candidate says one text to its end, as most do: what the whole way says of it, at a third of
    its cost. None for any other."""
    found = said.get("candidates")
    if type(found) is not list or len(found) != 1 or not _PLAIN_RESPONSE.issuperset(said):
        return None
    candidate = found[0]
    if type(candidate) is not dict or not _PLAIN_CANDIDATE.issuperset(candidate) or candidate.get("index", 0) != 0:
        return None
    content, reason = candidate.get("content"), candidate.get("finishReason")
    parts = content.get("parts") if type(content) is dict else None
    if type(parts) is not list or len(parts) != 1 or type(parts[0]) is not dict or len(parts[0]) != 1:
        return None
    text, finish = parts[0].get("text"), _PLAIN_ENDS.get(reason) if type(reason) is str else None
    if type(text) is not str or finish is None:
        return None
    usage, is_valid = read_usage(said.get("usageMetadata"))
    made_by, response_id = said.get("modelVersion"), said.get("responseId")
    name = made_by[:_LONGEST_NAME].removeprefix("models/") if type(made_by) is str else ""
    number = response_id[:_LONGEST_NAME].removeprefix("models/") if type(response_id) is str else ""
    message = {"role": "assistant", "content": text}
    body: Json = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": now_us() // 1_000_000,
        "model": name or model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
    }
    if usage is not None:
        body["usage"] = _usage(usage)
    return Answer(body, name or model, finish, usage, is_usage_valid=is_valid)


def embeddings_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """The answer to embedContent or batchEmbedContents.

    Raises:
        AttemptFailed: it is none.
    """
    said = parsed(raw)
    found = said.get("embeddings", [said["embedding"]] if "embedding" in said else None)
    if not isinstance(found, list):
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    vectors = [_vector(item, is_base64=ask.body.get("encoding_format") == "base64") for item in found]
    usage, is_valid = read_usage(said.get("usageMetadata"))
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    body: Json = {"object": "list", "data": data, "model": model}
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return Answer(body, model, "stop", usage, None, is_valid, EMBEDDINGS_WIRE)


def token_count_answer(raw: bytes, model: str) -> Answer:
    """The answer to countTokens.

    Raises:
        AttemptFailed: it is none.
    """
    count = token_count(parsed(raw).get("totalTokens"))
    if count is None:
        raise AttemptFailed(invalid_answer("its answer had no token count"))
    return Answer({"input_tokens": count}, model, usage=Usage())


def parsed(raw: bytes) -> Json:
    """The JSON object of a reply with status 200.

    Raises:
        AttemptFailed: it is none, or an error.
    """
    try:
        said = loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if error_in(said) is not None:
        raise AttemptFailed(failure_of(200, said, {}))
    if not isinstance(said, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    return said


def _choice(events: list[StreamEvent], number: int) -> Json:
    text, thoughts, reason = "", "", None
    details: list[Json] = []
    message: Json = {"role": "assistant", "content": None}
    calls: list[Json] = []
    for event in events:
        if event.kind is EventKind.TEXT:
            text += event.text
            if event.details is not None:
                message["extra_content"] = event.details
        elif event.kind is EventKind.REASONING:
            thoughts += event.text
            _note_thought(details, event)
        elif event.tool_call is not None:
            _note_call(calls, event)
        elif event.kind is EventKind.FINISH:
            reason = event.finish_reason
    message["content"] = text if text or not calls else None
    if thoughts:
        message["reasoning_content"] = thoughts
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return {"index": number, "message": message, "logprobs": None, "finish_reason": reason}


def _note_thought(details: list[Json], event: StreamEvent) -> None:
    """Adds to the last thought until a signature ends it."""
    last = details[-1] if details and "signature" not in details[-1] else None
    if last is None:
        last = {"type": "reasoning.text", "text": "", "format": FORMAT}
        details.append(last)
    last["text"] += event.text
    if event.details is not None:
        last["signature"] = event.details["signature"]


def _note_call(calls: list[Json], event: StreamEvent) -> None:
    piece = event.tool_call
    assert piece is not None  # noqa: S101 - the caller looked
    if piece.name is None:
        calls[piece.index]["function"]["arguments"] += piece.arguments
        return
    function = {"name": piece.name, "arguments": piece.arguments}
    call: Json = {"id": piece.call_id, "type": "function", "function": function}
    if piece.extra_content is not None:
        call["extra_content"] = piece.extra_content
    calls.append(call)


def _logprobs(result: Any) -> Json | None:
    """OpenAI's `logprobs` from a `logprobsResult`."""
    chosen = result.get("chosenCandidates") if isinstance(result, dict) else None
    if not isinstance(chosen, list):
        return None
    tops = result.get("topCandidates")
    content = []
    for place, candidate in enumerate(chosen):
        found = tops[place] if isinstance(tops, list) and place < len(tops) else None
        others = found.get("candidates") if isinstance(found, dict) else None
        top = [_logprob(other) for other in others] if isinstance(others, list) else []
        content.append({**_logprob(candidate), "top_logprobs": top})
    return {"content": content, "refusal": None}


def _logprob(candidate: Any) -> Json:
    found = candidate if isinstance(candidate, dict) else {}
    token = found.get("token")
    token = token if isinstance(token, str) else ""
    return {"token": token, "logprob": found.get("logProbability", 0.0), "bytes": list(token.encode())}


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _vector(item: object, *, is_base64: bool) -> list[float] | str:
    values = item.get("values") if isinstance(item, dict) else None
    if not isinstance(values, list) or not values:
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    if not is_base64:
        return values
    try:
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    except (struct.error, OverflowError) as exc:
        raise AttemptFailed(invalid_answer("its answer held vectors that are none")) from exc
