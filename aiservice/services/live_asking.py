"""One model of a provider connection, asked outside any request: what its provider builds is sent, and read by it."""

import time
from dataclasses import dataclass, field

from aiservice.providers._base import AttemptFailed, LocalProvider, Provider
from aiservice.services.connection_target import target_of
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.settings import Deadlines
from aiservice.upstream.client import Target, Upstream
from aiservice.wire import (
    AI_SERVICE_WIRE,
    Answer,
    Ask,
    AskKind,
    AttemptFailure,
    Blame,
    EventKind,
    HttpCall,
    HttpReply,
    Json,
    StreamEvent,
)

_DEADLINES = Deadlines(connect=5.0, first_byte=60.0, idle=30.0, total=120.0, progress=30.0)
_MAX_BYTES = 8 * 1024 * 1024
_TRUNCATED = AttemptFailure(502, "upstream_truncated", "The stream ended before it was whole.", Blame.FAILOVER)


@dataclass(slots=True)
class Streamed:
    """A stream that was read to its end, folded as a client folds it."""

    text: str = ""
    has_thought: bool = False
    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)
    finishes: list[str] = field(default_factory=list)
    has_usage: bool = False

    def add(self, event: StreamEvent) -> None:
        """Takes an event in.

        Raises:
            AttemptFailed: it is the end of a stream that failed.
        """
        if event.kind is EventKind.ERROR:
            raise AttemptFailed(event.failure or _TRUNCATED)
        if event.kind is EventKind.TEXT:
            self.text += event.text
        elif event.kind is EventKind.REASONING:
            self.has_thought = True
        elif event.kind is EventKind.TOOL_CALL and (call := event.tool_call) is not None:
            self.names[call.index] = call.name or self.names.get(call.index, "")
            self.arguments[call.index] = self.arguments.get(call.index, "") + call.arguments
        elif event.kind is EventKind.FINISH:
            self.finishes.append(str(event.finish_reason))
        elif event.kind is EventKind.USAGE:
            self.has_usage = self.has_usage or event.usage is not None


class Asked:
    """A connection under test. `took_ms` is how long the last call took."""

    def __init__(self, connections: Connections, upstream: Upstream, view: ConnectionView, provider: Provider) -> None:
        self._connections = connections
        self._upstream = upstream
        self.view = view
        self.provider = provider
        self.took_ms = 0

    async def whole(self, kind: AskKind, body: Json, model: str) -> Answer:
        """A whole answer.

        Raises:
            AttemptFailed, UpstreamFailure, BrokerError: why there is none.
        """
        ask, began = _ask(kind, body, is_stream=False), time.monotonic()
        try:
            call = self.provider.build(ask, model)
            reply = await self._sent(call)
            if reply.status != 200:
                raise AttemptFailed(self.provider.failure(reply))
            return self.provider.read(ask, call, reply)
        finally:
            self.took_ms = round((time.monotonic() - began) * 1000)

    async def streamed(self, body: Json, model: str) -> Streamed:
        """A chat's stream, read to its end; raises as `whole`, also where it had no end."""
        ask, began = _ask("chat", body, is_stream=True), time.monotonic()
        try:
            call = self.provider.build(ask, model)
            return await self._folded(ask, call)
        finally:
            self.took_ms = round((time.monotonic() - began) * 1000)

    async def _folded(self, ask: Ask, call: HttpCall) -> Streamed:
        told, reader = Streamed(), self.provider.reader(ask, call)
        if isinstance(self.provider, LocalProvider):
            for chunk in self.provider.serve_stream(call):
                for event in reader.feed(chunk):
                    told.add(event)
        else:
            async with await self._upstream.open_stream(
                await self._target(), call, deadlines=_DEADLINES, max_bytes=_MAX_BYTES
            ) as stream:
                if stream.status != 200:
                    raise AttemptFailed(self.provider.failure(await stream.reply()))
                async for chunk in stream:
                    for event in reader.feed(chunk):
                        stream.progressed()
                        told.add(event)
        for event in reader.end():
            told.add(event)
        if not reader.is_finished:
            raise AttemptFailed(_TRUNCATED)
        return told

    async def _sent(self, call: HttpCall) -> HttpReply:
        if isinstance(self.provider, LocalProvider):
            return self.provider.serve(call)
        return await self._upstream.send(await self._target(), call, deadlines=_DEADLINES, max_bytes=_MAX_BYTES)

    async def _target(self) -> Target:
        return target_of(self.view, self.provider, await self._connections.credential(self.view, self.provider))


def _ask(kind: AskKind, body: Json, *, is_stream: bool) -> Ask:
    """Asked in nobody's own wire, as `/ai-service` asks: what the provider cannot carry is refused by name."""
    task = {"embedding": "embedding", "rerank": "rerank"}.get(kind, "chat")
    return Ask(task, kind, body, is_stream=is_stream, wants_stream_usage=is_stream, wire=AI_SERVICE_WIRE)
