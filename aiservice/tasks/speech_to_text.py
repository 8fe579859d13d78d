"""What is said in a recording."""

from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, found_in, is_messages, only_fields, parameters
from aiservice.tasks._files import file_of
from aiservice.tasks._signs import GIVEN, Signs, fields

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
_FILES = ("audio", "audio_url", "file", "file_url")
_PARAMETERS = frozenset({"language", "prompt", "response_format", "temperature", "timestamp_granularities"})
_KNOWN = ("text", "language", "duration", "segments", "words")

SIGNS = Signs(
    fields=fields("audio", "audio_url"),
    models=r"whisper|transcribe|\bstt\b|nova-[23]$|scribe_v|parakeet|canary-",
    begins=(rf"transcribe {GIVEN}",),
)


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


TASK = Task("speech-to-text", "Speech to text", "transcription", SIGNS, _ask_body, _output)
