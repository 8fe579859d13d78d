"""Fallback chains: what may be stored, who may store it, what routing reads."""

import asyncio

import pytest

from aiservice.errors import NotFound, Unprocessable
from aiservice.kit.ids import new_id
from aiservice.principal import OPERATOR, Principal
from aiservice.services.changes import ChangeFeed
from aiservice.services.preferences import Preferences
from aiservice.store.session import Database
from aiservice.tables import Connection
from tests.services.cast import office, person


def chain_for(preferences: Preferences, client_id: str, task: str) -> tuple[str, ...] | None:
    """What routing reads for a key of that client."""
    terms = preferences.terms_for(Principal(client_id, "shop", "key_1", "x"), task)
    return None if terms is None else terms.order


async def connections(database: Database, *names: str, owner_client_id: str | None = None) -> None:
    async with database.write() as session:
        for name in names:
            session.add(
                Connection(id=new_id("con"), name=name, kind="sandbox", created_us=1, owner_client_id=owner_client_id)
            )


async def test_a_chain_is_stored_read_and_replaced(database: Database) -> None:
    desk = office(database)
    await connections(database, "east", "west")
    client = await desk.clients.create(OPERATOR, "shop")
    await desk.preferences.set(OPERATOR, "shop", "chat", ["east"])
    stored = await desk.preferences.set(OPERATOR, client.id, "chat", ["west:llama3:8b", "east"])
    assert await desk.preferences.list(OPERATOR) == [stored]
    assert stored.chain == ("west:llama3:8b", "east")
    assert chain_for(desk.preferences, client.id, "chat") == ("west:llama3:8b", "east")


async def test_the_chain_for_any_task_serves_tasks_without_one(database: Database) -> None:
    desk = office(database)
    await connections(database, "east", "west")
    client = await desk.clients.create(OPERATOR, "shop")
    await desk.preferences.set(OPERATOR, "shop", "*", ["east"])
    await desk.preferences.set(OPERATOR, "shop", "embedding", ["west"])
    assert chain_for(desk.preferences, client.id, "chat") == ("east",)
    assert chain_for(desk.preferences, client.id, "embedding") == ("west",)
    assert chain_for(desk.preferences, "cli_other", "chat") is None


async def test_clearing_one_task_leaves_the_others(database: Database) -> None:
    desk = office(database)
    await connections(database, "east")
    client = await desk.clients.create(OPERATOR, "shop")
    for task in ("*", "chat", "translation"):
        await desk.preferences.set(OPERATOR, "shop", task, ["east"])
    assert await desk.preferences.clear(OPERATOR, "shop", "chat") == 1
    assert [row.task for row in await desk.preferences.list(OPERATOR, "shop")] == ["*", "translation"]
    assert await desk.preferences.clear(OPERATOR, "shop") == 2
    assert chain_for(desk.preferences, client.id, "translation") is None


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ([], "empty"),
        (["east", "west", "east"], "'east' is in the chain twice"),
        ([f"east:m{n}" for n in range(11)], "at most 10"),
        (["eastt"], "no provider connection 'eastt'. Did you mean 'east'"),
        (["east:"], "no valid model after the colon"),
        (["east:a b"], "no valid model after the colon"),
        ([""], "no provider connection ''"),
    ],
)
async def test_a_chain_that_cannot_work_is_refused_with_the_reason(
    database: Database, chain: list[str], words: str
) -> None:
    desk = office(database)
    await connections(database, "east", "west")
    await desk.clients.create(OPERATOR, "shop")
    with pytest.raises(Unprocessable, match=words):
        await desk.preferences.set(OPERATOR, "shop", "chat", chain)
    assert await desk.preferences.list(OPERATOR) == []


async def test_an_unknown_task_gets_the_nearest(database: Database) -> None:
    with pytest.raises(Unprocessable, match="Did you mean 'translation'"):
        await office(database).preferences.set(OPERATOR, "shop", "translatoin", ["east"])


async def test_a_chain_holds_only_what_the_client_may_use(database: Database) -> None:
    desk = office(database)
    await connections(database, "east", "west")
    owner = await desk.clients.create(OPERATOR, "owner")
    await desk.clients.create(OPERATOR, "narrow", connections=["east"])
    await connections(database, "own", owner_client_id=owner.id)
    with pytest.raises(Unprocessable, match="may not use the connection 'west'"):
        await desk.preferences.set(OPERATOR, "narrow", "chat", ["west"])
    with pytest.raises(Unprocessable, match="no provider connection 'own'"):
        await desk.preferences.set(OPERATOR, "narrow", "chat", ["own"])
    assert (await desk.preferences.set(OPERATOR, "owner", "chat", ["own", "west"])).chain == ("own", "west")


async def test_another_process_hears_of_a_change_through_the_feed(database: Database) -> None:
    desk = office(database)
    await connections(database, "east")
    client = await desk.clients.create(OPERATOR, "shop")
    feed = ChangeFeed(database)
    elsewhere = Preferences(database, feed)
    await feed.poll_once()
    await elsewhere.refresh()
    await desk.preferences.set(OPERATOR, "shop", "chat", ["east"])
    await feed.poll_once()
    async with asyncio.timeout(5):
        while chain_for(elsewhere, client.id, "chat") is None:
            await asyncio.sleep(0.01)
    await desk.preferences.clear(OPERATOR, "shop")
    await feed.poll_once()
    async with asyncio.timeout(5):
        while chain_for(elsewhere, client.id, "chat") is not None:
            await asyncio.sleep(0.01)


async def test_t57_a_foreign_clients_chains_are_neither_seen_nor_changed(database: Database) -> None:
    """T-57: set, list and clear with the other's name and id."""
    desk = office(database)
    await connections(database, "east", "west")
    ada, bob = await person(database, "ada@example.org"), await person(database, "bob@example.org")
    bobs = await desk.clients.personal(bob)
    await desk.clients.personal(ada)
    stored = await desk.preferences.set(bob, bobs.id, "chat", ["east"])
    for ref in (bobs.id, bobs.name):
        with pytest.raises(NotFound):
            await desk.preferences.set(ada, ref, "chat", ["west"])
        with pytest.raises(NotFound):
            await desk.preferences.list(ada, ref)
        with pytest.raises(NotFound):
            await desk.preferences.clear(ada, ref)
    assert await desk.preferences.list(ada) == []
    assert await desk.preferences.list(bob) == [stored]


async def test_a_chain_stored_twice_at_once_is_one_chain(database: Database) -> None:
    desk = office(database)
    await connections(database, "east", "west")
    await desk.clients.create(OPERATOR, "shop")
    chains = [["east"], ["west"]] * 4
    await asyncio.gather(*(desk.preferences.set(OPERATOR, "shop", "chat", chain) for chain in chains))
    (stored,) = await desk.preferences.list(OPERATOR)
    assert stored.chain in (("east",), ("west",))
