"""Gemini's finish reasons and token counts in ours (ai.google.dev/api/generate-content)."""

from aiservice.providers._base import token_count
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.wire import AttemptFailure, FinishReason, MediaTokens, Usage

_FILTERED = (
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE", "MODEL_ARMOR", "ESCALATION",
    "PUP_LIMITED_DISABLED",
)  # fmt: skip
_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(_FILTERED, "content_filter"),
}
_MALFORMED = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
     "MALFORMED_RESPONSE"}
)  # fmt: skip
# The same as numbers, where a proxy or an old client asked for them (`$alt=json;enum-encoding=int`).
_NUMBERS = dict(
    enumerate(
        ("", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT",
         "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")
    )
)  # fmt: skip
_COUNTED = frozenset(
    {"promptTokenCount", "toolUsePromptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
     "cachedContentTokenCount"}
)  # fmt: skip


def finish_reason_of(said: object, *, has_calls: bool) -> FinishReason | AttemptFailure | None:
    """Our word for a finish reason; the failure, where it says that the answer is none. None: not finished yet.

    Gemini ends a turn of function calls with STOP. A reason that is not known here is no clean end.
    """
    if isinstance(said, int):
        said = _NUMBERS.get(said, "OTHER")
    if not said or said == "FINISH_REASON_UNSPECIFIED":
        return None
    if not isinstance(said, str):
        return cut_short()
    if said in _MALFORMED:
        return invalid_answer("its model made a function call that is none")
    found = _FINISH.get(said)
    if found is None:
        return cut_short()
    return "tool_calls" if found == "stop" and has_calls else found


def read_usage(said: object) -> tuple[Usage | None, bool]:
    """The usage of a `usageMetadata` object, and whether what was there was valid.

    Thoughts come on top of the candidates, what server-side tools read on top of the prompt; cached tokens are part of
    the prompt. A count that is left out is zero (protobuf's way); Vertex leaves all out in all chunks but the last.
    """
    if said is None:
        return None, True
    if not isinstance(said, dict):
        return None, False
    if _COUNTED.isdisjoint(said):
        return None, True
    prompt, candidates = _count(said.get("promptTokenCount")), _count(said.get("candidatesTokenCount"))
    thoughts, cached = _count(said.get("thoughtsTokenCount")), _count(said.get("cachedContentTokenCount"))
    read = _count(said.get("toolUsePromptTokenCount"))
    if prompt is None or read is None or candidates is None or thoughts is None or cached is None:
        return None, False
    if not (prompt or read or candidates or thoughts or cached) and all(said.get(name) is None for name in _COUNTED):
        return None, True
    prompt += read
    usage = Usage(prompt, candidates + thoughts, min(cached, prompt), reasoning_tokens=thoughts)
    given, made = said.get("promptTokensDetails"), said.get("candidatesTokensDetails")
    if not (_is_text(given) and _is_text(made)):
        usage.media = _media_tokens(given, made)
    return usage, True


def _is_text(details: object) -> bool:
    """Whether tokens by modality are those of text alone, as nearly always."""
    if details is None:
        return True
    if type(details) is not list or len(details) != 1 or type(details[0]) is not dict:
        return details == []
    return bool(details[0].get("modality") == "TEXT")


def _media_tokens(given: object, made: object) -> MediaTokens | None:
    """Those of pictures and sound; Google charges for films as for pictures, where it does not say otherwise."""
    found = [_of(given, "IMAGE", "VIDEO"), _of(made, "IMAGE"), _of(given, "AUDIO"), _of(made, "AUDIO")]
    return MediaTokens(*found) if any(found) else None


def _of(details: object, *modalities: str) -> int:
    listed = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    counts = [token_count(each.get("tokenCount")) for each in listed if each.get("modality") in modalities]
    return sum(count for count in counts if count is not None)


def _count(said: object) -> int | None:
    """A count that may be left out; a stream says them with every word."""
    return 0 if said is None else token_count(said)
