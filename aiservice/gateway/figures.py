"""The figures of /metrics: counted by each worker for itself, added up when somebody asks."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from operator import add
from threading import Lock
from typing import TYPE_CHECKING, Any

from aiservice.errors import BrokerError
from aiservice.gateway.exchange import Exchange
from aiservice.services.settlement import Settlement

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily, Metric

_COUNTED_AT_ONCE = 128


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
        self._refusals: dict[str, int] = {}
        self._uncounted: deque[tuple[Settlement, float, float, int]] = deque()
        self._turn = Lock()

    def count_refusal(self, error: BrokerError) -> None:
        """A request that a limit of its caller refused: it is in no ledger and in no other figure."""
        if error.code.startswith("client_") and error.status == 429:
            self._refusals[error.code] = self._refusals.get(error.code, 0) + 1

    def add(self, exchange: Exchange, row: Settlement, ended: float) -> None:
        """One settled exchange, which `ended` then: seconds of the monotonic clock. It is counted when somebody asks,
        or with many others at once, which is cheaper."""
        duration = ended - exchange.started
        self._uncounted.append((row, duration, duration - exchange.upstream_seconds, len(exchange.attempts)))
        if len(self._uncounted) >= _COUNTED_AT_ONCE:
            self._count()

    def _count(self) -> None:
        uncounted = self._uncounted
        with self._turn:  # who asks may do so in a thread of its own
            for _ in range(len(uncounted)):
                self._count_one(*uncounted.popleft())

    def _count_one(self, row: Settlement, duration: float, overhead: float, attempts: int) -> None:
        series = (row.surface, row.provider, row.model, row.status)
        totals = self._totals.get(series)
        if totals is None:
            if len(self._totals) >= self._MAX_SERIES:
                series = (row.surface, "other", "other", row.status)
            totals = self._totals.setdefault(series, [0, 0, 0, 0])
        totals[0] += 1
        totals[1] += row.input_tokens
        totals[2] += row.output_tokens
        if row.cost_nano_usd:
            totals[3] += row.cost_nano_usd
        self._durations[bisect_left(self._DURATION, duration)] += 1
        self._duration_sum += duration
        if not row.is_stream:
            self._overheads[bisect_left(self._OVERHEAD, overhead)] += 1
            if overhead > 0:
                self._overhead_sum += overhead
        if attempts > 1:
            self._fallbacks += attempts - 1

    def said(self) -> list[Any]:
        """All of it as JSON holds it; `heard` adds it to another's. May be called in any thread."""
        self._count()
        totals = [[*series, *numbers] for series, numbers in list(self._totals.items())]
        return [
            totals,
            self._durations[:],
            self._duration_sum,
            self._overheads[:],
            self._overhead_sum,
            self._fallbacks,
            dict(self._refusals),
        ]

    def heard(self, said: list[Any]) -> None:
        """Adds what another worker said."""
        totals, durations, duration_sum, overheads, overhead_sum, fallbacks, refusals = said
        for surface, provider, model, status, *numbers in totals:
            mine = self._totals.setdefault((surface, provider, model, status), [0, 0, 0, 0])
            mine[:] = map(add, mine, numbers)
        self._durations = list(map(add, self._durations, durations))
        self._overheads = list(map(add, self._overheads, overheads))
        self._duration_sum += duration_sum
        self._overhead_sum += overhead_sum
        self._fallbacks += fallbacks
        for code, count in refusals.items():
            self._refusals[code] = self._refusals.get(code, 0) + count

    def collect(self) -> "Iterable[Metric]":
        """The figures as the Prometheus library wants them, which is loaded by who asks (`metrics_page`)."""
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - see above

        self._count()
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
        refused = CounterMetricFamily("aiservice_limited", "Requests that a client's limit refused.", labels=["code"])
        for code, count in list(self._refusals.items()):
            refused.add_metric([code], count)
        yield refused
        yield CounterMetricFamily(
            "aiservice_fallbacks", "Attempts after the first of a request.", value=self._fallbacks
        )


def _histogram(
    name: str, words: str, bounds: tuple[float, ...], counts: list[int], total: float
) -> "HistogramMetricFamily":
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - as above

    buckets, running = [], 0
    for bound, count in zip((*map(str, bounds), "+Inf"), counts, strict=True):
        running += count
        buckets.append((bound, running))
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=total)
