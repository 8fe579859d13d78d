"""Server-sent events, read and written (html.spec.whatwg.org, "Server-sent events")."""

from dataclasses import dataclass
from typing import ClassVar

MAX_LINE_BYTES = 1 << 20
MAX_EVENT_BYTES = 4 << 20
SMALL_BYTES = 256 << 10
"""What is longer takes a while to be read."""
MAX_MEDIA_BYTES = 32 << 20
"""Of an event that may hold a picture or a piece of sound, and of its line: as long as a whole answer may be."""
_LARGE_BYTES = (
    64 << 10
)  # an unfinished event beyond this is grown where it is: copied with every chunk it takes too long
_ENDS_WITHIN = 16  # bytes: its last brace, and line ends behind it


class OversizedEvent(Exception):
    """A line or an event is larger than any honest provider sends."""


@dataclass(slots=True)  # not frozen: that would cost more than the rest of reading an event
class SseEvent:
    """`data` joins the event's data lines; `frame` is the event as it came with plain line ends and its blank line."""

    data: bytes
    frame: bytes
    name: bytes = b""


class SseSplitter:
    """Cuts a byte stream into events, wherever its chunks were cut.

    Accepts LF, CRLF and CR line ends, `data:` with and without the space, and comments (which give no event).
    Time is linear in the bytes fed: what was searched once is not searched again.
    """

    most_line_bytes: ClassVar[int] = MAX_LINE_BYTES
    most_event_bytes: ClassVar[int] = MAX_EVENT_BYTES

    __slots__ = ("_buffer", "_ends_with_cr", "_is_first", "_is_large", "_line_start", "_searched", "is_between")

    def __init__(self) -> None:
        self._buffer: bytes | bytearray = b""
        self._is_large = False  # the unfinished event, which is then grown in a bytearray
        self._line_start = 0  # of the large event's last line
        self._searched = 0
        self._ends_with_cr = False
        self._is_first = True
        self.is_between = True
        """Whether the last event is over, and what comes is the next one's."""

    @property
    def rest(self) -> bytes:
        """The bytes of an unfinished event."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that `chunk` completes.

        Raises:
            OversizedEvent: a line over 1 MiB or an event over 4 MiB.
        """
        if (
            self.is_between
            and chunk.startswith(b"data: ")
            and chunk.endswith(b"\n\n")
            and chunk.count(b"\n") == 2
            and b"\r" not in chunk
            and len(chunk) <= self.most_line_bytes
        ):  # exactly one event of one line: what nearly every provider sends at a time
            self._is_first = False
            return [SseEvent(chunk[6:-2], chunk)]
        if self._is_first and chunk:
            self._is_first = False
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        if self._ends_with_cr or b"\r" in chunk:
            chunk = self._with_plain_line_ends(chunk)
        if self._is_large:
            if not self._ends_large(chunk):
                return []
            self._buffer, self._is_large, chunk = bytes(self._buffer), False, b""
            if (whole := self._one_large(self._buffer)) is not None:
                return [whole]
        buffer = bytes(self._buffer) + chunk if self._buffer else chunk
        end = buffer.rfind(b"\n\n", max(self._searched - 1, 0))
        if end < 0:
            self._hold(buffer)
            return []
        self._hold(buffer[end + 2 :])
        events = []
        for block in filter(None, buffer[:end].split(b"\n\n")):
            event = _read_block(block, self.most_line_bytes, self.most_event_bytes)
            if event is not None:
                events.append(event)
        return events

    def end(self) -> list[SseEvent]:
        """The event left when the stream closed without its blank line, if it is whole lines of data: of a large one
        only if it may be whole JSON."""
        if len(self._buffer) > MAX_LINE_BYTES and not self._buffer[-_ENDS_WITHIN:].rstrip(b"\n").endswith((b"}", b"]")):
            self._buffer, self._is_large = b"", False
            return []  # cut off: megabytes are not copied, for a reader of JSON to say so
        block, self._buffer, self._is_large = self.rest.strip(b"\n"), b"", False
        event = _read_block(block, self.most_line_bytes, self.most_event_bytes) if block else None
        return [event] if event is not None else []

    def _hold(self, rest: bytes) -> None:
        if len(rest) > self.most_line_bytes and (
            len(rest) > self.most_event_bytes or max(map(len, rest.split(b"\n"))) > self.most_line_bytes
        ):
            raise OversizedEvent("an event of the stream is too large")
        self._buffer = rest
        self._searched = len(rest)
        self.is_between = not rest and not self._ends_with_cr
        if len(rest) > _LARGE_BYTES:
            self._buffer, self._is_large, self._line_start = bytearray(rest), True, rest.rfind(b"\n") + 1

    def _ends_large(self, chunk: bytes) -> bool:
        """Adds to a large event; whether it is over. Looks at nothing twice.

        Raises:
            OversizedEvent: as `feed`.
        """
        held, before = self._buffer, len(self._buffer)
        held += chunk
        if held.find(b"\n\n", max(before - 1, 0)) >= 0:
            return True
        first = held.find(b"\n", before)
        longest = (len(held) if first < 0 else first) - self._line_start
        if len(chunk) > self.most_line_bytes:
            longest = max(longest, *map(len, chunk.split(b"\n")))
        if len(held) > self.most_event_bytes or longest > self.most_line_bytes:
            raise OversizedEvent("an event of the stream is too large")
        self._searched = len(held)
        if first >= 0:
            self._line_start = held.rfind(b"\n") + 1
        return False

    def _one_large(self, held: bytes) -> SseEvent | None:
        """What is exactly one event of one line, with one copy of its megabytes instead of three."""
        size = len(held) - 2
        if not held.startswith(b"data: ") or held.find(b"\n") != size or size > self.most_line_bytes:
            return None
        self._hold(b"")
        return SseEvent(held[6:-2], held)

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        if self._ends_with_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if chunk:
            self._ends_with_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class MediaSseSplitter(SseSplitter):
    """The same for streams whose events may hold pictures and sound."""

    __slots__ = ()
    most_line_bytes = most_event_bytes = MAX_MEDIA_BYTES


def _read_block(block: bytes, most_line: int, most_event: int) -> SseEvent | None:
    if len(block) > most_event:
        raise OversizedEvent("an event of the stream is too large")
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly every event of nearly every provider
        return SseEvent(block[6:], block + b"\n\n")
    data, name = [], b""
    for line in block.split(b"\n"):
        if len(line) > most_line:
            raise OversizedEvent("a line of the stream is too large")
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    if not data:
        return None
    return SseEvent(b"\n".join(data), block.lstrip(b"\n") + b"\n\n", name)


def data_frame(data: bytes) -> bytes:
    """One event with `data`, which must hold no line end (JSON never does)."""
    return b"data: " + data + b"\n\n"


def named_frame(name: str, data: bytes) -> bytes:
    """One named event with `data`, which must hold no line end."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
