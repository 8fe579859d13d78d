"""What a page shows a moment later: after its event, to whom the page belongs, the newest wish of a tab alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from aiservice.portal.session import later as module
from aiservice.portal.session.guard import acting_as, signed_in
from aiservice.portal.session.later import Later, show_later
from aiservice.principal import Person, Role

ADA = Person("usr_a", "a@example.org", Role.DEVELOPER, "hash_a")


class Tabs:
    """Tabs of Ada's, whose state is a dict each; her session may end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.held = "/usage", 0
        self.person: Person | None = ADA
        self.states: dict[str, dict[str, Any]] = {}
        self.app: Any = SimpleNamespace(modify_state=self.modify)
        core = SimpleNamespace(accounts=SimpleNamespace(peek=self.peek))
        monkeypatch.setattr(module, "current_core", lambda: core)

    async def peek(self, _session_hash: str) -> Person | None:
        return self.person

    @asynccontextmanager
    async def modify(self, token: Any) -> AsyncIterator[Any]:
        found = iter([SimpleNamespace(_bound_session="hash_a"), self.state(token.ident)])

        async def get_state(_cls: Any) -> Any:
            return next(found)

        self.held += 1
        yield SimpleNamespace(get_state=get_state)
        self.held -= 1

    def state(self, tab: str) -> Any:
        router = SimpleNamespace(session=SimpleNamespace(client_token=tab), url=SimpleNamespace(path=self.path))
        return SimpleNamespace(router=router, values=self.states.setdefault(tab, {}))

    def ask(self, tab: str, gather: Any) -> None:
        with acting_as(ADA):
            show_later(self.state(tab), gather, lambda state, found: state.values.update(found=found))


@pytest.fixture
async def tabs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tabs]:
    tabs = Tabs(monkeypatch)
    async with Later(tabs.app).run():
        yield tabs


async def test_what_takes_long_is_read_as_the_person_without_holding_the_page(tabs: Tabs) -> None:
    seen: list[tuple[str, int]] = []

    async def gather() -> int:
        await asyncio.sleep(0.01)
        seen.append((signed_in().user_id, tabs.held))
        return 7

    tabs.ask("t1", gather)
    assert tabs.states["t1"] == {}
    await asyncio.sleep(0.05)
    assert (seen, tabs.states["t1"]) == ([("usr_a", 0)], {"found": 7})


async def test_of_two_wishes_of_a_tab_the_newer_is_met_and_another_tab_has_its_own(tabs: Tabs) -> None:
    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "of the view before"

    async def quick() -> str:
        return "of this view"

    tabs.ask("t1", slow)
    tabs.ask("t2", slow)
    tabs.ask("t1", quick)
    await asyncio.sleep(0.06)
    assert tabs.states == {"t1": {"found": "of this view"}, "t2": {"found": "of the view before"}}


@pytest.mark.parametrize("what", ["left", "ended"])
async def test_a_page_that_was_left_or_whose_session_has_ended_is_shown_nothing(tabs: Tabs, what: str) -> None:
    async def gather() -> int:
        tabs.path, tabs.person = ("/keys", ADA) if what == "left" else ("/usage", None)
        return 7

    tabs.ask("t1", gather)
    await asyncio.sleep(0.03)
    assert tabs.states["t1"] == {}


async def test_what_fails_is_logged_and_the_next_wish_is_met(tabs: Tabs, caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> int:
        raise ConnectionError("the database is busy")

    async def gather() -> int:
        return 7

    tabs.ask("t1", failing)
    await asyncio.sleep(0.01)
    tabs.ask("t1", gather)
    await asyncio.sleep(0.03)
    assert tabs.states["t1"] == {"found": 7}
    assert "takes longer to read" in caplog.text


async def test_nothing_goes_on_once_the_portal_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    tabs, ended = Tabs(monkeypatch), list[bool]()

    async def gather() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return 7

    async with Later(tabs.app).run():
        tabs.ask("t1", gather)
        await asyncio.sleep(0)
    assert ended == [True]
    with pytest.raises(RuntimeError, match="not open"):
        tabs.ask("t1", gather)
