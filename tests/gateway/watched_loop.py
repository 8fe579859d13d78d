"""How late the loop of a test was by its own doing."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def watched_loop() -> AsyncIterator[list[float]]:
    """How late the loop was, seconds of CPU that this process used meanwhile: a busy machine is not our stall."""
    lags: list[float] = []

    async def watch() -> None:
        while True:
            began, spent = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.005)
            lags.append(min(time.perf_counter() - began - 0.005, time.thread_time() - spent))

    watching = asyncio.create_task(watch())
    gc.collect()
    gc.freeze()  # as the server does: what the test runner has lying about is not ours to look through
    try:
        yield lags
    finally:
        watching.cancel()
        gc.unfreeze()
