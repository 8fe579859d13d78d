"""Usage: metrics by group over a range, in buckets of a minute, an hour or a day; as JSON or CSV."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, SECOND_US, now_us
from aiservice.management.models import At, CsvLines, Money, Query, Told, at, one_of
from aiservice.management.rows import Call, Row
from aiservice.services.usage_export import series_csv
from aiservice.services.usage_metrics import METRICS, metric_of
from aiservice.services.usage_series import MAX_GROUPS, Breakdown, Bucket, GroupBy, Series
from aiservice.services.usage_sums import Sums

RANGES = {"1h": HOUR_US, "24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US, "90d": 90 * DAY_US}
_MEASURES = ", ".join(METRICS)
Moment = Field(default=None, max_length=40, description="RFC 3339; UTC where it names no zone.")


class RequestFilters(Query):
    client_id: str = Field(default="", max_length=100)
    key_id: str = Field(default="", max_length=100)
    task: str = Field(default="", max_length=40)
    model: str = Field(default="", max_length=200)
    provider: str = Field(default="", max_length=100, description="Name of a connection.")

    def of_usage(self) -> dict[str, str]:
        """Those that are said, by the names of services."""
        names = ("client_id", "key_id", "task", "model", "provider")
        return {name: value for name in names if (value := getattr(self, name))}


class UsageQuery(RequestFilters):
    range: Literal["1h", "24h", "7d", "30d", "90d"] = "7d"
    start: str | None = Moment
    end: str | None = Moment
    by: GroupBy = "none"
    then: GroupBy = Field(default="none", description="Each group apart once more.")
    rollup: Bucket | None = Field(default=None, description="Chosen by the range where it is not said.")
    metric: str = Field(
        default="requests", max_length=40, description=f"What points measure, and groups are in order of: {_MEASURES}."
    )
    top: int = Field(default=8, ge=1, le=MAX_GROUPS, description="How many groups; all others are one, `other`.")
    compare: bool = Field(default=False, description="With the period of the same length before.")


class Figures(Told):
    requests: int
    errors: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    total_tokens: int
    images: int
    seconds: int
    characters: int
    searches: int
    cost: Money
    unpriced_requests: int


class TotalFigures(Figures):
    p50_ms: float | None
    p95_ms: float | None


class UsageGroup(Told):
    """`points` are the measure's, in its unit, one a bucket; null is no data, which is not 0."""

    id: str
    name: str
    then_id: str | None
    then_name: str | None
    total: TotalFigures
    before: TotalFigures | None
    points: list[float | None]


class UsageTold(Told):
    start: At
    end: At
    rollup: Bucket
    by: GroupBy
    then: GroupBy
    metric: str
    unit: Annotated[str, one_of("count", "nano_usd", "ms", "share")]
    starts: list[At]
    groups: list[UsageGroup]


class UsageChoices(Told):
    """What there is to filter by: (id, name), busiest first."""

    filters: dict[str, list[tuple[str, str]]]


def moment(text: str | None, param: str) -> int | None:
    """Microseconds UTC of a time in a query.

    Raises:
        InvalidRequest: it is none.
    """
    if text is None:
        return None
    try:  # a + that nobody escaped arrives as a space
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * SECOND_US)
    except (ValueError, OverflowError):
        words = f"'{param}' must be a time like 2026-11-01T00:00:00Z."
        raise InvalidRequest(words, code="invalid_time", param=param) from None


async def usage(call: Call, query: UsageQuery) -> UsageTold:
    asked = _breakdown(query)
    series, (start_us, end_us) = await _series(call, query, asked)
    metric = metric_of(series.metric)
    groups = [
        UsageGroup(
            id=one.id,
            name=one.name,
            then_id=one.sub_id or None,
            then_name=one.sub_name or None,
            total=_total(one.total),
            before=None if one.before is None else _total(one.before),
            points=[None if each is None else metric.value(each) for each in one.points],
        )
        for one in series.groups
    ]
    return UsageTold(
        start=at(start_us),
        end=at(end_us),
        rollup=series.bucket,
        by=query.by,
        then=query.then,
        metric=metric.name,
        unit=metric.unit,
        starts=[at(each) for each in series.starts_us],
        groups=groups,
    )


async def export(call: Call, query: UsageQuery) -> CsvLines:
    asked = replace(_breakdown(query), has_all=True, is_compared=False)
    series, _ = await _series(call, query, asked)
    return CsvLines("usage.csv", series_csv(series, asked))


async def choices(call: Call) -> UsageChoices:
    return UsageChoices(filters=await call.core.usage.choices(call.me, now_us() - 90 * DAY_US))


def _breakdown(query: UsageQuery) -> Breakdown:
    return Breakdown(
        group_by=query.by,
        subgroup_by=query.then,
        metric=query.metric,
        top=query.top,
        bucket=query.rollup,
        is_compared=query.compare,
        filters=query.of_usage(),
    )


async def _series(call: Call, query: UsageQuery, asked: Breakdown) -> tuple[Series, tuple[int, int]]:
    end_us = moment(query.end, "end") or now_us()
    start_us = moment(query.start, "start")
    start_us = end_us - RANGES[query.range] if start_us is None else start_us
    if start_us >= end_us:
        raise InvalidRequest("The range ends before it begins.", code="empty_range", param="start")
    return await call.core.usage.series(call.me, start_us, end_us, asked), (start_us, end_us)


def _total(sums: Sums) -> TotalFigures:
    return TotalFigures(**_said(sums), p50_ms=sums.p50_ms, p95_ms=sums.p95_ms)


def _said(sums: Sums) -> dict[str, Any]:
    return {
        "requests": sums.requests,
        "errors": sums.errors,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "cached_input_tokens": sums.cached_input_tokens,
        "reasoning_tokens": sums.reasoning_tokens,
        "total_tokens": sums.tokens,
        **sums.units,
        "cost": Money.of_nano(sums.cost_nano_usd),
        "unpriced_requests": sums.unpriced,
    }


ROWS = (
    Row("GET", "/api/usage", "usage.get", usage, "Figures by group over a range"),
    Row("GET", "/api/usage/export", "usage.export", export, "The same, as CSV"),
    Row("GET", "/api/usage/choices", "usage.get", choices, "What there is to filter by"),
)
