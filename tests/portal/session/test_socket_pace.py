"""T-61: the pace of what pages send, and how many sockets they may have."""

from collections.abc import MutableMapping
from contextlib import ExitStack
from typing import Any

import pytest

from aiservice.portal.session.socket_pace import ADDRESS, SESSION, SOCKET, SocketPace


async def message() -> MutableMapping[str, Any]:
    return {"type": "websocket.receive", "text": "2"}


def test_t61_some_messages_pass_at_once_and_then_they_wait_their_turn() -> None:
    pace = SocketPace(clock=lambda: 100.0)
    waits = [pace.wait_seconds("a", SOCKET) for _ in range(200)]
    at_once = int(SOCKET.at_once)
    assert max(waits[:at_once]) < 1e-6
    assert waits[at_once + 49] == pytest.approx(50 / SOCKET.per_second)
    assert pace.wait_seconds("b", SOCKET) == 0.0


def test_t61_a_socket_that_was_quiet_may_begin_anew() -> None:
    now = [0.0]
    pace = SocketPace(clock=lambda: now[0])
    while not pace.wait_seconds("a", SOCKET):
        pass
    now[0] += 60
    assert pace.wait_seconds("a", SOCKET) == 0.0


async def test_t61_a_session_with_many_sockets_is_no_quicker_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("aiservice.portal.session.socket_pace.asyncio.sleep", sleep)
    pace = SocketPace(clock=lambda: 100.0)
    with ExitStack() as stack:
        sockets = [stack.enter_context(pace.opened(message, session="s", address="a")) for _ in range(20)]
        for _ in range(int(SOCKET.at_once) // 2):
            for receive in sockets:
                assert receive is not None
                assert await receive() == await message()
        came = len(sockets) * int(SOCKET.at_once) // 2
        waited = [seconds for seconds in slept if seconds > 1e-6]
        assert len(waited) == came - SESSION.at_once
        assert waited[-1] == pytest.approx((came - SESSION.at_once) / SESSION.per_second)


async def test_t61_what_closes_a_socket_is_read_at_once() -> None:
    async def gone() -> MutableMapping[str, Any]:
        return {"type": "websocket.disconnect", "code": 1001}

    pace = SocketPace(clock=lambda: 100.0)
    with pace.opened(gone, session="", address="a") as receive:
        assert receive is not None
        for _ in range(1_000):
            assert (await receive())["type"] == "websocket.disconnect"


@pytest.mark.parametrize(("session", "most"), [("s", SESSION.sockets), ("", ADDRESS.sockets)])
def test_t61_there_are_only_so_many_sockets_until_one_is_closed(session: str, most: int) -> None:
    pace = SocketPace()
    with ExitStack() as stack:
        for _ in range(most):
            assert stack.enter_context(pace.opened(message, session=session, address="a")) is not None
        with pace.opened(message, session=session, address="a") as receive:
            assert receive is None
        with pace.opened(message, session="other", address="b") as receive:
            assert receive is not None
    with pace.opened(message, session=session, address="a") as receive:
        assert receive is not None
