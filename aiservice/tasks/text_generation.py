"""Text from a prompt."""

from aiservice.tasks._base import Json, Task, chat_body, chat_output, is_messages, only_fields, text_of
from aiservice.tasks._signs import Signs

SIGNS = Signs()  # what is left (see `_inference`)


def _ask_body(body: Json) -> Json:
    if is_messages(body.get("input")):
        return chat_body(body["input"], body)
    only_fields(body, "prompt", "text")
    return chat_body([{"role": "user", "content": text_of(body, "prompt", "text")}], body)


TASK = Task("text-generation", "Text generation", "chat", SIGNS, _ask_body, chat_output)
