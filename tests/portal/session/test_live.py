"""Live pages: what is new is gathered once a person, told to every page in sight, and to nobody else."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import pytest

from aiservice.portal.session import live
from aiservice.portal.session.guard import SessionState, signed_in
from aiservice.portal.session.live import LivePages, put
from aiservice.portal.session.pushes import Place
from aiservice.principal import Person, Role

ADA = Person("usr_a", "a@example.org", Role.DEVELOPER, "hash_a")
BOB = Person("usr_b", "b@example.org", Role.DEVELOPER, "hash_b")


class World:
    """Three tabs of two people over a log whose newest request has a number."""

    def __init__(self) -> None:
        self.newest = 1
        self.asked: list[str] = []
        self.gathered: list[str] = []
        self.shown: list[tuple[str, Any]] = []
        self.tabs = {"t1": ADA, "t2": ADA, "t3": BOB}
        self.path = "/"
        self.people = {"hash_a": ADA, "hash_b": BOB}
        namespace = SimpleNamespace(sid_to_token={f"s{tab}": tab for tab in self.tabs}, _static_router_data={})
        self.pages = LivePages(SimpleNamespace(event_namespace=namespace, modify_state=self.modify))  # type: ignore[arg-type]
        requests = SimpleNamespace(newest_id=self.newest_id, settled_after=self.settled_after)
        self.core: Any = SimpleNamespace(requests=requests, accounts=SimpleNamespace(peek=self.peek))
        for tab, person in self.tabs.items():
            live._watchers[tab] = self.watcher(tab, person.session_hash, "/")

    def watcher(self, tab: str, session_hash: str, path: str) -> Any:
        place = Place(tab, session_hash, SessionState, path)
        return live._Watcher(place, self.gather, lambda _state, found: self.show(found))

    async def newest_id(self) -> int:
        return self.newest

    async def settled_after(self, actor: Person, _asked: Any, _after: int) -> int:
        self.asked.append(actor.user_id)
        return 1 if actor is ADA else 0

    async def peek(self, session_hash: str) -> Person | None:
        return self.people.get(session_hash)

    async def gather(self) -> str:
        person = signed_in().user_id
        self.gathered.append(person)
        return f"{person} {self.newest}"

    def show(self, found: Any) -> None:
        self.shown.append((self.tab, found))

    @asynccontextmanager
    async def modify(self, token: Any) -> AsyncIterator[Any]:
        self.tab = token.ident
        bound = SimpleNamespace(_bound_session=self.tabs[self.tab].session_hash)
        page = SimpleNamespace(router=SimpleNamespace(url=SimpleNamespace(path=self.path)))
        found = iter([bound, page])

        async def get_state(_cls: Any) -> Any:
            return next(found)

        yield SimpleNamespace(get_state=get_state)

    async def tick(self) -> None:
        self.gathered.clear()
        self.shown.clear()
        await self.pages._tick(self.core)


@pytest.fixture
def world() -> Iterator[World]:
    yield World()
    live._watchers.clear()


async def test_what_is_new_is_gathered_once_a_person_and_told_to_each_of_their_tabs(world: World) -> None:
    await world.tick()
    world.newest = 2
    await world.tick()
    assert world.gathered == ["usr_a"]
    assert world.shown == [("t1", "usr_a 2"), ("t2", "usr_a 2")]
    await world.tick()
    assert (world.gathered, world.shown) == ([], [])


async def test_a_tab_out_of_sight_is_told_nothing_until_it_is_looked_at(world: World) -> None:
    await world.tick()
    for tab in ("t1", "t2", "t3"):
        live._watchers[tab].is_hidden = True
    world.asked.clear()
    world.newest = 2
    await world.tick()
    assert (world.asked, world.gathered, world.shown) == ([], [], [])
    live._watchers["t2"].is_hidden = False
    await world.tick()
    assert world.shown == [("t2", "usr_a 2")]


async def test_a_page_that_was_left_is_told_nothing_and_forgotten(world: World) -> None:
    await world.tick()
    world.path, world.newest = "/keys", 2
    await world.tick()
    assert world.shown == []
    assert set(live._watchers) == {"t3"}


async def test_a_page_that_is_opened_while_the_one_before_is_told_is_told_from_the_next_round_on(world: World) -> None:
    await world.tick()
    before = live._watchers["t1"]

    async def left_meanwhile() -> str:
        world.path = "/first-call"
        live._watchers["t1"] = world.watcher("t1", "hash_a", world.path)
        return "of the page before"

    before.gather, world.newest = left_meanwhile, 2
    await world.tick()
    assert world.shown == []
    world.gathered.clear()
    await world.tick()
    assert world.shown == [("t1", "usr_a 2")]


async def test_a_page_that_could_not_be_told_is_told_in_the_next_round_and_the_others_in_this_one(world: World) -> None:
    await world.tick()

    async def failing() -> str:
        world.gathered.append("in vain")
        raise ConnectionError("the database is busy")

    live._watchers["t1"].gather, world.newest = failing, 2
    await world.tick()
    assert world.gathered == ["in vain", "usr_a"]
    assert world.shown == [("t2", "usr_a 2")]
    live._watchers["t1"].gather = world.gather
    await world.tick()
    assert world.shown == [("t1", "usr_a 2")]


async def test_a_session_that_has_ended_is_told_nothing(world: World) -> None:
    await world.tick()
    live._watchers["t1"] = world.watcher("t1", "hash_gone", "/")
    world.newest = 2
    await world.tick()
    assert [tab for tab, _ in world.shown] == ["t2"]
    assert "t1" not in live._watchers


@pytest.mark.parametrize("now", [None, replace(ADA, role=Role.ADMIN)])
async def test_who_has_left_or_is_another_by_the_time_that_it_is_gathered_is_told_nothing(
    world: World, now: Person | None
) -> None:
    await world.tick()

    async def gather() -> str:
        world.people.pop("hash_a")
        world.people |= {} if now is None else {"hash_a": now}
        return await world.gather()

    for tab in ("t1", "t2"):
        live._watchers[tab].gather = gather
    world.newest = 2
    await world.tick()
    assert (world.gathered, world.shown) == (["usr_a"], [])


def test_only_what_differs_is_set_and_so_sent() -> None:
    class Page:
        def __init__(self) -> None:
            object.__setattr__(self, "sent", [])
            object.__setattr__(self, "rows", [1])
            object.__setattr__(self, "count", 1)

        def __setattr__(self, name: str, value: object) -> None:
            self.sent.append(name)  # type: ignore[attr-defined]
            object.__setattr__(self, name, value)

    page: Any = Page()
    put(page, rows=[1], count=2)
    assert page.sent == ["count"]


async def test_what_takes_long_to_gather_is_gathered_a_twentieth_of_the_time_at_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("aiservice.portal.session.live.time", SimpleNamespace(monotonic=lambda: now))
    gather = world.gather

    async def slowly() -> str:
        nonlocal now
        now += 0.5
        return await gather()

    for watcher in live._watchers.values():
        watcher.gather = slowly
    for _ in range(30):
        world.newest += 1
        now += 1.0
        await world.pages._tick(world.core)
    assert world.gathered.count("usr_a") == 4
    assert len([tab for tab, _ in world.shown if tab == "t2"]) == 4


async def test_all_tabs_together_hold_the_loop_for_a_small_share_of_the_time(world: World) -> None:
    def slowly(_state: Any, found: Any) -> None:
        began = perf_counter()
        while perf_counter() - began < 0.01:
            pass
        world.show(found)

    for watcher in live._watchers.values():
        watcher.show = slowly
    world.newest, began = 2, perf_counter()
    await world.tick()
    assert len(world.shown) == 3
    assert perf_counter() - began >= 3 * 0.01 / live._SHARE
