"""The sandbox says what it is, answers the same twice, and streams what it answers whole."""

import base64
import struct

import orjson
import pytest

from aiservice.providers.sandbox import PROVIDER
from aiservice.tasks import registry
from aiservice.wire import Answer, Ask, EventKind

_MESSAGES = [{"role": "user", "content": "hello there"}]


def _chat(**body: object) -> Ask:
    return Ask("chat", "chat", {"messages": _MESSAGES, **body})


def _answered(ask: Ask, model: str) -> Answer:
    call = PROVIDER.build(ask, model)
    return PROVIDER.read(ask, call, PROVIDER.serve(call))


def test_it_says_what_it_is_in_every_answer() -> None:
    answer = _answered(_chat(), "sandbox")
    assert "[sandbox]" in answer.body["choices"][0]["message"]["content"]


def test_the_same_request_gives_the_same_bytes() -> None:
    call = PROVIDER.build(_chat(), "sandbox")
    assert PROVIDER.serve(call).body == PROVIDER.serve(call).body


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_its_stream_folds_to_its_whole_answer(limit: int | None) -> None:
    body = {} if limit is None else {"max_tokens": limit}
    whole = _answered(_chat(**body), "sandbox")
    ask = _chat(**body)
    ask.is_stream = True
    call = PROVIDER.build(ask, "sandbox")
    reader = PROVIDER.reader(ask, call)
    events = [e for chunk in PROVIDER.serve_stream(call) for e in reader.feed(chunk)]
    assert "".join(e.text for e in events) == whole.body["choices"][0]["message"]["content"]
    assert [e.finish_reason for e in events if e.kind is EventKind.FINISH] == [whole.finish_reason]
    assert [e.usage for e in events if e.usage] == [whole.usage]
    assert reader.is_finished


def test_it_calls_a_tool_when_the_client_insists() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["city"]}}}
    ask = _chat(tools=[tool], tool_choice="required")
    answer = _answered(ask, "sandbox")
    call = answer.body["choices"][0]["message"]["tool_calls"][0]["function"]
    assert (call["name"], orjson.loads(call["arguments"])) == ("f", {"city": "sandbox"})
    assert answer.finish_reason == "tool_calls"


def test_embeddings_are_unit_vectors_and_the_same_as_base64() -> None:
    ask = Ask("embedding", "embedding", {"input": ["a", "b"], "dimensions": 20})
    vectors = [d["embedding"] for d in _answered(ask, "x").body["data"]]
    assert [len(v) for v in vectors] == [20, 20]
    assert sum(x * x for x in vectors[0]) == pytest.approx(1, abs=1e-5)
    ask.body["encoding_format"] = "base64"
    packed = _answered(ask, "x").body["data"][0]["embedding"]
    assert list(struct.unpack("<20f", base64.b64decode(packed))) == pytest.approx(vectors[0], abs=1e-6)


def test_it_answers_every_task() -> None:
    for task in registry().values():
        kind = task.kind
        inputs: dict[str, object] = {
            "translation": {"text": "x", "target_language": "French"},
            "image-understanding": {"image": "https://example.com/a.png"},
            "rerank": {"query": "x", "documents": ["x y"]},
            "speech-to-text": "data:audio/mpeg;base64,SUQzBAAAAAAA",
        }
        given = inputs.get(task.name, "x")
        ask = Ask(task.name, kind, task.ask_body({"input": given}))
        model = next(name for name in PROVIDER.default_models if PROVIDER.serves(name, kind))
        answer = _answered(ask, model)
        assert answer.media or task.output(answer.body)
