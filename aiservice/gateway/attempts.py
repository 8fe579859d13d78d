"""One attempt at one candidate: build the call, make it, read what came. Also how an attempt is noted."""

import asyncio
import time
from dataclasses import replace

from aiservice.errors import BrokerError
from aiservice.gateway.counting import count_answer, estimated_count
from aiservice.gateway.exchange import ABANDONED, ABANDONED_UNSENT, Exchange
from aiservice.gateway.pace import Pace
from aiservice.gateway.provider_stream import OpenStream
from aiservice.gateway.quota_turns import QuotaTurns
from aiservice.gateway.targets import Targets
from aiservice.gateway.trace_ids import upstream_id_in
from aiservice.kit.strict_json import SMALL_BYTES
from aiservice.providers._base import AttemptFailed
from aiservice.providers._lossy import built_with_less
from aiservice.services.candidates import Candidate
from aiservice.services.health import ConnectionHealth
from aiservice.services.routing_facts import Load
from aiservice.settings import Deadlines
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.wire import Answer, Ask, Attempt, AttemptFailure, Blame, HttpCall, HttpReply

_MOST_DEADLINES = 64
_LONG = 1e9
_SLOW_SECONDS = 300.0  # a picture takes minutes in which nothing is said, a long recording, too


class Attempts:
    """Makes attempts. One a worker."""

    def __init__(
        self,
        upstream: Upstream,
        targets: Targets,
        deadlines: Deadlines,
        health: ConnectionHealth,
        turns: QuotaTurns,
    ) -> None:
        self._upstream = upstream
        self._targets = targets
        self._deadlines = deadlines
        self._unhurried = replace(deadlines, first_event=deadlines.total)
        slow = max(deadlines.first_byte, min(deadlines.total, _SLOW_SECONDS))
        self._patient = replace(deadlines, first_byte=slow, idle=slow, progress=slow, first_event=slow)
        self._hurried: dict[float, Deadlines] = {}
        self._health = health
        self._turns = turns

    async def ask(self, exchange: Exchange, candidate: Candidate) -> Answer:
        """A whole answer; what it says of its end and its usage is noted.

        Raises:
            AttemptFailed, UpstreamFailure, BrokerError: why there is none.
        """
        provider, ask = candidate.provider, exchange.request.ask
        if ask.kind == "token-count" and not provider.counts(candidate.model):
            return _noted(exchange, estimated_count(exchange))
        if ask.is_large:
            ask, call = await asyncio.to_thread(_built, exchange, candidate)
        elif ask.may_drop:
            ask, call = _built(exchange, candidate)
        else:
            call = provider.build(ask, candidate.model)
        began = time.monotonic()
        if (target := self._targets.at_hand(candidate, began)) is None:
            target = await self._targets.of(candidate)
            began = time.monotonic()
        try:
            reply = await self._upstream.send(
                target,
                call,
                request_id=exchange.request_id,
                deadlines=self._deadlines_of(exchange)
                if exchange.has_alternative or ask.at_most is not None
                else self._unhurried,
                task=exchange.task,
            )
        finally:
            exchange.upstream_seconds += time.monotonic() - began
            exchange.is_attempt_sent = call.was_sent
        exchange.upstream_id = upstream_id_in(reply.headers)
        if reply.status != 200:
            raise AttemptFailed(self._refused(exchange, candidate, reply))
        self._turns.accepted(exchange, provider.quota_in(reply.headers))
        if len(reply.body) <= SMALL_BYTES:
            return _noted(exchange, provider.read(ask, call, reply))
        answer = await asyncio.to_thread(provider.read, ask, call, reply)
        answer.is_large = True
        return _noted(exchange, answer)

    async def begin(self, exchange: Exchange, candidate: Candidate) -> OpenStream:
        """A stream that has given its first event; raises as `ask`."""
        provider, ask = candidate.provider, exchange.request.ask
        if ask.is_large:
            ask, call = await asyncio.to_thread(_built, exchange, candidate)
        else:
            ask, call = _built(exchange, candidate)
        began = time.monotonic()
        if (target := self._targets.at_hand(candidate, began)) is None:
            target = await self._targets.of(candidate)
            began = time.monotonic()
        try:
            raw = await self._upstream.open_stream(
                target,
                call,
                request_id=exchange.request_id,
                deadlines=self._deadlines_of(exchange),
                task=exchange.task,
            )
            exchange.upstream_id = upstream_id_in(raw.headers)
            if raw.status != 200:
                raise AttemptFailed(self._refused(exchange, candidate, await raw.reply()))
            self._turns.accepted(exchange, provider.quota_in(raw.headers))
            reader = provider.reader(ask, call)
            if ask.at_most is not None:
                reader.note_head(raw.headers)
            stream = OpenStream(raw, reader, candidate.connection.name)
            await stream.wait_for_first()
            least = exchange.request.least_rate
            if least is not None and exchange.has_alternative and ask.at_most is None:  # what is no text has no pace
                await stream.show(self._pace(exchange, least))
        finally:
            exchange.upstream_seconds += time.monotonic() - began
            exchange.is_attempt_sent = call.was_sent
        return stream

    def _pace(self, exchange: Exchange, least: float) -> Pace:
        """What a stream that has begun now, and may be left for another, has to keep to."""
        load, before = exchange.load, exchange.counted_output()
        assert load is not None  # noqa: S101 - the attempt is under way
        load.first_at = self._health.clock()

        def delivered() -> int:
            return exchange.counted_output() - before

        budget = self._health.budget
        return Pace(least, asyncio.get_running_loop().time(), delivered, lambda: budget.is_half_left, load.fact.crawled)

    def _refused(self, exchange: Exchange, candidate: Candidate, reply: HttpReply) -> AttemptFailure:
        if len(reply.body) > SMALL_BYTES:  # no error is so long: it is not looked through beside other requests
            reply = HttpReply(reply.status, reply.headers, b"")
        if reply.status == 401:
            self._targets.refused(candidate)
        if reply.status == 429:
            exchange.quota_notes = candidate.provider.quota_in_refusal(reply)
        return candidate.provider.failure(reply)

    def _deadlines_of(self, exchange: Exchange) -> Deadlines:
        """The deadlines of the attempt: a probe is waited for as long as `probe_seconds` says, and the first event of a
        stream no longer than the stall deadline, where there is another place to go."""
        if exchange.request.ask.at_most is not None and exchange.probe_seconds is None:
            return self._patient
        if not exchange.has_alternative:
            return self._unhurried
        probe, stall = exchange.probe_seconds, exchange.request.stall_seconds
        if stall is not None and not self._health.budget.is_half_left:
            stall = None  # a wish, which leaves further attempts to failures
        if probe is None and stall is None:
            return self._deadlines
        return self._hurry(round(min(probe or _LONG, stall or _LONG), 2), is_probe=probe is not None)

    def _hurry(self, seconds: float, *, is_probe: bool) -> Deadlines:
        key = seconds if is_probe else -seconds
        found = self._hurried.get(key)
        if found is None:
            if len(self._hurried) >= _MOST_DEADLINES:
                self._hurried.clear()
            usual = self._deadlines
            found = self._hurried[key] = replace(
                usual,
                first_byte=min(usual.first_byte, seconds) if is_probe else usual.first_byte,
                first_event=min(usual.first_event, seconds),
            )
        return found


def _noted(exchange: Exchange, answer: Answer) -> Answer:
    """A whole answer, with what it says of its end and its usage in the exchange."""
    usage = answer.usage
    exchange.finish_reason, exchange.usage, exchange.is_usage_valid = answer.finish_reason, usage, answer.is_usage_valid
    if usage is None:
        count_answer(exchange, answer)
    return answer


def _built(exchange: Exchange, candidate: Candidate) -> tuple[Ask, HttpCall]:
    """The call, without what may be dropped of it. Once the head of the answer is out, that is what it has named."""
    ask = exchange.request.ask
    if not ask.may_drop:
        return ask, candidate.provider.build(ask, candidate.model)
    if exchange.told_dropped is not None:
        ask = replace(ask, may_drop=frozenset(exchange.told_dropped))
    ask, call, exchange.dropped = built_with_less(candidate.provider, ask, candidate.model)
    return ask, call


def moved_on(waiter: Load) -> UpstreamFailure | None:
    """After a CancelledError: the failure it stands for, where the breaker moved this attempt on and nobody else ended
    it as well."""
    if not waiter.is_moved or waiter.task is None:
        return None
    return failed("upstream_silent") if waiter.task.uncancel() == 0 else None


def abandoned(exchange: Exchange) -> AttemptFailure:
    """The client left, or the broker stopped, while the provider was at work, or before it had been asked."""
    code = ABANDONED if exchange.is_attempt_sent else ABANDONED_UNSENT
    return AttemptFailure(499, code, "The attempt was given up.", Blame.CALLER)


def failure_of(exc: AttemptFailed | UpstreamFailure | BrokerError) -> AttemptFailure:
    """Why an attempt failed."""
    if isinstance(exc, BrokerError):  # the vault is sealed, an envelope does not open, a path may not leave
        blame = Blame.CALLER if exc.status < 500 else Blame.FAILOVER
        return AttemptFailure(exc.status, exc.code, exc.message, blame, retry_after_seconds=exc.retry_after)
    return exc.failure


def note(
    exchange: Exchange,
    candidate: Candidate,
    began: float,
    failure: AttemptFailure | None,
    waited_us: int = 0,
    *,
    ended: float | None = None,
) -> Attempt:
    """Writes an attempt down, with what it waited for its turn; it `ended` now, where nothing else is said."""
    reason = candidate.reason
    if waited_us >= 1_000:
        reason = f"{reason}; waited {waited_us // 1_000} ms for quota"
    ended = ended or time.monotonic()
    start_ms, took_ms = int((began - exchange.started) * 1000), int((ended - began) * 1000)
    attempt = Attempt(candidate.connection.name, candidate.model, reason, 200, took_ms, start_ms)
    if failure is not None:
        attempt.status = failure.upstream_status or failure.status
        attempt.code = failure.code
    exchange.attempts.append(attempt)
    return attempt
