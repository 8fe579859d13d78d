"""`POST /v1/chat/completions`, in OpenAI's own format (platform.openai.com/docs/api-reference/chat)."""

from collections.abc import Sequence

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
from aiservice.errors import BrokerError, InvalidRequest
from aiservice.kit.bounded_json import loads
from aiservice.kit.sse import SseSplitter, data_frame
from aiservice.wire import CHAT_WIRE, Answer, Ask, EventKind, StreamEvent, ToolCallDelta, Usage

_DONE = b"data: [DONE]\n\n"
_USAGE = EventKind.USAGE  # a member of an Enum takes seven times as long to get at as a name does


class OpenAiChat(Dialect):
    surface = "chat.completions"
    raw_wire = CHAT_WIRE

    def read(self, body: Json) -> ClientRequest:
        refuse_overrides(body)
        preferences, is_provider_field = preferences_in(body)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages or set(map(type, messages)) != {dict}:
            raise InvalidRequest("'messages' must be a list of at least one message.", param="messages")
        is_stream = flag_of(body, "stream")
        options = body.get("stream_options")
        if options is not None and not isinstance(options, dict):
            raise InvalidRequest("'stream_options' must be an object.", param="stream_options")
        model = model_of(body)
        ask = Ask(
            task="chat",
            kind="chat",
            body=body,
            is_stream=is_stream,
            wants_stream_usage=bool(options and options.get("include_usage")),
            requested_model=model,
        )
        return ClientRequest(ask, model, preferences, is_provider_field=is_provider_field)

    def answer(self, answer: Answer, outcome: Outcome) -> bytes:
        if answer.raw is not None and answer.raw_wire == CHAT_WIRE:
            return answer.raw
        made: Json = {
            "id": "chatcmpl-" + outcome.request_id,
            "object": "chat.completion",
            "created": outcome.created_s,
            "model": outcome.model,
            **answer.body,
        }
        if not made.get("usage"):
            made["usage"] = openai_usage(outcome.usage)
        return orjson.dumps(made)

    def writer(self, request: ClientRequest) -> StreamWriter:
        return ChatWriter(request.ask.wants_stream_usage)


class ChatWriter(StreamWriter):
    """Passes on frames that already are this wire; builds chunks from events that are not."""

    __slots__ = ("_base", "_begun", "_first_frame", "_has_usage", "_outcome", "_wants_usage")
    OBJECT, ID_PREFIX = "chat.completion.chunk", "chatcmpl-"

    def __init__(self, wants_usage: bool) -> None:
        self._wants_usage = wants_usage
        self._has_usage = False
        self._begun: set[int] = set()  # choices that have had their role
        self._first_frame: bytes | None = None
        self._base: Json | None = None
        self._outcome: Outcome | None = None

    def start(self, outcome: Outcome) -> bytes:
        self._outcome = outcome
        return b""

    def events(self, events: Sequence[StreamEvent]) -> bytes:
        if len(events) == 1 and (frame := events[0].frame) is not None and events[0].kind is not _USAGE:
            if self._first_frame is None:
                self._first_frame = frame
            return frame  # nearly always one, passed on as it came
        out = []
        passed = False
        for event in events:
            if event.frame is not None:
                if event.kind is _USAGE:  # a chunk of its own: only for who asked
                    passed = True
                    if self._wants_usage:
                        self._has_usage = True
                        out.append(event.frame)
                    continue
                passed = True
                self._first_frame = self._first_frame or event.frame
                out.append(event.frame)
            elif not passed:
                out.append(self._built(event))
        return b"".join(out)

    def boundary(self, outcome: Outcome) -> bytes:
        if self._first_frame is not None:
            self._begun.add(0)  # its role came in a frame
        return super().boundary(outcome)

    def done(self, outcome: Outcome) -> bytes:
        if not self._wants_usage or self._has_usage:
            return _DONE
        chunk = {**self._chunk_base(outcome), "choices": [], "usage": openai_usage(outcome.usage)}
        return data_frame(orjson.dumps(chunk)) + _DONE

    def exhausted(self, choices: int, outcome: Outcome) -> bytes:
        if self._first_frame is not None:
            self._begun.update(range(choices))
        return super().exhausted(choices, outcome)

    def failed(self, error: BrokerError, outcome: Outcome) -> bytes:
        return data_frame(orjson.dumps(error.body(outcome.request_id)))

    def _built(self, event: StreamEvent) -> bytes:
        kind = event.kind
        delta: Json = {}
        choice: Json = {"index": event.choice, "delta": delta, "finish_reason": None}
        if kind is EventKind.TEXT:
            if event.text:
                delta["content"] = event.text
            if event.details is not None:
                delta["extra_content"] = event.details
        elif kind is EventKind.REASONING:
            if event.text:
                delta["reasoning_content"] = event.text
            if event.details is not None:
                delta["reasoning_details"] = [event.details]
        elif kind is EventKind.REFUSAL:
            delta["refusal"] = event.text
        elif kind is EventKind.TOOL_CALL and event.tool_call is not None:
            delta["tool_calls"] = [_tool_call_json(event.tool_call)]
        elif kind is EventKind.FINISH:
            choice["finish_reason"] = event.finish_reason
            if event.text:
                choice["stop_reason"] = event.text
            choice |= event.details or {}
        else:
            return b""
        if event.choice not in self._begun:
            self._begun.add(event.choice)
            choice["delta"] = {"role": "assistant", "content": None if "tool_calls" in delta else "", **delta}
        assert self._outcome is not None  # noqa: S101 - start() comes first
        chunk = {**self._chunk_base(self._outcome), "choices": [choice]}
        if self._wants_usage:
            chunk["usage"] = None
        return data_frame(orjson.dumps(chunk))

    def _chunk_base(self, outcome: Outcome) -> Json:
        if self._base is None:
            base: Json = {
                "id": self.ID_PREFIX + outcome.request_id,
                "created": outcome.created_s,
                "model": outcome.model,
            }
            if self._first_frame is not None:  # the chunks that were passed on have an id already: the same for all
                first = loads(SseSplitter().feed(self._first_frame)[0].data)
                base = {name: first.get(name, value) for name, value in base.items()}
            self._base = {**base, "object": self.OBJECT}
        return self._base


def _tool_call_json(call: ToolCallDelta) -> Json:
    function: Json = {"arguments": call.arguments}
    if call.name is not None:
        function["name"] = call.name
    piece: Json = {"index": call.index, "function": function}
    if call.call_id is not None:
        piece |= {"id": call.call_id, "type": "function"}
    if call.extra_content is not None:
        piece["extra_content"] = call.extra_content
    return piece


def openai_usage(usage: Usage) -> Json:
    """OpenAI's `usage` object for chat."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


DIALECT = OpenAiChat()
