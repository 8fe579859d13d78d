"""Reads Ollama's own API as docs.ollama.com/api/chat and /generate say: one object, or one a line."""

import json
from typing import Any

from tests.replay import openai_reference
from tests.replay._expected import Expected
from tests.replay.openai_reference import minimal_request


def expected(status: int, body: bytes) -> Expected:
    """What an answer says."""
    pieces = [json.loads(line) for line in body.decode().splitlines() if line.strip()]
    if status != 200 or "error" in pieces[0]:
        return openai_reference.error(status, {"error": {"message": pieces[0]["error"]}})
    answer, last = Expected(), pieces[-1]
    for piece in pieces:
        message = piece.get("message") or {"content": piece.get("response")}
        answer.text += message.get("content") or ""
        for call in message.get("tool_calls") or []:
            answer.tool_calls.append((call["function"]["name"], call["function"]["arguments"]))
    if not last.get("done"):
        answer.error = "upstream_truncated"
        return answer
    answer.finish_reason = "length" if last.get("done_reason") == "length" else "stop"
    if answer.tool_calls:
        answer.finish_reason = "tool_calls"  # it says "stop" all the same
    # A prompt that was in its cache is not counted again, and then not named at all.
    if "prompt_eval_count" in last:
        answer.input_tokens, answer.output_tokens = last["prompt_eval_count"], last["eval_count"]
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request in chat's words; of one to generate, as a completions request."""
    if not isinstance(request, dict):
        return minimal_request()
    if "prompt" in request:
        return {"prompt": request["prompt"]}
    asked: dict[str, Any] = {"messages": [_message(message, n) for n, message in enumerate(request["messages"])]}
    for name in ("tools",):
        if request.get(name):
            asked[name] = request[name]
    options = request.get("options") or {}
    names = {
        "temperature": "temperature",
        "num_predict": "max_tokens",
        "seed": "seed",
        "stop": "stop",
        "top_p": "top_p",
    }
    return asked | {ours: options[theirs] for theirs, ours in names.items() if options.get(theirs) is not None}


def _message(message: dict[str, Any], place: int) -> dict[str, Any]:
    role, images = message["role"], message.get("images") or []
    made: dict[str, Any] = {"role": role, "content": message.get("content") or ""}
    if images:
        urls = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}} for data in images]
        made["content"] = [{"type": "text", "text": made["content"]}, *urls]
    if message.get("tool_calls"):
        made["tool_calls"] = [
            {
                "id": f"call_{place}_{n}",
                "type": "function",
                "function": {
                    "name": call["function"]["name"],
                    "arguments": json.dumps(call["function"]["arguments"]),
                },
            }
            for n, call in enumerate(message["tool_calls"])
        ]
    if role == "tool":
        made["tool_call_id"] = f"call_{place - 1}_0"
    return made
