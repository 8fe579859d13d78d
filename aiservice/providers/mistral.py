"""Mistral: OpenAI's wire with a content of its own (docs.mistral.ai/api; what its row says is in `_vendors/rows`).

What stands for what: a document is a part `document_url` (its address, or a data URL), sound is a part `input_audio`,
thinking is a part of the assistant's content, and its id of a tool call is nine letters and digits. An answer that the
assistant is to go on with says `prefix`.
"""

import hashlib
import re
from typing import Any

from aiservice.providers._base import cannot_carry
from aiservice.providers._openai_media import transcript_form
from aiservice.providers._openai_media_stream import ReadUsage
from aiservice.providers._vendors import built_in
from aiservice.providers._vendors.shape import VendorShape
from aiservice.wire import Answer, Ask, HttpCall, HttpReply, Json

FORMAT = "mistral-v1"
_CALL_ID = re.compile(r"[A-Za-z0-9]{9}", re.ASCII)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HEARD = frozenset({"file", "file_url", "language", "response_format", "temperature", "timestamp_granularities"})
# Words of the field on a message that Mistral answers with a 422.
_OWN_FIELDS = frozenset(
    {"extra_content", "is_error", "reasoning", "reasoning_content", "reasoning_details", "refusal", "stop_reason"}
)


class Mistral(VendorShape):
    def media_call(self, ask: Ask, model: str) -> HttpCall:
        """A transcript is JSON there whatever was asked for: other forms of it are made here."""
        if ask.kind == "transcription":
            return self._transcript(ask, model)
        return super().media_call(ask, model)

    def _transcript(self, ask: Ask, model: str) -> HttpCall:
        for name in sorted(ask.body.keys() - _HEARD):
            raise cannot_carry(name, f"'{name}' cannot be carried to {self.title}: leave it out, or pin another one.")
        body = {name: value for name, value in ask.body.items() if name != "response_format"}
        wanted, known = ask.body.get("response_format", "json"), body.get("timestamp_granularities")
        if known is None and wanted in ("srt", "vtt", "verbose_json"):
            body["timestamp_granularities"] = ["segment"]
        return transcript_form({**body, "model": model}, self.media_paths["transcriptions"], is_stream=ask.is_stream)

    def media_answer(self, ask: Ask, call: HttpCall, reply: HttpReply, read_usage: ReadUsage) -> Answer:
        answer = super().media_answer(ask, call, reply, read_usage)
        if ask.kind == "transcription" and ask.body.get("response_format", "json") != "json":
            answer.raw = None
        return answer

    def adapted(self, body: Json, model: str) -> None:
        super().adapted(body, model)
        messages = body.get("messages")
        if type(messages) is not list:
            return
        body["messages"] = changed = [_message(message, f"messages[{n}]") for n, message in enumerate(messages)]
        last = changed[-1] if changed else None
        if type(last) is dict and last.get("role") == "assistant" and not last.get("tool_calls"):
            changed[-1] = {"prefix": True, **last}  # else an assistant's last word is refused
        tools = body.get("tools")
        for tool in tools if type(tools) is list else ():
            if type(tool) is dict and tool.get("type") == "custom":
                raise cannot_carry("tools", f"{self.title} has no custom tools: describe it as a function.")


def short_id(call_id: object) -> object:
    """The id of a tool call as older models demand it: the same nine characters for the same id, every time."""
    if type(call_id) is not str or _CALL_ID.fullmatch(call_id):
        return call_id
    number = int.from_bytes(hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()[:8])
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[rest]
    return digits


def _message(message: Any, where: str) -> Any:
    if type(message) is not dict:
        return message
    changed = {name: value for name, value in message.items() if name not in _OWN_FIELDS}
    content = changed.get("content")
    if type(content) is list:
        content = changed["content"] = [_part(part, f"{where}.content[{n}]") for n, part in enumerate(content)]
    thinking = _thinking_of(message) if message.get("role") == "assistant" else ""
    if thinking and not _has_thinking(content):
        own = {"type": "thinking", "thinking": [{"type": "text", "text": thinking}]}
        changed["content"] = [own, *_parts(content)]
    if "tool_call_id" in changed:
        changed["tool_call_id"] = short_id(changed["tool_call_id"])
    calls = changed.get("tool_calls")
    if type(calls) is list:
        changed["tool_calls"] = [
            {**call, "id": short_id(call["id"])} if type(call) is dict and "id" in call else call for call in calls
        ]
    return changed


def _thinking_of(message: Json) -> str:
    """The thinking to give back: what came as the field's plain text, and is no other vendor's state."""
    details = message.get("reasoning_details")
    if type(details) is list and any(type(item) is dict and item.get("format", FORMAT) != FORMAT for item in details):
        return ""
    text = message.get("reasoning_content") or message.get("reasoning")
    return text if type(text) is str else ""


def _has_thinking(content: Any) -> bool:
    return type(content) is list and any(type(part) is dict and part.get("type") == "thinking" for part in content)


def _parts(content: Any) -> list[Any]:
    if type(content) is list:
        return content
    return [{"type": "text", "text": content}] if type(content) is str and content else []


def _part(part: Any, where: str) -> Any:
    kind = part.get("type") if type(part) is dict else None
    if kind == "file":
        return _document(part, where)
    if kind == "refusal":
        return {"type": "text", "text": part.get("refusal")}
    if kind == "text" and "cache_control" in part:
        return {name: value for name, value in part.items() if name != "cache_control"}
    return part


def _document(part: Json, where: str) -> Json:
    file = part.get("file")
    if type(file) is not dict:
        return part
    address = file.get("file_url") or file.get("file_data")
    if type(address) is not str:
        raise cannot_carry(f"{where}.file.file_id", "A document for Mistral is given by its data or its address.")
    name = file.get("filename")
    return {"type": "document_url", "document_url": address, **({"document_name": name} if name else {})}


PROVIDER = Mistral(built_in()["mistral"])
