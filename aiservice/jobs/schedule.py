"""Which work runs on a clock in every worker."""

import asyncio
from functools import partial

from aiservice.jobs.clock import every
from aiservice.jobs.rollup import EVERY_SECONDS, NAME, fold
from aiservice.services.core import Core

_LAST_USED_SECONDS = 30.0
_PURGE_SECONDS = 3600.0


def start_jobs(core: Core) -> "list[asyncio.Task[None]]":
    """Starts them; cancel the tasks to end them."""
    jobs = (
        (EVERY_SECONDS, partial(fold, core.usage), NAME),
        (_LAST_USED_SECONDS, core.keys.flush_last_used, "last used"),
        (_PURGE_SECONDS, core.accounts.purge, "old sessions"),
    )
    return [asyncio.create_task(every(seconds, work, name), name=name) for seconds, work, name in jobs]


async def stop_jobs(jobs: "list[asyncio.Task[None]]") -> None:
    """Ends them."""
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
