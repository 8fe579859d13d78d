"""The contents of a Google request, in our form (ai.google.dev/api/caching, "Content").

Calls of Gemini's often have no id, and results name their function: the n-th result of a name belongs to the n-th call
of that name that has none yet.
"""

from collections import deque
from typing import Any

import orjson

from aiservice.dialects._google_names import Json, items, named, text_in, wrong
from aiservice.dialects._google_parts import file_part, inline_part
from aiservice.dialects._google_state import FORMAT, is_sealed, opened

_ROLES = ("user", "model", "function")
_ABOUT = frozenset({"thought", "thoughtSignature", "partMetadata"})  # said beside what a part holds
_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse")


class _Call:
    """A call, and whether it has a result."""

    __slots__ = ("call_id", "is_answered")

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.is_answered = False


class Conversation:
    """Collects messages in our form. `uncarried` names what that has no word for; `has_foreign_state` says that there
    are signatures which hold state of other vendors."""

    __slots__ = ("_made", "_waiting_ids", "_waiting_names", "has_foreign_state", "messages", "uncarried")

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self.uncarried: list[str] = []
        self.has_foreign_state = False
        self._waiting_ids: dict[str, deque[_Call]] = {}  # calls without a result, and some that have one by now
        self._waiting_names: dict[str, deque[_Call]] = {}
        self._made = 0  # ids that we gave

    def system(self, given: object) -> None:
        """The `systemInstruction`."""
        if type(given) is dict and len(given) == 1 and (plain := _plain_texts(given)) is not None:
            if plain and plain[0]:
                self.messages.append({"role": "system", "content": plain[0]})
            return
        content = named(given, "systemInstruction")
        texts = []
        for place, part in enumerate(items(content.get("parts"), "systemInstruction.parts")):
            path = f"systemInstruction.parts[{place}]"
            found = named(part, path)
            if "text" not in found:
                self.uncarried.append(path)
                continue
            texts.append(text_in(found, "text", path))
        if text := "\n\n".join(filter(None, texts)):
            self.messages.append({"role": "system", "content": text})

    def add(self, content: object, place: int) -> None:
        """One content, which is a turn.

        Raises:
            InvalidRequest: it is not what it must be (named in `param`).
        """
        if type(content) is dict and (texts := _plain_texts(content)) is not None:
            if content.get("role") == "model":
                self.messages.append({"role": "assistant", "content": "".join(texts)})
            else:
                self.messages.append({"role": "user", "content": texts[0] if texts else ""})
            return
        path = f"contents[{place}]"
        turn = named(content, path)
        role = turn.get("role") or "user"
        if role not in _ROLES:
            raise wrong(f"{path}.role", "must be 'user' or 'model'.")
        self.uncarried.extend(f"{path}.{name}" for name in turn if name not in ("role", "parts"))
        parts = items(turn.get("parts"), f"{path}.parts")
        if role == "model":
            self._model(parts, f"{path}.parts")
        else:
            self._user(parts, f"{path}.parts")

    def _user(self, given: list[Any], path: str) -> None:
        parts: list[Json] = []
        has_results = False
        for place, item in enumerate(given):
            where = f"{path}[{place}]"
            part = self._checked(item, where)
            if "functionResponse" in part:
                has_results = True
                self.messages.append(self._result(part["functionResponse"], f"{where}.functionResponse"))
            else:
                self._add_part(part, where, parts)
        if parts or not has_results:
            is_text = len(parts) <= 1  # several stay apart: nobody knows what belongs between them
            self.messages.append({"role": "user", "content": _plain(parts) if is_text else parts})

    def _model(self, given: list[Any], path: str) -> None:
        message: Json = {"role": "assistant", "content": None}
        parts: list[Json] = []
        calls: list[Json] = []
        for place, item in enumerate(given):
            where = f"{path}[{place}]"
            part = self._checked(item, where)
            signature = part.get("thoughtSignature")
            if signature is not None and type(signature) is not str:
                raise wrong(f"{where}.thoughtSignature", "must be a text.")
            extra = self._state(signature, message, where) if signature else None
            if "functionCall" in part:
                call = self._call(part["functionCall"], f"{where}.functionCall")
                if extra is not None:
                    call["extra_content"] = extra
                calls.append(call)
            elif part.get("thought") is True:
                self._thought(part, message, signature)
            else:
                if extra is not None:
                    message["extra_content"] = extra
                self._add_part(part, where, parts)
        if parts or not calls:
            message["content"] = _plain(parts)
        if calls:
            message["tool_calls"] = calls
        self.messages.append(message)

    def _checked(self, item: object, path: str) -> Json:
        """A part, of which everything is noted that is neither carried nor an empty mark."""
        part = named(item, path)
        if len(part) > 1 or not any(name in part for name in _DATA):
            held = [name for name, value in part.items() if name not in _ABOUT and value is not None]
            kinds = [name for name in held if name in _DATA]
            if len(kinds) > 1:
                raise wrong(path, f"holds '{kinds[0]}' and '{kinds[1]}': give each in a part of its own.")
            self.uncarried.extend(f"{path}.{name}" for name in held if name not in _DATA)
        return part

    def _state(self, signature: str, message: Json, path: str) -> Json | None:
        """The `extra_content` that a signature stands for; details in it go to the message."""
        if not is_sealed(signature):
            return {"google": {"thought_signature": signature}}
        self.has_foreign_state = True
        try:
            state = opened(signature)
        except ValueError:
            raise wrong(f"{path}.thoughtSignature", "was changed: send parts back as they came.") from None
        details, extra = state.get("details"), state.get("extra")
        if isinstance(details, list):
            message.setdefault("reasoning_details", []).extend(item for item in details if isinstance(item, dict))
        return extra if isinstance(extra, dict) else None

    def _thought(self, part: Json, message: Json, signature: str | None) -> None:
        text = part.get("text")
        text = text if isinstance(text, str) else ""
        if text:
            message["reasoning_content"] = message.get("reasoning_content", "") + text
        if signature and not is_sealed(signature):
            item = {"type": "reasoning.text", "text": text, "signature": signature, "format": FORMAT}
            message.setdefault("reasoning_details", []).append(item)

    def _call(self, given: object, path: str) -> Json:
        call = named(given, path)
        name, args, call_id = text_in(call, "name", path), call.get("args"), call.get("id")
        if args is not None and type(args) is not dict:
            raise wrong(f"{path}.args", "must be an object.")
        if call.get("willContinue") or call.get("partialArgs"):
            raise wrong(path, "must be whole: send its 'args'.")
        if type(call_id) is not str or not call_id:
            self._made += 1
            call_id = f"call_{self._made}"
        waiting = _Call(call_id)
        self._waiting_ids.setdefault(call_id, deque()).append(waiting)
        self._waiting_names.setdefault(name, deque()).append(waiting)
        function = {"name": name, "arguments": orjson.dumps(args or {}).decode()}
        return {"id": call_id, "type": "function", "function": function}

    def _result(self, given: object, path: str) -> Json:
        result = named(given, path)
        response = result.get("response")
        if response is not None and type(response) is not dict:
            raise wrong(f"{path}.response", "must be an object.")
        content, is_error = _said(response or {})
        message: Json = {"role": "tool", "tool_call_id": self._answered(result, path), "content": content}
        media: list[Json] = []
        for place, item in enumerate(items(result.get("parts"), f"{path}.parts")):
            where = f"{path}.parts[{place}]"
            self._add_part(self._checked(item, where), where, media)
        if media:
            message["content"] = [*([{"type": "text", "text": content}] if content else []), *media]
        if is_error:
            message["is_error"] = True
        if result.get("willContinue"):
            self.uncarried.append(f"{path}.willContinue")
        if result.get("scheduling") not in (None, "SCHEDULING_UNSPECIFIED"):
            self.uncarried.append(f"{path}.scheduling")
        return message

    def _answered(self, result: Json, path: str) -> str:
        """The id of the call that a result is of, which is answered then."""
        name, call_id = text_in(result, "name", path), result.get("id")
        by_id = self._waiting_ids.get(call_id) if type(call_id) is str else None
        for waiting in (by_id, self._waiting_names.get(name)):
            while waiting:
                call = waiting.popleft()
                if not call.is_answered:
                    call.is_answered = True
                    return call.call_id
        raise wrong(path, f"answers no call of '{name[:60]}' before it.")

    def _add_part(self, part: Json, path: str, parts: list[Json]) -> None:
        """Adds what a part becomes; where our form has no word for it, it is noted."""
        if "text" in part:
            text = text_in(part, "text", path)
            if text:
                parts.append({"type": "text", "text": text})
        elif "inlineData" in part:
            parts.append(inline_part(part["inlineData"], f"{path}.inlineData"))
        elif "fileData" in part:
            made = file_part(part["fileData"], f"{path}.fileData")
            if made is None:
                self.uncarried.append(f"{path}.fileData")
            else:
                parts.append(made)
        elif "functionCall" in part or "functionResponse" in part:
            raise wrong(path, "calls belong in turns of the model, results in turns of the user.")


def _plain_texts(content: Json) -> list[str] | None:
    """The texts of a turn that is nothing else, as most are: of a user one at most. None for any other."""
    parts, role = content.get("parts"), content.get("role", "user")
    if type(parts) is not list or len(content) != ("role" in content) + 1 or role not in ("user", "model"):
        return None
    if role == "user" and len(parts) > 1:
        return None
    texts = []
    for part in parts:
        if type(part) is not dict or len(part) != 1 or type(part.get("text")) is not str:
            return None
        texts.append(part["text"])
    return texts


def _said(response: Json) -> tuple[str, bool]:
    """A function's result as a text, and whether it is an error. `output` and `error` are the names that Google
    documents for results that are no objects."""
    if len(response) == 1:
        for name in ("output", "error"):
            value = response.get(name)
            if isinstance(value, str) and not value.lstrip().startswith("{"):
                return value, name == "error"
    return orjson.dumps(response).decode(), False


def _plain(parts: list[Json]) -> str | list[Json]:
    """`parts` as one text where that is all they are: every vendor's server takes a text, not every one a list."""
    if all("text" in part for part in parts):
        return "".join([part["text"] for part in parts])
    return parts
