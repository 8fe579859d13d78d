"""Runs work on a clock. The one place where a job's failure is caught: it is logged and the clock goes on."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiservice.services.cluster import Cluster, LostLease
from aiservice.services.job_log import JobLog

# A job rests for so many times as long as it worked, so that no amount of data lets it take over a core.
_LEAST_REST = 50
_MOST_REST_SECONDS = 300.0

log = logging.getLogger(__name__)


async def every(
    seconds: float, work: Callable[[], Awaitable[object]], name: str, job_log: JobLog | None = None
) -> None:
    """Awaits `work()` again and again, `seconds` after its last end (later where it took long), until cancelled.

    `job_log` is told how it went; work that gives False was another worker's to do.
    """
    job_log = job_log or JobLog()
    is_failing = False
    while True:
        rest, began = seconds, time.monotonic()
        try:
            done = await work()
            took = time.monotonic() - began
            job_log.ran(name, seconds, took, is_ours=done is not False)
            rest = max(seconds, min(_LEAST_REST * took, _MOST_REST_SECONDS))
            if is_failing:
                log.warning("The job %s works again.", name)
            is_failing = False
        except Exception as error:
            job_log.failed(name, seconds, error)
            if is_failing:
                log.warning("The job %s still fails.", name)
            else:
                log.exception("The job %s failed; it is tried again.", name)
            is_failing = True
        job_log.rests(name, rest)
        await asyncio.sleep(rest)


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
