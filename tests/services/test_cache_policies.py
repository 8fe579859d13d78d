"""Policies of the answer cache: which of them holds, who may set it, what a purge ends; and what was saved."""

import pytest

from aiservice.errors import NotFound, PermissionDenied
from aiservice.kit.clock import HOUR_US, now_us
from aiservice.principal import OPERATOR, Person, Principal, Role
from aiservice.services.cache_policies import CachePolicies
from aiservice.services.cache_tally import CacheTally, Saved
from aiservice.services.cache_terms import CacheRule
from aiservice.services.changes import ChangeFeed
from aiservice.store.session import Database
from aiservice.tables import Team

DEVELOPER = Person("usr_d", "d@example.org", Role.DEVELOPER)
OWN, OTHER = Principal("cli_own", "own", "key_1", "pub"), Principal("cli_1", "acme", "key_2", "pub")
MEMBER = Principal("cli_1", "acme", "key_2", "pub", team_id="tea_1")
ON = CacheRule("on", 60, 600)


@pytest.fixture
async def policies(db: Database) -> CachePolicies:
    async with db.write() as session:
        session.add(Team(id="tea_1", name="search", created_us=1))
    return CachePolicies(db, ChangeFeed(db))


async def test_the_most_specific_policy_holds_whole(policies: CachePolicies) -> None:
    assert (policies.rule_for(MEMBER, "chat"), policies.is_any) == (CacheRule(), False)
    await policies.set(OPERATOR, "platform", "", "*", ON)
    await policies.set(OPERATOR, "team", "search", "*", CacheRule("on", 50, 600, "team"))
    await policies.set(OPERATOR, "client", "acme", "chat", CacheRule("off", 40, 600))
    modes = {task: policies.rule_for(MEMBER, task) for task in ("chat", "embedding")}
    assert (modes["chat"].mode, modes["embedding"].ttl_seconds, modes["embedding"].shared_by) == ("off", 50, "team")
    assert policies.rule_for(OWN, "chat") == ON
    assert await policies.clear(OPERATOR, "client", "acme") == 1
    assert policies.rule_for(MEMBER, "chat").mode == "on"


async def test_the_longest_time_only_narrows(policies: CachePolicies) -> None:
    await policies.set(OPERATOR, "platform", "", "*", CacheRule("ask", 30, 30))
    await policies.set(DEVELOPER, "client", "own", "*", CacheRule("on", 500, 6000))
    assert policies.rule_for(OWN, "chat") == CacheRule("on", 30, 30)


async def test_who_is_in_no_team_shares_with_nobody(policies: CachePolicies) -> None:
    await policies.set(OPERATOR, "platform", "", "*", CacheRule("on", 60, 600, "team"))
    assert policies.rule_for(OTHER, "chat").shared_by == "client"
    assert policies.rule_for(MEMBER, "chat").shared_by == "team"


async def test_developers_set_and_see_their_own_clients(policies: CachePolicies) -> None:
    await policies.set(OPERATOR, "client", "acme", "*", ON)
    await policies.set(DEVELOPER, "client", "own", "*", ON)
    assert [view.name for view in await policies.list(DEVELOPER)] == ["own"]
    assert [view.name for view in await policies.list(OPERATOR)] == ["acme", "own"]
    with pytest.raises(NotFound):
        await policies.set(DEVELOPER, "client", "acme", "*", ON)
    with pytest.raises(NotFound):
        await policies.purge(DEVELOPER, "acme")
    for work in (
        policies.set(DEVELOPER, "team", "search", "*", ON),
        policies.set(DEVELOPER, "platform", "", "*", ON),
        policies.purge(DEVELOPER),
    ):
        with pytest.raises(PermissionDenied):
            await work
    with pytest.raises(PermissionDenied):
        await policies.set(DEVELOPER, "client", "own", "*", CacheRule("on", 60, 600, "team"))


async def test_another_process_sees_a_policy_and_a_purge(policies: CachePolicies, db: Database) -> None:
    elsewhere, changes = None, ChangeFeed(db)
    elsewhere = CachePolicies(db, changes)
    await changes.poll_once()
    await policies.set(OPERATOR, "platform", "", "*", ON)
    await policies.purge(OPERATOR, "own")
    await policies.purge(OPERATOR)
    await changes.poll_once()
    await elsewhere._reload.settled()
    assert elsewhere.rule_for(OWN, "chat") == ON
    assert set(elsewhere.purged_us) == {"cli_own", "*"}
    assert elsewhere.purged_us == policies.purged_us


async def test_what_workers_saw_adds_up_by_client_and_task(db: Database) -> None:
    one, two = CacheTally(db), CacheTally(db)
    for tally in (one, two):
        tally.note("cli_1", "chat", "miss")
        tally.note("cli_1", "chat", "hit", Saved(10, 5, 1_000))
        tally.note("cli_own", "embedding", "coalesced", Saved(3, 1, 10))
        await tally.flush()
    one.note("cli_1", "chat", "hit", Saved(1, 1, 1))
    busiest, other = await one.standing(OPERATOR, now_us() - HOUR_US)
    assert (busiest.client, busiest.hits, busiest.misses, busiest.served_percent) == ("acme", 3, 2, 60)
    assert busiest.saved == Saved(21, 11, 2_001)
    assert (other.client, other.task, other.coalesced) == ("own", "embedding", 2)
    assert [row.client for row in await two.standing(DEVELOPER, 0)] == ["own"]
    assert await two.standing(OPERATOR, now_us() + 2 * HOUR_US) == []
