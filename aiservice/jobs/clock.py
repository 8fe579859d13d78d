"""Runs work on a clock. The one place where a job's failure is caught: it is logged and the clock goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiservice.services.cluster import Cluster, LostLease

log = logging.getLogger(__name__)


async def every(seconds: float, work: Callable[[], Awaitable[object]], name: str) -> None:
    """Awaits `work()` again and again, `seconds` after its last end, until cancelled."""
    is_failing = False
    while True:
        try:
            await work()
            if is_failing:
                log.warning("The job %s works again.", name)
            is_failing = False
        except Exception:
            if is_failing:
                log.warning("The job %s still fails.", name)
            else:
                log.exception("The job %s failed; it is tried again.", name)
            is_failing = True
        await asyncio.sleep(seconds)


async def one_of_all(cluster: Cluster, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> bool:
    """Does `work` if this worker is the one of all to do it every `seconds`; whether it did. Its writes are fenced."""
    try:
        async with cluster.alone(name, seconds) as is_ours:
            if is_ours:
                await work()
            return is_ours
    except LostLease:
        log.info("The job %s is another worker's now; nothing was written.", name)
        return False
