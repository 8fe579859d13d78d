"""The SQL of one-time links."""

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, select, update

from aiservice.tables import OneTimeLink


def add(session: AsyncSession, link: OneTimeLink) -> None:
    session.add(link)


async def usable(session: AsyncSession, token_hash: str, purpose: str, now_us: int) -> OneTimeLink | None:
    """The link, if it could be used now. Reading is not using."""
    query = select(OneTimeLink).where(
        col(OneTimeLink.token_hash) == token_hash,
        col(OneTimeLink.purpose) == purpose,
        col(OneTimeLink.used_us).is_(None),
        col(OneTimeLink.expires_us) > now_us,
    )
    return (await session.execute(query)).scalar_one_or_none()


async def use(session: AsyncSession, token_hash: str, purpose: str, now_us: int) -> OneTimeLink | None:
    """Marks the link used, in one statement: of any number who try, exactly one gets the link."""
    query = (
        update(OneTimeLink)
        .where(
            col(OneTimeLink.token_hash) == token_hash,
            col(OneTimeLink.purpose) == purpose,
            col(OneTimeLink.used_us).is_(None),
            col(OneTimeLink.expires_us) > now_us,
        )
        .values(used_us=now_us)
        .returning(OneTimeLink)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def void(session: AsyncSession, purpose: str, email: str | None) -> None:
    """Deletes the links of this purpose for this address that nobody has used."""
    owner = col(OneTimeLink.email).is_(None) if email is None else col(OneTimeLink.email) == email
    await session.execute(
        delete(OneTimeLink).where(col(OneTimeLink.purpose) == purpose, owner, col(OneTimeLink.used_us).is_(None))
    )


async def delete_expired_before(session: AsyncSession, at_us: int) -> None:
    await session.execute(delete(OneTimeLink).where(col(OneTimeLink.expires_us) < at_us))
