"""Speech, transcripts and images that come in events, by OpenAI's wire: `speech.audio.delta`, `transcript.text.delta`,
`image_generation.partial_image`, and the end of each, which carries the usage. Some end with `[DONE]`, which says
nothing more."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import SMALL_BYTES, MediaSseSplitter, OversizedEvent, SseEvent
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import invalid_answer
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_media import media_tokens, spoken_usage, whole_seconds
from aiservice.wire import Ask, AskKind, EventKind, MediaTokens, StreamEvent, Usage

ReadUsage = Callable[[object], tuple[Usage | None, bool]]
_TOKENS_OF_A_DRAFT = 100  # platform.openai.com/docs/guides/image-generation, "Streaming"
_ENDS: dict[AskKind, str] = {"speech": "speech.audio.done", "transcription": "transcript.text.done"}
# Tuples, as what is told may be any JSON.
_PAYLOAD = re.compile(rb'"(?:b64_json|audio)"\s*:\s*"')
_DRAFTS = ("image_generation.partial_image", "image_edit.partial_image")
_DRAWN = ("image_generation.completed", "image_edit.completed")


class MediaStreamReader(StreamReader):
    """Reads one; its frames are passed on. Until its end says what it used, that is what it gave so far, counted."""

    def __init__(self, ask: Ask, read_usage: ReadUsage) -> None:
        self._splitter = MediaSseSplitter()
        self._ask = ask
        self._read_usage = read_usage
        self._is_failed = self._has_spoken = False
        self._drafts = self._images = 0
        self._of_images = Usage(source="counted")

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
            said: Any = loads(event.data if len(event.data) <= SMALL_BYTES else _without_payload(event.data))
        except orjson.JSONDecodeError:
            return [self._failed("an event of its stream was not JSON")]
        if not isinstance(said, dict):
            return [self._failed("an event of its stream was no object")]
        if said.get("error") or said.get("type") == "error":
            self._is_failed = True
            return [StreamEvent(EventKind.ERROR, failure=failure_from_body(200, said, {}))]
        kind, work = said.get("type"), self._ask.kind
        if kind == _ENDS.get(work):
            return self._ended(said, event)
        if work == "image" and (kind in _DRAFTS or kind in _DRAWN):
            return self._drawn(said, event, is_draft=kind in _DRAFTS)
        if work == "transcription" and kind == "transcript.text.delta" and isinstance(said.get("delta"), str):
            return [StreamEvent(EventKind.TEXT, said["delta"], frame=event.frame)]
        if work == "speech" and kind == "speech.audio.delta":
            sound = [StreamEvent(EventKind.MEDIA, frame=event.frame)]
            if self._has_spoken:
                return sound
            self._has_spoken = True
            return [*sound, StreamEvent(EventKind.USAGE, usage=spoken_usage(self._ask))]
        return [StreamEvent(EventKind.OTHER, frame=event.frame)]

    def _ended(self, said: dict[str, Any], event: SseEvent) -> list[StreamEvent]:
        self.is_finished = True
        events = [StreamEvent(EventKind.FINISH, finish_reason="stop", frame=event.frame)]
        told = said.get("usage")
        usage, is_valid = self._by_the_second(told) or self._read_usage(told)
        if usage is not None:
            usage.media = media_tokens(self._ask.kind, told, usage)
        if usage is not None or not is_valid:
            events.append(StreamEvent(EventKind.USAGE, usage=usage))
        return events

    def _drawn(self, said: dict[str, Any], event: SseEvent, *, is_draft: bool) -> list[StreamEvent]:
        """A picture, or a draft of one. The stream is whole with as many as were asked for; each says its own usage."""
        events = [StreamEvent(EventKind.MEDIA, frame=event.frame)]
        asked = self._ask.at_most or Usage()
        if is_draft:
            self._drafts += 1
            counted = Usage(0, _TOKENS_OF_A_DRAFT * self._drafts, source="counted", unit="image")
            if not self._images:
                events.append(StreamEvent(EventKind.USAGE, usage=counted))
            return events
        self._images += 1
        told = said.get("usage")
        usage, is_valid = self._read_usage(told) if told is not None else (Usage(source="counted"), True)
        if usage is None or not is_valid:
            events.append(StreamEvent(EventKind.USAGE))
        else:
            usage.media = media_tokens("image", told, usage)
            self._of_images = _together(self._of_images, usage) if self._images > 1 else usage
            whole = replace(self._of_images, units=self._images, unit="image", unit_quality=asked.unit_quality)
            events.append(StreamEvent(EventKind.USAGE, usage=whole))
        if self._images >= max(1, asked.units):
            self.is_finished = True
            events.append(StreamEvent(EventKind.FINISH, finish_reason="stop"))
        return events

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


def _without_payload(data: bytes) -> bytes:
    """An event without its picture or sound, which nothing here looks at: to read megabytes of it takes a while."""
    begin = _PAYLOAD.search(data)
    end = data.find(b'"', begin.end()) if begin is not None else -1
    return data if begin is None or end < 0 else data[: begin.end()] + data[end:]


def _together(one: Usage, other: Usage) -> Usage:
    """The usage of two pictures."""
    media = other.media
    if one.media is not None and other.media is not None:
        media = MediaTokens(*(a + b for a, b in zip(one.media, other.media, strict=True)))
    return replace(
        other,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_input_tokens=one.cached_input_tokens + other.cached_input_tokens,
        media=media,
    )
