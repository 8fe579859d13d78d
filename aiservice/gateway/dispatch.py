"""Sends a request to its candidates in order until one answers. Falls back only before the first event."""

import asyncio
import time

from aiservice.errors import BrokerError, NoProvider
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
from aiservice.providers._base import AttemptFailed, LocalProvider
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
)

_TARGET_SECONDS = 60.0  # how long an opened key may be used without asking the vault again
_NOWHERE = ParsedBase("https", "localhost", 443, "")


class Dispatcher:
    """Turns candidates into attempts. Holds the targets (address and credential) of the connections in use."""

    def __init__(
        self, upstream: Upstream, connections: Connections, deadlines: Deadlines, health: ConnectionHealth
    ) -> None:
        self._upstream = upstream
        self._connections = connections
        self._deadlines = deadlines
        self._health = health
        self._targets: dict[str, tuple[ConnectionView, float, Target]] = {}

    async def whole(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Answer:
        """The first whole answer.

        Raises:
            ProviderGaveUp: no candidate gave one.
            NoProvider: the circuit breaker of every candidate is open.
        """
        gave_up: ProviderGaveUp | None = None
        for candidate in candidates:
            if self._is_left_alone(exchange, candidate):
                continue
            exchange.candidate = candidate
            began = time.perf_counter()
            try:
                answer = await self._ask(exchange, candidate)
            except asyncio.CancelledError:
                _note(exchange, candidate, began, _abandoned(exchange))
                raise
            except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
                gave_up = self._gave_up(exchange, candidate, began, exc)
                if gave_up.failure.blame is Blame.CALLER:
                    raise gave_up from exc
                continue
            _note(exchange, candidate, began, None)
            exchange.finish_reason = answer.finish_reason
            exchange.usage, exchange.is_usage_valid = answer.usage, answer.is_usage_valid
            if answer.usage is None:
                count_answer(exchange, answer)
            return answer
        raise gave_up or _all_down(exchange)

    async def open_stream(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> "OpenStream":
        """The first stream that gave an event.

        Raises:
            ProviderGaveUp: no candidate gave one.
            NoProvider: the circuit breaker of every candidate is open.
        """
        gave_up: ProviderGaveUp | None = None
        for candidate in candidates:
            if self._is_left_alone(exchange, candidate):
                continue
            exchange.candidate = candidate
            began = time.perf_counter()
            try:
                stream = await self._begin(exchange, candidate)
            except asyncio.CancelledError:
                _note(exchange, candidate, began, _abandoned(exchange))
                raise
            except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
                gave_up = self._gave_up(exchange, candidate, began, exc)
                if gave_up.failure.blame is Blame.CALLER:
                    raise gave_up from exc
                continue
            _note(exchange, candidate, began, None)
            return stream
        raise gave_up or _all_down(exchange)

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

    def _gave_up(self, exchange: Exchange, candidate: Candidate, began: float, exc: Exception) -> ProviderGaveUp:
        assert isinstance(exc, (AttemptFailed, UpstreamFailure, BrokerError))  # noqa: S101 - what the callers catch
        failure = _failure_of(exc)
        _note(exchange, candidate, began, failure)
        self._health.failed(candidate.connection.id, failure)
        return ProviderGaveUp(failure, candidate.connection.name)

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
            raise AttemptFailed(provider.failure(reply))
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
                raise AttemptFailed(provider.failure(await raw.reply()))
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


def _all_down(exchange: Exchange) -> NoProvider:
    wait = exchange.next_try_seconds
    return NoProvider(
        "Every provider that could serve this request has just failed several times in a row and is left alone for a "
        f"moment. The next request goes through in {wait:.0f} s.",
        code="provider_down",
        retry_after=wait,
    )


def _failure_of(exc: AttemptFailed | UpstreamFailure | BrokerError) -> AttemptFailure:
    if isinstance(exc, BrokerError):  # the vault is sealed, an envelope does not open, a path may not leave
        blame = Blame.CALLER if exc.status < 500 else Blame.FAILOVER
        return AttemptFailure(exc.status, exc.code, exc.message, blame, retry_after_seconds=exc.retry_after)
    return exc.failure


def _note(exchange: Exchange, candidate: Candidate, began: float, failure: AttemptFailure | None) -> None:
    attempt = Attempt(candidate.connection.name, candidate.model, candidate.reason)
    attempt.start_ms = int((began - exchange.started) * 1000)
    attempt.duration_ms = int((time.perf_counter() - began) * 1000)
    if failure is None:
        attempt.status = 200
    else:
        attempt.status = failure.upstream_status or failure.status
        attempt.code = failure.code
    exchange.attempts.append(attempt)
