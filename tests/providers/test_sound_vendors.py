"""Deepgram and ElevenLabs, as they are asked for sound and transcripts and answer."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects import openai_audio
from aiservice.dialects._transcripts import rendered
from aiservice.kit.multipart import read_form
from aiservice.kit.secret import Secret
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers._sound import wav
from aiservice.wire import Ask, HttpCall, HttpReply, Usage

_SOUND = {"filename": "a.wav", "content_type": "audio/wav", "data": wav(bytes(32_000), 8_000)}
_VOICE = "a1B2c3D4e5F6g7H8i9J0"
_LISTENED = {
    "metadata": {"duration": 3.2},
    "results": {
        "channels": [
            {
                "detected_language": "en",
                "alternatives": [
                    {
                        "transcript": "Well, hi.",
                        "words": [
                            {"word": "well", "start": 0.1, "end": 0.4, "punctuated_word": "Well,"},
                            {"word": "hi", "start": 0.5, "end": 0.9},
                        ],
                    }
                ],
            }
        ],
        "utterances": [{"start": 0.1, "end": 0.9, "transcript": "Well, hi.", "speaker": 1}],
    },
}
_SCRIBED = {
    "language_code": "eng",
    "text": "Hi there. Yes (laughs)",
    "words": [
        {"text": "Hi", "start": 0.1, "end": 0.2, "type": "word", "speaker_id": "speaker_0"},
        {"text": " ", "start": 0.2, "end": 0.3, "type": "spacing", "speaker_id": "speaker_0"},
        {"text": "there.", "start": 0.3, "end": 0.6, "type": "word", "speaker_id": "speaker_0"},
        {"text": " ", "start": 0.6, "end": 0.8, "type": "spacing", "speaker_id": "speaker_0"},
        {"text": "Yes", "start": 0.8, "end": 1.0, "type": "word", "speaker_id": "speaker_1"},
        {"text": " ", "start": 1.0, "end": 1.1, "type": "spacing", "speaker_id": "speaker_1"},
        {"text": "(laughs)", "start": 1.1, "end": 1.5, "type": "audio_event", "speaker_id": "speaker_1"},
    ],
}
_MODELS = {"deepgram": ("nova-3", "aura-2-thalia-en"), "elevenlabs": ("scribe_v1", "eleven_multilingual_v2")}
_WHOLE = {"deepgram": _LISTENED, "elevenlabs": _SCRIBED}
_KINDS = sorted(_MODELS)


def _heard(**fields: Any) -> Ask:
    return openai_audio.DIALECT.read({"file": dict(_SOUND), **fields}).ask


def _spoken(**fields: Any) -> Ask:
    return openai_audio.SPEECH_DIALECT.read({"input": "Hello", **fields}).ask


def _build(kind: str, ask: Ask, model: str = "") -> HttpCall:
    return registry()[kind].build(ask, model or _MODELS[kind][ask.kind == "speech"])


def _query(call: HttpCall) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(call.path).query))


def _reply(said: Any, **headers: str) -> HttpReply:
    return HttpReply(200, {"content-type": "application/json", **headers}, orjson.dumps(said))


def test_each_key_is_sent_as_its_vendor_wants_it() -> None:
    key = Secret("abc")
    assert registry()["deepgram"].auth_headers(key) == (("authorization", "Token abc"),)
    assert registry()["elevenlabs"].auth_headers(key) == (("xi-api-key", "abc"),)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_model_hears_or_speaks_by_its_name(kind: str) -> None:
    serves, (hearing, speaking) = registry()[kind].serves, _MODELS[kind]
    assert serves(hearing, "transcription")
    assert serves(speaking, "speech")
    assert not serves(hearing, "speech")
    assert not serves(speaking, "transcription")
    assert not serves(speaking, "chat")


def test_deepgram_is_sent_the_recording_itself_and_all_else_in_the_query() -> None:
    call = _build("deepgram", _heard())
    assert call.path.partition("?")[0] == "/listen"
    assert (call.body, call.headers) == (_SOUND["data"], (("content-type", "audio/wav"),))
    told = {"model": "nova-3", "smart_format": "true", "utterances": "true"}
    assert _query(call) == {**told, "detect_language": "true"}
    asked = _build("deepgram", _heard(language="de&callback=x", response_format="diarized_json", temperature=0))
    assert _query(asked) == {**told, "language": "de&callback=x", "diarize": "true"}
    assert "detect_language" not in _query(_build("deepgram", _heard(), "nova-3-medical"))


def test_deepgram_never_takes_a_recording_for_an_address() -> None:
    file = {"filename": "a", "content_type": "application/json", "data": b'{"url":"http://10.0.0.1"}'}
    call = _build("deepgram", _heard(file=file))
    assert call.headers == (("content-type", "application/octet-stream"),)
    ask = Ask("speech-to-text", "transcription", {"file_url": "https://example.com/a.mp3"}, wire="ai-service")
    by_address = _build("deepgram", ask)
    assert orjson.loads(by_address.body) == {"url": "https://example.com/a.mp3"}
    assert by_address.headers == (("content-type", "application/json"),)


def test_deepgrams_transcript_is_in_openais_words_and_paid_by_the_second() -> None:
    ask = _heard()
    answer = registry()["deepgram"].read(ask, _build("deepgram", ask), _reply(_LISTENED))
    assert answer.body == {
        "text": "Well, hi.", "language": "en", "duration": 3.2,
        "segments": [{"id": 0, "start": 0.1, "end": 0.9, "text": "Well, hi.", "speaker": "speaker_1"}],
        "words": [{"word": "Well,", "start": 0.1, "end": 0.4}, {"word": "hi", "start": 0.5, "end": 0.9}],
    }  # fmt: skip
    assert answer.usage == Usage(source="counted", units=4, unit="second")
    assert rendered(answer.body, "srt")[0] == b"1\n00:00:00,100 --> 00:00:00,900\nWell, hi.\n\n"


def test_silence_is_a_transcript_of_nothing() -> None:
    ask, silent = _heard(), {"results": {"channels": [{"alternatives": [{"transcript": "", "words": []}]}]}}
    answer = registry()["deepgram"].read(ask, _build("deepgram", ask), _reply(silent))
    assert answer.body == {"text": ""}


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (None, {"encoding": "mp3"}),
        ("aac", {"encoding": "aac"}),
        ("flac", {"encoding": "flac"}),
        ("opus", {"encoding": "opus", "container": "ogg"}),
        ("pcm", {"encoding": "linear16", "container": "none", "sample_rate": "24000"}),
        ("wav", {"encoding": "linear16", "container": "wav"}),
    ],
)
def test_deepgram_is_told_the_format_always(wanted: str | None, sent: dict[str, str]) -> None:
    call = _build("deepgram", _spoken(**({"response_format": wanted} if wanted else {}), speed=1.2))
    assert _query(call) == {"model": "aura-2-thalia-en", **sent, "speed": "1.2"}
    assert orjson.loads(call.body) == {"text": "Hello"}


@pytest.mark.parametrize(
    ("voice", "model"),
    [("alloy", "aura-2-thalia-en"), ("zeus", "aura-2-zeus-en"), ("aura-2-thalia-en", "aura-2-thalia-en")],
)
def test_deepgrams_voice_is_part_of_the_models_name(voice: str, model: str) -> None:
    assert _query(_build("deepgram", _spoken(voice=voice)))["model"] == model


def test_deepgrams_speech_is_paid_by_the_characters_that_it_says() -> None:
    ask = _spoken()
    for told, units in (("7", 7), ("-1", 5), ("", 5)):
        reply = HttpReply(200, {"content-type": "audio/mpeg", "dg-char-count": told}, b"ID3 sound")
        answer = registry()["deepgram"].read(ask, _build("deepgram", ask), reply)
        assert (answer.media, answer.media_type) == (b"ID3 sound", "audio/mpeg")
        assert answer.usage == Usage(source="counted", units=units, unit="character")


def test_deepgrams_list_has_each_name_once_and_the_short_ones_too() -> None:
    listed = {
        "stt": [
            {"canonical_name": "nova-3-general", "batch": True},
            {"canonical_name": "nova-3-general", "batch": False},
            {"canonical_name": "flux-general-en", "batch": False},
        ],
        "tts": [{"canonical_name": "aura-2-zeus-en"}, {"name": "odd"}, "odd"],
    }
    provider = registry()["deepgram"]
    assert provider.models_in(_reply(listed)) == ["nova-3-general", "aura-2-zeus-en", "nova-3"]
    assert provider.models_in(_reply({"stt": 1, "tts": None})) == []
    assert (provider.probe().method, provider.probe().path) == ("GET", "/models")


def test_elevenlabs_is_sent_a_form() -> None:
    ask = _heard(language="de", temperature=0.5, response_format="diarized_json", timestamp_granularities=["word"])
    call = _build("elevenlabs", ask)
    assert call.path == "/speech-to-text"
    assert read_form(call.body, dict(call.headers)["content-type"]) == {
        "model_id": "scribe_v1", "language_code": "de", "temperature": "0.5", "diarize": "true", "file": _SOUND,
    }  # fmt: skip
    by_address = _build("elevenlabs", Ask("speech-to-text", "transcription", {"file_url": "https://x/a"}))
    sent = read_form(by_address.body, dict(by_address.headers)["content-type"])
    assert sent == {"model_id": "scribe_v1", "cloud_storage_url": "https://x/a"}


def test_elevenlabs_transcript_is_in_openais_words_with_segments_of_sentences_and_speakers() -> None:
    ask = _heard()
    answer = registry()["elevenlabs"].read(ask, _build("elevenlabs", ask), _reply(_SCRIBED))
    assert (answer.body["text"], answer.body["language"]) == ("Hi there. Yes (laughs)", "eng")
    assert [word["word"] for word in answer.body["words"]] == ["Hi", "there.", "Yes"]
    assert answer.body["segments"] == [
        {"id": 0, "start": 0.1, "end": 0.6, "text": "Hi there.", "speaker": "speaker_0"},
        {"id": 1, "start": 0.8, "end": 1.5, "text": "Yes (laughs)", "speaker": "speaker_1"},
    ]
    assert answer.usage is not None
    assert (answer.usage.units, answer.usage.unit, answer.usage.source) == (2, "second", "estimated")
    told = registry()["elevenlabs"].read(ask, _build("elevenlabs", ask), _reply({"text": "", "audio_duration_secs": 9}))
    assert told.usage == Usage(source="counted", units=9, unit="second")


def test_elevenlabs_voice_is_in_the_address() -> None:
    call = _build("elevenlabs", _spoken(voice=_VOICE, language="de", speed=0.9, response_format="opus"))
    assert call.path == f"/text-to-speech/{_VOICE}?output_format=opus_48000_128"
    assert orjson.loads(call.body) == {
        "text": "Hello", "model_id": "eleven_multilingual_v2", "language_code": "de", "voice_settings": {"speed": 0.9},
    }  # fmt: skip
    plain = _build("elevenlabs", _spoken())
    assert plain.path == "/text-to-speech/JBFqnCBsd6RMkjVDRZzb?output_format=mp3_44100_128"
    assert orjson.loads(plain.body) == {"text": "Hello", "model_id": "eleven_multilingual_v2"}


def test_elevenlabs_samples_become_wav_where_that_is_wanted() -> None:
    ask, samples = _spoken(response_format="wav"), bytes(480)
    call = _build("elevenlabs", ask)
    answer = registry()["elevenlabs"].read(ask, call, HttpReply(200, {"content-type": "audio/pcm"}, samples))
    assert call.path.endswith("output_format=pcm_24000")
    assert (answer.media, answer.media_type) == (wav(samples, 24_000), "audio/wav")
    assert answer.usage == Usage(source="counted", units=5, unit="character")


def test_elevenlabs_list_has_those_that_speak_and_those_that_hear() -> None:
    listed = [
        {"model_id": "eleven_v3", "can_do_text_to_speech": True},
        {"model_id": "eleven_english_sts_v2", "can_do_text_to_speech": False},
        "odd",
    ]
    provider = registry()["elevenlabs"]
    assert provider.models_in(_reply(listed)) == ["eleven_v3", "scribe_v1", "scribe_v2"]
    assert (provider.probe().method, provider.probe().path) == ("GET", "/models")


@pytest.mark.parametrize("kind", _KINDS)
def test_what_neither_has_a_word_for_is_refused_by_name(kind: str) -> None:
    translation = openai_audio.TRANSLATIONS_DIALECT.read({"file": dict(_SOUND)}).ask
    for ask, name in (
        (_heard(prompt="names"), "prompt"),
        (translation, "model"),
        (_spoken(instructions="softly"), "instructions"),
        (_spoken(response_format="ogg"), "response_format"),
        (_spoken(response_format=["mp3"]), "response_format"),
        (_spoken(voice={"id": "voice_1"}), "voice"),
        (_spoken(voice="../../user"), "voice"),
    ):
        with pytest.raises(AttemptFailed) as refused:
            _build(kind, ask)
        assert (refused.value.failure.code, refused.value.failure.param) == ("unsupported_parameter", name)


def test_what_only_one_of_them_has_a_word_for_is_refused_by_the_other() -> None:
    for kind, ask, name in (
        ("deepgram", _heard(temperature=0.5), "temperature"),
        ("deepgram", _spoken(language="de"), "language"),
        ("elevenlabs", _spoken(voice="alloy"), "voice"),
        ("elevenlabs", _spoken(response_format="flac"), "response_format"),
    ):
        with pytest.raises(AttemptFailed) as refused:
            _build(kind, ask)
        assert refused.value.failure.param == name
    with pytest.raises(AttemptFailed, match="unsupported_parameter"):
        _build("deepgram", _spoken(voice="zeus"), "aura-custom")


@pytest.mark.parametrize(
    ("kind", "status", "said", "code"),
    [
        ("deepgram", 401, {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials."}, "upstream_auth_failed"),
        ("deepgram", 402, {"err_code": "ASR_PAYMENT_REQUIRED", "err_msg": "No credit."}, "upstream_quota_exhausted"),
        ("deepgram", 403, {"err_code": "INSUFFICIENT_PERMISSIONS", "err_msg": "No."}, "upstream_auth_failed"),
        (
            "deepgram", 403,
            {"err_code": "X", "err_msg": "Project does not have access to the requested model."}, "model_not_found",
        ),
        (
            "deepgram", 400,
            {"err_code": "Bad Request", "err_msg": "Bad Request: No such model/language/tier combination found."},
            "model_not_found",
        ),
        ("deepgram", 400, {"err_code": "Bad Request", "err_msg": "corrupt data"}, "provider_rejected_request"),
        ("deepgram", 400, {"category": "INVALID_JSON", "message": "a", "details": "b"}, "invalid_json"),
        ("deepgram", 429, {"err_code": "TOO_MANY_REQUESTS", "err_msg": "Too many."}, "provider_quota_exhausted"),
        ("deepgram", 503, None, "provider_failed"),
        ("elevenlabs", 401, {"detail": {"status": "invalid_api_key", "message": "No"}}, "upstream_auth_failed"),
        ("elevenlabs", 401, {"detail": {"status": "quota_exceeded", "message": "a"}}, "upstream_quota_exhausted"),
        ("elevenlabs", 404, {"detail": {"status": "voice_not_found", "message": "a"}}, "voice_not_found"),
        ("elevenlabs", 400, {"detail": {"status": "model_not_found", "message": "a"}}, "model_not_found"),
        (
            "elevenlabs", 400, {"detail": {"status": "max_character_limit_exceeded", "message": "a"}},
            "max_character_limit_exceeded",
        ),
        ("elevenlabs", 422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, "provider_rejected_request"),
        ("elevenlabs", 429, {"detail": {"status": "system_busy", "message": "a"}}, "provider_quota_exhausted"),
        ("elevenlabs", 500, "odd", "provider_failed"),
    ],
)  # fmt: skip
def test_errors_are_told_by_what_they_say(kind: str, status: int, said: Any, code: str) -> None:
    failure = registry()[kind].failure(HttpReply(status, {}, orjson.dumps(said)))
    assert (failure.code, failure.upstream_status) == (code, status)


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"text":1}', b"[]", b'{"results":{"channels":[]}}'])
@pytest.mark.parametrize("kind", _KINDS)
def test_what_is_no_answer_fails(kind: str, body: bytes) -> None:
    reply = HttpReply(200, {"content-type": "application/json"}, body)
    for ask in (_heard(), _spoken()):
        with pytest.raises(AttemptFailed) as failed:
            registry()[kind].read(ask, _build(kind, ask), reply)
        assert failed.value.failure.code == "provider_invalid_answer"


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "start", "end"]), inner),
    max_leaves=8,
)


@given(kind=st.sampled_from(_KINDS), place=st.integers(0, 40), odd=_ANY, wanted=st.sampled_from(["srt", "json"]))
def test_whatever_stands_in_an_answer_it_is_rendered_or_fails(kind: str, place: int, odd: Any, wanted: str) -> None:
    ask = _heard()
    said = orjson.loads(orjson.dumps(_WHOLE[kind]))
    spots = list(_spots(said))
    holder, name = spots[place % len(spots)]
    holder[name] = odd
    try:
        answer = registry()[kind].read(ask, _build(kind, ask), _reply(said))
    except AttemptFailed:
        return
    assert isinstance(answer.body["text"], str)
    assert rendered(answer.body, wanted)[0]


def _spots(within: Any) -> Any:
    """Every (holder, name or place) of a value within JSON."""
    for name, value in list(within.items() if isinstance(within, dict) else enumerate(within)):
        yield within, name
        if isinstance(value, (dict, list)):
            yield from _spots(value)
