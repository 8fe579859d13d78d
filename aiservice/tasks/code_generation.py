"""Source code from a description."""

import re

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

_ASKS_FOR_CODE = re.compile(
    r"^\s*(write|implement|create|generate|give me|refactor|fix)\b.{0,60}"
    r"\b(function|class|script|program|code|regex|query|sql|method|module|unit tests?)\b",
    re.IGNORECASE | re.DOTALL,
)


def _recognise(body: Json) -> float:
    given = body.get("input")
    if isinstance(given, dict):
        return 0.9 if "instruction" in given or ("language" in given and "prompt" in given) else 0.0
    return 0.75 if isinstance(given, str) and _ASKS_FOR_CODE.match(given[:300]) else 0.0


def _ask_body(body: Json) -> Json:
    only_fields(body, "instruction", "prompt", "language")
    language = option_of(body, "language")
    system = "Write the code the user asks for. Answer with the code in one fenced block and at most two sentences."
    if language:
        system += f" Language: {language}."
    return chat_body(system_and_user(system, text_of(body, "instruction", "prompt")), body)


TASK = Task("code-generation", "Code generation", "chat", _recognise, _ask_body, chat_output)
