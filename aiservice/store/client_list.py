"""Queries behind the list of clients: a page of them, and what each has, without reading anybody else's."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.store.usage_folding import unfolded_days
from aiservice.tables import Client, ClientKey, Team, UsageClientDay, UsageClientHour, User

_SPENT = ("requests", "cost_nano_usd", "unpriced")
_OF_OWNER, _OF_TEAM = col(User.id) == col(Client.owner_id), col(Team.id) == col(Client.team_id)


@dataclass(slots=True, frozen=True)
class Wanted:
    """Which clients: `owner_id` None is everybody's; `containing` is in the name or the owner's address."""

    owner_id: str | None = None
    containing: str = ""
    team: str = ""
    is_disabled: bool | None = None
    id: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.owner_id is not None:
            found.append(col(Client.owner_id) == self.owner_id)
        if self.containing:
            text = self.containing.lower()
            found.append(
                or_(
                    func.lower(col(Client.name)).contains(text, autoescape=True),
                    func.lower(col(User.email)).contains(text, autoescape=True),
                )
            )
        if self.id:
            found.append(col(Client.id) == self.id)
        if self.team:
            found.append(col(Team.name) == self.team)
        if self.is_disabled is not None:
            found.append(col(Client.is_disabled).is_(self.is_disabled))
        return found


async def page(
    session: AsyncSession, wanted: Wanted, after: str, limit: int
) -> Sequence[tuple[Client, str | None, str | None]]:
    """(client, its owner's e-mail, its team's name) by name, those behind the name `after`."""
    query = select(Client, col(User.email), col(Team.name)).outerjoin(User, _OF_OWNER).outerjoin(Team, _OF_TEAM)
    query = query.where(*wanted.conditions()).order_by(col(Client.name)).limit(limit)
    if after:
        query = query.where(col(Client.name) > after)
    return [(row[0], row[1], row[2]) for row in (await session.execute(query)).all()]


async def count(session: AsyncSession, wanted: Wanted) -> int:
    """How many there are."""
    query = select(func.count(col(Client.id))).outerjoin(User, _OF_OWNER).outerjoin(Team, _OF_TEAM)
    return int((await session.execute(query.where(*wanted.conditions()))).scalar_one())


async def live_keys(session: AsyncSession, client_ids: Collection[str], now_us: int) -> Mapping[str, tuple[int, int]]:
    """(keys that are accepted, when the newest use of any was; 0 for never) by client."""
    query = (
        select(col(ClientKey.client_id), func.count(), func.max(col(ClientKey.last_used_us)))
        .where(
            col(ClientKey.client_id).in_(client_ids),
            col(ClientKey.revoked_us).is_(None),
            or_(col(ClientKey.expires_us).is_(None), col(ClientKey.expires_us) > now_us),
        )
        .group_by(col(ClientKey.client_id))
    )
    return {row[0]: (int(row[1]), int(row[2] or 0)) for row in await session.execute(query)}


async def spent(
    session: AsyncSession, client_ids: Collection[str], days_us: Collection[int]
) -> Mapping[str, tuple[int, int, int]]:
    """(requests, nano-dollars, requests without a price) by client, over the days that begin then."""
    open_days = [day for day in await unfolded_days(session) if day in days_us]  # today above all: it is in hours yet
    hours = [hour for day in open_days for hour in range(day, day + DAY_US, HOUR_US)]
    found: dict[str, tuple[int, int, int]] = {}
    for table, starts in ((UsageClientDay, [day for day in days_us if day not in open_days]), (UsageClientHour, hours)):
        query = (
            select(col(table.client_id), *(func.sum(getattr(table, name)) for name in _SPENT))
            .where(col(table.start_us).in_(starts), col(table.client_id).in_(client_ids))
            .group_by(col(table.client_id))
        )
        for client, *sums in await session.execute(query):
            known = found.get(client, (0, 0, 0))
            found[client] = (known[0] + int(sums[0]), known[1] + int(sums[1]), known[2] + int(sums[2]))
    return found
