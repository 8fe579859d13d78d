"""Reads a stream of OpenAI's Responses API into our events.

Format: platform.openai.com/docs/api-reference/responses-streaming. There is no end mark: the answer is whole with
`response.completed` or `response.incomplete`. Errors come after status 200, nested or flat, and are repeated by
`response.failed`. Some servers send a text or a call's arguments only with the event that ends it.
"""

from collections.abc import Callable
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import MediaSseSplitter, OversizedEvent, SseEvent
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_responses_answer import (
    VENDOR,
    encrypted_reasoning,
    finish_reason_of,
    is_drawn,
    read_usage,
)
from aiservice.providers._own_calls import OwnCalls
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent, ToolCallDelta

_CALLS = ("function_call", "custom_tool_call")
# Every other item is what OpenAI's own tools did. A tuple, as an item's kind may be any JSON.
_TOLD = (*_CALLS, "message", "reasoning")
_TEXT_KINDS = {"output_text": EventKind.TEXT, "refusal": EventKind.REFUSAL}


class ResponsesStreamReader(StreamReader):
    """One stream. `calls` counts tool calls, whose numbers here are those of all output items. `keeps_frames`: the
    client speaks this very wire, and is given the events as they came."""

    def __init__(self, *, keeps_frames: bool = False) -> None:
        self._keeps_frames = keeps_frames
        self.is_finished = False
        self._splitter = MediaSseSplitter()
        self._has_read = False
        self._has_failed = False
        self._calls: dict[int, int] = {}
        self._said: set[tuple[object, ...]] = set()
        self._thoughts = 0
        self._details = 0
        self._drawn = 0
        self._own = OwnCalls(VENDOR)

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        try:
            return self._read_all(self._splitter.feed(chunk))
        except OversizedEvent:
            return [self._failed(invalid_answer("an event of its stream was too large"))]

    def end(self) -> list[StreamEvent]:
        if self._has_failed or self.is_finished:
            return []
        if not self._has_read and self._splitter.rest.strip():
            return [self._failed(_not_a_stream(self._splitter.rest))]
        try:
            return self._read_all(self._splitter.end())
        except OversizedEvent:
            return [self._failed(invalid_answer("an event of its stream was too large"))]

    def _read_all(self, frames: list[SseEvent]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for frame in frames:
            if self._has_failed or self.is_finished:
                break
            self._has_read = True
            if frame.data == b"[DONE]":  # OpenRouter's; it says nothing of the answer
                continue
            try:
                said = loads(frame.data)
            except orjson.JSONDecodeError:
                said = None
            if type(said) is not dict:
                events.append(self._failed(invalid_answer("its stream held something that is no event")))
                break
            kind = said.get("type") or frame.name.decode("ascii", "replace")
            read = _READERS.get(kind) if isinstance(kind, str) else None
            before = len(events)
            if read is not None:
                read(self, said, events)
            elif said.get("error"):
                events.append(self._failed(failure_from_body(200, said, {})))
            if self._keeps_frames and not self._has_failed:
                _give_frame(events, before, frame.frame)
        return events

    def _item_began(self, said: Json, events: list[StreamEvent]) -> None:
        item = _dict(said, "item")
        if item.get("type") not in _CALLS:
            if item and item.get("type") not in _TOLD and not self._keeps_frames:
                events.append(StreamEvent(EventKind.REASONING))  # its own tool is at work, and says nothing yet
            return
        place = self._calls[_index(said)] = len(self._calls)
        call_id, name = item.get("call_id") or item.get("id"), item.get("name")
        delta = ToolCallDelta(
            place, call_id if isinstance(call_id, str) else None, name if isinstance(name, str) else None
        )
        events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=delta))

    def _item_done(self, said: Json, events: list[StreamEvent]) -> None:
        item = _dict(said, "item")
        if item.get("type") in _CALLS:
            if _index(said) not in self._calls:
                self._item_began(said, events)
            self._arguments(said, item.get("arguments", item.get("input")), events)
        elif item.get("type") == "reasoning":
            details = encrypted_reasoning(item, self._details)
            if details is not None:
                self._details += 1
                events.append(StreamEvent(EventKind.REASONING, details=details))
        elif item and item.get("type") not in _TOLD:
            self._drawn += is_drawn(item)
            if not self._keeps_frames:
                self._own.add("output", item)

    def _annotated(self, said: Json, events: list[StreamEvent]) -> None:
        note = _dict(said, "annotation")
        if note and not self._keeps_frames:
            self._own.add("annotations", note)

    def _arguments_delta(self, said: Json, events: list[StreamEvent]) -> None:
        place, piece = self._calls.get(_index(said)), said.get("delta")
        if place is not None and piece and isinstance(piece, str):
            self._said.add(("arguments", place))
            events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(place, arguments=piece)))

    def _arguments_done(self, said: Json, events: list[StreamEvent]) -> None:
        self._arguments(said, said.get("arguments", said.get("input")), events)

    def _arguments(self, said: Json, whole: object, events: list[StreamEvent]) -> None:
        """What came only with the end of a call."""
        place = self._calls.get(_index(said))
        if place is not None and ("arguments", place) not in self._said and whole and isinstance(whole, str):
            self._said.add(("arguments", place))
            events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(place, arguments=whole)))

    def _text_delta(self, said: Json, events: list[StreamEvent]) -> None:
        piece = said.get("delta")
        if piece and isinstance(piece, str):
            self._said.add(_place(said))
            events.append(StreamEvent(EventKind.TEXT, piece))

    def _refusal_delta(self, said: Json, events: list[StreamEvent]) -> None:
        piece = said.get("delta")
        if piece and isinstance(piece, str):
            self._said.add(_place(said))
            events.append(StreamEvent(EventKind.REFUSAL, piece))

    def _part_done(self, said: Json, events: list[StreamEvent]) -> None:
        """What came only with the end of its part."""
        part = _dict(said, "part")
        kind = _TEXT_KINDS.get(str(part.get("type")))
        whole = part.get("text", part.get("refusal"))
        if kind is not None and whole and isinstance(whole, str) and _place(said) not in self._said:
            self._said.add(_place(said))
            events.append(StreamEvent(kind, whole))

    def _thought_began(self, said: Json, events: list[StreamEvent]) -> None:
        if self._thoughts:
            events.append(StreamEvent(EventKind.REASONING, "\n\n"))
        self._thoughts += 1

    def _thought_delta(self, said: Json, events: list[StreamEvent]) -> None:
        piece = said.get("delta")
        if piece and isinstance(piece, str):
            events.append(StreamEvent(EventKind.REASONING, piece))

    def _ended(self, said: Json, events: list[StreamEvent]) -> None:
        response = _dict(said, "response")
        reason = finish_reason_of(response, has_calls=bool(self._calls))
        if (extra := self._own.extra_content()) is not None:
            events.append(StreamEvent(EventKind.TEXT, details=extra))
        events.append(StreamEvent(EventKind.FINISH, finish_reason=reason))
        usage, is_valid = read_usage(response.get("usage"))
        if usage is not None and self._drawn:
            usage.units, usage.unit = self._drawn, "image"
        if usage is not None or not is_valid:
            events.append(StreamEvent(EventKind.USAGE, usage=usage))
        events.append(StreamEvent(EventKind.END))
        self.is_finished = True

    def _broke_off(self, said: Json, events: list[StreamEvent]) -> None:
        response = _dict(said, "response")
        failure = failure_from_body(200, response, {}) if response.get("error") else cut_short()
        events.append(self._failed(failure))

    def _error(self, said: Json, events: list[StreamEvent]) -> None:
        nested = said.get("error")
        flat = {name: said.get(name) for name in ("code", "message", "param")}
        body = {"error": nested} if isinstance(nested, dict) else {"error": flat}
        events.append(self._failed(failure_from_body(200, body, {})))

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


_Read = Callable[[ResponsesStreamReader, Json, list[StreamEvent]], None]
# Everything else says what the end of the item or of the answer says again (`….done`).
_READERS: dict[str, _Read] = {
    "response.output_item.added": ResponsesStreamReader._item_began,
    "response.output_item.done": ResponsesStreamReader._item_done,
    "response.function_call_arguments.delta": ResponsesStreamReader._arguments_delta,
    "response.function_call_arguments.done": ResponsesStreamReader._arguments_done,
    "response.custom_tool_call_input.delta": ResponsesStreamReader._arguments_delta,
    "response.custom_tool_call_input.done": ResponsesStreamReader._arguments_done,
    "response.output_text.annotation.added": ResponsesStreamReader._annotated,
    "response.output_text.delta": ResponsesStreamReader._text_delta,
    "response.refusal.delta": ResponsesStreamReader._refusal_delta,
    "response.content_part.done": ResponsesStreamReader._part_done,
    "response.reasoning_summary_part.added": ResponsesStreamReader._thought_began,
    "response.reasoning_summary_text.delta": ResponsesStreamReader._thought_delta,
    "response.reasoning_text.delta": ResponsesStreamReader._thought_delta,
    "response.completed": ResponsesStreamReader._ended,
    "response.incomplete": ResponsesStreamReader._ended,
    "response.failed": ResponsesStreamReader._broke_off,
    "response.cancelled": ResponsesStreamReader._broke_off,
    "error": ResponsesStreamReader._error,
}


def _give_frame(events: list[StreamEvent], before: int, frame: bytes) -> None:
    """Gives a frame to the first of the events that were read from it; the one that ends the answer, to its end."""
    if len(events) == before:
        events.append(StreamEvent(EventKind.OTHER, frame=frame))
    elif events[-1].kind is EventKind.END:
        events[-1].frame = frame
    else:
        events[before].frame = frame


def _dict(said: Json, name: str) -> Json:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _place(said: Json) -> tuple[object, ...]:
    """Which text of which item an event is about."""
    return "text", _index(said), str(said.get("content_index"))


def _index(said: Json) -> int:
    number = said.get("output_index")
    return number if isinstance(number, int) else -1


def _not_a_stream(body: bytes) -> AttemptFailure:
    try:
        said: Any = loads(body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("error"):
        return failure_from_body(200, said, {})
    return invalid_answer("its answer was not a stream")
