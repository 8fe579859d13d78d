"""What is made at its first use: once, in a thread, and again after a failure."""

import asyncio
import threading
import time
from typing import Any

import pytest

from aiservice.kit.at_first_use import AtFirstUse

_SCOPE = {"type": "http", "path": "/"}


async def test_it_is_made_once_in_a_thread_for_all_who_come_meanwhile() -> None:
    makers: list[str] = []
    asked: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        asked.append(scope)

    def make() -> Any:
        makers.append(threading.current_thread().name)
        time.sleep(0.05)
        return app

    lazy = AtFirstUse(make)
    await asyncio.gather(*(lazy(_SCOPE, None, None) for _ in range(3)))
    assert len(makers) == 1
    assert makers[0] != threading.main_thread().name
    assert asked == [_SCOPE] * 3


async def test_a_failure_is_the_request_s_and_the_next_one_tries_again() -> None:
    made = 0

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        return

    def make() -> Any:
        nonlocal made
        made += 1
        if made == 1:
            raise MemoryError
        return app

    lazy = AtFirstUse(make)
    with pytest.raises(MemoryError):
        await lazy(_SCOPE, None, None)
    await lazy(_SCOPE, None, None)
    assert made == 2
