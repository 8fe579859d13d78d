"""A client's own body for Google, and Google's own bytes for a client."""

from typing import Any

import orjson
import pytest

from aiservice.providers._gemini.stream import GeminiStreamReader
from aiservice.providers.gemini import PROVIDER
from aiservice.wire import GOOGLE_WIRE, Ask, AskKind, EventKind, HttpCall, HttpReply

_UNSIGNED = "skip_thought_signature_validator"
_CALL = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": _UNSIGNED}


def _ask(native: dict[str, Any], kind: AskKind = "chat") -> Ask:
    return Ask("chat", kind, {"messages": []}, wire=GOOGLE_WIRE, native=native, uncarried=("x",))


@pytest.mark.parametrize(("model", "is_kept"), [("gemini-2.5-flash", False), ("gemini-3-flash-preview", True)])
@pytest.mark.parametrize("is_alone", [False, True])
def test_the_word_for_a_call_of_another_model_goes_to_models_that_know_it(
    model: str, is_kept: bool, is_alone: bool
) -> None:
    content = {"role": "model", "parts": _CALL if is_alone else [{"text": "a"}, _CALL]}
    native = {"contents": content if is_alone else [content], "x": 1, "model": "models/another"}
    sent = orjson.loads(PROVIDER.build(_ask(native), model).body)
    assert (_UNSIGNED in orjson.dumps(sent).decode()) is is_kept
    assert b'"functionCall"' in orjson.dumps(sent)
    assert (sent["x"], "model" in sent) == (1, False)


def test_vectors_are_asked_of_the_model_that_was_chosen() -> None:
    one = {"model": "models/another", "content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY"}
    call = PROVIDER.build(_ask(one, "embedding"), "gemini-embedding-001")
    assert orjson.loads(call.body) == {**one, "model": "models/gemini-embedding-001"}
    batch = PROVIDER.build(_ask({"requests": [one]}, "embedding"), "gemini-embedding-001")
    assert batch.path.endswith(":batchEmbedContents")
    assert orjson.loads(batch.body)["requests"][0]["model"] == "models/gemini-embedding-001"


def test_what_we_have_no_event_for_is_passed_on_all_the_same() -> None:
    reader = GeminiStreamReader(1, keeps_frames=True)
    grounded = b'data: {"candidates":[{"groundingMetadata":{"webSearchQueries":["a"]}}]}\r\n\r\n'
    (event,) = reader.feed(grounded)
    assert (event.kind, event.frame) == (EventKind.OTHER, grounded.replace(b"\r\n", b"\n"))
    text = b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}\r\n\r\n'
    assert [event.frame is not None for event in reader.feed(text)] == [True]
    assert all(event.frame is None for event in reader.end())
    assert reader.is_finished


def test_an_array_in_place_of_events_is_passed_on_one_by_one() -> None:
    reader = GeminiStreamReader(1, keeps_frames=True)
    parts = [{"content": {"parts": [{"text": letter}]}, "finishReason": "STOP"} for letter in "ab"]
    reader.feed(orjson.dumps([{"candidates": [part]} for part in parts]))
    frames = [event.frame for event in reader.end() if event.frame is not None]
    assert [orjson.loads(frame.removeprefix(b"data: "))["candidates"] for frame in frames] == [[part] for part in parts]


def test_an_answer_is_given_in_googles_own_bytes() -> None:
    raw = b'{ "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}], "new": 1 }'
    call = HttpCall("/v1beta/models/m:generateContent", b"")
    answer = PROVIDER.read(_ask({"contents": []}), call, HttpReply(200, {}, raw))
    assert (answer.raw, answer.raw_wire, answer.finish_reason) == (raw, GOOGLE_WIRE, "stop")
    other = Ask("chat", "chat", {"messages": []})
    assert PROVIDER.read(other, call, HttpReply(200, {}, raw)).raw is None
