"""Other vendors' opaque state in Google's `thoughtSignature`.

A client of Google's wire gives the signature of a part back with that part, unread, because Gemini demands it. So what
another vendor wants back (Anthropic's signed thinking, encrypted reasoning of OpenAI's) travels there, marked as ours.
Google itself is never shown it: where a call of another model comes to it, it gets Google's own word for that.
"""

import base64
import binascii
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads

Json = dict[str, Any]

FORMAT = "google-gemini-v1"
# Google's own word for a call that no Gemini model made (ai.google.dev/gemini-api/docs/thought-signatures).
UNSIGNED = "skip_thought_signature_validator"
_MARK = b"aiservice.v1."
_SEALED = base64.b64encode(_MARK[:12]).decode()  # whole groups of it: the same in both alphabets


def sealed(state: Json) -> str:
    """`state` as a signature."""
    return base64.b64encode(_MARK + orjson.dumps(state)).decode()


def is_sealed(signature: object) -> bool:
    """Whether a signature holds state of ours, and not Google's."""
    return isinstance(signature, str) and signature.startswith(_SEALED)


def opened(signature: str) -> Json:
    """The state in a signature that `is_sealed`. Libraries may have written it in the other alphabet of base64.

    Raises:
        ValueError: it was changed.
    """
    try:
        raw = base64.b64decode(signature.replace("-", "+").replace("_", "/") + "==", validate=False)
    except binascii.Error as exc:
        raise ValueError("not a state") from exc
    state = loads(raw.removeprefix(_MARK))
    if isinstance(state, dict):
        return state
    raise ValueError("not a state")


def signature_of(details: list[Json], extra: Json | None, *, is_call: bool) -> str | None:
    """The signature for a part that carries `details` (items of `reasoning_details`) and its `extra_content`: Google's
    own where that is all there is. The first call of a turn always has one, so that it can be told whose it was."""
    google = extra.get("google") if extra is not None else None
    own = google.get("thought_signature") if isinstance(google, dict) else None
    if isinstance(own, str) and own and not details:
        return own
    state: Json = {}
    if details:
        state["details"] = details
    if extra:
        state["extra"] = extra
    return sealed(state) if state or is_call else None


def without_sealed(contents: list[Any]) -> list[Any]:
    """`contents` (with their names in camelCase or snake_case) as Google may see them: without state of others."""
    return [_content_for_google(content) for content in contents]


def _content_for_google(content: Any) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    if isinstance(parts, dict):
        parts = [parts]
    if not isinstance(parts, list) or not any(is_sealed(_signature_in(part)) for part in parts):
        return content
    kept = []
    for part in parts:
        if is_sealed(_signature_in(part)):
            made = {key: value for key, value in part.items() if key not in ("thoughtSignature", "thought_signature")}
            if "functionCall" in part or "function_call" in part:
                kept.append({**made, "thoughtSignature": UNSIGNED})
            elif made.get("thought") is not True and made.get("text") != "":
                kept.append(made)
        else:
            kept.append(part)
    return {**content, "parts": kept or [{"text": ""}]}


def _signature_in(part: Any) -> Any:
    return part.get("thoughtSignature", part.get("thought_signature")) if isinstance(part, dict) else None
