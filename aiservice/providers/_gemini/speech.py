"""Speech by Gemini's models for it (ai.google.dev/gemini-api/docs/speech-generation), asked by generateContent.

It is given as raw samples of 16 bits at 24 kHz. Who wants WAV is given it; nothing here codes MP3.
"""

import base64
import binascii
import re
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._failures import invalid_answer
from aiservice.providers._gemini.usage import read_usage
from aiservice.providers._sound import wav
from aiservice.wire import Answer, Ask, Json

_NAME = re.compile(r"-tts\b")
_RATE = re.compile(r"rate=(\d{4,6})")
_KNOWN = frozenset({"input", "instructions", "response_format", "stream_format", "voice"})
# OpenAI's names of voices, each by one of Gemini's that is described alike; others are taken for Gemini's own.
_VOICES = {
    "alloy": "Kore",
    "ash": "Orus",
    "ballad": "Algieba",
    "coral": "Leda",
    "echo": "Charon",
    "fable": "Fenrir",
    "nova": "Aoede",
    "onyx": "Algenib",
    "sage": "Erinome",
    "shimmer": "Zephyr",
    "verse": "Puck",
}


def speaks(model: str) -> bool:
    """Whether a model is one for speech."""
    return _NAME.search(model) is not None


def speech_body(ask: Ask) -> Json:
    """The request; raises AttemptFailed for what Gemini has no word for."""
    body = ask.body
    for name in sorted(body.keys() - _KNOWN):
        raise cannot_carry(name, f"Gemini has no word for '{name}' in speech: leave it out, or pin another provider.")
    if body.get("response_format") not in (None, "pcm", "wav"):
        raise cannot_carry("response_format", "Gemini gives speech as 'pcm' or 'wav'.")
    text = f"{body['instructions']}: {body['input']}" if body.get("instructions") else body["input"]
    config: Json = {"responseModalities": ["AUDIO"]}
    voice = body.get("voice")
    if isinstance(voice, str):
        name = _VOICES.get(voice, voice)
        config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": name}}}
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}


def speech_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """The sound in a reply.

    Raises:
        AttemptFailed: there is none.
    """
    try:
        said: Any = loads(raw)
        data = said["candidates"][0]["content"]["parts"][0]["inlineData"]
        sound, kind = base64.b64decode(data["data"], validate=True), str(data["mimeType"])
    except (orjson.JSONDecodeError, binascii.Error, KeyError, IndexError, TypeError, ValueError) as exc:
        raise AttemptFailed(invalid_answer("its answer had no sound")) from exc
    if ask.body.get("response_format") == "wav":
        rate = _RATE.search(kind)
        sound, kind = wav(sound, int(rate[1]) if rate else 24_000), "audio/wav"
    if not kind.startswith("audio/") or not kind.isascii() or not kind.isprintable():
        raise AttemptFailed(invalid_answer("its answer had no sound"))
    usage, is_valid = read_usage(said.get("usageMetadata"))
    return Answer({}, model, "stop", usage, is_usage_valid=is_valid, media=sound, media_type=kind)
