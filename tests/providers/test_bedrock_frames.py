"""AWS's binary event stream: whole frames, whatever the cuts; nothing that does not add up; botocore agrees."""

import struct
from binascii import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._bedrock.frames import MAX_FRAME_BYTES, BadFrame, Frame, FrameSplitter
from tests.mock.shapes.bedrock import frame

_ONE = frame("contentBlockDelta", b'{"delta":{"text":"Hi"}}', **{":content-type": "application/json"})
_NAMES = st.text("abcdefgh-:", min_size=1, max_size=20)
_FRAMES = st.lists(
    st.builds(
        lambda kind, payload, more: frame(kind, payload, **more),
        st.text(max_size=12),
        st.binary(max_size=60),
        st.dictionaries(_NAMES, st.text(max_size=12), max_size=3),
    ),
    max_size=5,
)


def split(*chunks: bytes) -> list[Frame]:
    splitter = FrameSplitter()
    return [found for chunk in chunks for found in splitter.feed(chunk)]


def test_a_frame_says_its_kind_its_name_and_its_payload() -> None:
    (found,) = split(_ONE)
    assert (found.kind, found.name, found.payload) == ("event", "contentBlockDelta", b'{"delta":{"text":"Hi"}}')
    assert found.headers[":content-type"] == "application/json"


@given(_FRAMES, st.lists(st.integers(0, 400), max_size=6))
def test_frames_are_the_same_wherever_they_are_cut_and_as_botocore_reads_them(
    frames: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(frames)
    places = sorted({cut for cut in cuts if cut < len(stream)})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    theirs = EventStreamBuffer()
    theirs.add_data(stream)
    found = split(*pieces)
    assert found == split(stream)
    assert [(one.headers, one.payload) for one in found] == [(one.headers, one.payload) for one in theirs]


def test_one_byte_at_a_time_is_enough() -> None:
    assert split(*(bytes([byte]) for byte in _ONE * 2)) == split(_ONE * 2)


def test_no_byte_of_a_frame_can_change_unseen() -> None:
    for place in range(len(_ONE)):
        broken = bytearray(_ONE)
        broken[place] ^= 0x10
        with pytest.raises(BadFrame):
            split(bytes(broken) + _ONE)


def test_a_frame_that_is_cut_off_gives_nothing() -> None:
    for cut in range(len(_ONE)):
        splitter = FrameSplitter()
        assert splitter.feed(_ONE[:cut]) == []
        assert splitter.rest == cut


@pytest.mark.parametrize(
    ("total", "headers"), [(15, 0), (0, 0), (MAX_FRAME_BYTES + 1, 0), (2**32 - 1, 0), (20, 5), (300_000, 200_000)]
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_kept(total: int, headers: int) -> None:
    prelude = struct.pack(">II", total, headers)
    with pytest.raises(BadFrame):
        split(prelude + struct.pack(">I", crc32(prelude)))


def _with_headers(raw: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(raw), len(raw))
    whole = prelude + struct.pack(">I", crc32(prelude)) + raw
    return whole + struct.pack(">I", crc32(whole))


def test_headers_of_every_type_are_passed_over_by_their_length() -> None:
    raw = b"".join(
        b"\x01" + name + kind + value
        for name, kind, value in (
            (b"a", b"\x00", b""), (b"b", b"\x01", b""), (b"c", b"\x02", b"1"), (b"d", b"\x03", b"12"),
            (b"e", b"\x04", b"1234"), (b"f", b"\x05", b"12345678"), (b"g", b"\x06", b"\x00\x01x"),
            (b"h", b"\x08", b"12345678"), (b"i", b"\x09", b"1234567890123456"), (b"j", b"\x07", b"\x00\x02ok"),
        )
    )  # fmt: skip
    assert split(_with_headers(raw))[0].headers == {"j": "ok"}


@pytest.mark.parametrize(
    "raw", [b"\x05ab", b"\x01a", b"\x01a\x07\x00", b"\x01a\x07\x00\x05ab", b"\x01a\x0a", b"\x01a\x05123"]
)
def test_headers_that_do_not_add_up_are_refused(raw: bytes) -> None:
    with pytest.raises(BadFrame):
        split(_with_headers(raw))


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_are_frames_or_refused(chunks: list[bytes]) -> None:
    try:
        split(*chunks)
    except BadFrame:
        return
