"""Requests for work that is no chat, and transcripts in every form."""

from typing import Any

import pytest

from aiservice.dialects import openai_audio, openai_images, openai_moderations
from aiservice.dialects._base import Dialect
from aiservice.dialects._transcripts import rendered
from aiservice.errors import InvalidRequest

_SOUND = {"filename": "a.mp3", "content_type": "audio/mpeg", "data": bytes(10_000)}
_SAID = {
    "text": "Hello. Bye.",
    "duration": 3.5,
    "segments": [{"start": 0.0, "end": 1.25, "text": " Hello."}, {"start": 3600.5, "end": 3601.0, "text": " Bye."}],
}


@pytest.mark.parametrize(
    ("dialect", "body", "param"),
    [
        (openai_moderations.DIALECT, {"input": []}, "input"),
        (openai_moderations.DIALECT, {"input": ["a", {"type": "text", "text": "b"}]}, "input"),
        (openai_images.DIALECT, {"prompt": " "}, "prompt"),
        (openai_images.DIALECT, {"prompt": "a", "n": 0}, "n"),
        (openai_images.DIALECT, {"prompt": "a", "n": True}, "n"),
        (openai_images.DIALECT, {"prompt": "a", "stream": "perhaps"}, "stream"),
        (openai_images.DIALECT, {"prompt": "a", "stream": True, "partial_images": 4}, "partial_images"),
        (openai_audio.SPEECH_DIALECT, {"input": "a", "stream_format": "ogg"}, "stream_format"),
        (openai_images.DIALECT, {"prompt": "a", "images": 5}, "images"),
        (openai_images.DIALECT, {"prompt": "a", "mask": "data:image/png;base64,AA=="}, "mask"),
        (openai_images.EDITS_DIALECT, {"prompt": "a"}, "image"),
        (openai_images.EDITS_DIALECT, {"prompt": "a", "images": ["a"]}, "images[0]"),
        (openai_images.EDITS_DIALECT, {"prompt": "a", "image": "no base64"}, "image"),
        (openai_audio.SPEECH_DIALECT, {"voice": "alloy"}, "input"),
        (openai_audio.SPEECH_DIALECT, {"input": "a", "voice": 1}, "voice"),
        (openai_audio.SPEECH_DIALECT, {"input": "a", "api_base": "http://x"}, "api_base"),
        (openai_audio.DIALECT, {}, "file"),
        (openai_audio.DIALECT, {"file": {**_SOUND, "data": b""}}, "file"),
        (openai_audio.DIALECT, {"file": _SOUND, "response_format": "docx"}, "response_format"),
        (openai_audio.DIALECT, {"file": _SOUND, "response_format": ["srt"]}, "response_format"),
        (openai_audio.DIALECT, {"file": _SOUND, "temperature": "warm"}, "temperature"),
        (openai_audio.DIALECT, {"file": _SOUND, "stream": "perhaps"}, "stream"),
        (openai_audio.DIALECT, {"file": _SOUND, "preferences": "{"}, "preferences"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(dialect: Dialect, body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        dialect.read(body)
    assert refused.value.param == param


def test_a_forms_texts_are_numbers_and_flags_where_those_belong() -> None:
    body = {"file": _SOUND, "temperature": "0.5", "stream": "true", "model": "whisper-1"}
    ask = openai_audio.DIALECT.read(body).ask
    assert (ask.body["temperature"], ask.is_stream) == (0.5, True)
    assert ask.body.keys() == {"file", "temperature"}
    image = openai_images.DIALECT.read({"prompt": "a", "n": "3", "output_compression": "80"}).ask
    assert (image.body["n"], image.body["output_compression"]) == (3, 80)


def test_what_it_may_use_at_most_is_told_from_the_request() -> None:
    image = openai_images.DIALECT.read(
        {"prompt": "a", "n": 2, "quality": "hd", "size": "1792x1024", "model": "dall-e-3"}
    )
    told = image.ask.at_most
    assert told is not None
    assert (told.units, told.unit, told.unit_quality, told.output_tokens) == (2, "image", "hd 1792x1024", 0)
    heard = openai_audio.DIALECT.read({"file": _SOUND, "model": "whisper-1"}).ask.at_most
    assert heard is not None
    assert (heard.units, heard.unit, heard.output_tokens) == (10, "second", 0)
    unknown = openai_audio.SPEECH_DIALECT.read({"input": "abcd"}).ask.at_most
    assert unknown is not None
    assert (unknown.units, unknown.output_tokens) == (4, 12)  # whoever it goes to may be paid by the token


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("text", "Hello. Bye.\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,250\nHello.\n\n2\n01:00:00,500 --> 01:00:01,000\nBye.\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nHello.\n\n01:00:00.500 --> 01:00:01.000\nBye.\n\n"),
        ("json", '{"text":"Hello. Bye."}'),
    ],
)
def test_a_transcript_is_written_in_the_form_that_is_wanted(wanted: str, text: str) -> None:
    assert rendered(_SAID, wanted)[0].decode() == text


def test_without_segments_subtitles_are_one() -> None:
    assert rendered({"text": "Hi", "duration": 2}, "vtt")[0] == b"WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nHi\n\n"
