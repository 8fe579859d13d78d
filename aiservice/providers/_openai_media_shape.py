"""Work that is no chat, as all have it that speak OpenAI's wire; a vendor overrides what is its own."""

from collections.abc import Mapping

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed
from aiservice.providers._failures import invalid_answer
from aiservice.providers._media_names import media_kind_of
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_media import (
    MEDIA_PATHS,
    PATHS_OF,
    images_answer,
    is_json_object,
    media_call,
    moderation_answer,
    path_name,
    speech_answer,
    transcript_answer,
    transcript_usage,
)
from aiservice.providers._openai_media_stream import ReadUsage
from aiservice.wire import Answer, Ask, AskKind, HttpCall, HttpReply, Json

_TOKENS = frozenset({"input_tokens", "prompt_tokens"})


class OpenAiMedia:
    """The part of `OpenAiShape` that is no chat. `media_paths` say where it is asked, if it can be."""

    title: str
    media_paths: Mapping[str, str] = MEDIA_PATHS
    has_media_events: bool = True  # whether it gives images and speech in events; who does not is asked for them whole

    def serves_media(self, model: str, kind: AskKind) -> bool:
        """Whether a model does work of a kind that is no chat, as far as its name and the vendor's paths say."""
        return media_kind_of(model) == kind and any(self.media_paths.get(name) for name in PATHS_OF[kind])

    def media_call(self, ask: Ask, model: str) -> HttpCall:
        """A request for it; raises AttemptFailed as `Provider.build`."""
        path = self.media_paths.get(path_name(ask), "")
        has_media_events = self.has_media_events and not model.startswith(("dall-e", "tts-1"))
        return media_call(ask, model, path, self.title, has_media_events=has_media_events)

    def media_answer(self, ask: Ask, call: HttpCall, reply: HttpReply, read_usage: ReadUsage) -> Answer:
        """Its answer; raises AttemptFailed as `Provider.read`."""
        if not is_json_object(reply):
            if ask.kind == "speech":
                return speech_answer(ask, reply.body, reply.headers.get("content-type", ""), "")
            if ask.kind == "transcription":
                return transcript_answer(ask, reply.body, "", transcript_usage(ask, {"text": _plain(reply)}, None))
        body = _object(reply)
        if ask.kind == "moderation":
            return moderation_answer(body, reply.body, "")
        if ask.kind == "speech":
            return speech_answer(ask, reply.body, "application/json", "")
        told = body.get("usage")
        usage, is_valid = read_usage(told) if isinstance(told, dict) and _TOKENS.intersection(told) else (None, True)
        if ask.kind == "image":
            answer = images_answer(ask, body, reply.body, "", usage)
        else:
            answer = transcript_answer(ask, reply.body, "", transcript_usage(ask, body, usage))
        answer.is_usage_valid = is_valid
        return answer


def _plain(reply: HttpReply) -> str:
    return reply.body.decode("utf-8", "replace")


def _object(reply: HttpReply) -> Json:
    try:
        body = loads(reply.body)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(body, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    if body.get("error") or body.get("object") == "error":
        raise AttemptFailed(failure_from_body(reply.status, body, reply.headers))
    return body
