"""Whatever a vendor says of its own calls (OpenAI's Responses, Gemini, Bedrock): read or failed by name, never an
exception, and told as it came, streamed as whole."""

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.wire import Ask, EventKind, HttpCall, HttpReply, Json, StreamEvent
from tests.mock.shapes.bedrock import frame

_CALLS = {
    "openai": HttpCall("/responses", b"{}"),
    "gemini": HttpCall("/v1beta/models/gemini-2.5-flash:generateContent", b"{}"),
    "bedrock": HttpCall("/model/amazon.nova-pro-v1%3A0/converse", b"{}"),
}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_OBJECT = st.dictionaries(st.text(max_size=5), _JSON, max_size=3)
_TEXT = st.text(max_size=5)
_CUTS = st.lists(st.integers(1, 400), max_size=12)
_KEYS = st.sampled_from(
    ["type", "id", "call_id", "name", "arguments", "content", "summary", "text", "annotations", "input", "args",
     "functionCall", "thought", "thoughtSignature", "partialArgs", "willContinue", "inlineData", "toolUse",
     "toolResult", "toolUseId", "citationsContent", "citations", "reasoningContent", "redactedContent", "summary"]
)  # fmt: skip
_WORDS = st.sampled_from(["message", "function_call", "reasoning", "server_tool_use", "output_text", "web_search_call"])
_ODD = st.recursive(
    _JSON | _WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=9
)


def _ask(*, is_stream: bool = False) -> Ask:
    return Ask("chat", "chat", {"messages": [{"role": "user", "content": "hi"}]}, is_stream)


def _whole(kind: str, body: Json) -> Json:
    answer = registry()[kind].read(_ask(), _CALLS[kind], HttpReply(200, {}, orjson.dumps(body)))
    return dict(answer.body["choices"][0]["message"])


def _streamed(kind: str, sent: bytes, cuts: list[int]) -> tuple[list[StreamEvent], bool]:
    """The events of `sent`, cut into pieces of those lengths and the rest."""
    call = HttpCall(_CALLS[kind].path, b"{}", is_stream=True)
    if kind == "bedrock":
        call = HttpCall(call.path + "-stream", b"{}", is_stream=True)
    reader = registry()[kind].reader(_ask(is_stream=True), call)
    events: list[StreamEvent] = []
    for length in cuts:
        events += reader.feed(sent[:length])
        sent = sent[length:]
    return [*events, *reader.feed(sent), *reader.end()], reader.is_finished


def _events(*said: Any) -> bytes:
    return b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in said)


def _own_in(events: list[StreamEvent]) -> Json | None:
    found = [event.details for event in events if event.kind is EventKind.TEXT and event.details is not None]
    assert len(found) <= 1, "it is told once"
    return found[0] if found else None


def _openai_stream(items: list[Any], end: Any) -> bytes:
    added = [{"type": "response.output_item.added", "output_index": n, "item": one} for n, one in enumerate(items)]
    done = [{**each, "type": "response.output_item.done"} for each in added]
    return _events(*(event for pair in zip(added, done, strict=True) for event in pair), end)


def _openai_body(items: list[Any]) -> Json:
    return {"status": "completed", "output": items}


def _gemini_body(parts: list[Any]) -> Json:
    return {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}


def _gemini_stream(parts: list[Any]) -> bytes:
    return _events(*(_gemini_piece(part) for part in parts), {"candidates": [{"finishReason": "STOP"}]})


def _gemini_piece(part: Any) -> Json:
    return {"candidates": [{"content": {"parts": [part]}}]}


def _bedrock_body(blocks: list[Any]) -> Json:
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    return {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": "end_turn", "usage": usage}


def _bedrock_end() -> bytes:
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    return frame("messageStop", {"stopReason": "end_turn"}) + frame("metadata", {"usage": usage})


@given(st.lists(_OBJECT.map(lambda more: {**more, "type": "web_search_call"}), min_size=1, max_size=4), _CUTS)
def test_openais_items_come_through_as_they_were(items: list[Json], cuts: list[int]) -> None:
    told = _whole("openai", _openai_body(items))["extra_content"]
    assert told == {"openai": {"output": items}}
    end = {"type": "response.completed", "response": {"status": "completed"}}
    events, is_whole = _streamed("openai", _openai_stream(items, end), cuts)
    assert (is_whole, _own_in(events)) == (True, told)


@given(st.lists(st.tuples(_TEXT, _OBJECT), min_size=1, max_size=4), _CUTS)
def test_googles_parts_come_through_with_their_places(said: list[tuple[str, Json]], cuts: list[int]) -> None:
    parts: list[Json] = []
    wanted: list[Json] = []
    length = 0
    for text, own in said:
        parts += [{"text": text}, {"executableCode": own}]
        length += len(text)
        wanted.append({"executableCode": own, "content_offset": length, "reasoning_offset": 0})
    message = _whole("gemini", _gemini_body(parts))
    assert message["extra_content"] == {"google": {"parts": wanted}}
    assert message["content"] == "".join(text for text, _ in said)
    events, is_whole = _streamed("gemini", _gemini_stream(parts), cuts)
    assert (is_whole, _own_in(events)) == (True, message["extra_content"])


@given(st.lists(st.tuples(_TEXT, _OBJECT), min_size=1, max_size=4), _CUTS)
def test_bedrocks_own_blocks_come_through_with_their_places(said: list[tuple[str, Json]], cuts: list[int]) -> None:
    blocks: list[Json] = []
    sent = frame("messageStart", {"role": "assistant"})
    for place, (text, given_input) in enumerate(said):
        use = {"toolUseId": f"t{place}", "name": "nova_grounding", "type": "server_tool_use"}
        blocks += [{"text": text}, {"toolUse": {**use, "input": given_input}}]
        sent += frame("contentBlockDelta", {"contentBlockIndex": 2 * place, "delta": {"text": text}})
        sent += frame("contentBlockStart", {"contentBlockIndex": 2 * place + 1, "start": {"toolUse": use}})
        piece = orjson.dumps(given_input).decode()
        for half in (piece[:3], piece[3:]):
            delta = {"toolUse": {"input": half}}
            sent += frame("contentBlockDelta", {"contentBlockIndex": 2 * place + 1, "delta": delta})
        sent += frame("contentBlockStop", {"contentBlockIndex": 2 * place + 1})
    told = _whole("bedrock", _bedrock_body(blocks))["extra_content"]
    assert [own["toolUse"] for own in told["bedrock"]["content"]] == [block["toolUse"] for block in blocks[1::2]]
    events, is_whole = _streamed("bedrock", sent + _bedrock_end(), cuts)
    assert (is_whole, _own_in(events)) == (True, told)


_BODIES: dict[str, Callable[[list[Any]], Json]] = {
    "openai": _openai_body,
    "gemini": _gemini_body,
    "bedrock": _bedrock_body,
}


@settings(max_examples=40)
@given(st.sampled_from(sorted(_BODIES)), st.lists(_ODD, max_size=4))
def test_any_answer_is_read_or_has_failed(kind: str, said: list[Any]) -> None:
    try:
        message = _whole(kind, _BODIES[kind](said))
    except AttemptFailed as failed:
        assert failed.failure.status >= 400
    else:
        assert orjson.loads(orjson.dumps(message)) == message


@settings(max_examples=40)
@given(st.sampled_from(sorted(_BODIES)), st.lists(_ODD, max_size=5), _CUTS)
def test_any_stream_is_read_or_has_failed(kind: str, said: list[Any], cuts: list[int]) -> None:
    end = {"type": "response.completed", "response": {"status": "completed", "output": said}}
    sent = {
        "openai": lambda: _openai_stream(said, end),
        "gemini": lambda: _gemini_stream(said),
        "bedrock": lambda: b"".join(_bedrock_events(said)) + _bedrock_end(),
    }[kind]()
    events, is_whole = _streamed(kind, sent, cuts)
    assert is_whole is not any(event.kind is EventKind.ERROR for event in events)
    assert sum(event.kind is EventKind.ERROR for event in events) <= 1


@settings(max_examples=40)
@given(st.sampled_from(sorted(_BODIES)), st.lists(_ODD, max_size=5), _CUTS)
def test_any_events_at_all_are_read_or_have_failed(kind: str, said: list[Any], cuts: list[int]) -> None:
    names = ["contentBlockStart", "contentBlockDelta", "contentBlockStop", "metadata", "messageStop"]
    if kind == "bedrock":
        sent = b"".join(frame(names[n % 5], one) for n, one in enumerate(said) if isinstance(one, dict))
    else:
        sent = _events(*said)
    events, is_whole = _streamed(kind, sent, cuts)
    assert not (is_whole and any(event.kind is EventKind.ERROR for event in events))


def _bedrock_events(said: list[Any]) -> list[bytes]:
    found = []
    for place, one in enumerate(said):
        found.append(frame("contentBlockStart", {"contentBlockIndex": place, "start": one}))
        found.append(frame("contentBlockDelta", {"contentBlockIndex": place, "delta": one}))
        found.append(frame("contentBlockStop", {"contentBlockIndex": place}))
    return found
