"""What the provider was sent, held to what the recorded client had sent it: nothing lost, nothing invented."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.mock.connection import Request
from tests.replay import openai_reference, wires
from tests.replay.asking import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    GENERATE,
    IMAGES,
    MESSAGES,
    MODERATIONS,
    RERANK,
    RESPONSES,
    SPEECH,
    TRANSCRIPTION,
    Way,
    is_made_up,
    is_well_formed,
)
from tests.replay.gemini_reference import camel
from tests.replay.gemini_sent import gemini_differences
from tests.replay.media_sent import media_meant
from tests.replay.traffic import Json, Recording
from tests.replay.vendors_sent import claude_meant, cohere_meant, converse_meant, ollama_meant

_SAME_WIRES = {
    (wires.OPENAI_CHAT, CHAT),
    (wires.OPENAI_EMBEDDINGS, EMBEDDINGS),
    (wires.ANTHROPIC, MESSAGES),
    (wires.OPENAI_RESPONSES, RESPONSES),
    (wires.OPENAI_COMPLETIONS, COMPLETIONS),
}
_MEANT: dict[tuple[str, Way], Callable[[Json], Json]] = {
    (wires.COHERE_CHAT, CHAT): cohere_meant,
    (wires.COHERE_EMBED, EMBEDDINGS): cohere_meant,
    (wires.RERANK, RERANK): dict,
    (wires.OLLAMA_CHAT, CHAT): ollama_meant,
    (wires.OLLAMA_GENERATE, COMPLETIONS): ollama_meant,
    (wires.BEDROCK_CONVERSE, CHAT): converse_meant,
    (wires.BEDROCK_INVOKE, CHAT): converse_meant,
    (wires.BEDROCK_INVOKE, MESSAGES): claude_meant,
}
_MEDIA = frozenset({IMAGES, SPEECH, TRANSCRIPTION, MODERATIONS})
_SPLIT = re.compile(r"[/:]")


def request_differences(recording: Recording, way: Way, request: Request) -> list[str]:
    """What is wrong with the request that reached the provider; only a recorded request of a wire we can compare is."""
    place = recording.url.split("?")[0].removesuffix("#stream")
    if recording.wire == wires.BEDROCK_INVOKE and "claude" not in place:
        place = place.replace("/invoke", "/converse")  # the same model, answering in the same words
    if place and _SPLIT.split(request.path)[-1] != _SPLIT.split(place)[-1]:
        return [f"sent to {request.path}"]
    if way in _MEDIA and (recording.request or recording.raw_request) and "url" not in (recording.request or ()):
        return _lost_or_invented(*media_meant(recording, request))
    if "/v1/prompts/" in place or not is_well_formed(recording.request):
        return []
    if is_made_up(recording) or _is_in_other_words(recording, way):
        return []
    if (meant := _MEANT.get((recording.wire, way))) is not None:
        return _lost_or_invented(meant(recording.request), meant(request.body))
    if (recording.wire, way) in _SAME_WIRES:
        sent = _meant(request.body)
        recorded = _meant(recording.request)
        if way is RESPONSES:
            _leave_out_our_own(recording.request, sent)
            recorded["input"], sent["input"] = _plain_items(recorded["input"]), _plain_items(sent["input"])
        if way is COMPLETIONS and recording.is_stream:
            recorded["stream"] = True  # one recorder lost it
        if "/deployments/" in place and "model" not in recording.request:
            sent.pop("model")  # it is in the address there
        return _lost_or_invented(recorded, sent)
    if (recording.wire, way) == (wires.GEMINI, GENERATE):
        return _lost_or_invented(camel(recording.request), camel(request.body))  # either spelling is Google's
    if recording.wire == wires.OPENAI_RESPONSES and way is CHAT:
        return _lost_or_invented(_of_responses(recording.request), _of_responses(request.body))
    if (recording.wire, way) in {(wires.GEMINI, CHAT), (wires.GEMINI_EMBEDDINGS, EMBEDDINGS)}:
        return gemini_differences(recording.request, request.body)
    return []


def _is_in_other_words(recording: Recording, way: Way) -> bool:
    """Whether a model had words of its own by InvokeModel, which are not those that it is asked in."""
    if recording.wire != wires.BEDROCK_INVOKE:
        return False
    return ("anthropic_version" if way is MESSAGES else "messages") not in recording.request


def _leave_out_our_own(recorded: Json, sent: Json) -> None:
    """A conversation is kept by us, and so not by the vendor, who is asked for the state that it would keep."""
    if "store" not in recorded:
        sent.pop("store", None)
    if "include" in sent:
        sent["include"] = [name for name in sent["include"] if name != "reasoning.encrypted_content"]
        if not sent["include"] and "include" not in recorded:
            del sent["include"]
    if "reasoning.encrypted_content" in (recorded.get("include") or ()):
        sent["include"] = recorded["include"]


def _plain_items(given: Any) -> Any:
    """Items without what says nothing: a kind that is the usual one, a status, a field of null."""
    if not isinstance(given, list):
        return given
    nothing = {("type", "message"), ("status", "completed")}
    given = [item for item in given if item.get("type") != "reasoning" or item.get("content") or _state_of(item)]
    return [
        {name: value for name, value in item.items() if value is not None and (name, str(value)) not in nothing}
        for item in given
    ]


def _state_of(item: Json) -> Any:
    """What a reasoning item holds; by its id alone it is found by nobody who was told to store nothing."""
    return item.get("encrypted_content")


def _lost_or_invented(recorded: Json, sent: Json) -> list[str]:
    return [
        f"sent {name}: {json.dumps(sent.get(name), default=repr)[:300]} is not "
        f"{json.dumps(recorded.get(name), default=repr)[:300]}"
        for name in sorted(recorded.keys() | sent.keys())
        if recorded.get(name) != sent.get(name)
    ]


def _meant(body: Json) -> Json:
    """Without what says nothing (a stream that is not wanted), and without the usage that is always asked for."""
    plain = {name: value for name, value in body.items() if not (name == "stream" and value is False)}
    options = dict(plain.pop("stream_options", None) or {})
    options.pop("include_usage", None)
    return {**plain, "stream_options": options} if options else plain


def _of_responses(body: Json) -> Json:
    """A request of the Responses API as far as chat has words for it: its items one by one, and its tools."""
    tools = [tool for tool in body.get("tools") or [] if tool["type"] == "function"]
    meant: Json = {
        "items": list(_items(body)),
        "tools": [{k: tool.get(k) for k in ("name", "description", "parameters")} for tool in tools],
        "format": (body.get("text") or {}).get("format") or {"type": "text"},
        "effort": (body.get("reasoning") or {}).get("effort"),
        "temperature": body.get("temperature"),
        "limit": body.get("max_output_tokens"),
        "stream": bool(body.get("stream")),
    }
    if meant["format"]["type"] == "json_schema":
        meant["format"] = {name: value for name, value in meant["format"].items() if value is not None}
    return meant


def _items(body: Json) -> Iterator[Any]:
    if body.get("instructions"):
        yield ["message", "system", [["text", body["instructions"]]]]
    given = body["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = item.get("type", "message")
        if kind == "message" and item["content"]:  # a message of nothing says nothing
            yield [kind, item["role"], _parts(item["content"])]
        elif kind == "function_call":
            yield [kind, item["call_id"], item["name"], openai_reference.parsed(item["arguments"])]
        elif kind == "function_call_output":
            yield [kind, item["call_id"], _parts(item["output"])]
        elif kind == "reasoning" and item.get("encrypted_content"):
            yield [kind, item.get("id"), item["encrypted_content"]]


def _parts(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [["text", content]]
    return [
        ["text", part["text"]]
        if "text" in part
        else [part["type"], {k: v for k, v in part.items() if k != "type" and v}]
        for part in content
    ]
