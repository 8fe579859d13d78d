"""Events come out the same wherever the stream was cut, whatever its line ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit import sse
from aiservice.kit.sse import MAX_LINE_BYTES, MediaSseSplitter, OversizedEvent, SseSplitter, data_frame, named_frame

_SAMPLE = b'data: {"a":1}\n\n: comment\n\nevent: x\ndata:two\ndata: lines\n\ndata: [DONE]\n\n'


def _all(stream: bytes, cuts: list[int]) -> list[tuple[bytes, bytes]]:
    splitter, found, begin = SseSplitter(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        found += splitter.feed(stream[begin:cut])
        begin = max(begin, cut)
    return [(event.name, event.data) for event in found + splitter.end()]


_EXPECTED = [(b"", b'{"a":1}'), (b"x", b"two\nlines"), (b"", b"[DONE]")]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_events_are_the_same_at_every_cut(line_end: bytes) -> None:
    stream = _SAMPLE.replace(b"\n", line_end)
    for cut in range(len(stream) + 1):
        assert _all(stream, [cut]) == _EXPECTED, cut


@given(st.lists(st.integers(0, len(_SAMPLE)), max_size=12), st.sampled_from([b"\n", b"\r\n"]))
def test_events_are_the_same_with_many_cuts(cuts: list[int], line_end: bytes) -> None:
    assert _all(_SAMPLE.replace(b"\n", line_end), cuts) == _EXPECTED


@given(
    st.lists(st.sampled_from([b"data: x", b"\n", b"\r\n", b"\r", b"\n\n", b"event: n", b": c", b"y"]), max_size=30),
    st.lists(st.integers(0, 150), max_size=12),
)
def test_a_large_event_is_read_as_a_small_one(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    small = _all(stream, cuts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sse, "_LARGE_BYTES", 3)
        assert _all(stream, cuts) == small


@pytest.mark.parametrize("is_line", [True, False])
def test_t46_a_large_event_is_bounded_however_it_comes(is_line: bool) -> None:
    line = b"data: " + b"y" * 1_000
    for size in (1 << 10, 100_000, 3 << 20):
        splitter, stream = SseSplitter(), (b"x" * (2 << 20) if is_line else (line + b"\n") * 6_000)
        splitter.feed(b"data: begun\n" * 6_000)
        with pytest.raises(OversizedEvent):
            for start in range(0, len(stream), size):
                splitter.feed(stream[start : start + size])


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
def test_any_bytes_are_read_without_an_exception(stream: bytes, cuts: list[int]) -> None:
    _all(stream, cuts)


def test_frames_of_one_feed_hold_the_bytes_as_they_came() -> None:
    frames = [event.frame for event in SseSplitter().feed(data_frame(b"1") + named_frame("n", b"2"))]
    assert frames == [b"data: 1\n\n", b"event: n\ndata: 2\n\n"]


def test_a_byte_order_mark_before_the_first_event_is_ignored() -> None:
    assert [e.data for e in SseSplitter().feed(b"\xef\xbb\xbfdata: 1\n\n")] == [b"1"]


def test_t46_a_line_without_end_is_refused_at_one_mebibyte() -> None:
    splitter = SseSplitter()
    with pytest.raises(OversizedEvent):
        for _ in range(MAX_LINE_BYTES // 4096 + 2):
            splitter.feed(b"x" * 4096)


def test_t46_an_event_of_endless_lines_is_refused() -> None:
    splitter = SseSplitter()
    with pytest.raises(OversizedEvent):
        for _ in range(5000):
            splitter.feed(b"data: " + b"y" * 1000 + b"\n")


@pytest.mark.parametrize(("text", "is_told"), [(b'{"a":"%s"}', True), (b'{"a":"%s', False), (b'["%s"]\n', True)])
def test_a_large_event_without_its_blank_line_is_told_only_if_it_may_be_whole(text: bytes, *, is_told: bool) -> None:
    splitter = MediaSseSplitter()
    for at in range(0, len(stream := b"data: " + text % (b"x" * 2_000_000)), 65_536):
        assert splitter.feed(stream[at : at + 65_536]) == []
    assert [event.data for event in splitter.end()] == ([text.rstrip() % (b"x" * 2_000_000)] if is_told else [])
    assert splitter.rest == b""
