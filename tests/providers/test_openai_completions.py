"""A prompt that is gone on with: who has that wire is given the request as it is, everybody else a chat."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects.openai_completions import DIALECT
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.wire import CHAT_WIRE, COMPLETIONS_WIRE, Answer, Ask, EventKind, HttpCall, HttpReply, StreamEvent, Usage

_NATIVE = {"prompt": ["a", [1, 2]], "suffix": "z", "echo": True, "logprobs": 2, "best_of": 2, "guided_choice": ["x"]}
_WHOLE = {
    "id": "cmpl-1",
    "object": "text_completion",
    "model": "m-1",
    "choices": [
        {"text": "one", "index": 0, "logprobs": None, "finish_reason": "length", "stop_reason": None},
        {"text": "two", "index": 1, "logprobs": None, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def _built(kind: str, model: str, **fields: Any) -> tuple[HttpCall, Any]:
    ask = DIALECT.read({"prompt": "a", **fields}).ask
    call = registry()[kind].build(ask, model)
    return call, orjson.loads(call.body)


def _read(body: Any, kind: str = "vllm") -> Answer:
    ask = DIALECT.read({"prompt": "a"}).ask
    return registry()[kind].read(ask, HttpCall("/completions", b"{}"), HttpReply(200, {}, orjson.dumps(body)))


@pytest.mark.parametrize(
    ("kind", "model", "path"),
    [
        ("openai", "gpt-3.5-turbo-instruct", "/completions"),
        ("openai", "ada", "/completions"),
        ("openai", "ft:davinci-002:acme", "/completions"),
        ("openai-compatible", "anything", "/completions"),
        ("vllm", "facebook/opt-125m", "/completions"),
        ("llama-cpp", "m", "/completions"),
        ("together", "mistralai/Mixtral-8x7B-Instruct-v0.1", "/completions"),
        ("fireworks", "m", "/completions"),
        ("deepseek", "deepseek-chat", "/beta/completions"),
        ("mistral", "codestral-latest", "/fim/completions"),
    ],
)
def test_who_has_the_wire_is_given_the_request_as_it_is(kind: str, model: str, path: str) -> None:
    call, body = _built(kind, model, suffix="z", echo=False, max_tokens=7)
    assert (call.path, body["prompt"], body["suffix"], body["model"]) == (path, "a", "z", model)


def test_words_of_a_servers_own_and_several_prompts_are_passed_on() -> None:
    _, body = _built("vllm", "m", **_NATIVE)
    assert body == {**_NATIVE, "model": "m"}


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("mistral", "mistral-small-latest"),
        ("deepseek", "deepseek-reasoner"),
        ("groq", "llama-3.3-70b-versatile"),
        ("anthropic", "claude-haiku-4-5"),
        ("gemini", "gemini-2.5-flash"),
    ],
)
def test_everybody_else_is_asked_to_chat_or_refuses_by_name(kind: str, model: str) -> None:
    call, body = _built(kind, model, max_tokens=7)
    assert "prompt" not in body
    assert "completions" not in call.path or call.path == "/chat/completions"
    for name, value in (("suffix", "z"), ("echo", True), ("best_of", 2)):
        with pytest.raises(AttemptFailed) as failed:
            _built(kind, model, **{name: value})
        assert failed.value.failure.param == name


def test_a_whole_answer_is_passed_on_and_counted() -> None:
    answer = _read(_WHOLE)
    assert answer.raw_wire == COMPLETIONS_WIRE
    assert answer.raw is not None
    assert (answer.finish_reason, answer.usage, answer.model) == ("length", Usage(3, 2), "m-1")
    assert [choice["message"]["content"] for choice in answer.body["choices"]] == ["one", "two"]


def test_an_answer_that_says_no_more_than_its_text_is_whole() -> None:
    answer = _read({"choices": [{"text": "A joke", "log_probs": None}], "model": "palmyra-x4"}, "writer")
    assert (answer.finish_reason, answer.usage) == ("stop", None)


def test_mistrals_answer_in_the_form_of_a_chat_is_told_as_text() -> None:
    said = {"choices": [{"index": 0, "message": {"content": "x = 1"}, "finish_reason": "stop"}], "usage": None}
    answer = _read(said, "mistral")
    assert answer.raw_wire == CHAT_WIRE
    assert answer.body["choices"][0]["message"]["content"] == "x = 1"


@pytest.mark.parametrize("body", [{"choices": [{"text": 3}]}, {"choices": [{"text": "a"}, 7]}, {"choices": []}, {}])
def test_garbage_is_a_failed_attempt(body: Any) -> None:
    with pytest.raises(AttemptFailed):
        _read(body)


def test_an_answer_that_broke_off_is_none() -> None:
    with pytest.raises(AttemptFailed, match="upstream_truncated"):
        _read({"choices": [{"text": "a", "finish_reason": "error"}]})


def _frame(said: Any) -> bytes:
    return b"data: " + orjson.dumps(said) + b"\n\n"


def _piece(text: str, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "text": text, "finish_reason": finish, **more}
    return _frame({"id": "cmpl-1", "choices": [choice]})


def _stream(*chunks: bytes, kind: str = "vllm", **fields: Any) -> tuple[list[StreamEvent], bool]:
    ask: Ask = DIALECT.read({"prompt": "a", "stream": True, **fields}).ask
    reader = registry()[kind].reader(ask, HttpCall("/completions", b"{}"))
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    return events, reader.is_finished


_USAGE = _frame({"choices": [], "usage": _WHOLE["usage"]})
_DONE = b"data: [DONE]\n\n"


def test_a_stream_is_text_finish_and_usage_with_its_own_frames() -> None:
    events, is_finished = _stream(_piece("on"), _piece("e", "length"), _USAGE, _DONE)
    assert [event.kind.value for event in events] == ["text", "text", "finish", "usage", "end"]
    assert all(event.frame for event in (events[0], events[1], events[3]))
    assert (events[2].finish_reason, events[3].usage, is_finished) == ("length", Usage(3, 2), True)


def test_a_piece_with_log_probabilities_alone_is_passed_on() -> None:
    events, _ = _stream(_piece("", logprobs={"tokens": [""]}))
    assert (events[0].kind, events[0].frame is not None) == (EventKind.OTHER, True)


def test_of_several_prompts_each_has_to_finish_where_there_is_no_end_mark() -> None:
    both: dict[str, Any] = {"prompt": ["a", "b"]}
    assert not _stream(_piece("x", "stop"), **both)[1]
    assert _stream(_piece("x", "stop"), _piece("y", "stop", 1), **both)[1]


def test_a_stream_in_the_form_of_a_chat_is_passed_on_as_pieces_of_text() -> None:
    chunk = _frame({"id": "c", "choices": [{"index": 0, "delta": {"content": "x = 1"}, "finish_reason": "stop"}]})
    events, _ = _stream(chunk, _DONE, kind="mistral")
    assert [event.kind for event in events] == [EventKind.TEXT, EventKind.FINISH, EventKind.END]
    told = orjson.loads(events[0].frame[6:])  # type: ignore[index]
    assert told["choices"] == [{"index": 0, "text": "x = 1", "logprobs": None, "finish_reason": "stop"}]
    assert (told["id"], told["object"]) == ("c", "text_completion")


def test_a_stream_cut_before_its_end_never_ends_clean() -> None:
    stream, tail = _piece("on") + _piece("e"), _piece("", "stop") + _USAGE + _DONE
    for cut in range(len(stream) + 1):
        assert not _stream(stream[:cut])[1], cut
    assert _stream(stream + tail)[1]
    assert _stream((stream + tail).replace(b"\n", b"\r\n"))[1]


@given(st.lists(st.binary(max_size=120), max_size=6))
def test_any_bytes_give_events_and_never_an_exception(chunks: list[bytes]) -> None:
    _stream(*chunks)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "text", "index", "delta", "usage", "finish_reason"]), inner)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_is_an_answer_events_or_a_failed_attempt(said: Any) -> None:
    _stream(_frame(said))
    try:
        _read(said)
    except AttemptFailed as failed:
        assert failed.failure.status >= 400
