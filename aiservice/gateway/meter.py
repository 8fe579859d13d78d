"""Counts what a request used and cost: one intent, one settlement, and the figures that /metrics shows."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from time import perf_counter

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from aiservice.errors import (
    BrokerError,
    InternalFault,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
    TooLarge,
)
from aiservice.gateway.exchange import ABANDONED, Exchange, ProviderGaveUp
from aiservice.kit.clock import now_us
from aiservice.services.ledger import Ledger
from aiservice.services.prices import Prices
from aiservice.services.settlement import Intent, Progress, Settlement
from aiservice.wire import Attempt, EventKind, StreamEvent, Usage

_PIECES_PER_PROGRESS = 64  # how often a long stream notes what it has cost so far
_BY_STATUS: dict[int, type[BrokerError]] = {
    400: InvalidRequest,
    404: NotFound,
    413: TooLarge,
    429: RateLimited,
    503: Overloaded,
    504: ProviderTimedOut,
}


class Meter:
    """Begins and settles the ledger entry of every exchange; the permit calls it on every way out."""

    def __init__(self, ledger: Ledger, prices: Prices) -> None:
        self._ledger = ledger
        self._prices = prices
        self.figures = Figures()

    def begin(self, exchange: Exchange) -> None:
        """Puts the intent into the journal.

        Raises:
            Overloaded: the journal does not take it.
        """
        principal, ask, first = exchange.principal, exchange.request.ask, exchange.candidate
        self._ledger.intend(
            Intent(
                exchange.request_id,
                principal.client_id,
                principal.client_name,
                principal.key_id,
                ask.task,
                exchange.dialect.surface,
                ask.requested_model or "",
                ask.is_stream,
                exchange.started_us,
                exchange.est_input_tokens,
                first.connection.name if first else "",
                first.model if first else "",
                self._cost(exchange, Usage(exchange.est_input_tokens)) if first else None,
            )
        )

    def count(self, exchange: Exchange, events: Iterable[StreamEvent]) -> None:
        """Notes what the events of a stream deliver and report."""
        before = exchange.delivered_pieces // _PIECES_PER_PROGRESS
        for event in events:
            kind = event.kind
            if kind is EventKind.TEXT or kind is EventKind.REASONING or kind is EventKind.REFUSAL:
                exchange.delivered_pieces += 1
                exchange.delivered_characters += len(event.text)
            elif event.tool_call is not None:
                exchange.delivered_pieces += 1
                exchange.delivered_characters += len(event.tool_call.arguments)
            elif kind is EventKind.FINISH:
                exchange.finish_reason = exchange.finish_reason or event.finish_reason
            if event.usage is not None:
                exchange.usage, exchange.reported_pieces = event.usage, exchange.delivered_pieces
            elif kind is EventKind.USAGE:
                exchange.is_usage_valid = False
        if exchange.delivered_pieces // _PIECES_PER_PROGRESS != before:
            self._note_progress(exchange)

    def failed(self, exchange: Exchange, error: Exception) -> None:
        """Notes why an exchange failed before its answer began."""
        told = self.words_for(error)
        exchange.status, exchange.error_code, exchange.outcome = told.status, told.code, "failed"

    def words_for(self, error: Exception) -> BrokerError:
        """The error a caller may see for `error`."""
        if isinstance(error, BrokerError):
            return error
        if not isinstance(error, ProviderGaveUp):
            return InternalFault()
        failure = error.failure
        shown = _BY_STATUS.get(failure.status, ProviderFailed)
        return shown(
            failure.message,
            code=failure.code,
            param=failure.param,
            provider=error.connection,
            retry_after=failure.retry_after_seconds,
        )

    def settle(self, exchange: Exchange) -> None:
        """Prices the exchange and puts its settlement into the journal; only the first call counts."""
        if exchange.is_settled:
            return
        exchange.is_settled = True
        ended_us = now_us()
        usage = self._usage_of(exchange)
        exchange.usage = usage
        exchange.cost_nano_usd = self._cost(exchange, usage) if usage.total_tokens else 0
        exchange.settlement_token = self._ledger.settle(self._row(exchange, usage, ended_us))
        self.figures.add(exchange, usage)

    async def durable(self, exchange: Exchange) -> None:
        """Waits until the settlement would survive a power cut, where the settings ask for that."""
        await self._ledger.durable(exchange.settlement_token)

    def _note_progress(self, exchange: Exchange) -> None:
        candidate = exchange.candidate
        if candidate is not None:
            usage = exchange.counted()
            self._ledger.progress(
                Progress(
                    exchange.request_id,
                    candidate.connection.name,
                    candidate.model,
                    usage.output_tokens,
                    self._cost(exchange, usage),
                )
            )

    def _cost(self, exchange: Exchange, usage: Usage) -> int | None:
        candidate = exchange.candidate
        if candidate is None:
            return 0
        view = candidate.connection
        return self._prices.cost_nano_usd(view.kind, view.base_url, candidate.model, usage, exchange.started_us)

    def _usage_of(self, exchange: Exchange) -> Usage:
        """What the provider reported; else the prompt and what was delivered of the answer, counted."""
        if exchange.usage is not None:
            # Some report in every chunk, or first of all: what came after the last report is theirs to bill, too.
            unreported = exchange.delivered_pieces - exchange.reported_pieces
            if unreported <= 0:
                return exchange.usage
            return replace(exchange.usage, output_tokens=exchange.usage.output_tokens + unreported, source="counted")
        if all(attempt.code not in (None, ABANDONED) for attempt in exchange.attempts):
            return Usage(source="counted")  # no provider began to answer
        return exchange.counted()

    def _row(self, exchange: Exchange, usage: Usage, ended_us: int) -> Settlement:
        principal, ask, candidate = exchange.principal, exchange.request.ask, exchange.candidate
        return Settlement(
            request_id=exchange.request_id,
            client_id=principal.client_id,
            client=principal.client_name,
            key_id=principal.key_id,
            task=ask.task,
            surface=exchange.dialect.surface,
            provider=candidate.connection.name if candidate else "",
            model=candidate.model if candidate else "",
            requested_model=ask.requested_model or "",
            status=exchange.status,
            outcome=exchange.outcome,
            started_us=exchange.started_us,
            ended_us=ended_us,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            usage_source=usage.source,
            is_usage_invalid=not exchange.is_usage_valid,
            cost_nano_usd=exchange.cost_nano_usd,
            first_byte_us=exchange.first_byte_us,
            overhead_us=_overhead_us(exchange, ended_us),
            error_code=exchange.error_code,
            is_stream=ask.is_stream,
            attempts=[_attempt_row(attempt) for attempt in exchange.attempts],
        )


def _overhead_us(exchange: Exchange, ended_us: int) -> int:
    """What the broker itself took until the answer, or a stream's first byte, went out."""
    answered_us = exchange.first_byte_us or ended_us
    return max(answered_us - exchange.started_us - int(exchange.upstream_seconds * 1_000_000), 0)


def _attempt_row(attempt: Attempt) -> dict[str, object]:
    return {
        "provider": attempt.connection,
        "model": attempt.model,
        "status": attempt.status,
        "start_ms": attempt.start_ms,
        "ms": attempt.duration_ms,
        "reason": attempt.reason,
        "code": attempt.code,
    }


class Figures:
    """Totals for /metrics: plain numbers added on the hot path, given to the Prometheus library when it asks.

    Label sets are bounded (a client may name any model where a connection takes any): past 1 000 the rest is "other".
    """

    _DURATION = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
    _OVERHEAD = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
    _MAX_SERIES = 1000

    def __init__(self) -> None:
        # (surface, provider, model, status) -> [requests, input tokens, output tokens, nano-dollars]
        self._totals: dict[tuple[str, str, str, int], list[int]] = {}
        self._durations = [0] * (len(self._DURATION) + 1)
        self._duration_sum = 0.0
        self._overheads = [0] * (len(self._OVERHEAD) + 1)
        self._overhead_sum = 0.0
        self._fallbacks = 0

    def add(self, exchange: Exchange, usage: Usage) -> None:
        """One settled exchange."""
        candidate = exchange.candidate
        series = (
            exchange.dialect.surface,
            candidate.connection.name if candidate else "",
            candidate.model if candidate else "",
            exchange.status,
        )
        totals = self._totals.get(series)
        if totals is None:
            if len(self._totals) >= self._MAX_SERIES:
                series = (series[0], "other", "other", series[3])
            totals = self._totals.setdefault(series, [0, 0, 0, 0])
        totals[0] += 1
        totals[1] += usage.input_tokens
        totals[2] += usage.output_tokens
        totals[3] += exchange.cost_nano_usd or 0
        duration = perf_counter() - exchange.started
        overhead = max(duration - exchange.upstream_seconds, 0.0)
        self._durations[bisect_left(self._DURATION, duration)] += 1
        self._duration_sum += duration
        if not exchange.request.ask.is_stream:
            self._overheads[bisect_left(self._OVERHEAD, overhead)] += 1
            self._overhead_sum += overhead
        self._fallbacks += max(len(exchange.attempts) - 1, 0)

    def collect(self) -> Iterable[Metric]:
        """The figures as the Prometheus library wants them."""
        labels = ["surface", "provider", "model", "status"]
        requests = CounterMetricFamily("aiservice_requests", "Requests answered.", labels=labels)
        tokens = CounterMetricFamily("aiservice_tokens", "Tokens metered.", labels=["provider", "model", "type"])
        cost = CounterMetricFamily("aiservice_cost_usd", "Cost of what was metered.", labels=["provider", "model"])
        by_model: dict[tuple[str, str], list[int]] = {}
        for (surface, provider, model, status), totals in list(self._totals.items()):
            requests.add_metric([surface, provider, model, str(status)], totals[0])
            sums = by_model.setdefault((provider, model), [0, 0, 0])
            for place in range(3):
                sums[place] += totals[place + 1]
        for (provider, model), sums in by_model.items():
            tokens.add_metric([provider, model, "input"], sums[0])
            tokens.add_metric([provider, model, "output"], sums[1])
            cost.add_metric([provider, model], sums[2] / 1e9)
        yield from (requests, tokens, cost)
        yield _histogram(
            "aiservice_request_duration_seconds",
            "From the first byte in to the settlement.",
            self._DURATION,
            self._durations,
            self._duration_sum,
        )
        yield _histogram(
            "aiservice_overhead_seconds",
            "The broker's own time in a whole (not streamed) answer.",
            self._OVERHEAD,
            self._overheads,
            self._overhead_sum,
        )
        yield CounterMetricFamily(
            "aiservice_fallbacks", "Attempts after the first of a request.", value=self._fallbacks
        )


def _histogram(
    name: str, words: str, bounds: tuple[float, ...], counts: list[int], total: float
) -> HistogramMetricFamily:
    buckets, running = [], 0
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        running += count
        buckets.append((bound, running))
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=total)
