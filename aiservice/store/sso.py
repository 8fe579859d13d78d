"""The SQL of single sign-on. What may happen once is one statement here: of two who try at once, one is told no."""

from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.principal import Role
from aiservice.store.session import AsyncSession
from aiservice.tables import SsoAttempt, SsoIdentity, SsoProvider, SsoRule, SsoSession, User

_RULE = 1


async def providers(session: AsyncSession) -> Sequence[SsoProvider]:
    """All of them, by name."""
    return (await session.scalars(select(SsoProvider).order_by(col(SsoProvider.name)))).all()


async def find(session: AsyncSession, name_or_id: str) -> SsoProvider | None:
    wanted = or_(col(SsoProvider.name) == name_or_id, col(SsoProvider.id) == name_or_id)
    return await session.scalar(select(SsoProvider).where(wanted))


async def remove(session: AsyncSession, provider_id: str) -> None:
    """Deletes a provider and what is under way with it. Whom its issuer knows stays, should it come back."""
    for table in (SsoAttempt, SsoSession):
        await session.execute(delete(table).where(col(table.provider_id) == provider_id))
    await session.execute(delete(SsoProvider).where(col(SsoProvider.id) == provider_id))


def add(session: AsyncSession, row: SsoAttempt | SsoIdentity | SsoSession) -> None:
    session.add(row)


async def take_attempt(session: AsyncSession, id_hash: str, now_us: int) -> SsoAttempt | None:
    """The attempt under this name, used up by this; None: there is none any more."""
    alive = col(SsoAttempt.id_hash) == id_hash, col(SsoAttempt.expires_us) > now_us
    found = await session.scalar(select(SsoAttempt).where(*alive))
    if found is None:
        return None
    session.expunge(found)
    taken = await session.execute(delete(SsoAttempt).where(*alive).returning(col(SsoAttempt.id_hash)))
    return found if taken.first() is not None else None


async def identity(session: AsyncSession, issuer: str, subject: str) -> SsoIdentity | None:
    """Whom the issuer knows by that name."""
    query = select(SsoIdentity).where(col(SsoIdentity.issuer) == issuer, col(SsoIdentity.subject) == subject)
    return await session.scalar(query)


async def identities_of(session: AsyncSession, user_id: str) -> Sequence[SsoIdentity]:
    return (await session.scalars(select(SsoIdentity).where(col(SsoIdentity.user_id) == user_id))).all()


async def people_by_issuer(session: AsyncSession) -> dict[str, int]:
    """How many people each issuer knows."""
    query = select(col(SsoIdentity.issuer), func.count()).group_by(col(SsoIdentity.issuer))
    return {row[0]: row[1] for row in await session.execute(query)}


async def forget_person(session: AsyncSession, user_id: str) -> list[str]:
    """Takes the person's identities away; their issuers."""
    query = delete(SsoIdentity).where(col(SsoIdentity.user_id) == user_id).returning(col(SsoIdentity.issuer))
    return list((await session.execute(query)).scalars())


async def has_admin_by_sso(session: AsyncSession) -> bool:
    """Whether an admin who may sign in is known to a provider that is on."""
    query = (
        select(col(User.id))
        .join(SsoIdentity, col(SsoIdentity.user_id) == col(User.id))
        .join(SsoProvider, col(SsoProvider.issuer) == col(SsoIdentity.issuer))
        .where(col(User.role) == Role.ADMIN, col(User.is_disabled).is_(False), col(SsoProvider.is_enabled).is_(True))
        .limit(1)
    )
    return (await session.execute(query)).first() is not None


async def session_of(session: AsyncSession, session_hash: str) -> SsoSession | None:
    return await session.get(SsoSession, session_hash)


async def rule(session: AsyncSession) -> SsoRule:
    """Whether passwords are off; they are on until an admin said otherwise."""
    found = await session.get(SsoRule, _RULE, populate_existing=True)
    return found if found is not None else SsoRule(id=_RULE, is_required=False, break_glass_id=None)


async def set_rule(session: AsyncSession, row: SsoRule) -> None:
    await session.merge(row)
    await session.flush()


async def note_trial(session: AsyncSession, provider_id: str, tried: str, at_us: int) -> None:
    """Keeps what a test of the sign-in came to; "" forgets it."""
    query = update(SsoProvider).where(col(SsoProvider.id) == provider_id)
    await session.execute(query.values(tried=tried, tried_us=at_us if tried else None))


async def purge(session: AsyncSession, now_us: int) -> None:
    """Deletes what is of no more use."""
    await session.execute(delete(SsoAttempt).where(col(SsoAttempt.expires_us) <= now_us))
    await session.execute(delete(SsoSession).where(col(SsoSession.created_us) < now_us - 2 * DAY_US))
    old = update(SsoProvider).where(col(SsoProvider.tried_us) < now_us - HOUR_US)
    await session.execute(old.values(tried="", tried_us=None))
