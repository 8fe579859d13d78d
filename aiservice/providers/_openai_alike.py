"""Chunks of a stream that differ from one before in their text alone, as nearly all do with most providers: what stands
around the text was read once, and says the same again, so that only the text is read."""

import orjson

from aiservice.kit.sse import MAX_LINE_BYTES
from aiservice.wire import EventKind, StreamEvent

_PROBE = "\u2062 another text "  # of no answer; written in JSON as it is
_DATA, _END = b"data: ", b"\n\n"
_TEXT = EventKind.TEXT  # a member of an Enum takes seven times as long to get at


class Alike:
    """What stands before and after the text of a chunk, from `data: ` to the blank line."""

    __slots__ = ("_after", "_before", "_choice", "_ends", "_keeps_frames", "_starts")

    def __init__(self, before: bytes, after: bytes, choice: int, *, keeps_frames: bool) -> None:
        self._before = before
        self._after = after
        self._starts = len(before)
        self._ends = -len(after)
        self._choice = choice
        self._keeps_frames = keeps_frames

    def read(self, chunk: bytes) -> StreamEvent | None:
        """What `chunk` says, where it is one whole event that differs in its text alone; None: it has to be read."""
        if not chunk.startswith(self._before) or not chunk.endswith(self._after) or len(chunk) > MAX_LINE_BYTES:
            return None
        raw = chunk[self._starts : self._ends]
        if b'"' in raw or b"\\" in raw:  # the text may end here, or has to be read as JSON
            return None
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return None
        # What is printable holds no line end, with which the event would end, and nothing that JSON refuses.
        if not text or not text.isprintable():
            return None
        return StreamEvent(_TEXT, text, self._choice, None, None, None, None, chunk if self._keeps_frames else None)


def alike(chunk: bytes, said: StreamEvent, *, keeps_frames: bool) -> Alike | None:
    """What chunks are like `chunk`, one whole event that `said` nothing but a text; None, where that cannot be told."""
    if keeps_frames and said.frame is not chunk:  # it was mended
        return None
    literal = orjson.dumps(said.text)
    before, found, after = chunk.partition(literal)
    if not found or not chunk.startswith(_DATA) or not chunk.endswith(_END) or said.details is not None:
        return None
    # The same characters may stand elsewhere: that these are the text is seen from another in their place.
    try:
        probed = orjson.loads(before.removeprefix(_DATA) + orjson.dumps(_PROBE) + after)
    except orjson.JSONDecodeError:
        return None
    choices = probed.get("choices")
    delta = choices[0].get("delta") if type(choices) is list and len(choices) == 1 else None
    if type(delta) is not dict or delta.get("content") != _PROBE:
        return None
    return Alike(before + b'"', b'"' + after, said.choice, keeps_frames=keeps_frames)
