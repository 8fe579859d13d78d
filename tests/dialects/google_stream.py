"""What a client of Google's wire makes of a stream: events or one array, folded into one response."""

from dataclasses import dataclass, field
from typing import Any

import orjson

Json = dict[str, Any]


@dataclass
class Folded:
    """The first candidate of all responses. `error` is what it broke off with."""

    text: str = ""
    thoughts: str = ""
    calls: list[Json] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    finish: str | None = None
    usage: Json = field(default_factory=dict)
    error: Json | None = None


def read_events(body: bytes) -> list[Json]:
    """The objects of server-sent events, each of one line of data."""
    blocks = body.replace(b"\r\n", b"\n").split(b"\n\n")
    assert all(not block.strip() or block.strip().startswith(b"data: ") for block in blocks)
    return [orjson.loads(block.strip()[6:]) for block in blocks if block.strip()]


def fold(said: list[Json]) -> Folded:
    """One response of many."""
    found = Folded()
    for one in said:
        if "error" in one:
            found.error = one["error"]
            continue
        found.usage = one.get("usageMetadata", found.usage)
        for candidate in one.get("candidates", []):
            if candidate.get("index", 0) != 0:  # protobuf leaves zeros out
                continue
            found.finish = candidate.get("finishReason", found.finish)
            for part in candidate.get("content", {}).get("parts", []):
                if "functionCall" in part:
                    found.calls.append(part["functionCall"])
                elif part.get("thought"):
                    found.thoughts += part.get("text", "")
                else:
                    found.text += part.get("text", "")
                if "thoughtSignature" in part:
                    found.signatures.append(part["thoughtSignature"])
    return found
