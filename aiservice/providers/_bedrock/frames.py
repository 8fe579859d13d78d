"""AWS's binary event stream (smithy.io/2.0/aws/amazon-eventstream.html): frames with two checksums.

    u32 total | u32 headers | u32 CRC-32 of those eight bytes | headers | payload | u32 CRC-32 of all before it

big-endian; a header is `u8 length, name, u8 type, value`. What does not add up is refused: nothing is resynchronised.
"""

import struct
from binascii import crc32
from functools import lru_cache
from typing import Final, NamedTuple

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
MAX_HEADERS_BYTES: Final = 128 * 1024
_USUAL_HEADERS_BYTES: Final = 512
_PRELUDE: Final = struct.Struct(">III")
_LEAST_FRAME_BYTES: Final = 16
_PRELUDE_BYTES: Final = 12
_TEXT, _BYTES = 7, 6
# Of the types that are not text: how long their value is. A boolean's is in its type.
_FIXED_BYTES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


class BadFrame(ValueError):
    """Bytes that are no frame."""


class Frame(NamedTuple):
    """One frame; of its headers those that are text. Frames share them: they are looked at, not changed."""

    headers: dict[str, str]
    payload: bytes

    @property
    def kind(self) -> str:
        """`event`, `exception` or `error`."""
        return self.headers.get(":message-type", "")

    @property
    def name(self) -> str:
        """What kind of event or exception it is."""
        headers = self.headers
        return headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code") or ""


class FrameSplitter:
    """Cuts bytes as they come into frames. `rest` is how many bytes of an unfinished one are held."""

    __slots__ = ("_held", "_wanted")

    def __init__(self) -> None:
        self._held = bytearray()
        self._wanted = _PRELUDE_BYTES  # bytes to have before it is worth looking again

    @property
    def rest(self) -> int:
        return len(self._held)

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are whole now.

        Raises:
            BadFrame: a checksum is wrong, or a length cannot be.
        """
        held = self._held
        held += chunk
        frames: list[Frame] = []
        at, size = 0, len(held)
        while size - at >= self._wanted:
            total, header_bytes = _prelude(held, at)
            if size - at < total:
                self._wanted = total
                break
            frames.append(_frame(bytes(held[at : at + total]), header_bytes))
            at += total
            self._wanted = _PRELUDE_BYTES
        if at:
            del held[:at]
        return frames


def _prelude(held: bytearray, at: int) -> tuple[int, int]:
    total, header_bytes, checksum = _PRELUDE.unpack_from(held, at)
    if held[at] != 0:  # the length of a frame that may be is below 2 ** 24
        raise BadFrame("there is something that is no frame")
    if crc32(held[at : at + 8]) != checksum:
        raise BadFrame("the checksum of a prelude is wrong")
    if not _LEAST_FRAME_BYTES <= total <= MAX_FRAME_BYTES:
        raise BadFrame("a frame's length cannot be")
    if header_bytes > MAX_HEADERS_BYTES or header_bytes + _LEAST_FRAME_BYTES > total:
        raise BadFrame("the length of a frame's headers cannot be")
    return total, header_bytes


def _frame(raw: bytes, header_bytes: int) -> Frame:
    if crc32(raw[:-4]) != int.from_bytes(raw[-4:], "big"):
        raise BadFrame("the checksum of a frame is wrong")
    end = _PRELUDE_BYTES + header_bytes
    headers = raw[_PRELUDE_BYTES:end]
    return Frame(_known_headers(headers) if header_bytes < _USUAL_HEADERS_BYTES else _headers(headers), raw[end:-4])


@lru_cache(maxsize=256)  # the frames of streams have few kinds
def _known_headers(raw: bytes) -> dict[str, str]:
    return _headers(raw)


def _headers(raw: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at, end = 0, len(raw)
    while at < end:
        name_end = at + 1 + raw[at]
        if name_end >= end:
            raise BadFrame("a header is cut off")
        kind = raw[name_end]
        value_at = name_end + 1
        length = _FIXED_BYTES.get(kind)
        if length is None:
            if kind not in (_TEXT, _BYTES) or value_at + 2 > end:
                raise BadFrame("a header is of no known type")
            length = int.from_bytes(raw[value_at : value_at + 2], "big")
            value_at += 2
        if value_at + length > end:
            raise BadFrame("a header is cut off")
        if kind == _TEXT:
            name, value = raw[at + 1 : name_end], raw[value_at : value_at + length]
            headers[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        at = value_at + length
    return headers
