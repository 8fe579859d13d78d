"""The sandbox's images, sound and the like: small, the same for the same request, and of no meaning."""

import base64
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from aiservice.kit.multipart import read_form
from aiservice.kit.sse import data_frame, named_frame
from aiservice.providers._openai_media import MEDIA_PATHS
from aiservice.providers._sound import seconds_in, wav
from aiservice.wire import AskKind, HttpCall, HttpReply

MODELS: Final[Mapping[str, AskKind]] = {
    "sandbox-moderation": "moderation",
    "sandbox-image": "image",
    "sandbox-tts": "speech",
    "sandbox-transcribe": "transcription",
}
PATHS: Final = frozenset(MEDIA_PATHS.values())
_CREATED = 1_767_225_600
_FLAGGED = frozenset({"kill", "murder", "bomb"})
_RATE = 8_000
_SIDE = 64
_SAID = "[sandbox] This transcript comes from the built-in sandbox, not from an AI model."


def reply_to(call: HttpCall) -> HttpReply:
    """The whole reply."""
    kind = dict(call.headers)["content-type"]
    body = orjson.loads(call.body) if kind == "application/json" else read_form(call.body, kind)
    if call.path == MEDIA_PATHS["moderations"]:
        return _json(_moderation(body))
    if call.path == MEDIA_PATHS["speech"]:
        return HttpReply(200, {"content-type": "audio/wav"}, _sound(body["input"]))
    if call.path in (MEDIA_PATHS["image_generations"], MEDIA_PATHS["image_edits"]):
        picture = base64.b64encode(_picture(body["prompt"])).decode()
        return _json({"created": _CREATED, "data": [{"b64_json": picture} for _ in range(int(body.get("n") or 1))]})
    return _transcript(body)


def stream_of(call: HttpCall) -> Iterator[bytes]:
    """The streamed reply: speech as it is or in events, a transcript or images in a few events."""
    if call.path in (MEDIA_PATHS["image_generations"], MEDIA_PATHS["image_edits"]):
        yield from _pictures(call)
        return
    if call.path == MEDIA_PATHS["speech"]:
        asked = orjson.loads(call.body)
        sound = _sound(asked["input"])
        if asked.get("stream_format") != "sse":
            yield from (sound[at : at + 4_096] for at in range(0, len(sound), 4_096))
            return
        for at in range(0, len(sound), 4_096):
            piece = base64.b64encode(sound[at : at + 4_096]).decode()
            yield data_frame(orjson.dumps({"type": "speech.audio.delta", "audio": piece}))
        yield data_frame(orjson.dumps({"type": "speech.audio.done"}))
        return
    for number, word in enumerate(_SAID.split(" ")):
        yield data_frame(orjson.dumps({"type": "transcript.text.delta", "delta": f" {word}" if number else word}))
    yield data_frame(orjson.dumps({"type": "transcript.text.done", "text": _SAID}))


def _pictures(call: HttpCall) -> Iterator[bytes]:
    kind = dict(call.headers)["content-type"]
    body = orjson.loads(call.body) if kind == "application/json" else read_form(call.body, kind)
    name = "image_edit" if call.path == MEDIA_PATHS["image_edits"] else "image_generation"
    picture = base64.b64encode(_picture(body["prompt"])).decode()
    about = {"b64_json": picture, "created_at": _CREATED, "output_format": "png"}
    for number in range(int(body.get("partial_images") or 0)):
        said = {"type": f"{name}.partial_image", **about, "partial_image_index": number}
        yield named_frame(f"{name}.partial_image", orjson.dumps(said))
    for _ in range(int(body.get("n") or 1)):
        yield named_frame(f"{name}.completed", orjson.dumps({"type": f"{name}.completed", **about}))


def _moderation(body: dict[str, Any]) -> dict[str, Any]:
    given = body["input"]
    texts: list[Any] = [given] if isinstance(given, str) else given
    if texts and isinstance(texts[0], dict):
        texts = [" ".join(str(part.get("text", "")) for part in texts)]
    results = []
    for text in texts:
        is_flagged = not _FLAGGED.isdisjoint(text.lower().split())
        results.append(
            {
                "flagged": is_flagged,
                "categories": {"violence": is_flagged},
                "category_scores": {"violence": 1.0 if is_flagged else 0.0},
            }
        )
    return {"id": "modr-sandbox", "model": body["model"], "results": results}


def _transcript(body: dict[str, Any]) -> HttpReply:
    wanted, seconds = body.get("response_format", "json"), seconds_in(body["file"]["data"])
    if wanted == "text":
        return HttpReply(200, {"content-type": "text/plain"}, f"{_SAID}\n".encode())
    if wanted in ("srt", "vtt"):
        head, mark = ("WEBVTT\n\n", ".") if wanted == "vtt" else ("1\n", ",")
        end = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}000"
        return HttpReply(200, {"content-type": "text/plain"}, f"{head}00:00:00{mark}000 --> {end}\n{_SAID}\n".encode())
    said: dict[str, Any] = {"text": _SAID, "usage": {"type": "duration", "seconds": seconds}}
    if wanted != "json":
        segment = {"id": 0, "start": 0.0, "end": float(seconds), "text": _SAID}
        said |= {"task": "transcribe", "language": "english", "duration": float(seconds), "segments": [segment]}
    return _json(said)


def _sound(text: str) -> bytes:
    """A short tone whose pitch is of the text."""
    pitch = 220 + hashlib.sha256(text.encode("utf-8", "replace")).digest()[0]
    count = _RATE // 4
    samples = struct.pack(f"<{count}h", *(int(8_000 * math.sin(6.2832 * pitch * n / _RATE)) for n in range(count)))
    return wav(samples, _RATE)


def _picture(prompt: str) -> bytes:
    """A PNG of one colour (www.w3.org/TR/png)."""
    colour = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()[:3]
    rows = (b"\0" + colour * _SIDE) * _SIDE
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _json(body: dict[str, Any]) -> HttpReply:
    return HttpReply(200, {"content-type": "application/json"}, orjson.dumps(body))
