"""Anthropic's streams, however they come: any split, any bytes, and the same answer as whole."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import Ask, EventKind, HttpReply, StreamEvent
from tests.providers.anthropic_events import (
    BODY,
    CALL,
    HELLO,
    START,
    STOP,
    begin,
    delta,
    end,
    finish,
    frame,
    read_all,
    text,
)


@given(st.lists(st.integers(1, 600), max_size=12), st.booleans())
def test_any_split_gives_the_same_events(cuts: list[int], is_native: bool) -> None:
    stream = b"".join(map(frame, HELLO)).replace(b"\n", b"\r\n")
    places = sorted({cut for cut in cuts if cut < len(stream)})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert read_all(*pieces, is_native=is_native) == read_all(stream, is_native=is_native)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_give_events_and_never_an_exception(chunks: list[bytes]) -> None:
    read_all(*chunks)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_KINDS = st.sampled_from(
    ["message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
     "content_block_stop", "text", "tool_use", "thinking", "text_delta", "input_json_delta", "signature_delta"]
)  # fmt: skip
_FIELDS = st.sampled_from(["index", "text", "input", "usage", "thinking", "signature", "partial_json", "stop_reason"])
_INNER = st.builds(lambda kind, rest: {**rest, "type": kind}, _KINDS, st.dictionaries(_FIELDS, _JSON, max_size=4))
_EVENTS = st.builds(
    lambda event, inner, where: {**event, where: inner},
    _INNER,
    _INNER | _JSON,
    st.sampled_from(["delta", "content_block", "message", "usage"]),
)


@given(st.lists(_EVENTS, max_size=8), st.booleans())
def test_any_json_gives_events_and_never_an_exception(events: list[Any], is_native: bool) -> None:
    read_all(*events, is_native=is_native)


_SCALARS = st.text(max_size=8) | st.integers(0, 9) | st.none()
_BLOCKS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=12))
    | st.builds(
        lambda text, seal: {"type": "thinking", "thinking": text, "signature": seal},
        st.text(max_size=12),
        st.text(min_size=1, max_size=5),
    )
    | st.builds(lambda data: {"type": "redacted_thinking", "data": data}, st.text(min_size=1, max_size=5))
    | st.builds(
        lambda name, given_input: {"type": "tool_use", "id": "toolu_" + name, "name": name, "input": given_input},
        st.sampled_from(["f", "g", "json_answer"]),
        st.dictionaries(st.text(max_size=5), _SCALARS, max_size=3),
    )
    | st.just({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}),
    max_size=5,
)


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def _streamed(blocks: list[dict[str, Any]], stop: str, size: int) -> list[dict[str, Any]]:
    """What the vendor would stream for a message."""
    events: list[dict[str, Any]] = [START]
    for index, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text":
            events += [
                begin(index, type=kind, text=""),
                *(text(piece, index) for piece in _pieces(block["text"], size)),
            ]
        elif kind == "thinking":
            thoughts = _pieces(block["thinking"], size)
            events += [begin(index, type=kind, thinking="", signature="")]
            events += [delta(index, type="thinking_delta", thinking=piece) for piece in thoughts]
            events += [delta(index, type="signature_delta", signature=block["signature"])]
        elif kind == "redacted_thinking":
            events.append(begin(index, **block))
        else:
            arguments = orjson.dumps(block["input"]).decode() if block["input"] else ""
            events.append(begin(index, **{**block, "input": {}}))
            events += [delta(index, type="input_json_delta", partial_json=piece) for piece in _pieces(arguments, size)]
        events.append(end(index))
    return [*events, finish(stop), STOP]


def _folded(events: list[StreamEvent]) -> dict[str, Any]:
    """A message put together from events, as a client does it."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "details": {}, "calls": {}}
    for event in events:
        if event.kind is EventKind.TEXT:
            message["content"] += event.text
        elif event.kind is EventKind.REASONING:
            message["reasoning_content"] += event.text
            if event.details is None:  # it thinks, and does not say what
                continue
            known = message["details"].setdefault(event.details["index"], {**event.details, "text": ""})
            known.update({**event.details, "text": known["text"] + event.details.get("text", "")})
        elif event.tool_call is not None:
            call = message["calls"].setdefault(event.tool_call.index, ["", "", ""])
            call[0] = call[0] or event.tool_call.call_id
            call[1] = call[1] or event.tool_call.name
            call[2] += event.tool_call.arguments
    return message


@given(_BLOCKS, st.sampled_from(["end_turn", "max_tokens", "tool_use"]), st.integers(1, 5), st.booleans())
def test_a_stream_folded_is_the_whole_answer(blocks: list[dict[str, Any]], stop: str, size: int, is_json: bool) -> None:
    body: dict[str, Any] = {"response_format": {"type": "json_object"}} if is_json else {}
    whole_body = {"content": blocks, "stop_reason": stop, "usage": {"input_tokens": 9, "output_tokens": 5}}
    ask = Ask("chat", "chat", {**BODY, **body})
    whole = PROVIDER.read(ask, CALL, HttpReply(200, {}, orjson.dumps(whole_body)))
    events, is_finished = read_all(*_streamed(blocks, stop, size), **body)
    message, folded = whole.body["choices"][0]["message"], _folded(events)
    assert is_finished
    assert folded["content"] == (message["content"] or "")
    assert folded["reasoning_content"] == message.get("reasoning_content", "")
    details = [{"text": "", **item} for item in message.get("reasoning_details", [])]
    assert [folded["details"][index] for index in sorted(folded["details"])] == details
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", [])
    ]
    assert [tuple(folded["calls"][index]) for index in sorted(folded["calls"])] == calls
    assert [event.finish_reason for event in events if event.finish_reason] == [whole.finish_reason]
    assert [event.usage for event in events if event.usage][-1] == whole.usage
