"""How the limits of whoever may see them stand now: of keys, clients and teams, counted by all workers together.

Fails open: where Redis does not answer, what this worker alone has counted is shown, and said to be so.
"""

from dataclasses import dataclass

from aiservice.kit.clock import now_us
from aiservice.kit.loop_share import in_turns
from aiservice.principal import Person
from aiservice.services.limit_names import limits_of
from aiservice.services.limiter import Limiter, Standing
from aiservice.services.rights import needs, scope
from aiservice.store import clients as client_store
from aiservice.store import keys as key_store
from aiservice.store import teams as team_store
from aiservice.store.session import Database

MAX_KEYS = 200


@dataclass(slots=True, frozen=True)
class Holder:
    """What has limits, or could: a team, a client or a key (`scope`). `within` is a key's client or a client's team."""

    scope: str
    id: str
    name: str
    within: str
    limits: dict[str, int]
    standing: tuple[Standing, ...]


@dataclass(slots=True, frozen=True)
class Holders:
    """Teams, then clients, then keys that work: those with limits first, then the newest, and at most `MAX_KEYS`.
    `is_whole` is whether what all workers counted is in the figures."""

    holders: tuple[Holder, ...]
    is_whole: bool


class LimitStanding:
    """Admins see all, a developer what concerns the own clients: their teams' limits, too, which others share."""

    def __init__(self, db: Database, limiter: Limiter) -> None:
        self._db = db
        self._limiter = limiter

    @needs("limit.list")
    async def of(self, actor: Person) -> Holders:
        """Everything that the actor may see."""
        owner = scope(actor, "limit.list")
        async with self._db.read() as session:
            teams = [row for row, _ in await team_store.listed(session, owner)]
            clients = await client_store.limits(session, owner)
            keys = await key_store.limitable(session, owner, now_us(), MAX_KEYS)
        found = [("team", team.id, team.name, "", team.limits) for team in teams]
        found += [("client", *client) for client in clients]
        found += [("key", *key) for key in keys]
        limits = [limits_of(scope, subject, amounts) async for scope, subject, _, _, amounts in in_turns(found)]
        standing, is_whole = await self._limiter.look_at(tuple(one for some in limits for one in some))
        stood = iter(standing)
        holders = [
            Holder(scope, subject, name, within, dict(amounts or {}), tuple(next(stood) for _ in some))
            async for (scope, subject, name, within, amounts), some in in_turns(zip(found, limits, strict=True))
        ]
        return Holders(tuple(holders), is_whole)
