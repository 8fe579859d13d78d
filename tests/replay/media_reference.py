"""Reads pictures, speech, transcriptions and moderations, as each vendor documents its own."""

import base64
import json
from typing import Any

from tests.replay import gemini_reference, openai_reference, wires
from tests.replay._expected import Expected


class _Reference:
    """A reference (`references.py`) of one wire."""

    def __init__(self, wire: str) -> None:
        self._wire = wire

    def expected(self, status: int, body: bytes) -> Expected:
        """What an answer says: pictures as data or addresses, speech as bytes, a transcript as text."""
        if self._wire in (wires.OPENAI_SPEECH, wires.DEEPGRAM_SPEAK, wires.XAI_TTS) and status == 200:
            if body[:1] != b"{":
                return Expected(result=body)
            return Expected(result=base64.b64decode(json.loads(body)["audio_data"]))  # Mistral's
        said = json.loads(body)
        if status != 200 or (isinstance(said, dict) and said.get("error")):
            return openai_reference.error(status if status != 200 else 400, said)
        answer = _READERS[self._wire](said)
        _note_tokens(answer, said.get("usage") if isinstance(said, dict) else None)
        return answer

    def chat_request(self, request: Any) -> dict[str, Any]:
        """The recorded request itself."""
        return dict(request) if isinstance(request, dict) else {}


def _note_tokens(answer: Expected, usage: Any) -> None:
    """Tokens, where it counts them; Mistral's prompt leaves out its sound, which is billed by the second."""
    if not isinstance(usage, dict) or "total_tokens" not in usage:
        return
    answer.output_tokens = usage["output_tokens"] if "output_tokens" in usage else usage.get("completion_tokens", 0)
    answer.input_tokens = usage.get("prompt_tokens", usage["total_tokens"] - answer.output_tokens)


def _images(said: dict[str, Any]) -> Expected:
    return Expected(result=[picture.get("b64_json") or picture["url"] for picture in said["data"]])


def _moderations(said: dict[str, Any]) -> Expected:
    found = [(one["flagged"], one["categories"], one["category_scores"]) for one in said["results"]]
    return Expected(result=found)


def _listened(said: dict[str, Any]) -> Expected:
    return Expected(said["results"]["channels"][0]["alternatives"][0]["transcript"])


def _spoken_by_gemini(said: dict[str, Any]) -> Expected:
    part = said["candidates"][0]["content"]["parts"][0]["inlineData"]
    answer = gemini_reference.expected(200, json.dumps(said).encode())
    answer.result, answer.finish_reason = base64.b64decode(part["data"]), None
    return answer


_READERS = {
    wires.OPENAI_IMAGES: _images,
    wires.OPENAI_MODERATIONS: _moderations,
    wires.OPENAI_TRANSCRIPTION: lambda said: Expected(said["text"]),
    wires.XAI_STT: lambda said: Expected(said["text"]),
    wires.ELEVENLABS_STT: lambda said: Expected(said["text"]),
    wires.DEEPGRAM_LISTEN: _listened,
    wires.GEMINI_SPEECH: _spoken_by_gemini,
}
BY_WIRE = {wire: _Reference(wire) for wire in (*_READERS, wires.OPENAI_SPEECH, wires.DEEPGRAM_SPEAK, wires.XAI_TTS)}
