"""The items of a Responses request, in our form (platform.openai.com/docs/api-reference/responses/create, "input").

What stands between two of the user's turns (reasoning, text, calls) is one message of the assistant's here. An item
that our form has no word for is named, not dropped.
"""

from typing import Any

import orjson

from aiservice.dialects._messages_state import opened, take_extra_content
from aiservice.errors import InvalidRequest

Json = dict[str, Any]

OPENAI_FORMAT = "openai-responses-v1"
_ROLES = {"user": "user", "system": "system", "developer": "system", "assistant": "assistant"}
_TEXTS = frozenset({"input_text", "output_text", "text"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def wrong(path: str, words: str) -> InvalidRequest:
    """The refusal of the field at `path` ("input[0].content[1]", as OpenAI names it)."""
    return InvalidRequest(f"'{path}' {words}", param=path)


def flat_name(namespace: object, name: str) -> str:
    """What our form calls a tool, which knows no namespaces."""
    return f"{namespace}__{name}" if type(namespace) is str and namespace else name


class Conversation:
    """Collects messages in our form. `uncarried` names what our form has no word for."""

    __slots__ = ("_extras", "_turn", "messages", "uncarried")

    def __init__(self, uncarried: list[str]) -> None:
        self.messages: list[Json] = []
        self.uncarried = uncarried
        self._turn: Json | None = None  # the assistant's, while it goes on
        self._extras: dict[str, Json] = {}

    def add_all(self, given: object) -> None:
        """The whole `input`: a text, or items.

        Raises:
            InvalidRequest: an item is not what it must be (named in `param`).
        """
        if type(given) is str:
            self.messages.append({"role": "user", "content": given})
        elif type(given) is list and given:
            for place, item in enumerate(given):
                if (
                    type(item) is dict
                    and len(item) == 2
                    and item.get("role") == "user"
                    and type(item.get("content")) is str
                ):
                    self._end_turn()
                    self.messages.append(item)  # it is a message of ours already
                else:
                    self._add(item, f"input[{place}]")
            self._end_turn()
        else:
            raise wrong("input", "must be a text or a list of at least one item.")

    def _add(self, item: Any, path: str) -> None:
        if type(item) is not dict:
            raise wrong(path, "must be an item (an object).")
        kind = item.get("type") or ("message" if "role" in item else None)
        if kind == "message":
            self._message(item, path)
        elif kind == "reasoning":
            self._reasoning(item, path)
        elif kind == "function_call":
            self._call(item, path, _text(item, "arguments", path))
        elif kind == "custom_tool_call":
            self._call(item, path, orjson.dumps({"input": _text(item, "input", path)}).decode())
        elif type(kind) is str and kind in _OUTPUTS:
            self._end_turn()
            content = self._content(item.get("output"), f"{path}.output")
            self.messages.append({"role": "tool", "tool_call_id": _text(item, "call_id", path), "content": content})
        elif type(kind) is str:
            self.uncarried.append(f"{path} ({kind[:60]})")
        else:
            raise wrong(f"{path}.type", "must name the item's type.")

    def _message(self, item: Json, path: str) -> None:
        role = _ROLES.get(item["role"]) if type(item.get("role")) is str else None
        if role is None:
            raise wrong(f"{path}.role", "must be 'user', 'assistant', 'system' or 'developer'.")
        if role == "assistant":
            self._said(item.get("content"), f"{path}.content")
            return
        self._end_turn()
        self.messages.append({"role": role, "content": self._content(item.get("content"), f"{path}.content")})

    def _said(self, content: object, path: str) -> None:
        """What the assistant said: its texts, and what it declined."""
        turn = self._assistant()
        parts = [{"type": "output_text", "text": content}] if type(content) is str else content
        if type(parts) is not list:
            raise wrong(path, "must be a text or a list of parts.")
        for place, part in enumerate(parts):
            kind = part.get("type") if type(part) is dict else None
            if type(kind) is str and kind in _TEXTS:
                turn["content"] = (turn["content"] or "") + _text(part, "text", f"{path}[{place}]")
            elif kind == "refusal":
                turn["refusal"] = turn.get("refusal", "") + _text(part, "refusal", f"{path}[{place}]")
            else:
                raise wrong(f"{path}[{place}].type", "must be 'output_text' or 'refusal' in an assistant's message.")

    def _call(self, item: Json, path: str, arguments: str) -> None:
        function = {"name": flat_name(item.get("namespace"), _text(item, "name", path)), "arguments": arguments}
        call = {"id": _text(item, "call_id", path), "type": "function", "function": function}
        self._assistant().setdefault("tool_calls", []).append(call)

    def _reasoning(self, item: Json, path: str) -> None:
        turn = self._assistant()
        summaries = [part.get("text") for part in _objects(item.get("summary"))]
        texts = [text for text in summaries if type(text) is str]
        thoughts = texts + [str(part.get("text") or "") for part in _objects(item.get("content"))]
        if thought := "\n\n".join(filter(None, thoughts)):
            before = turn.get("reasoning_content")
            turn["reasoning_content"] = f"{before}\n\n{thought}" if before else thought
        data = item.get("encrypted_content")
        if not data:
            return
        if type(data) is not str:
            raise wrong(f"{path}.encrypted_content", "must be a text.")
        try:
            state = opened(data)
        except ValueError:
            raise wrong(f"{path}.encrypted_content", "was changed: send items back as they came.") from None
        if state is not None and not isinstance(state.get("details"), list):
            take_extra_content(state, turn, self._extras)
            return
        made = _openai_details(item, texts, data) if state is None else _details_of(state["details"], texts)
        if turn["content"]:
            made = [{**detail, "content_offset": len(turn["content"])} for detail in made]
        turn.setdefault("reasoning_details", []).extend(made)

    def _assistant(self) -> Json:
        if self._turn is None:
            self._turn = {"role": "assistant", "content": None}
            self.messages.append(self._turn)
        return self._turn

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        for call in turn.get("tool_calls", ()):
            if call["id"] in self._extras:
                call["extra_content"] = self._extras[call["id"]]
        self._extras = {}
        if len(turn) == 2 and turn["content"] is None:  # reasoning that holds nothing
            self.messages.remove(turn)

    def _content(self, content: object, path: str) -> str | list[Json]:
        """A user's or a tool's content: one text where it is that alone."""
        if type(content) is str:
            return content
        if type(content) is not list:
            raise wrong(path, "must be a text or a list of parts.")
        if len(content) == 1 and type(content[0]) is dict and content[0].get("type") == "input_text":
            return _text(content[0], "text", path + "[0]")
        parts: list[Json] = []
        for place, part in enumerate(content):
            made = self._part(part, f"{path}[{place}]")
            if made is not None:
                parts.append(made)
        if len(parts) == 1 and parts[0]["type"] == "text":
            text: str = parts[0]["text"]
            return text
        return parts

    def _part(self, part: Any, path: str) -> Json | None:
        kind = part.get("type") if type(part) is dict else None
        if type(kind) is str and kind in _TEXTS:
            return {"type": "text", "text": _text(part, "text", path)}
        if kind in ("input_image", "input_file") and part.get("file_id"):
            self.uncarried.append(f"{path}.file_id")
            return None
        if kind == "input_image":
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": _text(part, "image_url", path), **detail}}
        if kind == "input_file":
            return _file(part, path)
        if kind == "input_audio" and type(part.get("input_audio")) is dict:
            return {"type": "input_audio", "input_audio": part["input_audio"]}
        if type(kind) is not str:
            raise wrong(f"{path}.type", "must name the part's type.")
        self.uncarried.append(f"{path} ({kind[:60]})")
        return None


def _file(part: Json, path: str) -> Json:
    named = {"filename": part["filename"]} if type(part.get("filename")) is str else {}
    if part.get("file_url"):
        return {"type": "file", "file": {**named, "file_url": _text(part, "file_url", path)}}
    return {"type": "file", "file": {**named, "file_data": _text(part, "file_data", path)}}


def _openai_details(item: Json, texts: list[str], data: str) -> list[Json]:
    """OpenAI's own reasoning, under the id by which its provider puts the two together."""
    named = {"id": item["id"]} if type(item.get("id")) is str else {}
    made: list[Json] = [
        {"type": "reasoning.summary", **named, "summary": text, "format": OPENAI_FORMAT} for text in texts
    ]
    return [*made, {"type": "reasoning.encrypted", **named, "data": data, "format": OPENAI_FORMAT}]


def _details_of(kept: list[Any], texts: list[str]) -> list[Json]:
    """Another vendor's reasoning: each detail, with the summary's part that is its text where it has one."""
    made = []
    for detail, part in kept:
        if part is not None and part < len(texts):
            name = "summary" if detail.get("type") == "reasoning.summary" else "text"
            made.append({**detail, name: texts[part]})
        else:
            made.append(detail)
    return made


def _objects(given: object) -> list[Json]:
    return [part for part in given if type(part) is dict] if type(given) is list else []


def _text(of: Json, name: str, path: str) -> str:
    value = of.get(name)
    if type(value) is not str:
        raise wrong(f"{path}.{name}", "is missing." if value is None else "must be a text.")
    return value
