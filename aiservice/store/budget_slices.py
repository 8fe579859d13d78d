"""SQL of slices: what workers hold of a budget's window. Nobody gets a slice that does not fit under the cap.

Every unit of work here locks in the same order: budget, window, slice (SQLite has one writer at a time).
"""

from typing import NamedTuple

from sqlalchemy import BigInteger, TextClause, bindparam, text

from aiservice.store.cluster import clock_us
from aiservice.store.session import AsyncSession, Database


class Wish(NamedTuple):
    """What a worker wants of a window: `need` for a request that waits, and at least `least` of it, or nothing.

    `share_percent` of the cap is what it would like to hold; `workers` share what is left. One that is not
    `is_divisible` and needs more than half of what is left gets that half, and what is over for others, unless it is
    less than its `least`. `since_us` is where the
    window begins, `start_us` its newest part: the same where the window does not roll.
    """

    budget_id: str
    start_us: int
    since_us: int
    holder: str
    need: int
    least: int
    workers: int
    share_percent: int
    lease_us: int
    is_divisible: bool


class Lease(NamedTuple):
    """What it got, and how the window stood before. `cap` is None where the budget is no more."""

    granted: int
    cap: int | None
    spent: int
    reserved: int


_LOCK_BUDGET = "SELECT cap FROM budget WHERE id = :budget"
_ADD_WINDOW = text(
    "INSERT INTO budget_window (budget_id, start_us, spent, reserved, warned_percent) VALUES (:budget, :start, 0, 0, 0)"
    " ON CONFLICT (budget_id, start_us) DO NOTHING"
)
_STANDING = text(
    "SELECT COALESCE(SUM(spent), 0), COALESCE(SUM(reserved), 0) FROM budget_window "
    "WHERE budget_id = :budget AND start_us >= :since"
)
# The one statement that gives: a slice that does not fit under the cap is not given, whatever was read before.
_RESERVE = text(
    "UPDATE budget_window SET reserved = reserved + :amount WHERE budget_id = :budget AND start_us = :start AND "
    "(SELECT SUM(every.spent + every.reserved) FROM budget_window AS every "
    "WHERE every.budget_id = :budget AND every.start_us >= :since) + :amount <= "
    "(SELECT cap FROM budget WHERE id = :budget) RETURNING reserved"
).bindparams(bindparam("amount", type_=BigInteger), bindparam("since", type_=BigInteger))
_ADD_SLICE = text(
    "INSERT INTO budget_slice (budget_id, start_us, holder, amount, until_us) "
    "VALUES (:budget, :start, :holder, :amount, :until) ON CONFLICT (budget_id, start_us, holder) DO UPDATE "
    "SET amount = budget_slice.amount + excluded.amount, until_us = excluded.until_us"
)
_LOCK_WINDOW = "SELECT reserved FROM budget_window WHERE budget_id = :budget AND start_us = :start"
_HELD = text("SELECT amount FROM budget_slice WHERE budget_id = :budget AND start_us = :start AND holder = :holder")
_UNRESERVE = text(
    "UPDATE budget_window SET reserved = reserved - :amount WHERE budget_id = :budget AND start_us = :start"
)
_SHRINK_SLICE = text(
    "UPDATE budget_slice SET amount = amount - :amount "
    "WHERE budget_id = :budget AND start_us = :start AND holder = :holder"
)
_END_SLICE = text("DELETE FROM budget_slice WHERE budget_id = :budget AND start_us = :start AND holder = :holder")
_END_EMPTY = text(
    "DELETE FROM budget_slice WHERE budget_id = :budget AND start_us = :start AND holder = :holder AND amount = 0"
)
# Empty ones are not held on to: they end by themselves.
_RENEW = text(
    "UPDATE budget_slice SET until_us = :until WHERE holder = :holder AND amount > 0 RETURNING budget_id, start_us"
)
_OVER = text("SELECT budget_id, start_us, holder FROM budget_slice WHERE until_us < :now ORDER BY 1, 2, 3")
_IS_OVER = text(
    "SELECT amount FROM budget_slice "
    "WHERE budget_id = :budget AND start_us = :start AND holder = :holder AND until_us < :now"
)
_OF_HOLDER = text("SELECT budget_id, start_us FROM budget_slice WHERE holder = :holder ORDER BY 1, 2")


async def lease(db: Database, wish: Wish) -> Lease:
    """Adds to the holder's slice: the larger of what is needed now and its share, as far as there is any; nothing where
    not even `least` is left. A unit of work of its own."""
    about = {"budget": wish.budget_id, "start": wish.start_us, "since": wish.since_us}
    async with db.write() as session:
        cap = (await session.execute(_locking(session, _LOCK_BUDGET), {"budget": wish.budget_id})).scalar()
        if cap is None:
            return Lease(0, None, 0, 0)
        await session.execute(_ADD_WINDOW, about)
        spent, reserved = (int(each) for each in (await session.execute(_STANDING, about)).one())
        left = cap - spent - reserved
        share = min(cap * wish.share_percent // 100, left // max(1, wish.workers))
        need = wish.need if wish.is_divisible else min(wish.need, max(wish.least, left // 2))
        amount = min(max(need, share), left)
        if amount < max(1, wish.least):
            return Lease(0, cap, spent, reserved)
        if (await session.execute(_RESERVE, {**about, "amount": amount})).first() is None:
            return Lease(0, cap, spent, reserved)
        until = await clock_us(session) + wish.lease_us
        await session.execute(_ADD_SLICE, {**about, "holder": wish.holder, "amount": amount, "until": until})
        return Lease(amount, cap, spent, reserved)


async def give_back(db: Database, budget_id: str, start_us: int, holder: str, amount: int) -> None:
    """Takes `amount` off a slice, or what is there of it, for others to have. A unit of work of its own."""
    about = {"budget": budget_id, "start": start_us, "holder": holder}
    async with db.write() as session:
        await session.execute(_locking(session, _LOCK_WINDOW), about)
        held = (await session.execute(_HELD, about)).scalar() or 0
        amount = min(amount, held)
        if amount:
            await session.execute(_UNRESERVE, {**about, "amount": amount})
            await session.execute(_SHRINK_SLICE, {**about, "amount": amount})
        await session.execute(_END_EMPTY, about)


async def renew(session: AsyncSession, holder: str, lease_us: int) -> set[tuple[str, int]]:
    """Holds all slices of `holder` for `lease_us` more; (budget, start) of those that are still its own."""
    until = await clock_us(session) + lease_us
    return {(row[0], int(row[1])) for row in await session.execute(_RENEW, {"until": until, "holder": holder})}


async def end_over(db: Database) -> int:
    """Gives back every slice whose holder has not renewed it; how many."""
    async with db.read() as session:
        now = await clock_us(session)
        over = [(row[0], int(row[1]), row[2]) for row in await session.execute(_OVER, {"now": now})]
    ended = 0
    for budget_id, start_us, holder in over:
        async with db.write() as session:
            about = {"budget": budget_id, "start": start_us, "holder": holder, "now": await clock_us(session)}
            await session.execute(_locking(session, _LOCK_WINDOW), about)
            amount = (await session.execute(_IS_OVER, about)).scalar()
            if amount is not None:  # not renewed meanwhile
                await session.execute(_UNRESERVE, {**about, "amount": amount})
                await session.execute(_END_SLICE, about)
                ended += 1
    return ended


async def end_all_of(db: Database, holder: str) -> None:
    """Gives back all that a holder has, which is no more and whose rows are all posted."""
    async with db.read() as session:
        held = [(row[0], int(row[1])) for row in await session.execute(_OF_HOLDER, {"holder": holder})]
    for budget_id, start_us in held:
        async with db.write() as session:
            about = {"budget": budget_id, "start": start_us, "holder": holder}
            await session.execute(_locking(session, _LOCK_WINDOW), about)
            amount = (await session.execute(_HELD, about)).scalar()
            if amount is not None:
                await session.execute(_UNRESERVE, {**about, "amount": amount})
                await session.execute(_END_SLICE, about)


def _locking(session: AsyncSession, query: str) -> TextClause:
    """A query that holds its row until the unit of work ends; SQLite's writers hold everything."""
    return text(query + " FOR UPDATE" if session.get_bind().dialect.name == "postgresql" else query)
