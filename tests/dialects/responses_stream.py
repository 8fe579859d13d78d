"""Adds up a stream of the Responses API as its libraries do, and holds it to what its documentation promises."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from aiservice.kit.sse import SseSplitter

Json = dict[str, Any]


@dataclass
class Folded:
    """What the events say: the items as they grew piece by piece, and the response that ended it."""

    output: list[Json] = field(default_factory=list)
    final: Json | None = None
    error: Json | None = None
    kinds: list[str] = field(default_factory=list)


def read_events(body: bytes) -> list[Json]:
    """The events of `body`; each is named as it says itself, and numbered one after the other from 0."""
    splitter = SseSplitter()
    frames = [*splitter.feed(body), *splitter.end()]
    events = [orjson.loads(frame.data) for frame in frames]
    assert [frame.name.decode() for frame in frames] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def read_stream(body: bytes) -> Folded:
    """Adds up the events of `body` from their pieces alone; what ends a piece must say what the pieces said."""
    folded = Folded()
    for event in read_events(body):
        kind = event["type"].removeprefix("response.")
        folded.kinds.append(kind)
        if kind in ("completed", "incomplete", "failed"):
            folded.final = event["response"]
        elif kind == "error":
            folded.error = event["error"]
        elif "output_index" in event:
            _take(folded.output, kind, event)
    return folded


def _take(output: list[Json], kind: str, event: Json) -> None:
    index = event["output_index"]
    if kind == "output_item.added":
        assert index == len(output), "items begin in order"
        output.append(orjson.loads(orjson.dumps(event["item"])))
        return
    item = output[index]
    if kind == "output_item.done":
        ended = event["item"]
        grown = {**item, "status": ended.get("status"), "encrypted_content": ended.get("encrypted_content")}
        if item["type"] == "function_call" and not item["arguments"].strip():
            grown["arguments"] = ended["arguments"]
        assert {k: v for k, v in grown.items() if v is not None} == {k: v for k, v in ended.items() if v is not None}
        output[index] = ended
        return
    assert event["item_id"] == item["id"]
    place: Any = event.get("content_index", event.get("summary_index"))
    parts: list[Json] = item.get("content" if "content_index" in event else "summary", [])
    if kind.endswith("part.added"):
        assert place == len(parts)
        parts.append(event["part"])
    elif kind in ("output_text.delta", "reasoning_summary_text.delta"):
        parts[place]["text"] += event["delta"]
    elif kind == "refusal.delta":
        parts[place]["refusal"] += event["delta"]
    elif kind == "function_call_arguments.delta":
        item["arguments"] += event["delta"]
    elif kind == "custom_tool_call_input.delta":
        item["input"] += event["delta"]
    elif kind in ("output_text.done", "reasoning_summary_text.done"):
        assert parts[place]["text"] == event["text"]
    elif kind.endswith("part.done"):
        assert parts[place] == event["part"]
