"""The keys as people look through them: searched, by how they stand, page by page, and each with what it has done in
30 days, what still holds it back, and who calls with a secret that is on its way out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, now_us
from aiservice.principal import Limit, Person
from aiservice.services.clients import visible_client
from aiservice.services.key_policy import IDLE_US, KeyPolicy
from aiservice.services.key_views import KeyView, view
from aiservice.services.limit_names import limits_of
from aiservice.services.limiter import Limiter, Standing
from aiservice.services.rights import needs, scope
from aiservice.services.usage_sums import plan
from aiservice.store import key_listing as store
from aiservice.store import keys as key_store
from aiservice.store import usage as usage_store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Client, ClientKey, KeySecret

StateName = Literal["", "working", "rolling", "idle", "leaked", "expired", "revoked"]
STATES: tuple[StateName, ...] = get_args(StateName)
DAYS = 30
MOST_COUNTED = 1_000
_MAX_TEXT = 100


@dataclass(slots=True, frozen=True)
class KeyFilter:
    """Which keys are asked for; empty means any. `text` is in the name, the client's or its owner's, or is an id."""

    text: str = ""
    state: StateName = ""
    client: str = ""


@dataclass(slots=True, frozen=True)
class KeyLine:
    """A key in the list. `days` are (requests, errors) of the last 30 days, oldest first; `tightest` is the limit of
    which most is used; `outgoing_calls` came in the last hour with a secret that is on its way out."""

    key: KeyView
    owner: str
    days: tuple[tuple[int, int], ...]
    tightest: Standing | None
    outgoing_calls: int


@dataclass(slots=True, frozen=True)
class KeyPage:
    """Keys, newest first, and the cursors of the pages beside it, "" at either end. `total` is of all pages, counted
    up to `MOST_COUNTED`; None where it is not counted, since each of them would have to be looked at."""

    lines: tuple[KeyLine, ...]
    next_before: str
    next_after: str
    total: int | None


class KeyListing:
    """Reads pages of keys: admins all, developers those of their own clients."""

    def __init__(self, db: Database, limiter: Limiter, policy: KeyPolicy) -> None:
        self._db = db
        self._limiter = limiter
        self._policy = policy

    @needs("key.list")
    async def page(
        self, actor: Person, asked: KeyFilter, limit: int = 50, *, before: str = "", after: str = ""
    ) -> KeyPage:
        """The page older than the key `before`, or newer than `after`; where that is the first one, a whole one.

        Raises:
            InvalidRequest: a state that is none. NotFound: no such client, or it is not the actor's.
        """
        if asked.state not in STATES:
            raise InvalidRequest(f"No key stands as '{asked.state[:40]}'.", param="state")
        now = now_us()
        async with self._db.read() as session:
            sought = await self._sought(session, actor, asked, now)
            rows, next_before, next_after = await _cut(session, sought, limit, before, after)
            is_whole = not (next_before or next_after)
            total = len(rows) if is_whole else await _counted(session, sought)
            views = await self._views(session, [row[:2] for row in rows], now)
            days = await _traffic(session, views, now)
            outgoing = await _outgoing(session, views, now)
        tightest = await self._tightest(views)
        lines = [
            KeyLine(key, email or "", days[key.id], tightest.get(key.id), outgoing.get(key.id, 0))
            for key, (_, _, email) in zip(views, rows, strict=True)
        ]
        return KeyPage(tuple(lines), next_before, next_after, total)

    async def _sought(self, session: AsyncSession, actor: Person, asked: KeyFilter, now: int) -> store.Sought:
        client_id = (await visible_client(session, actor, asked.client)).id if asked.client else None
        oldest_us = None if self._policy.max_age_us is None else now - self._policy.max_age_us
        text = asked.text.strip()[:_MAX_TEXT].removeprefix("ais_live_").removeprefix("ais_test_").rstrip("…")
        return store.Sought(
            scope(actor, "key.list"),
            now,
            client_id,
            text,
            asked.state,
            idle_since_us=now - IDLE_US,
            oldest_us=oldest_us,
        )

    async def _views(self, session: AsyncSession, rows: Sequence[tuple[ClientKey, Client]], now: int) -> list[KeyView]:
        ids = [key.id for key, _ in rows]
        stopped = await key_store.stopped(session, ids)
        of_key: dict[str, list[KeySecret]] = {}
        for secret in await key_store.live_secrets(session, ids, now):
            of_key.setdefault(secret.key_id, []).append(secret)
        return [
            view(key, client, of_key.get(key.id, []), now, self._policy, is_stopped=key.id in stopped)
            for key, client in rows
        ]

    async def _tightest(self, views: Sequence[KeyView]) -> dict[str, Standing]:
        """By key, how that limit of it stands of which most is used."""
        limits: list[Limit] = [limit for key in views for limit in limits_of("key", key.id, key.limits)]
        standing, _ = await self._limiter.look_at(tuple(limits))
        found: dict[str, Standing] = {}
        for one in standing:
            known = found.get(one.limit.subject)
            if known is None or share_of(one) > share_of(known):
                found[one.limit.subject] = one
        return found


def share_of(standing: Standing) -> float:
    """How much of a limit is used, from 0 to 1."""
    return min(1.0, standing.used / standing.limit.amount)


async def _counted(session: AsyncSession, sought: store.Sought) -> int | None:
    is_dear = sought.text or sought.state == "expired"
    return None if is_dear else await store.count(session, sought, MOST_COUNTED)


_Row = tuple[ClientKey, Client, str | None]


async def _cut(
    session: AsyncSession, sought: store.Sought, limit: int, before: str, after: str
) -> tuple[list[_Row], str, str]:
    """The rows of a page, and the cursors of those beside it."""
    if after:
        newer = await store.page(session, sought, limit + 1, after=after)
        if len(newer) > limit:
            rows = newer[:limit][::-1]
            return rows, rows[-1][0].id, rows[0][0].id
        before = ""
    found = await store.page(session, sought, limit + 1, before=before)
    rows = found[:limit]
    older = rows[-1][0].id if len(found) > limit else ""
    return rows, older, rows[0][0].id if before and rows else ""


async def _traffic(session: AsyncSession, views: Sequence[KeyView], now: int) -> dict[str, tuple[tuple[int, int], ...]]:
    """What each key did, by day (UTC): from days, and from hours and minutes where days are not folded yet."""
    today = now // DAY_US * DAY_US
    first, ids = today - (DAYS - 1) * DAY_US, [key.id for key in views]
    days = {key: [[0, 0] for _ in range(DAYS)] for key in ids}
    if views:
        clients = sorted({key.client_id for key in views})
        dirty = [hour for hour in await usage_store.dirty_hours(session) if hour >= first]
        for grain, spans in plan((first, today + DAY_US), dirty, DAY_US).items():
            for key_id, start, requests, errors in await store.traffic(session, grain, spans, clients, ids):
                point = days[key_id][(start - first) // DAY_US]
                point[0], point[1] = point[0] + requests, point[1] + errors
    return {key: tuple((point[0], point[1]) for point in points) for key, points in days.items()}


async def _outgoing(session: AsyncSession, views: Sequence[KeyView], now: int) -> dict[str, int]:
    """By key, the calls of the last hour with a secret that is on its way out."""
    old = {secret.public_id: key.id for key in views if key.overlap_ends_us for secret in key.secrets[:-1]}
    calls = await store.outgoing_calls(session, list(old), now - HOUR_US) if old else {}
    return {old[public_id]: count for public_id, count in calls.items()}
