"""`POST /v1/responses` and `/v1/responses/input_tokens`, in OpenAI's own format
(platform.openai.com/docs/api-reference/responses)."""

from collections.abc import Iterable

import orjson

from aiservice.dialects._base import (
    ClientRequest,
    Dialect,
    Json,
    Outcome,
    StreamWriter,
    flag_of,
    model_of,
    preferences_in,
    refuse_overrides,
)
from aiservice.dialects._responses_answer import ended, is_whole, response_of, whole_response
from aiservice.dialects._responses_output import Output
from aiservice.dialects._responses_passed import frame_with, items_in, next_sequence, whole_with
from aiservice.dialects._responses_request import translated
from aiservice.dialects._responses_tools import called_as
from aiservice.errors import BrokerError
from aiservice.wire import RESPONSES_WIRE, Answer, Ask, AskKind, EventKind, FinishReason, StreamEvent


class OpenAiResponses(Dialect):
    surface = "responses"
    keeps_answers = True
    kind: AskKind = "chat"

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        chat, native, uncarried = translated(body)
        model = model_of(body)
        ask = Ask(
            task="chat",
            kind=self.kind,
            body=chat,
            is_stream=self.kind == "chat" and flag_of(body, "stream"),
            requested_model=model,
            wire=RESPONSES_WIRE,
            native=native,
            uncarried=uncarried,
        )
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.raw is not None and answer.raw_wire == RESPONSES_WIRE:
            return whole_with(answer.raw, outcome.ask)
        response = whole_response(answer, outcome)
        if outcome.ask is not None and outcome.ask.answer_fields:
            outcome.ask.answered = response
        return orjson.dumps(response)

    def writer(self, request: ClientRequest) -> StreamWriter:
        return ResponsesWriter(request.ask)


class TokenCount(OpenAiResponses):
    """How many tokens a request's prompt is: asked of providers that count for free, estimated for the others."""

    surface = "responses.input_tokens"
    kind: AskKind = "token-count"

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        return orjson.dumps({"object": "response.input_tokens", "input_tokens": answer.body["input_tokens"]})

    def writer(self, request: ClientRequest) -> StreamWriter:
        raise NotImplementedError("counts are never streamed")


class ResponsesWriter(StreamWriter):
    """Passes on frames that already are this wire; writes events from what is not."""

    __slots__ = ("_ask", "_finish", "_last", "_out", "_outcome", "_output", "_passed", "_passes", "_response")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._outcome: Outcome | None = None
        self._output: Output | None = None
        self._response: Json = {}
        self._out: list[bytes] = []
        self._finish: FinishReason | None = None
        self._passes = False
        self._last = b""
        self._passed: list[bytes] = []  # for where somebody else has to end what was passed on

    def start(self, outcome: Outcome) -> bytes:
        self._outcome = outcome
        return b""

    def events(self, events: Iterable[StreamEvent]) -> bytes:
        frames: list[bytes] = []
        output = self._output
        for event in events:
            if event.frame is not None:
                self._passes = True
                if event.kind is EventKind.END:  # the mark of a whole answer: only done() may say that
                    self._last = frame_with(event.frame, self._ask)
                else:
                    frames.append(frame_with(event.frame, self._ask))
                    self._passed.append(frames[-1])
            elif not self._passes and event.choice == 0:
                if output is None:
                    output = self._opened()
                if event.kind is EventKind.TEXT and event.details is None:
                    output.text(event.text)
                else:
                    self._take(event, output)
        if self._out:
            frames += self._out
            self._out.clear()
        return b"".join(frames)

    def boundary(self, outcome: Outcome) -> bytes:
        mark = super().boundary(outcome)
        if not self._passes:
            return mark
        return self._ends_of_passed() + mark

    def done(self, outcome: Outcome) -> bytes:
        return self._last if self._passes else self._end(self._finish or outcome.finish_reason, outcome)

    def exhausted(self, choices: int, outcome: Outcome) -> bytes:
        before = self._ends_of_passed() if self._passes else b""
        return before + self._end("budget_exhausted", outcome)

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        """As OpenAI says it: an error event, and a response that failed. Either is enough for a client to see it."""
        self._ask.answered = None  # whatever was passed on before
        told = error.body(outcome.request_id)["error"]
        self._outcome = self._outcome or outcome
        if self._passes:
            self._taken_over()  # its open items stay open: a half call that is said to be done might be run
        output = self._output or self._opened()
        flat = {"code": told["code"], "message": told["message"], "param": told["param"]}
        output.emit("error", **flat, error=told)
        said = {"code": told["code"], "message": told["message"]}
        response = {**self._response, "status": "failed", "error": said, "output": output.items}
        output.emit("response.failed", response=response)
        return self._taken()

    def _opened(self) -> Output:
        """A response that has begun."""
        outcome = self._outcome
        assert outcome is not None  # noqa: S101 - start() comes first
        output = self._output = Output(outcome.request_id, called_as(self._ask.native), self._out)
        self._response = response_of(self._ask, outcome, output.items)
        output.emit("response.created", response=self._response)
        output.emit("response.in_progress", response=self._response)
        return output

    def _take(self, event: StreamEvent, output: Output) -> None:
        """What is not plain text."""
        kind = event.kind
        if kind is EventKind.TEXT:
            output.text(event.text)
            output.extra_content(event.details or {})
        elif kind is EventKind.REASONING:
            output.reasoning(event)
        elif kind is EventKind.TOOL_CALL and event.tool_call is not None:
            output.tool_call(event.tool_call)
        elif kind is EventKind.REFUSAL:
            output.refusal(event.text)
        elif kind is EventKind.FINISH:
            self._finish = self._finish or event.finish_reason

    def _end(self, finish: FinishReason | None, outcome: Outcome) -> bytes:
        self._outcome = self._outcome or outcome
        output = self._output or self._opened()
        output.finish(is_whole=is_whole(finish))
        response = ended({**self._response, "output": output.items}, finish, outcome.usage)
        if self._ask.answer_fields:
            self._ask.answered = response
        output.emit(f"response.{response['status']}", response=response)
        return self._taken()

    def _taken_over(self) -> list[int]:
        """From here on events are ours: they go on from what the frames have told of. Which items these left open."""
        items, unfinished = items_in(self._passed)
        assert self._outcome is not None  # noqa: S101 - start() comes first
        output = self._output = Output(self._outcome.request_id, called_as(self._ask.native), self._out, items)
        output.sequence = next_sequence(self._passed[-1])
        self._response = response_of(self._ask, self._outcome, output.items)
        self._passed.clear()
        self._passes = False
        return unfinished

    def _ends_of_passed(self) -> bytes:
        """The ends of the items that the frames left open."""
        unfinished, output = self._taken_over(), self._output
        assert output is not None  # noqa: S101 - it was made just now
        for index in unfinished:
            output.items[index]["status"] = "incomplete"
            output.emit("response.output_item.done", output_index=index, item=output.items[index])
        return self._taken()

    def _taken(self) -> bytes:
        said = b"".join(self._out)
        self._out.clear()
        return said


DIALECT = OpenAiResponses()
COUNT_DIALECT = TokenCount()
