"""SQL of what must always be true of the ledger and its roll-ups. Every query gives only what is not."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlmodel import col, select

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.store.budget_charges import charged
from aiservice.store.ledger import SUMMED as EVERY_SUM
from aiservice.store.session import AsyncSession
from aiservice.store.usage_folding import unfolded_days
from aiservice.tables import Horizon
from aiservice.tables.ledger import DETAILS, UNIT_SUMS

_LIMIT = 5
# A node of the release before folds hours without the details: they are not held against it.
_SUMMED = tuple(name for name in EVERY_SUM if name not in (*DETAILS, *UNIT_SUMS.values()))
_ERROR = (
    "(outcome IN ('failed', 'upstream_truncated', 'broker_stopped', 'interrupted') "
    "OR (status >= 400 AND outcome <> 'client_left'))"
)
# What a row of the ledger adds to its minute (latencies by bucket left out: their sum is compared).
_OF_ROWS = {
    "requests": "1",
    "errors": f"CASE WHEN {_ERROR} THEN 1 ELSE 0 END",
    "unpriced": "CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cached_input_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "cost_nano_usd": "COALESCE(cost_nano_usd, 0)",
    "latency_us_sum": "CASE WHEN ended_us > started_us THEN ended_us - started_us ELSE 0 END",
}


async def horizon_us(session: AsyncSession, table: str) -> int:
    """From when on the table is whole, microseconds UTC; 0 where nothing of it was ever deleted."""
    return await session.scalar(select(Horizon.before_us).where(col(Horizon.name) == table)) or 0


async def minutes_unlike_rows(session: AsyncSession, since_us: int) -> list[int]:
    """Hours, from one that begins at `since_us`, in which some client's minutes are not the sum of its rows."""
    columns = ", ".join(f"{value} AS {name}" for name, value in _OF_ROWS.items())
    rows = f"SELECT started_us - started_us % {HOUR_US} AS start_us, client_id, {columns} FROM ledger_entry "  # noqa: S608
    return await _unlike(
        session,
        rows + "WHERE started_us >= :since",
        "usage_minute",
        width_us=HOUR_US,
        since_us=since_us,
        names=[*_OF_ROWS],
    )


async def hours_unlike_minutes(session: AsyncSession, since_us: int) -> list[int]:
    """Folded hours, from one that begins at `since_us`, that are not the sum of their minutes."""
    fine = f"SELECT start_us - start_us % {HOUR_US} AS start_us, client_id, {', '.join(_SUMMED)} FROM usage_minute "  # noqa: S608
    found = await _unlike(
        session, fine + "WHERE start_us >= :since", "usage_hour", width_us=HOUR_US, since_us=since_us, names=_SUMMED
    )
    return [hour for hour in found if hour not in await _dirty(session)]


async def days_unlike_hours(session: AsyncSession) -> list[int]:
    """Folded days that are not the sum of their hours."""
    fine = f"SELECT start_us - start_us % {DAY_US} AS start_us, client_id, {', '.join(_SUMMED)} FROM usage_hour "  # noqa: S608
    found = await _unlike(
        session, fine + "WHERE start_us >= :since", "usage_day", width_us=DAY_US, since_us=0, names=_SUMMED
    )
    dirty = {hour // DAY_US * DAY_US for hour in await _dirty(session)} | {*(await unfolded_days(session))}
    return [day for day in found if day not in dirty]


async def repeated_requests(session: AsyncSession) -> list[str]:
    """Request ids that more than one row has."""
    query = text(f"SELECT request_id FROM ledger_entry GROUP BY request_id HAVING COUNT(*) > 1 LIMIT {_LIMIT}")  # noqa: S608
    return list((await session.execute(query)).scalars())


async def impossible_rows(session: AsyncSession) -> list[str]:
    """Rows with money or times that cannot be."""
    query = "SELECT request_id FROM ledger_entry WHERE cost_nano_usd < 0 OR ended_us < started_us OR input_tokens < 0 "
    return list((await session.execute(text(f"{query} OR output_tokens < 0 LIMIT {_LIMIT}"))).scalars())


async def windows_unlike_rows(session: AsyncSession, since_us: int) -> list[str]:
    """Windows of budgets, from those on that begin an hour after `since_us`, that have not spent the sum of the rows
    that name them."""
    query = (
        "SELECT budgets, SUM(COALESCE(cost_nano_usd, 0)), SUM(input_tokens + output_tokens) FROM ledger_entry "
        "WHERE budgets IS NOT NULL AND started_us >= :since GROUP BY budgets"
    )
    charges: dict[tuple[str, int], int] = {}
    for named, money, tokens in await session.execute(text(query), {"since": since_us}):
        for window, amount in charged(named, int(money), int(tokens)):
            charges[window] = charges.get(window, 0) + amount
    spent = await session.execute(
        text("SELECT budget_id, start_us, spent FROM budget_window WHERE start_us >= :first"),
        {"first": since_us + HOUR_US if since_us else 0},
    )
    return [f"{row[0]} at {row[1]}" for row in spent if charges.get((row[0], int(row[1])), 0) != row[2]]


async def windows_unlike_slices(session: AsyncSession) -> list[str]:
    """Windows of budgets of which workers hold another amount than is reserved."""
    query = (
        "SELECT budget_id, start_us FROM (SELECT budget_id, start_us, reserved AS amount FROM budget_window "
        "UNION ALL SELECT budget_id, start_us, -amount FROM budget_slice) AS both_sides "
        "GROUP BY budget_id, start_us HAVING SUM(amount) <> 0 LIMIT :most"
    )
    return [f"{row[0]} at {row[1]}" for row in await session.execute(text(query), {"most": _LIMIT})]


async def damage(session: AsyncSession) -> list[str]:
    """On SQLite: what its own examination finds; nothing on PostgreSQL, which examines itself."""
    if session.get_bind().dialect.name == "postgresql":
        return []
    found = [str(row[0]) for row in await session.execute(text("PRAGMA quick_check(5)"))]
    strays = [
        f"a row of {row[0]} without its {row[2]}" for row in await session.execute(text("PRAGMA foreign_key_check"))
    ]
    return [line for line in found if line != "ok"] + strays[:_LIMIT]


async def _unlike(
    session: AsyncSession,
    fine: str,
    coarse: str,
    *,
    width_us: int,
    since_us: int,
    names: Iterable[str],
) -> list[int]:
    """The buckets in which the sums of `fine` and of the table `coarse`, by client, are not the same."""
    names = list(names)
    plus = ", ".join(f"{name} AS {name}" for name in names)
    minus = ", ".join(f"-{name}" for name in names)
    differing = " OR ".join(f"SUM({name}) <> 0" for name in names)
    query = (
        "SELECT DISTINCT start_us FROM (SELECT start_us, client_id FROM ("  # noqa: S608 - names of our own
        f"SELECT start_us - start_us % {width_us} AS start_us, client_id, {plus} FROM {coarse} "
        f"WHERE start_us >= :since UNION ALL SELECT start_us, client_id, {minus} FROM ({fine}) AS fine"
        f") AS both_sides GROUP BY start_us, client_id HAVING {differing}) AS unlike ORDER BY start_us"
    )
    return [int(start) for start in (await session.execute(text(query), {"since": since_us})).scalars()]


async def _dirty(session: AsyncSession) -> set[int]:
    return set((await session.execute(text("SELECT start_us FROM rollup_dirty"))).scalars())
