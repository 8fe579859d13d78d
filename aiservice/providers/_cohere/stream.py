"""Cohere's stream of events (docs.cohere.com/reference/chat-stream). It is whole when `message-end` came."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import OversizedEvent, SseEvent, SseSplitter
from aiservice.providers._base import StreamReader
from aiservice.providers._cohere.answer import NO_ARGUMENTS, extra_content, finish_reason_of, text_of, usage_in
from aiservice.providers._cohere.errors import failure_of
from aiservice.providers._failures import invalid_answer
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent, ToolCallDelta

_TOO_LARGE = "an event of its stream was too large"


class ChatReader(StreamReader):
    """One stream. Citations and the plan are told once, at the end, as the whole answer tells them: a client that keeps
    `extra_content` has the same of both."""

    __slots__ = (
        "_arguments",
        "_calls",
        "_citations",
        "_has_failed",
        "_is_one_call",
        "_plan",
        "_splitter",
        "is_finished",
    )

    def __init__(self, *, is_one_call: bool = False) -> None:
        self._splitter = SseSplitter()
        self._is_one_call = is_one_call
        self._calls = 0
        self._arguments: str | None = None  # of the open call, as long as they may turn out to be none
        self._citations: list[Any] = []
        self._plan: list[str] = []
        self._has_failed = False
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed or self.is_finished:
            return []
        try:
            return self._read_all(self._splitter.feed(chunk))
        except OversizedEvent:
            return [self._failed(invalid_answer(_TOO_LARGE))]

    def end(self) -> list[StreamEvent]:
        if self._has_failed or self.is_finished:
            return []
        rest = self._splitter.rest.strip()
        try:
            if rest.startswith(b"{"):
                return self._read_body(rest)
            return self._read_all(self._splitter.end(), is_last=True)
        except OversizedEvent:
            return [self._failed(invalid_answer(_TOO_LARGE))]

    def _read_body(self, raw: bytes) -> list[StreamEvent]:
        """A reply that is no stream: an error after 200."""
        try:
            said = loads(raw)
        except orjson.JSONDecodeError:
            return []
        return [self._failed(failure_of(200, said, {}))]

    def _read_all(self, frames: list[SseEvent], *, is_last: bool = False) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for frame in frames:
            if frame.data == b"[DONE]":
                continue
            try:
                said = loads(frame.data)
            except orjson.JSONDecodeError:
                if not is_last:  # the last may have been cut off: that is seen by there being no end
                    events.append(self._failed(invalid_answer("its stream held something that is not JSON")))
                break
            if not isinstance(said, dict):
                events.append(self._failed(invalid_answer("its stream held something that is no event")))
            elif not isinstance(said.get("type"), str):
                events.append(self._failed(failure_of(200, said, {})))
            else:
                self._read(said, events)
            if self._has_failed or self.is_finished:
                break
        return events

    def _read(self, said: Json, events: list[StreamEvent]) -> None:
        kind, delta = said["type"], said.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        message = delta.get("message")
        message = message if isinstance(message, dict) else {}
        if kind in ("content-delta", "content-start"):
            _add_content(message.get("content"), events)
        elif kind == "tool-plan-delta":
            if plan := text_of(message.get("tool_plan")):
                self._plan.append(plan)
                events.append(StreamEvent(EventKind.REASONING, plan))
        elif kind in ("tool-call-start", "tool-call-delta"):
            self._read_call(message.get("tool_calls"), events, is_new=kind == "tool-call-start")
        elif kind == "tool-call-end":
            self._end_call(events)
        elif kind == "citation-start":
            cited = message.get("citations")
            self._citations += cited if isinstance(cited, list) else [cited] if cited else []
        elif kind == "message-end":
            self._end(delta, events)
        elif kind == "error":
            events.append(self._failed(failure_of(200, said, {})))

    def _read_call(self, call: Any, events: list[StreamEvent], *, is_new: bool) -> None:
        call = call[0] if isinstance(call, list) and call else call
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            events.append(self._failed(invalid_answer("its stream held a tool call that is none")))
            return
        if is_new:
            self._end_call(events)
            self._calls += 1
            self._arguments = ""
            self._call(events, "", text_of(call.get("id")), text_of(function.get("name")))
        piece = text_of(function.get("arguments"))
        if not piece or not self._calls:
            return
        if self._arguments is None:
            self._call(events, piece)
            return
        self._arguments += piece
        if not "null".startswith(self._arguments.strip()):
            self._call(events, self._arguments)
            self._arguments = None

    def _end_call(self, events: list[StreamEvent]) -> None:
        """What was held back: no arguments at all are an empty object."""
        held, self._arguments = self._arguments, None
        if held is not None:
            self._call(events, "{}" if held.strip() in NO_ARGUMENTS else held)

    def _call(
        self, events: list[StreamEvent], arguments: str, call_id: str | None = None, name: str | None = None
    ) -> None:
        if self._is_one_call and self._calls > 1:
            return
        delta = ToolCallDelta(self._calls - 1, call_id, name, arguments)
        events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=delta))

    def _end(self, delta: Json, events: list[StreamEvent]) -> None:
        finish = finish_reason_of(delta)
        if isinstance(finish, AttemptFailure):
            events.append(self._failed(finish))
            return
        self._end_call(events)
        extra = extra_content(self._citations, "".join(self._plan))
        if extra is not None:
            events.append(StreamEvent(EventKind.TEXT, details=extra))
        events.append(StreamEvent(EventKind.FINISH, finish_reason=finish))
        usage, is_valid = usage_in(delta.get("usage"))
        if usage is not None or not is_valid:
            events.append(StreamEvent(EventKind.USAGE, usage=usage))
        events.append(StreamEvent(EventKind.END))
        self.is_finished = True

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


def _add_content(content: Any, events: list[StreamEvent]) -> None:
    if not isinstance(content, dict):
        return
    if thought := text_of(content.get("thinking")):
        events.append(StreamEvent(EventKind.REASONING, thought))
    if text := text_of(content.get("text")):
        events.append(StreamEvent(EventKind.TEXT, text))
