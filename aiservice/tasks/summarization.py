"""A shorter text that keeps what matters."""

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

_WORDS = ("summarize", "summarise", "summary of", "tl;dr", "tldr")


def _recognise(body: Json) -> float:
    given = body.get("input")
    if isinstance(given, dict):
        return 0.95 if "text" in given and ("max_words" in given or "style" in given) else 0.0
    return 0.8 if isinstance(given, str) and given[:200].lower().lstrip().startswith(_WORDS) else 0.0


def _ask_body(body: Json) -> Json:
    only_fields(body, "text", "max_words", "style", "language")
    system = "Summarize the user's text. Keep facts, names and numbers exact and add nothing."
    given = body.get("input")
    if isinstance(given, dict) and given.get("max_words") is not None:
        max_words = given["max_words"]
        if isinstance(max_words, bool) or not isinstance(max_words, int) or not 1 <= max_words <= 100_000:
            raise InvalidRequest("'input.max_words' must be a whole number from 1.", param="input.max_words")
        system += f" Use at most {max_words} words."
    if style := option_of(body, "style"):
        system += f" Style: {style}."
    if language := option_of(body, "language"):
        system += f" Answer in {language}."
    return chat_body(system_and_user(system, text_of(body, "text")), body)


TASK = Task("summarization", "Summarization", "chat", _recognise, _ask_body, chat_output)
