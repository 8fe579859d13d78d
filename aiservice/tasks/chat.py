"""A conversation: a list of messages in, the next message out."""

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, chat_body, chat_output, is_messages
from aiservice.tasks._signs import Signs

SIGNS = Signs()  # told by what `input` is (see `_inference`)


def _ask_body(body: Json) -> Json:
    given = body.get("input")
    if isinstance(given, dict) and set(given) == {"messages"}:
        given = given["messages"]
    if isinstance(given, str) and given.strip():
        given = [{"role": "user", "content": given}]
    if not is_messages(given):
        raise InvalidRequest(
            "'input' must be a list of messages, each with 'role' and 'content' (or a text).", param="input"
        )
    assert isinstance(given, list)  # noqa: S101 - is_messages said so
    return chat_body(given, body)


TASK = Task("chat", "Chat", "chat", SIGNS, _ask_body, chat_output)
