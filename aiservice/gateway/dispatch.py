"""Sends a request to its candidates in order until one answers. Falls back only before the first event."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiservice.errors import BrokerError, NoProvider, RateLimited
from aiservice.gateway.counting import count_answer, estimated_count
from aiservice.gateway.exchange import (
    ABANDONED,
    ABANDONED_UNSENT,
    CIRCUIT_OPEN,
    Candidate,
    Exchange,
    ProviderGaveUp,
)
from aiservice.gateway.provider_stream import InProcess, OpenStream
from aiservice.gateway.quota_turns import QUOTA_EXHAUSTED, QuotaTurns
from aiservice.providers._base import AttemptFailed, LocalProvider, Provider
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.services.health import ConnectionHealth
from aiservice.settings import Deadlines
from aiservice.upstream.client import Target, Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.guard import ParsedBase, check_base_url
from aiservice.wire import (
    Answer,
    Attempt,
    AttemptFailure,
    Blame,
    HttpReply,
)

T = TypeVar("T")
_TARGET_SECONDS = 60.0  # how long an opened key may be used without asking the vault again
_NOWHERE = ParsedBase("https", "localhost", 443, "")


class Dispatcher:
    """Turns candidates into attempts. Holds the targets (address and credential) of the connections in use."""

    def __init__(
        self,
        upstream: Upstream,
        connections: Connections,
        deadlines: Deadlines,
        health: ConnectionHealth,
        turns: QuotaTurns,
    ) -> None:
        self._upstream = upstream
        self._connections = connections
        self._deadlines = deadlines
        self._health = health
        self._turns = turns
        self._targets: dict[str, tuple[ConnectionView, float, Target]] = {}

    async def whole(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Answer:
        """The first whole answer.

        Raises:
            ProviderGaveUp: no candidate gave one.
            NoProvider: the circuit breaker of every candidate is open.
            RateLimited: the quota of every candidate is used up.
            ClientLeft: the client hung up while it waited for one's.
        """
        answer = await self._first(exchange, candidates, self._ask)
        exchange.finish_reason = answer.finish_reason
        exchange.usage, exchange.is_usage_valid = answer.usage, answer.is_usage_valid
        if answer.usage is None:
            count_answer(exchange, answer)
        return answer

    async def open_stream(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> "OpenStream":
        """The first stream that gave an event; raises as `whole`."""
        return await self._first(exchange, candidates, self._begin)

    async def _first(
        self,
        exchange: Exchange,
        candidates: tuple[Candidate, ...],
        attempt: "Callable[[Exchange, Candidate], Awaitable[T]]",
    ) -> T:
        """What the first candidate gives that gives something."""
        gave_up: ProviderGaveUp | None = None
        for candidate in candidates:
            if self._is_left_alone(exchange, candidate):
                continue
            is_again = False
            while True:
                waited_us = exchange.quota_waited_us
                if not self._turns.at_once(exchange, candidate) and not await self._turns.in_turn(
                    exchange, is_again=is_again
                ):
                    self._pass_over(exchange, candidate)
                    break
                exchange.candidate = candidate
                exchange.is_attempt_sent = False
                began, waited_us = time.perf_counter(), exchange.quota_waited_us - waited_us
                try:
                    given = await attempt(exchange, candidate)
                except asyncio.CancelledError:
                    failure = _abandoned(exchange)
                    self._turns.failed(exchange, failure)
                    _note(exchange, candidate, began, failure, waited_us)
                    raise
                except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
                    gave_up, is_refused = self._gave_up(exchange, candidate, began, exc, waited_us)
                    if gave_up.failure.blame is Blame.CALLER:
                        raise gave_up from exc
                    is_again = is_refused and self._turns.may_ask_again(exchange)
                    if is_again:
                        continue
                    break
                _note(exchange, candidate, began, None, waited_us)
                return given
        if gave_up is not None and gave_up.failure.code == QUOTA_EXHAUSTED:
            gave_up.failure.retry_after_seconds = exchange.quota_wait_seconds
        raise gave_up or _none_left(exchange)

    def broke_off(self, exchange: Exchange, gave_up: ProviderGaveUp) -> None:
        """A stream that had begun has failed: a sign for the next requests, too."""
        if exchange.candidate is not None:
            self._health.failed(exchange.candidate.connection.id, gave_up.failure)

    def _is_left_alone(self, exchange: Exchange, candidate: Candidate) -> bool:
        """Whether the candidate's circuit breaker is open; then it is noted as passed over."""
        wait = self._health.wait_seconds(candidate.connection.id)
        if not wait:
            return False
        _note(exchange, candidate, time.perf_counter(), AttemptFailure(503, CIRCUIT_OPEN, "", Blame.FAILOVER))
        exchange.passed_over += 1
        exchange.next_try_seconds = min(exchange.next_try_seconds or wait, wait)
        return True

    def _pass_over(self, exchange: Exchange, candidate: Candidate) -> None:
        """Notes a candidate whose quota would have to be waited for too long."""
        failure = AttemptFailure(429, QUOTA_EXHAUSTED, "", Blame.FAILOVER)
        _note(exchange, candidate, time.perf_counter(), failure, exchange.quota_waited_us)
        exchange.passed_over += 1

    def _gave_up(
        self, exchange: Exchange, candidate: Candidate, began: float, exc: Exception, waited_us: int
    ) -> tuple[ProviderGaveUp, bool]:
        assert isinstance(exc, (AttemptFailed, UpstreamFailure, BrokerError))  # noqa: S101 - what the callers catch
        failure = _failure_of(exc)
        is_refused = self._turns.failed(exchange, failure)
        _note(exchange, candidate, began, failure, waited_us)
        self._health.failed(candidate.connection.id, failure)
        return ProviderGaveUp(failure, candidate.connection.name), is_refused

    async def _ask(self, exchange: Exchange, candidate: Candidate) -> Answer:
        provider, ask = candidate.provider, exchange.request.ask
        if ask.kind == "token-count" and not provider.counts_tokens:
            return estimated_count(exchange)
        call = provider.build(ask, candidate.model)
        target = await self._target(candidate)
        began = time.perf_counter()
        try:
            reply = await self._upstream.send(target, call, request_id=exchange.request_id, deadlines=self._deadlines)
        finally:
            exchange.upstream_seconds += time.perf_counter() - began
            exchange.is_attempt_sent = call.was_sent
        if reply.status != 200:
            raise AttemptFailed(_refused(exchange, provider, reply))
        self._turns.accepted(exchange, provider.quota_in(reply.headers))
        answer = provider.read(ask, call, reply)
        self._health.succeeded(candidate.connection.id)
        return answer

    async def _begin(self, exchange: Exchange, candidate: Candidate) -> "OpenStream":
        provider, ask = candidate.provider, exchange.request.ask
        call = provider.build(ask, candidate.model)
        target = await self._target(candidate)
        began = time.perf_counter()
        try:
            raw = await self._upstream.open_stream(
                target, call, request_id=exchange.request_id, deadlines=self._deadlines
            )
            if raw.status != 200:
                raise AttemptFailed(_refused(exchange, provider, await raw.reply()))
            self._turns.accepted(exchange, provider.quota_in(raw.headers))
            stream = OpenStream(raw, provider.reader(ask, call), candidate.connection.name)
            await stream.wait_for_first()
        finally:
            exchange.upstream_seconds += time.perf_counter() - began
            exchange.is_attempt_sent = call.was_sent
        self._health.succeeded(candidate.connection.id)
        return stream

    async def _target(self, candidate: Candidate) -> Target:
        view = candidate.connection
        now = time.monotonic()
        known = self._targets.get(view.id)
        if known is not None and known[0] is view and known[1] > now:
            return known[2]
        provider = candidate.provider
        if isinstance(provider, LocalProvider):
            target = Target(view.id, view.revision, _NOWHERE, local=InProcess(provider))
        else:
            key = await self._connections.secret(view)
            target = Target(
                view.id,
                view.revision,
                check_base_url(view.base_url, view.is_private_allowed),
                (lambda _call: provider.auth_headers(key)) if key is not None else (lambda _call: ()),
                view.is_private_allowed,
            )
        self._targets[view.id] = (view, now + _TARGET_SECONDS, target)
        return target


def _abandoned(exchange: Exchange) -> AttemptFailure:
    """The client left, or the broker stopped, while the provider was at work, or before it had been asked."""
    code = ABANDONED if exchange.is_attempt_sent else ABANDONED_UNSENT
    return AttemptFailure(499, code, "The attempt was given up.", Blame.CALLER)


def _refused(exchange: Exchange, provider: Provider, reply: HttpReply) -> AttemptFailure:
    if reply.status == 429:
        exchange.quota_notes = provider.quota_in_refusal(reply)
    return provider.failure(reply)


def _none_left(exchange: Exchange) -> NoProvider | RateLimited:
    """Nobody was asked: every candidate is down, or its quota used up. When the first of them may be asked again."""
    quota, down = exchange.quota_wait_seconds, exchange.next_try_seconds
    if quota:
        wait = min(quota, down or quota)
        return RateLimited(
            "Every provider that could serve this request has given what it gives us for now, and others are served "
            f"first. Try again in {wait:.1f} s.",
            code=QUOTA_EXHAUSTED,
            retry_after=round(wait, 3),
        )
    return NoProvider(
        "Every provider that could serve this request has just failed several times in a row and is left alone for a "
        f"moment. The next request goes through in {down:.0f} s.",
        code="provider_down",
        retry_after=down,
    )


def _failure_of(exc: AttemptFailed | UpstreamFailure | BrokerError) -> AttemptFailure:
    if isinstance(exc, BrokerError):  # the vault is sealed, an envelope does not open, a path may not leave
        blame = Blame.CALLER if exc.status < 500 else Blame.FAILOVER
        return AttemptFailure(exc.status, exc.code, exc.message, blame, retry_after_seconds=exc.retry_after)
    return exc.failure


def _note(
    exchange: Exchange, candidate: Candidate, began: float, failure: AttemptFailure | None, waited_us: int = 0
) -> None:
    reason = candidate.reason
    if waited_us >= 1_000:
        reason = f"{reason}; waited {waited_us // 1_000} ms for quota"
    attempt = Attempt(candidate.connection.name, candidate.model, reason)
    attempt.start_ms = int((began - exchange.started) * 1000)
    attempt.duration_ms = int((time.perf_counter() - began) * 1000)
    if failure is None:
        attempt.status = 200
    else:
        attempt.status = failure.upstream_status or failure.status
        attempt.code = failure.code
    exchange.attempts.append(attempt)
