"""The budgets of a caller, read once for its principal."""

from collections.abc import Iterable

from aiservice.principal import Budget
from aiservice.store import budgets as store
from aiservice.store.session import Database


async def budgets_of(db: Database, subjects: Iterable[str]) -> tuple[Budget, ...]:
    """The budgets that a caller's requests are charged to, for its principal."""
    async with db.read() as session:
        rows = await store.of_subjects(session, [*subjects])
    return tuple(
        Budget(
            row.id,
            row.scope,
            row.subject,
            row.measure,
            row.period,
            row.is_rolling,
            row.cap,
            frozenset(row.unpriced_models or ()),
        )
        for row in rows
    )
