"""Ollama's stream: one JSON object a line (application/x-ndjson). It is whole when a line says `done`."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import invalid_answer
from aiservice.providers._ollama.answer import calls_in, finish_of, text_of, usage_in
from aiservice.providers._openai_errors import failure_from_body
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent, ToolCallDelta

MAX_LINE_BYTES = 4 << 20


class LinesReader(StreamReader):
    """Reads the lines of /api/chat, and of /api/generate, whose text is in `response`."""

    __slots__ = ("_calls", "_has_failed", "_pieces", "_waiting_bytes", "is_finished")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._calls = 0
        self._has_failed = False
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._is_over():
            return []
        events: list[StreamEvent] = []
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._pieces.append(line)
            self._read(b"".join(self._pieces), events)
            self._pieces, self._waiting_bytes = [], 0
            if self._is_over():
                return events
        if rest:
            self._pieces.append(rest)
            self._waiting_bytes += len(rest)
            if self._waiting_bytes > MAX_LINE_BYTES:
                events.append(self._failed(invalid_answer("a line of its stream was too large")))
        return events

    def end(self) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if self._pieces and not self._is_over():
            self._read(b"".join(self._pieces), events, is_last=True)
            self._pieces = []
        return events

    def _is_over(self) -> bool:
        return self._has_failed or self.is_finished

    def _read(self, line: bytes, events: list[StreamEvent], *, is_last: bool = False) -> None:
        line = line.strip()
        if not line:
            return
        try:
            said = loads(line)
        except orjson.JSONDecodeError:
            if not is_last:  # the last may have been cut off: that is seen by there being no `done`
                events.append(self._failed(invalid_answer("its stream held something that is not JSON")))
            return
        if not isinstance(said, dict):
            events.append(self._failed(invalid_answer("its stream held something that is no answer")))
        elif said.get("error"):
            events.append(self._failed(failure_from_body(200, said, {})))
        else:
            self._read_object(said, events)

    def _read_object(self, said: Json, events: list[StreamEvent]) -> None:
        message: Any = said.get("message")
        message = message if isinstance(message, dict) else said
        if thinking := text_of(message.get("thinking")):
            events.append(StreamEvent(EventKind.REASONING, thinking))
        if text := text_of(message.get("content")) or text_of(said.get("response")):
            events.append(StreamEvent(EventKind.TEXT, text))
        for call in calls_in(message):
            function = call["function"]
            delta = ToolCallDelta(self._calls, call["id"], function["name"], function["arguments"])
            events.append(StreamEvent(EventKind.TOOL_CALL, tool_call=delta))
            self._calls += 1
        if said.get("done") is True:
            finish = finish_of(said, has_called=self._calls > 0)
            events.append(StreamEvent(EventKind.FINISH, finish_reason=finish))
            usage, is_valid = usage_in(said)
            if usage is not None or not is_valid:
                events.append(StreamEvent(EventKind.USAGE, usage=usage))
            events.append(StreamEvent(EventKind.END))
            self.is_finished = True

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)
