"""`POST /v1/messages` and `/v1/messages/count_tokens`, in Anthropic's own format (docs.claude.com/en/api/messages)."""

import re
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
from aiservice.dialects._messages_answer import message_id, message_of, stop_of, usage_of
from aiservice.dialects._messages_blocks import BlockStream
from aiservice.dialects._messages_request import translated
from aiservice.errors import BrokerError
from aiservice.kit.sse import named_frame
from aiservice.wire import MESSAGES_WIRE, Answer, Ask, EventKind, FinishReason, StreamEvent, Usage

_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
# Anthropic's names for the kinds of errors that the contract names otherwise (docs.claude.com/en/api/errors).
_ERROR_TYPES = {
    "budget_exceeded": "billing_error",
    "idempotency_error": "invalid_request_error",
    "internal_error": "api_error",
    "provider_error": "api_error",
    "provider_timeout": "timeout_error",
    "no_provider_available": "api_error",
}


class AnthropicMessages(Dialect):
    surface = "messages"
    native_headers = frozenset({b"anthropic-version", b"anthropic-beta"})
    request_id_header = b"request-id"

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        chat, native, uncarried = translated(body)
        model = model_of(body)
        ask = Ask(
            task="chat",
            kind="chat",
            body=chat,
            is_stream=flag_of(body, "stream"),
            requested_model=model,
            wire=MESSAGES_WIRE,
            native=native,
            uncarried=uncarried,
        )
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.raw is not None and answer.raw_wire == MESSAGES_WIRE:
            return answer.raw
        return orjson.dumps(message_of(answer, outcome))

    def writer(self, request: ClientRequest) -> StreamWriter:
        return MessagesWriter()

    def error(self, error: BrokerError, request_id: str) -> bytes:
        return orjson.dumps(_envelope(error, request_id))


class TokenCount(AnthropicMessages):
    """How many tokens a request's prompt is: asked of providers that count for free, estimated for the others."""

    surface = "messages.count_tokens"

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        chat, native, uncarried = translated(body, needs_limit=False)
        model = model_of(body)
        ask = Ask("chat", "token-count", chat, False, False, model, MESSAGES_WIRE, native, (), uncarried)
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.raw is not None and answer.raw_wire == MESSAGES_WIRE:
            return answer.raw
        return orjson.dumps({"input_tokens": answer.body["input_tokens"]})

    def writer(self, request: ClientRequest) -> StreamWriter:
        raise NotImplementedError("counts are never streamed")


_BLOCK_EDGE = b"content_block_st"
_BLOCK_EDGES = re.compile(rb'"type":\s*"content_block_(start|stop)",\s*"index":\s*(\d+)')


class MessagesWriter(StreamWriter):
    """Passes on frames that already are this wire; writes events from what is not."""

    __slots__ = ("_block_frame", "_blocks", "_finish", "_last", "_outcome", "_passes", "_stop_sequence")

    def __init__(self) -> None:
        self._blocks: BlockStream | None = None
        self._outcome: Outcome | None = None
        self._finish: FinishReason | None = None
        self._stop_sequence = ""
        self._passes = False
        self._last = b""
        self._block_frame = b""  # the last that passed and began or ended a block

    def start(self, outcome: Outcome) -> bytes:
        self._outcome = outcome
        return b""

    def events(self, events: Iterable[StreamEvent]) -> bytes:
        frames: list[bytes] = []
        blocks = self._blocks
        for event in events:
            if event.frame is not None:
                self._passes = True
                if event.kind is EventKind.END:  # the mark of a whole answer: only done() may say that
                    self._last = event.frame
                else:
                    frames.append(event.frame)
                    if _BLOCK_EDGE in event.frame:
                        self._block_frame = event.frame
            elif not self._passes and event.choice == 0:
                if blocks is None:
                    assert self._outcome is not None  # noqa: S101 - start() comes first
                    blocks = self._blocks = _opened(self._outcome)
                if event.kind is EventKind.TEXT and event.details is None:
                    blocks.text(event.text)
                else:
                    self._take(event, blocks)
        if blocks is not None and blocks.out:
            frames.extend(blocks.out)
            blocks.out.clear()
        return b"".join(frames)

    def boundary(self, outcome: Outcome) -> bytes:
        mark = super().boundary(outcome)
        if not self._passes:
            return mark
        self._passes = False
        edges = _BLOCK_EDGES.findall(self._block_frame)
        self._blocks = BlockStream(outcome.request_id, first=int(edges[-1][1]) + 1 if edges else 0)
        return self._end_of_block() + mark

    def done(self, outcome: Outcome) -> bytes:
        if self._passes:
            return self._last or _STOP
        blocks = self._blocks or _opened(outcome)
        blocks.finish()
        stop = stop_of(self._finish or outcome.finish_reason, self._stop_sequence, has_tool_use=blocks.has_tool_use)
        delta = {"type": "message_delta", "delta": stop, "usage": usage_of(outcome.usage)}
        return b"".join([*blocks.out, named_frame("message_delta", orjson.dumps(delta)), _STOP])

    def exhausted(self, choices: int, outcome: Outcome) -> bytes:
        if not self._passes:
            return super().exhausted(choices, outcome)
        out = self._end_of_block()
        ended = stop_of("budget_exhausted", "", has_tool_use=False)
        delta = {"type": "message_delta", "delta": ended, "usage": usage_of(outcome.usage)}
        return out + named_frame("message_delta", orjson.dumps(delta)) + _STOP

    def _end_of_block(self) -> bytes:
        """The end of the block that the frames left open; nothing where they left none."""
        edges = _BLOCK_EDGES.findall(self._block_frame)
        if not edges or edges[-1][0] != b"start":
            return b""
        stop = {"type": "content_block_stop", "index": int(edges[-1][1])}
        return named_frame("content_block_stop", orjson.dumps(stop))

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        return named_frame("error", orjson.dumps(_envelope(error, outcome.request_id)))

    def keep_alive(self) -> bytes:
        return b'event: ping\ndata: {"type":"ping"}\n\n'

    def _take(self, event: StreamEvent, blocks: BlockStream) -> None:
        """What is not plain text."""
        kind = event.kind
        if kind is EventKind.TEXT:
            blocks.text(event.text)
            if event.details is not None:
                blocks.extra_content(event.details)
        elif kind is EventKind.REASONING:
            blocks.reasoning(event)
        elif kind is EventKind.TOOL_CALL and event.tool_call is not None:
            blocks.tool_call(event.tool_call)
        elif kind is EventKind.REFUSAL:
            self._finish = "content_filter"
            blocks.text(event.text)
        elif kind is EventKind.FINISH:
            self._finish = self._finish or event.finish_reason
            self._stop_sequence = event.text


def _opened(outcome: Outcome) -> BlockStream:
    """A message that has begun: its first event is the first frame. What its prompt cost is known at its end."""
    message: Json = {
        "id": message_id(outcome),
        "type": "message",
        "role": "assistant",
        "model": outcome.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_of(Usage()),
    }
    blocks = BlockStream(outcome.request_id)
    blocks.out.append(named_frame("message_start", orjson.dumps({"type": "message_start", "message": message})))
    return blocks


def _envelope(error: BrokerError, request_id: str) -> Json:
    """Anthropic's envelope around the contract's error."""
    told = error.body(request_id)["error"]
    del told["request_id"]
    told["type"] = _ERROR_TYPES.get(told["type"], told["type"])
    return {"type": "error", "error": told, "request_id": request_id}


DIALECT = AnthropicMessages()
COUNT_DIALECT = TokenCount()
