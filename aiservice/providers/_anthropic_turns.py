"""Messages of a chat (OpenAI's form) as turns of Anthropic's Messages API (platform.claude.com/docs/en/api/messages).

Differences that are bridged: instructions are not a message but a field; turns of one role are one turn; results of
tools belong to the user, directly behind the calls and first in their turn; thinking comes back only as it was signed.
"""

import base64
import hashlib
import re
from bisect import bisect_left
from collections import deque
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._own_calls import own_pieces
from aiservice.wire import Json

REASONING_FORMAT = "anthropic-claude-v1"
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,(.*)", re.DOTALL)
# Parts that a client of chat completions may have written in this wire's own words.
_OWN_PARTS = frozenset({"image", "document", "search_result"})


def turns_of(messages: list[Any], *, has_later_system: bool, has_own_tools: bool) -> tuple[list[Json], list[Json]]:
    """(system blocks, turns). What the vendor's own tools did is given back while it has such tools again.

    Instructions that come later in the conversation keep their place where the model has one for them: behind the
    user's turn that they stand in. Elsewhere they join the first ones, as in the vendor's own compatibility endpoint.

    Raises:
        AttemptFailed: something that this wire has no word for (named in `param`).
    """
    system: list[Json] = []
    later: list[Json] = []
    turns: list[Json] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            raise cannot_carry(where, f"'{where}' is not a message.")
        role = message.get("role")
        if role in ("system", "developer"):
            (later if turns and has_later_system else system).extend(_system(message, where))
        elif role == "assistant":
            _put_later_system(later, turns, system)
            _add(turns, "assistant", _assistant(message, where, has_own_tools=has_own_tools))
        elif role == "user":
            _add(turns, "user", _marked(message, _content(message, where)))
        elif role == "tool":
            _add(turns, "user", [_tool_result(message, where)])
        else:
            raise cannot_carry(f"{where}.role", f"'{where}.role' is not one that can be carried to Anthropic.")
    if turns and turns[-1]["role"] == "assistant" and messages[-1].get("role") != "assistant":
        raise cannot_carry(
            f"messages[{len(messages) - 1}]",
            "Instructions behind the assistant's last turn cannot be carried to Anthropic.",
        )
    _put_later_system(later, turns, system)
    return system, turns


def safe_id(call_id: object) -> str:
    """A tool call's id as this wire allows it: other vendors' ids may hold dots, colons or nothing at all."""
    text = call_id if isinstance(call_id, str) else ""
    return text if _ID.fullmatch(text) else "toolu_" + hashlib.sha256(text.encode()).hexdigest()[:24]


def _put_later_system(later: list[Json], turns: list[Json], system: list[Json]) -> None:
    """Instructions may only stand behind a user's turn; with none there, they join the first ones."""
    if not later:
        return
    if turns and turns[-1]["role"] == "user":
        turns.append({"role": "system", "content": [*later]})
    else:
        system.extend(later)
    later.clear()


def _add(turns: list[Json], role: str, blocks: list[Json]) -> None:
    if not blocks:
        return
    if not turns or turns[-1]["role"] != role:
        turns.append({"role": role, "content": blocks})
        return
    content: list[Json] = turns[-1]["content"]
    if blocks[0]["type"] != "tool_result":
        content.extend(blocks)
        return
    first_other = bisect_left(content, 1, key=_is_other)  # results stand first
    content[first_other:first_other] = blocks


def _is_other(block: Json) -> bool:
    return bool(block["type"] != "tool_result")


def _system(message: Json, where: str) -> list[Json]:
    blocks = _marked(message, _content(message, where))
    if any(block["type"] != "text" for block in blocks):
        raise cannot_carry(f"{where}.content", "Instructions can only be text with Anthropic.")
    return blocks


def _assistant(message: Json, where: str, *, has_own_tools: bool) -> list[Json]:
    for name in ("function_call", "audio"):
        if message.get(name):
            raise cannot_carry(f"{where}.{name}", f"'{where}.{name}' cannot be carried to Anthropic.")
    said = _content(message, where)
    if not said and isinstance(message.get("refusal"), str):
        said = _content({"content": message["refusal"]}, where)
    around = _thinking(message.get("reasoning_details"))
    if has_own_tools:
        around += [(at, (thoughts, 0), piece) for at, thoughts, piece in own_pieces(message, "anthropic", "content")]
        around.sort(key=lambda piece: piece[:2])
    blocks = _woven([(place, block) for place, _, block in around], said)
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise cannot_carry(f"{where}.tool_calls", f"'{where}.tool_calls' must be a list.")
    blocks += [_tool_use(call, f"{where}.tool_calls[{place}]") for place, call in enumerate(calls)]
    return _marked(message, blocks)


def _thinking(details: object) -> list[tuple[int, tuple[int, int], Json]]:
    """This vendor's own state, unchanged, each piece with how many characters of text came before it, and which thought
    it is; another's is never sent, and thinking without a signature is refused here."""
    blocks: list[tuple[int, tuple[int, int], Json]] = []
    for number, item in enumerate(details if isinstance(details, list) else ()):
        if not isinstance(item, dict) or item.get("format") != REASONING_FORMAT:
            continue
        signature, data, offset = item.get("signature"), item.get("data"), item.get("content_offset")
        place = offset if type(offset) is int else 0
        if item.get("type") == "reasoning.text" and isinstance(signature, str) and signature:
            thought = {"type": "thinking", "thinking": item.get("text") or "", "signature": signature}
            blocks.append((place, (number, 1), thought))
        elif item.get("type") == "reasoning.encrypted" and isinstance(data, str) and data:
            blocks.append((place, (number, 1), {"type": "redacted_thinking", "data": data}))
    return blocks


def _woven(thoughts: list[tuple[int, Json]], said: list[Json]) -> list[Json]:
    """What was thought and said in its order: a text that a thought interrupted is two."""
    blocks: list[Json] = []
    waiting = deque(thoughts)
    end = 0
    for block in said:
        rest = block.get("text") if block["type"] == "text" else ""
        rest = rest if isinstance(rest, str) else ""
        end += len(rest)
        while waiting and waiting[0][0] < max(end, 1):
            place, thought = waiting.popleft()
            before, rest = _parted(rest, len(rest) - (end - place))
            if before.strip():
                blocks.append({"type": "text", "text": before})
            blocks.append(thought)
        if block["type"] != "text" or not isinstance(block.get("text"), str):
            blocks.append(block)
        elif rest.strip():
            blocks.append({**block, "text": rest})
    return [*blocks, *(thought for _, thought in waiting)]


def _parted(text: str, place: int) -> tuple[str, str]:
    place = max(place, 0)
    return text[:place], text[place:]


def _tool_use(call: Any, where: str) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise cannot_carry(where, f"'{where}' is not a function call: only those can be carried to Anthropic.")
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError:
            raise _not_an_object(where) from None
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise _not_an_object(where)
    block = {"type": "tool_use", "id": safe_id(call.get("id")), "name": function["name"], "input": arguments}
    if call.get("cache_control"):
        block["cache_control"] = call["cache_control"]
    return block


def _not_an_object(where: str) -> AttemptFailed:
    return cannot_carry(
        f"{where}.function.arguments", f"'{where}.function.arguments' must be a JSON object for Anthropic."
    )


def _tool_result(message: Json, where: str) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": safe_id(message.get("tool_call_id"))}
    content = message.get("content")
    if isinstance(content, str):
        block["content"] = content
    elif blocks := _content(message, where):
        block["content"] = blocks
    if message.get("is_error") is not None:
        block["is_error"] = bool(message["is_error"])
    return _marked(message, [block])[0]


def _content(message: Json, where: str) -> list[Json]:
    if message.get("name") and message.get("role") != "tool":
        raise cannot_carry(
            f"{where}.name", f"'{where}.name' cannot be carried to Anthropic: put the name into the text."
        )
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if content is None:
        return []
    if not isinstance(content, list):
        raise cannot_carry(f"{where}.content", f"'{where}.content' must be a text or a list of parts.")
    blocks = [_block(part, f"{where}.content[{place}]") for place, part in enumerate(content)]
    return [block for block in blocks if block is not None]


def _block(part: Any, where: str) -> Json | None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "refusal"):
        text = part.get(kind)
        if not text or (isinstance(text, str) and not text.strip()):  # refused by the vendor, and it says nothing
            return None
        block: Json = {"type": "text", "text": text}
    elif kind == "image_url":
        block = _image(part.get("image_url"), where)
    elif kind == "file":
        block = _document(part.get("file"), where)
    elif isinstance(kind, str) and kind in _OWN_PARTS:
        return dict(part)
    else:
        raise cannot_carry(where, f"'{where}' is of a type that cannot be carried to Anthropic.")
    return _marked(part, [block])[0]


def _image(given: Any, where: str) -> Json:
    """`detail` has no counterpart: the vendor looks at every image in full."""
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not url.startswith(("data:", "https://", "http://")):
        raise cannot_carry(f"{where}.image_url", f"'{where}.image_url' must be an http(s) or a base64 data URL.")
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _data_url(url, f"{where}.image_url")
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _document(given: Any, where: str) -> Json:
    file = given if isinstance(given, dict) else {}
    if file.get("file_id"):
        raise cannot_carry(f"{where}.file.file_id", "A file stored with another vendor cannot be carried to Anthropic.")
    url, held = file.get("file_url"), file.get("file_data")
    if isinstance(url, str) and url:
        source: Json = {"type": "url", "url": url}
    elif isinstance(held, str):
        media_type, data = _data_url(held, f"{where}.file.file_data")
        if media_type.startswith("image/"):
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
        if media_type == "application/pdf":
            source = {"type": "base64", "media_type": media_type, "data": data}
        elif media_type.startswith("text/") or media_type == "application/json":
            source = {"type": "text", "media_type": "text/plain", "data": _decoded(data, f"{where}.file.file_data")}
        else:
            raise cannot_carry(
                f"{where}.file", f"A document of type {media_type[:100]} cannot be carried to Anthropic."
            )
    else:
        raise cannot_carry(f"{where}.file", f"'{where}.file' needs 'file_data' or 'file_url'.")
    block: Json = {"type": "document", "source": source}
    if file.get("filename"):
        block["title"] = file["filename"]
    return block


def _data_url(url: str, where: str) -> tuple[str, str]:
    """(media type, base64 text) of a data URL."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise cannot_carry(where, f"'{where}' must be a base64 data URL: data:<type>;base64,<data>.")
    return found[1].lower(), found[2]


def _decoded(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        raise cannot_carry(where, f"'{where}' is not base64 of UTF-8 text.") from None


def _marked(source: Json, blocks: list[Json]) -> list[Json]:
    """`blocks` with the cache mark of `source` on the last one."""
    if source.get("cache_control") and blocks:
        blocks[-1]["cache_control"] = source["cache_control"]
    return blocks
