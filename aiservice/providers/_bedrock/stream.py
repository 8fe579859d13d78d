"""Reads ConverseStream: JSON events in AWS's binary frames (API reference, "ConverseStreamOutput").

Blocks of text and thoughts have no beginning of their own. Only `metadata`, which comes behind `messageStop`, says that
the answer is whole. The vendor's frames are of no client's wire: none is passed on.
"""

from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._anthropic_tools import JSON_TOOL
from aiservice.providers._base import AttemptFailed, StreamReader
from aiservice.providers._bedrock import errors
from aiservice.providers._bedrock.answer import (
    VENDOR,
    Wish,
    blob_bytes,
    called_unasked,
    data_of,
    finish_reason_of,
    put_citations,
    read_usage,
    sealed_item,
    signed,
)
from aiservice.providers._bedrock.frames import BadFrame, Frame, FrameSplitter
from aiservice.providers._failures import invalid_answer
from aiservice.providers._own_calls import OwnBlock, OwnCalls
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent, ToolCallDelta

_MAX_SEALED: Final = 4 * 1024 * 1024


class _Block:
    """A block under way. `number` counts its own kind: calls from 0, thoughts from 0."""

    __slots__ = ("has_input", "kind", "number", "offset", "own", "sealed")

    def __init__(self, kind: str, number: int = 0, offset: int = 0) -> None:
        self.kind = kind
        self.number = number
        self.offset = offset  # characters of text before it
        self.has_input = False
        self.sealed = b""
        self.own: tuple[str, OwnBlock] | None = None  # what the vendor itself ran, and Converse's name for it


class ConverseStreamReader(StreamReader):
    """One stream. Where one call at most was wished for, those behind the first are left out."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_format",
        "_has_failed",
        "_has_stopped",
        "_length",
        "_own",
        "_splitter",
        "_thoughts",
        "_wish",
        "is_finished",
    )

    def __init__(self, thought_format: str, wish: Wish) -> None:
        self._format = thought_format
        self._wish = wish
        self._splitter = FrameSplitter()
        self._blocks: dict[Any, _Block] = {}
        self._calls = self._thoughts = self._length = 0
        self._has_stopped = self._has_failed = False
        self._own = OwnCalls(VENDOR)
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed:
            return []
        events: list[StreamEvent] = []
        try:
            for frame in self._splitter.feed(chunk):
                self._read(frame, events)
        except BadFrame as exc:
            events.append(self._failed(invalid_answer(f"in its stream {exc}")))
        except AttemptFailed as exc:
            events.append(self._failed(exc.failure))
        return events

    def end(self) -> list[StreamEvent]:
        return []

    def _read(self, frame: Frame, events: list[StreamEvent]) -> None:
        if self._has_failed or self.is_finished:
            return
        said = payload_of(frame)
        if frame.kind != "event":
            events.append(self._failed(failure_in(frame, said)))
            return
        name = frame.name
        if name == "contentBlockDelta":
            delta = said.get("delta")
            if type(delta) is dict:
                self._read_delta(delta, said.get("contentBlockIndex"), events)
        elif name == "contentBlockStart":
            start = said.get("start")
            use = start.get("toolUse") if type(start) is dict else None
            if type(use) is dict and use.get("type") != "server_tool_use":
                self._start_call(use, said.get("contentBlockIndex"), events)
            elif type(start) is dict:
                self._start_own(start, said.get("contentBlockIndex"), events)
        elif name == "contentBlockStop":
            self._stop_block(said.get("contentBlockIndex"), events)
        elif name == "messageStop":
            self._stop(said.get("stopReason"), events)
        elif name == "metadata" and self._has_stopped:
            if "usage" in said:
                usage, _ = read_usage(said["usage"])
                events.append(StreamEvent(EventKind.USAGE, usage=usage))
            self.is_finished = True
            events.append(StreamEvent(EventKind.END))

    def _start_call(self, use: Json, index: Any, events: list[StreamEvent]) -> None:
        name, call_id = use.get("name"), use.get("toolUseId")
        if not self._wish.may_call:
            events.append(self._failed(called_unasked()))
            return
        if self._wish.is_json_tool and name == JSON_TOOL:
            block = _Block("json")
        elif self._calls and self._wish.is_one_call:
            block = _Block("")
        else:
            block = _Block("call", self._calls)
            self._calls += 1
            call = ToolCallDelta(
                block.number, call_id if type(call_id) is str else None, name if type(name) is str else None
            )
            events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=call))
        if type(index) is int:
            self._blocks[index] = block

    def _start_own(self, start: Json, index: Any, events: list[StreamEvent]) -> None:
        """What the vendor itself runs: a call, or its result."""
        for name, told in start.items():
            if type(told) is dict and type(index) is int:
                block = self._blocks[index] = _Block("own", self._thoughts, self._length)
                block.own = (name, OwnBlock(told))
                events.append(StreamEvent(EventKind.REASONING))  # it is at work

    def _read_delta(self, delta: Json, index: Any, events: list[StreamEvent]) -> None:
        text = delta.get("text")
        if text and type(text) is str:
            self._length += len(text)
            events.append(StreamEvent(EventKind.TEXT, text))
            return
        use, thought = delta.get("toolUse"), delta.get("reasoningContent")
        own = self._blocks.get(index) if type(index) is int else None
        if own is not None and own.own is not None:
            _take_own(own.own[1], delta)
            return
        if type(delta.get("citation")) is dict:
            put_citations(self._own, [delta["citation"]], self._length)
        if type(use) is dict:
            piece, block = use.get("input"), self._blocks.get(index) if type(index) is int else None
            if piece and type(piece) is str and block is not None:
                self._give_input(block, piece, events)
        elif type(thought) is dict:
            self._think(thought, index if type(index) is int else -1, events)

    def _think(self, thought: Json, index: int, events: list[StreamEvent]) -> None:
        block = self._blocks.get(index)
        if block is None or block.kind != "thought":
            block = self._blocks[index] = _Block("thought", self._thoughts, self._length)
            self._thoughts += 1
        sealed, text, signature = thought.get("redactedContent"), thought.get("text"), thought.get("signature")
        if sealed:
            block.sealed += blob_bytes(sealed)  # each piece is base64 of its own
            if len(block.sealed) > _MAX_SEALED:
                events.append(self._failed(invalid_answer("a sealed thought in its stream was too large")))
            else:
                events.append(StreamEvent(EventKind.REASONING))  # it is at work, and does not say at what
            return
        said = text if type(text) is str else ""
        if said or signature:
            details = signed(said, signature, block.number, block.offset, self._format)
            events.append(StreamEvent(EventKind.REASONING, said, details=details))

    def _give_input(self, block: _Block, piece: str, events: list[StreamEvent]) -> None:
        block.has_input = True
        if block.kind == "json":
            self._length += len(piece)
            events.append(StreamEvent(EventKind.TEXT, piece))
        elif block.kind == "call":
            events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(block.number, arguments=piece)))

    def _stop_block(self, index: Any, events: list[StreamEvent]) -> None:
        block = self._blocks.pop(index, None) if type(index) is int else None
        if block is None:
            return
        if block.own is not None:
            name, told = block.own
            self._own.add("content", {name: told.whole()}, text_length=block.offset, thoughts=block.number)
        elif block.kind in ("call", "json") and not block.has_input:
            self._give_input(block, "{}", events)
        elif block.sealed:
            data = data_of(block.sealed, self._format)
            details = sealed_item(data, block.number, block.offset, self._format)
            events.append(StreamEvent(EventKind.REASONING, details=details))

    def _stop(self, said: Any, events: list[StreamEvent]) -> None:
        reason = finish_reason_of(said)
        if isinstance(reason, AttemptFailure):
            events.append(self._failed(reason))
            return
        for index in list(self._blocks):  # a block that nobody closed
            self._stop_block(index, events)
        if reason == "tool_calls" and self._wish.is_json_tool and not self._calls:
            reason = "stop"
        self._has_stopped = True
        if (extra := self._own.extra_content()) is not None:
            events.append(StreamEvent(EventKind.TEXT, details=extra))
        events.append(StreamEvent(EventKind.FINISH, finish_reason=reason, details={"native_finish_reason": said}))

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


def _take_own(block: OwnBlock, delta: Json) -> None:
    """A piece of what the vendor itself ran: of a call's input, or of a result's content."""
    use, result = delta.get("toolUse"), delta.get("toolResult")
    if type(use) is dict and type(use.get("input")) is str:
        block.take({"partial_json": use["input"]})
    elif result is not None:
        block.extend("content", result if type(result) is list else [result])


def payload_of(frame: Frame) -> Json:
    """The object in a frame; empty where it holds none, as an error's may.

    Raises:
        AttemptFailed: an event that is no JSON object.
    """
    try:
        said = loads(frame.payload)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict):
        return said
    if frame.kind == "event":
        raise AttemptFailed(invalid_answer("its stream held something that is no event"))
    return {}


def failure_in(frame: Frame, said: Json) -> AttemptFailure:
    """The failure that a frame which is no event says."""
    message = said.get("message", said.get("Message")) or frame.headers.get(":error-message")
    return errors.failure(200, frame.name, message, {})
