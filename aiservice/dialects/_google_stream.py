"""A streamed answer as Google's `GenerateContentResponse`s: server-sent events, or the items of one JSON array.

Google's calls are always whole, so the pieces of ours are collected until the candidate ends; so is the state of other
vendors, which goes where Google puts its own: on the first call, or else on an empty text at the end.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from aiservice.dialects._base import Outcome, StreamWriter
from aiservice.dialects._google_answer import call_part, candidate_json, usage_of
from aiservice.dialects._google_state import FORMAT, signature_of
from aiservice.errors import BrokerError
from aiservice.wire import EventKind, FinishReason, StreamEvent, ToolCallDelta

Json = dict[str, Any]
ErrorBody = Callable[[BrokerError, str], bytes]

_SSE_END = b"\n\n"
_TEXT_HEAD = b'{"candidates":[{"content":{"parts":[{"text":'
_TEXT_END = b'}],"role":"model"},"index":0}],'


class _Call:
    __slots__ = ("arguments", "call_id", "extra", "name")

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []
        self.extra: Json | None = None


class _Choice:
    """What of one candidate waits for its end."""

    __slots__ = ("calls", "details", "extra", "finish", "open_calls", "thought")

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.open_calls: dict[int, _Call] = {}
        self.details: list[Json] = []
        self.thought: list[str] = []  # since the last detail
        self.extra: Json = {}
        self.finish: FinishReason | None = None

    def note_thought(self, event: StreamEvent) -> None:
        """Keeps a piece of thinking until a signature, or the next item, says what it belongs to."""
        if event.text:
            self.thought.append(event.text)
        item = event.details
        if item is None:
            return
        last = self.details[-1] if self.details else None
        if not self.thought and last is not None and "signature" in item and last.get("type") == item.get("type"):
            # A signature that comes in pieces.
            last["signature"] = str(last.get("signature") or "") + str(item["signature"])
            return
        text, self.thought = "".join(self.thought), []
        if text and not item.get("data"):
            item = {**item, "summary" if item.get("type") == "reasoning.summary" else "text": text}
        self.details.append({**item})

    def note_call(self, delta: ToolCallDelta) -> None:
        call = self.open_calls.get(delta.index)
        # Some servers number every call 0: a second id with a name is a second call.
        is_other = (
            call is not None and delta.call_id and delta.name and delta.call_id != (call.call_id or delta.call_id)
        )
        if call is None or is_other:
            call = self.open_calls[delta.index] = _Call()
            self.calls.append(call)
        call.call_id = call.call_id or delta.call_id
        call.name = call.name or delta.name
        if delta.arguments:
            call.arguments.append(delta.arguments)
        if delta.extra_content is not None:
            call.extra = {**(call.extra or {}), **delta.extra_content}

    def last_parts(self) -> list[Json]:
        """The parts with which the candidate ends."""
        parts = []
        for place, call in enumerate(self.calls):
            part = call_part(call.call_id, call.name, "".join(call.arguments))
            signature = signature_of(self.details if place == 0 else [], call.extra, is_call=place == 0)
            parts.append(part if signature is None else {**part, "thoughtSignature": signature})
        signature = signature_of([] if self.calls else self.details, self.extra or None, is_call=False)
        if signature is not None:
            parts.append({"text": "", "thoughtSignature": signature})
        return parts


class GoogleWriter(StreamWriter):
    """Passes on frames that already are this wire; writes responses from what is not."""

    __slots__ = ("_array", "_choices", "_error", "_outcome", "_passes", "_shows_thoughts", "_text_head", "_text_tail")

    def __init__(self, error: ErrorBody, *, shows_thoughts: bool, is_array: bool) -> None:
        self._error = error
        self._shows_thoughts = shows_thoughts
        self._array = _Array() if is_array else None
        self._choices: dict[int, _Choice] = {}
        self._outcome: Outcome | None = None
        self._passes = False
        self._text_head = _TEXT_HEAD if is_array else b"data: " + _TEXT_HEAD
        self._text_tail = b""

    def start(self, outcome: Outcome) -> bytes:
        self._begin(outcome)
        return b""

    def events(self, events: Iterable[StreamEvent]) -> bytes:
        pieces: list[bytes] = []
        for event in events:
            if event.frame is not None:
                self._passes = True
                pieces.append(event.frame if self._array is None else self._array.items_in(event.frame))
            elif not self._passes:
                if event.kind is EventKind.TEXT and event.choice == 0 and event.details is None and 0 in self._choices:
                    if event.text:  # most events of most streams
                        body = self._text_head + orjson.dumps(event.text) + self._text_tail
                        pieces.append(body if self._array is None else self._array.item(body))
                    continue
                parts = self._take(event)
                if parts:
                    pieces.append(self._written([candidate_json(event.choice, parts, None)]))
        return b"".join(pieces)

    def boundary(self, outcome: Outcome) -> bytes:
        self._begin(outcome)
        self._passes = False
        return b""

    def done(self, outcome: Outcome) -> bytes:
        return (b"" if self._passes else self._last(outcome)) + self._closing()

    def exhausted(self, choices: int, outcome: Outcome) -> bytes:
        for number in range(choices):
            self._choices.setdefault(number, _Choice()).finish = "budget_exhausted"
        return self._last(outcome) + self._closing()

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        body = self._error(error, outcome.request_id)
        if self._array is None:
            return b"data: " + body + _SSE_END
        return self._array.item(body) + self._closing()

    def keep_alive(self) -> bytes:
        """White space: Google's own libraries take a comment for a part of the answer."""
        return b"\n\n"

    def _begin(self, outcome: Outcome) -> None:
        self._outcome = outcome
        about = orjson.dumps({"modelVersion": outcome.model, "responseId": outcome.request_id})
        self._text_tail = _TEXT_END + about[1:] + (_SSE_END if self._array is None else b"")

    def _take(self, event: StreamEvent) -> list[Json]:
        """The parts that can be told at once."""
        kind = event.kind
        choice = self._choices.get(event.choice)
        if choice is None:
            choice = self._choices[event.choice] = _Choice()
        if kind is EventKind.TEXT:
            if event.details is not None:
                choice.extra |= event.details
            return [{"text": event.text}] if event.text else []
        if kind is EventKind.REASONING:
            return self._thought(event, choice)
        if kind is EventKind.TOOL_CALL and event.tool_call is not None:
            choice.note_call(event.tool_call)
        elif kind is EventKind.REFUSAL:
            choice.finish = "content_filter"
            return [{"text": event.text}] if event.text else []
        elif kind is EventKind.FINISH:
            choice.finish = choice.finish or event.finish_reason
        return []

    def _thought(self, event: StreamEvent, choice: _Choice) -> list[Json]:
        item = event.details
        if self._shows_thoughts and item is not None and item.get("format") == FORMAT and item.get("signature"):
            choice.thought.clear()
            return [{"text": event.text, "thought": True, "thoughtSignature": item["signature"]}]
        choice.note_thought(event)
        return [{"text": event.text, "thought": True}] if self._shows_thoughts and event.text else []

    def _last(self, outcome: Outcome) -> bytes:
        """Every candidate's end, with what all of it cost."""
        choices = self._choices or {0: _Choice()}
        candidates = [
            candidate_json(number, choice.last_parts(), choice.finish or outcome.finish_reason or "stop")
            for number, choice in sorted(choices.items())
        ]
        self._outcome = outcome
        return self._written(candidates, usage_of(outcome.usage))

    def _written(self, candidates: list[Json], usage: Json | None = None) -> bytes:
        outcome = self._outcome
        assert outcome is not None  # noqa: S101 - start() comes first
        said: Json = {"candidates": candidates}
        if usage is not None:
            said["usageMetadata"] = usage
        said |= {"modelVersion": outcome.model, "responseId": outcome.request_id}
        body = orjson.dumps(said)
        return b"data: " + body + _SSE_END if self._array is None else self._array.item(body)

    def _closing(self) -> bytes:
        return b"" if self._array is None else self._array.end()


class _Array:
    """Writes the items of one JSON array."""

    __slots__ = ("_has_begun",)

    def __init__(self) -> None:
        self._has_begun = False

    def item(self, body: bytes) -> bytes:
        start = b",\r\n" if self._has_begun else b"["
        self._has_begun = True
        return start + body

    def items_in(self, frame: bytes) -> bytes:
        """The items for the events of a frame."""
        found = []
        for block in frame.split(b"\n\n"):
            lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
            if lines:
                found.append(self.item(b"\n".join(lines)))
        return b"".join(found)

    def end(self) -> bytes:
        return b"]" if self._has_begun else b"[]"
