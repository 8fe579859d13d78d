"""What vendors of sound share that have a wire of their own: what is refused by name, and a transcript in our form."""

from collections.abc import Iterable
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._failures import invalid_answer
from aiservice.providers._openai_media import speech_answer, transcript_usage
from aiservice.wire import Answer, Ask, HttpReply, Json, Usage

_MOST_CHARACTERS = 80  # of one subtitle
_OURS = frozenset({"stream_format", "translate"})  # how an answer goes to its client, and what was asked above
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "？", "！")


def check(ask: Ask, known: frozenset[str], title: str) -> None:
    """Refuses what a vendor of sound and transcripts has no word for.

    Raises:
        AttemptFailed: the first such field is named.
    """
    if ask.body.get("translate"):
        raise cannot_carry("model", f"{title} translates no recording: choose another provider.")
    for name in sorted(ask.body.keys() - known - _OURS):
        raise cannot_carry(name, f"'{name}' cannot be carried to {title}: leave it out, or pin another provider.")


def spoken(ask: Ask, sound: bytes, media_type: str, characters: int | None = None) -> Answer:
    """Speech, sold by the character: by as many as the vendor says, else by those of the text.

    Raises:
        AttemptFailed: there is none.
    """
    answer = speech_answer(ask, sound, media_type, "")
    units = len(ask.body["input"]) if characters is None else characters
    answer.usage = Usage(source="counted", units=units, unit="character")
    return answer


def said_in(reply: HttpReply) -> Json:
    """The object in a reply; empty where there is none."""
    try:
        said = loads(reply.body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def transcript(ask: Ask, body: Json) -> Answer:
    """The transcript `body` in OpenAI's form, sold by the second.

    Raises:
        AttemptFailed: it has no text.
    """
    if not isinstance(body.get("text"), str):
        raise AttemptFailed(invalid_answer("its answer had no transcript"))
    kept = {name: value for name, value in body.items() if value is not None}
    return Answer(kept, "", "stop", transcript_usage(ask, kept, None))


def timed(given: object) -> list[Json]:
    """Those of a list that are objects with times in seconds."""
    return [one for one in given if _is_timed(one)] if isinstance(given, list) else []


def segments_of(pieces: Iterable[Json]) -> list[Json]:
    """Segments `{"id", "start", "end", "text", "speaker"?}` of words and what is between them (`text`, `start`, `end`,
    `speaker_id`): each ends with its sentence, its speaker, or when it is long."""
    found: list[Json] = []
    is_over = True
    for piece in pieces:
        text, speaker = str(piece.get("text") or ""), piece.get("speaker_id")
        if not text.strip():
            if not is_over:
                found[-1]["text"] += text
            continue
        if is_over or found[-1].get("speaker") != speaker:
            found.append({"id": len(found), "start": piece["start"], "end": piece["end"], "text": text})
            if speaker is not None:
                found[-1]["speaker"] = speaker
        else:
            found[-1] |= {"end": piece["end"], "text": found[-1]["text"] + text}
        is_over = text.endswith(_SENTENCE_ENDS) or len(found[-1]["text"]) >= _MOST_CHARACTERS
    return [{**one, "text": one["text"].strip()} for one in found]


def _is_timed(one: Any) -> bool:
    return isinstance(one, dict) and _is_number(one.get("start")) and _is_number(one.get("end"))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
