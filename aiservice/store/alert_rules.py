"""SQL of alert rules, where their subjects stand, and channels."""

from collections.abc import Iterable

from sqlalchemy import delete, or_, select, update
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import AlertChannel, AlertCourse, AlertDelivery, AlertRule, Client, ClientKey, User


async def rules(session: AsyncSession) -> list[AlertRule]:
    """All rules, built-in ones first, by name."""
    query = select(AlertRule).order_by(col(AlertRule.is_builtin).desc(), col(AlertRule.name))
    return list(await session.scalars(query))


async def find_rule(session: AsyncSession, name_or_id: str) -> AlertRule | None:
    return await session.scalar(
        select(AlertRule).where(or_(col(AlertRule.id) == name_or_id, col(AlertRule.name) == name_or_id))
    )


async def courses(session: AsyncSession, rule_id: str) -> dict[str, AlertCourse]:
    """Where the subjects of a rule stand; one that is well and always was has no row."""
    rows = await session.scalars(select(AlertCourse).where(col(AlertCourse.rule_id) == rule_id))
    return {row.subject: row for row in rows}


async def forget_courses(session: AsyncSession, rule_id: str, subjects: Iterable[str] | None = None) -> None:
    """Forgets the subjects of a rule, all or those named."""
    query = delete(AlertCourse).where(col(AlertCourse.rule_id) == rule_id)
    if subjects is not None:
        query = query.where(col(AlertCourse.subject).in_(list(subjects)))
    await session.execute(query)


async def channels(session: AsyncSession) -> list[AlertChannel]:
    """All channels, by name."""
    return list(await session.scalars(select(AlertChannel).order_by(col(AlertChannel.name))))


async def find_channel(session: AsyncSession, name_or_id: str) -> AlertChannel | None:
    return await session.scalar(
        select(AlertChannel).where(or_(col(AlertChannel.id) == name_or_id, col(AlertChannel.name) == name_or_id))
    )


async def remove_channel(session: AsyncSession, channel_id: str, at_us: int) -> None:
    """Removes a channel; what waits for it is not sent any more."""
    await drop_waiting(session, channel_id, at_us)
    await session.execute(delete(AlertChannel).where(col(AlertChannel.id) == channel_id))


async def drop_waiting(session: AsyncSession, channel_id: str, at_us: int) -> None:
    """Gives up what waits for a channel."""
    waiting = (col(AlertDelivery.channel_id) == channel_id, col(AlertDelivery.state) == "waiting")
    values = {"state": "dropped", "next_us": None, "ended_us": at_us}
    await session.execute(
        update(AlertDelivery).where(*waiting).values(values).execution_options(synchronize_session=False)
    )


async def admins(session: AsyncSession) -> list[str]:
    """The addresses of the admins who may sign in."""
    who = (col(User.role) == "admin", col(User.is_disabled).is_(False))
    return list(await session.scalars(select(col(User.email)).where(*who).order_by(col(User.email))))


async def owner_of(session: AsyncSession, client_id: str) -> str | None:
    """The address of a client's owner, unless they may not sign in any more."""
    query = select(col(User.email)).join(Client, col(Client.owner_id) == col(User.id))
    return await session.scalar(query.where(col(Client.id) == client_id, col(User.is_disabled).is_(False)))


async def ending_keys(session: AsyncSession, now_us: int, before_us: int) -> list[tuple[ClientKey, str]]:
    """The usable keys that expire before then, with their clients' names."""
    query = (
        select(ClientKey, col(Client.name))
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .where(col(ClientKey.revoked_us).is_(None), col(Client.is_disabled).is_(False))
        .where(col(ClientKey.expires_us) > now_us, col(ClientKey.expires_us) < before_us)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def about(session: AsyncSession, scope: str, ids: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Names of clients or keys, and whose client they are; other subjects are their own names."""
    if scope == "client":
        rows = await session.execute(select(col(Client.id), col(Client.name)).where(col(Client.id).in_(list(ids))))
        return {row[0]: (row[1], row[0]) for row in rows}
    if scope == "key":
        keys = select(col(ClientKey.id), col(ClientKey.name), col(Client.name), col(Client.id))
        keys = keys.join(Client, col(Client.id) == col(ClientKey.client_id)).where(col(ClientKey.id).in_(list(ids)))
        return {row[0]: (f"{row[1]} of {row[2]}", row[3]) for row in await session.execute(keys)}
    return {}
