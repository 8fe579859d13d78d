"""Sends a request to its candidates in order until one answers. Falls back only before the first event.

The walk is here; its rules are in `fallback`, one attempt is in `attempts`, who is left alone is in `services/health`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from aiservice.errors import BrokerError, NoProvider, RateLimited
from aiservice.gateway import fallback
from aiservice.gateway.attempts import Attempts, abandoned, failure_of, moved_on, note
from aiservice.gateway.exchange import CIRCUIT_OPEN, Exchange, ProviderGaveUp
from aiservice.gateway.provider_stream import OpenStream
from aiservice.gateway.quota_turns import QUOTA_EXHAUSTED, QuotaTurns
from aiservice.providers._base import AttemptFailed
from aiservice.services.candidates import Candidate
from aiservice.services.health import ConnectionHealth
from aiservice.services.routing_facts import RoutingFacts
from aiservice.upstream.failures import UpstreamFailure
from aiservice.wire import Answer, AttemptFailure, Blame

T = TypeVar("T")
Make = Callable[[Exchange, Candidate], Awaitable[T]]
ContextTokens = Callable[[Candidate], int | None]
_SILENT, _STALLED = "upstream_silent", "upstream_stalled"


class Dispatcher:
    """Turns candidates into attempts. `context_tokens` tells how long a prompt a candidate takes, where that is known,
    `total_seconds` how long a request may last."""

    def __init__(
        self,
        attempts: Attempts,
        health: ConnectionHealth,
        turns: QuotaTurns,
        *,
        context_tokens: ContextTokens,
        total_seconds: float,
        facts: RoutingFacts,
    ) -> None:
        self._attempts = attempts
        self._health = health
        self._turns = turns
        self._facts = facts
        self._context_tokens = context_tokens
        self._total_seconds = total_seconds

    def whole(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Awaitable[Answer]:
        """The first whole answer.

        Raises:
            ProviderGaveUp: no candidate gave one.
            RateLimited: the quota of every candidate is used up.
            ClientLeft: the client hung up while it waited for one's.
        """
        return self._first(exchange, candidates, self._attempts.ask)

    def open_stream(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Awaitable[OpenStream]:
        """The first stream that gave an event; raises as `whole`."""
        return self._first(exchange, candidates, self._attempts.begin)

    async def continued(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> OpenStream | None:
        """A stream of another candidate that goes on from what was delivered; None where nobody can, or may."""
        continuation, before, request = exchange.continuation, exchange.candidate, exchange.request
        if continuation is None or exchange.finish_reason is not None:
            return None
        ask = continuation.next_ask(request.ask, exchange.counted_output())
        left = tuple(one for one in candidates if one.connection.id not in continuation.broken)
        if ask is None or not left or not self._health.budget.spend():
            return None
        exchange.request = replace(request, ask=ask)
        try:
            return await self._first(exchange, left, self._attempts.begin)
        except (ProviderGaveUp, RateLimited):
            exchange.candidate, exchange.request = before, request
            return None

    def broke_off(self, exchange: Exchange, gave_up: ProviderGaveUp) -> None:
        """A stream that had begun has failed: a sign for the next requests, too."""
        if exchange.candidate is not None:
            candidate = exchange.candidate
            if exchange.continuation is not None:
                exchange.continuation.broken.add(candidate.connection.id)
            self._health.failed(candidate.connection.id, gave_up.failure, candidate.model)

    async def _first(self, exchange: Exchange, candidates: tuple[Candidate, ...], make: "Make[T]") -> T:
        """What the first candidate gives that gives something."""
        first = candidates[0]
        if self._health.open_breaker(first.connection.id, first.model) is not None:
            return await self._walk(exchange, candidates, make)
        exchange.has_alternative = len(candidates) > 1
        exchange.probe_seconds = None
        if not self._turns.at_once(exchange, first):
            return await self._walk(exchange, candidates, make, is_in_turn=True)
        try:
            return await self._once(exchange, first, make, 0)
        except ProviderGaveUp as gave_up:
            return await self._walk(exchange, candidates, make, gave_up)

    async def _walk(
        self,
        exchange: Exchange,
        candidates: tuple[Candidate, ...],
        make: "Make[T]",
        known: ProviderGaveUp | None = None,
        *,
        is_in_turn: bool = False,
    ) -> T:
        """All of them in order; `known` is why the first has given nothing, where it was asked already, and it is
        waited for where it `is_in_turn`."""
        gave_up: ProviderGaveUp | None = None
        failed: Candidate | None = None
        is_first_known = known is not None or is_in_turn
        for candidate in self._open_ones(exchange, candidates, is_first_known=is_first_known):
            if gave_up is not None and failed is not None:
                if not self._is_large_enough(gave_up.failure, failed, candidate):
                    continue
                if gave_up.code != _SILENT and not self._health.budget.spend():
                    break  # who fell silent was moved on out of the budget already
            exchange.has_alternative = candidate is not candidates[-1]
            given, failure = await self._at(exchange, candidate, make, known, is_in_turn=is_in_turn)
            known, is_in_turn = None, False
            if failure is None and given is not None:
                return given
            if failure is not None:
                gave_up, failed = failure, candidate
                if not fallback.may_go_on(failure.failure):
                    raise failure
        if gave_up is not None and gave_up.failure.code == QUOTA_EXHAUSTED:
            gave_up.failure.retry_after_seconds = exchange.quota_wait_seconds
        raise gave_up or _none_left(exchange)

    async def _at(
        self,
        exchange: Exchange,
        candidate: Candidate,
        make: "Make[T]",
        failed: ProviderGaveUp | None,
        *,
        is_in_turn: bool,
    ) -> tuple[T | None, ProviderGaveUp | None]:
        """What one candidate gives, or why it gives nothing; neither, where its turn does not come in time."""
        tries, is_again = 0, False
        while True:
            tries += 1
            if failed is None:
                waited_us = exchange.quota_waited_us
                has_turn = not is_in_turn and self._turns.at_once(exchange, candidate)
                if not has_turn and not await self._turns.in_turn(exchange, is_again=is_again):
                    self._pass_over(exchange, candidate)
                    return None, None
                is_in_turn = False
                try:
                    return await self._once(exchange, candidate, make, exchange.quota_waited_us - waited_us), None
                except ProviderGaveUp as gave_up:
                    failed = gave_up
            is_again = self._may_ask_again(exchange, failed.failure)
            if not is_again and not await self._may_retry(exchange, failed.failure, tries):
                return None, failed
            failed = None

    def _may_ask_again(self, exchange: Exchange, failure: AttemptFailure) -> bool:
        """Whether a provider that has refused for its limits is asked once more, in its turn."""
        is_refused = failure.code == QUOTA_EXHAUSTED and failure.upstream_status == 429
        return is_refused and self._turns.may_ask_again(exchange) and self._health.budget.spend()

    async def _once(self, exchange: Exchange, candidate: Candidate, make: "Make[T]", waited_us: int) -> T:
        """One attempt, noted and counted however it ends."""
        exchange.candidate = candidate
        exchange.is_attempt_sent = False
        health, connection_id = self._health, candidate.connection.id
        if exchange.load is None:
            began = health.asked()
        else:
            began = health.clock()
            exchange.load.over()  # that of a stream which broke off
        fact = self._facts.of((connection_id, candidate.model))
        load = health.begin(connection_id, fact, exchange.task, began, is_movable=exchange.has_alternative)
        exchange.load = load
        try:
            given = await make(exchange, candidate)
        except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
            load.failed()
            raise self._gave_up(exchange, candidate, began, exc, waited_us) from exc
        except asyncio.CancelledError as exc:
            load.failed()
            if (moved := moved_on(load)) is not None:
                raise self._gave_up(exchange, candidate, began, moved, waited_us) from exc
            failure = abandoned(exchange)
            self._turns.failed(exchange, failure)
            note(exchange, candidate, began, failure, waited_us)
            raise
        finally:
            del load.pulse.waiting[load]
        ended = health.answered(load, candidate.model, is_stream=exchange.request.ask.is_stream)
        note(exchange, candidate, began, None, waited_us, ended=ended)
        return given

    async def _may_retry(self, exchange: Exchange, failure: AttemptFailure, tries: int) -> bool:
        """Whether the same candidate is asked again, after the wait that this takes."""
        if exchange.has_alternative:
            return False
        left = self._total_seconds - (time.monotonic() - exchange.started)
        wait = fallback.wait_before_again(failure, tries, left)
        if wait is None or not self._health.budget.spend():
            return False
        await asyncio.sleep(wait)
        return True

    def _open_ones(
        self, exchange: Exchange, candidates: tuple[Candidate, ...], *, is_first_known: bool
    ) -> Iterator[Candidate]:
        """The candidates whose breaker lets a request through, in order; all of them, where every breaker is open. The
        first's was looked at already where it `is_first_known`."""
        health = self._health
        is_bypassed = False
        for candidate in candidates:
            connection_id, model = candidate.connection.id, candidate.model
            exchange.probe_seconds = None
            is_looked_at = is_first_known and candidate is candidates[0]
            if not is_looked_at and not is_bypassed and health.open_breaker(connection_id, model) is not None:
                is_bypassed = all(health.is_left_alone(one.connection.id, one.model) for one in candidates)
                if not is_bypassed:
                    if health.wait_seconds(connection_id, model):
                        failure = AttemptFailure(503, CIRCUIT_OPEN, "", Blame.FAILOVER)
                        note(exchange, candidate, time.monotonic(), failure)
                        exchange.passed_over += 1
                        continue
                    exchange.probe_seconds = health.probe_seconds(connection_id, model)
            yield candidate

    def _is_large_enough(self, failure: AttemptFailure, failed: Candidate, candidate: Candidate) -> bool:
        tokens = self._context_tokens
        return fallback.is_large_enough(failure, partial(tokens, failed), partial(tokens, candidate))

    def _pass_over(self, exchange: Exchange, candidate: Candidate) -> None:
        """Notes a candidate whose quota would have to be waited for too long."""
        failure = AttemptFailure(429, QUOTA_EXHAUSTED, "", Blame.FAILOVER)
        note(exchange, candidate, time.monotonic(), failure, exchange.quota_waited_us)
        exchange.passed_over += 1

    def _gave_up(
        self,
        exchange: Exchange,
        candidate: Candidate,
        began: float,
        exc: AttemptFailed | UpstreamFailure | BrokerError,
        waited_us: int,
    ) -> ProviderGaveUp:
        failure = failure_of(exc)
        self._turns.failed(exchange, failure)
        note(exchange, candidate, began, failure, waited_us)
        if failure.code != _STALLED or exchange.request.stall_seconds is None:  # too late for one is not down for all
            self._health.failed(candidate.connection.id, failure, candidate.model)
        return ProviderGaveUp(failure, candidate.connection.name)


def _none_left(exchange: Exchange) -> NoProvider | RateLimited:
    """Nobody was asked: the quota of every candidate is used up. When the first of them may be asked again."""
    wait = exchange.quota_wait_seconds
    return RateLimited(
        "Every provider that could serve this request has given what it gives us for now, and others are served "
        f"first. Try again in {wait:.1f} s.",
        code=QUOTA_EXHAUSTED,
        retry_after=round(wait, 3),
    )
