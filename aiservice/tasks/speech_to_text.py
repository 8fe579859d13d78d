"""What is said in a recording."""

import re
from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, found_in, is_messages, only_fields, parameters
from aiservice.tasks._files import file_of
from aiservice.tasks._signs import GIVEN, Signs, fields
from aiservice.wire import Usage

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_FILES = ("audio", "audio_url", "file", "file_url")
_PARAMETERS = frozenset({"language", "prompt", "response_format", "temperature", "timestamp_granularities"})
_LEAST_BYTES_PER_SECOND = 1_000  # 8 kbit/s: speech is hardly ever coded with less
_SECONDS_BY_ADDRESS = 3_600
_BY_TOKEN = re.compile(r"gpt-|gemini|voxtral")
_TOKENS_PER_SECOND = 5
_KNOWN = ("text", "language", "duration", "segments", "words")

SIGNS = Signs(
    fields=fields("audio", "audio_url"),
    models=r"whisper|transcribe|\bstt\b|nova-[23]$|scribe_v|parakeet|canary-",
    begins=(rf"transcribe {GIVEN}",),
)


def seconds_at_most(body: Json, model: str | None) -> Usage:
    """What a recording may use at most: the seconds that so many bytes can hold, and tokens of its sound and text where
    models are paid by them, or may be. Of one that the provider loads itself, an hour."""
    file = body.get("file")
    seconds = _SECONDS_BY_ADDRESS if file is None else -(-len(file["data"]) // _LEAST_BYTES_PER_SECOND)
    tokens = _TOKENS_PER_SECOND * seconds if model is None or _BY_TOKEN.search(model) else 0
    return Usage(output_tokens=tokens, units=seconds, unit="second")


def _ask_body(body: Json) -> Json:
    only_fields(body, *_FILES, *_PARAMETERS)
    given = body.get("input")
    asked: dict[str, Any] = {**parameters(body, _PARAMETERS)}
    if isinstance(given, dict):
        asked |= {name: given[name] for name in _PARAMETERS if given.get(name) is not None}
        given, where = found_in(body, *_FILES)
    else:
        where = "input"
        if isinstance(given, list):
            given = _audio_part(given)
    wanted = asked.get("response_format", "json")
    if wanted not in FORMATS:
        raise InvalidRequest(
            f"'response_format' must be one of {', '.join(FORMATS)}.", param="parameters.response_format"
        )
    if isinstance(given, str) and given.startswith(("https://", "http://")):
        return {**asked, "file_url": given}
    return {**asked, "file": file_of(given, where, "audio")}


def _audio_part(given: list[Any]) -> str | None:
    """The sound in a list of parts, or in messages; a data: URL."""
    parts = given
    if is_messages(given):
        parts = [part for message in given for part in message.get("content") or () if isinstance(part, dict)]
    for part in parts:
        sound = part.get("input_audio") if isinstance(part, dict) else None
        if isinstance(sound, dict) and isinstance(sound.get("data"), str):
            return f"data:audio/{sound.get('format', 'wav')};base64,{sound['data']}"
    return None


def _output(answer_body: Json) -> Json:
    return {name: answer_body[name] for name in _KNOWN if answer_body.get(name) is not None}


TASK = Task("speech-to-text", "Speech to text", "transcription", SIGNS, _ask_body, _output, seconds_at_most)
