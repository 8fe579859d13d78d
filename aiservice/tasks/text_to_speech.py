"""A text, read aloud."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, only_fields, parameters, text_of
from aiservice.tasks._signs import GIVEN, Signs, fields

MOST_CHARACTERS = 100_000
"""Vendors take less, each its own: they say so."""
_PARAMETERS = frozenset({"instructions", "language", "response_format", "speed", "voice", "voice_id"})
_READ_OUT = r"(?:aloud|out loud|to me)"

SIGNS = Signs(
    fields=fields("voice", "voice_id"),
    models=r"\btts\b|tts-|-tts|eleven_|kokoro|orpheus|aura-|playai",
    hints=r"aloud|out loud|text[- ]to[- ]speech|voice-?over|vorlesen|朗读",
    begins=(
        r"(?:read (?:aloud|out)|speak|narrate)\s*[:\n]",
        r"(?:create|make|record|generate|produce) an? (?:voice-?over|narration|audio \w+)\b",
        rf"read {GIVEN}.{{0,40}}\b{_READ_OUT}",
        rf"(?:say|speak|narrate|voice) {GIVEN}.{{0,60}}\b(?:{_READ_OUT}|voice|accent)",
        r"(?:convert|turn|transform) .{0,40}\b(?:to|into) (?:\w+ )?(?:speech|audio|mp3|an mp3|an audio)",
        r"(?:generate|create|make|produce|record) .{0,25}\b(?:audio|voice-?over|mp3)"
        r"(?: (?:file|version|clip|track))? (?:of|for|from) ",
        r"text[- ]to[- ]speech\b",
        r"(?:lies|lese) .{0,40}\bvor\b",
        r"(?:lis|lisez) .{0,40}à (?:voix haute|haute voix)",
        r"lee .{0,40}en voz alta",
    ),
    holds=(r"朗读", r"読み上げ", r"소리 내어 읽"),
)


def _ask_body(body: Json) -> Json:
    only_fields(body, "text", *_PARAMETERS)
    spoken = text_of(body, "text")
    if len(spoken) > MOST_CHARACTERS:
        raise InvalidRequest(f"The text is longer than {MOST_CHARACTERS} characters: send it in pieces.", param="input")
    given = body.get("input")
    asked = {**parameters(body, _PARAMETERS)}
    if isinstance(given, dict):
        asked |= {name: given[name] for name in _PARAMETERS if given.get(name) is not None}
    if "voice_id" in asked:
        asked.setdefault("voice", asked.pop("voice_id"))
    return {"input": spoken, **asked}


def _output(answer_body: Json) -> Json:
    """The sound is put beside it by who writes the answer."""
    return answer_body


TASK = Task("text-to-speech", "Text to speech", "speech", SIGNS, _ask_body, _output)
