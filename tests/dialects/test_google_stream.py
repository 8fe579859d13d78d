"""Google's surface, answers: whole, in events and as one array they say the same, whatever order events came in."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome
from aiservice.dialects._google_state import is_sealed, opened
from aiservice.dialects.google_generate import METHODS, GoogleDialect
from aiservice.errors import ProviderFailed
from aiservice.wire import GOOGLE_WIRE, Answer, EventKind, FinishReason, Json, StreamEvent, ToolCallDelta, Usage
from tests.dialects.google_stream import Folded, fold, read_events

_OUTCOME = Outcome("req_1", 5, "chat", "a", "the-model", None, Usage(30, 9, 10, 4, 2))
_CLAUDES = {"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1"}
_SHOWN: Any = {"thinkingConfig": {"includeThoughts": True}}


def _text(text: str, choice: int = 0) -> StreamEvent:
    return StreamEvent(EventKind.TEXT, text, choice)


def _think(text: str = "", details: Json | None = None) -> StreamEvent:
    return StreamEvent(EventKind.REASONING, text, details=details)


def _call(index: int, arguments: str = "", call_id: str | None = None, name: str | None = None) -> StreamEvent:
    return StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(index, call_id, name, arguments))


def _end(reason: FinishReason = "stop", choice: int = 0) -> StreamEvent:
    return StreamEvent(EventKind.FINISH, choice=choice, finish_reason=reason)


def _dialect(method: str, *, is_array: bool = False, **config: Any) -> tuple[GoogleDialect, Any]:
    dialect = METHODS[method]("m", is_array=is_array)
    return dialect, dialect.read({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config})


def _streamed(events: Iterable[StreamEvent], *, is_array: bool = False, **config: Any) -> list[Json]:
    dialect, request = _dialect("streamGenerateContent", is_array=is_array, **config)
    writer = dialect.writer(request)
    body = writer.start(_OUTCOME) + b"".join(writer.events([event]) for event in events) + writer.done(_OUTCOME)
    if is_array:
        said: list[Json] = orjson.loads(body)
        return said
    return read_events(body)


def _whole(message: Json, finish: FinishReason = "stop", **config: Any) -> Json:
    dialect, _ = _dialect("generateContent", **config)
    answer = Answer({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}, "m", finish)
    said: Json = orjson.loads(dialect.answer(answer, _OUTCOME))
    return said


def test_thoughts_come_on_top_of_what_was_said() -> None:
    assert _whole({"content": "hi"})["usageMetadata"] == {
        "promptTokenCount": 30,
        "candidatesTokenCount": 7,
        "totalTokenCount": 39,
        "cachedContentTokenCount": 10,
        "thoughtsTokenCount": 2,
    }


@pytest.mark.parametrize(
    ("finish", "word"),
    [("stop", "STOP"), ("length", "MAX_TOKENS"), ("tool_calls", "STOP"), ("content_filter", "SAFETY")],
)
def test_an_ending_is_told_in_googles_word(finish: FinishReason, word: str) -> None:
    assert _whole({"content": "a"}, finish)["candidates"][0]["finishReason"] == word
    assert fold(_streamed([_text("a"), _end(finish)])).finish == word


def test_an_answer_of_nothing_has_a_part_all_the_same() -> None:
    for said in (_whole({"content": None}), *_streamed([])):
        assert said["candidates"][0]["content"] == {"parts": [{"text": ""}], "role": "model"}
        assert said["candidates"][0]["finishReason"] == "STOP"


def test_signed_thoughts_of_others_go_where_google_puts_its_own() -> None:
    thoughts = [_think("let me "), _think("see"), _think(details=_CLAUDES)]
    called = fold(_streamed([*thoughts, _text("ok"), _call(0, "{}", "c1", "f"), _end("tool_calls")]))
    assert called.thoughts == ""
    (signature,) = called.signatures
    assert opened(signature) == {"details": [{**_CLAUDES, "text": "let me see"}]}
    said = fold(_streamed([*thoughts, _text("ok"), _end()]))
    assert said.text == "ok"
    assert is_sealed(said.signatures[0])
    shown = fold(_streamed([*thoughts, _text("ok"), _end()], **_SHOWN))
    assert (shown.thoughts, shown.signatures) == ("let me see", said.signatures)


def test_a_signature_of_googles_stays_what_it_is() -> None:
    signed = {"google": {"thought_signature": "c2ln"}}
    call = StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(0, "c", "f", "{}", signed))
    assert fold(_streamed([call, _end()])).signatures == ["c2ln"]
    text = StreamEvent(EventKind.TEXT, "a", details=signed)
    assert fold(_streamed([text, _end()])).signatures == ["c2ln"]
    whole = _whole({"content": "a", "extra_content": signed})
    assert whole["candidates"][0]["content"]["parts"] == [{"text": "a", "thoughtSignature": "c2ln"}]


def test_frames_of_its_own_wire_pass_as_they_came() -> None:
    frame = b'data: {"candidates": [{"index": 0}],  "x": 1}\n\n'
    dialect, request = _dialect("streamGenerateContent")
    writer = dialect.writer(request)
    events = [StreamEvent(EventKind.TEXT, "a", frame=frame), _text("told by the frame"), _end()]
    assert writer.start(_OUTCOME) + writer.events(events) + writer.done(_OUTCOME) == frame
    array, request = _dialect("streamGenerateContent", is_array=True)
    writer = array.writer(request)
    written = writer.events([StreamEvent(EventKind.TEXT, frame=frame)]) + writer.events(events) + writer.done(_OUTCOME)
    assert orjson.loads(written) == [{"candidates": [{"index": 0}], "x": 1}] * 2
    raw = Answer({}, "m", raw=b'{"native":1}', raw_wire=GOOGLE_WIRE)
    assert METHODS["generateContent"]("m").answer(raw, _OUTCOME) == b'{"native":1}'


@pytest.mark.parametrize("is_array", [False, True])
def test_a_stream_that_breaks_off_ends_in_an_error(is_array: bool) -> None:
    for begun in ([], [_text("a")], [StreamEvent(EventKind.TEXT, "a", frame=b'data: {"candidates":[]}\n\n')]):
        dialect, request = _dialect("streamGenerateContent", is_array=is_array)
        writer = dialect.writer(request)
        body = writer.start(_OUTCOME) + writer.keep_alive() + writer.events(begun) + writer.keep_alive()
        body += writer.failed(ProviderFailed("It broke."), _OUTCOME)
        said = orjson.loads(body) if is_array else read_events(body)
        assert said[-1]["error"]["message"] == "It broke."
        assert not any("finishReason" in one["candidates"][0] for one in said[:-1] if one["candidates"])


def test_an_answer_that_a_budget_ends_is_whole_in_its_form() -> None:
    for begun in (_text("a"), StreamEvent(EventKind.TEXT, "a", frame=b'data: {"candidates":[]}\n\n')):
        dialect, request = _dialect("streamGenerateContent", is_array=True)
        writer = dialect.writer(request)
        body = writer.start(_OUTCOME) + writer.events([begun]) + writer.exhausted(1, _OUTCOME)
        last = orjson.loads(body)[-1]["candidates"][0]
        assert (last["finishReason"], "budget" in last["finishMessage"]) == ("MAX_TOKENS", True)


def test_another_provider_may_go_on_where_frames_ended() -> None:
    dialect, request = _dialect("streamGenerateContent")
    writer = dialect.writer(request)
    frame = b'data: {"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]}}]}\n\n'
    body = writer.start(_OUTCOME) + writer.events([StreamEvent(EventKind.TEXT, "a", frame=frame)])
    body += writer.boundary(_OUTCOME) + writer.events([_text("b"), _end()]) + writer.done(_OUTCOME)
    said = fold(read_events(body))
    assert (said.text, said.finish) == ("ab", "STOP")


def test_several_answers_end_each() -> None:
    said = _streamed([_text("a", 0), _text("b", 1), _end("stop", 0), _end("length", 1)])
    assert [one["finishReason"] for one in said[-1]["candidates"]] == ["STOP", "MAX_TOKENS"]


def test_log_probabilities_are_told() -> None:
    content = [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1}]}]
    dialect, _ = _dialect("generateContent")
    body = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop", "logprobs": {"content": content}}]}
    candidate = orjson.loads(dialect.answer(Answer(body, "m", "stop"), _OUTCOME))["candidates"][0]
    assert candidate["avgLogprobs"] == -0.5
    assert candidate["logprobsResult"]["chosenCandidates"] == [{"token": "a", "logProbability": -0.5}]
    assert candidate["logprobsResult"]["topCandidates"][0]["candidates"][0]["token"] == "b"


_INPUTS = st.lists(st.dictionaries(st.text(max_size=3), st.integers(0, 99), max_size=3), max_size=4)


@given(_INPUTS, st.text(max_size=12), st.text(max_size=6), st.booleans(), st.randoms(use_true_random=False))
def test_a_stream_folded_is_the_answer_that_was_not_streamed(
    inputs: list[Json], text: str, thought: str, is_array: bool, random: Any
) -> None:
    arguments = [orjson.dumps(one).decode() for one in inputs]
    pieces = [
        [_call(place, "", f"c{place}", "f"), *(_call(place, letter) for letter in whole)]
        for place, whole in enumerate(arguments)
    ]
    first = [*(_think(letter) for letter in thought), *([_think(details=_CLAUDES)] if thought else [])]
    queues = [queue for queue in ([_text(letter) for letter in text], *pieces) if queue]
    mixed = []
    while queues:
        queue = queues[0] if len(queues) == 1 else random.choice(queues)
        mixed.append(queue.pop(0))
        queues = [left for left in queues if left]
    calls = [
        {"id": f"c{place}", "type": "function", "function": {"name": "f", "arguments": whole}}
        for place, whole in enumerate(arguments)
    ]
    message: Json = {"role": "assistant", "content": text, "tool_calls": calls}
    if thought:
        message |= {"reasoning_content": thought, "reasoning_details": [{**_CLAUDES, "text": thought}]}
    whole, streamed = (
        fold([_whole(message, **_SHOWN)]),
        fold(_streamed([*first, *mixed, _end()], is_array=is_array, **_SHOWN)),
    )
    streamed.calls.sort(key=lambda call: str(call["id"]))
    if calls:  # the first call to begin has the state: that may be another than the first of the list
        assert len(whole.signatures) == len(streamed.signatures) == 1
        whole.signatures = streamed.signatures
    assert streamed == whole
    assert isinstance(whole, Folded)


_NAMES = st.sampled_from(
    ["content", "tool_calls", "reasoning_details", "refusal", "reasoning_content", "extra_content", "function", "id",
     "name", "arguments", "google", "thought_signature", "format", "google-gemini-v1", "signature", "text", "content",
     "top_logprobs", "token", "logprob", "stop"]
)  # fmt: skip
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), _NAMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=4)),
    max_leaves=10,
)


@given(st.dictionaries(_NAMES, _ANYTHING, max_size=5), _ANYTHING, _ANYTHING, st.booleans())
def test_whatever_a_provider_sent_there_is_an_answer(
    message: Json, logprobs: Any, choices: Any, shows_thoughts: bool
) -> None:
    dialect, _ = _dialect("generateContent", **(_SHOWN if shows_thoughts else {}))
    choice = {"index": 0, "message": message, "finish_reason": message.get("id"), "logprobs": logprobs}
    for given_choices in ([choice], [choice, logprobs], choices):
        said = orjson.loads(dialect.answer(Answer({"choices": given_choices}, "m", "stop"), _OUTCOME))
        assert said["candidates"][0]["content"]["parts"]
