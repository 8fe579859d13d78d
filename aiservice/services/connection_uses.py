"""Who a provider connection is of use to: asked before it is taken away."""

from dataclasses import dataclass

from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import Person
from aiservice.services.rights import require
from aiservice.services.usage import Usage
from aiservice.services.usage_sums import Sums
from aiservice.store import connection_uses as store
from aiservice.store.session import Database

_SINCE_US = 7 * DAY_US


@dataclass(slots=True, frozen=True)
class ConnectionUses:
    """Who names it, and what went through it in the last seven days."""

    clients: int
    teams: int
    chains: int
    aliases: tuple[str, ...]
    week: Sums


async def uses_of(db: Database, usage: Usage, actor: Person, name: str) -> ConnectionUses:
    """The uses of the connection of that name. Raises: PermissionDenied."""
    require(actor, "connection.uses")
    async with db.read() as session:
        named = await store.of(session, name)
    until = now_us()
    sums = await usage.totals(until - _SINCE_US, until, group_by="none", filters={"provider": name})
    week = next(iter(sums.values()), Sums())
    return ConnectionUses(named.clients, named.teams, named.chains, named.aliases, week)
