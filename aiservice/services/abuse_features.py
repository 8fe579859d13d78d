"""What is counted of a client to find abuse, and what speaks for it: the same for real traffic and the simulator."""

from enum import IntEnum
from typing import NamedTuple


class Counts(NamedTuple):
    """What was asked with a client's keys in some time.

    `repeated` are requests with a minute's most frequent prompt, beyond its first. `new_requests` came from networks
    first seen less than a day before, `arrivals` are networks seen for the first time, `strange` are requests to models
    that are new to the client or hardly ever asked for. `failures` are failed authentications with the client's keys.
    Requests that a limit refused are among `requests`: it is the demand that is judged.
    """

    requests: int = 0
    errors: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0
    repeated: int = 0
    new_requests: int = 0
    arrivals: int = 0
    strange: int = 0
    failures: int = 0


class Hour(NamedTuple):
    """An hour of a client: its sums, and the most requests in one of its minutes and in ten of them in a row.

    `is_tainted`: something was done against the client in it, so it is no example of how the client usually is.
    """

    total: Counts
    peak_minute: int
    peak_ten: int
    is_tainted: bool = False


class Level(IntEnum):
    """What is done about it; each holds what the one before it does."""

    NONE = 0
    ALERT = 1
    THROTTLE = 2
    QUARANTINE = 3
    BLOCK = 4


class Evidence(NamedTuple):
    """One thing that is not as usual: `bans` says how unlikely, as powers of ten (6 is one in a million at most).

    `group` says what it is about; things of one group go together anyway, so only the strongest of each counts.
    """

    feature: str
    group: str
    window: str
    observed: float
    expected: float
    bans: float


def added(counts: "list[Counts] | tuple[Counts, ...]") -> Counts:
    """The sum over several stretches of time."""
    return Counts(*map(sum, zip(*counts, strict=True))) if counts else Counts()
