"""`python -m tests.bench`: see README.md beside this file."""

import argparse
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.bench.measure import run_streams, run_whole
from tests.bench.mocks import Mocks
from tests.bench.report import Row, as_table, write_json
from tests.bench.targets import LOAD_CORE, Target, count_ledger, direct, forwarder, gateway

_ALL = ("direct", "forwarder", "gateway", "keys")
_MANY = 100_000
_FEW = 10
_SLOW_SECONDS = 4.0  # where 64 requests take longer than a quick step


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 s a step instead of 4: a look, not a figure")
    parser.add_argument("--only", default=",".join(_ALL), help=f"comma-separated, of: {', '.join(_ALL)}")
    parser.add_argument("--with-litellm", action="store_true", help="also LiteLLM, in an environment of its own")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def measure(target: Target, folder: Path, *, seconds: float, is_whole_only: bool = False) -> Row:
    """All steps on one started target."""
    row = Row(target.name, target.ready_seconds, target.idle_pss_mb)
    row.steps.append(
        run_whole(target, folder, connections=64, seconds=max(min(seconds, 3.0), 1.0))
    )  # warm-up, counted below
    for connections in (64,) if is_whole_only else (1, 8, 64):
        row.steps.append(run_whole(target, folder, connections=connections, seconds=seconds))
    if not is_whole_only:
        for connections, wait_ms in ((16, 0), (64, 20), (1, 5)):
            row.steps.append(run_streams(target, connections=connections, seconds=seconds, wait_ms=wait_ms))
    row.loaded_pss_mb = target.pss_mb()
    if target.installation is not None:
        samples = sum(step.load == "whole" for step in row.steps)
        row.requests_made = sum(step.finished for step in row.steps) + samples
        row.ledger_rows = count_ledger(target.installation, row.requests_made)
    del row.steps[0]
    return row


def main() -> int:
    arguments = _arguments()
    chosen = arguments.only.split(",") + (["litellm"] if arguments.with_litellm else [])
    seconds = 1.0 if arguments.quick else 4.0
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        mocks = stack.enter_context(Mocks(folder / "mocks", core=LOAD_CORE))

        def run(opened: AbstractContextManager[Target], *, is_whole_only: bool = False, at_least: float = 0.0) -> None:
            with opened as target:
                rows.append(measure(target, folder, seconds=max(seconds, at_least), is_whole_only=is_whole_only))
            print(".", end="", flush=True, file=sys.stderr)

        if "direct" in chosen:
            run(direct(folder / "direct"))
        if "forwarder" in chosen:
            run(forwarder(folder / "forwarder", mocks))
        if "gateway" in chosen:
            run(gateway(folder / "gateway", mocks))
        if "keys" in chosen:
            for keys in (_FEW, _MANY):
                run(gateway(folder / f"keys-{keys}", mocks, keys=keys), is_whole_only=True)
        if "litellm" in chosen:
            from tests.bench.litellm import litellm

            run(litellm(folder / "litellm", mocks), at_least=_SLOW_SECONDS)
    print(file=sys.stderr)
    print(as_table(rows))
    if arguments.json:
        write_json(rows, arguments.json)
    missing = [row for row in rows if row.ledger_rows is not None and row.ledger_rows < row.requests_made]
    for row in missing:
        print(f"{row.target}: {row.requests_made - row.ledger_rows} requests without a ledger row")  # type: ignore[operator]
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
