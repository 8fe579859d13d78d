"""One GenerateContentResponse after the other, as events (ai.google.dev/api/generate-content)."""

from typing import Any

from aiservice.providers._failures import invalid_answer
from aiservice.providers._gemini.candidate import Candidate
from aiservice.providers._gemini.errors import error_in, failure_of
from aiservice.providers._gemini.usage import read_usage
from aiservice.wire import AttemptFailure, EventKind, Json, StreamEvent, Usage

_MAX_CANDIDATES = 128


class Responses:
    """What the objects of one answer say, of which a whole answer is one and a stream is many."""

    __slots__ = (
        "_counts",
        "_is_named",
        "_is_one_call",
        "_response_id",
        "candidates",
        "failure",
        "is_blocked",
        "is_usage_valid",
        "model",
        "usage",
    )

    def __init__(self, *, is_one_call: bool) -> None:
        self._is_one_call = is_one_call
        self._response_id = ""
        self._is_named = False
        self._counts: Json = {}
        self.model = ""
        self.candidates: dict[int, Candidate] = {}
        self.usage: Usage | None = None
        self.is_usage_valid = True
        self.is_blocked = False
        self.failure: AttemptFailure | None = None

    @property
    def response_id(self) -> str:
        return self._response_id

    def read(self, said: object) -> list[StreamEvent]:
        """The events of the next object. Where it says a failure, that is in `failure` from then on."""
        if not isinstance(said, dict):
            self.failure = invalid_answer("its answer was not a JSON object")
            return []
        if error_in(said) is not None:
            self.failure = failure_of(200, said, {})
            return []
        events: list[StreamEvent] = []
        if not self._is_named:
            self._note(said)
        found = said.get("candidates")
        for place, piece in enumerate(found if isinstance(found, list) else ()):
            if isinstance(piece, dict):
                self._read_candidate(piece, place, events)
        feedback = said.get("promptFeedback", said.get("prompt_feedback"))
        if isinstance(feedback, dict) and feedback.get("blockReason", feedback.get("block_reason")):
            self.is_blocked = True
        self._read_usage(said.get("usageMetadata", said.get("usage_metadata")), events)
        return events

    def end(self) -> list[StreamEvent]:
        """What is known only when everything was read: why each candidate ended. A blocked prompt is an ending too."""
        if self.is_blocked and not self.candidates:
            return [StreamEvent(EventKind.FINISH, finish_reason="content_filter")]
        events: list[StreamEvent] = []
        for choice, candidate in sorted(self.candidates.items()):
            reason = candidate.finish_reason
            if reason is not None:
                candidate.close(events)
                if candidate.tell_own(events) and self.usage is not None:
                    events.append(StreamEvent(EventKind.USAGE, usage=self.usage))  # it counted this, too
                events.append(StreamEvent(EventKind.FINISH, choice=choice, finish_reason=reason))
        return events

    def is_whole(self, wanted: int) -> bool:
        """Whether every candidate that began, and at least `wanted`, said why it ended; or the prompt was blocked."""
        if self.is_blocked and not self.candidates:
            return True
        reasons = [candidate.finish_reason for candidate in self.candidates.values()]
        return len(reasons) >= max(wanted, 1) and None not in reasons

    def _read_usage(self, said: object, events: list[StreamEvent]) -> None:
        """The last value of each count holds; one that is left out takes nothing away."""
        if said is None or (said == self._counts and said.get("candidatesTokenCount") is None):
            return  # what nearly every object of a long stream says: nothing, or the same again
        usage, is_valid = read_usage(said)
        self.is_usage_valid = self.is_usage_valid and is_valid
        if usage is None or not isinstance(said, dict):
            return
        before = self.usage
        counts = said if None not in said.values() else {name: n for name, n in said.items() if n is not None}
        if self._counts.keys() <= counts.keys():  # nothing is left out: what nearly every object says
            self._counts, self.usage = counts, usage
        else:
            self._counts = {**self._counts, **counts}
            self.usage, _ = read_usage(self._counts)
        event = StreamEvent(EventKind.USAGE, usage=self.usage)
        if said.get("candidatesTokenCount") is not None:
            events.append(event)  # said again where nothing changed: it counts what came with it, too
        elif before != self.usage:
            events.insert(0, event)  # it does not count what comes with it

    def _note(self, said: Json) -> None:
        for name, value in (("model", said.get("modelVersion")), ("_response_id", said.get("responseId"))):
            if isinstance(value, str) and value and not getattr(self, name):
                setattr(self, name, value[:200].removeprefix("models/"))
        self._is_named = bool(self.model and self._response_id)

    def _read_candidate(self, piece: Json, place: int, events: list[StreamEvent]) -> None:
        index: Any = piece.get("index")
        is_index = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < _MAX_CANDIDATES
        choice = index if is_index else place
        candidate = self.candidates.get(choice)
        if candidate is None:
            candidate = self.candidates[choice] = Candidate(choice, is_one_call=self._is_one_call)
        candidate.read(piece, self._response_id, events)
        if candidate.failure is not None:
            self.failure = candidate.failure
