"""Page states go on in another worker, from sealed copies; without one a page begins anew."""

import asyncio
from typing import Any

import pytest
import reflex as rx
from reflex.istate.manager.token import BaseStateToken

from aiservice.kit import crypto
from aiservice.portal.session.states import PageStates
from aiservice.services.page_copies import PageCopies
from tests.harness.waiting import until

KEY = crypto.new_key()


class CopiedPageState(rx.State):
    """A page's state of every kind that the portal has."""

    title: str = ""
    rows: list[dict[str, Any]] = []  # noqa: RUF012 - Reflex copies it for every page
    _cursor: int = 0


class RedisDouble:
    """What `Shared` does, without a network; `is_away` is what it answers then."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.is_away = False

    async def put(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        assert ttl_seconds > 0
        if not self.is_away:
            self.kept[key] = value
        return not self.is_away

    async def get(self, key: str) -> bytes | None:
        return None if self.is_away else self.kept.get(key)


def states_in(redis: RedisDouble) -> tuple[PageStates, PageCopies]:
    states = PageStates.new()
    states._is_open = lambda _page: True
    return states, PageCopies(redis, KEY)  # type: ignore[arg-type]


def page(name: str = "page-1") -> BaseStateToken:
    return BaseStateToken(ident=name, cls=CopiedPageState)


async def fill(states: PageStates) -> None:
    async with states.modify_state(page()) as root:
        state = await root.get_state(CopiedPageState)
        state.title, state.rows, state._cursor = "Keys", [{"id": "key_1"}], 7


async def seen(states: PageStates, token: BaseStateToken | None = None) -> tuple[str, int, int]:
    async with states.modify_state(token or page()) as root:
        state = await root.get_state(CopiedPageState)
        assert state.parent_state is root
        return state.title, len(state.rows), state._cursor


async def test_r29_a_page_goes_on_in_another_worker() -> None:
    redis = RedisDouble()
    here, copies = states_in(redis)
    async with here.kept_by(copies):
        await fill(here)
    there, copies = states_in(redis)
    async with there.kept_by(copies):
        assert await seen(there) == ("Keys", 1, 7)
        assert await seen(there, page("page-2")) == ("", 0, 0)


@pytest.mark.parametrize("loss", ["flushed", "away", "forged", "swapped", "garbage"])
async def test_r29_t29_without_a_copy_of_its_own_a_page_begins_anew(loss: str) -> None:
    redis = RedisDouble()
    here, copies = states_in(redis)
    async with here.kept_by(copies):
        await fill(here)
    (name,) = redis.kept
    match loss:
        case "flushed":
            redis.kept.clear()
        case "away":
            redis.is_away = True
        case "forged":
            redis.kept[name] = crypto.seal(crypto.new_key(), b"cos\nsystem\n(S'false'\ntR.", b"")
        case "swapped":
            redis.kept["page:page-2"] = redis.kept[name]
        case "garbage":
            redis.kept[name] = b"\x80\x04."
    there, copies = states_in(redis)
    async with there.kept_by(copies):
        assert await seen(there, page("page-2" if loss == "swapped" else "page-1")) == ("", 0, 0)


async def test_what_is_kept_of_a_page_cannot_be_read_in_redis() -> None:
    redis = RedisDouble()
    here, copies = states_in(redis)
    async with here.kept_by(copies):
        await fill(here)
    assert all(b"Keys" not in value and b"key_1" not in value for value in redis.kept.values())


async def test_a_page_whose_socket_closed_is_let_go_once_it_is_copied_and_not_before() -> None:
    redis = RedisDouble()
    states, copies = states_in(redis)
    states._is_open = lambda _page: False
    async with states.kept_by(copies):
        redis.is_away = True
        await fill(states)
        await asyncio.sleep(0.4)
        assert "page-1" in states.states
        redis.is_away = False
        states.note_change(page())
        await until(lambda: "page-1" not in states.states)
        assert await seen(states) == ("Keys", 1, 7)


async def test_with_one_worker_nothing_is_copied() -> None:
    states = PageStates.new()
    async with states.kept_by(None):
        await fill(states)
        assert await seen(states) == ("Keys", 1, 7)


async def test_with_one_worker_a_page_is_kept_for_a_while_after_its_socket_and_then_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiservice.portal.session.states._AWAY_SECONDS", 0.05)
    states, is_back = PageStates.new(), True
    states._is_open = lambda _page: is_back
    async with states.kept_by(None):
        await fill(states)
        states._note_left(page())
        await asyncio.sleep(0.2)
        assert await seen(states) == ("Keys", 1, 7)
        is_back = False
        states._note_left(page())
        await until(lambda: "page-1" not in states.states)
