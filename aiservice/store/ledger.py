"""SQL of the ledger: rows go in once, and only new ones are summed into minutes."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, StatementError

from aiservice.kit.clock import HOUR_US, MINUTE_US
from aiservice.store.session import AsyncSession
from aiservice.tables.ledger import LATENCY_BOUNDS_US, LedgerEntry, RollupDirty, UsageMinute

ENTRY: Table = LedgerEntry.__table__  # type: ignore[attr-defined]
MINUTE: Table = UsageMinute.__table__  # type: ignore[attr-defined]
DIRTY: Table = RollupDirty.__table__  # type: ignore[attr-defined]
ROLLUP_KEY = tuple(column.name for column in MINUTE.primary_key)
SUMMED = tuple(column.name for column in MINUTE.columns if not column.primary_key)

# A status of 499 is a client that left: nobody's error.
_ERRORS = {"failed", "upstream_truncated", "broker_stopped", "interrupted"}
_TEXT_LIMITS: dict[str, int] = {
    column.name: length for column in ENTRY.columns if (length := getattr(column.type, "length", None))
}


def is_refusal(exc: Exception) -> bool:
    """Whether the database refused the values themselves, so that trying again cannot help."""
    if isinstance(exc, IntegrityError | DataError):
        return True
    return type(exc) is StatementError


async def insert_entries(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Inserts rows whose request id is not in the ledger yet, sums exactly those into minutes, returns their ids."""
    fitted = [_fit(row) for row in rows]
    insert = _insert(session, ENTRY).on_conflict_do_nothing(index_elements=["request_id"])
    result = await session.execute(insert.returning(ENTRY.c.request_id), fitted)
    new = set(result.scalars())
    minutes = sum_rows(row for row in fitted if row["request_id"] in new)
    if minutes:
        await _add_minutes(session, minutes)
    return new


def sum_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """`rows` summed per minute and roll-up key, in the order of the keys (so that two writers cannot deadlock)."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        minute = row["started_us"] // MINUTE_US * MINUTE_US
        key = (minute, row["client_id"], row["key_id"], row["task"], row["provider"], row["model"])
        total = sums.get(key)
        if total is None:
            total = sums[key] = dict(zip(ROLLUP_KEY, key, strict=True)) | dict.fromkeys(SUMMED, 0)
        latency = max(0, row["ended_us"] - row["started_us"])
        total["requests"] += 1
        total["errors"] += is_error(row["status"], row["outcome"])
        total["unpriced"] += row["cost_nano_usd"] is None
        total["cost_nano_usd"] += row["cost_nano_usd"] or 0
        total["latency_us_sum"] += latency
        total[f"latency_{_latency_bucket(latency)}"] += 1
        for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"):
            total[name] += row[name]
    return [sums[key] for key in sorted(sums)]


def is_error(status: int, outcome: str) -> bool:
    """Whether a request counts as an error: it failed, and not because its client left."""
    return outcome in _ERRORS or (status >= 400 and outcome != "client_left")


def _latency_bucket(latency_us: int) -> int:
    # The bounds double from 10 ms, so the bucket is a number of bits.
    bits = int(max(latency_us - 1, 0) // LATENCY_BOUNDS_US[0]).bit_length()
    return min(bits, len(LATENCY_BOUNDS_US))


async def _add_minutes(session: AsyncSession, minutes: list[dict[str, Any]]) -> None:
    insert = _insert(session, MINUTE)
    added = {name: MINUTE.c[name] + insert.excluded[name] for name in SUMMED}
    await session.execute(insert.on_conflict_do_update(index_elements=list(ROLLUP_KEY), set_=added), minutes)
    hours = sorted({minute["start_us"] // HOUR_US * HOUR_US for minute in minutes})
    mark = _insert(session, DIRTY)
    # An update, though it changes nothing: it locks the mark, so that a fold that is under way waits for these minutes.
    mark = mark.on_conflict_do_update(index_elements=["start_us"], set_={"start_us": mark.excluded.start_us})
    await session.execute(mark, [{"start_us": hour} for hour in hours])


def _insert(session: AsyncSession, table: Table) -> Any:
    """The dialect's own INSERT, which knows ON CONFLICT; both databases spell it alike."""
    return (sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert)(table)


def _fit(row: dict[str, Any]) -> dict[str, Any]:
    """`row` with its texts cut to their columns: one row that PostgreSQL refuses would hold up all behind it."""
    for name, length in _TEXT_LIMITS.items():
        value = row[name]
        if value is not None and (len(value) > length or "\0" in value):
            row[name] = value.replace("\0", "")[:length]
    return row
