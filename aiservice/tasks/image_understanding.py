"""What is to be seen in images, answered in text."""

from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json, Task, chat_body, chat_output, is_messages, only_fields
from aiservice.tasks._signs import Signs

SIGNS = Signs()  # told by the image (see `_inference`)
_IMAGES = ("image", "image_url", "images", "image_urls")
_QUESTIONS = ("question", "prompt", "text")
_MAX_IMAGES = 20
_MAX_QUESTION = 100_000
_DEFAULT = "Describe what is to be seen."


def _ask_body(body: Json) -> Json:
    given = body.get("input")
    if isinstance(given, dict) and set(given) == {"messages"}:
        given = given["messages"]
    if is_messages(given):
        assert isinstance(given, list)  # noqa: S101 - is_messages said so
        return chat_body(given, body)
    if isinstance(given, list) and given and all(isinstance(part, dict) and "type" in part for part in given):
        return chat_body([{"role": "user", "content": given}], body)
    if isinstance(given, str):
        given = {"image": given}
    if not isinstance(given, dict):
        raise InvalidRequest("'input' must be messages, an image, or an object with 'image'.", param="input")
    only_fields({"input": given}, *_IMAGES, *_QUESTIONS)
    parts = [{"type": "image_url", "image_url": {"url": address}} for address in _addresses(given)]
    return chat_body([{"role": "user", "content": [{"type": "text", "text": _question(given)}, *parts]}], body)


def _addresses(given: Json) -> list[str]:
    name = next((name for name in _IMAGES if given.get(name) is not None), "image")
    value: Any = given.get(name)
    found = value if isinstance(value, list) else [value]
    if not 1 <= len(found) <= _MAX_IMAGES or not all(_is_address(address) for address in found):
        raise InvalidRequest(
            f"'input.{name}' must be an image as a 'data:image/…' or 'https://…' address, or up to {_MAX_IMAGES}.",
            param=f"input.{name}",
        )
    return found


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("data:image/", "https://", "http://"))


def _question(given: Json) -> str:
    name = next((name for name in _QUESTIONS if given.get(name) is not None), None)
    if name is None:
        return _DEFAULT
    question = given[name]
    if not isinstance(question, str) or not 0 < len(question.strip()) <= _MAX_QUESTION:
        raise InvalidRequest(f"'input.{name}' must be a text.", param=f"input.{name}")
    return question


TASK = Task("image-understanding", "Image understanding", "chat", SIGNS, _ask_body, chat_output)
