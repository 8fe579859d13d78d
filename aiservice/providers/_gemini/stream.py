"""Reads streamGenerateContent: server-sent events without an end mark, or a JSON array (or error) instead of them."""

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import MAX_MEDIA_BYTES, MediaSseSplitter, OversizedEvent, SseEvent, data_frame
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import invalid_answer
from aiservice.providers._gemini.response import Responses
from aiservice.wire import AttemptFailure, EventKind, StreamEvent

# A comment, a field's name (`data`, `event`, `id`, `retry`), or a byte order mark before it.
_EVENT_STARTS = b":deir\xef"
_TOO_LARGE = "an event of its stream was too large"


class GeminiStreamReader(StreamReader):
    """One stream. It is whole when it closed and every candidate had said why it ended. With `keeps_frames`, events
    carry the bytes that they were read from.

    Why it ended is told at the close: older models say STOP in every chunk, and a call may come behind it.
    """

    __slots__ = (
        "_body",
        "_has_begun",
        "_has_failed",
        "_keeps_frames",
        "_responses",
        "_splitter",
        "_wanted",
        "is_finished",
    )

    def __init__(self, wanted: int, *, is_one_call: bool = False, keeps_frames: bool = False) -> None:
        self._wanted = wanted
        self._keeps_frames = keeps_frames
        self._splitter = MediaSseSplitter()
        self._responses = Responses(is_one_call=is_one_call)
        self._body: bytes | None = None  # of a reply that is no stream of events
        self._has_failed = False
        self._has_begun = False
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed:
            return []
        if not self._has_begun and (start := chunk.lstrip()[:1]):
            self._has_begun = True
            self._body = None if start in _EVENT_STARTS else b""
        if self._body is not None:
            self._body += chunk
            return [self._failed(invalid_answer(_TOO_LARGE))] if len(self._body) > MAX_MEDIA_BYTES else []
        try:
            return self._read_all(self._splitter.feed(chunk))
        except OversizedEvent:
            return [self._failed(invalid_answer(_TOO_LARGE))]

    def end(self) -> list[StreamEvent]:
        if self._has_failed:
            return []
        try:
            events = self._read_body() if self._body is not None else self._read_all(self._splitter.end())
        except OversizedEvent:
            events = [self._failed(invalid_answer(_TOO_LARGE))]
        if events and events[-1].kind is EventKind.ERROR:
            return events
        self.is_finished = self._responses.is_whole(self._wanted)
        return events + self._responses.end()

    def _read_all(self, frames: list[SseEvent]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for frame in frames:
            if frame.data == b"[DONE]":  # no word of Google's, but of proxies before it
                continue
            try:
                said = loads(frame.data)
            except orjson.JSONDecodeError:
                events.append(self._failed(invalid_answer("its stream held something that is not JSON")))
                break
            first = len(events)
            self._read_one(said, events)
            if self._has_failed:
                break
            if self._keeps_frames:
                _frame(events, first, frame.frame)
        return events

    def _read_body(self) -> list[StreamEvent]:
        try:
            said = loads(self._body or b"")
        except orjson.JSONDecodeError:
            return [self._failed(invalid_answer("its answer was neither a stream nor JSON"))]
        events: list[StreamEvent] = []
        for one in said if isinstance(said, list) else [said]:
            first = len(events)
            self._read_one(one, events)
            if self._has_failed:
                break
            if self._keeps_frames:
                _frame(events, first, data_frame(orjson.dumps(one)))
        return events

    def _read_one(self, said: object, events: list[StreamEvent]) -> None:
        events += self._responses.read(said)
        if self._responses.failure is not None:
            events.append(self._failed(self._responses.failure))

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


def _frame(events: list[StreamEvent], first: int, frame: bytes) -> None:
    """Gives what was read from `frame` its bytes; what we have no word for goes on as well."""
    if len(events) == first:
        events.append(StreamEvent(EventKind.OTHER))
    events[first].frame = frame
