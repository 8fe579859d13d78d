"""A response in OpenAI's own words on its way to the client: what of it is ours to say, and what was passed on so far.

Passed on it stays as its provider wrote it, but for the fields of a response that say where it is kept: its id, whether
it is stored, and which one it follows. Who keeps conversations is this broker.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import SseSplitter, named_frame
from aiservice.wire import Ask

Json = dict[str, Any]

_RESPONSE = re.compile(rb'"response":\s*\{')
_TEXT_DELTAS = {
    "response.output_text.delta": ("content", "content_index", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal"),
    "response.reasoning_text.delta": ("content", "content_index", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "text"),
}
_ITEM_DELTAS = {
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}
_PARTS = {
    "response.content_part.added": ("content", "content_index"),
    "response.reasoning_summary_part.added": ("summary", "summary_index"),
}


def whole_with(raw: bytes, ask: Ask | None) -> bytes:
    """A whole response with what `answer_fields` say in place of what its provider says, noted as `answered`; the same
    bytes without them."""
    if ask is None or not ask.answer_fields:
        return raw
    response: Json = loads(raw)
    response |= ask.answer_fields
    ask.answered = response
    return orjson.dumps(response)


def frame_with(frame: bytes, ask: Ask) -> bytes:
    """An event of a stream, likewise: only where it holds the response itself."""
    if not ask.answer_fields or not _RESPONSE.search(frame):
        return frame
    said = _said(frame)
    if not isinstance(said.get("response"), dict):
        return frame
    said["response"] |= ask.answer_fields
    ask.answered = said["response"]
    return named_frame(str(said.get("type")), orjson.dumps(said))


def next_sequence(frame: bytes) -> int:
    """The number of the event that comes after `frame`."""
    number = _said(frame).get("sequence_number")
    return number + 1 if isinstance(number, int) else 0


def items_in(frames: Iterable[bytes]) -> tuple[list[Json], list[int]]:
    """The output items that `frames` have told of so far, and which of them (by their place) are not ended.

    Frames of one answer, each a whole event; what is none of an item's is passed over.
    """
    items: dict[int, Json] = {}
    unfinished: set[int] = set()
    for frame in frames:
        said = _said(frame)
        index, kind = said.get("output_index"), said.get("type")
        if not isinstance(index, int):
            continue
        if kind in ("response.output_item.added", "response.output_item.done") and isinstance(said.get("item"), dict):
            items[index] = said["item"]
            (unfinished.discard if kind.endswith("done") else unfinished.add)(index)
        elif index in items:
            _add_to(items[index], said)
    return [items[index] for index in sorted(items)], sorted(unfinished)


def _add_to(item: Json, said: Json) -> None:
    """One event about an item that is under way."""
    kind, delta = str(said.get("type")), said.get("delta")
    if kind in _PARTS and isinstance(said.get("part"), dict):
        _part(item, *_PARTS[kind], said).update(said["part"])
    elif kind in _TEXT_DELTAS and isinstance(delta, str):
        listed, numbered, name = _TEXT_DELTAS[kind]
        part = _part(item, listed, numbered, said)
        part[name] = (part.get(name) or "") + delta
    elif kind in _ITEM_DELTAS and isinstance(delta, str):
        name = _ITEM_DELTAS[kind]
        item[name] = (item.get(name) or "") + delta


def _part(item: Json, listed: str, numbered: str, said: Json) -> Json:
    """The part that an event is about; made where no event has told of it (LM Studio tells of none)."""
    parts = item.setdefault(listed, [])
    number = said.get(numbered)
    place = number if isinstance(number, int) and 0 <= number <= len(parts) else len(parts)
    if place == len(parts):
        name = (
            "refusal"
            if "refusal" in str(said.get("type"))
            else "output_text"
            if listed == "content"
            else "summary_text"
        )
        parts.append({"type": name})
    found: Json = parts[place]
    return found


def _said(frame: bytes) -> Json:
    splitter = SseSplitter()
    events = splitter.feed(frame) or splitter.end()
    try:
        said = loads(events[-1].data) if events else None
    except orjson.JSONDecodeError:
        said = None
    return said if isinstance(said, dict) else {}
