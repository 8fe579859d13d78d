"""Idempotency-Key of management calls: one effect, whoever dies when."""

import asyncio

import pytest

from aiservice.errors import AnswerNotKept, Conflict, IdempotencyMismatch
from aiservice.principal import Person, Role
from aiservice.services import management_calls
from aiservice.services.changes import ChangeFeed
from aiservice.services.management_calls import Claim, Kept, ManagementCalls
from aiservice.services.teams import Teams
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.cast import person


@pytest.fixture
async def calls(database: Database, settings: Settings) -> ManagementCalls:
    vault = Vault(database, settings)
    await vault.open()
    return ManagementCalls(database, vault)


@pytest.fixture
async def ada(database: Database) -> Person:
    return await person(database, "ada@example.org", Role.ADMIN)


async def begun(calls: ManagementCalls, ada: Person, request_id: str = "req_1", body: bytes = b"{}") -> Claim:
    claim = await calls.claim(ada, "/api/teams", "k", body, request_id)
    assert isinstance(claim, Claim)
    return claim


async def make_team(calls: ManagementCalls, claim: Claim, ada: Person, database: Database, name: str = "t") -> None:
    async with calls.making(claim):
        await Teams(database, ChangeFeed(database)).create(ada, name)


async def test_tells_again_what_it_came_to(calls: ManagementCalls, ada: Person) -> None:
    claim = await begun(calls, ada)
    await calls.end(claim, Kept(201, b'{"id":"x"}'))
    assert await calls.claim(ada, "/api/teams", "k", b"{}", "req_2") == Kept(201, b'{"id":"x"}')
    with pytest.raises(IdempotencyMismatch):
        await calls.claim(ada, "/api/teams", "k", b"other", "req_3")


async def test_another_route_is_another_call(calls: ManagementCalls, ada: Person) -> None:
    await begun(calls, ada)
    assert isinstance(await calls.claim(ada, "/api/clients", "k", b"{}", "req_2"), Claim)


async def test_of_many_at_once_one_is_made(calls: ManagementCalls, ada: Person) -> None:
    asked = [calls.claim(ada, "/api/teams", "k", b"{}", f"req_{number}") for number in range(8)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Claim) for one in found) == 1
    assert sum(isinstance(one, Conflict) for one in found) == 7


async def test_whose_maker_died_before_its_effect_is_made_again(
    calls: ManagementCalls, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management_calls, "LEASE_US", 0)
    await begun(calls, ada)
    assert (await begun(calls, ada, "req_2")).request_id == "req_2"


async def test_whose_maker_died_behind_its_effect_is_not(
    calls: ManagementCalls, ada: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management_calls, "LEASE_US", 0)
    await make_team(calls, await begun(calls, ada), ada, database)
    with pytest.raises(AnswerNotKept):
        await begun(calls, ada, "req_2")


async def test_who_lost_its_turn_commits_nothing(
    calls: ManagementCalls, ada: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management_calls, "LEASE_US", 0)
    slow, quick = await begun(calls, ada), await begun(calls, ada, "req_2")
    with pytest.raises(Conflict):
        await make_team(calls, slow, ada, database, "slow")
    await make_team(calls, quick, ada, database, "quick")
    assert [team.name for team in await Teams(database, ChangeFeed(database)).list(ada)] == ["quick"]


async def test_what_came_to_nothing_is_forgotten(calls: ManagementCalls, ada: Person) -> None:
    await calls.give_up(await begun(calls, ada))
    assert (await begun(calls, ada, "req_2", b"another body")).request_id == "req_2"


async def test_what_runs_on_behind_a_call_is_not_its_effect(
    calls: ManagementCalls, ada: Person, database: Database
) -> None:
    claim, may_go_on = await begun(calls, ada), asyncio.Event()

    async def later() -> None:
        await may_go_on.wait()
        await Teams(database, ChangeFeed(database)).create(ada, "later")

    async with calls.making(claim):
        task = asyncio.create_task(later())
    await calls.end(claim, Kept(200, b"{}"))
    may_go_on.set()
    await task
    assert isinstance(await calls.claim(ada, "/api/teams", "k", b"{}", "req_2"), Kept)


async def test_is_kept_for_a_day_and_sealed(
    calls: ManagementCalls, ada: Person, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management_calls, "KEPT_US", 0)
    await calls.end(await begun(calls, ada), Kept(201, b"what was said"))
    assert await calls.purge() == 1
    assert await calls.purge() == 0
