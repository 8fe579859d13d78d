"""Ids of a stream's events, and the rest of a stream after one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.event_ids import EventIds, Rest, read_event_id
from aiservice.kit.sse import SseSplitter

STREAM = "req_1"
_line = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20)
_data = _line.map(lambda text: f"data: {text}\n\n".encode())
_named = _data.map(lambda block: b"event: delta\n" + block)
_foreign = _data.map(lambda block: b"id: 99\nid\n" + block)
_comment = st.just(b": keep-alive\n\n")
_blocks = st.lists(st.one_of(_data, _named, _foreign, _comment), max_size=12)


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """`raw` in pieces, cut at places anywhere."""
    at = sorted({place % (len(raw) + 1) for place in places})
    return [raw[begin:end] for begin, end in zip([0, *at], [*at, len(raw)], strict=True)]


def numbered(raw: bytes, places: list[int]) -> list[bytes]:
    ids = EventIds(STREAM)
    return [*(ids.number(piece) for piece in cut(raw, places)), ids.end()]


def ends_of_events(stream: bytes) -> list[int]:
    """Where each event of a numbered stream ends, comments aside; before the first is 0."""
    ends, place = [0], 0
    for block in stream.split(b"\n\n")[:-1]:
        place += len(block) + 2
        if not block.startswith(b":"):
            ends.append(place)
    return ends


@given(_blocks, st.lists(st.integers(0, 1000), max_size=8))
def test_events_are_numbered_from_one_on_and_say_what_they_said(blocks: list[bytes], places: list[int]) -> None:
    stream = b"".join(numbered(b"".join(blocks), places))
    events = [block for block in blocks if not block.startswith(b":")]
    lines = [line for line in stream.split(b"\n") if line.startswith(b"id")]
    assert lines == [b"id: req_1:%d" % number for number in range(1, len(events) + 1)]
    said = [(event.name, event.data) for event in SseSplitter().feed(stream)]
    assert said == [(event.name, event.data) for event in SseSplitter().feed(b"".join(blocks))]
    assert stream.count(b": keep-alive\n\n") == blocks.count(b": keep-alive\n\n")


@given(_blocks, st.lists(st.integers(0, 1000), max_size=8))
def test_a_stream_cut_after_any_event_and_its_rest_are_the_stream(blocks: list[bytes], places: list[int]) -> None:
    pieces = numbered(b"".join(blocks), places)
    stream = b"".join(pieces)
    for number, end in enumerate(ends_of_events(stream)):
        rest, whole = Rest(STREAM, number), Rest(STREAM, number)
        assert stream[:end] + b"".join(map(rest.of, pieces)) == stream
        assert stream[:end] + whole.of(stream) == stream


def test_what_was_given_out_is_not_given_out_again() -> None:
    [first, second, _] = numbered(b"data: a\n\ndata: b\n\ndata: c\n\n", [9, 10])[:3]
    rest = Rest(STREAM, 0)
    assert rest.of(first) == first
    assert rest.of(first + second) == second


def test_beyond_the_last_event_there_is_nothing() -> None:
    rest = Rest(STREAM, 7)
    assert [rest.of(piece) for piece in numbered(b"data: a\n\n: c\n\ndata: b\n\n", [])] == [b"", b""]


def test_data_that_looks_like_an_id_is_data() -> None:
    stream = b"".join(numbered(b"data: id: req_1:1\n\ndata: b\n\n", []))
    assert Rest(STREAM, 1).of(stream) == b"id: req_1:2\ndata: b\n\n"


def test_a_providers_own_ids_are_not_ours() -> None:
    [piece, _] = numbered(b"id: 5\ndata: a\n\nevent: x\nid: 6\ndata: b\n\n", [])
    assert piece == b"id: req_1:1\ndata: a\n\nid: req_1:2\nevent: x\ndata: b\n\n"


@pytest.mark.parametrize(
    "text", ["", "7", "req_1", "req_1:", ":7", "req_1:07", "req_1:-1", "req_1:7 ", "req_1:1234567890", "a b:1", "é:1"]
)
def test_what_is_no_id_of_ours_is_none(text: str) -> None:
    assert read_event_id(text) is None


@given(st.text(max_size=30))
def test_an_id_is_read_as_it_was_written_or_not_at_all(text: str) -> None:
    found = read_event_id(text)
    assert found is None or f"{found[0]}:{found[1]}" == text
