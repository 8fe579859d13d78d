"""The messages of an Anthropic request, in our form (docs.claude.com/en/api/messages, "messages").

Every request of this wire comes through here, long conversations with each of their turns: what is already in our form
is taken as it is, and where in the request we are is only written down when there is something to say about it.
"""

from typing import Any

import orjson

from aiservice.dialects._messages_state import CLAUDE_FORMAT, is_foreign, opened, take_extra_content
from aiservice.errors import InvalidRequest

Json = dict[str, Any]


def wrong(path: str, words: str) -> InvalidRequest:
    """The refusal of the field at `path` ("messages.0.content.1.source", as Anthropic names it)."""
    return InvalidRequest(f"{path}: {words}", param=path)


class Conversation:
    """Collects messages in our form. `uncarried` names what our form has no word for; `has_foreign_state` says that
    there are thinking blocks which Anthropic did not sign."""

    __slots__ = ("_trail", "has_foreign_state", "messages", "uncarried")

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self.uncarried: list[str] = []
        self.has_foreign_state = False
        self._trail: list[str | int] = []  # to the block at hand

    def system(self, given: object) -> None:
        """The top-level `system`: a text, or text blocks."""
        content = given if isinstance(given, str) else _plain(self._parts(given, "system"), "\n\n")
        if content:
            self.messages.append({"role": "system", "content": content})

    def add(self, message: object, place: int) -> None:
        """One message.

        Raises:
            InvalidRequest: a field of it is not what it must be (named in `param`).
        """
        if type(message) is not dict:
            raise wrong(f"messages.{place}", "must be an object with 'role' and 'content'.")
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", "system"):
            raise wrong(f"messages.{place}.role", "must be 'user' or 'assistant'.")
        if len(message) > 2:
            self.uncarried.extend(f"messages.{place}.{name}" for name in message if name not in ("role", "content"))
        if type(content) is str:
            self.messages.append(message if len(message) == 2 else {"role": role, "content": content})
            return
        if type(content) is not list:
            raise wrong(f"messages.{place}.content", "must be a text or a list of content blocks.")
        self._trail = ["messages", place, "content", 0]
        if role == "assistant":
            self._assistant(content)
        else:
            self._user(role, content)

    def _user(self, role: str, blocks: list[Any]) -> None:
        """A user's blocks: tool results become messages of their own, which come first."""
        parts: list[Json] = []
        has_results = False
        for place, block in enumerate(blocks):
            self._trail[-1] = place
            if type(block) is dict and block.get("type") == "tool_result":
                has_results = True
                self.messages.append(self._tool_message(block))
            else:
                self._add_part(block, parts)
        if parts or not has_results:
            self.messages.append({"role": role, "content": _plain(parts, "\n\n" if role == "system" else None)})

    def _tool_message(self, block: Json) -> Json:
        content = block.get("content")
        said: str | list[Json]
        if content is None or type(content) is str:
            said = content or ""
        else:
            said = _plain(self._parts(content, "content"), "\n")
        mark = block.get("cache_control")
        if mark is not None:
            parts: list[Json] = [{"type": "text", "text": said}] if type(said) is str else [*said]
            if parts:
                parts[-1] = {**parts[-1], "cache_control": mark}
            said = parts
        if block.get("toolset_name") is not None:
            self._note(".toolset_name")
        call_id = block.get("tool_use_id")
        if type(call_id) is not str:
            raise self._unlike(call_id, "tool_use_id", "text")
        message: Json = {"role": "tool", "tool_call_id": call_id, "content": said}
        if block.get("is_error") is True:
            message["is_error"] = True
        return message

    def _assistant(self, blocks: list[Any]) -> None:
        message: Json = {"role": "assistant", "content": None}
        parts: list[Json] = []
        calls: list[Json] = []
        extras: dict[str, Json] = {}
        for place, block in enumerate(blocks):
            self._trail[-1] = place
            kind = block.get("type") if type(block) is dict else None
            if kind == "tool_use":
                calls.append(self._tool_call(block))
            elif kind in ("thinking", "redacted_thinking"):
                self._thinking(block, message, extras)
            else:
                self._add_part(block, parts)
        if parts or not calls:
            message["content"] = _plain(parts, "")
        if calls:
            message["tool_calls"] = calls
            if extras:
                for call in calls:
                    if call["id"] in extras:
                        call["extra_content"] = extras[call["id"]]
        self.messages.append(message)

    def _tool_call(self, block: Json) -> Json:
        call_id, name, given = block.get("id"), block.get("name"), block.get("input")
        if type(given) is not dict:
            raise self._unlike(given, "input", "object")
        if type(call_id) is not str:
            raise self._unlike(call_id, "id", "text")
        if type(name) is not str:
            raise self._unlike(name, "name", "text")
        if len(block) > 4:
            caller = block.get("caller")
            if isinstance(caller, dict) and caller.get("type") != "direct":
                self._note(".caller")
            if block.get("toolset_name") is not None:
                self._note(".toolset_name")
        function = {"name": name, "arguments": orjson.dumps(given).decode()}
        return {"id": call_id, "type": "function", "function": function}

    def _thinking(self, block: Json, message: Json, extras: dict[str, Json]) -> None:
        """Adds a thinking block to `message`; what it carries for a tool call goes to `extras`, by the call's id."""
        if is_foreign(block):
            self.has_foreign_state = True
        is_text = block["type"] == "thinking"
        text = self._text(block, "thinking") if is_text else ""
        if text:
            message["reasoning_content"] = message.get("reasoning_content", "") + text
        opaque = block.get("signature", "") if is_text else self._text(block, "data")
        if type(opaque) is not str:
            raise self._unlike(opaque, "signature", "text")
        if not opaque:
            return  # no vendor's state: the text says it all
        try:
            state = opened(opaque)
        except ValueError:
            path = self._path("signature" if is_text else "data")
            raise wrong(path, "was changed: send blocks back as they came.") from None
        if state is None:
            item: Json = (
                {"type": "reasoning.text", "text": text, "signature": opaque}
                if is_text
                else {"type": "reasoning.encrypted", "data": opaque}
            )
            item["format"] = CLAUDE_FORMAT
        elif isinstance(state.get("details"), dict):
            item = state["details"]
            if text:
                item = {**item, "summary" if item.get("type") == "reasoning.summary" else "text": text}
        else:
            take_extra_content(state, message, extras)
            return
        message.setdefault("reasoning_details", []).append(item)

    def _parts(self, blocks: object, *names: str) -> list[Json]:
        """The parts for the list of blocks behind `names` of the block at hand."""
        trail = self._trail
        if type(blocks) is not list:
            raise wrong(self._path(*names), "must be a text or a list of content blocks.")
        parts: list[Json] = []
        self._trail = [*trail, *names, 0]
        for place, block in enumerate(blocks):
            self._trail[-1] = place
            self._add_part(block, parts)
        self._trail = trail
        return parts

    def _add_part(self, block: Any, parts: list[Json]) -> None:
        """Adds the parts that `block` becomes; where our form has no word for it, it is noted."""
        if type(block) is not dict:
            raise wrong(self._path(), "must be a content block (an object).")
        kind = block.get("type")
        if kind == "text":
            if type(block.get("text")) is not str:
                raise self._unlike(block.get("text"), "text", "text")
            if len(block) == 2 or (len(block) == 3 and block.get("cache_control") is not None):
                parts.append(block)  # it is a part of ours already
                return
            made: list[Json] = [{"type": "text", "text": block["text"]}]
        elif kind == "image":
            url = self._url(self._source(block))
            made = [{"type": "image_url", "image_url": {"url": url}}] if url else []
        elif kind in ("document", "search_result"):
            made = self._document(block)
        elif kind == "tool_reference":  # a tool that a search has found: all of them are in sight already
            made = [{"type": "text", "text": self._text(block, "tool_name")}]
        elif type(kind) is str:
            self._note(f" ({kind[:60]})")
            return
        else:
            raise wrong(self._path("type"), "must name the block's type.")
        if made and block.get("cache_control") is not None:
            made[-1] = {**made[-1], "cache_control": block["cache_control"]}
        parts += made

    def _source(self, block: Json) -> Json:
        source = block.get("source")
        if type(source) is not dict:
            raise self._unlike(source, "source", "object")
        return source

    def _url(self, source: Json) -> str:
        """The address of an image or document, its data inside where the source has it; empty for what only
        Anthropic can reach (noted)."""
        kind = source.get("type")
        if kind == "base64":
            media_type, data = self._text(source, "media_type", "source"), self._text(source, "data", "source")
            return f"data:{media_type};base64,{data}"
        if kind == "url":
            return self._text(source, "url", "source")
        if kind == "file":
            self._note(".source.file_id")
            return ""
        raise wrong(self._path("source", "type"), "must be 'base64', 'url' or 'file'.")

    def _document(self, block: Json) -> list[Json]:
        """A document or a search result. Texts are carried as text, with what is said about them before."""
        if isinstance(block.get("citations"), dict) and block["citations"].get("enabled"):
            self._note(".citations")
        if block["type"] == "search_result":
            about = [self._text(block, "title"), self._text(block, "source")]
            parts = self._parts(block.get("content"), "content")
        else:
            about = [text for text in (block.get("title"), block.get("context")) if isinstance(text, str) and text]
            parts = self._document_source(block)
            if parts and parts[0]["type"] == "file" and about[:1] == [block.get("title")]:
                about = about[1:]  # it is the file's name
        return [{"type": "text", "text": "\n".join(about)}, *parts] if about else parts

    def _document_source(self, block: Json) -> list[Json]:
        source = self._source(block)
        kind = source.get("type")
        if kind == "text":
            return [{"type": "text", "text": self._text(source, "data", "source")}]
        if kind == "content":
            content = source.get("content")
            if type(content) is str:
                return [{"type": "text", "text": content}]
            return self._parts(content, "source", "content")
        url = self._url(source)
        if not url:
            return []
        title = block.get("title")
        name = title if isinstance(title, str) and title else "document.pdf"
        return [{"type": "file", "file": {"filename": name, "file_data" if kind == "base64" else "file_url": url}}]

    def _text(self, of: Json, name: str, *behind: str) -> str:
        value = of.get(name)
        if type(value) is not str:
            raise self._unlike(value, *behind, name, "text")
        return value

    def _path(self, *names: str) -> str:
        return ".".join(map(str, (*self._trail, *names)))

    def _note(self, what: str) -> None:
        self.uncarried.append(self._path() + what)

    def _unlike(self, value: object, *names_and_kind: str) -> InvalidRequest:
        *names, kind = names_and_kind
        must = "must be an object." if kind == "object" else "must be a text."
        return wrong(self._path(*names), "is missing." if value is None else must)


def _plain(parts: list[Json], joint: str | None) -> str | list[Json]:
    """`parts` as one text where that loses nothing: every vendor's server takes a text, not every one a list."""
    if len(parts) == 1:
        part = parts[0]
        return part["text"] if len(part) == 2 and "text" in part else parts
    if not parts:
        return ""
    if joint is not None and all(len(part) == 2 and "text" in part for part in parts):
        return joint.join([part["text"] for part in parts])
    return parts
