"""PostgreSQL's NOTIFY: news of a commit, heard on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiservice.store.session import Database

CHANNEL = "aiservice_change"
"""What the trigger on `change` notifies (migration 0004)."""


@asynccontextmanager
async def listening(db: Database, hear: Callable[[], None]) -> AsyncIterator[asyncio.Event]:
    """Calls `hear` on the event loop after every commit that made a change, for as long as the connection lasts; the
    event that is given is set when it is lost.

    Raises:
        DATABASE_ERRORS: it cannot be opened.
    """
    lost = asyncio.Event()
    async with db.alone() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda _connection: lost.set())
        await driver.add_listener(CHANNEL, lambda *_notice: hear())
        try:
            yield lost
        finally:
            driver.terminate()
            await connection.invalidate()
