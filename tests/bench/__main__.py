"""`python -m tests.bench`: see README.md beside this file."""

import argparse
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

from tests.bench.measure import Step, run_streams, run_whole
from tests.bench.mocks import Mocks
from tests.bench.report import Row, as_table, write_json
from tests.bench.targets import LOAD_CORE, Target, count_ledger, direct, forwarder, gateway
from tests.bench.workers import measure_workers, scale
from tests.harness.databases import RedisServer

_ALL = ("direct", "forwarder", "gateway", "messages", "keys", "workers")
_ROUNDS = 3
_MANY = 100_000
_MANY_QUICK = 5_000
_FEW = 10
_SLOW_SECONDS = 4.0  # where 64 requests take longer than a quick step


class Measure(Protocol):
    """One way to measure a started target."""

    def __call__(self, target: Target, folder: Path, *, seconds: float) -> Row: ...


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 s a step instead of 4: a look, not a figure")
    parser.add_argument("--only", default=",".join(_ALL), help=f"comma-separated, of: {', '.join(_ALL)}")
    parser.add_argument("--with-litellm", action="store_true", help="also LiteLLM, in an environment of its own")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def measure(target: Target, folder: Path, *, seconds: float) -> Row:
    """All steps on one started target."""
    row = Row(target.name, target.ready_seconds, target.idle_pss_mb)
    row.steps.append(run_whole(target, folder, connections=64, seconds=min(seconds, 3.0)))  # warm-up, counted below
    row.steps += [run_whole(target, folder, connections=number, seconds=seconds) for number in (1, 8, 64)]
    for connections, wait_ms in ((16, 0), (64, 20), (1, 5)):
        row.steps.append(run_streams(target, connections=connections, seconds=seconds, wait_ms=wait_ms))
    _close(target, row)
    del row.steps[0]
    return row


def measure_messages(target: Target, folder: Path, *, seconds: float) -> Row:
    """What translating costs: the same conversation in both wires in turns, so that both have the same neighbours; of
    each load the round that cost least."""
    row = Row(target.name, target.ready_seconds, target.idle_pss_mb)
    row.steps.append(run_whole(target, folder, connections=64, seconds=seconds))  # warm-up
    for _ in range(_ROUNDS):
        row.steps += [
            run_whole(target, folder, connections=64, seconds=seconds),
            run_whole(target, folder, connections=64, seconds=seconds, load="whole, messages", wire="messages"),
            run_streams(target, connections=16, seconds=seconds, wait_ms=0),
            run_streams(target, connections=16, seconds=seconds, wait_ms=0, wire="messages"),
        ]
    _close(target, row)
    cheapest: dict[str, Step] = {}
    for step in row.steps[1:]:
        if step.load not in cheapest or step.cpu_us < cheapest[step.load].cpu_us:
            cheapest[step.load] = step
    row.steps = list(cheapest.values())
    return row


def measure_keys(target: Target, folder: Path, *, seconds: float) -> Row:
    """The cost of a request while each key is used for the first time, and once every key has been used."""
    row = Row(target.name, target.ready_seconds, target.idle_pss_mb)
    used = 0
    while used < len(target.keys) or not row.steps:
        row.steps.append(run_whole(target, folder, connections=64, seconds=seconds, load="whole, new keys"))
        used += row.steps[-1].finished
    row.steps.append(run_whole(target, folder, connections=64, seconds=seconds))
    _close(target, row)
    row.steps = [row.steps[0], row.steps[-1]]
    return row


def _close(target: Target, row: Row) -> None:
    row.loaded_pss_mb = target.pss_mb()
    if target.installation is not None:
        samples = sum(step.load.startswith("whole") for step in row.steps)
        row.requests_made = sum(step.finished for step in row.steps) + samples
        row.ledger_rows = count_ledger(target.installation, row.requests_made)


def _run_workers(folder: Path, mocks: Mocks, redis_url: str, rows: list[Row], seconds: float) -> str:
    steps = []
    for workers in (1, 2):
        extra = {"AISERVICE_REDIS_URL": redis_url, "GRANIAN_WORKERS": str(workers)}
        name = f"gateway, {workers} worker{'s' * (workers > 1)}, Redis"
        with gateway(folder / f"workers-{workers}", mocks, name=name, extra=extra, core=None) as target:
            step, shares = measure_workers(target, folder, seconds=seconds)
            row = Row(target.name, target.ready_seconds, target.idle_pss_mb, target.pss_mb())
            row.steps.append(step)
            rows.append(row)
            steps.append(step)
    times = scale(steps[0], steps[1], shares)
    return (
        f"two workers on two cores serve {times:.2f} times what one does (evenness of the two: {shares.evenness:.2f})"
    )


def main() -> int:
    arguments = _arguments()
    chosen = arguments.only.split(",") + (["litellm"] if arguments.with_litellm else [])
    seconds = 1.0 if arguments.quick else 4.0
    rows: list[Row] = []
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        mocks = stack.enter_context(Mocks(folder / "mocks", core=LOAD_CORE))

        def run(opened: AbstractContextManager[Target], how: Measure = measure, at_least: float = 0.0) -> None:
            with opened as target:
                rows.append(how(target, folder, seconds=max(seconds, at_least)))
            print(".", end="", flush=True, file=sys.stderr)

        if "direct" in chosen:
            run(direct(folder / "direct"))
        if "forwarder" in chosen:
            run(forwarder(folder / "forwarder", mocks))
        if "gateway" in chosen:
            run(gateway(folder / "gateway", mocks))
        if "messages" in chosen:
            run(gateway(folder / "messages", mocks, name="gateway, both wires"), measure_messages)
        if "keys" in chosen:
            for keys in (_FEW, _MANY_QUICK if arguments.quick else _MANY):
                run(gateway(folder / f"keys-{keys}", mocks, keys=keys), measure_keys)
        if "workers" in chosen:
            told.append(_run_workers(folder, mocks, stack.enter_context(RedisServer(folder)).url, rows, seconds))
        if "litellm" in chosen:
            from tests.bench.litellm import litellm

            run(litellm(folder / "litellm", mocks), at_least=_SLOW_SECONDS)
    print(file=sys.stderr)
    print(as_table(rows))
    print(*told, sep="\n")
    if arguments.json:
        write_json(rows, arguments.json)
    missing = [row for row in rows if row.ledger_rows is not None and row.ledger_rows < row.requests_made]
    for row in missing:
        print(f"{row.target}: {row.requests_made - row.ledger_rows} requests without a ledger row")  # type: ignore[operator]
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
