"""SQL of requests with an Idempotency-Key: who runs a call, and how it ended."""

from collections.abc import Collection

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import IdempotentCall

RUNNING, ANSWERED, UNKEPT = "running", "answered", "unkept"
Name = tuple[str, str]  # (client id, name)
_name = tuple_(col(IdempotentCall.client_id), col(IdempotentCall.name))


async def get(session: AsyncSession, name: Name, *, is_held: bool = False) -> IdempotentCall | None:
    """A call as the database has it now; with `is_held` it stays so until the end of the caller's unit of work."""
    return await session.get(IdempotentCall, name, populate_existing=True, with_for_update=is_held or None)


async def add(session: AsyncSession, row: IdempotentCall) -> bool:
    """Adds a call; False where there is one of its name."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    done = insert(IdempotentCall).values(row.model_dump()).on_conflict_do_nothing()
    return (await session.execute(done.returning(col(IdempotentCall.name)))).first() is not None


async def drop(session: AsyncSession, name: Name, holder: str, fence: int) -> None:
    """Forgets a call that came to nothing, if it is still the holder's."""
    done = delete(IdempotentCall).where(
        col(IdempotentCall.client_id) == name[0],
        col(IdempotentCall.name) == name[1],
        col(IdempotentCall.holder) == holder,
        col(IdempotentCall.fence) == fence,
        col(IdempotentCall.state) == RUNNING,
    )
    await session.execute(done.execution_options(synchronize_session=False))


async def renew(session: AsyncSession, names: Collection[Name], holder: str, lease_us: int) -> None:
    """Moves the ends of the holder's leases."""
    done = update(IdempotentCall).where(
        _name.in_(list(names)), col(IdempotentCall.holder) == holder, col(IdempotentCall.state) == RUNNING
    )
    await session.execute(done.values(lease_us=lease_us).execution_options(synchronize_session=False))


async def remove_expired(session: AsyncSession, now_us: int, limit: int) -> int:
    """Deletes up to `limit` calls whose time is over; how many."""
    query = select(col(IdempotentCall.client_id), col(IdempotentCall.name))
    over = (await session.execute(query.where(col(IdempotentCall.expires_us) <= now_us).limit(limit))).all()
    if over:
        await session.execute(delete(IdempotentCall).where(_name.in_([(row[0], row[1]) for row in over])))
    return len(over)
