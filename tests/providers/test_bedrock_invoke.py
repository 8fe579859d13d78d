"""Claude on Bedrock by its maker's own wire: nothing of a client's body is lost, and nothing of the answer."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.anthropic import PROVIDER as ANTHROPIC
from aiservice.providers.bedrock import PROVIDER
from aiservice.wire import MESSAGES_WIRE, Ask, EventKind, HttpCall, HttpReply, Json, StreamEvent
from tests.mock.shapes.bedrock import frame
from tests.providers.anthropic_events import HELLO
from tests.providers.anthropic_events import frame as sse
from tests.providers.bedrock_samples import CLAUDE, NOVA, WEATHER, built

_NATIVE: Json = {
    "model": "claude", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "Hi"}],
    "context_management": {"edits": []},
}  # fmt: skip
_BODY: Json = {"messages": [{"role": "user", "content": "Hi"}]}
_STREAM = [frame("chunk", {"bytes": base64.b64encode(orjson.dumps(event)).decode(), "p": "abc"}) for event in HELLO]


def native(*, is_stream: bool = False, betas: str = "", kind: Any = "chat", uncarried: tuple[str, ...] = ()) -> Ask:
    headers = (("anthropic-version", "2023-06-01"), *((("anthropic-beta", betas),) if betas else ()))
    return Ask(
        "chat", kind, _BODY, is_stream, wire=MESSAGES_WIRE, native=_NATIVE, native_headers=headers, uncarried=uncarried
    )  # fmt: skip


def streamed(*pieces: bytes) -> tuple[list[StreamEvent], bool]:
    asked = native(is_stream=True)
    reader = PROVIDER.reader(asked, PROVIDER.build(asked, CLAUDE))
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    return events, reader.is_finished


def test_a_clients_own_body_goes_as_it_came_but_for_what_bedrock_has_elsewhere() -> None:
    call = PROVIDER.build(native(is_stream=True, betas="a-1, b-2", uncarried=("context_management",)), CLAUDE)
    kept = {name: _NATIVE[name] for name in ("max_tokens", "messages", "context_management")}
    said = {**kept, "anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["a-1", "b-2"]}
    assert (orjson.loads(call.body), call.path.rpartition("/")[2]) == (said, "invoke-with-response-stream")
    assert call.headers == (("content-type", "application/json"),)


def test_another_makers_model_is_given_the_chat_and_refuses_what_that_cannot_hold() -> None:
    assert PROVIDER.build(native(), NOVA).path.endswith("/converse")
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(native(uncarried=("context_management",)), NOVA)
    assert caught.value.failure.param == "context_management"


def test_one_call_at_most_is_said_in_claudes_own_wire() -> None:
    assert built(tools=[WEATHER], parallel_tool_calls=False)["tool_choice"] == {
        "type": "auto", "disable_parallel_tool_use": True,
    }  # fmt: skip
    assert "toolConfig" in built(tools=[WEATHER], parallel_tool_calls=False, model=NOVA)


def test_the_bytes_of_a_whole_answer_are_the_clients() -> None:
    said = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}],
            "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 1}}  # fmt: skip
    asked, raw = native(), orjson.dumps(said)
    found = PROVIDER.read(asked, PROVIDER.build(asked, CLAUDE), HttpReply(200, {}, raw))
    assert (found.raw, found.raw_wire, found.body["choices"][0]["message"]["content"]) == (raw, MESSAGES_WIRE, "Hi")


def test_a_stream_is_what_anthropic_itself_would_send() -> None:
    asked = native(is_stream=True)
    theirs = ANTHROPIC.reader(asked, HttpCall("/v1/messages", b"", is_stream=True))
    expected = [event for one in HELLO for event in theirs.feed(sse(one))] + theirs.end()
    events, is_whole = streamed(*_STREAM)
    assert is_whole
    assert [(event.kind, event.text, event.usage) for event in events] == [
        (event.kind, event.text, event.usage) for event in expected
    ]
    told = b"".join(event.frame or b"" for event in events)
    assert [orjson.loads(line[6:]) for line in told.split(b"\n") if line.startswith(b"data: ")] == list(HELLO)


def test_a_stream_cut_at_any_byte_is_not_whole() -> None:
    stream = b"".join(_STREAM)
    for cut in range(len(stream)):
        assert not streamed(stream[:cut])[1], cut


_ALL = b"".join(_STREAM)


@given(st.lists(st.integers(1, len(_ALL) - 1), max_size=8))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted(set(cuts))
    pieces = [_ALL[a:b] for a, b in zip([0, *places], [*places, len(_ALL)], strict=True)]
    assert streamed(*pieces) == streamed(_ALL)


@pytest.mark.parametrize(
    "payload", [{"bytes": "?"}, {"bytes": base64.b64encode(b"[]").decode()}, {}, {"bytes": 7},
                {"bytes": base64.b64encode(b'{"type": "x y"}').decode()},
                {"bytes": base64.b64encode(b'{"type":\n"ping"}').decode()}],
)  # fmt: skip
def test_what_is_no_event_is_a_failure(payload: Json) -> None:
    events, is_whole = streamed(_STREAM[0], frame("chunk", payload), *_STREAM[1:])
    assert (events[-1].kind, is_whole) == (EventKind.ERROR, False)


def test_an_exception_or_a_broken_frame_ends_a_stream() -> None:
    fault = frame("throttlingException", {"message": "Slow."}, "exception")
    for broken in (fault, b"x" * 40):
        events, is_whole = streamed(*_STREAM[:3], broken, *_STREAM[3:])
        assert (events[-1].kind, is_whole) == (EventKind.ERROR, False)


def test_a_count_is_of_the_clients_own_body() -> None:
    call = PROVIDER.build(native(kind="token-count"), CLAUDE)
    said = orjson.loads(base64.b64decode(orjson.loads(call.body)["input"]["invokeModel"]["body"]))
    assert call.path == "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"
    assert (said["messages"], said["max_tokens"], said["anthropic_version"]) == (
        _NATIVE["messages"], 9, "bedrock-2023-05-31",
    )  # fmt: skip
