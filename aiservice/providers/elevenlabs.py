"""ElevenLabs: speech by `/text-to-speech`, transcripts by `/speech-to-text` (elevenlabs.io/docs/api-reference).

A voice is an id of twenty letters and digits, in the address; names of OpenAI's voices are none and are refused. Where
none is said it is the one of ElevenLabs' own examples. Its errors hold a word of their own, which says more than their
status: an account without credit is a 401, too.
"""

import re
from functools import partial
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.multipart import write_form
from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider, StreamReader, cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._failures import vetted
from aiservice.providers._media_reader import MediaReader
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._sound import wav
from aiservice.providers._sound_work import check, said_in, segments_of, spoken, timed, transcript
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, Blame, HttpCall, HttpReply, Json

_SPEECH, _TRANSCRIPT, _MODELS = "/text-to-speech", "/speech-to-text", "/models"
_SPOKEN = frozenset({"input", "language", "response_format", "speed", "voice"})
_HEARD = frozenset({"file", "file_url", "language", "response_format", "temperature", "timestamp_granularities"})
_RATE = 24_000
# WAV is made here, of samples.
_FORMATS = {"mp3": "mp3_44100_128", "opus": "opus_48000_128", "pcm": f"pcm_{_RATE}", "wav": f"pcm_{_RATE}"}
_VOICE = re.compile(r"[A-Za-z0-9]{16,40}")
_USUAL_VOICE = "JBFqnCBsd6RMkjVDRZzb"
_HEARING = ("scribe_v1", "scribe_v2")  # which its list of models leaves out
_STATUS_OF_WORD = {"model_not_found": 404, "quota_exceeded": 402}


class ElevenLabs(Provider):
    kind = "elevenlabs"
    title = "ElevenLabs"
    default_base_url = "https://api.elevenlabs.io/v1"

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind in ("speech", "transcription") and model.startswith("scribe") == (kind == "transcription")

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(streaming=False)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("xi-api-key", key.reveal_text()),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        refuse_uncarried(ask, self.title)
        if ask.kind == "speech":
            check(ask, _SPOKEN, self.title)
            return _speech(ask.body, model)
        check(ask, _HEARD, self.title)
        return _transcript(ask.body, model)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if ask.kind == "transcription":
            return transcript(ask, _heard(said_in(reply)))
        answer = spoken(ask, reply.body, reply.headers.get("content-type", ""))
        if ask.body.get("response_format") == "wav" and answer.media is not None:
            answer.media, answer.media_type = wav(answer.media, _RATE), "audio/wav"
        return answer

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        return MediaReader(ask, partial(self.read, ask, call))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        said = said_in(reply)
        detail = said.get("detail")
        if not isinstance(detail, dict):
            return failure_from_body(reply.status, said, reply.headers)
        words, word = detail.get("message"), str(detail.get("status") or detail.get("code") or "")
        if word == "voice_not_found":
            message = vetted(words) if isinstance(words, str) else "ElevenLabs does not know this voice."
            return AttemptFailure(400, word, message, Blame.FAILOVER, reply.status, "voice")
        status = _STATUS_OF_WORD.get(word, reply.status)
        failure = failure_from_body(status, {"error": {"message": words, "code": word}}, reply.headers)
        failure.upstream_status = reply.status
        return failure

    def probe(self) -> HttpCall:
        return HttpCall(_MODELS, b"", "GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        """Those that speak, as it lists them, and those that hear, which it has published."""
        try:
            said = loads(reply.body)
        except orjson.JSONDecodeError:
            said = None
        listed = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
        names = [one.get("model_id") for one in listed if one.get("can_do_text_to_speech") is not False]
        return list(dict.fromkeys([*(name for name in names if isinstance(name, str)), *_HEARING]))


def _speech(asked: Json, model: str) -> HttpCall:
    wanted: Any = asked.get("response_format", "mp3")
    if not isinstance(wanted, str) or wanted not in _FORMATS:
        raise cannot_carry("response_format", f"ElevenLabs gives speech as {', '.join(_FORMATS)}.")
    voice: Any = asked.get("voice", _USUAL_VOICE)
    if not isinstance(voice, str) or not _VOICE.fullmatch(voice):
        raise cannot_carry("voice", "Give the id of one of ElevenLabs' voices (GET /v1/voices there lists them).")
    body: Json = {"text": asked["input"], "model_id": model}
    if asked.get("language"):
        body["language_code"] = asked["language"]
    if asked.get("speed") not in (None, 1):
        body["voice_settings"] = {"speed": asked["speed"]}
    return HttpCall(f"{_SPEECH}/{voice}?output_format={_FORMATS[wanted]}", orjson.dumps(body))


def _transcript(asked: Json, model: str) -> HttpCall:
    fields: list[tuple[str, Any]] = [("model_id", model)]
    if asked.get("language"):
        fields.append(("language_code", str(asked["language"])))
    if asked.get("temperature") is not None:
        fields.append(("temperature", str(asked["temperature"])))
    if asked.get("response_format") == "diarized_json":
        fields.append(("diarize", "true"))
    if "file_url" in asked:
        fields.append(("cloud_storage_url", asked["file_url"]))
    else:
        fields.append(("file", asked["file"]))
    content, kind = write_form(fields)
    return HttpCall(_TRANSCRIPT, content, headers=(("content-type", kind),))


def _heard(said: Json) -> Json:
    """A transcript in OpenAI's words; sounds that are no words (`audio_event`) are in its text and segments."""
    pieces = timed(said.get("words"))
    words = [one for one in pieces if one.get("type") == "word"]
    return {
        "text": said.get("text"),
        "language": said.get("language_code"),
        "duration": said.get("audio_duration_secs"),
        "segments": segments_of(pieces) or None,
        "words": [{"word": one.get("text"), "start": one["start"], "end": one["end"]} for one in words] or None,
    }


PROVIDER = ElevenLabs()
