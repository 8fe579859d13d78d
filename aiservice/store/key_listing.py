"""SQL of the list of keys, as people look through it: narrowed, by cursor either way, with a month's traffic of each.

The list is in the order of ids, which is that of making: newest first. What narrows it is looked at row by row from
there on, so a page costs what it shows; only what nobody has is looked for in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, func, or_, select
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US
from aiservice.store.session import AsyncSession
from aiservice.tables import Client, ClientKey, KeySecret, OutgoingUse, UsageDay, UsageHour, UsageMinute, User

_TABLES: dict[str, tuple[Table, int]] = {
    "day": (UsageDay.__table__, DAY_US),  # type: ignore[attr-defined]
    "hour": (UsageHour.__table__, HOUR_US),  # type: ignore[attr-defined]
    "minute": (UsageMinute.__table__, MINUTE_US),  # type: ignore[attr-defined]
}
_STARTS_AT_ONCE = 500


@dataclass(slots=True, frozen=True)
class Sought:
    """Which keys: of one owner's clients (None: all), of one client, whose name, client, owner or public id holds the
    text, and that stand so at `now_us`. A secret made before `oldest_us` has ended (None: however old)."""

    owner_id: str | None
    now_us: int
    client_id: str | None = None
    text: str = ""
    state: str = ""
    idle_since_us: int = 0
    oldest_us: int | None = None


async def page(
    session: AsyncSession, sought: Sought, limit: int, *, before: str = "", after: str = ""
) -> list[tuple[ClientKey, Client, str | None]]:
    """Keys with their clients and the e-mail of those clients' owners: older than the id `before`, newest first; or
    newer than `after`, oldest first."""
    number = col(ClientKey.id)
    query = _joined(select(ClientKey, Client, col(User.email))).where(*_conditions(sought))
    if before:
        query = query.where(number < before)
    if after:
        query = query.where(number > after)
    query = query.order_by(number if after else number.desc()).limit(limit)
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def count(session: AsyncSession, sought: Sought, most: int) -> int:
    """How many there are, counted up to `most`."""
    some = _joined(select(col(ClientKey.id))).where(*_conditions(sought)).limit(most).subquery()
    return await session.scalar(select(func.count()).select_from(some)) or 0


def _joined(query: Any) -> Any:
    of_client = query.join(Client, col(Client.id) == col(ClientKey.client_id))
    return of_client.outerjoin(User, col(User.id) == col(Client.owner_id))


def _conditions(sought: Sought) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if sought.owner_id is not None:
        found.append(col(Client.owner_id) == sought.owner_id)
    if sought.client_id is not None:
        found.append(col(ClientKey.client_id) == sought.client_id)
    if sought.text:
        found.append(_holds(sought.text))
    if sought.state:
        found += _standing(sought)
    return found


def _holds(text: str) -> ColumnElement[bool]:
    """In the key's own name, row by row; clients and secrets are few or found by an index, and looked up once."""
    owner = select(col(Client.id)).outerjoin(User, col(User.id) == col(Client.owner_id))
    of_client = owner.where(or_(*(_contains(column, text.lower()) for column in (col(Client.name), col(User.email)))))
    of_secret = select(col(KeySecret.key_id)).where(col(KeySecret.public_id) == text)
    return or_(
        _contains(col(ClientKey.name), text.lower()),
        col(ClientKey.client_id).in_(of_client),
        col(ClientKey.id) == text,
        col(ClientKey.id).in_(of_secret),
    )


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.lower(column).contains(text, autoescape=True)
    return found


def _standing(sought: Sought) -> list[ColumnElement[bool]]:
    now, ends = sought.now_us, col(ClientKey.expires_us)
    is_revoked, live = col(ClientKey.revoked_us).is_not(None), _live_secrets(sought)
    is_alive = live.where(col(KeySecret.key_id) == col(ClientKey.id)).exists()  # a page asks it of a few keys alone
    works = [~is_revoked, or_(ends.is_(None), ends > now), is_alive]
    used = func.coalesce(col(ClientKey.last_used_us), col(ClientKey.created_us))
    states: dict[str, list[ColumnElement[bool]]] = {
        "working": works,
        "rolling": [*works, col(ClientKey.id).in_(live.where(col(KeySecret.expires_us) > now))],
        "idle": [*works, col(ClientKey.is_decoy).is_(False), used < sought.idle_since_us],
        "leaked": [col(ClientKey.leaked_us).is_not(None)],
        "expired": [~is_revoked, or_(ends <= now, ~is_alive)],
        "revoked": [is_revoked],
    }
    return states[sought.state]


def _live_secrets(sought: Sought) -> Any:
    ends = col(KeySecret.expires_us)
    live = select(col(KeySecret.key_id)).where(
        col(KeySecret.revoked_us).is_(None), or_(ends.is_(None), ends > sought.now_us)
    )
    return live if sought.oldest_us is None else live.where(col(KeySecret.created_us) > sought.oldest_us)


async def traffic(
    session: AsyncSession, grain: str, spans: Sequence[tuple[int, int]], clients: Sequence[str], keys: Sequence[str]
) -> list[tuple[str, int, int, int]]:
    """From the roll-up of `grain` over the [start, end) of `spans`: (key id, start of the bucket, requests, errors).

    The starts are named one by one, and the clients too: it is found by the roll-up's own key, whoever else was busy.
    """
    table, width_us = _TABLES[grain]
    columns, found = table.c, list[tuple[str, int, int, int]]()
    starts = [start for begin, end in spans for start in range(begin, end, width_us)]
    for first in range(0, len(starts), _STARTS_AT_ONCE):
        query = select(columns.key_id, columns.start_us, func.sum(columns.requests), func.sum(columns.errors)).where(
            columns.start_us.in_(starts[first : first + _STARTS_AT_ONCE]),
            columns.client_id.in_(clients),
            columns.key_id.in_(keys),
        )
        rows = await session.execute(query.group_by(columns.key_id, columns.start_us))
        found += [(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
    return found


async def outgoing_calls(session: AsyncSession, public_ids: Sequence[str], since_us: int) -> dict[str, int]:
    """How many calls still came with those secrets, which are on their way out; by public id."""
    columns = OutgoingUse
    query = select(col(columns.public_id), func.sum(col(columns.calls))).where(
        col(columns.public_id).in_(public_ids), col(columns.start_us) > since_us
    )
    return {row[0]: int(row[1]) for row in await session.execute(query.group_by(col(columns.public_id)))}
