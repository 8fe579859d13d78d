"""A request of generateContent as one of Interactions (ai.google.dev/api/interactions-api; google-genai 3.4's types).

What stands for what: contents are `steps` (what the user gave, what the model said, thought or called, what a function
gave), a schema is a `response_format`, an effort a `thinking_level`. Nothing is kept there: `store` is false.
"""

from typing import Any

from aiservice.providers._base import cannot_carry
from aiservice.providers._gemini.request import is_own
from aiservice.wire import Ask, Json

_CONFIG = {
    "maxOutputTokens": "max_output_tokens",
    "seed": "seed",
    "stopSequences": "stop_sequences",
    "temperature": "temperature",
    "topP": "top_p",
}
# By the name that a client of ours gave it.
_HAS_NO_WORD = {
    "candidateCount": "n",
    "frequencyPenalty": "frequency_penalty",
    "logprobs": "top_logprobs",
    "presencePenalty": "presence_penalty",
    "responseLogprobs": "logprobs",
    "topK": "top_k",
}
_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh"})
_MODES = {"ANY": "any", "AUTO": "auto", "NONE": "none", "VALIDATED": "validated"}


def interaction_body(ask: Ask, model: str, body: Json) -> Json:
    """`body`, the request to generateContent for `ask`, as the request to /interactions.

    Raises:
        AttemptFailed: it says something that has no word there (named in `param`).
    """
    made: Json = {"model": model, "input": _steps(body["contents"]), "store": False}
    if ask.is_stream:
        made["stream"] = True
    system = "".join(part.get("text", "") for part in (body.get("systemInstruction") or {}).get("parts") or ())
    if system:
        made["system_instruction"] = system
    for place, tool in enumerate(ask.body.get("tools") or ()):
        if is_own(tool):
            raise cannot_carry(
                f"tools[{place}]", "Of Google's own tools this API is given none: pin a gemini connection."
            )
    declared = [one for tool in body.get("tools") or () for one in tool["functionDeclarations"]]
    if declared:
        made["tools"] = [_tool(one) for one in declared]
    config = _config(ask, body.get("generationConfig") or {})
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if calling:
        config["tool_choice"] = _choice(calling)
    if config:
        made["generation_config"] = config
    shape = _format(body.get("generationConfig") or {})
    return {**made, "response_format": shape} if shape else made


def _steps(contents: list[Json]) -> list[Json]:
    steps: list[Json] = []
    for content in contents:
        kind = "model_output" if content.get("role") == "model" else "user_input"
        for part in content["parts"]:
            if "functionResponse" in part:
                steps.append(_result(part["functionResponse"]))
                continue
            signature = part.get("thoughtSignature")
            if part.get("thought"):
                steps.append(_thought(signature, part.get("text")))
                continue
            if signature:
                steps.append(_thought(signature, None))  # it stands before what it signs
            if "functionCall" in part:
                steps.append(_call(part["functionCall"]))
            else:
                _say(steps, kind, _content(part))
    return steps


def _say(steps: list[Json], kind: str, content: Json) -> None:
    if steps and steps[-1]["type"] == kind:
        steps[-1]["content"].append(content)
    else:
        steps.append({"type": kind, "content": [content]})


def _thought(signature: str | None, summary: str | None) -> Json:
    made: Json = {"type": "thought"}
    if signature:
        made["signature"] = signature
    if summary:
        made["summary"] = [{"type": "text", "text": summary}]
    return made


def _call(call: Json) -> Json:
    return {
        "type": "function_call",
        "id": call.get("id") or call["name"],
        "name": call["name"],
        "arguments": call["args"],
    }


def _result(result: Json) -> Json:
    said: Any = result["response"]
    made: Json = {"type": "function_result", "call_id": result.get("id") or result["name"], "name": result["name"]}
    if isinstance(said, dict) and "error" in said:
        made["is_error"] = True
    files = [_content(part) for part in result.get("parts") or ()]
    if not files:
        return {**made, "result": said}
    text = said.get("output", said.get("result", said)) if isinstance(said, dict) else said
    return {**made, "result": [{"type": "text", "text": str(text)}, *files]}


def _content(part: Json) -> Json:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    held = part.get("inlineData") or part.get("fileData") or {}
    media = str(held.get("mimeType") or "")
    kind = media.partition("/")[0] if media.startswith(("image/", "audio/", "video/")) else "document"
    where: Json = {"data": held["data"]} if "data" in held else {"uri": held.get("fileUri")}
    return {"type": kind, **where, **({"mime_type": media} if media else {})}


def _tool(declared: Json) -> Json:
    made = {name: declared[name] for name in ("name", "description") if declared.get(name) is not None}
    schema = declared.get("parametersJsonSchema")
    return {"type": "function", **made, **({"parameters": schema} if schema else {})}


def _choice(calling: Json) -> Any:
    mode = _MODES.get(calling.get("mode", "AUTO"), "auto")
    named = calling.get("allowedFunctionNames")
    return {"allowed_tools": {"mode": mode, "tools": named}} if named else mode


def _config(ask: Ask, config: Json) -> Json:
    for theirs, ours in _HAS_NO_WORD.items():
        if config.get(theirs) is not None:
            raise cannot_carry(ours, f"Gemini's Interactions have no word for '{ours}': leave it out, or use 'gemini'.")
    made = {theirs: config[ours] for ours, theirs in _CONFIG.items() if config.get(ours) is not None}
    thinking = config.get("thinkingConfig") or {}
    level = thinking.get("thinkingLevel")
    if level is None and "thinkingBudget" in thinking:  # the effort that it was made of
        level = ask.body.get("reasoning_effort") or (ask.body.get("reasoning") or {}).get("effort")
        if level not in _LEVELS:
            name = "reasoning_effort" if level else "reasoning.max_tokens"
            raise cannot_carry(name, f"Gemini's Interactions take an effort: one of {', '.join(sorted(_LEVELS))}.")
    if level is not None:
        made["thinking_level"] = level
    if thinking.get("includeThoughts"):
        made["thinking_summaries"] = "auto"
    return made


def _format(config: Json) -> Json | None:
    if config.get("responseMimeType") != "application/json":
        return None
    schema = config.get("responseJsonSchema")
    return {"type": "text", "mime_type": "application/json", **({"schema": schema} if schema else {})}
