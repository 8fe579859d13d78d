"""Reads a stream of Anthropic's Messages API (platform.claude.com/docs/en/build-with-claude/streaming).

The first events say only that the prompt was taken; they are held until something is said, because an error often comes
first (overloaded), and until then another provider can still answer. Only `message_stop` says that an answer is whole.

Models that keep their thoughts to themselves send nothing but pings for minutes. While they think, each ping is an
empty piece of reasoning, so that a model at work is not taken for one that hangs.
"""

from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import OversizedEvent, SseEvent, SseSplitter
from aiservice.providers._anthropic_answer import (
    VENDOR,
    finish_reason_of,
    put_citations,
    read_usage,
    redacted_detail,
    refusal_words,
    thinking_detail,
)
from aiservice.providers._anthropic_errors import failure_from_body
from aiservice.providers._anthropic_tools import JSON_TOOL
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import invalid_answer
from aiservice.providers._own_calls import OwnBlock, OwnCalls
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent, ToolCallDelta

_TEXT: Final = EventKind.TEXT
_OPENING: Final = frozenset({"message_start", "ping", "content_block_start"})
_SAYS_NOTHING: Final = frozenset({EventKind.OTHER, EventKind.USAGE})
_DONE: Final = b"[DONE]"  # no part of this wire, but some look-alikes end with it


class _Block:
    """A block under way. `number` counts its own kind: calls from 0, thinking from 0."""

    __slots__ = ("has_input", "kind", "number", "offset", "own", "start_input")

    def __init__(self, kind: str, offset: int) -> None:
        self.kind = kind
        self.offset = offset  # characters of text before it
        self.number = 0
        self.start_input: object = None
        self.has_input = False
        self.own: OwnBlock | None = None  # where it is what the vendor itself ran


class MessagesStreamReader(StreamReader):
    """One stream. With `keeps_frames`, events carry the vendor's own bytes; what we have no word for comes as OTHER."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_has_begun",
        "_has_failed",
        "_has_read",
        "_held",
        "_is_json_tool",
        "_is_thinking",
        "_keeps_frames",
        "_length",
        "_own",
        "_splitter",
        "_thoughts",
        "_usage",
        "is_finished",
    )

    def __init__(self, *, keeps_frames: bool, is_json_tool: bool) -> None:
        self._keeps_frames = keeps_frames
        self._is_json_tool = is_json_tool
        self._splitter = SseSplitter()
        self._blocks: dict[Any, _Block] = {}
        self._calls = 0
        self._thoughts = 0
        self._length = 0  # of the text so far
        self._own = OwnCalls(VENDOR)
        self._usage: Json = {}
        self._held: list[StreamEvent] = []
        self._is_thinking = False
        self._has_begun = False
        self._has_failed = False
        self._has_read = False
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed:
            return []
        try:
            frames = self._splitter.feed(chunk)
        except OversizedEvent:
            return [self._failed(invalid_answer("an event of its stream was too large"))]
        return self._read_all(frames)

    def end(self) -> list[StreamEvent]:
        if self._has_failed:
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
            self._has_read = True
            if self.is_finished or frame.data == _DONE:
                continue
            first = len(events)
            said = self._read_one(frame, events)
            if self._has_failed:
                break
            if self._keeps_frames:
                if len(events) == first:
                    events.append(StreamEvent(EventKind.OTHER))
                events[first].frame = frame.frame
            if not self._has_begun:
                if said in _OPENING and all(event.kind in _SAYS_NOTHING for event in events[first:]):
                    self._held += events[first:]
                    del events[first:]
                else:
                    self._has_begun = True
                    events[:0] = self._held
        return events

    def _read_one(self, frame: SseEvent, events: list[StreamEvent]) -> str:
        """Reads one event into `events`; what kind it says it is."""
        try:
            event = loads(frame.data)
        except orjson.JSONDecodeError:
            events.append(self._failed(invalid_answer("its stream held something that is not JSON")))
            return ""
        if type(event) is not dict:
            events.append(self._failed(invalid_answer("its stream held something that is no event")))
            return ""
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = event.get("delta")
            if type(delta) is dict:
                self._read_delta(delta, event.get("index"), events)
        elif kind == "error" or event.get("error") or frame.name == b"error":
            events.append(self._failed(failure_from_body(200, event, {})))
        elif kind == "content_block_start":
            block = event.get("content_block")
            if type(block) is dict:
                self._start_block(block, event.get("index"), events)
        elif kind == "content_block_stop":
            self._stop_block(event.get("index"), events)
        elif kind == "message_start":
            message = event.get("message")
            if type(message) is dict:
                self._read_usage(message.get("usage"), events)
        elif kind == "message_delta":
            self._read_message_delta(event, events)
        elif kind == "message_stop":
            self._stop(events)
        elif kind == "ping" and self._is_thinking:
            events.append(StreamEvent(EventKind.REASONING))
        return kind if type(kind) is str else ""

    def _stop(self, events: list[StreamEvent]) -> None:
        if not self._has_begun and not self._held:
            events.append(self._failed(invalid_answer("its stream ended before an answer began")))
            return
        self.is_finished = True
        events.append(StreamEvent(EventKind.END))

    def _start_block(self, block: Json, index: Any, events: list[StreamEvent]) -> None:
        kind = block.get("type")
        kind = kind if type(kind) is str else ""
        made = _Block(kind, self._length)
        if kind == "text":
            self._say(block.get("text"), events)
        elif kind == "thinking":
            made.number = self._thoughts
            self._thoughts += 1
            self._is_thinking = True
            events.append(StreamEvent(EventKind.REASONING))
            self._think(made, block.get("thinking"), block.get("signature"), events)
        elif kind == "redacted_thinking":
            details = redacted_detail(self._thoughts, self._length, block.get("data"))
            events.append(StreamEvent(EventKind.REASONING, details=details))
            self._thoughts += 1
        elif kind == "tool_use":
            made.start_input = block.get("input")
            if self._is_json_tool and block.get("name") == JSON_TOOL:
                made.kind = "json"
            else:
                made.number = self._calls
                self._calls += 1
                call_id, name = block.get("id"), block.get("name")
                call = ToolCallDelta(
                    made.number, call_id if type(call_id) is str else None, name if type(name) is str else None
                )
                events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=call))
        elif kind and not self._keeps_frames:
            made.own, made.number = OwnBlock(block), self._thoughts
            events.append(StreamEvent(EventKind.REASONING))  # it is at work
        if index.__hash__ is not None:
            self._blocks[index] = made

    def _read_delta(self, delta: Json, index: Any, events: list[StreamEvent]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            self._say(delta.get("text"), events)
            return
        block = self._blocks.get(index) if index.__hash__ is not None else None
        if block is None:
            return
        if block.own is not None:
            block.own.take(delta)
        elif kind == "input_json_delta":
            piece = delta.get("partial_json")
            if piece and type(piece) is str:
                self._give_input(block, piece, events)
        elif kind == "thinking_delta":
            self._think(block, delta.get("thinking"), None, events)
        elif kind == "signature_delta":
            self._think(block, None, delta.get("signature"), events)
        elif kind == "citations_delta" and not self._keeps_frames:
            put_citations(self._own, [delta.get("citation")], block.offset)

    def _stop_block(self, index: Any, events: list[StreamEvent]) -> None:
        block = self._blocks.pop(index, None) if index.__hash__ is not None else None
        self._is_thinking = False
        if block is not None and block.own is not None:
            self._own.add("content", block.own.whole(), text_length=block.offset, thoughts=block.number)
        elif block is not None and not block.has_input and block.kind in ("tool_use", "json"):
            # Without arguments only an empty piece comes; some look-alikes give them whole at the start.
            self._give_input(block, orjson.dumps(block.start_input or {}).decode(), events)

    def _give_input(self, block: _Block, piece: str, events: list[StreamEvent]) -> None:
        block.has_input = True
        if block.kind == "json":
            self._say(piece, events)
        elif block.kind == "tool_use":
            call = ToolCallDelta(block.number, arguments=piece)
            events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=call))

    def _say(self, text: object, events: list[StreamEvent]) -> None:
        if text and type(text) is str:
            self._length += len(text)
            events.append(StreamEvent(_TEXT, text))

    def _think(self, block: _Block, text: object, signature: object, events: list[StreamEvent]) -> None:
        said = text if type(text) is str else ""
        if said or signature:
            details = thinking_detail(block.number, block.offset, said, signature)
            events.append(StreamEvent(EventKind.REASONING, said, details=details))

    def _read_message_delta(self, event: Json, events: list[StreamEvent]) -> None:
        delta = event.get("delta")
        if type(delta) is dict:
            native = delta.get("stop_reason")
            reason = finish_reason_of(native)
            if reason == "tool_calls" and self._is_json_tool and not self._calls:
                reason = "stop"
            refusal = refusal_words(delta) if reason == "content_filter" else ""
            if refusal:
                events.append(StreamEvent(EventKind.REFUSAL, refusal))
            if reason is not None:
                if (extra := self._own.extra_content()) is not None:
                    events.append(StreamEvent(_TEXT, details=extra))
                matched = delta.get("stop_sequence")
                text = matched if type(matched) is str else ""
                details = {"native_finish_reason": native}
                events.append(StreamEvent(EventKind.FINISH, text, finish_reason=reason, details=details))
        self._read_usage(event.get("usage"), events, is_last=True)

    def _read_usage(self, raw: Any, events: list[StreamEvent], *, is_last: bool = False) -> None:
        """Counts are cumulative; older servers repeat at the end only what has changed."""
        if type(raw) is not dict:
            return
        self._usage.update({name: value for name, value in raw.items() if value is not None})
        usage, _ = read_usage(self._usage)
        if usage is not None or is_last:
            events.append(StreamEvent(EventKind.USAGE, usage=usage))

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        self._held.clear()
        return StreamEvent(EventKind.ERROR, failure=failure)


def _not_a_stream(body: bytes) -> AttemptFailure:
    """A body without one event: an error object in plain JSON, or no answer at all."""
    try:
        said = loads(body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("error"):
        return failure_from_body(200, said, {})
    return invalid_answer("its answer was not a stream")
