"""What is under way of a response: a message, a thought, a call; and how their states are told apart."""

from typing import Any

import orjson

from aiservice.dialects._responses_items import OPENAI_FORMAT
from aiservice.kit.bounded_json import loads

Json = dict[str, Any]

PART_NAMES = {"output_text": "text", "refusal": "refusal"}
EMPTY_PARTS: dict[str, Json] = {
    "output_text": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
    "refusal": {"type": "refusal", "refusal": ""},
}


def plain_items(request_id: str, text: str, *, is_whole: bool) -> list[Json]:
    """The items of an answer that is one text; none where it says nothing."""
    if not text:
        return []
    part = {**EMPTY_PARTS["output_text"], "text": text}
    status = "completed" if is_whole else "incomplete"
    item = {"id": f"msg_{request_id}_0", "type": "message", "status": status, "role": "assistant", "content": [part]}
    return [item]


class MessageItem:
    """A message item: its finished parts, and the part under way."""

    __slots__ = ("index", "item", "kind", "pieces")

    def __init__(self, index: int, item: Json) -> None:
        self.index, self.item = index, item
        self.kind = ""
        self.pieces: list[str] = []


class ThoughtItem:
    """A reasoning item. `details` are what its vendor wants back, each with the number of the part that is its text."""

    __slots__ = ("details", "index", "is_open", "item", "pieces")

    def __init__(self, index: int, item: Json) -> None:
        self.index, self.item = index, item
        self.pieces: list[str] = []
        self.is_open = False
        self.details: list[tuple[Json, int | None]] = []


class CallItem:
    """A tool call. It has no `item` before its name is known."""

    __slots__ = ("call_id", "index", "is_custom", "item", "name", "pieces", "waiting")

    def __init__(self) -> None:
        self.index = 0
        self.item: Json | None = None
        self.call_id: str | None = None
        self.name: str | None = None
        self.is_custom = False
        self.pieces: list[str] = []
        self.waiting = ""


CALLS = {False: ("function_call", "fc", "arguments"), True: ("custom_tool_call", "ctc", "input")}


def place_of(message: MessageItem) -> int:
    return len(message.item["content"]) - 1


def delta_head(kind: str, item_id: str, index: int, place: int) -> bytes:
    where = orjson.dumps({"type": kind, "item_id": item_id, "output_index": index, "content_index": place})
    return b"event: " + kind.encode() + b"\ndata: " + where[:-1] + b',"delta":'


def keep_detail(thought: ThoughtItem, detail: Json) -> None:
    """Notes what is to be given back, without the text where a part of the item holds it. A signature may come in
    pieces."""
    part = len(thought.item["summary"]) - 1 if thought.is_open and not detail.get("data") else None
    if part is None:
        thought.details.append((detail, None))
        return
    bare = {name: value for name, value in detail.items() if name not in ("text", "summary")}
    last = thought.details[-1] if thought.details else None
    if last is not None and last[1] == part and detail.get("signature") and last[0].get("signature"):
        thought.details[-1] = ({**last[0], "signature": last[0]["signature"] + detail["signature"]}, part)
    else:
        thought.details.append((bare, part))


def is_openai(detail: Json) -> bool:
    return detail.get("format") == OPENAI_FORMAT


def text_in(arguments: str) -> str:
    """What a tool that takes a text was called with; arguments that are not as they were asked for are the text."""
    try:
        said = loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    given = said.get("input") if isinstance(said, dict) else None
    return given if isinstance(given, str) else arguments
