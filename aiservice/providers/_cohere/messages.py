"""A conversation in Cohere's words: what it plans before a tool call is `tool_plan`, a text document stands apart from
the messages, and a tool's result is text: what else a tool gave follows in a message of the user's."""

import base64
import binascii
import re
from typing import Any

from aiservice.providers._base import cannot_carry
from aiservice.wire import Json

_ROLES = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_TEXT_URL = re.compile(r"data:text/[\w.+-]+(?:;[\w-]+=[^;,]*)*;base64,", re.ASCII)
# Parts of its own wire, which a client may use as they are, by who may say them.
_OWN_PARTS = {"assistant": ("thinking",), "tool": ("document",)}
_SEE_BELOW = "The result is attached to the next message."
_NO_ARGUMENTS = ("", "null", None)


class Conversation:
    """Messages as they come in; `messages` and `documents` are the request's."""

    def __init__(self, *, is_thinking: bool) -> None:
        self.messages: list[Json] = []
        self.documents: list[Json] = []
        self._attached: list[Json] = []  # what tools gave that is no text
        self._is_thinking = is_thinking

    def add(self, message: Any, place: int) -> None:
        """Adds the message at `place`.

        Raises:
            AttemptFailed: a part of it has no word there (named in `param`).
        """
        where = f"messages[{place}]"
        role = _ROLES.get(str(message.get("role"))) if isinstance(message, dict) else None
        if role is None:
            raise cannot_carry(f"{where}.role", "Cohere knows the roles system, user, assistant and tool.")
        if role != "tool":
            self.end()
        content = self._content(message.get("content"), role, where)
        made: Json = {"role": role}
        if role == "assistant":
            self._add_assistants(made, message, content, where)
        else:
            made["content"] = content
        if role == "tool":
            made["tool_call_id"] = message.get("tool_call_id")
            self._attach(made)
        self.messages.append(made)

    def end(self) -> None:
        """After the last message, and before each that is no tool's: adds what the tools before it gave."""
        if self._attached:
            self.messages.append({"role": "user", "content": self._attached})
            self._attached = []

    def _attach(self, made: Json) -> None:
        content = made["content"]
        images = [part for part in content if isinstance(part, dict) and part["type"] == "image_url"]
        if images:
            made["content"] = [part for part in content if part not in images] or _SEE_BELOW
            about = f"Attached to the result of {made['tool_call_id']}:"
            self._attached += [{"type": "text", "text": about}, *images]

    def _add_assistants(self, made: Json, message: Json, content: str | list[Json], where: str) -> None:
        calls = message.get("tool_calls")
        extra = message.get("extra_content")
        own: Any = extra.get("cohere") if isinstance(extra, dict) else None
        own = own if isinstance(own, dict) else {}
        plan, thought = own.get("tool_plan", message.get("tool_plan")), _thinking_of(message)
        plan = plan if isinstance(plan, str) else ""
        thought = thought.removesuffix(plan)
        if thought and self._is_thinking:
            content = [{"type": "thinking", "thinking": thought}, *_parts(content)]
        elif thought and calls and not plan:
            plan = thought
        if content:
            made["content"] = content
        if isinstance(calls, list) and calls:
            made["tool_calls"] = [_call(call, f"{where}.tool_calls[{n}]") for n, call in enumerate(calls)]
            if plan:
                made["tool_plan"] = plan
        elif not content:
            made["content"] = ""
        citations = own.get("citations", message.get("citations"))
        if isinstance(citations, list) and citations:
            made["citations"] = citations

    def _content(self, content: Any, role: str, where: str) -> str | list[Json]:
        if content is None or isinstance(content, str):
            return content or ""
        found: list[Json] = []
        for place, part in enumerate(content if isinstance(content, list) else [content]):
            at = f"{where}.content[{place}]"
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("text", "refusal") and isinstance(part.get(kind), str):
                found.append({"type": "text", "text": part[kind]})
            elif kind == "image_url" and role in ("user", "tool"):
                image = part.get("image_url")
                found.append({"type": "image_url", "image_url": {"url": image} if isinstance(image, str) else image})
            elif kind == "file" and role in ("user", "tool"):
                self._add_document(part, at)
            elif kind in _OWN_PARTS.get(role, ()):
                found.append(part)
            else:
                raise cannot_carry(at, _WHAT_IT_TAKES[role])
        return found

    def _add_document(self, part: Json, where: str) -> None:
        file = part.get("file")
        data = file.get("file_data") if isinstance(file, dict) else None
        start = _TEXT_URL.match(data) if isinstance(data, str) else None
        if not isinstance(file, dict) or start is None:
            raise cannot_carry(where, "Cohere takes documents of plain text alone, as base64 data: take the text out.")
        try:
            text = base64.b64decode(start.string[start.end() :], validate=True).decode()
        except (binascii.Error, ValueError) as exc:
            raise cannot_carry(f"{where}.file.file_data", "The document is no UTF-8 text in base64.") from exc
        number = len(self.documents)
        title = file.get("filename")
        named = {"title": title} if isinstance(title, str) and title else {}
        self.documents.append({"id": f"doc:{number}", "data": {**named, "text": text}})


_WHAT_IT_TAKES = {
    "system": "Cohere takes text alone from the system.",
    "user": "Cohere takes text, images and documents of plain text from the user.",
    "assistant": "Cohere takes text alone from the assistant.",
    "tool": "Cohere takes text, images and documents of plain text from a tool.",
}


def _thinking_of(message: Json) -> str:
    """The thinking to give back: what came as the field's plain text, and is no other vendor's state."""
    if message.get("reasoning_details"):
        return ""
    text = message.get("reasoning_content") or message.get("reasoning")
    return text if isinstance(text, str) else ""


def _parts(content: str | list[Json]) -> list[Json]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _call(call: Any, where: str) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise cannot_carry(where, "Cohere knows calls of functions alone.")
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        raise cannot_carry(f"{where}.function.arguments", "The arguments of a call are the text of a JSON object.")
    given = "{}" if arguments in _NO_ARGUMENTS else arguments
    return {"id": call.get("id"), "type": "function", "function": {"name": function["name"], "arguments": given}}
