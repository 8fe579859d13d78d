"""What measures, groups and amounts are called on screen. What is not known is said in words, never as 0."""

from aiservice.kit.money import NANO_USD, to_usd_text
from aiservice.portal.charts.groups import NO_DATA, Look, Shape
from aiservice.services.usage_metrics import Metric
from aiservice.services.usage_sums import Sums

GROUP_WORDS = {
    "none": "Nothing",
    "key": "Key",
    "task": "Task",
    "model": "Model",
    "provider": "Provider",
    "client": "Client",
    "team": "Team",
    "status": "How it ended",
    "user": "User",
}
METRIC_WORDS = {
    "requests": "Requests",
    "errors": "Errors",
    "error_rate": "Error rate",
    "cost": "Cost",
    "input": "Tokens in",
    "output": "Tokens out",
    "cache_read": "Tokens read from a prompt cache",
    "cache_write": "Tokens written to a prompt cache",
    "reasoning": "Reasoning tokens",
    "images": "Images",
    "seconds": "Seconds of sound",
    "characters": "Characters spoken",
    "searches": "Searches",
    "p50": "Latency, median",
    "p95": "Latency, p95",
    "first_p50": "First byte, median",
    "first_p95": "First byte, p95",
    "fallback_rate": "Fallback rate",
}
RANGE_WORDS = {"1h": "Hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
BUCKET_WORDS = {"minute": "a minute", "hour": "an hour", "day": "a day (of UTC)"}
ENDING_WORDS = {
    "answered": "answered",
    "refused": "refused (4xx)",
    "limited": "over a limit (429)",
    "failed": "failed (5xx)",
    "cut": "cut off",
    "hung_up": "caller left",
}
_UNKNOWN = {"cost": "unpriced", "cache_read": "none reported", "cache_write": "none reported"}
_UNKNOWN |= dict.fromkeys(("images", "seconds", "characters", "searches"), "none reported")
_UNKNOWN |= {"reasoning": "none reported", "first_p50": "no streams", "first_p95": "no streams"}


def look_of(metric: Metric, *, is_cumulative: bool) -> Look:
    shape: Shape = "lines" if not metric.is_sum else "areas" if is_cumulative else "bars"
    if metric.unit == "nano_usd":
        return Look(shape, prefix="$", format=",.6~f", ticks="~g")
    if metric.unit == "ms":
        return Look(shape, suffix=" ms", format=",.0f")
    if metric.unit == "share":
        return Look(shape, format=".1%", ticks="~%")
    return Look(shape)


def number_of(metric: Metric, sums: Sums | None) -> float | None:
    """The measure as it is drawn: dollars, milliseconds, a share of 1, or a count."""
    value = None if sums is None else metric.value(sums)
    return value / 1e9 if value is not None and metric.unit == "nano_usd" else value


def text_of(metric: Metric, sums: Sums | None) -> str:
    """The measure as a text, also of what is not known."""
    value = None if sums is None else metric.value(sums)
    if value is None:
        has_requests = sums is not None and sums.requests > 0
        return _UNKNOWN.get(metric.name, NO_DATA) if has_requests else NO_DATA
    return amount(metric, value)


def amount(metric: Metric, value: float) -> str:
    """A value of `metric` with its unit."""
    if metric.unit == "nano_usd":
        return dollars(round(value))
    if metric.unit == "ms":
        return f"{value:,.0f} ms"
    return f"{value:.1%}" if metric.unit == "share" else f"{value:,.0f}"


def dollars(nano_usd: int) -> str:
    """A sum as it is read at a glance: cents, and of less than a dollar millionths. Downloads tell it exactly."""
    if abs(nano_usd) >= NANO_USD:
        return f"${nano_usd / NANO_USD:,.2f}"
    is_tiny = abs(nano_usd) < 1_000
    return f"${to_usd_text(nano_usd if is_tiny else round(nano_usd, -3))}"


def change_of(metric: Metric, now: Sums, before: Sums | None) -> str:
    """How much more or less it is than in the period before, in words: "+12.5%"; "" where that cannot be said."""
    return change_words(metric.value(now), None if before is None else metric.value(before))


def change_words(value: float | None, old: float | None) -> str:
    """As `change_of`, of two values of which None is not known."""
    if value is None or old is None:
        return ""
    if old == 0:
        return "as before" if value == 0 else "new"
    part = (value - old) / old
    return "as before" if abs(part) < 0.0005 else f"{part:+,.1%}"
