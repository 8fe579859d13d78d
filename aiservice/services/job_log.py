"""How work on a clock went in this worker: its last run, next, last fault. In memory; the board tells the others."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class _Job:
    every_seconds: float
    next_at: float
    ran_at: float | None = None
    took_seconds: float = 0.0
    failed_at: float | None = None
    fault: str = ""
    is_failing: bool = False


class JobLog:
    """The jobs of one worker. Times are of the monotonic clock."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def ran(self, name: str, every_seconds: float, took_seconds: float, *, is_ours: bool) -> None:
        """It ended well. Not `is_ours`: another worker does it, and this one only asked."""
        job = self._job(name, every_seconds)
        job.is_failing = False
        if is_ours:
            job.ran_at, job.took_seconds = time.monotonic(), took_seconds

    def failed(self, name: str, every_seconds: float, error: BaseException) -> None:
        """It did not. Only the kind of error is kept: its words may hold anything, and are in the log."""
        job = self._job(name, every_seconds)
        job.failed_at, job.fault, job.is_failing = time.monotonic(), type(error).__name__, True

    def rests(self, name: str, seconds: float) -> None:
        """It is done again after so many seconds."""
        job = self._jobs.get(name)
        if job is not None:
            job.next_at = time.monotonic() + seconds

    def said(self) -> dict[str, Json]:
        """What is known of every job, in seconds before or after now, as JSON holds it."""
        now = time.monotonic()
        return {
            name: {
                "every_seconds": job.every_seconds,
                "ran_seconds_ago": None if job.ran_at is None else round(now - job.ran_at, 1),
                "took_seconds": round(job.took_seconds, 3),
                "next_seconds": round(max(0.0, job.next_at - now), 1),
                "failed_seconds_ago": None if job.failed_at is None else round(now - job.failed_at),
                "fault": job.fault,
                "is_failing": job.is_failing,
            }
            for name, job in list(self._jobs.items())
        }

    def _job(self, name: str, every_seconds: float) -> _Job:
        job = self._jobs.get(name)
        if job is None:
            job = self._jobs[name] = _Job(every_seconds, time.monotonic() + every_seconds)
        return job


def merged(said: Iterable[dict[str, Json]]) -> dict[str, Json]:
    """The logs of several workers as one: the newest run and fault, the nearest next, failing where one is."""
    found: dict[str, Json] = {}
    for worker in said:
        for name, one in worker.items():
            known = found.get(name)
            if known is None:
                found[name] = dict(one)
                continue
            newest = min((known, one), key=lambda each: _age(each["ran_seconds_ago"]))
            faulty = min((known, one), key=lambda each: _age(each["failed_seconds_ago"]))
            found[name] = {
                "every_seconds": one["every_seconds"],
                "ran_seconds_ago": newest["ran_seconds_ago"],
                "took_seconds": newest["took_seconds"],
                "next_seconds": min(known["next_seconds"], one["next_seconds"]),
                "failed_seconds_ago": faulty["failed_seconds_ago"],
                "fault": faulty["fault"],
                "is_failing": known["is_failing"] or one["is_failing"],
            }
    return found


def _age(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
