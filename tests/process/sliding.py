"""What a provider saw of a limit: the most that arrived in any sliding window, from its own log of arrivals."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.mock.plan import count_tokens
from tests.mock.record import Served

MINUTE_US = 60_000_000


@dataclass(slots=True, frozen=True)
class Arrival:
    """A call that reached the provider, and the tokens it cost there: the prompt's, and the answer's words."""

    at_us: int
    tokens: int


def arrivals(served: Iterable[Served], marker: str) -> list[Arrival]:
    """The calls whose last message says `marker`, in the order they came."""
    found = [one for one in served if marker in one.body["messages"][-1]["content"]]
    return sorted((Arrival(one.at_us, count_tokens(one.body) + (one.words or 0)) for one in found), key=_at)


def worst(
    calls: list[Arrival],
    *,
    in_tokens: bool = False,
    since_us: int = 0,
    until_us: int = 2**62,
    window_us: int = MINUTE_US,
) -> int:
    """The most requests (or tokens) in any window of that length: looked at when something arrives, since only then
    can it grow."""
    most = total = first = 0
    inside = [call for call in calls if since_us <= call.at_us <= until_us]
    for call in inside:
        total += call.tokens if in_tokens else 1
        while inside[first].at_us <= call.at_us - window_us:
            total -= inside[first].tokens if in_tokens else 1
            first += 1
        most = max(most, total)
    return most


def _at(call: Arrival) -> int:
    return call.at_us
