"""Transcripts (docs.cohere.com/reference/create-audio-transcription): text alone, in JSON."""

from aiservice.providers._base import cannot_carry
from aiservice.providers._cohere.models import TITLE
from aiservice.providers._openai_media import transcript_form
from aiservice.wire import Ask, HttpCall

_PATH = "/v2/audio/transcriptions"
_KNOWN = frozenset({"file", "language", "response_format", "temperature"})
_FORMATS = ("json", "text")


def transcript_call(ask: Ask, model: str) -> HttpCall:
    """The request; raises AttemptFailed for what Cohere has no word for."""
    for name in sorted(ask.body.keys() - _KNOWN):
        raise cannot_carry(name, f"'{name}' cannot be carried to {TITLE}: leave it out, or pin another provider.")
    if ask.body.get("response_format", "json") not in _FORMATS:
        raise cannot_carry("response_format", f"{TITLE} says no times: ask for 'json' or 'text'.")
    kept = {name: value for name, value in ask.body.items() if name != "response_format"}
    return transcript_form({**kept, "model": model}, _PATH, is_stream=False)
