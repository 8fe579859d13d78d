"""Compares the histories: what the mock served, what clients were told, what the ledger holds."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.harness.installation import Installation, Json
from tests.harness.load import Told
from tests.mock import Served
from tests.process.conftest import Rig

SETTLED_WITHIN_SECONDS = 60.0


@dataclass(slots=True, frozen=True)
class Verdict:
    """Request ids that break a promise, by promise. All empty is the promise kept."""

    served_without_row: list[str]
    served_without_id: int
    told_complete_but_not_finished: list[str]
    rows_never_asked_for: list[str]
    rolled_up_twice_or_not: int

    @property
    def is_kept(self) -> bool:
        return not any(
            (
                self.served_without_row,
                self.served_without_id,
                self.told_complete_but_not_finished,
                self.rows_never_asked_for,
                self.rolled_up_twice_or_not,
            )
        )


def compare(installation: Installation, served: Sequence[Served], told: Sequence[Told]) -> Verdict:
    """Reads the ledger and holds it against both sides.

    "Twice" cannot be two rows of one id (the schema forbids it); it would be a row nobody asked for, or a roll-up that
    counted a row again.
    """
    rows = installation.ledger()
    ids = {call.request_id for call in served if call.request_id}
    known = ids | {one.request_id for one in told if one.request_id}
    return Verdict(
        served_without_row=sorted(ids - rows.keys()),
        served_without_id=sum(call.request_id is None for call in served),
        told_complete_but_not_finished=sorted(
            {one.request_id for one in told if one.is_complete and one.request_id} - _finished(rows)
        ),
        # Killed between intent and upstream call, a request is in the ledger though nobody was told of it: allowed
        # only as interrupted.
        rows_never_asked_for=sorted(
            request_id
            for request_id, row in rows.items()
            if request_id not in known and row["outcome"] not in {"interrupted", "failed", "client_left"}
        ),
        rolled_up_twice_or_not=abs(
            len(rows) - int(installation.query("SELECT coalesce(sum(requests), 0) AS n FROM usage_minute")[0]["n"])
        ),
    )


def _finished(rows: dict[str, Json]) -> set[str]:
    return {request_id for request_id, row in rows.items() if row["outcome"] == "finished"}


async def settled(rig: Rig, told: list[Told]) -> float:
    """Waits until the promise holds; gives the seconds since the restart, or fails with what is still missing."""
    started = time.monotonic()
    verdict: Verdict | None = None
    while time.monotonic() - started < SETTLED_WITHIN_SECONDS:
        verdict = await asyncio.to_thread(compare, rig.installation, rig.mock.chats(), told)
        if verdict.is_kept:
            return round(time.monotonic() - started, 2)
        await asyncio.sleep(0.2)
    pytest.fail(f"not settled within {SETTLED_WITHIN_SECONDS:.0f} s: {verdict}")
