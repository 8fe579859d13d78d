"""Streams of sound, transcripts and images in OpenAI's events: passed on where they came so, else written here."""

import base64
from collections.abc import Iterable

import orjson

from aiservice.dialects._base import Json, Outcome, StreamWriter
from aiservice.errors import BrokerError
from aiservice.kit.sse import data_frame, named_frame
from aiservice.wire import EventKind, StreamEvent, Usage


class MediaWriter(StreamWriter):
    """Passes on events of the same wire, and writes the others."""

    def __init__(self) -> None:
        self._has_written = False

    def start(self, outcome: Outcome) -> bytes:
        return b""

    def events(self, events: Iterable[StreamEvent]) -> bytes:
        return b"".join(event.frame if event.frame is not None else self._built(event) for event in events)

    def done(self, outcome: Outcome) -> bytes:
        return self._end(outcome) if self._has_written else b""

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        return data_frame(orjson.dumps(error.body(outcome.request_id)))

    def _built(self, event: StreamEvent) -> bytes:
        """What an event without bytes of its own says; empty where that is nothing."""
        return b""

    def _end(self, outcome: Outcome) -> bytes:
        """What ends a stream that was written here."""
        return b""


class SpeechWriter(MediaWriter):
    """`speech.audio.delta` and `speech.audio.done`."""

    def _built(self, event: StreamEvent) -> bytes:
        if event.kind is not EventKind.MEDIA or event.details is None:
            return b""
        self._has_written = True
        sound = base64.b64encode(event.details["data"]).decode()
        return data_frame(orjson.dumps({"type": "speech.audio.delta", "audio": sound}))

    def _end(self, outcome: Outcome) -> bytes:
        return data_frame(orjson.dumps({"type": "speech.audio.done", "usage": _tokens(outcome.usage)}))


class SoundWriter(StreamWriter):
    """The sound itself, as it comes."""

    gives_bytes = True

    def start(self, outcome: Outcome) -> bytes:
        return b""

    def events(self, events: Iterable[StreamEvent]) -> bytes:
        return b"".join(event.details["data"] for event in events if event.kind is EventKind.MEDIA and event.details)

    def done(self, outcome: Outcome) -> bytes:
        return b""

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        return b""

    def keep_alive(self) -> bytes:
        return b""


class TranscriptWriter(MediaWriter):
    """`transcript.text.delta` and `transcript.text.done`."""

    def __init__(self) -> None:
        super().__init__()
        self._text: list[str] = []

    def _built(self, event: StreamEvent) -> bytes:
        if event.kind is EventKind.FINISH:
            self._has_written = True  # of a recording in which nothing is said, too
        if event.kind is not EventKind.TEXT or not event.text:
            return b""
        self._has_written = True
        self._text.append(event.text)
        return data_frame(orjson.dumps({"type": "transcript.text.delta", "delta": event.text}))

    def _end(self, outcome: Outcome) -> bytes:
        usage = outcome.usage
        told: Json = {"type": "tokens", **_tokens(usage)}
        if usage.unit == "second" and not usage.total_tokens:
            told = {"type": "duration", "seconds": usage.units}
        return data_frame(orjson.dumps({"type": "transcript.text.done", "text": "".join(self._text), "usage": told}))


class ImageWriter(MediaWriter):
    """`image_generation.completed`, or `image_edit.completed`: an answer that came whole has no drafts."""

    def __init__(self, *, is_edit: bool) -> None:
        super().__init__()
        self._kind = "image_edit.completed" if is_edit else "image_generation.completed"
        self._usage: Usage | None = None

    def _built(self, event: StreamEvent) -> bytes:
        if event.usage is not None:
            self._usage = event.usage
        if event.kind is not EventKind.MEDIA or event.details is None:
            return b""
        said: Json = {"type": self._kind, "created_at": event.details.get("created"), **event.details}
        said.pop("created", None)
        usage, self._usage = self._usage, None  # of all of them, told with the first
        if usage is not None:
            said["usage"] = _tokens(usage)
        return named_frame(self._kind, orjson.dumps(said))


def _tokens(usage: Usage) -> Json:
    told: Json = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    return told
