"""One candidate of an answer, whole or in pieces: its parts as events.

Whole answers and streams are read by the same code, so that they cannot say different things.
"""

import hashlib
from typing import Any

import orjson

from aiservice.providers._gemini.arguments import PartialArguments
from aiservice.providers._gemini.contents import FORMAT
from aiservice.providers._gemini.usage import finish_reason_of
from aiservice.providers._own_calls import OwnCalls
from aiservice.wire import AttemptFailure, EventKind, FinishReason, Json, StreamEvent, ToolCallDelta

VENDOR = "google"  # whose name stands over its own calls in `extra_content`
_PLAIN = frozenset({"avgLogprobs", "content", "finishReason", "finishMessage", "index", "safetyRatings"})
_SOURCES = ("citationMetadata", "groundingMetadata", "urlContextMetadata")
_SIGNATURE = frozenset({"thought", "thoughtSignature", "thought_signature"})


class Candidate:
    """Reads the pieces of one candidate in order. `finish_reason` is known once the last piece is read.

    With `is_one_call`, calls behind the first are left out.
    """

    __slots__ = (
        "_calls",
        "_choice",
        "_is_one_call",
        "_length",
        "_open",
        "_own",
        "_said",
        "_signature",
        "_sources",
        "failure",
    )

    def __init__(self, choice: int, *, is_one_call: bool) -> None:
        self._choice = choice
        self._is_one_call = is_one_call
        self._calls = 0
        self._length = 0  # of the text so far
        self._own: OwnCalls | None = None
        self._signature: Json = {}
        self._sources: Json = {}
        self._open: PartialArguments | None = None
        self._said: object = None
        self.failure: AttemptFailure | None = None

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None where it did not say so. Only meant once all was read: a call may come behind a STOP."""
        found = finish_reason_of(self._said, has_calls=self._calls > 0)
        return None if isinstance(found, AttemptFailure) else found

    def read(self, piece: Json, response_id: str, events: list[StreamEvent]) -> None:
        """Adds what `piece` (an object of `candidates`) says to `events`. Content that is no part is passed over."""
        content = piece.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._read_part(part, response_id, events)
        if not _PLAIN.issuperset(piece):
            self._sources |= {name: piece[name] for name in _SOURCES if piece.get(name)}
        said = piece.get("finishReason")
        if said is None:
            return
        found = finish_reason_of(said, has_calls=False)
        if found is not None:
            self._said = said
        if isinstance(found, AttemptFailure):
            self.failure = found

    def close(self, events: list[StreamEvent]) -> None:
        """Ends a call whose arguments nobody ended."""
        if self._open is not None:
            self._end_call(events)

    def tell_own(self, events: list[StreamEvent]) -> bool:
        """What the vendor's own tools did (code, searches, images), at the end; whether they did anything."""
        own = self._own or OwnCalls(VENDOR)
        extra = own.extra_content(**self._signature, **self._sources)
        if extra is None and self._sources:
            extra = {VENDOR: {**self._signature, **self._sources}}
        if extra is not None:
            events.append(StreamEvent(EventKind.TEXT, choice=self._choice, details=extra))
        return extra is not None

    def _read_part(self, part: Json, response_id: str, events: list[StreamEvent]) -> None:
        signature = part.get("thoughtSignature", part.get("thought_signature"))
        signature = signature if isinstance(signature, str) and signature else None
        call = part.get("functionCall", part.get("function_call"))
        if isinstance(call, dict):
            self._read_call(call, signature, response_id, events)
            return
        text = part.get("text")
        text = text if isinstance(text, str) else ""
        if part.get("thought") is True:
            if text:
                events.append(StreamEvent(EventKind.REASONING, text, self._choice))
            if signature is not None:
                details = {"type": "reasoning.text", "signature": signature, "format": FORMAT}
                events.append(StreamEvent(EventKind.REASONING, choice=self._choice, details=details))
        elif text or signature is not None:
            extra = None if signature is None else signed(signature)
            if extra is not None:
                self._signature = extra[VENDOR]
            self._length += len(text)
            events.append(StreamEvent(EventKind.TEXT, text, self._choice, details=extra))
        if "text" not in part and not _SIGNATURE.issuperset(part):
            self._own = self._own or OwnCalls(VENDOR)
            self._own.add("parts", part, text_length=self._length)

    def _read_call(self, call: Json, signature: str | None, response_id: str, events: list[StreamEvent]) -> None:
        name, partial = call.get("name"), call.get("partialArgs", call.get("partial_args"))
        if isinstance(name, str) and name:
            self.close(events)
            if self._calls and self._is_one_call:
                return
            arguments = call.get("args")
            is_open = call.get("willContinue", call.get("will_continue")) is True or isinstance(partial, list)
            text = "" if is_open else orjson.dumps(arguments if isinstance(arguments, dict) else {}).decode()
            extra = None if signature is None else signed(signature)
            delta = ToolCallDelta(self._calls, self._call_id(call, name, response_id), name, text, extra)
            events.append(StreamEvent(EventKind.TOOL_CALL, choice=self._choice, tool_call=delta))
            self._calls += 1
            self._open = PartialArguments() if is_open else None
        if self._open is None:
            return
        for piece in partial if isinstance(partial, list) else ():
            self._open.take(piece)
        if call.get("willContinue", call.get("will_continue")) is not True:
            self._end_call(events)

    def _end_call(self, events: list[StreamEvent]) -> None:
        assert self._open is not None  # noqa: S101 - the callers looked
        delta = ToolCallDelta(self._calls - 1, arguments=orjson.dumps(self._open.value).decode())
        events.append(StreamEvent(EventKind.TOOL_CALL, choice=self._choice, tool_call=delta))
        self._open = None

    def _call_id(self, call: Json, name: str, response_id: str) -> str:
        """The call's own id; where it has none, one that the same answer gives again, and another answer does not."""
        own: Any = call.get("id")
        if isinstance(own, str) and own:
            return own
        seed = f"{response_id}/{self._choice}/{self._calls}/{name}"
        return "call_" + hashlib.sha256(seed.encode()).hexdigest()[:24]


def signed(signature: str) -> Json:
    """A thought signature as the `extra_content` of a tool call or message (Google's compatibility endpoint)."""
    return {VENDOR: {"thought_signature": signature}}
