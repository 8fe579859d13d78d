"""Numbers a stream's events, and finds the rest after a number (html.spec.whatwg.org, "Server-sent events").

An id is the stream's name, a colon and the event's number, from 1 on: `id: req_1:7`. Whoever has the last one it saw
knows which stream it was, and where.
"""

import re

_ID = re.compile(r"([A-Za-z0-9_]{1,64}):(0|[1-9][0-9]{0,8})")
_FOREIGN_ID = re.compile(rb"^id(?::[^\n]*)?(?:\n|\Z)", re.MULTILINE)


class EventIds:
    """Puts an id before each event of one stream, whose line ends are LF; a comment has none."""

    __slots__ = ("_held", "_prefix", "count")

    def __init__(self, stream: str) -> None:
        self._prefix = b"id: " + stream.encode() + b":"
        self._held = b""
        self.count = 0
        """Events so far."""

    def number(self, piece: bytes) -> bytes:
        """`piece` with the ids of the events that it completes; what is not complete is held back."""
        if self._held:
            piece = self._held + piece
        blocks = piece.split(b"\n\n")
        self._held = blocks.pop()
        return b"".join([self._numbered(block) for block in blocks])

    def end(self) -> bytes:
        """What is held back: no event as it stands, since its blank line is missing."""
        held, self._held = self._held, b""
        return held

    def _numbered(self, block: bytes) -> bytes:
        block = block.lstrip(b"\n")
        if b"\nid" in block or block.startswith(b"id"):  # a provider's own, which its event would answer to
            block = _FOREIGN_ID.sub(b"", block).rstrip(b"\n")
        if not block:
            return b""
        if block.startswith(b":") and b"\n" not in block:
            return block + b"\n\n"
        self.count += 1
        return b"%b%d\n%b\n\n" % (self._prefix, self.count, block)


class Rest:
    """Leaves out of a numbered stream what somebody has already: all up to the event with a number, and from then on
    what was given out."""

    __slots__ = ("_mark", "after", "last")

    def __init__(self, stream: str, after: int) -> None:
        self._mark = b"\n\nid: " + stream.encode() + b":"
        self.after = after
        self.last = 0
        """The number of the last event that was seen, left out or not."""

    def of(self, piece: bytes) -> bytes:
        """What `piece`, which holds whole events, has beyond them."""
        blocks = b"\n\n" + piece
        first = blocks.find(self._mark)
        if first < 0:  # comments alone: they go with the event before them
            return piece if self.last >= self.after else b""
        after, self.last = self.after, self._number_at(blocks, blocks.rfind(self._mark))
        self.after = max(after, self.last)
        if self._number_at(blocks, first) > after:
            return piece
        if self.last < after:
            return b""
        seen = blocks.index(self._mark + b"%d\n" % after)
        return blocks[blocks.index(b"\n\n", seen + 2) + 2 :]

    def _number_at(self, blocks: bytes, place: int) -> int:
        begin = place + len(self._mark)
        return int(blocks[begin : blocks.index(b"\n", begin)])


def read_event_id(text: str) -> tuple[str, int] | None:
    """The stream and the number that an id names; None where it is none of ours."""
    found = _ID.fullmatch(text)
    return (found[1], int(found[2])) if found is not None else None
