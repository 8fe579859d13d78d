"""Reads an OpenAI-shaped chat stream. Bears every recorded habit: see the notes beside each."""

from collections.abc import Callable
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import OversizedEvent, SseEvent, SseSplitter, data_frame
from aiservice.providers._base import StreamReader
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._openai_alike import Alike, alike
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_mended import arguments_of, mend_delta, mend_piece, text_in, thinking_in
from aiservice.wire import AttemptFailure, EventKind, FinishReason, StreamEvent, ToolCallDelta, Usage

_DONE = b"[DONE]"
_MOST_LOOKS = 4  # at what a stream's chunks have in common: where they differ each time, no more is looked for
# A member of an Enum takes seven times as long to get at as a name does, and these are got at for each event.
_TEXT, _USAGE = EventKind.TEXT, EventKind.USAGE


class ChatStreamReader(StreamReader):
    """One stream. It is whole when a choice has finished (some servers close without `[DONE]`) or `[DONE]` came."""

    __slots__ = (
        "_alike",
        "_calls",
        "_choices",
        "_finish_of",
        "_finished",
        "_has_failed",
        "_has_read",
        "_is_cut_short",
        "_is_mended",
        "_keeps_frames",
        "_last",
        "_looks",
        "_splitter",
        "_started",
        "_usage_of",
        "is_finished",
    )

    def __init__(
        self,
        finish_of: Callable[[object], FinishReason | None],
        usage_of: Callable[[object], tuple[Usage | None, bool]],
        choices: int = 1,
        *,
        keeps_frames: bool = True,
    ) -> None:
        self._choices = choices
        self._keeps_frames = keeps_frames
        self._finish_of = finish_of
        self._usage_of = usage_of
        self._splitter = SseSplitter()
        self._started: set[int] = set()
        self._finished: set[int] = set()
        self._calls: set[tuple[int, int]] = set()  # choice and place of the tool calls that have begun
        self._is_mended = False  # whether the chunk at hand was not as OpenAI would send it, and has been changed
        self._last: dict[str, Any] = {}
        self._alike: Alike | None = None
        self._looks = 0
        self._has_failed = False
        self._is_cut_short = False
        self._has_read = False
        self.is_finished = False

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        alike_one = self._alike
        if alike_one is not None and self._splitter.is_between and (event := alike_one.read(chunk)) is not None:
            return [event]
        if self._has_failed:
            return []
        try:
            frames = self._splitter.feed(chunk)
        except OversizedEvent:
            return [self._failed(invalid_answer("an event of its stream was too large"))]
        return self._read_all(frames)

    def end(self) -> list[StreamEvent]:
        if self._has_failed:
            return []
        if not self._has_read and self._splitter.rest.strip():
            return [self._failed(_not_a_stream(self._splitter.rest))]
        try:
            events = self._read_all(self._splitter.end())
        except OversizedEvent:
            events = [self._failed(invalid_answer("an event of its stream was too large"))]
        # Not `[DONE]` but a finish reason for every choice that was asked for says that the text is whole.
        if events and events[-1].kind is EventKind.ERROR:
            return events
        if len(self._finished) >= max(self._choices, 1) and self._started <= self._finished:
            self.is_finished = True
        return events

    def _read_all(self, frames: list[SseEvent]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        self._has_read = self._has_read or bool(frames)
        for frame in frames:
            if self._alike is not None and (event := self._alike.read(frame.frame)) is not None:
                events.append(event)
                continue
            if frame.data == _DONE:
                if not self._started:  # an end of nothing is no answer
                    events.append(self._failed(invalid_answer("its stream ended before an answer began")))
                    break
                self.is_finished = True
                events.extend(self._unsaid_finishes())
                events.append(StreamEvent(EventKind.END))
                continue
            first = len(events)
            self._read_one(frame, events)
            if self._has_failed:
                break
            if self._looks < _MOST_LOOKS and len(events) == first + 1 and events[first].kind is _TEXT:
                self._looks += 1
                self._alike = alike(frame.frame, events[first], keeps_frames=self._keeps_frames)
        return events

    def _read_one(self, frame: SseEvent, events: list[StreamEvent]) -> None:
        try:
            chunk = loads(frame.data)
        except orjson.JSONDecodeError:
            events.append(self._failed(invalid_answer("its stream held something that is not JSON")))
            return
        if type(chunk) is not dict:
            events.append(self._failed(invalid_answer("its stream held something that is no event")))
            return
        if chunk.get("error") or frame.name == b"error" or chunk.get("object") == "error":
            events.append(self._failed(failure_from_body(200, chunk, {})))
            return
        first = len(events)
        self._is_mended = False
        self._last = chunk
        choices = chunk.get("choices")
        if type(choices) is list:
            for choice in choices:
                if type(choice) is dict:
                    self._read_choice(choice, events)
                    # What we have no event for (audio) must not be dropped with a usage nobody asked for.
                    if len(events) == first and choice.get("delta"):
                        events.append(StreamEvent(EventKind.OTHER))
        if chunk.get("usage") or "x_groq" in chunk:
            self._read_usage(chunk, events)
        # A chunk without choices and without usage is padding or a filter's verdict: it is never passed on.
        if choices and len(events) == first:
            events.append(StreamEvent(EventKind.OTHER))
        if self._is_cut_short:
            events.append(self._failed(cut_short()))
        elif self._keeps_frames and len(events) > first and not _is_nonsense(events[first]):
            events[first].frame = data_frame(orjson.dumps(chunk)) if self._is_mended else frame.frame

    def _read_usage(self, chunk: dict[str, Any], events: list[StreamEvent]) -> None:
        reported = chunk.get("usage")
        if not reported:
            groq = chunk.get("x_groq")
            reported = groq.get("usage") if type(groq) is dict else None
        usage, is_valid = self._usage_of(reported)
        if usage is not None or not is_valid:
            events.append(StreamEvent(EventKind.USAGE, usage=usage))

    def _read_choice(self, choice: dict[str, Any], events: list[StreamEvent]) -> None:
        number = choice.get("index")
        if type(number) is not int:
            number = 0
        self._started.add(number)
        delta = choice.get("delta")
        if type(delta) is dict and delta:
            content = delta.get("content")
            is_in_parts = type(content) is list
            if is_in_parts:
                if thought := thinking_in(content):
                    events.append(StreamEvent(EventKind.REASONING, thought, number))
                content = text_in(content)
            if content and type(content) is str:
                events.append(StreamEvent(_TEXT, content, number))
            if len(delta) > 1 or not content:
                _read_rest_of_delta(delta, number, events)
                calls = delta.get("tool_calls")
                if calls and type(calls) is list:
                    self._read_calls(calls, number, events)
            if is_in_parts:
                mend_delta(delta)
                self._is_mended = True
        if choice.get("finish_reason"):
            self._read_finish(choice, number, events)

    def _read_finish(self, choice: dict[str, Any], number: int, events: list[StreamEvent]) -> None:
        reason = self._finish_of(choice["finish_reason"])
        if reason is None:
            self._is_cut_short = True
        elif number not in self._finished:  # OpenRouter says it twice
            self._finished.add(number)
            if choice["finish_reason"] != reason and choice["finish_reason"] != "function_call":
                choice["finish_reason"], self._is_mended = reason, True
            matched = choice.get("stop_reason")
            text = matched if type(matched) is str else ""
            events.append(StreamEvent(EventKind.FINISH, text, number, finish_reason=reason))

    def _read_calls(self, calls: list[Any], number: int, events: list[StreamEvent]) -> None:
        for place, call in enumerate(calls):
            event = _tool_call(call, place, number)
            events.append(event)
            if event.tool_call is not None:
                index = event.tool_call.index
                if mend_piece(call, index, is_first=(number, index) not in self._calls):
                    self._is_mended = True
                self._calls.add((number, index))

    def _unsaid_finishes(self) -> list[StreamEvent]:
        """What a stream that is whole has not said of its choices (Snowflake's never says why they end)."""
        called = {choice for choice, _ in self._calls}
        left = sorted(self._started - self._finished)
        self._finished |= self._started
        return [self._unsaid_finish(number, "tool_calls" if number in called else "stop") for number in left]

    def _unsaid_finish(self, number: int, reason: FinishReason) -> StreamEvent:
        event = StreamEvent(EventKind.FINISH, choice=number, finish_reason=reason)
        if self._keeps_frames:
            about = {name: self._last.get(name) for name in ("id", "object", "created", "model")}
            event.frame = data_frame(orjson.dumps({**about, "choices": [self._ending(number, reason)]}))
        return event

    def _ending(self, number: int, reason: FinishReason) -> dict[str, Any]:
        return {"index": number, "delta": {}, "finish_reason": reason}

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        self._alike = None
        return StreamEvent(EventKind.ERROR, failure=failure)


def _not_a_stream(body: bytes) -> AttemptFailure:
    """A body without one event: an error object in plain JSON (whatever its content type says), or no answer at all."""
    try:
        said = loads(body)
    except orjson.JSONDecodeError:
        said = None
    if isinstance(said, dict) and said.get("error"):
        return failure_from_body(200, said, {})
    return invalid_answer("its answer was not a stream")


def _is_nonsense(event: StreamEvent) -> bool:
    """Counts that cannot be, alone in their chunk: noted, never passed on."""
    return event.kind is _USAGE and event.usage is None


def _read_rest_of_delta(delta: dict[str, Any], choice: int, events: list[StreamEvent]) -> None:
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    details = delta.get("reasoning_details")
    if details and isinstance(details, list):
        _read_details(reasoning, details, choice, events)
    elif reasoning and isinstance(reasoning, str):
        events.append(StreamEvent(EventKind.REASONING, reasoning, choice))
    refusal = delta.get("refusal")
    if refusal and isinstance(refusal, str):
        events.append(StreamEvent(EventKind.REFUSAL, refusal, choice))
    extra = delta.get("extra_content")
    if extra and isinstance(extra, dict):
        events.append(StreamEvent(EventKind.TEXT, "", choice, details=extra))


def _read_details(reasoning: object, details: list[Any], choice: int, events: list[StreamEvent]) -> None:
    """The text goes with the first item (which repeats it); others, such as a signature, come without."""
    text = reasoning if isinstance(reasoning, str) else ""
    for item in details:
        if isinstance(item, dict):
            events.append(StreamEvent(EventKind.REASONING, text, choice, details=item))
            text = ""
    if text:
        events.append(StreamEvent(EventKind.REASONING, text, choice))


def _tool_call(call: object, place: int, choice: int) -> StreamEvent:
    if not isinstance(call, dict):
        return StreamEvent(EventKind.OTHER, choice=choice)
    function = call.get("function")
    if not isinstance(function, dict):
        function = {}
    index, call_id, name, arguments = (
        call.get("index"),
        call.get("id"),
        function.get("name"),
        function.get("arguments"),
    )
    extra = call.get("extra_content")
    delta = ToolCallDelta(
        index=index if isinstance(index, int) else place,
        call_id=call_id if isinstance(call_id, str) and call_id not in ("", "null") else None,
        name=name if isinstance(name, str) and name else None,
        arguments=arguments_of(arguments),
        extra_content=extra if isinstance(extra, dict) and extra else None,
    )
    return StreamEvent(EventKind.TOOL_CALL, choice=choice, tool_call=delta)
