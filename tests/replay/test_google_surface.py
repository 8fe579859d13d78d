"""Recorded clients of Google's own wire, as if they spoke to us: what they sent goes to Google as it was, and means the
same translated; what Google answered is the same when it was folded from its stream, or came in pieces."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome
from aiservice.dialects.google_generate import METHODS
from aiservice.errors import InvalidRequest
from aiservice.providers._base import AttemptFailed
from aiservice.providers._gemini.stream import GeminiStreamReader
from aiservice.providers.gemini import PROVIDER
from aiservice.wire import AI_SERVICE_WIRE, Ask, HttpCall, HttpReply, StreamEvent
from tests.dialects.google_stream import fold, read_events
from tests.harness.evidence import Evidence
from tests.replay import traffic, wires
from tests.replay.gemini_reference import camel
from tests.replay.gemini_sent import gemini_differences
from tests.replay.traffic import Recording

_OUTCOME = Outcome("req_1", 5, "chat", "a", "m")
_CHAT = ("generateContent", "streamGenerateContent")


@pytest.fixture(scope="module")
def recorded() -> list[Recording]:
    if traffic.folder() is None:
        pytest.skip("no recorded traffic: set RECORDED_TRAFFIC to its folder, or lay it at ../shared/traffic")
    spoken = (wires.GEMINI, wires.GEMINI_EMBEDDINGS)
    return [
        one
        for one in traffic.recordings(("gemini", "vertex"))
        if one.wire in spoken and isinstance(one.request, dict) and _method(one) in METHODS
    ]


def _method(recording: Recording) -> str:
    return recording.url.partition("?")[0].rpartition(":")[2]


def _model(recording: Recording) -> str:
    model = recording.url.partition("?")[0].rpartition(":")[0].rpartition("/")[2]
    # By another name the older models would refuse what they were asked through another address of Google's.
    return "gemini-2.5-flash" if recording.provider == "vertex" and "2.0" in model else model


def _read(recording: Recording) -> Ask:
    return METHODS[_method(recording)](_model(recording)).read(orjson.loads(orjson.dumps(recording.request))).ask


def test_what_was_sent_to_google_is_sent_to_it_as_it_was_and_means_the_same_translated(
    recorded: list[Recording], evidence: Evidence
) -> None:
    natives = translated = 0
    wrong: list[str] = []
    for one in recorded:
        if one.status != 200 or one.excluded == wires.REDACTED:
            continue
        try:
            ask = _read(one)
        except InvalidRequest as error:
            wrong.append(f"{one.name}: refused: {error.message}")
            continue
        natives += 1
        sent = camel(orjson.loads(PROVIDER.build(ask, _model(one)).body))
        if _method(one) in _CHAT and sent != {k: v for k, v in camel(one.request).items() if k != "model"}:
            wrong.append(f"{one.name}: not as it was")
        if ask.uncarried:
            continue
        try:
            call = PROVIDER.build(replace(ask, wire=AI_SERVICE_WIRE, native=None), _model(one))
        except AttemptFailed as exc:
            wrong.append(f"{one.name}: refused translated: {exc.failure.message}")
            continue
        translated += 1
        wrong += [f"{one.name}: {words}" for words in gemini_differences(_worded(one.request), orjson.loads(call.body))]
    evidence.note(sent_as_they_were=natives, translated=translated, wrong=wrong)
    assert not wrong, "\n".join(wrong)
    assert min(natives, translated) > 40


def _worded(value: Any, name: str = "") -> Any:
    """The same with words for the numbers of types, sound of one kind by one name, and no order of properties."""
    if isinstance(value, dict):
        return {key: _worded(inner, key) for key, inner in value.items() if key != "propertyOrdering"}
    if isinstance(value, list):
        return [_worded(inner) for inner in value]
    if name == "type" and isinstance(value, int):
        return ["", "string", "number", "integer", "boolean", "array", "object"][value]
    return "audio/wav" if value == "audio/x-wav" else value


def _streams(recorded: list[Recording]) -> list[Recording]:
    return [one for one in recorded if one.is_stream and one.status == 200 and one.excluded is None]


def _passed(pieces: list[bytes], *, is_array: bool = False) -> tuple[list[Any], bool]:
    """What a client of ours is told of a stream that came in `pieces`, and whether that is whole."""
    dialect = METHODS["streamGenerateContent"]("m", is_array=is_array)
    request = dialect.read({"contents": [{"parts": [{"text": "x"}]}]})
    reader, writer = GeminiStreamReader(1, keeps_frames=True), dialect.writer(request)
    out = writer.start(_OUTCOME)
    events: list[StreamEvent] = []
    for piece in pieces:
        events = reader.feed(piece)
        out += writer.events(events)
    out += writer.events(reader.end())
    if not reader.is_finished:
        return [], False
    out += writer.done(_OUTCOME)
    return orjson.loads(out) if is_array else read_events(out), True


@pytest.mark.parametrize("is_array", [False, True])
def test_a_stream_of_googles_passes_with_every_word_of_it(recorded: list[Recording], is_array: bool) -> None:
    streams = _streams(recorded)
    assert len(streams) > 10
    for one in streams:
        told, is_whole = _passed([one.body], is_array=is_array)
        assert is_whole, one.name
        is_json = one.body.lstrip().startswith(b"[")
        assert told == (orjson.loads(one.body) if is_json else read_events(one.body)), one.name


@settings(max_examples=100)
@given(st.data())
def test_however_a_stream_is_cut_into_pieces_it_says_the_same(recorded: list[Recording], data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(_streams(recorded))).body
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[start:end] for start, end in pairwise([0, *places, len(body)])]
    assert _passed(pieces) == _passed([body])


@pytest.mark.parametrize("step", [997, pytest.param(1, marks=pytest.mark.long)])
def test_a_stream_that_ends_early_is_never_told_as_whole(recorded: list[Recording], step: int) -> None:
    for one in _streams(recorded):
        if len(one.body) > 20_000:
            continue
        wanted = fold(_passed([one.body])[0])
        for end in range(0, len(one.body), step):
            said, is_whole = _passed([one.body[:end]])
            told = fold(said)
            assert not is_whole or (told.text, told.calls) == (wanted.text, wanted.calls), f"{one.name} cut at {end}"


def test_a_whole_answer_translated_says_what_google_said(recorded: list[Recording]) -> None:
    seen = 0
    for one in recorded:
        if one.status != 200 or one.is_stream or one.excluded is not None or _method(one) != "generateContent":
            continue
        ask = replace(_read(one), wire=AI_SERVICE_WIRE)
        try:
            answer = PROVIDER.read(ask, HttpCall("/models/m:generateContent", b""), HttpReply(200, {}, one.body))
        except AttemptFailed:
            continue  # Google said that it failed
        dialect = METHODS["generateContent"]("m")
        outcome = replace(_OUTCOME, usage=answer.usage) if answer.usage is not None else _OUTCOME
        told, said = orjson.loads(dialect.answer(answer, outcome)), orjson.loads(one.body)
        if "candidates" not in said:
            assert told["candidates"][0]["finishReason"] == "SAFETY"
            continue
        got, wanted = fold([told]), fold([said])
        assert got.text == wanted.text, one.name
        assert got.finish == wanted.finish or isinstance(wanted.finish, int), one.name  # words as numbers, once
        assert [(call["name"], call["args"]) for call in got.calls] == [
            (call["name"], call.get("args") or {}) for call in wanted.calls
        ], one.name
        if "totalTokenCount" in wanted.usage:
            prompt = wanted.usage["promptTokenCount"] + wanted.usage.get("toolUsePromptTokenCount", 0)
            assert got.usage["promptTokenCount"] == prompt
            assert got.usage["candidatesTokenCount"] == wanted.usage.get("candidatesTokenCount", 0)
        seen += 1
    assert seen > 20
