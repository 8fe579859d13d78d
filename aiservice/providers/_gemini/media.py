"""Work that is no chat by Gemini's models, wherever they run: images, speech, transcripts."""

import orjson

from aiservice.providers._base import StreamReader
from aiservice.providers._gemini.images import image_answer, image_body
from aiservice.providers._gemini.models import draws
from aiservice.providers._gemini.speech import speaks, speech_answer, speech_body
from aiservice.providers._gemini.transcripts import TranscriptReader, hears, transcript_answer, transcript_body
from aiservice.providers._media_reader import MediaReader
from aiservice.wire import Answer, Ask, AskKind, HttpCall, Json

_SERVED = {"image": draws, "speech": speaks, "transcription": hears}


def serves_media(model: str, kind: AskKind) -> bool:
    """Whether `model` does work of a kind that is no chat."""
    served = _SERVED.get(kind)
    return served is not None and served(model)


def media_body(ask: Ask, model: str, *, fetches_urls: bool = False) -> Json:
    """The body of generateContent; raises AttemptFailed for what Gemini has no word for."""
    if ask.kind == "image":
        return image_body(ask, model)
    if ask.kind == "speech":
        return speech_body(ask)
    return transcript_body(ask, model, fetches_urls=fetches_urls)


def media_call(ask: Ask, path: str, body: Json) -> HttpCall:
    """The request at a model's `path`. A transcript alone can come in pieces."""
    if ask.is_stream and ask.kind == "transcription":
        return HttpCall(f"{path}:streamGenerateContent?alt=sse", orjson.dumps(body), is_stream=True)
    return HttpCall(f"{path}:generateContent", orjson.dumps(body))


def media_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """What a reply says; raises AttemptFailed where that is no answer."""
    if ask.kind == "image":
        return image_answer(ask, raw, model)
    if ask.kind == "speech":
        return speech_answer(ask, raw, model)
    return transcript_answer(raw, model)


def media_reader(ask: Ask, call: HttpCall, model: str) -> StreamReader:
    """A reader for the reply to `call`."""
    if call.is_stream:
        return TranscriptReader()
    return MediaReader(ask, lambda reply: media_answer(ask, reply.body, model))
