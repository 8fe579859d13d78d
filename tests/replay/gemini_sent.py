"""What reached Google, held to what the recorded client had sent there: both read the same way, then compared."""

from collections.abc import Iterator
from typing import Any

from tests.replay.gemini_reference import camel, plain

Json = dict[str, Any]

# Google's own word for a call that was made without a signature, as all were before it signed them.
_UNSIGNED = "skip_thought_signature_validator"
_CONFIG = ("temperature", "topP", "maxOutputTokens", "seed", "stopSequences", "candidateCount", "responseMimeType")


def gemini_differences(recorded: Json, sent: Json) -> list[str]:
    """What chat has words for and was lost, or was invented. What it has none for is left out: server-side tools,
    safety settings, cached contents, files in an account."""
    before, after = _meant(camel(recorded)), _meant(camel(sent))
    return [
        f"sent {name}: {str(after[name])[:300]} is not {str(before[name])[:300]}"
        for name in before
        if before[name] != after[name]
    ]


def _meant(body: Json) -> Json:
    if "contents" not in body:
        requests = body.get("requests") or [body]
        return {
            "texts": ["".join(part["text"] for part in one["content"]["parts"]) for one in requests],
            "dimensions": [one.get("outputDimensionality") for one in requests],
        }
    config = body.get("generationConfig") or {}
    thinking = config.get("thinkingConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    return {
        "system": "".join(part["text"] for part in _listed((body.get("systemInstruction") or {}).get("parts"))),
        "turns": list(_turns(body["contents"])),
        "tools": [_declared(one) for tool in body.get("tools") or [] for one in tool.get("functionDeclarations") or []],
        "mode": (body.get("toolConfig") or {}).get("functionCallingConfig", {}).get("mode", "AUTO"),
        "config": {name: config[name] for name in _CONFIG if name in config},
        "schema": plain(schema),
        "thinking": [str(thinking.get("thinkingLevel") or "").lower(), thinking.get("thinkingBudget")],
        "logprobs": config.get("responseLogprobs", False),
    }


def _turns(contents: list[Any]) -> Iterator[list[Any]]:
    """Every part with its speaker; text that goes on is one text, and one that says nothing is none."""
    last: list[Any] | None = None
    for content in contents:
        role = "model" if content.get("role") == "model" else "user"
        for part in content.get("parts") or []:
            item = [role, *_part(part)]
            if item == [role, "text", "", None]:
                continue
            if role == "model" and last is not None and last[:2] == item[:2] == [role, "text"]:
                last[2] += item[2]
                last[3] = item[3] or last[3]
                continue
            if last is not None:
                yield last
            last = item
    if last is not None:
        yield last


def _part(part: Any) -> list[Any]:
    signature = part.get("thoughtSignature")
    if "functionCall" in part:
        call = part["functionCall"]
        return ["call", call["name"], call.get("args") or {}, None if signature == _UNSIGNED else signature]
    if "functionResponse" in part:
        result = part["functionResponse"]
        return ["result", result["name"], result.get("response") or {}, list(map(_part, result.get("parts") or []))]
    if "inlineData" in part:
        return ["data", part["inlineData"]["mimeType"], part["inlineData"]["data"].replace("-", "+").replace("_", "/")]
    if "fileData" in part:
        address = part["fileData"]["fileUri"]
        is_public = address.startswith("https://") and "googleapis.com/v1beta/files/" not in address
        return ["file", address] if is_public else ["text", f"(the file {address})", None]
    return ["thought" if part.get("thought") else "text", part["text"], signature]


def _declared(tool: Any) -> list[Any]:
    schema = tool.get("parametersJsonSchema") or plain(tool.get("parameters"))
    return [tool["name"], tool.get("description"), schema or None]


def _listed(parts: Any) -> list[Any]:
    return parts if isinstance(parts, list) else [parts] if parts else []
