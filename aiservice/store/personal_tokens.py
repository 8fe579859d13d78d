"""SQL of people's access tokens."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import PersonalToken, User


async def with_person(session: AsyncSession, public_id: str) -> tuple[PersonalToken, User] | None:
    """A token by the part of it that may be shown, and whose it is."""
    query = select(PersonalToken, User).join(User, col(User.id) == col(PersonalToken.user_id))
    row = (await session.execute(query.where(col(PersonalToken.public_id) == public_id))).one_or_none()
    return None if row is None else (row[0], row[1])


async def find(session: AsyncSession, token_id: str, user_id: str | None) -> PersonalToken | None:
    """A token by its id, of that person (None: of anybody)."""
    found = await session.get(PersonalToken, token_id)
    return found if found is not None and user_id in (None, found.user_id) else None


async def listed(session: AsyncSession, user_id: str | None) -> Sequence[tuple[PersonalToken, str]]:
    """Tokens with their person's address, newest first; one person's, or everybody's."""
    query = select(PersonalToken, col(User.email)).join(User, col(User.id) == col(PersonalToken.user_id))
    if user_id is not None:
        query = query.where(col(PersonalToken.user_id) == user_id)
    return [(row[0], row[1]) for row in await session.execute(query.order_by(col(PersonalToken.id).desc()))]


async def count_live(session: AsyncSession, user_id: str, now_us: int) -> int:
    """How many tokens of a person are good now."""
    query = select(func.count()).select_from(PersonalToken).where(*_live(user_id, now_us))
    return await session.scalar(query) or 0


async def revoke_all(session: AsyncSession, user_id: str, now_us: int) -> None:
    """Ends every token of a person."""
    ended = update(PersonalToken).where(*_live(user_id, now_us)).values(revoked_us=now_us)
    await session.execute(ended.execution_options(synchronize_session=False))


async def touch(session: AsyncSession, token_id: str, now_us: int, address: str) -> None:
    """Notes a use."""
    used = update(PersonalToken).where(col(PersonalToken.id) == token_id)
    used = used.values(last_used_us=now_us, last_address=address[:64])
    await session.execute(used.execution_options(synchronize_session=False))


def add(session: AsyncSession, row: PersonalToken) -> None:
    session.add(row)


def _live(user_id: str, now_us: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(PersonalToken.user_id) == user_id,
        col(PersonalToken.revoked_us).is_(None),
        col(PersonalToken.expires_us) > now_us,
    )
