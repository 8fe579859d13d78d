"""What work that is no chat a model does, as far as its name says."""

import re
from functools import lru_cache

from aiservice.wire import AskKind

_NAMES: tuple[tuple[str, AskKind], ...] = (
    (r"moderation", "moderation"),
    (r"\btts\b|_tts\b|^eleven_|kokoro|orpheus|^aura-|playai", "speech"),
    (r"whisper|transcri|\bstt\b|^nova-\d|^scribe_v|parakeet|canary-\d|voxtral", "transcription"),
    (
        r"dall-e|imagen|imagine|flux|stable-diffusion|sdxl|seedream|recraft|ideogram|hidream|"
        r"[-.]image(?:$|[-:.])|nano-banana",
        "image",
    ),
)
_KINDS = tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _NAMES)
# Models that do this beside chatting; an address in which a vendor's name goes before is one of many vendors' models.
_ALSO_CHATS = re.compile(r"voxtral(?!.*(?:tts|transcribe))|gemini.*image|/.*image", re.IGNORECASE)


@lru_cache(maxsize=1024)
def media_kind_of(model: str) -> AskKind | None:
    """The kind of work that is no chat; None where the name says of none."""
    return next((kind for pattern, kind in _KINDS if pattern.search(model)), None)


@lru_cache(maxsize=1024)
def chats(model: str) -> bool:
    """Whether a model chats, as far as that goes."""
    return media_kind_of(model) is None or _ALSO_CHATS.search(model) is not None
