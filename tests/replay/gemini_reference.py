"""Reads generateContent and the embedding calls as Google documents them (ai.google.dev/api), and nothing of ours."""

import json
import re
from itertools import pairwise
from typing import Any

from tests.replay._expected import Expected
from tests.replay.openai_reference import events_of, minimal_request
from tests.replay.traffic import is_event_stream

_LENGTH = {"MAX_TOKENS", "CONTINUATION"}
_BROKEN = {
    "MALFORMED_FUNCTION_CALL": "provider_invalid_answer",
    "UNEXPECTED_TOOL_CALL": "provider_invalid_answer",
    "TOO_MANY_TOOL_CALLS": "provider_invalid_answer",
    "MISSING_THOUGHT_SIGNATURE": "provider_invalid_answer",
    "MALFORMED_RESPONSE": "provider_invalid_answer",
    "OTHER": "upstream_truncated",
}
# `enum-encoding=int`: the first six mean the same on both of Google's services.
_NUMBERED = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}


def expected(status: int, body: bytes) -> Expected:
    """What an answer says: of the first candidate, where there are several."""
    if is_event_stream(body):
        responses = [json.loads(data) for _, data in events_of(body) if data != "[DONE]"]
    else:
        said = json.loads(body)
        responses = said if isinstance(said, list) else [said]
    if status != 200 or responses[0].get("error"):
        return error(status, responses[0])
    if "predictions" in responses[0]:
        return _predictions(responses[0])
    if "embeddings" in responses[0] or "embedding" in responses[0]:
        return _embeddings(responses[0])
    return _answer(responses)


def error(status: int, said: Any) -> Expected:
    """Our code and status for one of Google's errors, by the table of the contract."""
    found = said["error"]
    if status == 200:
        status = found["code"]
    words, kind = found.get("message", ""), found.get("status", "")
    reasons = [detail.get("reason") for detail in found.get("details") or []]
    if status in (401, 403) or "API_KEY_INVALID" in reasons:
        return Expected(error="upstream_auth_failed", error_status=502)
    if status == 429:
        return Expected(error="provider_quota_exhausted", error_status=429)
    if "exceeds the maximum number of tokens" in words:
        return Expected(error="context_length_exceeded", error_status=400)
    if status == 404:
        return Expected(error="model_not_found", error_status=404)
    if status == 400:
        return Expected(error=kind.lower() or "provider_rejected_request", error_status=400)
    if status == 504:
        return Expected(error="provider_timeout", error_status=504)
    return Expected(error="provider_failed", error_status=502)


def _answer(responses: list[Any]) -> Expected:
    answer, reason = Expected(), None
    streamed: list[Any] = []
    for said in responses:
        if (said.get("promptFeedback") or {}).get("blockReason"):
            answer.finish_reason = "content_filter"
        for candidate in said.get("candidates") or []:
            if candidate.get("index", 0) != 0:
                continue
            for part in (candidate.get("content") or {}).get("parts") or []:
                if "functionCall" in part:
                    _note_call(answer, streamed, part["functionCall"])
                elif not part.get("thought"):
                    answer.text += part.get("text", "")
            found = candidate.get("finishReason")
            reason = (_NUMBERED[found] if isinstance(found, int) else found) or reason
        _note_usage(answer, said.get("usageMetadata") or {})
    if reason in _BROKEN:
        answer.error, answer.error_status = _BROKEN[reason], 502
    elif reason == "STOP":
        answer.finish_reason = "tool_calls" if answer.tool_calls else "stop"
    elif reason in _LENGTH:
        answer.finish_reason = "length"
    elif reason is not None:
        answer.finish_reason = "content_filter"
    elif answer.finish_reason is None:
        answer.error, answer.error_status = "upstream_truncated", 502
    return answer


def _note_call(answer: Expected, streamed: list[Any], call: Any) -> None:
    if call.get("name"):
        answer.tool_calls.append((call["name"], call.get("args") or {}))
    for piece in call.get("partialArgs") or []:
        path = [key or int(place) for key, place in re.findall(r"\.(\w+)|\[(\d+)\]", piece["jsonPath"])]
        value = next(piece[name] for name in ("stringValue", "numberValue", "boolValue", "nullValue") if name in piece)
        is_more = streamed[-1:] == [(len(answer.tool_calls), path)]
        streamed.append((len(answer.tool_calls), path))
        _set(answer.tool_calls[-1][1], path, None if "nullValue" in piece else value, is_more=is_more)


def _set(holder: Any, path: list[Any], value: Any, *, is_more: bool) -> None:
    for step, following in pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int) and step == len(holder):
            holder.append(empty)
        elif not isinstance(step, int) and step not in holder:
            holder[step] = empty
        holder = holder[step]
    if isinstance(path[-1], int) and path[-1] == len(holder):
        holder.append(value)
    else:
        holder[path[-1]] = holder[path[-1]] + value if is_more else value


def _note_usage(answer: Expected, usage: Any) -> None:
    if not any(name.endswith("TokenCount") for name in usage):
        return
    thoughts = usage.get("thoughtsTokenCount", 0)
    answer.input_tokens = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    answer.output_tokens = usage.get("candidatesTokenCount", 0) + thoughts
    answer.cached_input_tokens = usage.get("cachedContentTokenCount", 0)
    answer.reasoning_tokens = thoughts


def _embeddings(said: Any) -> Expected:
    found = said["embeddings"] if "embeddings" in said else [said["embedding"]]
    answer = Expected(vectors=[item["values"] for item in found])
    _note_usage(answer, said.get("usageMetadata") or {})
    return answer


def _predictions(said: Any) -> Expected:
    """Vertex's way with the older models: what a text was to the model stands beside its vector."""
    found = [one["embeddings"] for one in said["predictions"]]
    counts = [one["statistics"]["token_count"] for one in found]
    return Expected(vectors=[one["values"] for one in found], input_tokens=int(sum(counts)), output_tokens=0)


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request in OpenAI's words, as far as those go; camel and snake case are the same to Google."""
    if not isinstance(request, dict):
        return minimal_request()
    asked = camel(request)
    if "instances" in asked:
        return {"input": [one["content"] for one in asked["instances"]]}
    if "requests" in asked or "content" in asked:
        return _embeddings_request(asked)
    instruction = asked.get("systemInstruction") or {}
    parts = instruction.get("parts") or []
    texts = [part["text"] for part in (parts if isinstance(parts, list) else [parts])]
    messages = [{"role": "system", "content": "".join(texts)}] if texts else []
    chat: dict[str, Any] = {"messages": [*messages, *_messages(asked["contents"])]}
    tools = [one for tool in asked.get("tools") or [] for one in tool.get("functionDeclarations") or []]
    if tools:
        chat["tools"] = [{"type": "function", "function": _function(tool)} for tool in tools]
        mode = (asked.get("toolConfig") or {}).get("functionCallingConfig", {}).get("mode")
        if mode in {"ANY", "NONE"}:
            chat["tool_choice"] = {"ANY": "required", "NONE": "none"}[mode]
    return {**chat, **_settings(asked.get("generationConfig") or {})}


def _settings(config: Any) -> dict[str, Any]:
    names = {"temperature": "temperature", "topP": "top_p", "maxOutputTokens": "max_completion_tokens", "seed": "seed",
             "stopSequences": "stop", "candidateCount": "n", "responseLogprobs": "logprobs"}  # fmt: skip
    chat = {ours: config[theirs] for theirs, ours in names.items() if config.get(theirs) is not None}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if schema:
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": plain(schema)}}
    elif config.get("responseMimeType") == "application/json":
        chat["response_format"] = {"type": "json_object"}
    thinking = config.get("thinkingConfig") or {}
    if thinking.get("thinkingLevel"):
        chat["reasoning_effort"] = thinking["thinkingLevel"].lower()
    elif thinking.get("thinkingBudget") is not None:
        chat["reasoning"] = {"max_tokens": thinking["thinkingBudget"]}
    elif thinking.get("includeThoughts"):
        chat["reasoning"] = {"enabled": True}
    return chat


def _messages(contents: list[Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    waiting: list[tuple[str, str]] = []
    for content in contents:
        parts = content.get("parts") or []
        if content.get("role") == "model":
            message = _assistant(parts, len(messages))
            waiting = [(call["id"], call["function"]["name"]) for call in message.get("tool_calls") or []]
            messages.append(message)
            continue
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        for result in results:
            call_id = next(call_id for call_id, name in waiting if name == result["name"])
            waiting.remove((call_id, result["name"]))
            said = [{"type": "text", "text": json.dumps(result.get("response") or {})}]
            files = [_part(part) for part in result.get("parts") or []]
            messages.append({"role": "tool", "tool_call_id": call_id, "content": said + files})
        rest = [_part(part) for part in parts if "functionResponse" not in part]
        if rest:
            messages.append({"role": "user", "content": rest})
    return messages


def _assistant(parts: list[Any], place: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: list[Any] = []
    for part in parts:
        signature = part.get("thoughtSignature")
        extra = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
        call = part.get("functionCall")
        if call is not None:
            function = {"name": call["name"], "arguments": json.dumps(call.get("args") or {})}
            made = call.get("id") or f"call_{place}_{len(calls)}"
            calls.append({"id": made, "type": "function", "function": function, **extra})
        elif part.get("thought"):
            message["reasoning_content"] = part["text"]
            if signature:
                detail = {"type": "reasoning.text", "text": part["text"], "signature": signature}
                message["reasoning_details"] = [{**detail, "format": "google-gemini-v1"}]
        else:
            message["content"] = (message["content"] or "") + part["text"]
            message |= extra
    return {**message, "tool_calls": calls} if calls else message


def _part(part: Any) -> dict[str, Any]:
    if "inlineData" in part:
        data = part["inlineData"]
        url = f"data:{data['mimeType']};base64,{data['data'].replace('-', '+').replace('_', '/')}"
        if data["mimeType"].startswith("image/"):
            return {"type": "image_url", "image_url": {"url": url}}
        return {"type": "file", "file": {"filename": "file", "file_data": url}}
    if "fileData" in part:
        # A file in somebody's account has no address that a client of ours could name.
        address = part["fileData"]["fileUri"]
        is_public = address.startswith("https://") and "googleapis.com/v1beta/files/" not in address
        file: dict[str, Any] = {"type": "file", "file": {"filename": "file", "file_url": address}}
        return file if is_public else {"type": "text", "text": f"(the file {address})"}
    return {"type": "text", "text": part["text"]}


def _function(tool: Any) -> dict[str, Any]:
    schema = tool.get("parametersJsonSchema") or plain(tool.get("parameters"))
    found = {"name": tool["name"], "description": tool.get("description"), "parameters": schema}
    return {name: value for name, value in found.items() if value is not None}


def plain(schema: Any) -> Any:
    """A JSON schema from Google's subset of OpenAPI's, whose types are in capitals, or numbers."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    numbers = {1: "string", 2: "number", 3: "integer", 4: "boolean", 5: "array", 6: "object"}
    found = {name: plain(value) for name, value in schema.items()}
    kind = found.get("type")
    if isinstance(kind, (str, int)):
        found["type"] = numbers.get(kind, kind) if isinstance(kind, int) else kind.lower()
    return found


def _embeddings_request(asked: dict[str, Any]) -> dict[str, Any]:
    requests = asked.get("requests") or [asked]
    texts = ["".join(part["text"] for part in request["content"]["parts"]) for request in requests]
    body: dict[str, Any] = {"input": texts if "requests" in asked else texts[0]}
    if requests[0].get("outputDimensionality"):
        body["dimensions"] = requests[0]["outputDimensionality"]
    return body


_OPAQUE = {"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema"}


def camel(value: Any) -> Any:
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, item in value.items():
        theirs = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
        found[theirs] = item if theirs in _OPAQUE else camel(item)
    return found
