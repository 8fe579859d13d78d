"""Answers of Interactions told as generateContent tells them, which is read already: steps are parts."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import OversizedEvent, SseEvent, SseSplitter, data_frame
from aiservice.providers._base import AttemptFailed, StreamReader
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._gemini.stream import GeminiStreamReader
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent

_FINISH = {"completed": "STOP", "requires_action": "STOP", "incomplete": "MAX_TOKENS"}
_COUNTS = {
    "total_input_tokens": "promptTokenCount",
    "total_output_tokens": "candidatesTokenCount",
    "total_thought_tokens": "thoughtsTokenCount",
    "total_cached_tokens": "cachedContentTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount",
}
_MAX_CALL_CHARACTERS = 4 << 20


def generated(raw: bytes) -> bytes:
    """A whole interaction as an answer of generateContent.

    Raises:
        AttemptFailed: it is none, or is not at its end.
    """
    try:
        said = loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(said, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    if said.get("error"):
        return raw
    steps = said.get("steps")
    parts = (
        [part for step in steps if isinstance(step, dict) for part in _parts(step)] if isinstance(steps, list) else []
    )
    failure = _failure_of(said)
    if failure is not None:
        raise AttemptFailed(failure)
    return orjson.dumps(_response(parts, said))


class InteractionStreamReader(StreamReader):
    """One stream. It is whole when `interaction.completed` came; a call is told when its step has ended."""

    __slots__ = ("_calls", "_has_failed", "_inner", "_splitter", "is_finished")

    def __init__(self, *, is_one_call: bool) -> None:
        self._splitter = SseSplitter()
        self._inner = GeminiStreamReader(1, is_one_call=is_one_call)
        self._calls: dict[Any, list[Any]] = {}  # by their step's place: id, name, arguments as given, as streamed
        self._has_failed = False
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed:
            return []
        try:
            return self._read_all(self._splitter.feed(chunk))
        except OversizedEvent:
            return [self._failed(invalid_answer("an event of its stream was too large"))]

    def end(self) -> list[StreamEvent]:
        if self._has_failed:
            return []
        try:
            events = self._read_all(self._splitter.end())
        except OversizedEvent:
            return [self._failed(invalid_answer("an event of its stream was too large"))]
        if events and events[-1].kind is EventKind.ERROR:
            return events
        events += self._inner.end()
        self.is_finished = self._inner.is_finished
        return events

    def _read_all(self, frames: list[SseEvent]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for frame in frames:
            if frame.data == b"[DONE]":
                continue
            try:
                said = loads(frame.data)
            except orjson.JSONDecodeError:
                return [*events, self._failed(invalid_answer("its stream held something that is not JSON"))]
            if not isinstance(said, dict):
                return [*events, self._failed(invalid_answer("its stream held something that is no event"))]
            response, failure = self._told(said)
            if failure is not None:
                return [*events, self._failed(failure)]
            if response is not None:
                events += self._inner.feed(data_frame(orjson.dumps(response)))
                if events and events[-1].kind is EventKind.ERROR:
                    self._has_failed = True
                    return events
        return events

    def _told(self, event: Json) -> tuple[Json | None, AttemptFailure | None]:
        """What an event is in generateContent's words, or why the stream failed with it."""
        kind, place = event.get("event_type"), event.get("index")
        if not isinstance(place, int):
            place = 0
        if event.get("error"):
            return {"error": event["error"]}, None
        if kind == "step.start":
            return self._begun(event.get("step"), place), None
        if kind == "step.delta":
            return self._moved(event.get("delta"), place)
        if kind == "step.stop" and place in self._calls:
            return self._called(place)
        if kind == "interaction.completed":
            said = event.get("interaction")
            said = said if isinstance(said, dict) else {}
            failure = _failure_of(said)
            return (None, failure) if failure is not None else (_response([], said), None)
        return None, None

    def _begun(self, step: Any, place: int) -> Json | None:
        if not isinstance(step, dict):
            return None
        if step.get("type") == "function_call":
            self._calls[place] = [step.get("id"), step.get("name"), step.get("arguments"), []]
            return None
        parts = _parts(step)
        return _candidate(parts) if parts else None

    def _moved(self, delta: Any, place: int) -> tuple[Json | None, AttemptFailure | None]:
        if not isinstance(delta, dict):
            return None, None
        kind = delta.get("type")
        if kind == "arguments_delta" and place in self._calls:
            pieces = self._calls[place][3]
            pieces.append(str(delta.get("arguments") or ""))
            if sum(map(len, pieces)) > _MAX_CALL_CHARACTERS:
                return None, invalid_answer("a call of its stream was too large")
            return None, None
        part = _moved_part(delta)
        return (None if part is None else _candidate([part])), None

    def _called(self, place: int) -> tuple[Json | None, AttemptFailure | None]:
        call_id, name, arguments, pieces = self._calls.pop(place)
        if pieces:
            try:
                arguments = loads("".join(pieces) or "{}")
            except orjson.JSONDecodeError:
                return None, invalid_answer("the arguments of its call were not JSON")
        return _candidate([_call(call_id, name, arguments)]), None

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


def _moved_part(delta: Json) -> Json | None:
    kind, text = delta.get("type"), delta.get("text")
    if kind == "text" and isinstance(text, str):
        return {"text": text}
    if kind == "thought_summary":
        content = delta.get("content")
        said = content.get("text") if isinstance(content, dict) else text
        return {"text": said, "thought": True} if isinstance(said, str) else None
    if kind == "thought_signature" and isinstance(delta.get("signature"), str):
        return {"text": "", "thought": True, "thoughtSignature": delta["signature"]}
    return None


def _parts(step: Json) -> list[Json]:
    kind = step.get("type")
    if kind == "function_call":
        return [_call(step.get("id"), step.get("name"), step.get("arguments"))]
    if kind == "thought":
        summary = step.get("summary")
        texts = [one.get("text") for one in summary if isinstance(one, dict)] if isinstance(summary, list) else []
        text = "".join(one for one in texts if isinstance(one, str))
        signature = step.get("signature")
        signed = {"thoughtSignature": signature} if isinstance(signature, str) and signature else {}
        return [{"text": text, "thought": True, **signed}] if text or signed else []
    if kind != "model_output":
        return []  # what the service itself looked up: its words are in the answer
    content = step.get("content")
    texts = [one.get("text") for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    return [{"text": text} for text in texts if isinstance(text, str)]


def _call(call_id: Any, name: Any, arguments: Any) -> Json:
    made: Json = {"name": name, "args": arguments if isinstance(arguments, dict) else {}}
    return {"functionCall": {**made, "id": call_id} if isinstance(call_id, str) and call_id else made}


def _candidate(parts: list[Json]) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]}


def _failure_of(said: Json) -> AttemptFailure | None:
    status = said.get("status")
    if type(status) is str and status in _FINISH:
        return None
    if status in ("in_progress", "cancelled", "failed", "requires_continuation"):
        return cut_short()
    return invalid_answer("its answer had no status that is known")


def _response(parts: list[Json], said: Json) -> Json:
    made = _candidate(parts)
    made["candidates"][0]["finishReason"] = _FINISH[said["status"]]
    usage = said.get("usage")
    if isinstance(usage, dict):
        made["usageMetadata"] = {ours: usage[theirs] for theirs, ours in _COUNTS.items() if theirs in usage}
    names = {"model": "modelVersion", "id": "responseId"}
    return made | {ours: said[theirs] for theirs, ours in names.items() if isinstance(said.get(theirs), str)}
