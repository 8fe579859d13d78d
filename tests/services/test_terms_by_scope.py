"""Terms of platform, team, client and key: what wins, who may set them, and how every change can be taken back."""

import asyncio
import timeit

import pytest

from aiservice.errors import Conflict, NotFound, PermissionDenied, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import OPERATOR, Principal
from aiservice.services.changes import ChangeFeed
from aiservice.services.preferences import Preferences
from aiservice.services.routing_scopes import PLATFORM_SCOPE, Scope
from aiservice.services.routing_terms import Terms
from aiservice.store.session import Database
from aiservice.tables import ClientKey, Preference
from tests.services.cast import Office, office, person
from tests.services.test_preferences import connections

TEAM, CLIENT = Scope("team", "search"), Scope("client", "shop")


async def key_of(database: Database, client_id: str) -> str:
    row = ClientKey(id=new_id("key"), client_id=client_id, name="prod", created_us=now_us())
    async with database.write() as session:
        session.add(row)
    return row.id


async def shop(database: Database) -> tuple[Office, Principal]:
    """A client with a key in a team, and three connections."""
    desk = office(database)
    await connections(database, "east", "west", "north")
    team = await desk.teams.create(OPERATOR, "search")
    client = await desk.clients.create(OPERATOR, "shop")
    await desk.clients.set_team(OPERATOR, "shop", "search")
    key_id = await key_of(database, client.id)
    return desk, Principal(client.id, "shop", key_id, "x", team_id=team.id, team_name="search")


async def test_the_narrowest_scope_wins_field_by_field(database: Database) -> None:
    desk, caller = await shop(database)
    assert desk.preferences.terms_for(caller, "chat") is None
    await desk.preferences.set(OPERATOR, PLATFORM_SCOPE, "*", Terms(order=("east",), zdr=True, sort="price"))
    await desk.preferences.set(OPERATOR, TEAM, "chat", Terms(order=("west",)))
    await desk.preferences.set(OPERATOR, CLIENT, "*", Terms(sort="latency"))
    assert desk.preferences.terms_for(caller, "chat") == Terms(order=("west",), zdr=True, sort="latency")
    assert desk.preferences.terms_for(caller, "embedding") == Terms(order=("east",), zdr=True, sort="latency")
    await desk.preferences.set(OPERATOR, Scope("key", caller.key_id), "chat", Terms(order=("north",)))
    assert desk.preferences.terms_for(caller, "chat") == Terms(order=("north",), zdr=True, sort="latency")


@pytest.mark.sqlite_only
async def test_what_a_task_says_wins_over_any_task_of_the_same_scope_only(database: Database) -> None:
    desk, caller = await shop(database)
    await desk.preferences.set(OPERATOR, CLIENT, "*", Terms(order=("east",)))
    await desk.preferences.set(OPERATOR, TEAM, "chat", Terms(order=("west",), sort="price"))
    assert desk.preferences.terms_for(caller, "chat") == Terms(order=("east",), sort="price")


@pytest.mark.sqlite_only
async def test_others_terms_are_not_ones_own(database: Database) -> None:
    desk, caller = await shop(database)
    other = await desk.clients.create(OPERATOR, "other")
    for scope in (CLIENT, TEAM, Scope("key", caller.key_id)):
        await desk.preferences.set(OPERATOR, scope, "*", Terms(order=("east",)))
    assert desk.preferences.terms_for(Principal(other.id, "other", "key_x", "y"), "chat") is None


@pytest.mark.sqlite_only
async def test_a_caller_pays_next_to_nothing_for_terms(database: Database) -> None:
    desk, caller = await shop(database)
    terms_for = desk.preferences.terms_for
    without = min(timeit.repeat(lambda: terms_for(caller, "chat"), number=2_000, repeat=5)) / 2_000
    await desk.preferences.set(OPERATOR, CLIENT, "*", Terms(order=("east",)))
    stored = min(timeit.repeat(lambda: terms_for(caller, "chat"), number=2_000, repeat=5)) / 2_000
    assert without < 2e-6 and stored < 5e-6
    assert terms_for(caller, "chat") is terms_for(caller, "chat")  # one object, so that routing knows it again


async def test_another_process_hears_of_every_scope(database: Database) -> None:
    desk, caller = await shop(database)
    feed = ChangeFeed(database)
    elsewhere = Preferences(database, feed)
    await feed.poll_once()
    await elsewhere.refresh()
    for scope in (PLATFORM_SCOPE, TEAM, Scope("key", caller.key_id)):
        await desk.preferences.set(OPERATOR, scope, "chat", ["east"])
        await feed.poll_once()
        async with asyncio.timeout(5):
            while elsewhere.terms_for(caller, "chat") != Terms(order=("east",)):
                await asyncio.sleep(0.01)
        await desk.preferences.clear(OPERATOR, scope)
        await feed.poll_once()
        async with asyncio.timeout(5):
            while elsewhere.terms_for(caller, "chat") is not None:
                await asyncio.sleep(0.01)


async def test_chains_of_the_release_before_go_on_and_it_finds_ours(database: Database) -> None:
    desk, caller = await shop(database)
    async with database.write() as session:  # as that release writes: it knows no other columns
        session.add(Preference(id="prf_old", client_id=caller.client_id, task="chat", chain=["east"], updated_us=1))
    await desk.preferences.refresh()
    assert desk.preferences.terms_for(caller, "chat") == Terms(order=("east",))
    assert [view.terms for view in await desk.preferences.list(OPERATOR, CLIENT)] == [Terms(order=("east",))]
    await desk.preferences.set(OPERATOR, CLIENT, "chat", Terms(order=("west",), sort="price"))
    async with database.read() as session:
        row = await session.get(Preference, "prf_old")
    assert row is not None and (row.chain, row.terms) == (["west"], {"sort": "price"})


async def test_a_developer_sees_to_own_clients_and_keys_and_reads_what_holds_for_them(database: Database) -> None:
    desk, caller = await shop(database)
    ada = await person(database, "ada@example.org")
    own = await desk.clients.create(OPERATOR, "adas", owner_email=ada.email)
    key_id = await key_of(database, own.id)
    await desk.preferences.set(ada, Scope("key", key_id), "chat", ["east"])
    await desk.preferences.set(ada, Scope("client", "adas"), "chat", ["west"])
    for scope in (PLATFORM_SCOPE, Scope("team", "search")):
        await desk.preferences.set(OPERATOR, scope, "chat", ["north"])
        for refused in (desk.preferences.set(ada, scope, "chat", ["east"]), desk.preferences.clear(ada, scope)):
            with pytest.raises(PermissionDenied, match="Only an admin"):
                await refused
    assert [view.scope for view in await desk.preferences.list(ada)] == ["platform", "client", "key"]
    await desk.clients.set_team(OPERATOR, "adas", "search")
    assert [view.scope for view in await desk.preferences.list(ada)] == ["platform", "team", "client", "key"]
    for scope in (Scope("key", caller.key_id), CLIENT):
        with pytest.raises(NotFound):
            await desk.preferences.set(ada, scope, "chat", ["east"])


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (Terms(), "say nothing"),
        (Terms(only=frozenset({"eastt"})), "no provider connection 'eastt'. Did you mean 'east'"),
        (Terms(ignore=frozenset({"x"})), "no provider connection 'x'"),
        (Terms(order=("east",), only=frozenset({"west"})), "'only' leaves it out"),
        (Terms(order=("east",), ignore=frozenset({"sandbox"})), "both in the order and in 'ignore'"),
    ],
)
async def test_terms_that_cannot_work_are_refused_with_the_reason(database: Database, terms: Terms, words: str) -> None:
    desk, _ = await shop(database)
    with pytest.raises(Unprocessable, match=words):
        await desk.preferences.set(OPERATOR, CLIENT, "chat", terms)


@pytest.mark.sqlite_only
async def test_a_kind_stands_for_all_its_connections(database: Database) -> None:
    desk, _ = await shop(database)
    terms = Terms(order=("sandbox:m",), ignore=frozenset({"west"}))
    assert (await desk.preferences.set(OPERATOR, CLIENT, "chat", terms)).terms == terms


async def test_every_change_is_kept_and_can_be_taken_back(database: Database) -> None:
    desk, caller = await shop(database)
    ada = await person(database, "ada@example.org")
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["east"])
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["west"])
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["west"])  # changes nothing, and is no version
    await desk.preferences.clear(OPERATOR, CLIENT)
    cleared, second, first = await desk.preferences.history(OPERATOR, CLIENT, "chat")
    assert (first.before, first.after, first.actor) == (None, {"order": ["east"]}, "operator")
    assert (second.before, second.after) == (first.after, {"order": ["west"]})
    assert (cleared.before, cleared.after) == (second.after, None)
    await desk.preferences.revert(OPERATOR, first.number)
    assert desk.preferences.terms_for(caller, "chat") == Terms(order=("east",))
    newest = (await desk.preferences.history(OPERATOR, CLIENT))[0]
    assert (newest.reverted_to, newest.after) == (first.number, first.after)
    await desk.preferences.revert(OPERATOR, cleared.number)
    assert desk.preferences.terms_for(caller, "chat") is None
    for number in (first.number, 10**6, 2**70, -1):
        with pytest.raises(NotFound, match=f"no version {number}"):
            await desk.preferences.revert(ada, number)


async def test_a_change_that_rests_on_an_older_version_is_refused(database: Database) -> None:
    desk, _ = await shop(database)
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["east"], after_version=0)
    (seen,) = await desk.preferences.history(OPERATOR, CLIENT, "chat")
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["west"], after_version=seen.number)
    with pytest.raises(Conflict, match="changed by operator meanwhile"):
        await desk.preferences.set(OPERATOR, CLIENT, "chat", ["north"], after_version=seen.number)


async def test_what_holds_besides_is_listed_from_the_narrowest(database: Database) -> None:
    desk, caller = await shop(database)
    key = Scope("key", caller.key_id)
    for scope, task in ((PLATFORM_SCOPE, "*"), (TEAM, "chat"), (TEAM, "embedding"), (CLIENT, "*"), (key, "chat")):
        await desk.preferences.set(OPERATOR, scope, task, ["east"])
    found = await desk.preferences.above(OPERATOR, key, "chat")
    assert [(view.scope, view.task) for view in found] == [("client", "*"), ("team", "chat"), ("platform", "*")]


async def test_what_an_older_release_stored_can_be_gone_back_to(database: Database) -> None:
    desk, caller = await shop(database)
    async with database.write() as session:
        session.add(Preference(id="prf_old", client_id=caller.client_id, task="chat", chain=["east"], updated_us=1))
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["west"])
    changed, unseen = await desk.preferences.history(OPERATOR, CLIENT, "chat")
    assert (unseen.after, unseen.actor, changed.before) == ({"order": ["east"]}, "", {"order": ["east"]})


@pytest.mark.sqlite_only
async def test_a_revert_to_what_is_no_longer_possible_is_refused(database: Database) -> None:
    desk, _ = await shop(database)
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["east"])
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["west"])
    (_, first) = await desk.preferences.history(OPERATOR, CLIENT)
    await desk.clients.update(OPERATOR, "shop", connections=["west"])
    with pytest.raises(Unprocessable, match="may not use the connection 'east'"):
        await desk.preferences.revert(OPERATOR, first.number)


async def test_a_teams_terms_go_with_it(database: Database) -> None:
    desk, caller = await shop(database)
    await desk.preferences.set(OPERATOR, TEAM, "chat", ["east"])
    await desk.clients.set_team(OPERATOR, "shop", None)
    await desk.teams.delete(OPERATOR, "search")
    await desk.preferences.refresh()
    assert await desk.preferences.list(OPERATOR) == []
    assert desk.preferences.terms_for(caller, "chat") is None


def test_a_scope_is_read_or_refused_with_what_there_is() -> None:
    assert Scope.read("client:a:b") == Scope("client", "a:b")
    for text in ("", "platform:x", "client", "client:", "klient:x", "team"):
        with pytest.raises(Unprocessable, match="Write platform, team:NAME"):
            Scope.read(text)
