"""The SQL of what people set for themselves."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import User


async def person(session: AsyncSession, user_id: str) -> User | None:
    return await session.get(User, user_id, populate_existing=True)


async def silent_about(session: AsyncSession, kind: str, emails: Sequence[str]) -> set[str]:
    """Who of them wants no mail about alerts of this kind."""
    query = select(col(User.email), col(User.portal_only)).where(col(User.email).in_(emails))
    return {email for email, silent in await session.execute(query) if kind in (silent or ())}


async def with_digest(session: AsyncSession) -> Sequence[User]:
    """Who wants a mail a day."""
    query = select(User).where(col(User.digest) == "daily", col(User.is_disabled).is_(False)).order_by(col(User.id))
    return (await session.scalars(query)).all()


async def claim_digest(session: AsyncSession, user_id: str, before_us: int | None, at_us: int) -> bool:
    """Notes that the digest of now is theirs to get; False where another has noted it since."""
    was = col(User.digest_us).is_(None) if before_us is None else col(User.digest_us) == before_us
    query = update(User).where(col(User.id) == user_id, was).values(digest_us=at_us).returning(col(User.id))
    return (await session.execute(query)).first() is not None
