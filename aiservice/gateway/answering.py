"""One answer under way to the client, whole or streamed; every ending, whoever caused it, is settled in one place."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from functools import partial
from typing import Literal

from aiservice.errors import BrokerError
from aiservice.gateway.charge import Charges, answers_of
from aiservice.gateway.exchange import UNMETERED_OUTPUT, Exchange, ProviderGaveUp, Receive, Send
from aiservice.gateway.meter import Meter
from aiservice.gateway.provider_stream import OpenStream
from aiservice.gateway.quota_turns import ClientLeft
from aiservice.gateway.respond import (
    KeepAlive,
    end_stream,
    exchange_headers,
    send_at_once,
    send_error,
    send_whole,
)
from aiservice.gateway.source import AnswerSource, EventSource
from aiservice.kit.clock import now_us
from aiservice.services.candidates import Candidate
from aiservice.wire import StreamEvent

log = logging.getLogger(__name__)


class WholeAnswer:
    """One answer in one piece. A client that leaves does not end it: it is paid for, so it is finished. One that leaves
    while it waits for a provider's quota gives its place up."""

    def __init__(
        self, exchange: Exchange, dispatcher: AnswerSource, meter: Meter, receive: Receive, send: Send
    ) -> None:
        self._exchange = exchange
        self._dispatcher = dispatcher
        self._meter = meter
        self._receive = receive
        self._send = send
        self._task: asyncio.Task[None] | None = None
        self._stopped: BrokerError | None = None

    def stop(self, error: BrokerError) -> None:
        """Ends the wait for the provider, and the answer with `error`."""
        if not self._exchange.is_settled and self._task is not None and self._stopped is None:
            self._stopped = error
            self._task.cancel()

    async def run(self, candidates: tuple[Candidate, ...]) -> None:
        """Runs to the end of the answer.

        Raises:
            ProviderGaveUp: no provider gave one.
            BrokerError: what it was stopped with.
        """
        exchange = self._exchange
        self._task = exchange.task = asyncio.current_task()
        exchange.left = partial(_left, self._receive)
        try:
            answer = await self._dispatcher.whole(exchange, candidates)
        except ClientLeft:
            exchange.status, exchange.outcome, exchange.error_code = 499, "client_left", "client_left"
            self._meter.settle(exchange)
            return
        except asyncio.CancelledError:
            if self._stopped is None or self._task is None:
                raise
            self._task.uncancel()
            error = self._stopped
            exchange.status, exchange.outcome, exchange.error_code = error.status, "broker_stopped", error.code
            self._meter.settle(exchange)
            raise error from None
        if exchange.is_shortened and answer.finish_reason == "length":
            exchange.finish_reason = "budget_exhausted"
            answer.end_with("budget_exhausted")
        exchange.status, exchange.outcome = 200, "finished"
        self._meter.settle(exchange)
        if (pending := self._meter.durable(exchange)) is not None:
            await pending
        if answer.raw is not None and answer.raw_wire == exchange.dialect.raw_wire:
            body = answer.raw
        elif answer.is_large:
            body = await asyncio.to_thread(exchange.dialect.answer, answer, exchange.told())
        else:
            body = exchange.dialect.answer(answer, exchange.told())
        if exchange.payload is not None:
            exchange.payload.answer = body
        media_type = answer.media_type if exchange.dialect.gives_media else ""
        await send_whole(self._send, 200, exchange_headers(exchange), body, media_type)


async def _left(receive: Receive) -> None:
    """Ends when the client has hung up. No method: an exchange that led back to its answer would be a cycle, and each
    request's objects would wait for the collector."""
    while (await receive())["type"] != "http.disconnect":
        pass


class ClientStream:
    """One streamed answer, from the first byte waited for to the last byte sent.

    Four things can end it from outside: the provider, a budget that pays no further, the client leaving, and the broker
    itself (its shutdown, the key's end). The last two cancel the one task that runs here and say so in `_stopped`, so
    that every ending is settled in one place.
    """

    def __init__(
        self,
        exchange: Exchange,
        dispatcher: AnswerSource,
        meter: Meter,
        receive: Receive,
        send: Send,
        *,
        charges: Charges,
    ) -> None:
        self._exchange = exchange
        self._charges = charges
        self._unpaid: list[StreamEvent] | None = None
        self._is_exhausted = False
        self._dispatcher = dispatcher
        self._meter = meter
        self._receive = receive
        self._send = send
        self._writer = exchange.dialect.writer(exchange.request)
        self._keep_alive = KeepAlive(send, lambda: exchange_headers(exchange), self._writer.keep_alive())
        self._held = b""
        self._unsent: Awaitable[None] | None = None
        self._stopped: BrokerError | Literal["client_left"] | None = None
        self._task: asyncio.Task[None] | None = None

    def stop(self, error: BrokerError) -> None:
        """Ends the answer with an error event."""
        self._stop(error)

    async def run(self, candidates: tuple[Candidate, ...]) -> None:
        """Runs to the end of the answer.

        Raises:
            BrokerError: no provider gave a first event, and nothing was sent to the client yet.
        """
        self._task = self._exchange.task = asyncio.current_task()
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
        failure = await self._given(await self._dispatcher.open_stream(exchange, candidates))
        while failure is not None:
            self._dispatcher.broke_off(exchange, failure)
            rest = await self._rest(candidates, failure)
            if rest is None:
                break
            failure = await self._given(rest, is_rest=True)
        if failure is not None:
            exchange.outcome, exchange.error_code = "upstream_truncated", failure.code
            await self._end_failed(failure)
            return
        if self._is_exhausted:
            exchange.outcome = exchange.finish_reason = "budget_exhausted"
        else:
            exchange.outcome = "finished"
        self._meter.settle(exchange)
        if (pending := self._meter.durable(exchange)) is not None:
            await pending
        await self._keep_alive.quiet()
        told = exchange.told()
        if self._is_exhausted:
            await end_stream(self._send, self._writer.exhausted(answers_of(exchange.request.ask), told))
        else:
            await end_stream(self._send, self._writer.done(told))

    async def _rest(self, candidates: tuple[Candidate, ...], failure: ProviderGaveUp) -> EventSource | None:
        """Another provider's stream that goes on with one that broke off, where the client asked for that."""
        if self._exchange.continuation is None:
            return None
        self._meter.part_ended(self._exchange, failure)
        return await self._dispatcher.continued(self._exchange, candidates)

    async def _given(self, stream: EventSource, *, is_rest: bool = False) -> ProviderGaveUp | None:
        """Gives a stream to the client; what it ended of, or None when the answer is whole."""
        async with stream:
            if self._writer.gives_bytes and isinstance(stream, OpenStream):
                self._keep_alive.media_type = stream.media_type
            await self._keep_alive.begin()
            self._exchange.status = 200
            told = self._exchange.told()
            self._held = self._writer.boundary(told) if is_rest else self._writer.start(told)
            return await self._pump(stream)

    async def _pump(self, stream: EventSource) -> ProviderGaveUp | None:
        """Passes events on until the stream ends; what it ended of, or None when the answer is whole."""
        while await stream.pump(self._pass_on):
            if not await self._go_on():
                self._is_exhausted = True
                stream.give_up()
                return None
        return stream.failure

    async def _go_on(self) -> bool:
        """Waits for what held the stream back; False where its caller's budgets pay no further."""
        while self._unsent is not None or self._unpaid is not None:
            if self._unsent is not None:  # a client that reads slower than the provider writes
                began = time.monotonic()
                await self._unsent
                self._unsent = None
                if (load := self._exchange.load) is not None:  # how quick the provider is, a client does not decide
                    load.held_seconds += time.monotonic() - began
            if self._unpaid is not None:
                if not await self._charges.extend(self._exchange, self._exchange.counted_output()):
                    return False
                events, self._unpaid = self._unpaid, None
                self._pass_on(events)
        return True

    def _pass_on(self, events: list[StreamEvent]) -> bool:
        """Sends what `events` say to the client; whether it took all of it at once."""
        exchange = self._exchange
        if exchange.paid_outputs == UNMETERED_OUTPUT:
            self._meter.count(exchange, events)
        else:
            events = self._paid(events)
        piece = self._writer.events(events)
        if exchange.payload is not None:
            exchange.payload.note(events)
        if exchange.continuation is not None:
            exchange.continuation.note(events)
        if self._held:
            piece, self._held = self._held + piece, b""
        if piece:
            if exchange.first_byte_us is None:
                exchange.first_byte_us = now_us()
            self._keep_alive.pieces += 1
            self._unsent = send_at_once(self._send, piece)
        return self._unsent is None and self._unpaid is None

    def _paid(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Counts `events` up to the one that uses up what is paid; those after it wait in `_unpaid`."""
        exchange = self._exchange
        for place, event in enumerate(events, start=1):
            self._meter.count(exchange, (event,))
            outputs = exchange.counted_output()
            is_over = outputs >= exchange.paid_outputs and exchange.finish_reason is None
            if is_over and not self._charges.cover(exchange, outputs):
                self._unpaid = events[place:]
                return events[:place]
        return events

    async def _watch_client(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._exchange.outlet is not None:
            await self._exchange.outlet.client_left()
        self._stop("client_left")

    def _stop(self, why: BrokerError | Literal["client_left"]) -> None:
        if self._stopped is None and self._task is not None and not self._exchange.is_settled:
            self._stopped = why
            self._task.cancel()

    async def _end_stopped(self) -> None:
        exchange, error = self._exchange, self._stopped
        is_begun = await self._keep_alive.quiet()
        if not isinstance(error, BrokerError):
            exchange.outcome = exchange.error_code = "client_left"
            exchange.status = exchange.status if is_begun else 499
            self._meter.settle(exchange)
            return
        exchange.outcome, exchange.error_code = "broker_stopped", error.code
        exchange.status = exchange.status if is_begun else error.status
        self._meter.settle(exchange)
        await self._end_failed(error)

    async def _end_failed(self, error: Exception) -> None:
        exchange = self._exchange
        told = self._meter.words_for(error)
        self._meter.settle(exchange)
        if await self._keep_alive.quiet():
            last = self._writer.failed(told, exchange.told())
            if not self._writer.gives_bytes:
                await end_stream(self._send, last)
        else:
            await send_error(self._send, told, exchange.request_id, exchange.dialect, exchange_headers(exchange))
