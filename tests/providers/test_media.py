"""Work that is no chat, as vendors are asked for it and answer."""

import base64
from typing import Any

import orjson
import pytest

from aiservice.dialects import openai_audio, openai_images
from aiservice.kit.multipart import read_form
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers._sound import seconds_in, wav
from aiservice.wire import Ask, EventKind, HttpCall, HttpReply, StreamEvent

_SOUND = {"filename": "a.wav", "content_type": "audio/wav", "data": wav(bytes(32_000), 8_000)}
_JSON = {"content-type": "application/json"}
_HEARS = (("openai", "gpt-4o-transcribe"), ("xai", "grok-stt"), ("mistral", "voxtral-mini"))
_STREAM = (
    b': keep-alive\r\n\r\ndata: {"type":"transcript.text.delta","delta":"Hel"}\r\n\r\n'
    b'data: {"type":"transcript.text.delta","delta":"lo"}\r\n\r\n'
    b'data: {"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","input_tokens":9,"output_tokens":2,'
    b'"total_tokens":11}}\r\n\r\n'
)


def _heard(**fields: Any) -> Ask:
    return openai_audio.DIALECT.read({"file": dict(_SOUND), **fields}).ask


def _spoken(**fields: Any) -> Ask:
    return openai_audio.SPEECH_DIALECT.read({"input": "Hello", "voice": "alloy", **fields}).ask


def _form(call: HttpCall) -> dict[str, Any]:
    return read_form(call.body, dict(call.headers)["content-type"])


def test_a_file_is_sent_as_a_form_with_all_that_was_said() -> None:
    ask = _heard(language="de", timestamp_granularities=["word", "segment"], temperature=0.2)
    call = registry()["openai"].build(ask, "whisper-1")
    assert call.path == "/audio/transcriptions"
    assert _form(call) == {
        "model": "whisper-1", "file": _SOUND, "language": "de", "temperature": "0.2",
        "timestamp_granularities": ["word", "segment"],
    }  # fmt: skip
    assert registry()["openai"].build(ask, "whisper-1").body == call.body


def test_a_translation_has_an_address_of_its_own() -> None:
    ask = openai_audio.TRANSLATIONS_DIALECT.read({"file": dict(_SOUND)}).ask
    call = registry()["openai"].build(ask, "whisper-1")
    assert call.path == "/audio/translations"
    assert _form(call).keys() == {"model", "file"}
    with pytest.raises(AttemptFailed, match="unsupported_parameter"):
        registry()["openrouter"].build(ask, "openai/whisper-1")


def test_images_to_change_are_a_form_where_they_are_files_and_json_where_they_are_addresses() -> None:
    read, openai = openai_images.EDITS_DIALECT.read, registry()["openai"]
    files = openai.build(read({"prompt": "a", "image": [_SOUND, _SOUND]}).ask, "gpt-image-1")
    assert _form(files)["image"] == [_SOUND, _SOUND]
    urls = {"images": [{"image_url": "https://example.com/a.png"}]}
    named = openai.build(read({"prompt": "a", **urls}).ask, "gpt-image-1")
    assert orjson.loads(named.body) == {"prompt": "a", "model": "gpt-image-1", **urls}
    with pytest.raises(AttemptFailed) as refused:
        openai.build(read({"prompt": "a", "images": [_SOUND, *urls["images"]]}).ask, "gpt-image-1")
    assert refused.value.failure.param == "images"


def test_openrouter_is_shown_images_as_references() -> None:
    ask = openai_images.EDITS_DIALECT.read({"prompt": "a", "image": dict(_SOUND)}).ask
    call = registry()["openrouter"].build(ask, "google/gemini-3.1-flash-lite-image")
    sent = orjson.loads(call.body)
    assert call.path == "/images"
    assert sent["input_references"][0]["image_url"]["url"].startswith("data:audio/wav;base64,UklGR")


def test_words_that_a_vendor_has_not_are_refused_by_name() -> None:
    task = Ask("image-generation", "image", {"prompt": "a", "negative_prompt": "text"}, wire="ai-service")
    by_address = Ask("speech-to-text", "transcription", {"file_url": "https://x/a.mp3"}, wire="ai-service")
    for kind, ask, name in (
        ("openai", task, "negative_prompt"),
        ("openai", by_address, "file_url"),
        ("xai", _heard(prompt="names"), "prompt"),
        ("xai", _spoken(speed=2), "speed"),
        ("mistral", _heard(prompt="names"), "prompt"),
        ("cohere", _heard(response_format="srt"), "response_format"),
        ("gemini", _spoken(response_format="mp3"), "response_format"),
    ):
        with pytest.raises(AttemptFailed) as refused:
            registry()[kind].build(ask, "m")
        assert refused.value.failure.param == name


def test_subtitles_are_no_json_and_counted_by_the_length_of_the_sound() -> None:
    ask, provider = _heard(response_format="srt"), registry()["openai"]
    reply = HttpReply(200, {"content-type": "text/plain"}, b"1\n00:00:00,000 --> 00:00:02,000\nHi\n")
    answer = provider.read(ask, provider.build(ask, "whisper-1"), reply)
    assert answer.media == reply.body
    assert answer.usage is not None
    assert (answer.usage.units, answer.usage.unit, answer.usage.source) == (2, "second", "estimated")


def test_mistrals_speech_is_sound_in_json_and_its_transcript_is_rendered_here() -> None:
    provider, spoken = registry()["mistral"], _spoken()
    reply = HttpReply(200, _JSON, orjson.dumps({"audio_data": base64.b64encode(b"ID3 sound").decode()}))
    answer = provider.read(spoken, provider.build(spoken, "voxtral-mini-tts-latest"), reply)
    assert (answer.media, answer.media_type) == (b"ID3 sound", "audio/mpeg")
    heard = _heard(response_format="vtt")
    call = provider.build(heard, "voxtral-mini-latest")
    assert _form(call)["timestamp_granularities"] == ["segment"]
    assert provider.read(heard, call, HttpReply(200, _JSON, b'{"text":"Hi","segments":[]}')).raw is None


def test_geminis_samples_become_wav_where_that_is_wanted() -> None:
    provider, samples = registry()["gemini"], bytes(480)
    data = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": base64.b64encode(samples).decode()}
    said = orjson.dumps({"candidates": [{"content": {"parts": [{"inlineData": data}]}}]})
    ask = _spoken(response_format="wav")
    call = provider.build(ask, "gemini-2.5-flash-preview-tts")
    voice = orjson.loads(call.body)["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]
    assert voice == {"voiceName": "Kore"}
    assert provider.read(ask, call, HttpReply(200, _JSON, said)).media == wav(samples, 24_000)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error":{"message":"no"}}', b"<html>", b'{"text":1}', b'{"data":[]}'])
@pytest.mark.parametrize(("kind", "model"), _HEARS)
def test_what_is_no_transcript_fails(kind: str, model: str, body: bytes) -> None:
    provider, ask = registry()[kind], _heard()
    with pytest.raises(AttemptFailed):
        provider.read(ask, provider.build(ask, model), HttpReply(200, _JSON, body))


def _read(ask: Ask, *chunks: bytes) -> tuple[list[StreamEvent], bool]:
    provider = registry()["openai"]
    reader = provider.reader(ask, provider.build(ask, "gpt-4o-transcribe"))
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    return events, reader.is_finished


def test_a_streamed_transcript_is_what_a_whole_one_is() -> None:
    events, is_finished = _read(_heard(stream=True), *[_STREAM[n : n + 1] for n in range(len(_STREAM))])
    usage = next(event.usage for event in events if event.usage is not None)
    assert "".join(event.text for event in events if event.kind is EventKind.TEXT) == "Hello"
    assert (is_finished, usage.input_tokens, usage.output_tokens) == (True, 9, 2)


def test_a_stream_cut_anywhere_is_not_whole() -> None:
    ask, end = _heard(stream=True), _STREAM.index(b'"total_tokens":11}}') + 19
    assert not any(_read(ask, _STREAM[:cut])[1] for cut in range(end))


def test_a_sound_says_how_long_it_is() -> None:
    assert seconds_in(_SOUND["data"]) == 2  # type: ignore[arg-type]  # and nothing of its head
    listed = b"LIST\x08\0\0\0INFOabcd"
    assert seconds_in(wav(bytes(16_000), 8_000).replace(b"data", listed + b"data", 1)) == 1
    assert seconds_in(wav(b"", 8_000)) == 0
    assert seconds_in(b"RIFF") == 1
    assert seconds_in(b"RIFF\0\0\0\0WAVEfmt " + bytes(20)) == 1


def test_models_for_other_work_do_not_chat() -> None:
    openai = registry()["openai"]
    assert not any(openai.serves(model, "chat") for model in ("whisper-1", "tts-1", "gpt-image-1", "dall-e-3"))
    assert openai.serves("whisper-1", "transcription")
    assert openai.serves("gpt-image-1", "image")
    assert (openai.serves("gpt-4o", "chat"), openai.serves("gpt-4o", "image")) == (True, False)
    assert registry()["mistral"].serves("voxtral-mini-latest", "chat")
    assert not registry()["anthropic"].serves("claude-image", "image")
