"""The SQL of people's accounts."""

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, or_, select, update

from aiservice.principal import Role
from aiservice.tables import PortalSession, User


async def by_email(session: AsyncSession, email: str) -> User | None:
    """The person with this (lower-case) address."""
    return (await session.execute(select(User).where(col(User.email) == email))).scalar_one_or_none()


async def by_ref(session: AsyncSession, ref: str) -> User | None:
    """The person with this id or (lower-case) address."""
    return (
        await session.execute(select(User).where(or_(col(User.id) == ref, col(User.email) == ref)))
    ).scalar_one_or_none()


async def add(session: AsyncSession, user: User) -> bool:
    """Adds a person; False when the address is taken, and then nothing happened."""
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError:
        return False
    return True


async def all_with_last_seen(session: AsyncSession) -> Sequence[tuple[User, int | None]]:
    """Every person, oldest first, with the last time any of their sessions was used."""
    last_seen = func.max(col(PortalSession.last_seen_us))
    query = (
        select(User, last_seen)
        .outerjoin(PortalSession, col(PortalSession.user_id) == col(User.id))
        .group_by(col(User.id))
        .order_by(col(User.created_us), col(User.id))
    )
    return [(user, seen) for user, seen in await session.execute(query)]


async def has_admin(session: AsyncSession) -> bool:
    """Whether an admin who may sign in exists."""
    query = select(User.id).where(col(User.role) == Role.ADMIN, col(User.is_disabled).is_(False)).limit(1)
    return (await session.execute(query)).first() is not None


async def admin_ids_for_update(session: AsyncSession) -> list[str]:
    """The ids of all admins who may sign in, locked until the unit of work ends."""
    query = select(User).where(col(User.role) == Role.ADMIN, col(User.is_disabled).is_(False)).with_for_update()
    return [user.id for user in (await session.execute(query)).scalars()]


async def set_password(session: AsyncSession, user_id: str, password_hash: str) -> None:
    await session.execute(update(User).where(col(User.id) == user_id).values(password_hash=password_hash))


async def set_disabled(session: AsyncSession, user_id: str, is_disabled: bool) -> None:
    await session.execute(update(User).where(col(User.id) == user_id).values(is_disabled=is_disabled))


async def set_role(session: AsyncSession, user_id: str, role: Role) -> None:
    await session.execute(update(User).where(col(User.id) == user_id).values(role=role.value))
