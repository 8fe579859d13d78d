"""SQL of management calls that came with an Idempotency-Key."""

from typing import Any, NamedTuple

from sqlalchemy import CursorResult, delete, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.store.upserts import insert_into
from aiservice.tables import ManagementCall

RUNNING, DONE, ANSWERED = "running", "done", "answered"


class Name(NamedTuple):
    """Of which person's key."""

    user_id: str
    mac: str


async def add(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Adds a call; False where there is one of its name."""
    added = (
        insert_into(session, ManagementCall).values(**row).on_conflict_do_nothing(index_elements=["user_id", "name"])
    )
    return _count(await session.execute(added)) == 1


async def find(session: AsyncSession, name: Name) -> ManagementCall | None:
    return await session.get(ManagementCall, tuple(name), populate_existing=True)


async def take_over(session: AsyncSession, found: ManagementCall, row: dict[str, Any]) -> bool:
    """Begins a call anew in the place of one that is over; False where another was faster."""
    again = update(ManagementCall).where(
        *_named(Name(found.user_id, found.name)),
        col(ManagementCall.request_id) == found.request_id,
        col(ManagementCall.state) == found.state,
    )
    return await _changed(session, again.values(**row))


async def mark_done(session: AsyncSession, name: Name, request_id: str) -> bool:
    """Says that the call took effect, in the unit of work of its effect; False where it is another's by now."""
    done = update(ManagementCall).where(*_mine(name, request_id)).values(state=DONE)
    return await _changed(session, done)


async def answer(session: AsyncSession, name: Name, request_id: str, status: int, sealed: bytes) -> None:
    """Keeps what the call came to."""
    kept = update(ManagementCall).where(*_mine(name, request_id))
    await _changed(session, kept.values(state=ANSWERED, status=status, answer=sealed))


async def drop(session: AsyncSession, name: Name, request_id: str) -> None:
    """Forgets a call that came to nothing."""
    await session.execute(delete(ManagementCall).where(*_mine(name, request_id), col(ManagementCall.state) == RUNNING))


async def remove_expired(session: AsyncSession, now_us: int) -> int:
    """Deletes calls whose time is over; how many."""
    return _count(await session.execute(delete(ManagementCall).where(col(ManagementCall.expires_us) <= now_us)))


def _named(name: Name) -> tuple[Any, ...]:
    return col(ManagementCall.user_id) == name.user_id, col(ManagementCall.name) == name.mac


def _mine(name: Name, request_id: str) -> tuple[Any, ...]:
    is_open = col(ManagementCall.state).in_((RUNNING, DONE))
    return *_named(name), col(ManagementCall.request_id) == request_id, is_open


async def _changed(session: AsyncSession, statement: Any) -> bool:
    return _count(await session.execute(statement.execution_options(synchronize_session=False))) == 1


def _count(result: Any) -> int:
    assert isinstance(result, CursorResult)  # noqa: S101 - for the type checker: what changes rows gives one
    return result.rowcount
