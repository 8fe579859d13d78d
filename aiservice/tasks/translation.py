"""The same text in another language."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import (
    Json,
    Task,
    chat_body,
    chat_output,
    only_fields,
    option_of,
    system_and_user,
    text_of,
)


def _recognise(body: Json) -> float:
    given = body.get("input")
    if isinstance(given, dict):
        return 0.98 if "target_language" in given else 0.0
    if isinstance(given, str):
        head = given[:200].lower().lstrip()
        return 0.8 if head.startswith("translate ") and (" to " in head or " into " in head) else 0.0
    return 0.0


def _ask_body(body: Json) -> Json:
    only_fields(body, "text", "target_language", "source_language")
    text, target = text_of(body, "text"), option_of(body, "target_language")
    if target is None:
        if isinstance(body.get("input"), str) and _recognise(body):
            return chat_body([{"role": "user", "content": text}], body)
        raise InvalidRequest(
            'Say which language: {"text": "…", "target_language": "French"}.', param="input.target_language"
        )
    source = option_of(body, "source_language")
    origin = f" from {source}" if source else ""
    system = f"Translate the user's text{origin} into {target}. Answer with the translation only."
    return chat_body(system_and_user(system, text), body)


TASK = Task("translation", "Translation", "chat", _recognise, _ask_body, chat_output)
