"""Pictures, sound and transcripts as they come: in events, as they are, or whole, wherever their bytes are cut."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.dialects import openai_audio, openai_images
from aiservice.dialects._base import Outcome
from aiservice.kit.sse import MAX_LINE_BYTES, data_frame, named_frame
from aiservice.providers import registry
from aiservice.providers._sound import wav
from aiservice.wire import Ask, EventKind, Json, MediaTokens, StreamEvent, Usage

_OUTCOME = Outcome("req_1", 1_790_000_000, "t", "p", "m", usage=Usage(3, 2))
_MP3 = b"\xff\xfb\x90\x00" + bytes(range(256)) * 4
_PNG = base64.b64encode(b"\x89PNG").decode()
_FILE = {"filename": "a.wav", "content_type": "audio/wav", "data": wav(bytes(16_000), 8_000)}
_CUTS = st.lists(st.integers(1, 300), max_size=8)


def _spoken(**body: Any) -> Ask:
    return openai_audio.SPEECH_DIALECT.read({"input": "hello", "model": "m", "voice": "alloy", **body}).ask


def _drawn(**body: Any) -> Ask:
    return openai_images.DIALECT.read({"prompt": "a", "model": "gpt-image-1", "stream": True, **body}).ask


def _read(
    ask: Ask, sent: bytes, cuts: list[int] | None = None, kind: str = "openai", model: str = "m", **headers: str
) -> tuple[list[StreamEvent], Any]:
    """The events of `sent`, in pieces of those lengths and the rest, and the reader."""
    provider = registry()[kind]
    reader = provider.reader(ask, provider.build(ask, model))
    reader.note_head({name.replace("_", "-"): value for name, value in headers.items()})
    events: list[StreamEvent] = []
    for length in cuts or ():
        events += reader.feed(sent[:length])
        sent = sent[length:]
    return [*events, *reader.feed(sent), *reader.end()], reader


def _sound_in(events: list[StreamEvent]) -> bytes:
    return b"".join(event.details["data"] for event in events if event.kind is EventKind.MEDIA and event.details)


def _draft(number: int, name: str = "image_generation") -> bytes:
    said = {"type": f"{name}.partial_image", "b64_json": _PNG, "partial_image_index": number}
    return named_frame(said["type"], orjson.dumps(said))  # type: ignore[arg-type]


def _done(name: str = "image_generation", **usage: Any) -> bytes:
    said: Json = {"type": f"{name}.completed", "b64_json": _PNG}
    if usage:
        said["usage"] = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110, **usage}
    return named_frame(f"{name}.completed", orjson.dumps(said))


@given(_CUTS)
def test_sound_is_passed_on_as_it_comes_wherever_it_is_cut(cuts: list[int]) -> None:
    events, reader = _read(_spoken(), _MP3, cuts, content_type="audio/mpeg")
    assert (_sound_in(events), reader.media_type, reader.is_finished) == (_MP3, "audio/mpeg", True)
    usage = [event.usage for event in events if event.kind is EventKind.USAGE]
    assert len(usage) == 1
    assert usage[0] is not None
    assert (usage[0].units, usage[0].unit) == (5, "character")


def test_the_first_sound_is_told_before_the_last_has_come() -> None:
    reader = registry()["openai"].reader(_spoken(), registry()["openai"].build(_spoken(), "tts-1"))
    assert _sound_in(reader.feed(_MP3[:10])) == _MP3[:10]
    assert not reader.is_finished


@pytest.mark.parametrize(
    ("sent", "headers", "code"),
    [
        (b'{"error": {"message": "no", "type": "server_error"}}', {"content_type": "audio/mpeg"}, "provider_failed"),
        (b"<html>busy</html>", {"content_type": "text/html"}, "provider_invalid_answer"),
        (b"", {"content_type": "audio/mpeg"}, "provider_invalid_answer"),
        (b"{", {"content_type": "audio/mpeg"}, "provider_invalid_answer"),
    ],
)
@given(cuts=st.lists(st.integers(1, 9), max_size=4))
def test_what_is_no_sound_has_failed_before_anything_was_said(
    sent: bytes, headers: dict[str, str], code: str, cuts: list[int]
) -> None:
    events, reader = _read(_spoken(), sent, cuts, **headers)
    assert [event.kind for event in events] == [EventKind.ERROR]
    assert events[0].failure is not None
    assert (events[0].failure.code, reader.is_finished) == (code, False)


def test_sound_that_is_made_into_another_is_given_whole() -> None:
    events, reader = _read(
        _spoken(response_format="wav", voice="a1B2c3D4e5F6g7H8i9J0"), _MP3, [7, 7], kind="elevenlabs"
    )
    assert _sound_in(events) == wav(_MP3, 24_000)
    assert (reader.media_type, reader.is_finished) == ("audio/wav", True)


def test_base64_in_json_is_the_sound_in_it() -> None:
    body = orjson.dumps({"audio_data": base64.b64encode(_MP3).decode()})
    events, reader = _read(_spoken(), body, [1, 1, 20], kind="mistral", model="voxtral-mini-tts")
    assert (_sound_in(events), reader.is_finished) == (_MP3, True)


def test_deepgrams_characters_are_those_of_its_head() -> None:
    events, _ = _read(_spoken(), _MP3, kind="deepgram", model="aura-2-zeus-en", dg_char_count="77")
    assert [event.usage.units for event in events if event.usage is not None] == [77]


@given(_CUTS)
def test_drafts_and_pictures_are_passed_on_and_metered_once(cuts: list[int]) -> None:
    sent = _draft(0) + _draft(1) + _done(input_tokens_details={"image_tokens": 4, "text_tokens": 6})
    events, reader = _read(_drawn(partial_images=2), sent, cuts)
    assert b"".join(event.frame or b"" for event in events) == sent
    usage = [event.usage for event in events if event.usage is not None][-1]
    assert (usage.input_tokens, usage.output_tokens, usage.units, usage.unit) == (10, 100, 1, "image")
    assert (usage.media, usage.source) == (MediaTokens(4, 100, 0, 0), "reported")
    assert (reader.is_finished, events[-1].kind) == (True, EventKind.FINISH)


def test_of_several_pictures_all_are_waited_for_and_each_counts() -> None:
    first, reader = _read(_drawn(n=2), _done(input_tokens=10))
    assert (reader.is_finished, any(event.kind is EventKind.FINISH for event in first)) == (False, False)
    events, reader = _read(_drawn(n=2), _done(input_tokens=10) + _done(input_tokens=10))
    usage = [event.usage for event in events if event.usage is not None][-1]
    assert (reader.is_finished, usage.units, usage.input_tokens, usage.output_tokens) == (True, 2, 20, 200)


def test_a_stream_of_images_cut_anywhere_is_not_whole_and_its_drafts_are_counted() -> None:
    sent = _draft(0) + _done(input_tokens=10)
    for cut in range(len(sent) - 2):
        _, reader = _read(_drawn(), sent[:cut])
        assert not reader.is_finished
    events, _ = _read(_drawn(), _draft(0) + _draft(1))
    usage = [event.usage for event in events if event.usage is not None][-1]
    assert (usage.output_tokens, usage.source, usage.units) == (200, "counted", 0)


def test_a_picture_larger_than_any_text_is_one_event() -> None:
    usage = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110}
    said = {"type": "image_generation.completed", "b64_json": "A" * (2 * MAX_LINE_BYTES), "usage": usage}
    sent = named_frame("image_generation.completed", orjson.dumps(said))
    events, reader = _read(_drawn(), sent, [65_536] * 20)
    assert (reader.is_finished, events[0].frame) == (True, sent)
    assert [event.usage.output_tokens for event in events if event.usage is not None] == [100]


def test_images_that_come_whole_are_written_as_events_with_their_usage() -> None:
    usage = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110}
    whole = orjson.dumps({"created": 5, "data": [{"b64_json": _PNG}], "output_format": "png", "usage": usage})
    events, reader = _read(_drawn(), whole, [9])
    request = openai_images.EDITS_DIALECT
    writer = request.writer(request.read({"prompt": "a", "images": [{"image_url": "https://a/b"}], "stream": True}))
    out = writer.start(_OUTCOME) + writer.events(events) + writer.done(_OUTCOME)
    name, data = out.removesuffix(b"\n\n").split(b"\n")
    said = {"type": "image_edit.completed", "created_at": 5, "b64_json": _PNG, "output_format": "png", "usage": usage}
    assert (name, orjson.loads(data[6:]), reader.is_finished) == (b"event: image_edit.completed", said, True)


def test_sound_as_it_is_becomes_events_for_who_wants_those() -> None:
    request = openai_audio.SPEECH_DIALECT.read({"input": "hello", "voice": "alloy", "stream_format": "sse"})
    events, _ = _read(request.ask, _MP3, [100], content_type="audio/mpeg")
    writer = openai_audio.SPEECH_DIALECT.writer(request)
    out = writer.events(events) + writer.done(_OUTCOME)
    said = [orjson.loads(each[6:]) for each in out.split(b"\n\n") if each]
    assert b"".join(base64.b64decode(each["audio"]) for each in said[:-1]) == _MP3
    told = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert said[-1] == {"type": "speech.audio.done", "usage": told}


def test_events_of_speech_are_passed_on_and_its_usage_is_that_of_the_end() -> None:
    ask = _spoken(stream_format="sse")
    end = {"type": "speech.audio.done", "usage": {"input_tokens": 4, "output_tokens": 9, "total_tokens": 13}}
    sent = data_frame(b'{"type":"speech.audio.delta","audio":"AA=="}') + data_frame(orjson.dumps(end))
    events, reader = _read(ask, sent, [3])
    writer = openai_audio.SPEECH_DIALECT.writer(openai_audio.SPEECH_DIALECT.read({**ask.body, "voice": "alloy"}))
    assert (writer.events(events) + writer.done(_OUTCOME), reader.is_finished) == (sent, True)
    usages = [event.usage for event in events if event.usage is not None]
    assert [(usage.source, usage.output_tokens) for usage in usages] == [("estimated", 7), ("reported", 9)]
    assert usages[1].media == MediaTokens(audio_output=9)


def test_a_transcript_that_comes_whole_is_written_as_events() -> None:
    request = openai_audio.DIALECT.read({"file": _FILE, "stream": "true", "model": "m"})
    events, reader = _read(request.ask, orjson.dumps({"text": "Hello"}), [4])
    writer = openai_audio.DIALECT.writer(request)
    said = [orjson.loads(each[6:]) for each in (writer.events(events) + writer.done(_OUTCOME)).split(b"\n\n") if each]
    assert said[0] == {"type": "transcript.text.delta", "delta": "Hello"}
    assert (said[1]["type"], said[1]["text"], said[1]["usage"]["output_tokens"]) == ("transcript.text.done", "Hello", 2)
    assert reader.is_finished


_KEYS = st.sampled_from(["type", "usage", "delta", "error", "text", "data", "b64_json"])
_TYPES = st.sampled_from(["image_edit.completed", "speech.audio.delta", "transcript.text.done"])
_ODD = st.recursive(
    st.none() | st.integers(-1, 9) | st.text(max_size=3) | _TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=25)
@given(st.sampled_from(["sse", None]), st.lists(_ODD, max_size=4), st.binary(max_size=20), _CUTS)
def test_anything_at_all_is_read_or_has_failed(form: str | None, said: list[Any], junk: bytes, cuts: list[int]) -> None:
    sent = b"".join(data_frame(orjson.dumps(each)) for each in said)
    heard = openai_audio.DIALECT.read({"file": _FILE, "stream": "true", "model": "m"}).ask
    for ask in (_spoken(stream_format=form), _drawn(), heard):
        for body in (sent, junk + sent, orjson.dumps(said)):
            events, reader = _read(ask, body, cuts)
            failed = [event for event in events if event.kind is EventKind.ERROR]
            assert len(failed) <= 1
            assert not (failed and reader.is_finished and not any(event.kind is EventKind.FINISH for event in events))
