"""What must be true of the ledger at any moment, checked on the database itself: by `doctor`, and after a restore."""

from dataclasses import dataclass
from pathlib import Path

from aiservice.kit.clock import HOUR_US, MINUTE_US, iso, now_us
from aiservice.kit.records import read_records
from aiservice.kit.segments import SUFFIX
from aiservice.services.settlement import open_intents
from aiservice.store import invariants as store
from aiservice.store.session import Database

OPEN_INTENT_US = 20 * MINUTE_US
"""Longer than any request may take (15 minutes, unless set otherwise) and a shutdown together."""
_SHOWN = 3


@dataclass(slots=True, frozen=True)
class Breach:
    """A promise that does not hold, and where."""

    promise: str
    where: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.where}"


async def breaches(
    db: Database, journal_dir: Path, *, since_us: int = 0, open_after_us: int = OPEN_INTENT_US
) -> list[Breach]:
    """What does not hold; empty is well. `since_us` leaves out the older rows of the ledger, which may be many.

    One moment of the database is looked at, whatever is written meanwhile. What was deleted for its age is not missed.
    """
    found: list[tuple[str, list[str]]] = []
    async with db.read() as session:
        rows_us = _whole_hour(max(since_us, await store.horizon_us(session, "ledger_entry")))
        minutes_us = _whole_hour(max(since_us, await store.horizon_us(session, "usage_minute")))
        unlike = await store.minutes_unlike_rows(session, max(rows_us, minutes_us))
        found += [
            ("Every minute is the sum of its requests, in number, tokens, money and time", _times(unlike)),
            (
                "Every folded hour is the sum of its minutes",
                _times(await store.hours_unlike_minutes(session, minutes_us)),
            ),
            ("Every folded day is the sum of its hours", _times(await store.days_unlike_hours(session))),
            ("Every request is in the ledger once", await store.repeated_requests(session)),
            ("No amount is below nothing, and nothing ends before it begins", await store.impossible_rows(session)),
            ("Every budget has spent what the ledger says", await store.windows_unlike_rows(session, rows_us)),
            ("What is reserved of a budget is what workers hold", await store.windows_unlike_slices(session)),
            ("The database is undamaged", await store.damage(session)),
        ]
    found.append(("Every request that was begun is settled", _left_open(journal_dir, now_us() - open_after_us)))
    return [Breach(promise, ", ".join(where[:_SHOWN])) for promise, where in found if where]


def _left_open(journal_dir: Path, before_us: int) -> list[str]:
    lives: dict[str, list[Path]] = {}
    for path in sorted(journal_dir.glob(f"*{SUFFIX}")):
        lives.setdefault(path.name.split(".", 1)[0], []).append(path)
    found = []
    for paths in lives.values():
        records = (record for path in paths if path.exists() for record in read_records(path.read_bytes()))
        found += [intent.request_id for intent in open_intents(records) if intent.started_us < before_us]
    return found


def _whole_hour(at_us: int) -> int:
    return -(-at_us // HOUR_US) * HOUR_US


def _times(starts: list[int]) -> list[str]:
    return [f"{iso(start)}" for start in starts]
