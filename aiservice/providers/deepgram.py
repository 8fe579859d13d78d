"""Deepgram: transcripts by `/listen`, speech by `/speak` (developers.deepgram.com/reference).

Everything but the sound or the text is said in the query. A recording is the body itself, or an address that Deepgram
loads. Its default language is English, not the one that is spoken: a model that can tell languages is told to. A voice
is part of its model's name (`aura-2-zeus-en`): another one is put in its place. Names of OpenAI's voices, which its
libraries demand, leave the model's own.
"""

import re
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson

from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider, StreamReader, cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._media_reader import MediaReader
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._sound_work import check, said_in, spoken, timed, transcript
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json

_LISTEN, _SPEAK, _MODELS = "/listen", "/speak", "/models"
_HEARD = frozenset({"file", "file_url", "language", "response_format", "temperature", "timestamp_granularities"})
_SPOKEN = frozenset({"input", "response_format", "speed", "voice"})
_ENCODINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "aac": (("encoding", "aac"),),
    "flac": (("encoding", "flac"),),
    "mp3": (("encoding", "mp3"),),
    "opus": (("encoding", "opus"), ("container", "ogg")),
    "pcm": (("encoding", "linear16"), ("container", "none"), ("sample_rate", "24000")),
    "wav": (("encoding", "linear16"), ("container", "wav")),
}
_OPENAIS_VOICES = frozenset(
    {
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer",
        "verse",
    }
)  # fmt: skip
_VOICED = re.compile(r"(aura(?:-\d+)?)-([a-z]+)-([a-z]{2})")
_VOICE = re.compile(r"[a-z]+")
_TELLS_LANGUAGES = re.compile(r"nova-[23](?:-general)?|whisper(?:-.*)?")
# What is no sound by its type is sent as bytes: a type of JSON would make it an address.
_SOUND = re.compile(r"(?:audio|video)/[\w.+-]+", re.ASCII)
_NO_MODEL = re.compile(r"no such model|does not have access to the requested model", re.IGNORECASE)


class Deepgram(Provider):
    kind = "deepgram"
    title = "Deepgram"
    default_base_url = "https://api.deepgram.com/v1"

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind in ("speech", "transcription") and model.startswith("aura") == (kind == "speech")

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(streaming=False)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Token {key.reveal_text()}"),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        refuse_uncarried(ask, self.title)
        if ask.kind == "speech":
            check(ask, _SPOKEN, self.title)
            return _speech(ask.body, model)
        check(ask, _HEARD, self.title)
        return _listening(ask.body, model)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if ask.kind == "speech":
            told = reply.headers.get("dg-char-count", "")
            characters = int(told) if re.fullmatch(r"[0-9]{1,9}", told) else None
            return spoken(ask, reply.body, reply.headers.get("content-type", ""), characters)
        return transcript(ask, _heard(said_in(reply), ask.body.get("language")))

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        return MediaReader(ask, partial(self.read, ask, call))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        said = said_in(reply)
        words = said.get("err_msg") or said.get("details") or said.get("message")
        code = said.get("category") or said.get("err_code")
        is_of_model = reply.status in (400, 403) and isinstance(words, str) and _NO_MODEL.search(words) is not None
        status = 404 if is_of_model else reply.status
        failure = failure_from_body(status, {"error": {"message": words, "code": code}}, reply.headers)
        failure.upstream_status = reply.status
        return failure

    def probe(self) -> HttpCall:
        return HttpCall(_MODELS, b"", "GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        """By their full names, and `nova-3` for `nova-3-general`: Deepgram knows both. Not those for live sound."""
        said = said_in(reply)
        lists = [said[kind] for kind in ("stt", "tts") if isinstance(said.get(kind), list)]
        listed = [one for each in lists for one in each if isinstance(one, dict)]
        names = [one.get("canonical_name") for one in listed if one.get("batch") is not False]
        full = [name for name in names if isinstance(name, str)]
        return list(dict.fromkeys([*full, *(name.removesuffix("-general") for name in full)]))


def _speech(asked: Json, model: str) -> HttpCall:
    wanted: Any = asked.get("response_format", "mp3")
    if not isinstance(wanted, str) or wanted not in _ENCODINGS:
        raise cannot_carry("response_format", f"Deepgram gives speech as {', '.join(_ENCODINGS)}.")
    query = [("model", _with_voice(model, asked.get("voice"))), *_ENCODINGS[wanted]]
    if asked.get("speed") not in (None, 1):
        query.append(("speed", str(asked["speed"])))
    return HttpCall(f"{_SPEAK}?{urlencode(query)}", orjson.dumps({"text": asked["input"]}))


def _with_voice(model: str, voice: Any) -> str:
    if voice is None or voice == model or (isinstance(voice, str) and voice in _OPENAIS_VOICES):
        return model
    named = _VOICED.fullmatch(model)
    if named is None or not isinstance(voice, str) or not _VOICE.fullmatch(voice):
        raise cannot_carry("voice", "Name one of Deepgram's voices ('zeus'), with a model that has one in its name.")
    return f"{named[1]}-{voice}-{named[3]}"


def _listening(asked: Json, model: str) -> HttpCall:
    if asked.get("temperature"):
        raise cannot_carry("temperature", "Deepgram has no 'temperature': leave it out, or pin another provider.")
    query = [("model", model), ("smart_format", "true"), ("utterances", "true")]
    if asked.get("language"):
        query.append(("language", str(asked["language"])))
    elif _TELLS_LANGUAGES.fullmatch(model):
        query.append(("detect_language", "true"))
    if asked.get("response_format") == "diarized_json":
        query.append(("diarize", "true"))
    path = f"{_LISTEN}?{urlencode(query)}"
    if "file_url" in asked:
        return HttpCall(path, orjson.dumps({"url": asked["file_url"]}))
    file = asked["file"]
    kind = file["content_type"] if _SOUND.fullmatch(file["content_type"]) else "application/octet-stream"
    return HttpCall(path, file["data"], headers=(("content-type", kind),))


def _heard(said: Json, language: Any) -> Json:
    """A transcript in OpenAI's words: of the one channel that is asked for."""
    results: Any = said.get("results")
    try:
        channel = results["channels"][0]
        best = channel["alternatives"][0]
        text, words = best["transcript"], timed(best.get("words"))
    except (KeyError, IndexError, TypeError, AttributeError):
        return {}
    about = said.get("metadata")
    segments = [_segment(number, one) for number, one in enumerate(timed(results.get("utterances")))]
    return {
        "text": text,
        "language": channel.get("detected_language") or language,
        "duration": about.get("duration") if isinstance(about, dict) else None,
        "segments": segments or None,
        "words": [_word(one) for one in words] or None,
    }


def _segment(number: int, said: Json) -> Json:
    made: Json = {"id": number, "start": said["start"], "end": said["end"], "text": str(said.get("transcript", ""))}
    return made if said.get("speaker") is None else {**made, "speaker": f"speaker_{said['speaker']}"}


def _word(said: Json) -> Json:
    word = said.get("punctuated_word") or said.get("word")
    return {"word": word, "start": said["start"], "end": said["end"]}


PROVIDER = Deepgram()
