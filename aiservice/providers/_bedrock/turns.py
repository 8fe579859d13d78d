"""Messages of a chat (OpenAI's form) as turns of Converse (API reference, "Message").

Bridged: instructions are a field, save where a model takes later ones; turns of one role are one turn; all results of
one turn's tools stand in the user's turn behind it; thinking goes back only to the vendor that signed it.
"""

import base64
import hashlib
import re
from collections import deque
from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import cannot_carry
from aiservice.providers._bedrock.content import blocks_of, marks_of
from aiservice.providers._bedrock.models import CLAUDE_FORMAT, reasoning_format
from aiservice.wire import Json

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_IN_RESULTS: Final = frozenset({"text", "image", "document", "video", "searchResult"})
_RESULTS: Final = frozenset({"toolResult", "cachePoint"})
_IN_INSTRUCTIONS: Final = frozenset({"text", "cachePoint", "guardContent"})


class Conversation:
    """Takes messages in order; `system` and `turns` are what Converse is given."""

    def __init__(self, model: str, *, has_later_system: bool) -> None:
        self._format = reasoning_format(model)
        self._has_later_system = has_later_system
        self._later: list[Json] = []
        self._results = 0  # how many blocks of the last turn stand before whatever else is said in it
        self.system: list[Json] = []
        self.turns: list[Json] = []
        self.called: dict[str, None] = {}  # names of tools whose calls stand in the turns, in order

    def add(self, message: Any, place: int) -> None:
        """The next message.

        Raises:
            AttemptFailed: it holds something that this wire has no word for (named in `param`).
        """
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            raise cannot_carry(where, f"'{where}' is not a message.")
        role = message.get("role")
        if role == "user" and len(message) == 2 and isinstance(message.get("content"), str):
            self._say("user", blocks_of(message, where))  # a plain text, as most are
            return
        if role in ("system", "developer"):
            kept = self._later if self.turns and self._has_later_system else self.system
            kept += _instructions(message, where)
        elif role == "assistant":
            self._put_later()
            self._say("assistant", self._assistant(message, where))
        elif role == "user":
            self._say("user", [*blocks_of(message, where), *marks_of(message)])
        elif role == "tool":
            self._say("user", _result(message, where))
        else:
            raise cannot_carry(f"{where}.role", f"'{where}.role' is not one that can be carried to Bedrock.")

    def end(self) -> None:
        """After the last message: instructions alone are what is asked."""
        self._put_later()
        if not self.turns and (said := [block for block in self.system if "text" in block]):
            self.system, self.turns = [], [{"role": "user", "content": said}]

    def _put_later(self) -> None:
        """Later instructions may only stand behind a user's turn; with none there, they join the first ones."""
        if not self._later:
            return
        if self.turns and self.turns[-1]["role"] == "user":
            self.turns.append({"role": "system", "content": self._later})
        else:
            self.system += self._later
        self._later = []

    def _say(self, role: str, blocks: list[Json]) -> None:
        if not blocks:
            return
        if not self.turns or self.turns[-1]["role"] != role:
            self.turns.append({"role": role, "content": blocks})
            self._results = _leading(blocks)
            return
        content: list[Json] = self.turns[-1]["content"]
        if "toolResult" not in blocks[0]:
            if self._results == len(content):
                self._results += _leading(blocks)
            content.extend(blocks)
            return
        # Results come before whatever else the user says.
        content[self._results : self._results] = blocks
        self._results += _leading(blocks)

    def _assistant(self, message: Json, where: str) -> list[Json]:
        for name in ("function_call", "audio"):
            if message.get(name):
                raise cannot_carry(f"{where}.{name}", f"'{where}.{name}' cannot be carried to Bedrock.")
        said = blocks_of(message, where)
        if not said and isinstance(message.get("refusal"), str):
            said = blocks_of({"content": message["refusal"]}, where)
        blocks = _woven(self._thoughts(message.get("reasoning_details")), said)
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise cannot_carry(f"{where}.tool_calls", f"'{where}.tool_calls' must be a list.")
        for place, call in enumerate(calls):
            block = _call(call, f"{where}.tool_calls[{place}]")
            self.called[block["toolUse"]["name"]] = None
            blocks += [block, *marks_of(call)]
        return blocks + marks_of(message)

    def _thoughts(self, details: object) -> list[tuple[int, Json]]:
        """This model's own state as it gave it, each piece with how many characters of text came before it; another's
        is never sent, and thoughts without a seal are refused by the vendor."""
        blocks: list[tuple[int, Json]] = []
        for item in details if isinstance(details, list) else ():
            if not isinstance(item, dict) or item.get("format") != self._format:
                continue
            signature, data, offset = item.get("signature"), item.get("data"), item.get("content_offset")
            place = offset if type(offset) is int else 0
            if item.get("type") == "reasoning.text" and isinstance(signature, str) and signature:
                text = item.get("text")
                thought = {"text": text if isinstance(text, str) else "", "signature": signature}
                blocks.append((place, {"reasoningContent": {"reasoningText": thought}}))
            elif item.get("type") == "reasoning.encrypted" and isinstance(data, str) and data:
                blocks.append((place, {"reasoningContent": {"redactedContent": self._blob(data)}}))
        return blocks

    def _blob(self, data: str) -> str:
        """Sealed data as this wire has it: Claude's is text wherever it runs, another's was base64 from the first."""
        return base64.b64encode(data.encode()).decode() if self._format == CLAUDE_FORMAT else data


def _leading(blocks: list[Json]) -> int:
    """How many blocks are results or their marks, up to the first that is neither."""
    return next((place for place, block in enumerate(blocks) if _RESULTS.isdisjoint(block)), len(blocks))


def _woven(thoughts: list[tuple[int, Json]], said: list[Json]) -> list[Json]:
    """What was thought and said in its order: a text that a thought interrupted is two."""
    blocks: list[Json] = []
    waiting, at = deque(thoughts), 0
    for block in said:
        text = block.get("text")
        rest = text if isinstance(text, str) else ""
        while waiting and waiting[0][0] < max(at + len(rest), 1):
            place, thought = waiting.popleft()
            before, rest = rest[: max(place - at, 0)], rest[max(place - at, 0) :]
            at += len(before)
            if before.strip():
                blocks.append({"text": before})
            blocks.append(thought)
        at += len(rest)
        if "text" not in block:
            blocks.append(block)
        elif rest.strip():
            blocks.append({"text": rest})
    return [*blocks, *(thought for _, thought in waiting)]


def _instructions(message: Json, where: str) -> list[Json]:
    blocks = blocks_of(message, where)
    if "cache_control" in message:
        blocks += marks_of(message)
    for block in blocks:
        if not _IN_INSTRUCTIONS.issuperset(block):
            raise cannot_carry(f"{where}.content", "Instructions can only be text with Bedrock.")
    return blocks


def _call(call: Any, where: str) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise cannot_carry(where, f"'{where}' is not a function call: only those can be carried to Bedrock.")
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = loads(arguments) if arguments.strip() else {}
        except orjson.JSONDecodeError:
            arguments = ""
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise cannot_carry(f"{where}.function.arguments", f"'{where}.function.arguments' must be a JSON object.")
    return {"toolUse": {"toolUseId": safe_id(call.get("id")), "name": function["name"], "input": arguments}}


def _result(message: Json, where: str) -> list[Json]:
    """The result, and behind it the cache point that it or a part of it asks for."""
    said = blocks_of(message, where)
    blocks = [block for block in said if "cachePoint" not in block]
    for block in blocks:
        if not block.keys() <= _IN_RESULTS:
            raise cannot_carry(f"{where}.content", "A tool's result can be text, images, documents and videos.")
    result: Json = {"toolUseId": safe_id(message.get("tool_call_id")), "content": blocks}
    if message.get("is_error") is not None:
        result["status"] = "error" if message["is_error"] else "success"
    marks = marks_of(message) or [block for block in said if "cachePoint" in block][-1:]
    return [{"toolResult": result}, *marks]


def safe_id(call_id: object) -> str:
    """A tool call's id as this wire allows it."""
    text = call_id if isinstance(call_id, str) else ""
    return text if _ID.fullmatch(text) else "tooluse_" + hashlib.sha256(text.encode()).hexdigest()[:24]
