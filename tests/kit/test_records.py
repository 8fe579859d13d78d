"""Framed records: whatever is torn or flipped costs the records it touched and no others."""

from zlib import crc32

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.kit.records import HEAD_BYTES, MAX_PAYLOAD, frame, read_records

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
PAYLOADS = st.lists(st.lists(JSON, max_size=5).map(orjson.dumps), max_size=8)
SAMPLE = [orjson.dumps([number, "x" * number, {"a": [number]}]) for number in range(6)]


@settings(deadline=None)
@given(PAYLOADS)
def test_what_was_written_is_read(payloads: list[bytes]) -> None:
    assert list(read_records(b"".join(map(frame, payloads)))) == payloads


def test_a_tail_torn_at_any_byte_costs_only_the_last_record() -> None:
    data = b"".join(map(frame, SAMPLE))
    ends = [sum(HEAD_BYTES + len(each) for each in SAMPLE[: n + 1]) for n in range(len(SAMPLE))]
    for cut in range(len(data) + 1):
        whole = sum(end <= cut for end in ends)
        assert list(read_records(data[:cut])) == SAMPLE[:whole]


def test_a_byte_flipped_anywhere_costs_one_record() -> None:
    data = b"".join(map(frame, SAMPLE))
    for at in range(len(data)):
        for bit in (0x01, 0x80):
            damaged = bytearray(data)
            damaged[at] ^= bit
            found = list(read_records(bytes(damaged)))
            assert len(found) == len(SAMPLE) - 1
            assert all(each in SAMPLE for each in found)


@settings(deadline=None)
@given(PAYLOADS, PAYLOADS, st.binary(max_size=300))
def test_garbage_between_records_is_passed_over(before: list[bytes], after: list[bytes], garbage: bytes) -> None:
    found = list(read_records(b"".join(map(frame, before)) + garbage + b"".join(map(frame, after))))
    assert found[: len(before)] == before
    # Garbage may look like the head of a record that holds what follows; it never invents one.
    invented = set(found) - set(before) - set(after)
    assert all(frame(each) in garbage for each in invented)


def test_a_hole_of_zeros_is_no_record() -> None:
    """A power cut may leave a file longer than what was written to it."""
    data = frame(SAMPLE[1]) + bytes(4096) + frame(SAMPLE[2])
    assert list(read_records(data)) == [SAMPLE[1], SAMPLE[2]]


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_can_be_read(data: bytes) -> None:
    for payload in read_records(data):
        assert crc32(payload).to_bytes(4, "little") + payload in data


def test_a_record_too_large_to_be_read_is_not_written() -> None:
    assert list(read_records(frame(b"[" * MAX_PAYLOAD))) == [b"[" * MAX_PAYLOAD]
    with pytest.raises(ValueError, match="at most"):
        frame(b"[" * (MAX_PAYLOAD + 1))
