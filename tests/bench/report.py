"""The figures as a table for people and as JSON for whoever compares runs."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.measure import Step
from tests.harness.process import ROOT


@dataclass(slots=True)
class Row:
    """All figures of one target."""

    target: str
    ready_seconds: float | None
    idle_pss_mb: float
    loaded_pss_mb: float = 0.0
    steps: list[Step] = field(default_factory=list)
    ledger_rows: int | None = None
    requests_made: int = 0

    def step(self, load: str, connections: int) -> Step | None:
        return next((s for s in self.steps if (s.load, s.connections) == (load, connections)), None)


def as_json(rows: list[Row]) -> dict[str, Any]:
    """The run with what is needed to judge it: commit, machine, load of the machine by others."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "targets": [
            {
                "target": row.target,
                "ready_seconds": row.ready_seconds,
                "idle_pss_mb": row.idle_pss_mb,
                "loaded_pss_mb": row.loaded_pss_mb,
                "ledger_rows": row.ledger_rows,
                "requests_made": row.requests_made,
                "steps": [step.as_json() for step in row.steps],
            }
            for row in rows
        ],
    }


def write_json(rows: list[Row], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(rows), indent=1) + "\n")


def as_table(rows: list[Row]) -> str:
    """One block a target, then the ratios to the yardstick."""
    return "\n".join([*_figures(rows), "", *_ratios(rows)])


def _figures(rows: list[Row]) -> Iterator[str]:
    numbers = f"{'conn':>5}{'/s':>10}{'CPU µs':>10}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'others':>8}"
    yield f"{'target':<22}{'load':<22}{numbers}"
    for row in rows:
        for step in row.steps:
            yield (
                f"{row.target:<22}{step.load:<22}{step.connections:>5}{step.per_second:>10.0f}{step.cpu_us:>10.0f}"
                f"{step.p50_ms:>9.2f}{step.p99_ms:>9.2f}{step.errors:>8}{step.others_percent:>7.0f}%"
            )
        ready = "-" if row.ready_seconds is None else f"{row.ready_seconds:.2f} s"
        ledger = "" if row.ledger_rows is None else f", ledger rows {row.ledger_rows} of {row.requests_made} requests"
        yield (
            f"{row.target:<22}ready {ready}, PSS idle {row.idle_pss_mb:.0f} MB, "
            f"after load {row.loaded_pss_mb:.0f} MB{ledger}"
        )


def _ratios(rows: list[Row]) -> Iterator[str]:
    yardstick = next((row for row in rows if row.target == "forwarder"), None)
    if yardstick is None:
        return
    yield "CPU per request as a multiple of the bare forwarder's, same run; added p50 over direct"
    straight = next((row for row in rows if row.target == "direct"), None)
    for row in rows:
        if row.target in {"direct", "forwarder"}:
            continue
        for step in row.steps:
            base = yardstick.step(step.load, step.connections)
            if base is None:
                continue
            nothing = straight.step(step.load, step.connections) if straight else None
            added = f", p50 {step.p50_ms - nothing.p50_ms:+.2f} ms" if nothing else ""
            yield f"{row.target:<22}{step.load:<22}{step.connections:>5}  {step.cpu_us / base.cpu_us:.2f} ×{added}"
