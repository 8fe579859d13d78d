"""Queries behind the list of people: a page of them, and the invitations that nobody has used yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, OneTimeLink, PortalSession, User

INVITE = "invite"


@dataclass(slots=True, frozen=True)
class Wanted:
    """Which people: `containing` is in the address; "" is all roles, None both states."""

    containing: str = ""
    role: str = ""
    is_disabled: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.containing:
            found.append(func.lower(col(User.email)).contains(self.containing.lower(), autoescape=True))
        if self.role:
            found.append(col(User.role) == self.role)
        if self.is_disabled is not None:
            found.append(col(User.is_disabled).is_(self.is_disabled))
        return found


async def page(session: AsyncSession, wanted: Wanted, after: str, limit: int) -> Sequence[User]:
    """People by address, those behind the address `after`."""
    query = select(User).where(*wanted.conditions(), col(User.email) > after).order_by(col(User.email)).limit(limit)
    return (await session.execute(query)).scalars().all()


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many there are."""
    query = select(func.count()).select_from(User).where(*wanted.conditions())
    return int((await session.execute(query)).scalar_one())


async def last_seen(session: AsyncSession, user_ids: Collection[str]) -> Mapping[str, tuple[int, int]]:
    """(sessions that are kept, when the newest was used) by person."""
    query = (
        select(col(PortalSession.user_id), func.count(), func.max(col(PortalSession.last_seen_us)))
        .where(col(PortalSession.user_id).in_(user_ids))
        .group_by(col(PortalSession.user_id))
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in await session.execute(query)}


async def clients_of(session: AsyncSession, user_ids: Collection[str]) -> Mapping[str, int]:
    """How many clients each person owns."""
    query = select(col(Client.owner_id), func.count()).where(col(Client.owner_id).in_(user_ids))
    return {str(row[0]): int(row[1]) for row in await session.execute(query.group_by(col(Client.owner_id)))}


async def invitations(session: AsyncSession, now_us: int, limit: int) -> Sequence[OneTimeLink]:
    """The invitations that can still be used, newest first."""
    query = (
        select(OneTimeLink)
        .where(
            col(OneTimeLink.purpose) == INVITE, col(OneTimeLink.used_us).is_(None), col(OneTimeLink.expires_us) > now_us
        )
        .order_by(col(OneTimeLink.created_us).desc())
    )
    return (await session.execute(query.limit(limit))).scalars().all()


async def revoke(session: AsyncSession, email: str) -> bool:
    """Makes the unused invitation of that address worthless; whether there was one."""
    of = (col(OneTimeLink.purpose) == INVITE, col(OneTimeLink.email) == email, col(OneTimeLink.used_us).is_(None))
    gone = await session.execute(delete(OneTimeLink).where(*of).returning(col(OneTimeLink.token_hash)))
    return gone.first() is not None
