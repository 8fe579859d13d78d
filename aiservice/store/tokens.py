"""SQL of tokens: the keys that sign them, and those that were ended early."""

from collections.abc import Collection

from sqlalchemy import delete, func, select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import ClientKey, EndedToken, TokenKey


async def signing_keys(session: AsyncSession) -> list[TokenKey]:
    """Every signing key there is, in the order in which they sign."""
    return list(await session.scalars(select(TokenKey).order_by(col(TokenKey.signs_from_us), col(TokenKey.kid))))


async def add_signing_key(session: AsyncSession, key: TokenKey) -> None:
    session.add(key)
    await session.flush()


async def remove_signing_keys(session: AsyncSession, kids: Collection[str]) -> None:
    await session.execute(delete(TokenKey).where(col(TokenKey.kid).in_(kids)))


async def ended(session: AsyncSession, key_id: str, now_us: int) -> frozenset[str]:
    """The ids of a key's tokens that were ended early and would still be good."""
    query = select(col(EndedToken.id)).where(col(EndedToken.key_id) == key_id, col(EndedToken.expires_us) > now_us)
    return frozenset(await session.scalars(query))


async def ended_count(session: AsyncSession, key_id: str) -> int:
    """How many ended tokens are kept for a key."""
    query = select(func.count()).select_from(EndedToken).where(col(EndedToken.key_id) == key_id)
    return await session.scalar(query) or 0


async def end(session: AsyncSession, token: EndedToken) -> None:
    """Notes that a token is refused from now on; one that is noted already stays so."""
    await session.merge(token)
    await session.flush()


async def end_all(session: AsyncSession, key_id: str) -> None:
    """Ends every token that a key has given until now."""
    raised = update(ClientKey).where(col(ClientKey.id) == key_id).values(token_version=col(ClientKey.token_version) + 1)
    await session.execute(raised.execution_options(synchronize_session=False))
    await session.execute(delete(EndedToken).where(col(EndedToken.key_id) == key_id))


async def purge_ended(session: AsyncSession, before_us: int) -> None:
    """Deletes what had expired before `before_us` anyway."""
    await session.execute(delete(EndedToken).where(col(EndedToken.expires_us) < before_us))
