"""Which work runs on a clock in every worker."""

import asyncio
from functools import partial

from aiservice.jobs.clock import every
from aiservice.jobs.rollup import EVERY_SECONDS, NAME, fold
from aiservice.kit.clock import DAY_US, now_us
from aiservice.services.core import Core

_LAST_USED_SECONDS = 30.0
_PURGE_SECONDS = 3600.0


def start_jobs(core: Core) -> "list[asyncio.Task[None]]":
    """Starts them; cancel the tasks to end them."""
    jobs = (
        (EVERY_SECONDS, partial(fold, core.usage), NAME),
        (_LAST_USED_SECONDS, core.keys.flush_last_used, "last used"),
        (_PURGE_SECONDS, core.accounts.purge, "old sessions"),
        (_PURGE_SECONDS, partial(_purge_changes, core), "old changes"),
        (_PURGE_SECONDS, partial(_check_secrets, core), "check of sealed secrets"),
    )
    return [asyncio.create_task(every(seconds, work, name), name=name) for seconds, work, name in jobs]


async def _purge_changes(core: Core) -> None:
    await core.changes.purge(now_us() - DAY_US)


async def _check_secrets(core: Core) -> None:
    if not core.vault.is_sealed:
        await core.vault.check()


async def stop_jobs(jobs: "list[asyncio.Task[None]]") -> None:
    """Ends them."""
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
