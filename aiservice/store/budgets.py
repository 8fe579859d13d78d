"""SQL of budgets as people set them, and of how their windows stand."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import Budget, BudgetSlice, BudgetWindow, Client, ClientKey, Team


class WindowRow(NamedTuple):
    """What a window, or a part of a rolling one, has seen."""

    budget_id: str
    start_us: int
    spent: int
    reserved: int


async def of_subjects(session: AsyncSession, subjects: Collection[str]) -> list[Budget]:
    """The budgets of these keys, clients and teams, in an order that never changes."""
    query = select(Budget).where(col(Budget.subject).in_(subjects))
    return list(await session.scalars(query.order_by(col(Budget.created_us), col(Budget.id))))


async def by_ids(session: AsyncSession, ids: Collection[str]) -> list[Budget]:
    """Budgets by id."""
    return list(await session.scalars(select(Budget).where(col(Budget.id).in_(ids))))


async def one(session: AsyncSession, subject: str, measure: str, period: str) -> Budget | None:
    """The budget of a subject that is of this measure and period, locked where rows can be."""
    query = select(Budget).where(
        col(Budget.subject) == subject, col(Budget.measure) == measure, col(Budget.period) == period
    )
    return (await session.execute(query.with_for_update())).scalar_one_or_none()


async def every(session: AsyncSession) -> list[Budget]:
    """All budgets, oldest first."""
    query = select(Budget).order_by(col(Budget.created_us), col(Budget.id))
    rows = await session.stream_scalars(query.execution_options(yield_per=100))  # all at once would hold the loop
    return [row async for row in rows]


async def owned_by(session: AsyncSession, owner_id: str) -> list[Budget]:
    """The budgets of that person's clients, of their keys and of the teams they are in, oldest first."""
    mine = select(col(Client.id)).where(col(Client.owner_id) == owner_id)
    keys = select(col(ClientKey.id)).where(col(ClientKey.client_id).in_(mine))
    teams = select(col(Client.team_id)).where(col(Client.owner_id) == owner_id)
    query = select(Budget).where(or_(*(col(Budget.subject).in_(subjects) for subjects in (mine, keys, teams))))
    return list(await session.scalars(query.order_by(col(Budget.created_us), col(Budget.id))))


async def key_names(session: AsyncSession, ids: Collection[str]) -> dict[str, tuple[str, str, str | None]]:
    """(name, client's name, client's id) of keys."""
    query = select(col(ClientKey.id), col(ClientKey.name), col(Client.name), col(Client.id))
    query = query.join(Client, col(Client.id) == col(ClientKey.client_id)).where(col(ClientKey.id).in_(ids))
    return {row[0]: (row[1], row[2], row[3]) for row in await session.execute(query)}


async def client_names(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """Names of clients."""
    query = select(col(Client.id), col(Client.name)).where(col(Client.id).in_(ids))
    return {row[0]: row[1] for row in await session.execute(query)}


async def team_names(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """Names of teams."""
    query = select(col(Team.id), col(Team.name)).where(col(Team.id).in_(ids))
    return {row[0]: row[1] for row in await session.execute(query)}


def add(session: AsyncSession, budget: Budget) -> None:
    session.add(budget)


async def remove(session: AsyncSession, budget_ids: Collection[str]) -> None:
    """Budgets with their windows and with what workers hold of them."""
    # In the order in which slices are leased and rows charged: else two units of work could wait for each other.
    await session.execute(delete(Budget).where(col(Budget.id).in_(budget_ids)))
    await session.execute(delete(BudgetWindow).where(col(BudgetWindow.budget_id).in_(budget_ids)))
    await session.execute(delete(BudgetSlice).where(col(BudgetSlice.budget_id).in_(budget_ids)))


async def windows(session: AsyncSession, since_us: dict[str, int]) -> Sequence[WindowRow]:
    """The windows of each budget from its `since_us` on, oldest first."""
    if not since_us:
        return []
    query = select(
        col(BudgetWindow.budget_id),
        col(BudgetWindow.start_us),
        col(BudgetWindow.spent),
        col(BudgetWindow.reserved),
    ).where(col(BudgetWindow.budget_id).in_(since_us), col(BudgetWindow.start_us) >= min(since_us.values()))
    rows = [WindowRow(*row) for row in await session.execute(query.order_by(col(BudgetWindow.start_us)))]
    return [row for row in rows if row.start_us >= since_us[row.budget_id]]


async def raise_warned(session: AsyncSession, budget_id: str, since_us: int, percent: int) -> bool:
    """Notes in the newest window since `since_us` that people were told of `percent`; False where somebody has done so
    already, since then."""
    told = (
        select(func.max(col(BudgetWindow.warned_percent)))
        .where(col(BudgetWindow.budget_id) == budget_id, col(BudgetWindow.start_us) >= since_us)
        .scalar_subquery()
    )
    newest = (
        select(func.max(col(BudgetWindow.start_us))).where(col(BudgetWindow.budget_id) == budget_id).scalar_subquery()
    )
    raised = (
        update(BudgetWindow)
        .where(
            col(BudgetWindow.budget_id) == budget_id,
            col(BudgetWindow.start_us) == newest,
            col(BudgetWindow.warned_percent) < percent,
            told < percent,
        )
        .values(warned_percent=percent)
        .returning(col(BudgetWindow.budget_id))
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(raised)).first() is not None


async def purge(session: AsyncSession, before_us: int) -> int:
    """Deletes windows that began before `before_us` and of which nobody holds anything; how many."""
    held = select(col(BudgetSlice.budget_id)).where(
        col(BudgetSlice.budget_id) == col(BudgetWindow.budget_id),
        col(BudgetSlice.start_us) == col(BudgetWindow.start_us),
    )
    old = delete(BudgetWindow).where(col(BudgetWindow.start_us) < before_us, ~held.exists())
    done = await session.execute(old.returning(col(BudgetWindow.budget_id)))
    return len(done.all())
