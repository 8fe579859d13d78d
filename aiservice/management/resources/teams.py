"""Teams: clients that share limits and bounds. Who is in one is said at the client."""

from aiservice.management.models import Amounts, At, Given, Name, Names, Page, PageQuery, Told, at, texts
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.names import no_such
from aiservice.services.teams import TeamView


class NewTeam(Given):
    name: Name
    connections: Names | None = None
    models: Names | None = None


class TeamChange(Given):
    name: Name


class TeamTold(Told):
    id: str
    name: str
    clients: int
    connections: list[str] | None
    models: list[str] | None
    limits: Amounts
    created_at: At


class Member(Told):
    id: str
    name: str
    owner: str | None


async def list_all(call: Call, query: PageQuery) -> Page[TeamTold]:
    data, cursor = page_of(await call.core.teams.list(call.me), lambda one: (one.name, one.id), query, "teams")
    return Page[TeamTold](data=[_told(one) for one in data], next_cursor=cursor)


async def create(call: Call, given: NewTeam) -> TeamTold:
    return _told(await call.core.teams.create(call.me, given.name, given.connections, given.models))


async def get(call: Call) -> TeamTold:
    return _told(await _found(call))


async def rename(call: Call, given: TeamChange) -> TeamTold:
    return _told(await call.core.teams.rename(call.me, call.args["team"], given.name))


async def remove(call: Call) -> None:
    await call.core.teams.delete(call.me, call.args["team"])


async def members(call: Call, query: PageQuery) -> Page[Member]:
    team = await _found(call)
    clients = [one for one in await call.core.clients.list(call.me) if one.team == team.name]
    data, cursor = page_of(clients, lambda one: (one.name, one.id), query, "members")
    told = [Member(id=one.id, name=one.name, owner=one.owner_email) for one in data]
    return Page[Member](data=told, next_cursor=cursor)


async def _found(call: Call) -> TeamView:
    """The team that the path names. Raises: NotFound."""
    ref, teams = call.args["team"], await call.core.teams.list(call.me)
    for team in teams:
        if ref in (team.id, team.name):
            return team
    raise no_such("team", ref, [team.name for team in teams])


def _told(one: TeamView) -> TeamTold:
    return TeamTold(
        id=one.id,
        name=one.name,
        clients=one.clients,
        connections=texts(one.connections),
        models=texts(one.models),
        limits=one.limits,
        created_at=at(one.created_us),
    )


_ONE = "/api/teams/{team}"
ROWS = (
    Row("GET", "/api/teams", "team.list", list_all, "The teams you see, by name"),
    Row("POST", "/api/teams", "team.create", create, "Make a team", status=201),
    Row("GET", _ONE, "team.list", get, "One team, by id or name"),
    Row("PATCH", _ONE, "team.rename", rename, "Rename a team"),
    Row("DELETE", _ONE, "team.delete", remove, "Remove a team that has no clients", status=204),
    Row("GET", f"{_ONE}/clients", "team.list", members, "The clients in a team"),
)
