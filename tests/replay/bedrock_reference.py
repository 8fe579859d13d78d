"""Reads Bedrock's Converse and InvokeModel as AWS documents them (docs.aws.amazon.com/bedrock/latest/APIReference).

An answer of InvokeModel is the model's own: Claude's is a message of Anthropic's, Nova's is Converse's, and Titan's is
`outputText`. Event streams are read frame by frame, without their checksums: those are the product's to check.
"""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from tests.replay import anthropic_reference, openai_reference
from tests.replay._expected import Expected
from tests.replay.openai_reference import minimal_request, parsed

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "FINISH": "stop",
    "LENGTH": "length",
}
# What chat has no word for, and takes as Converse says it.
_OWN = ("additionalModelRequestFields", "guardrailConfig", "performanceConfig", "promptVariables", "requestMetadata")
_OWN_BLOCKS = frozenset({"audio", "document", "guardContent", "image", "searchResult", "video"})
_BROKEN = {"malformed_model_output", "malformed_tool_use"}


def expected(status: int, body: bytes) -> Expected:
    """What an answer says."""
    if body[:1] != b"{":
        return _stream(list(frames_of(body)))
    said = json.loads(body)
    if status != 200:
        words = said.get("message") or said.get("Message") or ""
        return openai_reference.error(status, {"error": {"message": words}})
    if "content" in said:
        return anthropic_reference.expected(200, body)
    answer = Expected()
    for block in said["output"]["message"]["content"]:
        cited = (block.get("citationsContent") or {}).get("content") or []
        answer.text += block.get("text", "") + "".join(part.get("text", "") for part in cited)
        if "toolUse" in block:
            answer.tool_calls.append((block["toolUse"]["name"], block["toolUse"]["input"]))
    _end(answer, said["stopReason"])
    _note_usage(answer, said["usage"])
    return answer


def frames_of(body: bytes) -> Iterator[tuple[str, Any]]:
    """(name of the event or exception, its JSON) of every frame; a chunk of InvokeModel is its own event, unwrapped."""
    at = 0
    while at < len(body):
        total, length = struct.unpack(">II", body[at : at + 8])
        names = body[at + 12 : at + 12 + length]
        name = next(found for key in (b":event-type", b":exception-type") if (found := _header(names, key)))
        said = json.loads(body[at + 12 + length : at + total - 4])
        if "bytes" in said:
            said = json.loads(base64.b64decode(said["bytes"]))
        yield name, said
        at += total


def _header(names: bytes, key: bytes) -> str:
    place = names.find(bytes([len(key)]) + key)
    if place < 0:
        return ""
    at = place + 1 + len(key) + 1
    (length,) = struct.unpack(">H", names[at : at + 2])
    return names[at + 2 : at + 2 + length].decode()


def _stream(frames: list[tuple[str, Any]]) -> Expected:
    if any(said.get("type") == "message_start" for _, said in frames):  # Claude's own events, by InvokeModel
        lines = [f"event: {said['type']}\ndata: {json.dumps(said)}\n\n" for _, said in frames]
        return anthropic_reference.expected(200, "".join(lines).encode())
    answer, calls, is_whole = Expected(), {}, False
    for name, given in frames:
        kind, said = next(iter(given.items())) if name == "chunk" and len(given) == 1 else (name, given)
        if "outputText" in given:
            answer.text += given["outputText"]
            _end(answer, given["completionReason"] or "FINISH")
            answer.input_tokens = given["inputTextTokenCount"]
            answer.output_tokens = given["totalOutputTextTokenCount"]
            is_whole = True
        elif kind == "contentBlockStart" and "toolUse" in said["start"]:
            calls[said["contentBlockIndex"]] = [said["start"]["toolUse"]["name"], ""]
        elif kind == "contentBlockDelta":
            answer.text += said["delta"].get("text", "")
            if "toolUse" in said["delta"]:
                calls[said["contentBlockIndex"]][1] += said["delta"]["toolUse"]["input"]
        elif kind == "messageStop":
            is_whole = True
            _end(answer, said["stopReason"])
        elif kind == "metadata":
            _note_usage(answer, said["usage"])
    answer.tool_calls = [(name, parsed(arguments)) for _, (name, arguments) in sorted(calls.items())]
    if not is_whole:
        answer.error = "upstream_truncated"
    return answer


def _end(answer: Expected, reason: str) -> None:
    if reason in _BROKEN:
        answer.error, answer.error_status = "provider_invalid_answer", 502
    else:
        answer.finish_reason = _FINISH[reason]


def _note_usage(answer: Expected, usage: dict[str, Any]) -> None:
    """What was read from the cache and written to it is not in `inputTokens`."""
    cached, written = usage.get("cacheReadInputTokens") or 0, usage.get("cacheWriteInputTokens") or 0
    answer.input_tokens = usage["inputTokens"] + cached + written
    answer.output_tokens, answer.cached_input_tokens = usage["outputTokens"], cached


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request in chat's words, as far as chat has them."""
    if not isinstance(request, dict) or "messages" not in request:
        return minimal_request()
    if "anthropic_version" in request:
        return anthropic_reference.chat_request(request)
    system = _parts(request.get("system") or [])
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for message in request["messages"]:
        messages += _messages(message["role"], message["content"])
    asked: dict[str, Any] = {"messages": messages, **{name: request[name] for name in _OWN if name in request}}
    config = request.get("inferenceConfig") or {}
    names = {
        "temperature": "temperature",
        "topP": "top_p",
        "stopSequences": "stop",
        "maxTokens": "max_completion_tokens",
    }
    form = (request.get("outputConfig") or {}).get("textFormat")
    if form:
        described = form["structure"]["jsonSchema"]
        schema = {**described, "schema": json.loads(described["schema"])}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    asked |= {ours: config[theirs] for theirs, ours in names.items() if config.get(theirs) is not None}
    tools = request.get("toolConfig") or {}
    found: list[dict[str, Any]] = []
    for tool in tools.get("tools") or []:
        if "toolSpec" in tool:
            found.append(_tool(tool["toolSpec"]))
        elif "cachePoint" in tool:
            found[-1]["cache_control"] = {"type": "ephemeral"}
    if found:
        asked["tools"] = found
        choice = tools.get("toolChoice") or {}
        if "any" in choice:
            asked["tool_choice"] = "required"
        elif "tool" in choice:
            asked["tool_choice"] = {"type": "function", "function": {"name": choice["tool"]["name"]}}
    return asked


def _messages(role: str, blocks: list[Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [_result(block["toolResult"]) for block in blocks if "toolResult" in block]
    message: dict[str, Any] = {"role": role}
    if parts := _parts(blocks):
        message["content"] = parts
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    if calls:
        message["tool_calls"] = [
            {
                "id": call["toolUseId"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["input"])},
            }
            for call in calls
        ]
    return [*made, message] if len(message) > 1 else made


def _parts(blocks: list[Any]) -> list[dict[str, Any]]:
    """The parts of a content, each with the cache mark that stands behind it."""
    parts: list[dict[str, Any]] = []
    for block in blocks:
        if "cachePoint" in block and parts:
            parts[-1] = {**parts[-1], "cache_control": {"type": "ephemeral"}}
        elif (part := _part(block)) is not None:
            parts.append(part)
    return parts


def _part(block: Any) -> dict[str, Any] | None:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "image" in block and "bytes" in block["image"]["source"]:
        image = block["image"]
        return {
            "type": "image_url",
            "image_url": {"url": f"data:image/{image['format']};base64,{image['source']['bytes']}"},
        }
    if "document" in block and "bytes" in block["document"]["source"]:
        document = block["document"]
        kind = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown"}[document["format"]]
        data = f"data:{kind};base64,{document['source']['bytes']}"
        return {"type": "file", "file": {"filename": document["name"], "file_data": data}}
    return dict(block) if _OWN_BLOCKS.intersection(block) else None


def _result(result: Any) -> dict[str, Any]:
    said = [{"text": json.dumps(block["json"])} if "json" in block else block for block in result["content"]]
    made = {"role": "tool", "tool_call_id": result["toolUseId"], "content": _parts(said)}
    return made | ({"is_error": True} if result.get("status") == "error" else {})


def _tool(spec: Any) -> dict[str, Any]:
    function = {"name": spec["name"], "parameters": spec["inputSchema"]["json"]}
    if "description" in spec:
        function["description"] = spec["description"]
    return {"type": "function", "function": function}
