"""One client's recent minutes on top of its watch: what the judge keeps of it, and what a replay rebuilds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiservice.kit.clock import HOUR_US, MINUTE_US, SECOND_US
from aiservice.services.abuse_familiar import Familiar, RawMinute, merge
from aiservice.services.abuse_features import Counts, Hour, Level, added
from aiservice.services.abuse_ladder import Step
from aiservice.services.abuse_policies import Policy, beyond
from aiservice.services.abuse_watch import Watch

_TEN = 10
_KEPT_MINUTES = 130


@dataclass(slots=True)
class Learned:
    """An hour as it is stored: what the baseline takes in, and what was used in it."""

    start_us: int
    hour: Hour
    networks: dict[str, int]
    models: dict[str, int]

    def stored(self) -> dict[str, Any]:
        """Its counts as they are stored."""
        hour = self.hour
        beside = {"peak_minute": hour.peak_minute, "peak_ten": hour.peak_ten, "is_tainted": hour.is_tainted}
        return {**hour.total._asdict(), **beside}


def learned(start_us: int, counts: Mapping[str, Any], networks: dict[str, int], models: dict[str, int]) -> Learned:
    """An hour from what is stored of it."""
    total = Counts(**{name: int(counts.get(name, 0)) for name in Counts._fields})
    hour = Hour(total, int(counts["peak_minute"]), int(counts["peak_ten"]), bool(counts.get("is_tainted")))
    return Learned(start_us, hour, networks, models)


@dataclass(slots=True)
class WatchedClient:
    """Minutes come in through `take`, in any order and more than once; hours end in order through `end_hour`."""

    policy: Policy = field(default_factory=Policy)
    watch: Watch = field(default_factory=Watch)
    familiar: Familiar = field(default_factory=Familiar)
    hour_us: int = 0
    """The hour under way: all before it are learned."""
    sanction_id: str = ""
    sanction_until_us: int = 0
    _raw: dict[int, RawMinute] = field(default_factory=dict)
    _counts: dict[int, Counts] = field(default_factory=dict)

    def learn(self, hours: Iterable[Learned], until_us: int) -> None:
        """Takes the past in, hours without traffic included, until the hour that `until_us` is in."""
        baseline, empty = self.watch.baseline, Hour(Counts(), 0, 0)
        for each in hours:
            while self.hour_us and self.hour_us < each.start_us:
                baseline.learn(empty)
                self.hour_us += HOUR_US
            baseline.learn(each.hour)
            self.familiar.see(each.start_us, each.networks, each.models)
            self.hour_us = each.start_us + HOUR_US
        end_us = until_us // HOUR_US * HOUR_US
        while self.hour_us and self.hour_us < end_us:
            baseline.learn(empty)
            self.hour_us += HOUR_US
        self.hour_us = end_us
        self.watch.expectation = baseline.expect()

    def take(self, minute_us: int, raw: RawMinute) -> None:
        """A minute, as far as it is known now. Only the networks are learned at once; models with their hour."""
        self.familiar.see(minute_us, raw.networks, dict.fromkeys(raw.models, 0))
        self._raw[minute_us] = raw
        self._counts[minute_us] = self.familiar.counts(minute_us, raw)
        if len(self._counts) > _KEPT_MINUTES:
            for old in sorted(self._counts)[: len(self._counts) - _KEPT_MINUTES]:
                del self._counts[old], self._raw[old]

    def look(self, minute_us: int, now_us: int) -> Step | None:
        """Judges a minute with the nine before it."""
        minute = self._counts.get(minute_us)
        if minute is None:
            return None
        ten = added(
            [self._counts[at] for at in _minutes(minute_us - (_TEN - 1) * MINUTE_US, _TEN) if at in self._counts]
        )
        now = now_us / SECOND_US
        if self.policy.ceilings:
            hour_us = minute_us // HOUR_US * HOUR_US
            hour = added([counts for at, counts in self._counts.items() if hour_us <= at <= minute_us])
            level, found = beyond(self.policy, minute, ten, hour)
            if level:
                return self.watch.ceiling(level, found, now)
        self.watch.most = self.policy.most
        return self.watch.look(minute, ten, now) if self.watch.is_worth_a_look(minute, ten) else None

    def end_hour(self) -> tuple[Learned, Step | None]:
        """Judges and learns the hour under way, and turns to the next."""
        start_us, end_us = self.hour_us, self.hour_us + HOUR_US
        minutes = _minutes(start_us, 60)
        counts = [self._counts.get(at, Counts()) for at in minutes]
        networks: dict[str, int] = {}
        models: dict[str, int] = {}
        for at in minutes:
            if at in self._raw:
                merge(networks, self._raw[at].networks)
                merge(models, self._raw[at].models)
        requests = [self._counts.get(at, Counts()).requests for at in _minutes(start_us - 9 * MINUTE_US, 69)]
        tens = [sum(requests[place : place + _TEN]) for place in range(60)]
        case = self.watch.case
        is_tainted = case.level >= Level.THROTTLE and case.until > start_us / SECOND_US
        hour = Hour(added(counts), max(requests[9:]), max(tens), is_tainted)
        self.watch.most = self.policy.most
        step = self.watch.end_hour(hour, end_us / SECOND_US)
        self.familiar.see(start_us, {}, models)
        self.familiar.forget(end_us)
        self.hour_us = end_us
        return Learned(start_us, hour, networks, models), step

    @property
    def throttle_rpm(self) -> int:
        """What a throttle leaves the client: a little more than its usual peak."""
        return int(self.watch.expectation.top_minute * 1.2) + 1


def _minutes(start_us: int, count: int) -> range:
    return range(start_us, start_us + count * MINUTE_US, MINUTE_US)


def raw_minutes(
    seen: Iterable[Any], usage: Iterable[tuple[int, str, str, int, int, int, int]]
) -> dict[str, dict[int, RawMinute]]:
    """By client and minute: what workers saw (`AbuseMinute`) and what the ledger has of it, added up."""
    found: dict[str, dict[int, RawMinute]] = {}
    for row in seen:
        raw = found.setdefault(row.client_id, {}).setdefault(row.start_us, RawMinute())
        raw.requests += row.requests
        raw.failures += row.failures
        merge(raw.networks, row.networks)
        merge(raw.prompts, row.prompts)
    for start_us, client_id, model, asked, errors, tokens, cost in usage:
        raw = found.setdefault(client_id, {}).setdefault(start_us, RawMinute())
        raw.settled += asked
        raw.errors += errors
        raw.tokens += tokens
        raw.cost_nano_usd += cost
        raw.models[model] = raw.models.get(model, 0) + asked
    return found
