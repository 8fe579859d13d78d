"""Gemini's streams: the same as the whole answer, however they are cut, and never whole before they said so."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.wire import EventKind, Json, Usage
from tests.providers.gemini_samples import folded, frames, response, streamed, told, usage, whole

_CALL = {"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": "s"}


def test_a_stream_says_what_it_says_and_is_whole_at_its_close() -> None:
    events, is_whole = streamed(
        frames(
            response({"text": "Hm", "thought": True}, finish=None, **usage(5, 1)),
            response({"text": "Two "}, finish=None, **usage(5, 2)),
            response({"text": "apples"}, **usage(5, 3, thoughtsTokenCount=4)),
        )
    )
    kinds = [event.kind.value for event in events]
    assert kinds == ["reasoning", "usage", "text", "usage", "text", "usage", "finish"]
    assert events[-2].usage == Usage(5, 7, reasoning_tokens=4)
    assert all(event.frame is None for event in events)
    assert is_whole


def test_nothing_is_whole_before_its_finish_reason() -> None:
    begun = frames(response({"text": "Hello"}, finish=None), response({"text": " there"}, finish=None))
    ended = frames(response({"text": "."}))
    for cut in range(len(begun) + 1):
        assert not streamed(begun[:cut])[1], cut
    for cut in range(len(ended) - len(b"\r\n\r\n")):
        assert not streamed(begun + ended[:cut])[1], cut
    assert streamed(begun + ended)[1]


def test_a_finish_reason_may_come_alone_or_with_every_chunk() -> None:
    alone = streamed(frames(response(_CALL, finish=None), {"candidates": [{"finishReason": "STOP"}]}))
    assert (folded(alone[0])["finish"], alone[1]) == ("tool_calls", True)
    early = streamed(frames(response({"text": "a"}), response({"text": "b"}), response(_CALL)))
    said = folded(early[0])
    assert (said["text"], said["finish"], len(said["calls"])) == ("ab", "tool_calls", 1)
    assert [event.kind for event in early[0]].count(EventKind.FINISH) == 1


def test_the_last_usage_holds_and_one_without_counts_takes_nothing_away() -> None:
    traffic: Json = {"usageMetadata": {"trafficType": "ON_DEMAND"}}
    events, _ = streamed(
        frames(
            response({"text": "a"}, finish=None, **traffic),
            response({"text": "b"}, **usage(3, 4)),
            response({"text": ""}, finish=None, **traffic),
        )
    )
    assert [event.usage for event in events if event.kind is EventKind.USAGE] == [Usage(3, 4)]


def test_a_prompt_reported_early_does_not_count_what_comes_with_it() -> None:
    prompt: Json = {"usageMetadata": {"promptTokenCount": 3}}
    pieces = [response({"text": text}, finish=None, **prompt) for text in "ab"]
    events, _ = streamed(frames(*pieces, response({"text": "c"}, **usage(3, 9))))
    kinds = [event.kind.value for event in events]
    assert kinds == ["usage", "text", "text", "text", "usage", "finish"]


def test_a_count_that_is_left_out_later_stays() -> None:
    last: Json = {"usageMetadata": {"candidatesTokenCount": 9}}
    events, _ = streamed(frames(response({"text": "a"}, finish=None, **usage(3, 4)), response({"text": "b"}, **last)))
    assert [event.usage for event in events if event.kind is EventKind.USAGE] == [Usage(3, 4), Usage(3, 9)]


def test_a_signature_without_text_is_told() -> None:
    events, _ = streamed(frames(response({"text": "a"}, finish=None), response({"text": "", "thoughtSignature": "s"})))
    assert folded(events)["extra"] == {"google": {"thought_signature": "s"}}


def test_arguments_in_pieces_are_one_object() -> None:
    def piece(*partial: Json, more: bool = True, name: str | None = None) -> Json:
        call: Json = {"willContinue": True} if more else {}
        call |= {"partialArgs": list(partial)} if partial else {}
        return response({"functionCall": {**call, "name": name} if name else call}, finish=None)

    events, is_whole = streamed(
        frames(
            piece(name="cook"),
            piece({"jsonPath": "$.steps[0].what", "stringValue": "bo", "willContinue": True}),
            piece({"jsonPath": "$.steps[0].what", "stringValue": "il"}, {"jsonPath": "$.steps[0].n", "numberValue": 2}),
            piece({"jsonPath": "$.steps[1]['so so']", "boolValue": False}, {"jsonPath": "$.none", "nullValue": "NULL"}),
            piece(more=False),
            piece(name="wait"),
            piece({"jsonPath": "$[0]", "stringValue": "no place"}, {"jsonPath": "$.a[9]", "stringValue": "far"}),
            {"candidates": [{"finishReason": "STOP"}]},
        )
    )
    calls = folded(events)["calls"]
    assert orjson.loads(calls[0][2]) == {"steps": [{"what": "boil", "n": 2}, {"so so": False}], "none": None}
    assert (calls[1][1], orjson.loads(calls[1][2]), is_whole) == ("wait", {"a": []}, True)


def test_a_blocked_prompt_ends_the_stream_as_filtered() -> None:
    events, is_whole = streamed(frames({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **usage(4, 0)}))
    assert [event.kind for event in events] == [EventKind.USAGE, EventKind.FINISH]
    assert (events[-1].finish_reason, is_whole) == ("content_filter", True)


def test_each_of_several_answers_must_have_ended() -> None:
    first = response({"text": "a"}, index=0)
    second = response({"text": "b"}, index=1, finish=None)
    end = {"candidates": [{"index": 1, "finishReason": "MAX_TOKENS"}]}
    assert not streamed(frames(first), wanted=2)[1]
    assert not streamed(frames(first, second), wanted=2)[1]
    events, is_whole = streamed(frames(first, second, end), wanted=2)
    assert is_whole
    assert (folded(events, 0)["finish"], folded(events, 1)["finish"]) == ("stop", "length")


def test_an_error_in_a_stream_ends_it() -> None:
    error = {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}
    for last in (frames(error), frames(error, response({"text": "after"}))):
        events, is_whole = streamed(frames(response({"text": "a"}, finish=None)) + last)
        assert [event.kind for event in events] == [EventKind.TEXT, EventKind.ERROR]
        assert events[-1].failure is not None
        assert (events[-1].failure.code, is_whole) == ("provider_failed", False)


@pytest.mark.parametrize("said", ["MALFORMED_FUNCTION_CALL", "OTHER"])
def test_a_failed_ending_is_an_error_behind_what_was_said(said: str) -> None:
    events, is_whole = streamed(frames(response({"text": "a"}, finish=said, **usage())))
    assert [event.kind for event in events] == [EventKind.TEXT, EventKind.USAGE, EventKind.ERROR]
    assert not is_whole


def test_a_reply_that_is_no_stream_is_read_for_what_it_is() -> None:
    error = {"error": {"code": 400, "message": "Bad", "status": "INVALID_ARGUMENT"}}
    for body in (orjson.dumps(error), orjson.dumps([error], option=orjson.OPT_INDENT_2)):
        events, is_whole = streamed(body[:9], body[9:])
        assert events[0].failure is not None
        assert (events[0].failure.status, events[0].failure.upstream_status, is_whole) == (400, 400, False)
    listed = orjson.dumps([response({"text": "a"}, finish=None), response({"text": "b"})], option=orjson.OPT_INDENT_2)
    events, is_whole = streamed(b"\r\n", listed[:30], listed[30:])
    assert (folded(events)["text"], is_whole) == ("ab", True)


@pytest.mark.parametrize("body", [b"", b"\n\n", b": ping\n\n", b"[", b"{}", b"<html>", b"data: x\n\n", b"data: []\n\n"])
def test_what_says_nothing_is_not_whole(body: bytes) -> None:
    events, is_whole = streamed(body)
    assert not is_whole
    assert all(event.kind is EventKind.ERROR for event in events)


def test_an_endless_reply_that_is_no_stream_is_given_up() -> None:
    events, is_whole = streamed(*[b"[" + b" " * (1 << 20)] * 5)
    assert [event.kind for event in events] == [EventKind.ERROR]
    assert not is_whole


_PARTS = st.one_of(
    st.text(max_size=4).map(lambda text: {"text": text}),
    st.text(max_size=4).map(lambda text: {"text": text, "thought": True}),
    st.sampled_from("ab").map(lambda signature: {"text": "", "thoughtSignature": signature}),
    st.sampled_from("ab").map(lambda signature: {"text": "t", "thought": True, "thoughtSignature": signature}),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2).map(
        lambda arguments: {"functionCall": {"name": "look", "args": arguments}, "thoughtSignature": "c"}
    ),
    st.just({"functionCall": {"name": "feel"}}),
    st.just({"executableCode": {"code": "1"}}),
)
_ENDINGS = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"])


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.lists(_PARTS, max_size=3), min_size=1, max_size=4), _ENDINGS, st.lists(st.integers(0, 10**6)))
def test_a_stream_cut_anywhere_says_the_same_as_the_whole_answer(
    chunks: list[list[Json]], ending: str, places: list[int]
) -> None:
    last = len(chunks) - 1
    said = [response(*parts, finish=ending if at == last else None, **usage()) for at, parts in enumerate(chunks)]
    data = frames(*said)
    events, is_whole = streamed(*_cut(data, places))
    assert is_whole
    assert events == streamed(data)[0]
    answer = whole(response(*[part for parts in chunks for part in parts], finish=ending, **usage()))
    assert folded(events) == told(answer)


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["candidates", "content", "parts", "text", "functionCall", "name", "partialArgs", "jsonPath", "error",
                 "finishReason", "usageMetadata", "promptTokenCount", "promptFeedback", "willContinue", "stringValue"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip
_PATHS = st.lists(st.sampled_from(["$", ".a", "[0]", "[1]", "['b']", "[99999]", "..", "]"]), max_size=5).map("".join)


@given(st.lists(_JSON.map(frames) | st.binary(max_size=20), max_size=4))
def test_garbage_is_an_error_and_never_an_exception(pieces: list[bytes]) -> None:
    events, _ = streamed(*pieces)
    errors = [event for event in events if event.kind is EventKind.ERROR]
    assert len(errors) <= 1
    assert not errors or events[-1] is errors[0]


@given(st.lists(st.tuples(_PATHS, st.sampled_from(["x", 1, None])), max_size=6))
def test_any_path_of_an_argument_is_taken_or_passed_over(pieces: list[tuple[str, Any]]) -> None:
    partial = [{"jsonPath": path, "stringValue": value} for path, value in pieces]
    call = {"functionCall": {"name": "look", "willContinue": True, "partialArgs": partial}}
    events, is_whole = streamed(frames(response(call)))
    assert is_whole
    assert isinstance(orjson.loads(folded(events)["calls"][0][2]), dict)
