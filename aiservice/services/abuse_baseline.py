"""How a client usually is, by hour of the week: learned hour by hour, told for the hour that begins.

Robust: medians, high quantiles of days, no means; an hour in which something was done against the client teaches
nothing. A young client has few weeks to look at, so the hours beside and the days before count with it.
"""

import math
from array import array
from dataclasses import dataclass, field

from aiservice.services.abuse_features import Hour
from aiservice.services.abuse_tails import least_surprising, middle_and_spread

DAY_HOURS = 24
WEEK_HOURS = 168
LEARNING_HOURS = WEEK_HOURS
KEPT_HOURS = 5 * WEEK_HOURS
_DAYS_LOOKED_AT = 14
_SERIES = (
    "minute",
    "ten",
    "requests",
    "tokens",
    "cost_nano_usd",
    "errors",
    "repeated",
    "new_requests",
    "strange",
    "failures",
)
_GATE_BANS = 2.0
# Of each feature, in ten minutes: what is nothing worth speaking of, whoever the client is.
LEAST = {"repeated": 3.0, "new_requests": 1.0, "strange": 1.0, "failures": 22.0, "errors": 5.0}
SHARED = ("repeated", "new_requests", "strange")
"""What is known as a share of requests: a client that asks for more of everything has more of these, too."""

TOP_VARIANCE = 0.06
SLOT_VARIANCE = 0.3
PART_VARIANCE = 0.3
FAILURE_VARIANCE = 0.02
PART_GATES = {name: least_surprising(_GATE_BANS, LEAST[name], PART_VARIANCE) for name in SHARED}


@dataclass(slots=True)
class Expectation:
    """What an hour should look like. `top_…` are the client's usual daily peaks, `slot_…` what is most at this time of
    the week; `in_ten` is the usual most of failures and errors in ten minutes, `share` the usual share of requests.
    `level` and `spread` are the median and the spread of the hour's requests, as logarithms of one more."""

    is_young: bool
    top_minute: float
    top_ten: float
    slot_ten: float
    top_hour: dict[str, float]
    in_ten: dict[str, float]
    share: dict[str, float]
    level: float
    spread: float
    gates: "Gates"


@dataclass(slots=True)
class Gates:
    """Counts below all of these are as usual: who is below them needs no further look. Beside them what is a share of
    requests is looked at where it is more than `PART_GATES` beyond the usual share."""

    minute_requests: int
    ten_requests: int
    ten_failures: int


@dataclass(slots=True)
class Baseline:
    """One client's. `learn` every hour in order, then ask `expect` for the next one."""

    _series: dict[str, "array[float]"] = field(default_factory=lambda: {name: array("d") for name in _SERIES})
    _tops: dict[str, float] = field(default_factory=dict)
    _shares: dict[str, float] = field(default_factory=dict)
    _hours: int = 0

    @property
    def hours(self) -> int:
        """How many hours were learned."""
        return self._hours

    def learn(self, hour: Hour) -> None:
        """Takes the next hour in. One that is tainted is taken to have been like a week before."""
        total = hour.total
        values: tuple[float, ...] = (
            hour.peak_minute,
            hour.peak_ten,
            total.requests,
            total.tokens,
            total.cost_nano_usd,
            total.errors,
            total.repeated,
            total.new_requests,
            total.strange,
            total.failures,
        )
        for value, series in zip(values, self._series.values(), strict=True):
            if hour.is_tainted:
                series.append(series[-WEEK_HOURS] if len(series) >= WEEK_HOURS else 0.0)
            else:
                series.append(value)
            if len(series) > KEPT_HOURS + WEEK_HOURS:
                del series[:WEEK_HOURS]
        self._hours += 1
        if self._hours % DAY_HOURS == 0 or not self._tops:
            self._tops = {name: _usual_peak(series) for name, series in self._series.items()}
            requests = self._series["requests"]
            self._shares = {name: _usual_share(self._series[name], requests) for name in SHARED}

    def expect(self) -> Expectation:
        """What the hour after the last one learned should look like."""
        series, tops = self._series, self._tops
        level, spread = _slot(series["requests"])
        top_minute = max(tops.get("minute", 0.0), _slot_most(series["minute"]), 1.0)
        slot_ten = max(_slot_most(series["ten"]), 1.0)
        top_ten = max(tops.get("ten", 0.0), slot_ten)
        in_ten = {
            # An hour's sum is not spread evenly over it.
            name: LEAST[name] + max(tops.get(name, 0.0), _slot_most(series[name])) / 3
            for name in ("failures", "errors")
        }
        asked = max(sum(series["requests"][-DAY_HOURS:]), 1.0)
        share = {name: max(self._shares.get(name, 0.0), sum(series[name][-DAY_HOURS:]) / asked) for name in SHARED}
        return Expectation(
            is_young=self._hours < LEARNING_HOURS,
            top_minute=top_minute,
            top_ten=top_ten,
            slot_ten=slot_ten,
            top_hour={
                name: max(tops.get(name, 0.0), _slot_most(series[name]))
                for name in ("requests", "tokens", "cost_nano_usd")
            },
            in_ten=in_ten,
            share=share,
            level=level,
            spread=spread,
            gates=Gates(
                least_surprising(_GATE_BANS, top_minute, TOP_VARIANCE),
                least_surprising(_GATE_BANS, slot_ten, SLOT_VARIANCE),
                least_surprising(_GATE_BANS, in_ten["failures"], FAILURE_VARIANCE),
            ),
        )


def _usual_peak(series: "array[float]") -> float:
    """The largest hour of a busy but usual day: four days of five stay below it."""
    days = [max(series[start : start + DAY_HOURS]) for start in _day_starts(len(series))]
    if not days:
        return 0.0
    days.sort()
    return days[min(len(days) - 1, len(days) * 4 // 5)]


def _usual_share(part: "array[float]", requests: "array[float]") -> float:
    """The share of a day with much of it: four days of five have less."""
    shares = sorted(
        sum(part[start : start + DAY_HOURS]) / asked
        for start in _day_starts(len(part))
        if (asked := sum(requests[start : start + DAY_HOURS]))
    )
    return shares[min(len(shares) - 1, len(shares) * 4 // 5)] if shares else 0.0


def _day_starts(hours: int) -> range:
    first = max(hours % DAY_HOURS, hours - _DAYS_LOOKED_AT * DAY_HOURS)
    return range(first, hours, DAY_HOURS)


def _slot_most(series: "array[float]") -> float:
    """The most at this time of the week in the weeks before, two hours more or less, and a day ago."""
    hours = len(series)
    stretches = []
    for back in range(WEEK_HOURS, hours + 1, WEEK_HOURS):
        stretches.append(series[max(hours - back - 2, 0) : hours - back + 3])
    if hours >= DAY_HOURS + 1:
        stretches.append(series[hours - DAY_HOURS - 1 : hours - DAY_HOURS + 2])
    return max(map(max, stretches), default=0.0)


def _slot(series: "array[float]") -> tuple[float, float]:
    """Median and spread of log(1 + x) at this time of the week: the same hour of weeks before counts most, hours
    beside it and the same hour of the days before are what a young client has."""
    hours = len(series)
    values: list[float] = []
    weights: list[float] = []
    for week in range(1, min(hours // WEEK_HOURS, 4) + 1):
        at = hours - week * WEEK_HOURS
        for place, weight in ((at, 1.0), (at - 1, 0.3), (at + 1, 0.3)):
            if 0 <= place < hours:
                values.append(math.log1p(series[place]))
                weights.append(weight)
    for day in (1, 2, 3, 5, 6):
        if hours >= day * DAY_HOURS:
            values.append(math.log1p(series[hours - day * DAY_HOURS]))
            weights.append(0.25)
    if not values:
        return 0.0, 1.0
    return middle_and_spread(values, weights)
