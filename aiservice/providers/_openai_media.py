"""Moderations, images, speech and transcriptions by OpenAI's wire (platform.openai.com/docs/api-reference).

A file makes a request a form. Speech is bytes, or with some look-alikes JSON with base64; subtitles are text.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.multipart import write_form
from aiservice.providers._base import MAX_TOKENS, AttemptFailed, cannot_carry, token_count
from aiservice.providers._failures import invalid_answer
from aiservice.providers._sound import media_type_of, seconds_in
from aiservice.tasks._files import data_url
from aiservice.wire import (
    IMAGES_WIRE,
    MODERATIONS_WIRE,
    SPEECH_WIRE,
    TRANSCRIPTION_WIRE,
    Answer,
    Ask,
    AskKind,
    HttpCall,
    HttpReply,
    Json,
    MediaTokens,
    Usage,
)

NATIVE_WIRES = frozenset({IMAGES_WIRE, MODERATIONS_WIRE, SPEECH_WIRE, TRANSCRIPTION_WIRE})
# What OpenAI has words for; a client of its own wire may know more.
_KNOWN = {
    "image": frozenset(
        {
            "background", "images", "input_fidelity", "mask", "moderation", "n", "output_compression", "output_format",
            "prompt", "quality", "response_format", "size", "style", "user",
        }
    ),
    "moderation": frozenset({"input"}),
    "speech": frozenset({"input", "instructions", "response_format", "speed", "voice"}),
}  # fmt: skip
MEDIA_PATHS: Final[Mapping[str, str]] = {
    "moderations": "/moderations",
    "image_generations": "/images/generations",
    "image_edits": "/images/edits",
    "speech": "/audio/speech",
    "transcriptions": "/audio/transcriptions",
    "translations": "/audio/translations",
}
PATHS_OF: Final[Mapping[AskKind, tuple[str, ...]]] = {
    "moderation": ("moderations",),
    "image": ("image_generations", "image_edits"),
    "speech": ("speech",),
    "transcription": ("transcriptions", "translations"),
}
# Where nobody says it: a model paid by the token hears ten a second, and speaks 21 a second of 15 characters.
_TOKENS_PER_SECOND = 10
_TOKENS_PER_CHARACTER = 1.4
_JSON_FORMATS = frozenset({"diarized_json", "json", "verbose_json"})
_TEXT = "text/plain; charset=utf-8"


def path_name(ask: Ask) -> str:
    """Which of a vendor's paths `ask` goes to (`VendorRow.paths`)."""
    if ask.kind == "image":
        return "image_edits" if "images" in ask.body else "image_generations"
    if ask.kind == "transcription":
        return "translations" if ask.body.get("translate") else "transcriptions"
    return "speech" if ask.kind == "speech" else "moderations"


def media_call(ask: Ask, model: str, path: str, title: str, *, has_media_events: bool) -> HttpCall:
    """The request for work that is no chat.

    Raises:
        AttemptFailed: it holds what the vendor has no word for (named in `param`).
    """
    if not path:
        raise cannot_carry("model", f"{title} has no such work here: choose another provider.")
    unsaid = {"translate"} if has_media_events else {"translate", "partial_images", "stream_format"}
    body = {name: value for name, value in ask.body.items() if name not in unsaid}
    if ask.wire not in NATIVE_WIRES:
        for name in sorted(body.keys() - _KNOWN.get(ask.kind, body.keys())):
            raise cannot_carry(name, f"'{name}' cannot be carried to {title}: leave it out, or pin another provider.")
        if ask.kind == "speech":
            body.setdefault("voice", "alloy")  # which OpenAI demands
    body["model"] = model
    if ask.kind == "transcription":
        if "file_url" in body:
            raise cannot_carry("file_url", f"{title} loads no recording from an address: send the file itself.")
        return transcript_form(body, path, is_stream=ask.is_stream)
    if ask.kind == "image":
        if ask.is_stream and has_media_events:
            body["stream"] = True
        if _has_files(body):
            return _form(path, _with_files(body, model), is_stream=ask.is_stream)
    return HttpCall(path, orjson.dumps(body), is_stream=ask.is_stream)


def is_json_object(reply: HttpReply) -> bool:
    """Whether a reply looks like a JSON object: what is sound or subtitles is none, whatever its type says."""
    return reply.body[:64].lstrip()[:1] == b"{"


def _has_files(body: Json) -> bool:
    return any("data" in one for one in body.get("images") or ()) or "data" in (body.get("mask") or ())


def _with_files(body: Json, model: str) -> Json:
    """An edit as a form where all of its images are files; as JSON it cannot hold any."""
    images = body.pop("images")
    if all("data" in one for one in images):
        body["image" if model.startswith("dall-e") else "image[]"] = images if len(images) > 1 else images[0]
        return body
    raise cannot_carry("images", "Send all images of an edit as files, or all of them as 'image_url'.")


def transcript_form(body: Json, path: str, *, is_stream: bool) -> HttpCall:
    """A request for a transcript, as a form; a stream is asked for in it."""
    return _form(path, {**body, "stream": True} if is_stream else body, is_stream=is_stream)


def _form(path: str, body: Json, *, is_stream: bool = False) -> HttpCall:
    content, kind = write_form(field for name, value in body.items() for field in _fields(name, value))
    return HttpCall(path, content, headers=(("content-type", kind),), is_stream=is_stream)


def _fields(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        listed = name if name.endswith("[]") else f"{name}[]"
        return [(listed, each if isinstance(each, (str, dict)) else _text(each)) for each in value]
    if isinstance(value, dict) and isinstance(value.get("data"), bytes):
        return [(name, value)]
    return [(name, value if isinstance(value, str) else _text(value))]


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def as_references(body: Json) -> list[Json]:
    """The images of an edit as objects with `url`: an address, or a data: URL."""
    found = []
    for one in body.get("images") or ():
        given = data_url(one) if "data" in one else one["image_url"]
        found.append(given if isinstance(given, dict) else {"url": given})
    return found


def moderation_answer(body: Json, raw: bytes, model: str) -> Answer:
    """Raises AttemptFailed where there is none in it; so do all below."""
    results = body.get("results")
    if not isinstance(results, list) or not all(isinstance(one, dict) and "flagged" in one for one in results):
        raise AttemptFailed(invalid_answer("its answer had no moderation"))
    return Answer(body, _model(body, model), "stop", None, raw, raw_wire=MODERATIONS_WIRE)


def images_answer(ask: Ask, body: Json, raw: bytes | None, model: str, usage: Usage | None) -> Answer:
    """Images are counted; those that are paid by the piece have no other usage."""
    images = body.get("data")
    if not isinstance(images, list) or not images or not all(map(_is_image, images)):
        raise AttemptFailed(invalid_answer("its answer had no images"))
    asked = ask.at_most or Usage()
    counted = Usage(source="counted") if usage is None else usage
    usage = replace(counted, units=len(images), unit="image", unit_quality=asked.unit_quality)
    usage.media = media_tokens(ask.kind, body.get("usage"), usage)
    return Answer(body, _model(body, model), "stop", usage, raw, raw_wire=IMAGES_WIRE)


def _is_image(one: Any) -> bool:
    return isinstance(one, dict) and (isinstance(one.get("b64_json"), str) or isinstance(one.get("url"), str))


def speech_answer(ask: Ask, content: bytes, content_type: str, model: str) -> Answer:
    """Speech as it came; where it is base64 in JSON (Mistral's), the sound itself."""
    if content_type.startswith("application/json"):
        try:
            said = loads(content)
            content = base64.b64decode(said["audio_data"], validate=True)
        except (orjson.JSONDecodeError, binascii.Error, KeyError, TypeError, ValueError) as exc:
            raise AttemptFailed(invalid_answer("its answer had no sound")) from exc
        content_type = ""
    if not content or content_type.startswith("text/"):
        raise AttemptFailed(invalid_answer("its answer had no sound"))
    if not content_type.startswith("audio/"):
        content_type = media_type_of(content, ask.body.get("response_format"))
    return Answer({}, model, "stop", spoken_usage(ask), None, media=content, media_type=content_type)


def spoken_usage(ask: Ask) -> Usage:
    """What speech uses, where nobody says it: its characters, and tokens as they usually are."""
    characters = len(ask.body["input"])
    spoken = ceil(characters * _TOKENS_PER_CHARACTER)
    media = MediaTokens(audio_output=spoken)
    return Usage(characters // 4, spoken, source="estimated", units=characters, unit="character", media=media)


def transcript_answer(ask: Ask, content: bytes, model: str, usage: Usage | None) -> Answer:
    """A transcript in JSON; in the form that was asked for, where that is none."""
    wanted = ask.body.get("response_format", "json")
    try:
        said = loads(content)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("text"), str):
        raw = content if wanted in _JSON_FORMATS else None
        return Answer(said, _model(said, model), "stop", usage, raw, raw_wire=TRANSCRIPTION_WIRE)
    if wanted in _JSON_FORMATS or content.lstrip()[:1] in (b"{", b"<"):
        raise AttemptFailed(invalid_answer("its answer had no transcript"))
    text = content.decode("utf-8", "replace")
    return Answer({"text": text}, model, "stop", usage, media=content, media_type=_TEXT)


def transcript_usage(ask: Ask, said: Json, tokens: Usage | None) -> Usage:
    """What a transcript used: the tokens that the vendor says, the seconds that it says, else those of the recording as
    far as its head tells them."""
    raw = said.get("usage")
    told = raw if isinstance(raw, dict) else {}
    places = (told.get("seconds"), told.get("prompt_audio_seconds"), said.get("duration"))
    seconds = next((found for each in places if (found := whole_seconds(each)) is not None), None)
    if tokens is not None:
        tokens.media = media_tokens(ask.kind, told, tokens)
    if seconds is not None:
        if tokens is not None:
            return replace(tokens, units=seconds, unit="second")
        return Usage(source="counted", units=seconds, unit="second")
    if tokens is not None:
        return tokens
    file, text = ask.body.get("file"), said.get("text")
    units = seconds_in(file["data"]) if file else 0
    words = len(text) // 4 if isinstance(text, str) else 0
    return Usage(units * _TOKENS_PER_SECOND, words, source="estimated", units=units, unit="second")


def media_tokens(kind: AskKind, said: object, usage: Usage) -> MediaTokens | None:
    """Which of the tokens of `usage` are pictures or sound, of the object that it was read from. What a model draws is
    pictures, and what it speaks sound, where nothing else is said; what it was given is text then."""
    if not isinstance(said, dict) or not usage.total_tokens:
        return None
    taken = _counts_in(said.get("input_tokens_details"), said.get("input_token_details"))
    given = _counts_in(said.get("output_tokens_details"), said.get("output_token_details"))
    rest = usage.output_tokens - given.get("text_tokens", 0)
    drawn = given.get("image_tokens", rest if kind == "image" else 0)
    spoken = given.get("audio_tokens", rest if kind == "speech" else 0)
    return MediaTokens(taken.get("image_tokens", 0), drawn, taken.get("audio_tokens", 0), spoken)


def _counts_in(*given: object) -> dict[str, int]:
    details = next((each for each in given if isinstance(each, dict)), {})
    return {name: count for name, value in details.items() if (count := token_count(value)) is not None}


def whole_seconds(value: object) -> int | None:
    """Seconds that a vendor says, rounded up; None where they are none. Some say them as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < MAX_TOKENS:
        return None
    return ceil(value)


def _model(body: Json, model: str) -> str:
    named = body.get("model")
    return named if isinstance(named, str) and named else model
