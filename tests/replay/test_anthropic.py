"""Recorded Messages API traffic through the pure functions: answers read, recorded requests built again from chat."""

from collections import Counter
from typing import Any

import orjson
import pytest

from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import MESSAGES_WIRE, Ask, EventKind, HttpCall, HttpReply, Usage
from tests.replay import anthropic_reference, traffic, wires
from tests.replay._expected import Expected
from tests.replay.traffic import Recording

_CALL = HttpCall("/v1/messages", b"{}")
# Blocks that chat has no word for.
_ONLY_HERE = frozenset({"container_upload", "file"})


def _recorded() -> list[Recording]:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    found = [each for each in traffic.recordings() if each.wire == wires.ANTHROPIC and each.excluded is None]
    assert len(found) > 50, "the traffic is not the one these tests know"
    return found


def _reply(recording: Recording) -> HttpReply:
    return HttpReply(recording.status, recording.headers, recording.body)


def _of_usage(got: Expected, usage: Usage | None) -> Expected:
    assert usage is not None
    got.input_tokens, got.output_tokens = usage.input_tokens, usage.output_tokens
    got.cached_input_tokens, got.reasoning_tokens = usage.cached_input_tokens, usage.reasoning_tokens
    return got


def _read_whole(recording: Recording) -> Expected:
    ask = Ask("chat", "chat", {"messages": []})
    if recording.status != 200:
        failure = PROVIDER.failure(_reply(recording))
        return Expected(error=failure.code, error_status=failure.status)
    answer = PROVIDER.read(ask, _CALL, _reply(recording))
    message = answer.body["choices"][0]["message"]
    functions = [call["function"] for call in message.get("tool_calls", [])]
    calls = [(function["name"], orjson.loads(function["arguments"])) for function in functions]
    assert answer.raw == recording.body
    got = Expected(message["content"] or "", message.get("refusal", ""), calls, answer.finish_reason)
    return _of_usage(got, answer.usage)


def _read_stream(recording: Recording, size: int, *, is_native: bool = False) -> tuple[Expected, bytes]:
    ask = Ask("chat", "chat", {"messages": []}, is_stream=True)
    if is_native:
        ask.wire, ask.native = MESSAGES_WIRE, {}
    reader = PROVIDER.reader(ask, _CALL)
    body = recording.body
    events = [event for at in range(0, len(body), size) for event in reader.feed(body[at : at + size])]
    events += reader.end()
    got = Expected()
    calls: dict[int, list[str]] = {}
    usage = None
    for event in events:
        if event.kind is EventKind.TEXT:
            got.text += event.text
        elif event.tool_call is not None:
            call = calls.setdefault(event.tool_call.index, ["", ""])
            call[0] = call[0] or event.tool_call.name or ""
            call[1] += event.tool_call.arguments
        got.finish_reason = got.finish_reason or event.finish_reason
        usage = event.usage or usage
    got.tool_calls = [(name, orjson.loads(arguments)) for _, (name, arguments) in sorted(calls.items())]
    assert reader.is_finished
    return _of_usage(got, usage), b"".join(event.frame for event in events if event.frame)


def test_every_recorded_answer_is_read_as_it_was() -> None:
    seen: Counter[str] = Counter()
    for recording in _recorded():
        wanted = anthropic_reference.expected(recording.status, recording.body)
        if traffic.is_event_stream(recording.body):
            for size in (1, 7, 700, len(recording.body)):
                assert _read_stream(recording, size)[0] == wanted, recording.name
            seen["stream"] += 1
        else:
            assert _read_whole(recording) == wanted, recording.name
            seen["whole" if wanted.error is None else "error"] += 1
    print(dict(seen))
    assert seen["stream"] >= 20
    assert seen["whole"] >= 20
    assert seen["error"] >= 5


def test_a_client_of_the_same_wire_is_given_every_recorded_byte() -> None:
    for recording in _recorded():
        if traffic.is_event_stream(recording.body):
            _, frames = _read_stream(recording, 700, is_native=True)
            end = recording.body.find(b"message_stop", recording.body.find(b'"message_stop"') - 40)
            assert recording.body.startswith(frames[: frames.rfind(b"\n\n") + 2]), recording.name
            assert len(frames) > end, recording.name


def test_every_recorded_request_is_built_again_from_chat() -> None:
    """The reference says a recorded request in chat's words; built from those, it must say what was recorded."""
    built: Counter[str] = Counter()
    for recording in _recorded():
        request = recording.request
        if not isinstance(request, dict) or not all(isinstance(each, dict) for each in request["messages"]):
            built["no request"] += 1
            continue
        if _has_only_here(request):
            built["holds what only this wire has"] += 1
            continue
        ask = Ask("chat", "chat", anthropic_reference.chat_request(request), is_stream=recording.is_stream)
        again = orjson.loads(PROVIDER.build(ask, request["model"]).body)
        assert _plain(again) == _plain(request), recording.name
        built["built"] += 1
    print(dict(built))
    assert built["built"] >= 30


def _has_only_here(request: dict[str, Any]) -> bool:
    blocks = [block for each in request["messages"] if isinstance(each["content"], list) for block in each["content"]]
    return any({block["type"], (block.get("source") or {}).get("type")} & _ONLY_HERE for block in blocks)


def _plain(request: dict[str, Any]) -> dict[str, Any]:
    """A request without the freedom this wire leaves: texts as blocks, turns of one role joined, defaults left out."""
    plain = {name: value for name, value in request.items() if name not in ("stream", "messages", "system", "tools")}
    plain["system"] = _blocks(request.get("system") or [])
    turns: list[tuple[str, list[Any]]] = []
    for message in request["messages"]:
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(_blocks(message["content"]))
        else:
            turns.append((message["role"], _blocks(message["content"])))
    plain["messages"] = turns
    tools = request.get("tools") or []
    plain["tools"] = [{name: value for name, value in tool.items() if value != ""} for tool in tools]
    return plain


def _blocks(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [
        {name: _blocks(value) if name == "content" else value for name, value in block.items() if value is not False}
        for block in content
    ]
