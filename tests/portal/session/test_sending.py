"""What goes to one page is in its socket's queue at once; what goes to several still reaches them all."""

import asyncio
from typing import Any

import pytest
from engineio.exceptions import SocketIsClosedError  # type: ignore[import-untyped]
from socketio import AsyncServer

from aiservice.portal.session.sending import send_at_once

PATH = "/_event"


class Sockets:
    """A server whose sockets keep what they are sent."""

    def __init__(self) -> None:
        self.server = AsyncServer(async_mode="asgi")
        send_at_once(self.server)
        self.sent: list[tuple[str, str]] = []
        self.closed: set[str] = set()
        self.server.eio.send_packet = self.keep

    async def keep(self, eio_sid: str, told: Any) -> None:
        if eio_sid in self.closed:
            raise SocketIsClosedError
        self.sent.append((eio_sid, told.data))

    async def opened(self, eio_sid: str) -> str:
        return str(await self.server.manager.connect(eio_sid, PATH))


async def test_a_message_to_one_page_is_sent_without_another_turn_of_the_loop() -> None:
    sockets = Sockets()
    first, _ = await sockets.opened("a"), await sockets.opened("b")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await sockets.server.emit("event", {"delta": {"name": "Zoe"}}, to=first, namespace=PATH)
    assert turns == 0
    beside.cancel()
    assert sockets.sent == [("a", '2/_event,["event",{"delta":{"name":"Zoe"}}]')]


async def test_pages_get_messages_in_the_order_in_which_they_are_sent() -> None:
    sockets = Sockets()
    page = await sockets.opened("a")
    for number in range(5):
        await sockets.server.emit("event", number, to=page, namespace=PATH)
    assert [text[-2] for _, text in sockets.sent] == ["0", "1", "2", "3", "4"]


async def test_several_pages_are_reached_and_one_that_has_gone_is_nobodys_fault() -> None:
    sockets = Sockets()
    first, _ = await sockets.opened("a"), await sockets.opened("b")
    await sockets.server.emit("event", "to all", namespace=PATH)
    assert sorted(eio_sid for eio_sid, _ in sockets.sent) == ["a", "b"]
    await sockets.server.emit("event", "to nobody", to="unknown", namespace=PATH)
    sockets.closed.add("a")
    await sockets.server.emit("event", "too late", to=first, namespace=PATH)
    assert len(sockets.sent) == 2


@pytest.mark.parametrize("data", [("two", "values"), None])
async def test_what_is_no_single_value_goes_the_librarys_way(data: Any) -> None:
    sockets = Sockets()
    page = await sockets.opened("a")
    await sockets.server.emit("event", data, to=page, namespace=PATH)
    assert sockets.sent == [("a", '2/_event,["event","two","values"]' if data else '2/_event,["event"]')]
