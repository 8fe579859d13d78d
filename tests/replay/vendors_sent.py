"""What reached Cohere, Bedrock and Ollama, held to what the recorded client had sent there: both read the same way.

Left out is what says nothing (an empty list, what is the usual anyway), and what is ours by a rule of our own, which
stands beside it.
"""

import json
from typing import Any

from tests.replay.asking import OF_BEDROCK

Json = dict[str, Any]

_SAYING_NOTHING: tuple[Any, ...] = (None, "", [], {}, False)


def cohere_meant(body: Json) -> Json:
    """A request of /v2/chat, or of /v2/embed: there vectors are asked for as numbers, whatever their client wants, and
    a text that does not fit is an error."""
    meant = _said(body, without=("embedding_types", "truncate"))
    if "messages" in meant:
        meant["messages"] = [_said(message) for message in meant["messages"]]
    return meant


def ollama_meant(body: Json) -> Json:
    """A request of /api/chat or /api/generate. A prompt that does not fit is an error (`truncate`), and calls have the
    ids of our client, which older releases do without. `stream` is true where nothing is said."""
    meant = _said(body, without=("truncate",))
    meant["stream"] = body.get("stream", True)
    meant["messages"] = [_of_ollama(message) for message in meant.get("messages") or ()]
    return meant


def _of_ollama(message: Json) -> Json:
    meant = _said(message, without=("tool_call_id", "tool_name"))
    if calls := meant.get("tool_calls"):
        meant["tool_calls"] = [[call["function"]["name"], call["function"]["arguments"]] for call in calls]
    return meant


def converse_meant(body: Json) -> Json:
    """A request of Converse, or of a model that takes the same by InvokeModel. Turns of one speaker that follow each
    other are one, which is what Converse demands; the thoughts of an earlier turn are another test's."""
    meant = _said(body, without=("schemaVersion",))
    meant["inferenceConfig"] = _said(body.get("inferenceConfig") or {})
    tools = dict(body.get("toolConfig") or {})
    if tools.get("toolChoice") == {"auto": {}}:
        del tools["toolChoice"]
    meant["toolConfig"] = tools
    form = (body.get("outputConfig") or {}).get("textFormat")
    meant["outputConfig"] = json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None
    turns: list[Json] = []
    for message in body.get("messages") or ():
        blocks = [_plain(block) for block in message["content"] if "reasoningContent" not in block]
        if turns and turns[-1]["role"] == message["role"]:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message["role"], "content": blocks})
    meant["messages"] = turns
    return meant


def _plain(block: Json) -> Json:
    """A block; of a result without the status that is the usual one, its JSON as text, which chat has alone."""
    result = block.get("toolResult")
    if result is None:
        return block
    said = [{"text": json.dumps(one["json"])} if "json" in one else one for one in result["content"]]
    kept = {name: value for name, value in result.items() if (name, value) != ("status", "success")}
    return {"toolResult": {**kept, "content": said}}


def claude_meant(body: Json) -> Json:
    """A request of Claude's by InvokeModel, without what other addresses say in headers."""
    return {name: value for name, value in body.items() if name not in OF_BEDROCK}


def _said(body: Json, without: tuple[str, ...] = ()) -> Json:
    return {name: value for name, value in body.items() if name not in without and value not in _SAYING_NOTHING}
