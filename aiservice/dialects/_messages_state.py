"""Other vendors' opaque state in Anthropic's blocks.

A client of Anthropic's wire gives thinking blocks back unchanged, because that wire demands it. So what another vendor
wants back (a thought signature of Gemini's, encrypted reasoning of OpenAI's) travels in the fields that clients never
look into, marked as ours: the `signature` of a thinking block, the `data` of a redacted one. Anthropic itself is never
shown these blocks.
"""

import base64
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads

Json = dict[str, Any]

CLAUDE_FORMAT = "anthropic-claude-v1"
_MARK = "aiservice.v1."


def sealed(state: Json) -> str:
    """`state` as the text of an opaque field."""
    return _MARK + base64.urlsafe_b64encode(orjson.dumps(state)).decode()


def opened(text: str) -> Json | None:
    """The state in an opaque field; None where it is Anthropic's own.

    Raises:
        ValueError: it is marked as ours and was changed.
    """
    if not text.startswith(_MARK):
        return None
    state = loads(base64.urlsafe_b64decode(text[len(_MARK) :]))
    if isinstance(state, dict):
        return state
    raise ValueError("not a state")


def take_extra_content(state: Json, message: Json, by_call: dict[str, Json]) -> None:
    """Gives the extra content in `state` to the message, or to the call whose it is."""
    extra, call = state.get("extra_content"), state.get("call")
    if isinstance(extra, dict):
        if isinstance(call, str):
            by_call[call] = extra
        else:
            message["extra_content"] = extra


def is_foreign(block: object) -> bool:
    """Whether `block` is a thinking block that Anthropic did not sign, and would refuse."""
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    if kind == "thinking":
        signature = block.get("signature")
        return not isinstance(signature, str) or not signature or signature.startswith(_MARK)
    return kind == "redacted_thinking" and str(block.get("data", "")).startswith(_MARK)


def without_foreign(native: Json) -> Json:
    """`native` (an Anthropic request) without the thinking blocks that are not Anthropic's."""
    messages = []
    for message in native["messages"]:
        content = message.get("content")
        if isinstance(content, list) and any(map(is_foreign, content)):
            own = [block for block in content if not is_foreign(block)]
            if own:
                messages.append({**message, "content": own})
        else:
            messages.append(message)
    return {**native, "messages": messages}


def blocks_of_details(details: list[Any]) -> list[Json]:
    """Thinking blocks for a `reasoning_details` list."""
    return [block_of_detail(item) for item in details if isinstance(item, dict)]


def block_of_detail(item: Json) -> Json:
    """The thinking block for one item of `reasoning_details`."""
    is_claude = item.get("format") == CLAUDE_FORMAT
    data = item.get("data")
    if isinstance(data, str) and data:
        return {"type": "redacted_thinking", "data": data if is_claude else sealed({"details": item})}
    text = item.get("text") or item.get("summary")
    return {
        "type": "thinking",
        "thinking": text if isinstance(text, str) else "",
        "signature": signature_of_detail(item),
    }


def signature_of_detail(item: Json) -> str:
    """The `signature` of the thinking block for `item`: its own where it is Anthropic's; without the text, which the
    block holds itself."""
    signature = item.get("signature")
    if not isinstance(signature, str) or not signature:
        return ""
    if item.get("format") == CLAUDE_FORMAT:
        return signature
    return sealed({"details": {name: value for name, value in item.items() if name not in ("text", "summary")}})


def block_of_extra_content(extra_content: Json, call_id: str | None = None) -> Json:
    """The block that carries the `extra_content` of a message, or of one of its tool calls."""
    state: Json = {"extra_content": extra_content}
    if call_id is not None:
        state["call"] = call_id
    return {"type": "redacted_thinking", "data": sealed(state)}
