"""Which work runs on a clock: some in every worker, some in one worker of all."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiservice.jobs import alerts
from aiservice.jobs.clock import every, one_of_all
from aiservice.jobs.idle_keys import note_idle_keys
from aiservice.jobs.rollup import EVERY_SECONDS, NAME, fold
from aiservice.kit.clock import DAY_US, now_us
from aiservice.services.abuse_judge import JUDGE_SECONDS
from aiservice.services.abuse_observing import FLUSH_SECONDS
from aiservice.services.alert_digest import AlertDigest
from aiservice.services.alert_notes import Severity
from aiservice.services.budget_warnings import EVERY_SECONDS as WARN_SECONDS
from aiservice.services.budget_warnings import BudgetWarnings
from aiservice.services.cache_tally import FLUSH_SECONDS as SAVED_SECONDS
from aiservice.services.core import Core
from aiservice.services.idempotency import RENEW_SECONDS

_LAST_USED_SECONDS = 30.0
_LAST_USED_AT_ONCE = 5_000  # a hundred thousand busy keys would else cost a tenth of every request
_PURGE_SECONDS = 3600.0
_WINDOW_DAYS = 70  # longer than any window lasts, and its last late settlement
_BODIES_SECONDS = 300.0
_PROBES = "probes of providers"


def start_jobs(core: Core, on_refused: Callable[[str], None]) -> "list[asyncio.Task[None]]":
    """Starts them; cancel the tasks to end them. `on_refused` is told why this worker may serve no longer."""
    core.board.show("jobs", core.job_log.said)
    alone: tuple[tuple[float, Callable[[], Awaitable[object]], str], ...] = (
        (EVERY_SECONDS, partial(fold, core.usage), NAME),
        (_PURGE_SECONDS, core.usage.fold_few_again, "roll-up by few values"),
        (_PURGE_SECONDS, core.accounts.purge, "old sessions"),
        (_PURGE_SECONDS, partial(_purge_changes, core), "old changes"),
        (_PURGE_SECONDS, partial(_check_secrets, core), "check of sealed secrets"),
        (_PURGE_SECONDS, partial(_tidy_tokens, core), "signing keys"),
        (_PURGE_SECONDS, core.alerts.tidy, "old alerts"),
        (_PURGE_SECONDS, AlertDigest(core.db, core.alerts, core.settings.public_url).look, "digests of alerts"),
        (alerts.LOOK_SECONDS, partial(alerts.look, core), alerts.LOOK_NAME),
        (JUDGE_SECONDS, core.judge.judge, "watch for abuse"),
        (_PURGE_SECONDS, core.judge.purge, "old counts"),
        (_PURGE_SECONDS, core.audit.tell_anchor, "anchor of the audit log"),
        (_PURGE_SECONDS, partial(_prune_audit, core), "old audit entries"),
        (_BODIES_SECONDS, core.bodies.purge, "expired bodies"),
        (_BODIES_SECONDS, core.responses.trim, "answers beyond what a client may keep"),
        (_BODIES_SECONDS, core.idempotency.purge, "idempotent calls of yesterday"),
        (_PURGE_SECONDS, core.management_calls.purge, "management calls of yesterday"),
        (_PURGE_SECONDS, core.replays.purge, "old replays"),
        (_PURGE_SECONDS, core.shadows.purge, "old shadow traffic"),
        (_PURGE_SECONDS, core.cache.tally.purge, "old hours of the cache"),
        (_PURGE_SECONDS, partial(_tidy_copies, core), "copies of keys"),
        (_PURGE_SECONDS, core.reveals.purge, "looks at keys"),
        (_PURGE_SECONDS, partial(_purge_budget_windows, core), "old windows of budgets"),
        (_PURGE_SECONDS, partial(note_idle_keys, core), "idle keys"),
    )
    each: tuple[tuple[float, Callable[[], Awaitable[object]], str], ...] = (
        (_LAST_USED_SECONDS, partial(core.keys.flush_last_used, _LAST_USED_AT_ONCE), "last used"),
        (FLUSH_SECONDS, core.observer.flush, "counts of clients"),
        (RENEW_SECONDS, core.shadows.flush, "shadow traffic"),
        (RENEW_SECONDS, core.idempotency.renew, "idempotent calls"),
        (RENEW_SECONDS, core.replays.flush, "replays"),
        (alerts.SELF_SECONDS, partial(alerts.note_own_state, core), "own state"),
        (alerts.POST_SECONDS, partial(alerts.deliver, core), "alert messages"),
        (SAVED_SECONDS, core.cache.tally.flush, "what the cache saved"),
        (_PURGE_SECONDS, core.decisions.purge, "old decisions"),  # each worker keeps those that it goes by
        (core.probing.look_seconds, partial(_probe, core), _PROBES),
        (WARN_SECONDS, BudgetWarnings(core.db, core.ledger, core.alerts).check, "levels of budgets"),
    )
    jobs = (
        *((seconds, partial(one_of_all, core.cluster, name, seconds, work), name) for seconds, work, name in alone),
    )
    tasks = [
        asyncio.create_task(every(seconds, work, name, core.job_log), name=name)
        for group in (jobs, each)
        for seconds, work, name in group
    ]
    tasks.append(asyncio.create_task(core.cluster.keep_alive(on_refused), name="beat"))
    return tasks


async def _probe(core: Core) -> bool:
    """Where no connection is probed no lease is asked for, every few seconds, to do nothing."""
    probing = core.probing
    return probing.is_wanted() and await one_of_all(core.cluster, _PROBES, probing.look_seconds, probing.look)


async def _purge_changes(core: Core) -> None:
    await core.changes.purge(now_us() - DAY_US)


async def _purge_budget_windows(core: Core) -> None:
    await core.budgets.purge(now_us() - _WINDOW_DAYS * DAY_US)


async def _check_secrets(core: Core) -> None:
    if not core.vault.is_sealed and (damaged := await core.vault.check()):
        names = [f"{purpose} of {row_id}" for purpose, row_id in damaged]
        words = f"{len(names)} sealed secrets do not open: {', '.join(names[:3])}. Set them again, or restore a backup."
        core.alerts.note("vault", "sealed secrets", words, severity=Severity.CRITICAL, evidence={"damaged": names[:50]})


async def _prune_audit(core: Core) -> None:
    _, damage = await core.audit_retention.prune()
    if damage is not None:
        words = f"The audit log is not as it was written ({damage}). No more is deleted. Run audit verify."
        core.alerts.note("audit", "audit log", words, severity=Severity.CRITICAL)


async def _tidy_tokens(core: Core) -> None:
    if not core.vault.is_sealed:
        await core.tokens.tidy()


async def _tidy_copies(core: Core) -> None:
    if not core.vault.is_sealed:
        await core.keys.tidy_copies()


async def stop_jobs(jobs: "list[asyncio.Task[None]]") -> None:
    """Ends them."""
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
