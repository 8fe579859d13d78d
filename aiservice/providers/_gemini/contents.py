"""A conversation in Gemini's words: `systemInstruction` and `contents` (ai.google.dev/api/generate-content).

Thought signatures (ai.google.dev/gemini-api/docs/thought-signatures) are state that only Google can read: they come
back on the part they came with. They travel as `extra_content.google.thought_signature` on a tool call or message, and
as `reasoning_details` of the format below for clients that keep those instead.
"""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import cannot_carry
from aiservice.providers._gemini.models import Family
from aiservice.providers._gemini.parts import bad_request, parts_of, text_of
from aiservice.wire import Json

FORMAT = "google-gemini-v1"
# Google's own word for a call that no Gemini model made, such as another vendor's earlier in the conversation.
_UNSIGNED = "skip_thought_signature_validator"


class Conversation:
    """Builds both from the messages of a chat, one after the other."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._system: list[Json] = []
        self._contents: list[Json] = []
        self._names: dict[str, str] = {}
        self._results: list[Json] | None = None
        self._files: list[Json] = []

    def add(self, message: object, place: int) -> None:
        """Takes the next message.

        Raises:
            AttemptFailed: it is no message, or holds what Gemini cannot be given.
        """
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            raise bad_request(where, f"'{where}' must be an object.")
        role = message.get("role")
        if len(message) == 2 and isinstance(text := message.get("content"), str):  # a plain text, as most are
            if role == "user":
                self._say("user", [{"text": text}])
                return
            if role == "system":
                self._system.extend([{"text": text}] if text else [])
                return
        if role in ("tool", "function"):
            self._add_result(message, where)
            return
        if message.get("name") is not None:
            raise cannot_carry(f"{where}.name", "Gemini has no names for speakers: put the name into the text.")
        if role in ("system", "developer"):
            text = text_of(message.get("content"), f"{where}.content", self._family)
            self._system.extend([{"text": text}] if text else [])
        elif role == "user":
            self._say("user", parts_of(message.get("content"), f"{where}.content", self._family) or [{"text": ""}])
        elif role == "assistant":
            self._say("model", self._answered(message, where))
        else:
            raise bad_request(f"{where}.role", f"'{where}.role' must be system, user, assistant or tool.")

    def body(self) -> Json:
        """What was said so far. A conversation of instructions alone becomes a prompt: Gemini must be asked something.

        Raises:
            AttemptFailed: nothing was said.
        """
        self._show_files()
        if self._contents:
            instruction: Json = {"systemInstruction": {"parts": self._system}} if self._system else {}
            return {**instruction, "contents": self._contents}
        if not self._system:
            raise bad_request("messages", "'messages' must say something.")
        return {"contents": [{"role": "user", "parts": self._system}]}

    def _say(self, role: str, parts: list[Json]) -> None:
        """Adds to the turn of the same speaker, if it is going on; a turn of function results stands by itself."""
        if not parts:
            return
        self._show_files()
        last = self._contents[-1] if self._contents else None
        if last is not None and last["role"] == role and last["parts"] is not self._results:
            last["parts"].extend(parts)
        else:
            self._contents.append({"role": role, "parts": parts})
        self._results = None

    def _answered(self, message: Json, where: str) -> list[Json]:
        content = message.get("content")
        parts = parts_of(content, f"{where}.content", self._family)
        if not parts and isinstance(message.get("refusal"), str):
            parts = parts_of(message["refusal"], where, self._family)
        signed, thoughts = _state_of(message)
        own = _signature_in(message)
        if own is not None and not parts:
            signed.setdefault("", own)  # without text it can only be the call's
        calls = self._calls(message, where, signed)
        if not calls:
            own = own or signed.get("")
        if own is not None and (parts or not calls):
            if not parts or "text" not in parts[-1]:
                parts.append({"text": ""})
            parts[-1] = {**parts[-1], "thoughtSignature": own}
        return [*thoughts, *parts, *calls]

    def _calls(self, message: Json, where: str, signed: dict[str, str]) -> list[Json]:
        calls = message.get("tool_calls") or []
        if message.get("function_call") is not None:
            calls = [{"function": message["function_call"]}]
        if not isinstance(calls, list):
            raise bad_request(f"{where}.tool_calls", f"'{where}.tool_calls' must be a list.")
        parts = []
        for place, call in enumerate(calls):
            part, call_id = self._call(call, f"{where}.tool_calls[{place}]")
            signature = _signature_in(call) or signed.get(call_id)
            if place == 0:
                # What lost its call on the way belongs to the first: of parallel calls only that is signed.
                signature = signature or signed.get("") or (_UNSIGNED if self._family.is_signed else None)
            parts.append(part if signature is None else {**part, "thoughtSignature": signature})
        return parts

    def _call(self, call: object, where: str) -> tuple[Json, str]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(call, dict):
            raise cannot_carry(where, "Gemini knows only function calls here.")
        name, call_id = function.get("name"), call.get("id")
        if not isinstance(name, str):
            raise bad_request(f"{where}.function.name", f"'{where}.function.name' must be text.")
        found: Json = {"name": name, "args": _arguments(function.get("arguments"), f"{where}.function.arguments")}
        if isinstance(call_id, str) and call_id:
            found["id"] = call_id
            self._names[call_id] = name
        return {"functionCall": found}, found.get("id", "")

    def _add_result(self, message: Json, where: str) -> None:
        call_id, name = message.get("tool_call_id"), message.get("name")
        found = self._names.get(call_id) if isinstance(call_id, str) else None
        name = found or name
        if not isinstance(name, str):
            raise bad_request(f"{where}.tool_call_id", f"'{where}.tool_call_id' is the id of no call before it.")
        parts = parts_of(message.get("content"), f"{where}.content", self._family)
        text = "".join(part["text"] for part in parts if "text" in part)
        files = [part for part in parts if "text" not in part]
        result: Json = {"name": name, "response": _response(text, is_error=message.get("is_error") is True)}
        if found is not None:
            result["id"] = call_id
        if files and self._family.has_media_results:
            result["parts"] = files
            files = []
        if self._results is None:
            self._results = []
            self._contents.append({"role": "user", "parts": self._results})
        self._results.append({"functionResponse": result})
        if files:
            self._files += [{"text": f"This is what {name} gave:"}, *files]

    def _show_files(self) -> None:
        """Older models see the files among function results only in a turn of their own, behind all of the results."""
        if self._files:
            self._contents.append({"role": "user", "parts": self._files})
            self._files, self._results = [], None


def _arguments(arguments: object, where: str) -> Json:
    if isinstance(arguments, str):
        if not arguments.strip():
            return {}
        try:
            arguments = loads(arguments)
        except orjson.JSONDecodeError:
            raise bad_request(where, f"'{where}' must be a JSON object.") from None
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise bad_request(where, f"'{where}' must be a JSON object.")
    return arguments


def _response(text: str, *, is_error: bool) -> Json:
    """A function's result, which must be an object: one that is none is named as Google documents (`output`)."""
    if is_error:
        return {"error": text}
    if text.lstrip().startswith("{"):
        try:
            found = loads(text)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            return found
    return {"output": text}


def _signature_in(holder: Any) -> str | None:
    found = holder.get("extra_content")
    google = found.get("google") if isinstance(found, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) and signature else None


def _state_of(message: Json) -> tuple[dict[str, str], list[Json]]:
    """Signatures by the id of their call (empty where it has none), and the thoughts that are signed themselves.

    State of other vendors is none for Google, and an unsigned thought is only a summary: neither is sent.
    """
    signed: dict[str, str] = {}
    thoughts: list[Json] = []
    details = message.get("reasoning_details")
    for item in details if isinstance(details, list) else ():
        if not isinstance(item, dict) or item.get("format") != FORMAT:
            continue
        data, text, signature = item.get("data"), item.get("text"), item.get("signature")
        if item.get("type") == "reasoning.encrypted" and isinstance(data, str) and data:
            call_id = item.get("id")
            signed.setdefault(call_id if isinstance(call_id, str) else "", data)
        elif isinstance(signature, str) and signature:
            words = text if isinstance(text, str) else ""
            thoughts.append({"text": words, "thought": True, "thoughtSignature": signature})
    return signed, thoughts
