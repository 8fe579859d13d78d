"""Every recorded generateContent and embedding call of both of Google's services, through the pure functions.

The Gemini connection itself is replayed through the gateway (test_replay.py); Vertex speaks the same bodies at another
address, so that its recordings judge this reader too: integers for words, usage at the end only, calls in pieces.
"""

import json
from collections import Counter
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.gemini import PROVIDER
from aiservice.wire import Answer, Ask, HttpCall, HttpReply, Usage
from tests.harness.evidence import Evidence
from tests.providers.gemini_samples import folded, streamed, told
from tests.replay import traffic, wires
from tests.replay._expected import Expected
from tests.replay.gemini_reference import chat_request, expected
from tests.replay.gemini_sent import gemini_differences
from tests.replay.table import Table
from tests.replay.traffic import Recording

_WIRES = (wires.GEMINI, wires.GEMINI_EMBEDDINGS)


@pytest.fixture(scope="module")
def recorded() -> list[Recording]:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    return [each for each in traffic.recordings(("gemini", "vertex")) if each.wire in _WIRES and not each.excluded]


def test_recorded_calls_of_both_services_are_asked_and_read_as_they_were(
    recorded: list[Recording], evidence: Evidence
) -> None:
    table = Table()
    for recording in recorded:
        if recording.wire not in _WIRES and recording.excluded is None:
            recording.excluded = f"another wire ({recording.wire})"
        table.add(recording, [] if recording.excluded else [*_read_wrongly(recording), *_asked_wrongly(recording)])
    print(table.text())
    totals = {name: "/".join(map(str, table.total(name))) for name in ("gemini", "vertex")}
    evidence.note(cells="passed/excluded/failed", totals=totals, excluded=table.reasons, failed=table.failures)
    assert min(table.total("gemini")[0], table.total("vertex")[0]) > 0
    assert not table.failures, "\n".join(table.failures)


def test_the_replay_sees_a_mutated_answer(recorded: list[Recording]) -> None:
    """Of each recorded answer one thing is changed before our reader has it: all but noise must be seen."""
    seen: Counter[str] = Counter()
    for recording in recorded:
        if recording.excluded is not None or recording.wire != wires.GEMINI or recording.status != 200:
            continue
        for before, after in ((b"STOP", b"SAFETY"), (b"TokenCount", b"TokenKount"), (b'"args"', b'"argz"')):
            changed = recording.body.replace(before, after)
            if changed != recording.body:
                seen[f"{before.decode()} changed"] += 1
                seen[f"{before.decode()} seen"] += bool(_read_wrongly(recording, changed))
    assert seen["STOP changed"] == seen["STOP seen"] > 0
    assert seen["TokenCount changed"] == seen["TokenCount seen"] > 0
    assert 0 < seen['"args" seen'] <= seen['"args" changed']


@settings(max_examples=200)
@given(st.data())
def test_recorded_streams_say_the_same_however_they_are_cut(recorded: list[Recording], data: st.DataObject) -> None:
    streams = [one for one in recorded if one.is_stream and one.excluded is None and one.wire == wires.GEMINI]
    body = data.draw(st.sampled_from(streams)).body
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=20)))
    edges = [0, *places, len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    assert streamed(*pieces) == streamed(body)


def _read_wrongly(recording: Recording, body: bytes | None = None) -> list[str]:
    """What our reader says otherwise than the reference extractor."""
    body = recording.body if body is None else body
    wanted = expected(recording.status, recording.body)
    got = _read(recording, body)
    fields = ["text", "tool_calls", "finish_reason", "vectors", "error"]
    if wanted.input_tokens is not None or recording.wire == wires.GEMINI:
        fields += ["input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"]
    if wanted.error_status is not None:
        fields.append("error_status")
    return [
        f"{name}: {str(getattr(got, name))[:200]} is not {str(getattr(wanted, name))[:200]}"
        for name in fields
        if getattr(got, name) != getattr(wanted, name)
    ]


def _read(recording: Recording, body: bytes) -> Expected:
    if recording.status != 200:
        failure = PROVIDER.failure(HttpReply(recording.status, recording.headers, body))
        return Expected(error=failure.code, error_status=failure.status)
    if recording.is_stream:
        return _streamed(body)
    kind = "embedding" if recording.wire == wires.GEMINI_EMBEDDINGS else "chat"
    asked = Ask("chat", "embedding" if kind == "embedding" else "chat", {})
    try:
        answer = PROVIDER.read(asked, HttpCall("/models/m:generateContent", b""), HttpReply(200, {}, body))
    except AttemptFailed as exc:
        return Expected(error=exc.failure.code, error_status=exc.failure.status)
    return _whole(answer) if kind == "chat" else _vectors(answer)


def _streamed(body: bytes) -> Expected:
    events, is_whole = streamed(body)
    said = folded(events)
    calls = [(name, json.loads(arguments)) for _, name, arguments, _ in said["calls"]]
    got = Expected(text=said["text"], tool_calls=calls)
    usage = next((event.usage for event in reversed(events) if event.usage is not None), None)
    failure = next((event.failure for event in events if event.failure is not None), None)
    if failure is not None:
        got.error, got.error_status = failure.code, failure.status
    elif not is_whole:
        got.error, got.error_status = "upstream_truncated", 502
    got.finish_reason = said["finish"] if got.error is None else None
    return _counted(got, usage)


def _whole(answer: Answer) -> Expected:
    said = told(answer)
    calls = [(name, json.loads(arguments)) for _, name, arguments, _ in said["calls"]]
    return _counted(Expected(text=said["text"], tool_calls=calls, finish_reason=answer.finish_reason), answer.usage)


def _vectors(answer: Answer) -> Expected:
    return _counted(Expected(vectors=[item["embedding"] for item in answer.body["data"]]), answer.usage)


def _counted(got: Expected, usage: Usage | None) -> Expected:
    if usage is not None:
        got.input_tokens, got.output_tokens = usage.input_tokens, usage.output_tokens
        got.cached_input_tokens, got.reasoning_tokens = usage.cached_input_tokens, usage.reasoning_tokens
    return got


def _asked_wrongly(recording: Recording) -> list[str]:
    """What our request for the same chat says otherwise than the recorded one."""
    if not isinstance(recording.request, dict) or recording.status != 200:
        return []
    kind = "embedding" if recording.wire == wires.GEMINI_EMBEDDINGS else "chat"
    body = chat_request(recording.request)
    asked = Ask("chat", "embedding" if kind == "embedding" else "chat", body, is_stream=recording.is_stream)
    # By another name the older models would refuse what they were asked through another address of Google's.
    model = recording.url.split("/models/")[1].partition(":")[0]
    model = "gemini-2.5-flash" if recording.provider == "vertex" and "2.0" in model else model
    try:
        call = PROVIDER.build(asked, model)
    except AttemptFailed as exc:
        return [f"refused: {exc.failure.param}: {exc.failure.message}"]
    return gemini_differences(recording.request, orjson.loads(call.body))
