"""Messages in Ollama's words: text alone, images beside it as bare base64, arguments of tool calls as objects."""

import re
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import cannot_carry
from aiservice.wire import Json

_DATA_URL = re.compile(r"data:image/[\w.+-]+(?:;[\w-]+=[^;,]*)*;base64,", re.ASCII)
_ROLES = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def messages_of(messages: list[Any]) -> list[Json]:
    """The conversation.

    Raises:
        AttemptFailed: a part of it has no word there (named in `param`).
    """
    names: dict[str, str] = {}
    found: list[Json] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        role = _ROLES.get(str(message.get("role"))) if isinstance(message, dict) else None
        if role is None:
            raise cannot_carry(f"{where}.role", "Ollama knows the roles system, user, assistant and tool.")
        text, images = _content(message.get("content"), where)
        made: Json = {"role": role, "content": text}
        if images:
            made["images"] = images
        if role == "assistant":
            _add_assistants(made, message, where, names)
        elif role == "tool":
            call_id = message.get("tool_call_id")
            if isinstance(call_id, str):
                made["tool_call_id"] = call_id
                if call_id in names:
                    made["tool_name"] = names[call_id]
        found.append(made)
    return found


def _add_assistants(made: Json, message: Json, where: str, names: dict[str, str]) -> None:
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thinking, str) and not message.get("reasoning_details"):
        made["thinking"] = thinking
    calls = message.get("tool_calls")
    if isinstance(calls, list) and calls:
        made["tool_calls"] = [_call(call, f"{where}.tool_calls[{n}]", n, names) for n, call in enumerate(calls)]


def _call(call: Any, where: str, place: int, names: dict[str, str]) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise cannot_carry(where, "Ollama knows calls of functions alone.")
    made: Json = {
        "function": {
            "index": place,
            "name": function["name"],
            "arguments": _arguments(function.get("arguments"), where),
        }
    }
    if isinstance(call.get("id"), str):
        made["id"] = call["id"]
        names[call["id"]] = function["name"]
    return made


def _arguments(given: object, where: str) -> Json:
    if isinstance(given, str):
        try:
            given = loads(given) if given.strip() else {}
        except orjson.JSONDecodeError:
            given = None
    if not isinstance(given, dict):
        raise cannot_carry(f"{where}.function.arguments", "Ollama takes the arguments of a call as a JSON object.")
    return given


def _content(content: Any, where: str) -> tuple[str, list[str]]:
    if content is None or isinstance(content, str):
        return content or "", []
    texts: list[str] = []
    images: list[str] = []
    for place, part in enumerate(content if isinstance(content, list) else [content]):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("text", "refusal") and isinstance(part.get(kind), str):
            texts.append(part[kind])
        elif kind == "image_url":
            images.append(_image(part.get("image_url"), f"{where}.content[{place}].image_url"))
        else:
            raise cannot_carry(f"{where}.content[{place}]", "Ollama takes text and images alone.")
    return "\n".join(texts), images


def _image(given: Any, where: str) -> str:
    url = given.get("url") if isinstance(given, dict) else given
    found = _DATA_URL.match(url) if isinstance(url, str) else None
    if found is None:
        raise cannot_carry(where, "Ollama fetches no images: give it as a base64 data URL.")
    return found.string[found.end() :]
