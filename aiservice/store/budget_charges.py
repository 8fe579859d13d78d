"""Charges budgets in the transaction that posts the ledger's rows, and only for rows that are new in it: so that what a
budget has spent is what the ledger says, to the last 10⁻⁹ USD, whatever is killed or repeated.

A row names the windows it is charged to: `<budget id>:<start of the window, µs>:<m|t>`, separated by spaces (`m` is
charged with its money, `t` with its tokens).
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

from sqlalchemy import text

from aiservice.store.session import AsyncSession

Window = tuple[str, int]

# A slice pays first: what its holder had reserved becomes what is spent.
_SPEND = (
    "UPDATE budget_window SET spent = spent + %s, reserved = reserved - {least}(%s, COALESCE((SELECT amount FROM "
    "budget_slice WHERE budget_id = %s AND start_us = %s AND holder = %s), 0)) WHERE budget_id = %s AND start_us = %s"
)
_SHRINK = (
    "UPDATE budget_slice SET amount = amount - {least}(%s, amount) WHERE budget_id = %s AND start_us = %s AND holder = "
    "%s"
)
_SPEND_SQLITE = _SPEND.format(least="MIN").replace("%s", "?")
_SHRINK_SQLITE = _SHRINK.format(least="MIN").replace("%s", "?")
_SPEND_POSTGRES = text(_SPEND.format(least="LEAST") % (":x", ":x", ":budget", ":start", ":holder", ":budget", ":start"))
_SHRINK_POSTGRES = text(_SHRINK.format(least="LEAST") % (":x", ":budget", ":start", ":holder"))
_LOCK_POSTGRES = text("SELECT 1 FROM budget_window WHERE budget_id = :budget AND start_us = :start FOR UPDATE")


def window_name(budget_id: str, start_us: int, measure: str) -> str:
    """How a row of the ledger names a window that it is charged to."""
    return f"{budget_id}:{start_us}:{measure[0]}"


def charges_of(rows: Iterable[Any]) -> dict[Window, int]:
    """What `rows` charge to each window, in the order of the windows (so that two writers cannot deadlock)."""
    alike: dict[str, list[Any]] = {}
    for row in rows:
        if row.budgets:
            alike.setdefault(row.budgets, []).append(row)
    sums: dict[Window, int] = {}
    for named, some in alike.items():
        money = sum(row.cost_nano_usd or 0 for row in some)
        for window, amount in charged(named, money, sum(row.input_tokens + row.output_tokens for row in some)):
            sums[window] = sums.get(window, 0) + amount
    return dict(sorted(sums.items()))


def charged(named: str, cost_nano_usd: int | None, tokens: int) -> list[tuple[Window, int]]:
    """(window, amount) of a row, or of many that name the same windows."""
    parts = (each.split(":") for each in named.split())
    return [
        ((budget_id, int(start)), tokens if measure == "t" else cost_nano_usd or 0)
        for budget_id, start, measure in parts
    ]


def charge_sqlite(connection: sqlite3.Connection, charges: dict[Window, int], holder: str) -> None:
    """Charges within the caller's transaction."""
    connection.executemany(
        _SPEND_SQLITE, [(x, x, budget, start, holder, budget, start) for (budget, start), x in charges.items()]
    )
    connection.executemany(_SHRINK_SQLITE, [(x, budget, start, holder) for (budget, start), x in charges.items()])


async def charge_postgres(session: AsyncSession, charges: dict[Window, int], holder: str) -> None:
    """Charges within the caller's unit of work. Each window is locked first: what is read after that is the newest."""
    for (budget, start), x in charges.items():
        values = {"x": x, "budget": budget, "start": start, "holder": holder}
        await session.execute(_LOCK_POSTGRES, values)
        await session.execute(_SPEND_POSTGRES, values)
        await session.execute(_SHRINK_POSTGRES, values)
