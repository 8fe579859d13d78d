"""Teams: clients that share limits and bounds. Admins see to them; which clients are in one is `Clients.set_team`.

A team's limits hold for all its clients together (`services/limits.py`), and no client of it may use more connections
or models than it. A change reaches every worker through the change feed, as an edit of the clients would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.allowed_sets import check_connections, clean_models
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed, Kind
from aiservice.services.names import clean_name, no_such, shown
from aiservice.services.rights import needs, scope
from aiservice.store import aliases as alias_store
from aiservice.store import preferences as preference_store
from aiservice.store import teams as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.unique import Taken, add_unique
from aiservice.tables import Team

Names = list[str]
_SHOWN_CLIENTS = 3
_KINDS: tuple[Kind, ...] = ("team", "preference", "alias")  # what goes with a team


@dataclass(slots=True, frozen=True)
class TeamView:
    """A team as people see it. None in an allowed set means all; times in microseconds UTC."""

    id: str
    name: str
    clients: int
    connections: tuple[str, ...] | None
    models: tuple[str, ...] | None
    limits: dict[str, int]
    created_us: int


class Teams:
    """Admins see and change every team; a developer sees those of the own clients."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes

    @needs("team.create")
    async def create(
        self, actor: Person, name: str, connections: Names | None = None, models: Names | None = None
    ) -> TeamView:
        """A new team, with no client in it.

        Raises:
            PermissionDenied: the actor is no admin.
            Unprocessable: the name is not good or taken, or a connection does not exist.
        """
        team = Team(
            id=new_id("tea"), name=clean_name(name, "team"), allowed_models=clean_models(models), created_us=now_us()
        )
        async with self._db.write() as session:
            await check_connections(session, connections)
            team.allowed_connections = connections
            await _store(session, team)
            record(session, actor, "team.create", team.id, after=_told(team))
            self._changes.publish(session, "team", team.id)
        return _view(team, 0)

    @needs("team.list")
    async def list(self, actor: Person) -> Sequence[TeamView]:
        """The teams that the actor sees, by name."""
        async with self._db.read() as session:
            return [_view(team, clients) for team, clients in await store.listed(session, scope(actor, "team.list"))]

    @needs("team.rename")
    async def rename(self, actor: Person, name_or_id: str, name: str) -> TeamView:
        """Gives a team another name.

        Raises:
            NotFound: there is no such team that the actor sees.
            PermissionDenied: the actor is no admin.
            Unprocessable: the name is not good or taken.
        """
        async with self._db.write() as session:
            team = await visible_team(session, actor, name_or_id)
            before = team.name
            team.name = clean_name(name, "team")
            await _store(session, team)
            record(session, actor, "team.rename", team.id, before={"name": before}, after={"name": team.name})
            self._changes.publish(session, "team", team.id)
            return _view(team, len(await store.clients_of(session, team.id)))

    @needs("team.delete")
    async def delete(self, actor: Person, name_or_id: str) -> None:
        """Removes a team that has no clients any more: with them, its limits would silently end.

        Raises:
            NotFound, PermissionDenied: as `rename`.
            Unprocessable: there are clients in it (`team_not_empty`).
        """
        async with self._db.write() as session:
            team = await visible_team(session, actor, name_or_id)
            clients = await store.clients_of(session, team.id)
            if clients:
                named = ", ".join(shown(name) for name in clients[:_SHOWN_CLIENTS])
                more = ", …" if len(clients) > _SHOWN_CLIENTS else ""
                raise Unprocessable(
                    f"The team '{shown(team.name)}' has clients: {named}{more}. Move them first: "
                    f"client set-team {shown(clients[0])} --none",
                    code="team_not_empty",
                )
            record(session, actor, "team.delete", team.id, before=_told(team))
            await preference_store.forget(session, "team", team.id)
            await alias_store.forget(session, "team", team.id)
            await store.remove(session, team.id)
            for kind in _KINDS:
                self._changes.publish(session, kind, team.id)


async def visible_team(session: AsyncSession, actor: Person, name_or_id: str) -> Team:
    """The team of that name or id.

    Raises:
        NotFound: there is none, or no client of the actor's is in it (the two are not told apart).
    """
    team = await store.find(session, name_or_id, scope(actor, "team.list"))
    if team is None:
        raise no_such("team", name_or_id, await store.names(session, scope(actor, "team.list")))
    return team


async def _store(session: AsyncSession, team: Team) -> None:
    name = team.name
    try:
        await add_unique(session, team)
    except Taken:
        message = f"There is already a team called '{shown(name)}'. Choose another name."
        raise Unprocessable(message, code="name_taken", param="name") from None


def _told(team: Team) -> dict[str, object]:
    return {"name": team.name, "connections": team.allowed_connections, "models": team.allowed_models}


def _view(team: Team, clients: int) -> TeamView:
    return TeamView(
        id=team.id,
        name=team.name,
        clients=clients,
        connections=None if team.allowed_connections is None else tuple(team.allowed_connections),
        models=None if team.allowed_models is None else tuple(team.allowed_models),
        limits=dict(team.limits or {}),
        created_us=team.created_us,
    )
