"""A chunk that differs from one before in its text alone is read by a shorter way: it says what the whole way says."""

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers import _openai_stream
from aiservice.providers._openai_alike import alike
from aiservice.providers._openai_completions import CompletionsStreamReader
from aiservice.providers._openai_finish import finish_reason_of
from aiservice.providers._openai_shape import read_usage
from aiservice.providers._openai_stream import ChatStreamReader
from aiservice.wire import EventKind, StreamEvent

_TEXTS = st.sampled_from(
    [
        "a",
        " word",
        "content",
        "choices",
        "delta",
        "m",
        "chunk",
        "é",
        "\n",
        '"',
        "\\",
        "",
        "a\\",
        '","content":"b',
        "\u2028",
        "1",
    ]
) | st.text(max_size=4)
_HEADS = st.sampled_from(
    [
        {"id": "c1", "object": "chunk", "model": "m"},
        {"id": "c1", "object": "chunk", "model": "a", "content": "a"},
        {"content": " word", "usage": None},
        {"error": None, "delta": {"content": "a"}},
    ]
)
_DELTAS = st.builds(
    lambda text, more: {"content": text, **more},
    _TEXTS,
    st.sampled_from([{}, {}, {}, {"role": "assistant"}, {"reasoning": "a"}, {"extra_content": {"a": 1}}]),
)
_CHOICES = st.lists(
    st.builds(
        lambda delta, more: {"index": 0, "delta": delta, **more},
        _DELTAS,
        st.sampled_from([{}, {}, {}, {"finish_reason": None}, {"finish_reason": "stop"}, {"index": 1}, {"text": "a"}]),
    ),
    min_size=1,
    max_size=2,
)
_BODIES = st.builds(lambda head, choices: {**head, "choices": choices}, _HEADS, _CHOICES | st.just([]))
_CUTS = st.sampled_from([b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n", b"\ndata: 1\n\n", b""])


def _chunk(body: Any, *, is_ascii: bool, cut: bytes) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":"), ensure_ascii=is_ascii).encode() + cut


_STREAMS = st.lists(
    st.builds(lambda body, is_ascii, cut: _chunk(body, is_ascii=is_ascii, cut=cut), _BODIES, st.booleans(), _CUTS),
    max_size=6,
)


def _reader(*, keeps_frames: bool = True) -> ChatStreamReader:
    return ChatStreamReader(finish_reason_of, read_usage, keeps_frames=keeps_frames)


def _said(reader: ChatStreamReader, chunks: list[bytes]) -> list[list[StreamEvent]]:
    return [*map(reader.feed, chunks), reader.end()]


@pytest.mark.parametrize("keeps_frames", [True, False])
@given(_STREAMS)
def test_chunks_that_are_alike_say_what_they_would_say_alone(keeps_frames: bool, chunks: list[bytes]) -> None:
    chunks = [each for each in chunks for _ in range(2)]
    found = _said(_reader(keeps_frames=keeps_frames), chunks)
    with patch.object(_openai_stream, "_MOST_LOOKS", 0):
        whole = _reader(keeps_frames=keeps_frames)
        assert found == _said(whole, chunks)


@given(_STREAMS)
def test_so_do_those_of_completions(chunks: list[bytes]) -> None:
    found = _said(CompletionsStreamReader(finish_reason_of, read_usage), chunks)
    with patch.object(_openai_stream, "_MOST_LOOKS", 0):
        assert found == _said(CompletionsStreamReader(finish_reason_of, read_usage), chunks)


def _plain(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + orjson.dumps({"id": "c", "model": "m", "choices": [choice], **more}) + b"\n\n"


def test_a_chunk_like_the_one_before_is_not_read_as_json() -> None:
    reader = _reader()
    reader.feed(_plain("one"))
    with patch.object(_openai_stream, "loads", side_effect=AssertionError("it was read")):
        assert reader.feed(_plain(" two")) == [StreamEvent(EventKind.TEXT, " two", frame=_plain(" two"))]


def test_a_stream_whose_chunks_differ_each_time_is_looked_at_a_few_times_only() -> None:
    reader = _reader()
    with patch.object(_openai_stream, "alike", wraps=alike) as looked:
        for number in range(20):
            assert reader.feed(_plain("one", obfuscation="x" * number))[0].text == "one"
    assert looked.call_count == 4


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"a\tb", b'a","role":"x'])
def test_what_json_refuses_or_ends_is_no_text(text: bytes) -> None:
    reader, whole = _reader(), _reader()
    first = _plain("one")
    reader.feed(first)
    odd = first.replace(b'"one"', b'"' + text + b'"')
    with patch.object(_openai_stream, "_MOST_LOOKS", 0):
        whole.feed(first)
        assert [replace(each) for each in reader.feed(odd)] == whole.feed(odd)
