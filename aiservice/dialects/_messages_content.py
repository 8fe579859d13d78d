"""The messages of an Anthropic request, in our form (docs.claude.com/en/api/messages, "messages")."""

from collections.abc import Iterator
from typing import Any

import orjson

from aiservice.dialects._messages_state import CLAUDE_FORMAT, is_foreign, opened
from aiservice.errors import InvalidRequest

Json = dict[str, Any]

_PART_KINDS = frozenset({"text", "image", "document", "search_result"})


def wrong(path: str, words: str) -> InvalidRequest:
    """The refusal of the field at `path` ("messages.0.content.1.source", as Anthropic names it)."""
    return InvalidRequest(f"{path}: {words}", param=path)


class Conversation:
    """Collects messages in our form. `uncarried` names what our form has no word for; `has_foreign_state` says that
    there are thinking blocks which Anthropic did not sign."""

    __slots__ = ("has_foreign_state", "messages", "uncarried")

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self.uncarried: list[str] = []
        self.has_foreign_state = False

    def system(self, given: object) -> None:
        """The top-level `system`: a text, or text blocks."""
        if isinstance(given, str):
            content: str | list[Json] = given
        else:
            content = _plain(self._parts(_blocks(given, "system"), "system"), "\n\n")
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
        path = f"messages.{place}.content"
        blocks = _blocks(content, path)
        if role == "assistant":
            self._assistant(blocks, path)
        else:
            self._user(role, blocks, path)

    def _user(self, role: str, blocks: list[Json], path: str) -> None:
        """A user's blocks: tool results become messages of their own, which come first."""
        rest = []
        for place, block in enumerate(blocks):
            if block.get("type") == "tool_result":
                self.messages.append(self._tool_message(block, f"{path}.{place}"))
            else:
                rest.append((f"{path}.{place}", block))
        if rest or not blocks:
            parts = [part for where, block in rest for part in self._part(block, where)]
            joint = "\n\n" if role == "system" else None
            self.messages.append({"role": role, "content": _plain(parts, joint)})

    def _tool_message(self, block: Json, path: str) -> Json:
        content = block.get("content")
        if content is None or type(content) is str:
            said: str | list[Json] = content or ""
        else:
            said = _plain(self._parts(_blocks(content, f"{path}.content"), f"{path}.content"), "\n")
        mark = block.get("cache_control")
        if mark is not None:
            parts: list[Json] = [{"type": "text", "text": said}] if type(said) is str else [*said]
            if parts:
                parts[-1] = {**parts[-1], "cache_control": mark}
            said = parts
        if block.get("toolset_name") is not None:
            self.uncarried.append(f"{path}.toolset_name")
        message: Json = {"role": "tool", "tool_call_id": _text(block, "tool_use_id", path), "content": said}
        if block.get("is_error") is True:
            message["is_error"] = True
        return message

    def _assistant(self, blocks: list[Json], path: str) -> None:
        message: Json = {"role": "assistant", "content": None}
        parts: list[Json] = []
        calls: list[Json] = []
        extras: dict[str, Json] = {}
        for place, block in enumerate(blocks):
            kind, where = block.get("type"), f"{path}.{place}"
            if kind == "tool_use":
                calls.append(self._tool_call(block, where))
            elif kind in ("thinking", "redacted_thinking"):
                self._thinking(block, where, message, extras)
            else:
                parts.extend(self._part(block, where))
        if parts or not calls:
            message["content"] = _plain(parts, "")
        if calls:
            message["tool_calls"] = calls
            for call in calls:
                if call["id"] in extras:
                    call["extra_content"] = extras[call["id"]]
        self.messages.append(message)

    def _tool_call(self, block: Json, path: str) -> Json:
        given = block.get("input")
        if type(given) is not dict:
            raise wrong(f"{path}.input", "must be an object.")
        caller = block.get("caller")
        if isinstance(caller, dict) and caller.get("type") != "direct":
            self.uncarried.append(f"{path}.caller")
        if block.get("toolset_name") is not None:
            self.uncarried.append(f"{path}.toolset_name")
        function = {"name": _text(block, "name", path), "arguments": orjson.dumps(given).decode()}
        return {"id": _text(block, "id", path), "type": "function", "function": function}

    def _thinking(self, block: Json, path: str, message: Json, extras: dict[str, Json]) -> None:
        """Adds a thinking block to `message`; what it carries for a tool call goes to `extras`, by the call's id."""
        if is_foreign(block):
            self.has_foreign_state = True
        is_text = block["type"] == "thinking"
        text = _text(block, "thinking", path) if is_text else ""
        if text:
            message["reasoning_content"] = message.get("reasoning_content", "") + text
        opaque = block.get("signature", "") if is_text else _text(block, "data", path)
        if type(opaque) is not str:
            raise wrong(f"{path}.signature", "must be a text.")
        if not opaque:
            return  # no vendor's state: the text says it all
        state = opened(opaque, path)
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
            _take_extra(state, message, extras)
            return
        message.setdefault("reasoning_details", []).append(item)

    def _parts(self, blocks: list[Json], path: str) -> list[Json]:
        return [part for place, block in enumerate(blocks) for part in self._part(block, f"{path}.{place}")]

    def _part(self, block: Json, path: str) -> Iterator[Json]:
        """The content parts that `block` becomes; none where our form has no word for it."""
        kind = block.get("type")
        if kind == "text":
            part: Json = {"type": "text", "text": _text(block, "text", path)}
        elif kind == "image":
            part = self._image(block, path)
        elif kind in _PART_KINDS:
            yield from self._document(block, path)
            return
        else:
            if type(kind) is not str:
                raise wrong(f"{path}.type", "must name the block's type.")
            self.uncarried.append(f"{path} ({kind[:60]})")
            return
        if part and block.get("cache_control") is not None:
            part["cache_control"] = block["cache_control"]
        if part:
            yield part

    def _image(self, block: Json, path: str) -> Json:
        source, where = _object(block, "source", path), f"{path}.source"
        url = self._url(source, where)
        return {"type": "image_url", "image_url": {"url": url}} if url else {}

    def _url(self, source: Json, where: str) -> str:
        """The address of an image or document, its data inside where the source has it; empty for what only
        Anthropic can reach (noted)."""
        kind = source.get("type")
        if kind == "base64":
            return f"data:{_text(source, 'media_type', where)};base64,{_text(source, 'data', where)}"
        if kind == "url":
            return _text(source, "url", where)
        if kind == "file":
            self.uncarried.append(f"{where}.file_id")
            return ""
        raise wrong(f"{where}.type", "must be 'base64', 'url' or 'file'.")

    def _document(self, block: Json, path: str) -> Iterator[Json]:
        """A document or a search result. Texts are carried as text, with what is said about them before."""
        if isinstance(block.get("citations"), dict) and block["citations"].get("enabled"):
            self.uncarried.append(f"{path}.citations")
        parts: list[Json]
        if block.get("type") == "search_result":
            about = [_text(block, "title", path), _text(block, "source", path)]
            parts = self._parts(_blocks(block.get("content"), f"{path}.content"), f"{path}.content")
        else:
            about = [text for text in (block.get("title"), block.get("context")) if isinstance(text, str) and text]
            parts = self._document_source(block, path)
            if parts and parts[0]["type"] == "file":
                about = about[1:] if isinstance(block.get("title"), str) else about
        if about:
            parts = [{"type": "text", "text": "\n".join(about)}, *parts]
        if parts and block.get("cache_control") is not None:
            parts[-1] = {**parts[-1], "cache_control": block["cache_control"]}
        yield from parts

    def _document_source(self, block: Json, path: str) -> list[Json]:
        source, where = _object(block, "source", path), f"{path}.source"
        kind = source.get("type")
        if kind == "text":
            return [{"type": "text", "text": _text(source, "data", where)}]
        if kind == "content":
            content = source.get("content")
            if type(content) is str:
                return [{"type": "text", "text": content}]
            return self._parts(_blocks(content, f"{where}.content"), f"{where}.content")
        url = self._url(source, where)
        if not url:
            return []
        title = block.get("title")
        name = title if isinstance(title, str) and title else "document.pdf"
        return [{"type": "file", "file": {"filename": name, "file_data" if kind == "base64" else "file_url": url}}]


def _take_extra(state: Json, message: Json, extras: dict[str, Json]) -> None:
    extra, call = state.get("extra_content"), state.get("call")
    if isinstance(extra, dict):
        if isinstance(call, str):
            extras[call] = extra
        else:
            message["extra_content"] = extra


def _plain(parts: list[Json], joint: str | None) -> str | list[Json]:
    """`parts` as one text where that loses nothing: every vendor's server takes a text, not every one a list."""
    if len(parts) == 1 or joint is not None:
        if all(len(part) == 2 and "text" in part for part in parts):
            return (joint or "").join([part["text"] for part in parts])
    elif not parts:
        return ""
    return parts


def _blocks(content: object, path: str) -> list[Json]:
    if type(content) is not list:
        raise wrong(path, "must be a text or a list of content blocks.")
    for place, block in enumerate(content):
        if type(block) is not dict:
            raise wrong(f"{path}.{place}", "must be a content block (an object).")
    return content


def _text(of: Json, name: str, path: str) -> str:
    value = of.get(name)
    if type(value) is not str:
        raise wrong(f"{path}.{name}", "is missing." if value is None else "must be a text.")
    return value


def _object(of: Json, name: str, path: str) -> Json:
    value = of.get(name)
    if type(value) is not dict:
        raise wrong(f"{path}.{name}", "is missing." if value is None else "must be an object.")
    return value
