"""Which networks and models a client is known by, so that what is new can be counted. Values only, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiservice.kit.clock import DAY_US, MINUTE_US
from aiservice.services.abuse_features import Counts

RARE_SHARE = 0.02
MAX_KNOWN = 4_096
_FORGET_US = 35 * DAY_US
MANY = ""
"""What stands for the networks of a minute beyond those that are told apart; never familiar."""


@dataclass(slots=True)
class RawMinute:
    """A client's minute as all workers and the ledger have it."""

    requests: int = 0
    settled: int = 0
    errors: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0
    failures: int = 0
    networks: dict[str, int] = field(default_factory=dict)
    prompts: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)


def merge(into: dict[str, int], more: Mapping[str, int]) -> None:
    """Adds counts to counts."""
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


@dataclass(slots=True)
class Familiar:
    """When a client's networks were first and last seen, and what it asks of which model."""

    networks: dict[str, tuple[int, int]] = field(default_factory=dict)
    models: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By name: when first seen, and how many requests since."""
    asked: int = 0

    def see(self, at_us: int, networks: Mapping[str, int], models: Mapping[str, int]) -> None:
        """Learns what was used then."""
        for network in networks:
            known = self.networks.get(network)
            self.networks[network] = (at_us, at_us) if known is None else (min(known[0], at_us), max(known[1], at_us))
        for model, count in models.items():
            first_us, before = self.models.get(model, (at_us, 0))
            self.models[model] = (min(first_us, at_us), before + count)
            self.asked += count
        if len(self.networks) > MAX_KNOWN:
            kept = sorted(self.networks.items(), key=lambda item: item[1][1], reverse=True)[: MAX_KNOWN // 2]
            self.networks = dict(kept)

    def forget(self, now_us: int) -> None:
        """Drops networks that have not been seen for five weeks: from there it is new again."""
        self.networks = {name: seen for name, seen in self.networks.items() if seen[1] > now_us - _FORGET_US}

    def counts(self, at_us: int, raw: RawMinute) -> Counts:
        """A minute in the judge's terms. What is new stays new for a day."""
        new = arrivals = 0
        for network, count in raw.networks.items():
            first_us = self.networks.get(network, (at_us, 0))[0]
            if network == MANY or first_us > at_us - DAY_US:
                new += count
                arrivals += network == MANY or first_us > at_us - MINUTE_US
        strange = sum(count for model, count in raw.models.items() if self._is_strange(at_us, model))
        return Counts(
            requests=max(raw.requests, raw.settled),
            errors=raw.errors,
            tokens=raw.tokens,
            cost_nano_usd=raw.cost_nano_usd,
            repeated=max(0, max(raw.prompts.values(), default=0) - 1),
            new_requests=new,
            arrivals=arrivals,
            strange=strange,
            failures=raw.failures,
        )

    def _is_strange(self, at_us: int, model: str) -> bool:
        first_us, count = self.models.get(model, (at_us, 0))
        return first_us > at_us - DAY_US or count < RARE_SHARE * self.asked
