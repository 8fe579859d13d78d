"""Our form as a request of OpenAI's Responses API: where chat completions refuses a model, or a model's tools.

Format: platform.openai.com/docs/api-reference/responses. Nothing is kept at OpenAI (`store` is false unless the client
says otherwise), so what a reasoning model must be given back travels encrypted, as `reasoning_details` of the format
`openai-responses-v1`.
"""

from collections.abc import Iterator
from typing import Any

from aiservice.providers._base import cannot_carry
from aiservice.wire import CHAT_WIRE, Ask, Json

REASONING_FORMAT = "openai-responses-v1"

# Fields of chat that have the same name and meaning here, and those that only have another name.
_SAME = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "temperature",
        "top_p",
        "user",
    }
)
_READ_HERE = frozenset(
    {
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "reasoning_effort",
        "response_format",
        "stream",
        "stream_options",
        "tool_choice",
        "tools",
        "top_logprobs",
        "verbosity",
    }
)
# Chat's own words without a counterpart; with these values they say nothing, and may be left out.
_NEUTRAL: dict[str, object] = {
    "frequency_penalty": 0,
    "function_call": None,
    "functions": None,
    "logit_bias": {},
    "modalities": ["text"],
    "n": 1,
    "audio": None,
    "prediction": None,
    "presence_penalty": 0,
    "seed": None,
    "stop": [],
    "top_k": None,
    "web_search_options": None,
}
# Tools that OpenAI runs itself. What a client would have to run (a shell, patches) has no words in chat's answers.
_RUN_THERE = frozenset({"code_interpreter", "file_search", "image_generation", "web_search", "web_search_preview"})


def passed_body(ask: Ask, model: str) -> Json:
    """A client's own body of this API. Where this broker keeps the conversation, without reasoning that is an id alone:
    the vendor was told to store nothing, and would not find it."""
    body = {**(ask.native or {}), "model": model}
    if ask.answer_fields is not None and isinstance(body.get("input"), list):
        body["input"] = [item for item in body["input"] if not _is_id_alone(item)]
    return body


def _is_id_alone(item: Any) -> bool:
    """Not one whose words are there (`content`): DeepSeek's must be given back beside the calls that they led to."""
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    return not item.get("encrypted_content") and not item.get("content")


def responses_body(ask: Ask, model: str, *, is_reasoning: bool) -> Json:
    """The body of `POST /responses`.

    Raises:
        AttemptFailed: a field that this API has no word for (named in `param`).
    """
    given = ask.body
    body: Json = {"model": model, "input": list(_items(given.get("messages") or ())), "store": False}
    for name, value in given.items():
        if name in _SAME:
            body[name] = value
        elif name in _NEUTRAL:
            if value is not None and value != _NEUTRAL[name]:
                raise cannot_carry(name, f"'{name}' has no word in the API that serves '{model}': leave it out.")
        elif name not in _READ_HERE and ask.wire == CHAT_WIRE:
            body[name] = value  # the client's own: `truncation`, `previous_response_id`, `include` …
    _limits(given, body, is_stream=ask.is_stream)
    _reasoning(given, body, is_reasoning=is_reasoning)
    _text_format(given, body)
    _tools(given, body)
    if ask.is_stream:
        body["stream"] = True
    return body


def _limits(given: Json, body: Json, *, is_stream: bool) -> None:
    limit = given.get("max_completion_tokens", given.get("max_tokens"))
    if limit is not None:
        body["max_output_tokens"] = limit
    if given.get("logprobs"):
        if is_stream:
            raise cannot_carry("logprobs", "For this model, log probabilities are carried in whole answers only.")
        _include(body, "message.output_text.logprobs")
        body["top_logprobs"] = given.get("top_logprobs") or 0


def _reasoning(given: Json, body: Json, *, is_reasoning: bool) -> None:
    effort = given.get("reasoning_effort")
    if effort is not None:
        own = body.get("reasoning")
        body["reasoning"] = {"effort": effort, **(own if isinstance(own, dict) else {})}
    if is_reasoning and not body["store"]:
        _include(body, "reasoning.encrypted_content")


def _include(body: Json, what: str) -> None:
    wanted = body.get("include")
    wanted = wanted if isinstance(wanted, list) else []
    if what not in wanted:
        body["include"] = [*wanted, what]


def _text_format(given: Json, body: Json) -> None:
    text: Json = {}
    wanted = given.get("response_format")
    if isinstance(wanted, dict):
        schema = wanted.get("json_schema")
        text["format"] = {"type": "json_schema", **schema} if isinstance(schema, dict) else wanted
    if given.get("verbosity") is not None:
        text["verbosity"] = given["verbosity"]
    if text:
        body["text"] = text


def _tools(given: Json, body: Json) -> None:
    tools = given.get("tools")
    if isinstance(tools, list) and tools:
        body["tools"] = [_tool(tool, place) for place, tool in enumerate(tools)]
    choice = given.get("tool_choice")
    if choice is not None and "tools" in body:
        body["tool_choice"] = _tool_choice(choice)


def _tool(tool: Any, place: int) -> Json:
    """Flat here, nested in chat; `strict` is false where chat leaves it out, and true here."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind == "function" and isinstance(tool.get("function"), dict):
        function = tool["function"]
        return {"type": "function", "strict": False, "parameters": None, **_without_none(function)}
    if kind == "custom" and isinstance(tool.get("custom"), dict):
        custom = dict(tool["custom"])
        shape = custom.get("format")
        if isinstance(shape, dict) and isinstance(shape.get("grammar"), dict):
            custom["format"] = {"type": "grammar", **shape["grammar"]}
        return {"type": "custom", **custom}
    if str(kind) in _RUN_THERE or (kind == "mcp" and tool.get("require_approval") == "never"):
        return dict(tool)
    raise cannot_carry(f"tools[{place}]", "This kind of tool has no words in the answer that was asked for.")


def _without_none(given: Json) -> Json:
    return {name: value for name, value in given.items() if value is not None}


def _tool_choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if kind == "allowed_tools" and isinstance(inner, dict):
        tools = inner.get("tools")
        allowed = [_tool_choice(tool) for tool in tools] if isinstance(tools, list) else []
        return {"type": kind, "mode": inner.get("mode", "auto"), "tools": allowed}
    return {"type": kind, "name": inner.get("name")} if isinstance(inner, dict) else choice


def _items(messages: Any) -> Iterator[Json]:
    custom_calls: set[str] = set()
    for place, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            call_id = message.get("tool_call_id")
            is_custom = isinstance(call_id, str) and call_id in custom_calls
            kind = "custom_tool_call_output" if is_custom else "function_call_output"
            output = _content(message.get("content"), place, "input")
            yield {"type": kind, "call_id": call_id, "output": output}
        elif role == "assistant":
            yield from _assistant(message, place, custom_calls)
        elif role == "function":
            raise cannot_carry(f"messages[{place}]", "A message of role 'function' has no call id: use role 'tool'.")
        else:
            yield {"type": "message", "role": role, "content": _content(message.get("content"), place, "input")}


def _assistant(message: Json, place: int, custom_calls: set[str]) -> Iterator[Json]:
    yield from _reasoning_items(message.get("reasoning_details"))
    content = _content(message.get("content"), place, "output")
    if message.get("refusal"):
        said = [{"type": "output_text", "text": content}] if isinstance(content, str) and content else content
        content = [*(said or ()), {"type": "refusal", "refusal": message["refusal"]}]
    if content:
        yield {"type": "message", "role": "assistant", "content": content}
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        call_id = call.get("id") if isinstance(call, dict) else None
        if not isinstance(call_id, str):
            raise cannot_carry(f"messages[{place}].tool_calls[{number}]", "A tool call must have an id.")
        if call.get("type") == "custom":
            custom_calls.add(call_id)
            yield {"type": "custom_tool_call", "call_id": call_id, **_picked(call.get("custom"), "name", "input")}
        else:
            yield {"type": "function_call", "call_id": call_id, **_picked(call.get("function"), "name", "arguments")}


def _picked(given: Any, *names: str) -> Json:
    return {name: given.get(name) or "" for name in names} if isinstance(given, dict) else dict.fromkeys(names, "")


def _reasoning_items(details: Any) -> Iterator[Json]:
    """The model's own reasoning, encrypted; without that it cannot be given back, as nothing is stored there."""
    if not isinstance(details, list):
        return
    ours = [item for item in details if isinstance(item, dict) and item.get("format") == REASONING_FORMAT]
    for item in ours:
        if item.get("type") == "reasoning.encrypted" and item.get("data"):
            summaries = [
                {"type": "summary_text", "text": other.get("summary", "")}
                for other in ours
                if other.get("type") == "reasoning.summary" and other.get("id") == item.get("id")
            ]
            named = {"id": item["id"]} if item.get("id") else {}
            yield {"type": "reasoning", **named, "summary": summaries, "encrypted_content": item["data"]}


def _content(content: Any, place: int, direction: str) -> Any:
    """Text as it is; parts with this API's names (`input_text` or `output_text`, `input_image`, `input_file`)."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    return [_part(part, f"messages[{place}].content[{number}]", direction) for number, part in enumerate(content)]


def _part(part: Any, where: str, direction: str) -> Json:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return {"type": f"{direction}_text", "text": part.get("text") or ""}
    if kind == "refusal":
        return {"type": "refusal", "refusal": part.get("refusal") or ""}
    if kind == "image_url":
        image = part.get("image_url")
        image = image if isinstance(image, dict) else {"url": image}
        detail = {"detail": image["detail"]} if image.get("detail") else {}
        return {"type": "input_image", "image_url": image.get("url"), **detail}
    if kind == "file" and isinstance(part.get("file"), dict):
        file = part["file"]
        named = {name: file[name] for name in ("file_id", "file_data", "file_url") if file.get(name)}
        if "file_data" in named:
            named["filename"] = file.get("filename") or "document"
        return {"type": "input_file", **named}
    raise cannot_carry(where, "This kind of content has no word in the API that serves this model.")
