"""Speech and transcripts that come in pieces, by OpenAI's wire: `speech.audio.delta`, `transcript.text.delta`, and the
end of each, which carries the usage. Some end with `[DONE]`, which says nothing more."""

from collections.abc import Callable
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import MediaSseSplitter, OversizedEvent, SseEvent
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import invalid_answer
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_media import whole_seconds
from aiservice.wire import EventKind, StreamEvent, Usage

ReadUsage = Callable[[object], tuple[Usage | None, bool]]
_ENDS = ("speech.audio.done", "transcript.text.done")  # a tuple, as what is told may be any JSON


class MediaStreamReader(StreamReader):
    """Reads one; its frames are passed on."""

    def __init__(self, read_usage: ReadUsage) -> None:
        self._splitter = MediaSseSplitter()
        self._read_usage = read_usage
        self._is_failed = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        try:
            events = self._splitter.feed(chunk)
        except OversizedEvent:
            return [self._failed("an event of its stream was too large")]
        return self._read(events)

    def end(self) -> list[StreamEvent]:
        return self._read(self._splitter.end())

    def _read(self, events: list[SseEvent]) -> list[StreamEvent]:
        found: list[StreamEvent] = []
        for event in events:
            if self._is_failed:
                break
            found += self._one(event)
        return found

    def _one(self, event: SseEvent) -> list[StreamEvent]:
        if event.data == b"[DONE]":
            return [StreamEvent(EventKind.OTHER, frame=event.frame)]
        try:
            said: Any = loads(event.data)
        except orjson.JSONDecodeError:
            return [self._failed("an event of its stream was not JSON")]
        if not isinstance(said, dict):
            return [self._failed("an event of its stream was no object")]
        if said.get("error") or said.get("type") == "error":
            self._is_failed = True
            return [StreamEvent(EventKind.ERROR, failure=failure_from_body(200, said, {}))]
        kind = said.get("type")
        if kind in _ENDS:
            self.is_finished = True
            events = [StreamEvent(EventKind.FINISH, finish_reason="stop", frame=event.frame)]
            told = said.get("usage")
            usage, is_valid = self._by_the_second(told) or self._read_usage(told)
            if usage is not None or not is_valid:
                events.append(StreamEvent(EventKind.USAGE, usage=usage))
            return events
        if kind == "transcript.text.delta" and isinstance(said.get("delta"), str):
            return [StreamEvent(EventKind.TEXT, said["delta"], frame=event.frame)]
        if kind == "speech.audio.delta":
            return [StreamEvent(EventKind.TEXT, frame=event.frame)]
        return [StreamEvent(EventKind.OTHER, frame=event.frame)]

    def _by_the_second(self, told: object) -> tuple[Usage | None, bool] | None:
        """The usage of a model that is paid by the second; None of others."""
        if not isinstance(told, dict) or told.get("type") != "duration":
            return None
        seconds = whole_seconds(told.get("seconds"))
        if seconds is None:
            return None, False
        return Usage(source="counted", units=seconds, unit="second"), True

    def _failed(self, what: str) -> StreamEvent:
        self._is_failed = True
        return StreamEvent(EventKind.ERROR, failure=invalid_answer(what))
