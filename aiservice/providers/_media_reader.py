"""An answer of pictures, sound or text as it comes: in events of OpenAI's, as the sound itself, or whole.

Which it is, its first bytes tell: look-alikes answer whole where a stream was asked for, errors come as JSON after 200,
and who has no stream at all is read like this, too.
"""

from collections.abc import Callable, Mapping

from aiservice.kit.sse import MAX_MEDIA_BYTES, SMALL_BYTES
from aiservice.providers._base import AttemptFailed, StreamReader
from aiservice.providers._failures import invalid_answer
from aiservice.wire import Answer, Ask, AttemptFailure, EventKind, HttpReply, StreamEvent, Usage

Read = Callable[[HttpReply], Answer]
_EVENT_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":", b"\xef\xbb\xbf")
_LONGEST_START = 6
_OBJECT_STARTS = (b'{"', b"{}")


class MediaReader(StreamReader):
    """Reads one. `read` is its provider's for a whole reply; `events` reads the stream of events, where one may come.

    Sound is passed on chunk by chunk, unless `read` makes something else of it. What it is and what it costs is said by
    the request and the head, so that `read` tells it of the first chunk.
    """

    def __init__(self, ask: Ask, read: Read, events: StreamReader | None = None) -> None:
        self._ask = ask
        self._read = read
        self._events = events
        self._headers: Mapping[str, str] = {}
        self._held = b""
        self._whole: bytearray | None = None
        self._is_in_events = self._is_sound = self._has_failed = False
        self.media_type = ""
        self.is_finished = self.has_much = False

    def note_head(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed:
            return []
        if self._is_sound:
            return [StreamEvent(EventKind.MEDIA, details={"data": chunk})] if chunk else []
        if self._is_in_events and self._events is not None:
            return self._passed(self._events.feed(chunk))
        if self._whole is None:
            return self._begun(self._held + chunk)
        self._whole += chunk
        self.has_much = len(self._whole) > SMALL_BYTES
        if len(self._whole) > MAX_MEDIA_BYTES:
            return [self._failed(invalid_answer("its answer was too large"))]
        return []

    def end(self) -> list[StreamEvent]:
        if self._has_failed:
            return []
        if self._is_sound:
            self.is_finished = True
            return [StreamEvent(EventKind.FINISH, finish_reason="stop")]
        if self._is_in_events and self._events is not None:
            return self._passed(self._events.end())
        body = self._held if self._whole is None else bytes(self._whole)
        try:
            answer = self._read(HttpReply(200, self._headers, body))
        except AttemptFailed as failed:
            return [self._failed(failed.failure)]
        self.media_type, self.is_finished = answer.media_type, True
        return told_in(self._ask, answer)

    def _begun(self, begin: bytes) -> list[StreamEvent]:
        """Tells by the first bytes what is coming; until there are enough, they are held."""
        start = begin.lstrip()
        is_short = len(start) < _LONGEST_START
        if is_short and (not start or any(each.startswith(start) for each in (*_EVENT_STARTS, *_OBJECT_STARTS))):
            self._held = begin
            return []
        self._held = b""
        if self._events is not None and start.startswith(_EVENT_STARTS):
            self._is_in_events = True
            return self._passed(self._events.feed(begin))
        is_object = start[:1] == b"{" and start[1:].lstrip()[:1] in (b'"', b"}", b"")
        if self._ask.kind != "speech" or is_object:
            self._whole = bytearray(begin)
            return []
        return self._sounding(begin)

    def _sounding(self, begin: bytes) -> list[StreamEvent]:
        try:
            answer = self._read(HttpReply(200, self._headers, begin))
        except AttemptFailed as failed:
            return [self._failed(failed.failure)]
        if answer.media != begin:  # it is made into something else, for which all of it is needed
            self._whole = bytearray(begin)
            return []
        self._is_sound, self.media_type = True, answer.media_type
        sound = StreamEvent(EventKind.MEDIA, details={"data": begin})
        return [sound, StreamEvent(EventKind.USAGE, usage=answer.usage)]

    def _passed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        self.is_finished = self._events is not None and self._events.is_finished
        return events

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


def told_in(ask: Ask, answer: Answer) -> list[StreamEvent]:
    """A whole answer of such work as the events of a stream."""
    events = []
    if answer.usage is not None or not answer.is_usage_valid:
        usage: Usage | None = answer.usage if answer.is_usage_valid else None
        events.append(StreamEvent(EventKind.USAGE, usage=usage))
    if ask.kind == "image":
        about = {name: value for name, value in answer.body.items() if name not in ("data", "usage")}
        events += [StreamEvent(EventKind.MEDIA, details={**about, **one}) for one in answer.body["data"]]
    elif ask.kind == "speech":
        events.append(StreamEvent(EventKind.MEDIA, details={"data": answer.media}))
    else:
        events.append(StreamEvent(EventKind.TEXT, answer.body.get("text", "")))
    return [*events, StreamEvent(EventKind.FINISH, finish_reason="stop")]
