"""ConverseStream: the same as the whole answer, however it is cut, and never whole before it said so."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.wire import EventKind, Json, Usage
from tests.mock.shapes.bedrock import frame
from tests.providers.bedrock_samples import (
    CLAUDE,
    KIMI,
    NOVA,
    WEATHER,
    answer,
    begun,
    delta,
    ended,
    folded,
    start,
    stop,
    streamed,
    told,
)

_HELLO = (
    begun(),
    delta(0, reasoningContent={"text": "Hm"}),
    delta(0, reasoningContent={"signature": "sig"}),
    stop(0),
    delta(1, text="Two "),
    delta(1, text="apples"),
    stop(1),
    start(2, "t1", "look"),
    delta(2, toolUse={"input": '{"at":'}),
    delta(2, toolUse={"input": "1}"}),
    stop(2),
    ended("tool_use", cacheReadInputTokens=4, cacheWriteInputTokens=3, cacheReadInputTokenCount=4),
)


def test_a_stream_says_what_it_says_and_is_whole_with_its_metadata() -> None:
    events, is_whole = streamed(*_HELLO)
    said = folded(events)
    assert (said["reasoning"], said["content"], said["finish"]) == ("Hm", "Two apples", "tool_calls")
    assert said["calls"] == {0: ["t1", "look", '{"at":1}']}
    assert said["details"][0] == {
        "type": "reasoning.text", "text": "Hm", "format": "anthropic-claude-v1", "index": 0, "signature": "sig",
    }  # fmt: skip
    assert said["usage"] == Usage(12, 2, cached_input_tokens=4, cache_write_tokens=3)
    assert (events[-1].kind, is_whole) == (EventKind.END, True)


def test_a_stream_cut_at_any_byte_is_not_whole() -> None:
    stream = b"".join(_HELLO)
    for cut in range(len(stream)):
        events, is_whole = streamed(stream[:cut])
        assert not is_whole, cut
        assert all(event.kind is not EventKind.END for event in events), cut


def test_a_stream_without_an_end_is_not_whole_and_neither_is_one_without_counts() -> None:
    assert not streamed(begun())[1]  # recorded: an empty message, and nothing more
    assert not streamed(begun(), delta(0, text="a"), stop(0), frame("messageStop", {"stopReason": "end_turn"}))[1]


_ALL = b"".join(_HELLO)


@given(st.lists(st.integers(1, len(_ALL) - 1), max_size=12))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted(set(cuts))
    pieces = [_ALL[a:b] for a, b in zip([0, *places], [*places, len(_ALL)], strict=True)]
    assert streamed(*pieces) == streamed(_ALL)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("throttlingException", 429, "provider_quota_exhausted"),
        ("internalServerException", 502, "provider_failed"),
        ("modelStreamErrorException", 502, "provider_failed"),
        ("serviceUnavailableException", 503, "provider_overloaded"),
        ("modelTimeoutException", 504, "provider_timeout"),
        ("validationException", 400, "provider_rejected_request"),
        ("accessDeniedException", 502, "upstream_auth_failed"),
        ("somethingNewException", 502, "provider_failed"),
    ],
)
def test_an_exception_in_a_stream_is_a_failure_and_ends_it(kind: str, status: int, code: str) -> None:
    fault = frame(kind, {"message": "It broke."}, "exception")
    events, is_whole = streamed(begun(), delta(0, text="a"), fault, stop(0), ended())
    assert [event.kind for event in events] == [EventKind.TEXT, EventKind.ERROR]
    failure = events[-1].failure
    assert failure is not None
    assert (failure.status, failure.code, is_whole) == (status, code, False)


def test_an_error_frame_says_its_words_in_headers() -> None:
    fault = frame("x", b"", "error", **{":error-code": "InternalFailure", ":error-message": "Out of order."})
    failure = streamed(begun(), fault)[0][-1].failure
    assert failure is not None
    assert (failure.code, "Out of order." in failure.message) == ("provider_failed", True)


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use", "unheard_of", None])
def test_an_ending_that_is_none_is_a_failure(reason: Any) -> None:
    events, is_whole = streamed(begun(), delta(0, text="a"), stop(0), frame("messageStop", {"stopReason": reason}))
    assert (events[-1].kind, is_whole) == (EventKind.ERROR, False)


def test_what_is_no_frame_is_a_failure_that_says_so() -> None:
    failure = streamed(b'{"message": "I am plain JSON"}')[0][-1].failure
    assert failure is not None
    assert (failure.code, "that is no frame" in failure.message) == ("provider_invalid_answer", True)
    assert streamed(begun(), frame("contentBlockDelta", b"[1]"))[0][-1].kind is EventKind.ERROR


def test_sealed_thoughts_come_in_pieces_of_their_own_base64() -> None:
    pieces = [base64.b64encode(piece).decode() for piece in (b"sea", b"led")]
    events, _ = streamed(
        begun(), *(delta(0, reasoningContent={"redactedContent": piece}) for piece in pieces), stop(0), ended()
    )
    assert folded(events)["details"][0]["data"] == "sealed"
    sealed = base64.b64encode(b"\xff\x00").decode()
    other, _ = streamed(begun(), delta(0, reasoningContent={"redactedContent": sealed}), stop(0), ended(), model=KIMI)
    assert folded(other)["details"][0] == {
        "type": "reasoning.encrypted", "data": sealed, "format": "amazon-bedrock-v1", "index": 0, "text": "",
    }  # fmt: skip


def test_a_call_without_arguments_is_called_with_none() -> None:
    events, _ = streamed(begun(), start(0, "t", "look"), stop(0), ended("tool_use"))
    assert folded(events)["calls"] == {0: ["t", "look", "{}"]}


def test_a_model_that_was_to_call_once_is_read_as_having_done_so() -> None:
    calls = [piece for at in (0, 1) for piece in (start(at, f"t{at}", "look"), stop(at))]
    asked: Json = {"tools": [WEATHER], "parallel_tool_calls": False}
    events, is_whole = streamed(begun(), *calls, ended("tool_use"), model=NOVA, **asked)
    assert (folded(events)["calls"], is_whole) == ({0: ["t0", "look", "{}"]}, True)


_SCALARS = st.text(max_size=8) | st.integers(0, 9) | st.none()
_BLOCKS = st.lists(
    st.builds(lambda text: {"text": text}, st.text(min_size=1, max_size=12))
    | st.builds(
        lambda text, seal: {"reasoningContent": {"reasoningText": {"text": text, "signature": seal}}},
        st.text(max_size=12),
        st.text(min_size=1, max_size=5),
    )
    | st.builds(
        lambda data: {"reasoningContent": {"redactedContent": base64.b64encode(data.encode()).decode()}},
        st.text(min_size=1, max_size=5),
    )
    | st.builds(
        lambda name, given_input: {"toolUse": {"toolUseId": "t" + name, "name": name, "input": given_input}},
        st.sampled_from(["f", "g", "json_answer"]),
        st.dictionaries(st.text(max_size=5), _SCALARS, max_size=3),
    ),
    max_size=5,
)


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def _frames_of(blocks: list[Json], reason: str, size: int) -> list[bytes]:
    """What the vendor would stream for a message."""
    made = [begun()]
    for index, block in enumerate(blocks):
        if "text" in block:
            made += [delta(index, text=piece) for piece in _pieces(block["text"], size)]
        elif "toolUse" in block:
            use = block["toolUse"]
            arguments = orjson.dumps(use["input"]).decode() if use["input"] else ""
            made.append(start(index, use["toolUseId"], use["name"]))
            made += [delta(index, toolUse={"input": piece}) for piece in _pieces(arguments, size)]
        elif "reasoningText" in block["reasoningContent"]:
            thought = block["reasoningContent"]["reasoningText"]
            made += [delta(index, reasoningContent={"text": piece}) for piece in _pieces(thought["text"], size)]
            made.append(delta(index, reasoningContent={"signature": thought["signature"]}))
        else:
            made.append(delta(index, reasoningContent=block["reasoningContent"]))
        made.append(stop(index))
    return [*made, ended(reason)]


@given(_BLOCKS, st.sampled_from(["end_turn", "max_tokens", "tool_use"]), st.integers(1, 5), st.booleans())
def test_a_stream_folded_is_the_whole_answer(blocks: list[Json], reason: str, size: int, is_json: bool) -> None:
    asked: Json = {"response_format": {"type": "json_object"}} if is_json else {}
    events, is_whole = streamed(*_frames_of(blocks, reason, size), **asked)
    assert is_whole
    assert folded(events) == told(answer(*blocks, reason=reason, **asked))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_WORDS = st.sampled_from(
    ["delta", "start", "text", "toolUse", "reasoningContent", "contentBlockIndex", "stopReason", "usage", "signature",
     "redactedContent", "input", "name", "toolUseId", "inputTokens"]
)  # fmt: skip
_INNER = st.dictionaries(_WORDS, _JSON | st.dictionaries(_WORDS, _JSON, max_size=3), max_size=4)
_EVENTS = st.builds(
    frame,
    st.sampled_from(
        ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
    ),
    _INNER
    | st.builds(lambda inner, index: {"delta": inner, "start": inner, "contentBlockIndex": index}, _INNER, _JSON),
)


@given(st.lists(_EVENTS, max_size=8))
def test_any_json_gives_events_and_never_an_exception(frames: list[bytes]) -> None:
    streamed(*frames)


def test_text_in_citations_is_text() -> None:
    cited = {"title": "facts", "source": "facts.txt"}
    events, _ = streamed(begun(), delta(0, citation=cited), delta(0, text="Ruby"), stop(0), ended())
    whole = answer({"citationsContent": {"citations": [cited], "content": [{"text": "Ruby"}]}})
    assert folded(events) == told(whole)
    assert CLAUDE in whole.model
