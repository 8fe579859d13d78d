"""Whether texts and images are harmful, by category."""

from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, only_fields, parameters
from aiservice.tasks._signs import GIVEN, Signs, fields

MOST_INPUTS = 2048
_PARTS = ("text", "image_url")
_ABUSE = (
    r"(?:toxic|hateful|offensive|harmful|abusive|harassing|threatening|inappropriate|safe for work|nsfw|hate speech|"
    r"harassment|threats?|profanity|slurs?|violence|self-harm|harmful content|unsafe content|insults?)"
)

SIGNS = Signs(
    fields=fields("text+policies", "moderation_categories"),
    hints=r"toxic|hate speech|offensive|beleidig|moderat(?:e|ion)|guidelines|appropriate for",
    models=r"moderation|llama-guard|shieldgemma",
    begins=(
        rf"moderate {GIVEN}",
        r"content moderation\b|moderate\s*[:\n]",
        rf"(?:does|do|is) {GIVEN}.{{0,30}}\b(?:violates?|breaks?|against) .{{0,20}}\b(?:polic(?:y|ies)|rules|"
        rf"guidelines|terms)\b",
        rf"is {GIVEN}.{{0,30}}\b(?:appropriate|suitable|safe) for (?:children|kids|minors|work|all ages)\b",
        rf"flag {GIVEN}",
        r"ist (?:dieser|diese|dieses|der|die|das) .{0,40}\b(?:beleidigend|anstößig|hasserfüllt|toxisch)\b",
        rf"(?:flag|detect|find) .{{0,30}}\b{_ABUSE}.{{0,20}}\bin {GIVEN}",
        rf"check .{{0,60}}(?:\b{_ABUSE}|community guidelines|code of conduct|content polic)",
        rf"(?:is|are|does|do) {GIVEN}.{{0,60}}\b{_ABUSE}",
    ),
)


def moderated_input(given: Any, where: str) -> Any:
    """What is to be judged, checked: a text, texts, or parts of `type` text and image_url.

    Raises:
        InvalidRequest: it is none of these.
    """
    texts = [given] if isinstance(given, str) else given
    is_fine = (
        isinstance(texts, list)
        and 1 <= len(texts) <= MOST_INPUTS
        and (all(isinstance(one, str) and one for one in texts) or all(map(_is_part, texts)))
    )
    if not is_fine:
        raise InvalidRequest(
            f"'{where}' must be a text, a list of 1 to {MOST_INPUTS} texts, or a list of parts such as "
            '{"type": "text", "text": …} and {"type": "image_url", "image_url": {"url": …}}.',
            param=where,
        )
    return given


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in _PARTS and part["type"] in part


def _ask_body(body: Json) -> Json:
    only_fields(body, "text", "texts", "policies")
    parameters(body, frozenset())
    given = body.get("input")
    if not isinstance(given, dict):
        return {"input": moderated_input(given, "input")}
    asked = {"input": moderated_input(given.get("text", given.get("texts")), "input.text")}
    if given.get("policies") is not None:
        asked["policies"] = given["policies"]  # a provider that has none of its own to choose refuses it by name
    return asked


def _output(answer_body: Json) -> Json:
    found = []
    for one in answer_body.get("results") or ():
        found.append(
            {
                "flagged": one.get("flagged", False),
                "categories": one.get("categories", {}),
                "scores": one.get("category_scores", {}),
            }
        )
    return {"results": found}


TASK = Task("moderation", "Moderation", "moderation", SIGNS, _ask_body, _output)
