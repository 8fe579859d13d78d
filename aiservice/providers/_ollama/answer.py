"""Ollama's answers, whole and streamed, in our form. One form of object is an answer, and a line of a stream."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.ids import new_id
from aiservice.providers._base import AttemptFailed, token_count
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._vectors import packed
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, FinishReason, Json, Usage


def chat_answer(raw: bytes, model: str) -> Answer:
    """The answer of /api/chat, or of /api/generate, whose text is in `response`.

    Raises:
        AttemptFailed: it is none, is not whole, or says that it failed (which comes with 200, too).
    """
    said = parsed(raw)
    message = said.get("message")
    if message is None and "response" in said:
        message = {"content": said["response"], "thinking": said.get("thinking")}
    if said.get("done") is not True:
        raise AttemptFailed(cut_short() if message else invalid_answer("its answer had no message"))
    if not isinstance(message, dict):
        raise AttemptFailed(invalid_answer("its answer had no message"))
    content, thinking, calls = message.get("content"), message.get("thinking"), calls_in(message)
    finish = finish_of(said, has_called=bool(calls))
    told: Json = {"role": "assistant", "content": content if isinstance(content, str) and content else None}
    if isinstance(thinking, str) and thinking:
        told["reasoning_content"] = thinking
    if calls:
        told["tool_calls"] = calls
    else:
        told["content"] = told["content"] or ""
    usage, is_valid = usage_in(said)
    choice = {"index": 0, "message": told, "logprobs": logprobs_in(said), "finish_reason": finish}
    body: Json = {"object": "chat.completion", "choices": [choice]}
    return Answer(body, model_of(said, model), finish, usage, is_usage_valid=is_valid)


def embeddings_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """The answer of /api/embed.

    Raises:
        AttemptFailed: it is none.
    """
    said = parsed(raw)
    found = said.get("embeddings")
    if not isinstance(found, list) or not all(isinstance(vector, list) for vector in found):
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    is_base64 = ask.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": place, "embedding": packed(vector) if is_base64 else vector}
        for place, vector in enumerate(found)
    ]
    count = token_count(said.get("prompt_eval_count"))
    usage = None if count is None else Usage(count)
    body: Json = {"object": "list", "data": data, "model": model}
    if usage is not None:
        body["usage"] = {"prompt_tokens": count, "total_tokens": count}
    return Answer(
        body, model, "stop", usage, None, "prompt_eval_count" not in said or count is not None, EMBEDDINGS_WIRE
    )


def parsed(raw: bytes) -> Json:
    """The object of a reply with 200.

    Raises:
        AttemptFailed: there is none, or it says that it failed.
    """
    try:
        said = loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(said, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    if said.get("error"):
        raise AttemptFailed(failure_from_body(200, said, {}))
    return said


def calls_in(message: Json) -> list[Json]:
    """The tool calls of a message, as OpenAI tells them: arguments as text, an id where the server has none."""
    calls = message.get("tool_calls")
    found: list[Json] = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            continue
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
        call_id = call.get("id")
        found.append(
            {
                "id": call_id if isinstance(call_id, str) and call_id else new_id("call"),
                "type": "function",
                "function": {"name": function["name"], "arguments": text or "{}"},
            }
        )
    return found


def finish_of(said: Json, *, has_called: bool) -> FinishReason:
    """Why it ended: it says `stop` after a tool call, too, and `load` where it was given nothing to answer."""
    if said.get("done_reason") == "length":
        return "length"
    return "tool_calls" if has_called else "stop"


def usage_in(said: Json) -> tuple[Usage | None, bool]:
    """The counts, where both are there: a prompt that was in its cache is not counted by older servers."""
    if "prompt_eval_count" not in said or "eval_count" not in said:
        return None, True
    prompt, generated = token_count(said["prompt_eval_count"]), token_count(said["eval_count"])
    if prompt is None or generated is None:
        return None, False
    return Usage(prompt, generated), True


def logprobs_in(said: Json) -> Json | None:
    found = said.get("logprobs")
    if not isinstance(found, list) or not found:
        return None
    return {"content": [_with_bytes(item) for item in found if isinstance(item, dict)]}


def model_of(said: Json, model: str) -> str:
    named = said.get("model")
    return named if isinstance(named, str) and named else model


def _with_bytes(item: Json) -> Json:
    top = item.get("top_logprobs")
    return {"bytes": None, **item, "top_logprobs": top if isinstance(top, list) else []}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
