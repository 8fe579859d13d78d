"""SQL of the audit log."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import delete, func, select, text, union_all
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import AuditCheckpoint, AuditEntry, AuditHead, Client, ClientKey, Connection, Team, User

_HEAD = 1
_BEGIN = text("INSERT INTO audit_head (id, number, mac) VALUES (1, 0, :mac) ON CONFLICT (id) DO NOTHING")


async def head_for_update(session: AsyncSession) -> AuditHead:
    """Where the chain stands; nobody else appends before the unit of work ends. Made where there is none yet."""
    locked = select(AuditHead).where(col(AuditHead.id) == _HEAD).with_for_update()
    locked = locked.execution_options(populate_existing=True)
    head = await session.scalar(locked)
    if head is None:
        await session.execute(_BEGIN, {"mac": b""})
        head = (await session.scalars(locked)).one()
    return head


async def head(session: AsyncSession) -> AuditHead | None:
    """Where the chain stands; None before the first entry."""
    return await session.get(AuditHead, _HEAD, populate_existing=True)


async def last(session: AsyncSession) -> AuditEntry | None:
    """The entry with the highest number."""
    return await session.scalar(select(AuditEntry).order_by(col(AuditEntry.number).desc()).limit(1))


def add(session: AsyncSession, entry: AuditEntry) -> None:
    session.add(entry)


async def after(session: AsyncSession, number: int, limit: int) -> Sequence[AuditEntry]:
    """Up to `limit` entries behind `number`, oldest first."""
    query = select(AuditEntry).where(col(AuditEntry.number) > number).order_by(col(AuditEntry.number)).limit(limit)
    return list(await session.scalars(query))


async def names(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """What people, clients, keys, teams and connections are called now, by their ids; what is gone has no name."""
    named = (
        (col(User.id), col(User.email)),
        (col(Client.id), col(Client.name)),
        (col(ClientKey.id), col(ClientKey.name)),
        (col(Team.id), col(Team.name)),
        (col(Connection.id), col(Connection.name)),
    )
    query = union_all(*(select(number, name).where(number.in_(ids)) for number, name in named))
    return {row[0]: row[1] for row in await session.execute(query)}


async def page(
    session: AsyncSession, filters: Mapping[str, str], span: tuple[int, int], before: int | None, limit: int
) -> Sequence[AuditEntry]:
    """Entries in [start, end) microseconds, newest first, from below the number `before` on.

    `filters`: `actor` (its id or name, what its tokens did too), `action` (whole, or all that begin so where it ends in
    a dot), `subject`.
    """
    query = select(AuditEntry).where(col(AuditEntry.at_us) >= span[0], col(AuditEntry.at_us) < span[1])
    if actor := filters.get("actor"):
        by_token = col(AuditEntry.actor).startswith(f"{actor} by token ", autoescape=True)
        query = query.where((col(AuditEntry.actor_id) == actor) | (col(AuditEntry.actor) == actor) | by_token)
    if action := filters.get("action"):
        is_group = action.endswith(".")
        query = query.where(
            col(AuditEntry.action).startswith(action, autoescape=True) if is_group else col(AuditEntry.action) == action
        )
    if subject := filters.get("subject"):
        query = query.where(col(AuditEntry.subject) == subject)
    if before is not None:
        query = query.where(col(AuditEntry.number) < before)
    return list(await session.scalars(query.order_by(col(AuditEntry.number).desc()).limit(limit)))


async def latest_of(session: AsyncSession, actions: Sequence[str]) -> Sequence[AuditEntry]:
    """For each subject the newest entry of these actions."""
    newest = (
        select(func.max(col(AuditEntry.number)))
        .where(col(AuditEntry.action).in_(actions))
        .group_by(col(AuditEntry.subject))
    )
    return list(await session.scalars(select(AuditEntry).where(col(AuditEntry.number).in_(newest))))


async def actions(session: AsyncSession) -> list[str]:
    """Every action there has been, by name."""
    return list(await session.scalars(select(col(AuditEntry.action)).distinct().order_by(col(AuditEntry.action))))


async def checkpoint(session: AsyncSession) -> AuditCheckpoint | None:
    """Up to where entries were deleted for their age; None where none ever were."""
    return await session.get(AuditCheckpoint, _HEAD, populate_existing=True)


async def first_since(session: AsyncSession, at_us: int) -> int | None:
    """The lowest number of an entry made at `at_us` or later."""
    return await session.scalar(select(func.min(col(AuditEntry.number))).where(col(AuditEntry.at_us) >= at_us))


async def cut(session: AsyncSession, number: int, mac: bytes, seal: bytes) -> int:
    """Moves the checkpoint to that entry and deletes all up to it, which the triggers allow from then on; how many."""
    await session.merge(AuditCheckpoint(id=_HEAD, number=number, mac=mac, seal=seal))
    await session.flush()
    deleted = delete(AuditEntry).where(col(AuditEntry.number) <= number).returning(col(AuditEntry.number))
    return len((await session.execute(deleted, execution_options={"synchronize_session": False})).all())
