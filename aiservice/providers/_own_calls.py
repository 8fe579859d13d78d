"""What a vendor's own tools did on the way to an answer: searches, code and its output, calls of remote servers.

Our form has no words for them, so they travel as they came, under the vendor's name in the message's `extra_content`
(of a stream, once, before its end). `content_offset` says how many characters of text came before each,
`reasoning_offset` how many items of `reasoning_details`.
"""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.wire import Json

_MOST_BYTES = 4 * 1024 * 1024
_PLACE = ("content_offset", "reasoning_offset")


class OwnCalls:
    """Gathers them for one answer, up to 4 MiB; of what is more, `omitted` counts how many pieces there were."""

    __slots__ = ("_bytes", "_found", "_omitted", "_vendor")

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._found: dict[str, list[Json]] = {}
        self._bytes = 0
        self._omitted = 0

    def add(self, name: str, piece: Json, *, text_length: int | None = None, thoughts: int = 0) -> None:
        """Keeps `piece` under `name`; with its place, where text and thoughts may stand around it."""
        self._bytes += len(orjson.dumps(piece, default=str))
        if self._bytes > _MOST_BYTES:
            self._omitted += 1
            return
        if text_length is not None:
            piece = {**piece, "content_offset": text_length, "reasoning_offset": thoughts}
        self._found.setdefault(name, []).append(piece)

    def extra_content(self, **more: Any) -> Json | None:
        """The `extra_content` of the message, with what else its vendor says there; None where there is nothing."""
        if not self._found and not self._omitted:
            return None
        omitted = {"omitted": self._omitted} if self._omitted else {}
        return {self._vendor: {**more, **self._found, **omitted}}


def own_pieces(message: Json, vendor: str, name: str) -> list[tuple[int, int, Json]]:
    """(characters of text before it, thoughts before it, the piece as it came) of each that a client gave back."""
    extra = message.get("extra_content")
    own = extra.get(vendor) if isinstance(extra, dict) else None
    pieces = own.get(name) if isinstance(own, dict) else None
    found: list[tuple[int, int, Json]] = []
    for piece in pieces if isinstance(pieces, list) else ():
        if isinstance(piece, dict):
            text_length, thoughts = (_count(piece.get(place)) for place in _PLACE)
            found.append((text_length, thoughts, {key: said for key, said in piece.items() if key not in _PLACE}))
    return found


class OwnBlock:
    """A block of a stream that came in pieces: a call's input, as text, where it is no JSON; more of any other text."""

    __slots__ = ("_block", "_input", "_lists", "_texts")

    def __init__(self, block: Json) -> None:
        self._block = block
        self._input: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._lists: dict[str, list[Any]] = {}

    def take(self, delta: Json) -> None:
        """The next piece, in Anthropic's words."""
        for name, value in delta.items():
            if name == "partial_json" and type(value) is str:
                self._input.append(value)
            elif name != "type" and type(value) is str:
                self._texts.setdefault(name, []).append(value)

    def extend(self, name: str, pieces: list[Any]) -> None:
        """More items of the list that `name` is."""
        self._lists.setdefault(name, []).extend(pieces)

    def whole(self) -> Json:
        """The block, once its last piece came."""
        made = {**self._block, **self._lists}
        for name, pieces in self._texts.items():
            before = made.get(name)
            made[name] = "".join([before if isinstance(before, str) else "", *pieces])
        text = "".join(self._input)
        if text.strip():
            try:
                made["input"] = loads(text)
            except orjson.JSONDecodeError:
                made["input"] = text
        return made


def _count(given: object) -> int:
    return given if type(given) is int and given >= 0 else 0
