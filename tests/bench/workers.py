"""What a second worker adds, on a machine whose two cores also carry the load and the mocks.

Wall-clock throughput would measure how the three share two cores. So the CPU of a request is compared: with one worker,
and with two that share a database, a Redis and the port, neither bound to a core, so that both have the load as their
neighbour. What two cores could serve, were nothing else on them, is twice the one's by the ratio of the two costs, as
far as the kernel gives both workers the same: the busier one is full first.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Step, run_whole
from tests.bench.targets import Target

_ROUNDS = 3
_CONNECTIONS = 64


@dataclass(slots=True, frozen=True)
class Shares:
    """CPU in microseconds of each worker while it was measured, the busiest first."""

    cpu_us: tuple[int, ...]

    @property
    def evenness(self) -> float:
        """The mean worker's share over the busiest one's: 1.0 where all do the same."""
        return sum(self.cpu_us) / len(self.cpu_us) / max(*self.cpu_us, 1)


def measure_workers(target: Target, folder: Path, *, seconds: float) -> tuple[Step, Shares]:
    """The cheapest of three rounds of whole answers, and how the workers shared all of them."""
    run_whole(target, folder, connections=_CONNECTIONS, seconds=seconds, load="warm-up")
    (server,) = target.processes
    before = server.cpu_us_by_process()
    steps = [run_whole(target, folder, connections=_CONNECTIONS, seconds=seconds) for _ in range(_ROUNDS)]
    used = {pid: cpu - before.get(pid, 0) for pid, cpu in server.cpu_us_by_process().items() if pid != server.pid}
    busy = tuple(sorted((cpu for cpu in used.values() if cpu > 0), reverse=True))
    return min(steps, key=lambda step: step.cpu_us), Shares(busy)


def scale(one: Step, two: Step, shares: Shares) -> float:
    """How many times one worker's requests two workers on two cores serve."""
    return 2 * one.cpu_us / two.cpu_us * shares.evenness
