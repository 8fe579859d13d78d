"""Transcripts by Gemini's models that hear (ai.google.dev/gemini-api/docs/audio), asked for in words.

Its times are guesses of a language model: who wants times is refused by name.
"""

from dataclasses import replace
from typing import Any

from aiservice.providers._base import AttemptFailed, StreamReader, cannot_carry
from aiservice.providers._failures import cut_short
from aiservice.providers._gemini.answer import chat_answer
from aiservice.providers._gemini.models import capabilities, family_of
from aiservice.providers._gemini.parts import media_part
from aiservice.providers._gemini.stream import GeminiStreamReader
from aiservice.providers._sound import media_type_of
from aiservice.tasks._files import data_url
from aiservice.wire import Answer, Ask, AttemptFailure, Blame, EventKind, Json, StreamEvent, Usage

_KNOWN = frozenset({"file", "file_url", "language", "prompt", "response_format", "temperature", "translate"})
_FORMATS = (None, "json", "text")
_AS_GOOGLE_SAYS = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav"}
_TASK = "Write down what is said in this recording, word for word, in the language in which it is spoken."
_IN_ENGLISH = "Write down in English what is said in this recording, whatever language is spoken."
_ALONE = "Give nothing but the words: no times, no speakers, no remarks. Where nothing is said, give nothing."


def hears(model: str) -> bool:
    """Whether a model chats, and can be given sound."""
    return capabilities(model).audio is True


def transcript_body(ask: Ask, model: str, *, fetches_urls: bool = False) -> Json:
    """The request; raises AttemptFailed for what Gemini has no word for. `fetches_urls`: whatever the model."""
    body, family = ask.body, family_of(model)
    for name in sorted(body.keys() - _KNOWN):
        if (name, body[name]) != ("chunking_strategy", "auto"):
            raise cannot_carry(name, f"Gemini has no word for '{name}' of a transcript: leave it out.")
    if body.get("response_format") not in _FORMATS:
        raise cannot_carry("response_format", "Gemini knows no times of what is said: ask for 'json' or 'text'.")
    if fetches_urls:
        family = replace(family, fetches_urls=True)
    where = "file_url" if "file_url" in body else "file"
    sound = media_part(body.get("file_url") or data_url(_typed(body["file"])), where, family)
    config: Json = {} if body.get("temperature") is None else {"temperature": body["temperature"]}
    if (thinking := family.efforts.get("none", family.efforts.get("low"))) is not None and family.is_thinking:
        config["thinkingConfig"] = dict(thinking)
    asked: Json = {"contents": [{"role": "user", "parts": [{"text": _asked(body)}, sound]}]}
    return {**asked, "generationConfig": config} if config else asked


def transcript_answer(raw: bytes, model: str) -> Answer:
    """The transcript in a reply.

    Raises:
        AttemptFailed: there is none, or not all of it.
    """
    chat = chat_answer(raw, model)
    if (failure := _why_not_whole(chat.finish_reason)) is not None:
        raise AttemptFailed(failure)
    message = chat.body["choices"][0]["message"]
    body: Json = {"text": (message.get("content") or "").strip()}
    if chat.usage is not None:
        body["usage"] = usage_json(chat.usage)
    return Answer(body, chat.model, "stop", chat.usage, is_usage_valid=chat.is_usage_valid)


class TranscriptReader(StreamReader):
    """A streamed transcript: a chat's stream, of which only an ending that says all was said is one."""

    def __init__(self) -> None:
        self._inner = GeminiStreamReader(1)

    @property
    def is_finished(self) -> bool:  # type: ignore[override]
        return self._inner.is_finished

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        return self._heard(self._inner.feed(chunk))

    def end(self) -> list[StreamEvent]:
        return self._heard(self._inner.end())

    def _heard(self, events: list[StreamEvent]) -> list[StreamEvent]:
        found: list[StreamEvent] = []
        for event in events:
            if event.kind is EventKind.FINISH and (failure := _why_not_whole(event.finish_reason)) is not None:
                self._inner.is_finished = False
                return [*found, StreamEvent(EventKind.ERROR, failure=failure)]
            if event.kind is not EventKind.TEXT or event.text:
                found.append(event)
        return found


def usage_json(usage: Usage) -> Json:
    """A transcript's usage in OpenAI's words."""
    heard = usage.media.audio_input if usage.media is not None else 0
    return {
        "type": "tokens",
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "input_token_details": {"text_tokens": max(0, usage.input_tokens - heard), "audio_tokens": heard},
    }


def _why_not_whole(finish_reason: str | None) -> AttemptFailure | None:
    if finish_reason == "stop":
        return None
    if finish_reason == "content_filter":
        message = "The provider's filter let no transcript through."
        return AttemptFailure(400, "content_filter", message, Blame.CALLER, upstream_status=200)
    return cut_short()


def _asked(body: Json) -> str:
    words = [_IN_ENGLISH if body.get("translate") else _TASK, _ALONE]
    if body.get("language") and not body.get("translate"):
        words.append(f"It is spoken in this language: {body['language']}.")
    if body.get("prompt"):
        words.append(f"What went before it, or words that it may hold: {body['prompt']}")
    return "\n".join(words)


def _typed(file: Json) -> Json:
    kind: Any = file["content_type"].partition(";")[0].strip().lower()
    if not kind.startswith(("audio/", "video/")):
        kind = media_type_of(file["data"], None)
    return {**file, "content_type": _AS_GOOGLE_SAYS.get(kind, kind)}
