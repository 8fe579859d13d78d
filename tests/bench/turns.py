"""`python -m tests.bench.turns`: two servers of ours that are up together and loaded in turns, two seconds each.

Both then have the same neighbours on the machine, so that the difference between them is steady to a few microseconds
where single runs differ by a quarter. Two uses:

    python -m tests.bench.turns --admission        # everything of admission on, beside the same tree with nothing set
    python -m tests.bench.turns --against ../old   # this tree, beside another checkout
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Step, run_streams, run_whole
from tests.bench.mocks import Mocks
from tests.bench.targets import LOAD_CORE, Target, gateway
from tests.harness.installation import Installation
from tests.harness.process import ROOT

LOADS = ("whole", "stream", "paced")
_SECONDS = 2.0


@dataclass(slots=True, frozen=True)
class Turns:
    """CPU microseconds per request of two targets, a pair for each round."""

    pairs: tuple[tuple[float, float], ...]

    @property
    def first(self) -> float:
        return statistics.median(pair[0] for pair in self.pairs)

    @property
    def second(self) -> float:
        return statistics.median(pair[1] for pair in self.pairs)

    @property
    def added_us(self) -> float:
        """What the second costs more: the median over the rounds, each compared with its own neighbour."""
        return statistics.median(second - first for first, second in self.pairs)

    def __str__(self) -> str:
        return f"{self.first:.0f} and {self.second:.0f} µs: {self.added_us:+.0f} µs, {self.second / self.first:.3f} ×"


def with_all_of_admission(installation: Installation) -> None:
    """Limits, budgets and quotas that all count and refuse nothing; the watch for abuse is on from the start."""
    run, many = installation.command, "1000000000"
    run("client", "limits", "set", "bench", "--rpm", many, "--tpm", many, "--concurrency", "10000")
    run("client", "budget", "set", "bench", "--tokens", "1000000000000", "--period", "month")
    for name in ("whole", "streamed"):
        run("provider", "set-quota", name, "--rpm", many, "--tpm", many)


def load(target: Target, folder: Path, how: str) -> Step:
    """One turn of load."""
    if how == "whole":
        return run_whole(target, folder, connections=64, seconds=_SECONDS)
    if how == "stream":
        return run_streams(target, connections=16, seconds=_SECONDS, wait_ms=0)
    return run_streams(target, connections=64, seconds=_SECONDS * 1.5, wait_ms=20)


def in_turns(first: Target, second: Target, folder: Path, how: str, rounds: int) -> Turns:
    """Loads both in turns, after a round that warms them up; who begins changes from round to round."""
    pairs = []
    for turn in range(rounds + 1):
        order = (first, second) if turn % 2 else (second, first)
        cost = {target.name: load(target, folder, how).cpu_us for target in order}
        if turn:
            pairs.append((cost[first.name], cost[second.name]))
    return Turns(tuple(pairs))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turns", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--admission", action="store_true", help="limits, budgets and quotas on, beside none")
    which.add_argument("--against", type=Path, metavar="DIR", help="another checkout of this project")
    parser.add_argument("--loads", default=",".join(LOADS), help=f"comma-separated, of: {', '.join(LOADS)}")
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    code = arguments.against.resolve() if arguments.against else ROOT
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        mocks = stack.enter_context(Mocks(folder / "mocks", core=LOAD_CORE))
        first = stack.enter_context(gateway(folder / "first", mocks, name="first", code=code))
        prepare = with_all_of_admission if arguments.admission else None
        second = stack.enter_context(gateway(folder / "second", mocks, name="second", prepare=prepare))
        print(f"PSS idle: {first.idle_pss_mb:.0f} and {second.idle_pss_mb:.0f} MB")
        for how in arguments.loads.split(","):
            print(f"{how:<8}{in_turns(first, second, folder, how, arguments.rounds)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
