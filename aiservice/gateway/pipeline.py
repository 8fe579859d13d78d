"""Puts the hops of an inference request in order: authenticate, read, admit, route, dispatch, meter, respond."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Literal, NamedTuple

from aiservice.dialects import ai_service, anthropic_messages, openai_chat, openai_embeddings
from aiservice.dialects._base import Dialect, headers_of_wire
from aiservice.errors import BrokerError, InvalidRequest, Overloaded
from aiservice.gateway.admit import InFlight, Permit, check_scope, check_taking_requests
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.counting import estimated_input
from aiservice.gateway.dispatch import Dispatcher
from aiservice.gateway.exchange import Candidate, Exchange, Handler, ProviderGaveUp, Receive, Routes, Scope, Send
from aiservice.gateway.intake import read_body
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.meter import Meter
from aiservice.gateway.provider_stream import OpenStream
from aiservice.gateway.respond import (
    KeepAlive,
    end_stream,
    exchange_headers,
    send_at_once,
    send_error,
    send_whole,
)
from aiservice.gateway.route import Router
from aiservice.kit.clock import now_us
from aiservice.kit.strict_json import BadJson, parse_without_stall
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.wire import StreamEvent

log = logging.getLogger(__name__)


class Pipeline:
    """The inference routes. One object a worker; a request's own state is its `Exchange`."""

    def __init__(self, core: Core, meter: Meter, in_flight: InFlight) -> None:
        self._core = core
        self._meter = meter
        self._in_flight = in_flight
        self._router = Router()
        self._dispatcher = Dispatcher(core.upstream, core.connections, core.settings.deadlines, core.health)

    def routes(self) -> Routes:
        """The routes, each with the dialect its clients speak."""
        dialects = {
            "/ai-service": ai_service.DIALECT,
            "/v1/chat/completions": openai_chat.DIALECT,
            "/v1/embeddings": openai_embeddings.DIALECT,
            "/v1/messages": anthropic_messages.DIALECT,
            "/v1/messages/count_tokens": anthropic_messages.COUNT_DIALECT,
        }
        return {path: {"POST": self._handler(dialect)} for path, dialect in dialects.items()}

    def _handler(self, dialect: Dialect) -> Handler:
        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            await self._infer(dialect, scope, receive, send, request_id)

        return Handler(run, dialect, scope_name="task")

    async def _infer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, started_us = time.perf_counter(), now_us()
        check_taking_requests(self._in_flight)
        principal = await authenticate(self._core, scope)
        if not principal.limits:
            await self._answer(dialect, scope, receive, send, Caller(principal, request_id, started, started_us))
            return
        limiter = self._core.limiter
        try:
            limiter.check(principal)
            await self._answer(dialect, scope, receive, send, Caller(principal, request_id, started, started_us))
        except BrokerError as error:
            self._meter.figures.count_refusal(error)
            error.headers = tuple(headers_of_caller(limiter, principal))
            raise

    async def _answer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send, caller: "Caller") -> None:
        core = self._core
        principal, request_id, started, started_us = caller
        raw = await read_body(scope, receive, core.settings.max_body_bytes)
        try:
            body = await parse_without_stall(raw)
        except BadJson as exc:
            raise InvalidRequest(str(exc), code="invalid_json") from None
        if not isinstance(body, dict):
            raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
        request = dialect.read(body)
        if dialect.native_headers:
            request.ask.native_headers = headers_of_wire(dialect, scope["headers"])
        check_scope(principal, request.ask.task)
        exchange = Exchange(
            request_id, dialect, principal, request, started_us, started, estimated_input(request.ask, len(raw))
        )
        candidates: tuple[Candidate, ...] = ()
        unroutable: BrokerError | None = None
        try:
            chain = core.preferences.chain_for(principal.client_id, request.ask.task)
            candidates = self._router.candidates(principal, request, chain, core.connections.snapshot())
            exchange.candidate = candidates[0]
        except BrokerError as error:
            unroutable = error  # in the ledger too: it was asked for
        check_taking_requests(self._in_flight)  # the body may have taken until after the drain's last look
        answering: WholeAnswer | ClientStream
        if request.ask.is_stream:
            answering = ClientStream(exchange, self._dispatcher, self._meter, receive, send)
        else:
            answering = WholeAnswer(exchange, self._dispatcher, self._meter, send)
        meter = self._meter
        async with Permit(exchange, self._in_flight, meter, core.limiter, answering.stop_for_drain):
            try:
                if unroutable is not None:
                    raise unroutable  # noqa: TRY301 - it must pass the permit to be in the ledger
                await answering.run(candidates)
            except Exception as error:
                # The permit settles on the way out; the edge renders what was not answered yet.
                meter.failed(exchange, error)
                raise meter.words_for(error) from error


class Caller(NamedTuple):
    """Who asks, and since when: seconds of the monotonic clock, and microseconds UTC."""

    principal: Principal
    request_id: str
    started: float
    started_us: int


class WholeAnswer:
    """One answer in one piece. A client that leaves does not end it: it is paid for, so it is finished."""

    def __init__(self, exchange: Exchange, dispatcher: Dispatcher, meter: Meter, send: Send) -> None:
        self._exchange = exchange
        self._dispatcher = dispatcher
        self._meter = meter
        self._send = send
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def stop_for_drain(self) -> None:
        """Ends the wait for the provider: the broker is shutting down."""
        if not self._exchange.is_settled and self._task is not None:
            self._is_stopped = True
            self._task.cancel()

    async def run(self, candidates: tuple[Candidate, ...]) -> None:
        """Runs to the end of the answer.

        Raises:
            ProviderGaveUp: no provider gave one.
            Overloaded: the broker's shutdown ended it.
        """
        exchange = self._exchange
        self._task = asyncio.current_task()
        try:
            answer = await self._dispatcher.whole(exchange, candidates)
        except asyncio.CancelledError:
            if not self._is_stopped or self._task is None:
                raise
            self._task.uncancel()
            exchange.status, exchange.outcome, exchange.error_code = 503, "broker_stopped", "broker_stopped"
            self._meter.settle(exchange)
            raise _stopping() from None
        exchange.status, exchange.outcome = 200, "finished"
        self._meter.settle(exchange)
        await self._meter.durable(exchange)
        body = exchange.dialect.answer(answer, exchange.told())
        await send_whole(self._send, 200, exchange_headers(exchange), body)


class ClientStream:
    """One streamed answer, from the first byte waited for to the last byte sent.

    Three things can end it from outside: the provider, the client leaving, and the broker's own drain. The last two
    cancel the one task that runs here and say so in `_stopped`, so that every ending is settled in one place.
    """

    def __init__(self, exchange: Exchange, dispatcher: Dispatcher, meter: Meter, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._dispatcher = dispatcher
        self._meter = meter
        self._receive = receive
        self._send = send
        self._writer = exchange.dialect.writer(exchange.request)
        self._keep_alive = KeepAlive(send, lambda: exchange_headers(exchange), self._writer.keep_alive())
        self._held = b""
        self._unsent: Awaitable[None] | None = None
        self._stopped: Literal["client_left", "broker_stopped"] | None = None
        self._task: asyncio.Task[None] | None = None

    def stop_for_drain(self) -> None:
        """Ends the answer with an error event: the broker is shutting down."""
        self._stop("broker_stopped")

    async def run(self, candidates: tuple[Candidate, ...]) -> None:
        """Runs to the end of the answer.

        Raises:
            BrokerError: no provider gave a first event, and nothing was sent to the client yet.
        """
        self._task = asyncio.current_task()
        leaving = asyncio.ensure_future(self._watch_client())
        self._keep_alive.start()
        try:
            await self._run(candidates)
        except asyncio.CancelledError:
            if self._stopped is None or self._task is None:
                raise
            self._task.uncancel()
            await self._end_stopped()
        except Exception as error:
            if not await self._keep_alive.quiet():
                raise
            # With the head out there is no status left to say it with: an error event does, never a clean end.
            if not isinstance(error, ProviderGaveUp | BrokerError):
                log.exception("request %s failed in its stream", self._exchange.request_id)
            self._meter.failed(self._exchange, error)
            await self._end_failed(error)
        finally:
            self._keep_alive.stop()
            leaving.cancel()

    async def _run(self, candidates: tuple[Candidate, ...]) -> None:
        exchange = self._exchange
        async with await self._dispatcher.open_stream(exchange, candidates) as stream:
            await self._keep_alive.begin()
            exchange.status = 200
            failure = await self._pump(stream)
        if failure is not None:
            self._dispatcher.broke_off(exchange, failure)
            exchange.outcome, exchange.error_code = "upstream_truncated", failure.code
            await self._end_failed(failure)
            return
        exchange.outcome = "finished"
        self._meter.settle(exchange)
        await self._meter.durable(exchange)
        await self._keep_alive.quiet()
        await end_stream(self._send, self._writer.done(exchange.told()))

    async def _pump(self, stream: OpenStream) -> ProviderGaveUp | None:
        """Passes events on until the stream ends; what it ended of, or None when the answer is whole."""
        self._held = self._writer.start(self._exchange.told())
        while await stream.pump(self._pass_on):
            if self._unsent is not None:  # a client that reads slower than the provider writes
                await self._unsent
                self._unsent = None
        return stream.failure

    def _pass_on(self, events: list[StreamEvent]) -> bool:
        """Sends what `events` say to the client; whether it took all of it at once."""
        exchange = self._exchange
        piece = self._writer.events(events)
        self._meter.count(exchange, events)
        if self._held:
            piece, self._held = self._held + piece, b""
        if not piece:
            return True
        if exchange.first_byte_us is None:
            exchange.first_byte_us = now_us()
        self._keep_alive.pieces += 1
        self._unsent = send_at_once(self._send, piece)
        return self._unsent is None

    async def _watch_client(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._stop("client_left")

    def _stop(self, why: Literal["client_left", "broker_stopped"]) -> None:
        if self._stopped is None and self._task is not None and not self._exchange.is_settled:
            self._stopped = why
            self._task.cancel()

    async def _end_stopped(self) -> None:
        exchange = self._exchange
        exchange.outcome = self._stopped or "client_left"
        exchange.error_code = exchange.outcome
        if not await self._keep_alive.quiet():
            exchange.status = 499 if exchange.outcome == "client_left" else 503
        self._meter.settle(exchange)
        if exchange.outcome != "client_left":
            await self._end_failed(_stopping())

    async def _end_failed(self, error: Exception) -> None:
        exchange = self._exchange
        told = self._meter.words_for(error)
        self._meter.settle(exchange)
        if await self._keep_alive.quiet():
            await end_stream(self._send, self._writer.failed(told, exchange.told()))
        else:
            await send_error(self._send, told, exchange.request_id, exchange.dialect, exchange_headers(exchange))


def _stopping() -> Overloaded:
    return Overloaded("The broker is restarting; the answer ends here.", code="broker_stopped", retry_after=5)
