"""Framed records in an append-only file: length, CRC-32, payload. Damage costs the records it touches, no others."""

import struct
from collections.abc import Iterator
from zlib import crc32

MAX_PAYLOAD = 1 << 20
_HEAD = struct.Struct("<II")
HEAD_BYTES = _HEAD.size
# A payload is a JSON array or object: after damage, the reader looks for the next byte that can begin one.
_BEGINNINGS = (b"[", b"{")


def frame(payload: bytes) -> bytes:
    """`payload` as one record: its length and CRC-32 (little-endian, 4 bytes each), then itself.

    Raises:
        ValueError: larger than a reader would accept.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a record holds at most {MAX_PAYLOAD} bytes")
    return _HEAD.pack(len(payload), crc32(payload)) + payload


def read_records(data: bytes) -> Iterator[bytes]:
    """The payloads of all whole records in `data`, in order.

    A torn tail is simply the end. Inside, a record that fails its CRC is skipped by looking for the next place where a
    whole record stands, so one flipped byte loses one record. An empty payload is never a record: a hole of zeros,
    which a power cut may leave, would else read as many of them.
    """
    at = 0
    while at + HEAD_BYTES < len(data):
        payload = _record_at(data, at)
        if payload is not None:
            yield payload
            at += HEAD_BYTES + len(payload)
        else:
            at = _next_candidate(data, at + 1)


def _record_at(data: bytes, at: int) -> bytes | None:
    length, checksum = _HEAD.unpack_from(data, at)
    begin = at + HEAD_BYTES
    if not 0 < length <= MAX_PAYLOAD or begin + length > len(data):
        return None
    payload = data[begin : begin + length]
    return payload if crc32(payload) == checksum else None


def _next_candidate(data: bytes, at: int) -> int:
    """The first offset from `at` on where a record may begin; the end of `data` if there is none."""
    found = [place for mark in _BEGINNINGS if (place := data.find(mark, at + HEAD_BYTES)) >= 0]
    return min(found) - HEAD_BYTES if found else len(data)
