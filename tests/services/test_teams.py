"""Teams: who sees to them, what their clients' keys get from them, and that a change reaches a known key."""

import pytest

from aiservice.errors import BrokerError
from aiservice.principal import Limit
from aiservice.services.clients import Clients
from aiservice.services.limits import Limits
from aiservice.services.teams import Teams
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig


class Office:
    def __init__(self, rig: Rig) -> None:
        self.teams = Teams(rig.db, rig.changes)
        self.clients = Clients(rig.db, rig.changes)
        self.limits = Limits(rig.db, rig.changes)


@pytest.fixture
def office(rig: Rig) -> Office:
    return Office(rig)


async def test_a_key_carries_its_team_and_the_teams_limits(rig: Rig, office: Office) -> None:
    team = await office.teams.create(ADMIN, "search")
    await office.limits.set_team(ADMIN, "search", {"requests/minute": 60})
    await office.clients.set_team(ADMIN, "acme", "search")
    made = await rig.keys.create(ADMIN, "acme", "k")
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert (principal.team_id, principal.team_name) == (team.id, "search")
    assert principal.limits == (Limit("team", team.id, "requests/minute", "requests", 60, 60),)


async def test_a_change_of_the_team_reaches_a_known_key(rig: Rig, office: Office) -> None:
    team = await office.teams.create(ADMIN, "search")
    made = await rig.keys.create(ADMIN, "acme", "k")
    await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    await office.clients.set_team(ADMIN, "acme", team.id)
    await rig.changes.poll_once()
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).limits == ()
    await office.limits.set_team(ADMIN, "search", {"concurrency": 3})
    await office.teams.rename(ADMIN, "search", "find")
    await rig.changes.poll_once()
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert (principal.team_name, [limit.amount for limit in principal.limits]) == ("find", [3])
    await office.clients.set_team(ADMIN, "acme", None)
    await rig.changes.poll_once()
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).team_id is None


async def test_a_key_uses_no_more_models_than_its_client_and_its_team(rig: Rig, office: Office) -> None:
    await office.teams.create(ADMIN, "search", models=["b", "c"])
    await office.clients.set_team(ADMIN, "narrow", "search")
    made = await rig.keys.create(ADMIN, "narrow", "k")
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).models == frozenset({"b"})


async def test_a_client_is_made_in_a_team(office: Office) -> None:
    await office.teams.create(ADMIN, "search")
    made = await office.clients.create(ADMIN, "shop", team="search")
    assert made.team == "search"
    assert [(team.name, team.clients) for team in await office.teams.list(ADMIN)] == [("search", 1)]


async def test_a_team_with_clients_is_not_deleted(office: Office) -> None:
    await office.teams.create(ADMIN, "search")
    await office.clients.set_team(ADMIN, "acme", "search")
    with pytest.raises(BrokerError, match="client set-team acme --none") as raised:
        await office.teams.delete(ADMIN, "search")
    assert raised.value.code == "team_not_empty"
    await office.clients.set_team(ADMIN, "acme", None)
    await office.teams.delete(ADMIN, "search")
    assert await office.teams.list(ADMIN) == []


async def test_a_name_is_given_once(office: Office) -> None:
    await office.teams.create(ADMIN, "search")
    await office.teams.create(ADMIN, "find")
    for work in (office.teams.create(ADMIN, "search"), office.teams.rename(ADMIN, "find", "search")):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.code == "name_taken"


async def test_a_developer_sees_the_teams_of_own_clients_and_changes_none(office: Office) -> None:
    await office.teams.create(ADMIN, "search")
    await office.teams.create(ADMIN, "other")
    await office.clients.set_team(ADMIN, "acme", "search")
    assert [team.name for team in await office.teams.list(DEVELOPER)] == ["search"]
    assert await office.teams.list(STRANGER) == []
    for work in (
        office.teams.create(DEVELOPER, "mine"),
        office.teams.rename(DEVELOPER, "search", "mine"),
        office.teams.delete(DEVELOPER, "search"),
        office.limits.set_team(DEVELOPER, "search", {"concurrency": 1}),
        office.limits.clear_team(DEVELOPER, "search"),
        office.clients.set_team(DEVELOPER, "acme", None),
        office.teams.rename(DEVELOPER, "other", "mine"),
    ):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.status == 403
    with pytest.raises(BrokerError) as raised:
        await office.limits.of_team(DEVELOPER, "other")
    assert raised.value.status == 404
