"""Images and transcripts by Gemini, at its own address and at Vertex AI: what is asked, read, and refused."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects import openai_audio, openai_images
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers._sound import wav
from aiservice.wire import Ask, AttemptFailure, EventKind, HttpReply, Json, MediaTokens

_PNG = b"\x89PNG\r\n\x1a\n0"
_DATA = base64.b64encode(_PNG).decode()
_MODEL = "gemini-3-pro-image"
_WAV = wav(bytes(16_000), 8_000)
_FILE = {"filename": "a.wav", "content_type": "audio/x-wav", "data": _WAV}
_TOLD = {
    "promptTokenCount": 40, "candidatesTokenCount": 1120, "thoughtsTokenCount": 30,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}, {"modality": "IMAGE", "tokenCount": 30}],
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
}  # fmt: skip


def _image(**body: Any) -> Ask:
    dialect = openai_images.EDITS_DIALECT if "images" in body or "image" in body else openai_images.DIALECT
    return dialect.read({"prompt": "a cat", "model": _MODEL, **body}).ask


def _sent(ask: Ask, model: str = _MODEL, kind: str = "gemini") -> Json:
    found: Json = orjson.loads(registry()[kind].build(ask, model).body)
    return found


def _read(ask: Ask, body: Json, model: str = _MODEL, kind: str = "gemini") -> Any:
    provider = registry()[kind]
    return provider.read(ask, provider.build(ask, model), HttpReply(200, {}, orjson.dumps(body)))


def _refused(ask: Ask, model: str = _MODEL) -> AttemptFailure:
    with pytest.raises(AttemptFailed) as caught:
        registry()["gemini"].build(ask, model)
    return caught.value.failure


def _parts(*parts: Json, **more: Any) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", **more}]}


def _picture(data: str = _DATA, **more: Any) -> Json:
    return {"inlineData": {"mimeType": "image/png", "data": data}, **more}


@pytest.mark.parametrize("kind", ["gemini", "vertex"])
def test_an_image_is_asked_for_as_google_says(kind: str) -> None:
    provider = registry()[kind]
    assert provider.serves(_MODEL, "image")
    assert not provider.serves("gemini-3-flash", "image")
    call = provider.build(_image(size="1536x1024"), _MODEL)
    assert call.path.endswith(f"models/{_MODEL}:generateContent")
    assert orjson.loads(call.body) == {
        "contents": [{"role": "user", "parts": [{"text": "a cat"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "3:2"}},
    }


def test_an_edit_shows_its_images() -> None:
    unnamed = {"filename": "upload", "content_type": "application/octet-stream", "data": _PNG}
    shown = {"inlineData": {"mimeType": "image/png", "data": _DATA}}
    assert _sent(_image(image=[unnamed]))["contents"][0]["parts"] == [{"text": "a cat"}, shown]
    by_address = _image(
        images=[{"image_url": f"data:image/png;base64,{_DATA}"}, {"image_url": "https://a.example/b.png"}]
    )
    file = {"fileData": {"fileUri": "https://a.example/b.png", "mimeType": "image/png"}}
    assert _sent(by_address)["contents"][0]["parts"][1:] == [shown, file]


@pytest.mark.parametrize(
    ("size", "config"),
    [
        ("auto", None), ("1024x1024", {"aspectRatio": "1:1"}), ("1792x1024", {"aspectRatio": "16:9"}),
        ("2048x2048", {"aspectRatio": "1:1", "imageSize": "2K"}),
        ("4096x4096", {"aspectRatio": "1:1", "imageSize": "4K"}),
        ("2K", {"imageSize": "2K"}), ("1K", None),
    ],
)  # fmt: skip
def test_a_size_is_a_ratio_and_a_step(size: str, config: Json | None) -> None:
    assert _sent(_image(size=size))["generationConfig"].get("imageConfig") == config


@pytest.mark.parametrize(
    "field",
    [
        {"size": "256x256"}, {"size": "1000x700"}, {"size": "big"}, {"n": 2}, {"quality": "high"}, {"style": "vivid"},
        {"background": "transparent"}, {"output_format": "webp"}, {"response_format": "url"}, {"word": 1},
    ],
)  # fmt: skip
def test_what_gemini_has_no_word_for_is_refused_by_its_name(field: Json) -> None:
    failure = _refused(_image(**field))
    assert (failure.status, failure.code, failure.param) == (400, "unsupported_parameter", next(iter(field)))


def test_a_mask_and_a_large_image_of_a_small_model_are_refused() -> None:
    image = {"image_url": f"data:image/png;base64,{_DATA}"}
    assert _refused(_image(images=[image], mask=image)).param == "mask"
    assert _refused(_image(size="2048x2048"), "gemini-2.5-flash-image").param == "size"


def test_what_asks_nothing_is_no_reason_to_refuse() -> None:
    asked = {"n": 1, "quality": "auto", "background": "auto", "user": "u", "response_format": "b64_json"}
    assert _sent(_image(**asked))["generationConfig"] == {"responseModalities": ["IMAGE"]}


def test_images_come_in_openais_form_without_drafts_and_with_their_tokens() -> None:
    said = _parts(_picture("b2xk", thought=True), {"text": "Here it is"}, _picture())
    answer = _read(_image(), {**said, "usageMetadata": _TOLD, "modelVersion": "g-3"})
    assert (answer.body["data"], answer.body["output_format"]) == ([{"b64_json": _DATA}], "png")
    usage = answer.body["usage"]
    assert usage["input_tokens_details"] == {"text_tokens": 10, "image_tokens": 30}
    assert usage["output_tokens_details"] == {"image_tokens": 1120, "text_tokens": 30}
    assert (answer.usage.units, answer.usage.unit, answer.usage.media) == (1, "image", MediaTokens(30, 1120, 0, 0))
    assert answer.raw is None


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, 400, "content_filter"),
        ({"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "no"}]}, 400, "content_filter"),
        (_parts({"text": "I cannot"}), 502, "provider_invalid_answer"),
        ({}, 502, "provider_invalid_answer"),
        ({"candidates": [{"content": {"parts": [7]}}, 3]}, 502, "provider_invalid_answer"),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "x"}}, 429, "provider_quota_exhausted"),
    ],
)
def test_no_image_is_told_as_what_it_is(said: Json, status: int, code: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        _read(_image(), said)
    assert (caught.value.failure.status, caught.value.failure.code) == (status, code)


def _heard(**body: Any) -> Ask:
    return openai_audio.DIALECT.read({"file": _FILE, "model": "gemini-3-flash", **body}).ask


@pytest.mark.parametrize("kind", ["gemini", "vertex"])
def test_a_recording_is_asked_for_in_words(kind: str) -> None:
    assert registry()[kind].serves("gemini-3-flash", "transcription")
    assert not registry()[kind].serves("gemini-2.5-flash-preview-tts", "transcription")
    sent = _sent(_heard(language="de", prompt="Kaiserschmarrn", temperature=0), "gemini-3-flash", kind)
    words, sound = sent["contents"][0]["parts"]
    assert sound["inlineData"] == {"mimeType": "audio/wav", "data": base64.b64encode(_WAV).decode()}
    assert all(word in words["text"] for word in ("word for word", ": de.", "Kaiserschmarrn"))
    assert sent["generationConfig"] == {"temperature": 0.0, "thinkingConfig": {"thinkingLevel": "minimal"}}
    english = openai_audio.TRANSLATIONS_DIALECT.read({"file": _FILE, "model": "gemini-3-flash"}).ask
    assert "in English" in _sent(english, "gemini-3-flash", kind)["contents"][0]["parts"][0]["text"]


@pytest.mark.parametrize(
    "field", [{"response_format": "srt"}, {"timestamp_granularities": ["word"]}, {"include": ["x"]}]
)
def test_times_and_the_like_are_refused_by_name(field: Json) -> None:
    assert _refused(_heard(**field), "gemini-3-flash").param == next(iter(field))


def test_a_transcript_has_its_text_and_its_tokens_of_sound() -> None:
    told: Json = {"promptTokenCount": 42, "candidatesTokenCount": 2}
    told |= {"promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 32}, {"modality": "TEXT", "tokenCount": 10}]}
    answer = _read(_heard(), {**_parts({"text": " Hello\n"}), "usageMetadata": told}, "gemini-3-flash")
    assert answer.body["text"] == "Hello"
    assert answer.body["usage"]["input_token_details"] == {"text_tokens": 10, "audio_tokens": 32}
    assert answer.usage.media == MediaTokens(audio_input=32)


@pytest.mark.parametrize(
    ("reason", "code"),
    [("MAX_TOKENS", "upstream_truncated"), ("SAFETY", "content_filter"), (None, "upstream_truncated")],
)
def test_a_transcript_that_is_not_whole_is_none(reason: str | None, code: str) -> None:
    said = {**_parts({"text": "Hel"}), "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}
    said["candidates"][0]["finishReason"] = reason
    with pytest.raises(AttemptFailed) as caught:
        _read(_heard(), said, "gemini-3-flash")
    assert caught.value.failure.code == code
    provider, ask = registry()["gemini"], _heard(stream=True)
    call = provider.build(ask, "gemini-3-flash")
    reader = provider.reader(ask, call)
    events = [*reader.feed(b"data: " + orjson.dumps(said) + b"\r\n\r\n"), *reader.end()]
    assert (call.is_stream, reader.is_finished, events[0].text) == (True, False, "Hel")
    assert events[-1].failure is None or events[-1].failure.code == code
    assert not any(event.kind is EventKind.FINISH for event in events)


_KEYS = st.sampled_from(
    ["candidates", "content", "parts", "inlineData", "data", "mimeType", "finishReason", "thought", "text",
     "usageMetadata", "promptTokensDetails", "candidatesTokensDetails", "modality", "tokenCount", "promptTokenCount",
     "promptFeedback", "blockReason"]
)  # fmt: skip
_ODD = st.recursive(
    st.none() | st.integers(-1, 2**40) | st.text(max_size=4) | st.sampled_from(["STOP", "IMAGE", _DATA]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["candidates", "usageMetadata", "promptFeedback", "modelVersion"]), _ODD))
def test_any_reply_is_an_answer_or_has_failed(said: Json) -> None:
    spoken = openai_audio.SPEECH_DIALECT.read({"input": "a", "model": "gemini-2.5-flash-preview-tts"}).ask
    for ask, model in ((_image(), _MODEL), (_heard(), "gemini-3-flash"), (spoken, "gemini-2.5-flash-preview-tts")):
        try:
            answer = _read(ask, said, model)
        except AttemptFailed as failed:
            assert failed.failure.status >= 400
        else:
            assert answer.body or answer.media
