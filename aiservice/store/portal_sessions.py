"""The SQL of portal sessions. An ended session keeps its row for a while: it says which addresses its owner uses."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select, update

from aiservice.tables import PortalSession, User


def add(session: AsyncSession, row: PortalSession) -> None:
    session.add(row)


async def with_user(session: AsyncSession, id_hash: str) -> tuple[PortalSession, User] | None:
    """The session and whose it is."""
    query = (
        select(PortalSession, User)
        .join(User, col(User.id) == col(PortalSession.user_id))
        .where(col(PortalSession.id_hash) == id_hash)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def touch(session: AsyncSession, id_hash: str, now_us: int) -> None:
    """Moves `last_seen_us` on, never back."""
    await session.execute(
        update(PortalSession)
        .where(col(PortalSession.id_hash) == id_hash, col(PortalSession.last_seen_us) < now_us)
        .values(last_seen_us=now_us)
    )


async def confirm(session: AsyncSession, id_hash: str, now_us: int) -> None:
    """Notes that the session's person has just said their password again."""
    query = update(PortalSession).where(col(PortalSession.id_hash) == id_hash).values(confirmed_us=now_us)
    await session.execute(query)


async def live_of(session: AsyncSession, user_id: str, now_us: int, idle_since_us: int) -> Sequence[PortalSession]:
    """The person's sessions that still open the portal, newest first."""
    query = (
        select(PortalSession)
        .where(
            col(PortalSession.user_id) == user_id,
            col(PortalSession.expires_us) > now_us,
            col(PortalSession.last_seen_us) > idle_since_us,
        )
        .order_by(col(PortalSession.created_us).desc())
    )
    return (await session.execute(query)).scalars().all()


async def addresses_of(session: AsyncSession, user_id: str, limit: int = 100) -> list[str]:
    """Addresses the person signed in from, the latest `limit` sessions."""
    query = (
        select(PortalSession.address)
        .where(col(PortalSession.user_id) == user_id)
        .order_by(col(PortalSession.created_us).desc())
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def end(session: AsyncSession, id_hash: str, now_us: int) -> bool:
    """Ends one session, its row stays; False when there was none alive."""
    query = (
        update(PortalSession)
        .where(col(PortalSession.id_hash) == id_hash, col(PortalSession.expires_us) > now_us)
        .values(expires_us=now_us)
        .returning(col(PortalSession.id_hash))
    )
    return (await session.execute(query)).first() is not None


async def delete_of(session: AsyncSession, user_id: str) -> list[str]:
    """Deletes all sessions of a person, the memory of their addresses with them, and returns their hashes."""
    query = delete(PortalSession).where(col(PortalSession.user_id) == user_id).returning(col(PortalSession.id_hash))
    return list((await session.execute(query)).scalars())


async def delete_created_before(session: AsyncSession, at_us: int) -> None:
    await session.execute(delete(PortalSession).where(col(PortalSession.created_us) < at_us))
