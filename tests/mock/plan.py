"""What one answer will say, worked out from request and script before any shape is given to it."""

import base64
import hashlib
import json
import re
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.mock.script import DEFAULT_WORDS, Json, Script, last_message, text_of

MODELS = ("mock-small", "mock-large", "mock-embedding")
DIMENSIONS = 8
CREATED = 1_790_000_000
_VOCABULARY = ["the", "gate", "keeps", "every", "key", "and", "counts", "each", "word", "that", "passes", "through"]
_THOUGHT = "First I count the words"


@dataclass(slots=True)
class Tokens:
    """The mock's own count: words between spaces. `cached` is a part of `given`, `thought` a part of `made`."""

    given: int
    made: int
    cached: int = 0
    thought: int = 0


@dataclass(slots=True)
class Plan:
    """An answer before it has a shape. `body` is the request in OpenAI's form, whatever the client spoke."""

    body: Json
    number: int
    words: list[str]
    calls: list[Json]
    thought: str
    reason: Literal["stop", "length", "tool_calls"]
    tokens: Tokens | None
    is_usage_bad: bool
    model: str = field(default="")

    @property
    def text(self) -> str:
        return "".join(self.words)


def plan_of(body: Json, script: Script, number: int) -> Plan:
    """The plan for a request in OpenAI's form."""
    calls = _wanted_tools(body, script)
    words = [] if calls else _words_of(body, script)
    cap = _cap(body)
    is_cut = bool(cap) and not calls and script.number("words", DEFAULT_WORDS) > cap
    thought = _THOUGHT if script.says("think") else ""
    thoughts = len(thought.split())
    tokens = Tokens(count_tokens(body), (len(words) or len(calls)) + thoughts, script.number("cache", 0), thoughts)
    return Plan(
        body,
        number,
        words,
        calls,
        thought,
        "tool_calls" if calls else "length" if is_cut else "stop",
        None if script.says("no-usage") else tokens,
        script.says("bad-usage"),
        str(body.get("model")),
    )


def count_tokens(body: Json) -> int:
    """The mock's tokenizer: words between spaces, of all messages or inputs."""
    texts = [text_of(m.get("content")) for m in body.get("messages", []) if isinstance(m, dict)]
    given = body.get("input", [])
    texts += [given] if isinstance(given, str) else [t for t in given if isinstance(t, str)]
    return sum(len(text.split()) for text in texts)


def embedded_inputs(body: Json) -> list[Any]:
    given = body.get("input", "")
    return given if isinstance(given, list) and not (given and isinstance(given[0], int)) else [given]


_NEAR = re.compile(r"\(near-(\w+)\)")


def vector(text: object, dimensions: int = DIMENSIONS) -> list[float]:
    """`dimensions` numbers in [-1, 1] that are exact in 32 bits, so that base64 and JSON carry the same. A text with
    `(near-WORD)` in it is near every other that has the same word there."""
    if near := _NEAR.search(str(text)):
        away = vector(str(text).replace(near[0], ""), dimensions)
        return [number + step / 16 for number, step in zip(vector(near[1], dimensions), away, strict=True)]
    digest = hashlib.shake_128(repr(text).encode()).digest(dimensions)
    return [(byte - 128) / 128 for byte in digest]


def packed(numbers: list[float]) -> str:
    """Little-endian 32-bit floats in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def _cap(body: Json) -> int:
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 0)


def _words_of(body: Json, script: Script) -> list[str]:
    """The words of the answer, each but the first with its leading space."""
    last = last_message(body)
    if last.get("role") == "tool":
        plain = ["The", "tool", "said:", *text_of(last.get("content")).split()]
    elif script.says("json") or _is_for_a_city(body):
        plain = ['{"city":', '"Bern"}']
    elif script.says("echo"):
        plain = text_of(last.get("content")).split()
    else:
        count = script.number("words", DEFAULT_WORDS)
        plain = [_VOCABULARY[i % len(_VOCABULARY)] for i in range(count)]
    plain = plain[: _cap(body)] if _cap(body) else plain
    return [word if i == 0 else " " + word for i, word in enumerate(plain)]


def _wanted_tools(body: Json, script: Script) -> list[Json]:
    """The tool calls of the answer: what the script says, if the request brings tools and no result yet."""
    if not body.get("tools") or last_message(body).get("role") == "tool":
        return []
    wanted = script.tools or _forced_tool(body)
    return [
        {"id": f"call_{number}_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for number, (name, given) in enumerate(wanted)
    ]


def _forced_tool(body: Json) -> tuple[tuple[str, Json], ...]:
    """The first tool, for Bern, where the request says that one has to be called: in OpenAI's and Anthropic's form."""
    choice, tool = body.get("tool_choice"), body["tools"][0]
    name = tool.get("function", tool).get("name") if isinstance(tool, dict) else None
    is_forced = choice == "required" or (isinstance(choice, dict) and choice.get("type") == "any")
    return ((name, {"city": "Bern"}),) if is_forced and name else ()


def _is_for_a_city(body: Json) -> bool:
    """Whether the answer has to be an object that holds a city and nothing else: in the same two forms."""
    form: Json = body.get("response_format") or (body.get("output_config") or {}).get("format") or {}
    schema: Json = (form.get("json_schema") or form).get("schema") or {}
    return bool(schema.get("required") == ["city"])
