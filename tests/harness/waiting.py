"""Waits for what comes to be true in this process. A pause of a fixed length assumes a machine that is never busy."""

import asyncio
import time
from collections.abc import Callable


async def until(is_true: Callable[[], bool], seconds: float = 10.0) -> float:
    """Waits for a condition; gives the seconds that took.

    Raises:
        TimeoutError: the condition did not come true in time.
    """
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not is_true():
            await asyncio.sleep(0.002)
    return time.monotonic() - began
