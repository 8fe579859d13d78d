"""Text from a prompt."""

from aiservice.tasks._base import Json, Task, chat_body, chat_output, is_messages, only_fields, text_of


def _recognise(body: Json) -> float:
    given = body.get("input")
    if isinstance(given, str):
        return 0.3
    return 0.6 if isinstance(given, dict) and "prompt" in given else 0.0


def _ask_body(body: Json) -> Json:
    if is_messages(body.get("input")):
        return chat_body(body["input"], body)
    only_fields(body, "prompt", "text")
    return chat_body([{"role": "user", "content": text_of(body, "prompt", "text")}], body)


TASK = Task("text-generation", "Text generation", "chat", _recognise, _ask_body, chat_output)
