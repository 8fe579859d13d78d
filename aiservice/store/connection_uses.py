"""Queries on who names a provider connection: in an allowed set, in a fallback chain, behind an alias."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, ModelAlias, Preference, Team

_MOST = 20_000


@dataclass(slots=True, frozen=True)
class Uses:
    """How many clients and teams are bound to it by name, and what leads to it: chains by (scope, task), aliases."""

    clients: int
    teams: int
    chains: int
    aliases: tuple[str, ...]


async def of(session: AsyncSession, name: str) -> Uses:
    """Who names the connection `name`."""
    clients = select(col(Client.allowed_connections)).where(col(Client.allowed_connections).is_not(None))
    teams = select(col(Team.allowed_connections)).where(col(Team.allowed_connections).is_not(None))
    preferences = select(col(Preference.chain), col(Preference.terms))
    aliases = select(col(ModelAlias.name), col(ModelAlias.targets))
    return Uses(
        clients=sum(name in (names or ()) for names in (await session.execute(clients.limit(_MOST))).scalars()),
        teams=sum(name in (names or ()) for names in (await session.execute(teams.limit(_MOST))).scalars()),
        chains=sum(
            _is_in(name, [*(chain or ()), *((terms or {}).get("order") or ())], ":")
            for chain, terms in await session.execute(preferences.limit(_MOST))
        ),
        aliases=tuple(
            sorted(
                alias for alias, targets in await session.execute(aliases.limit(_MOST)) if _is_in(name, targets, "/")
            )
        ),
    )


def _is_in(name: str, places: list[str], mark: str) -> bool:
    return any(place.partition(mark)[0] == name for place in places)
