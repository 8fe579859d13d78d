"""What only a server needs of the services: its place among the others, its journal, its loops."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from aiservice.providers import registry
from aiservice.services.alert_notes import Severity
from aiservice.services.core import Core
from aiservice.services.sealed_notice import tell_sealed
from aiservice.settings import IMPORTABLE

CHANGE_TOPIC = "change"
FAILURE_TOPIC = "failure"
_DEAD_KEY_SECONDS = 600.0  # an alert of a refused key is over when it was not refused for so long

log = logging.getLogger(__name__)


async def start_serving(core: Core, stack: AsyncExitStack) -> None:
    """Joins the others, opens the journal, starts what runs beside the requests; all of it is ended by `stack`."""
    await core.cluster.join()
    stack.push_async_callback(core.cluster.leave)
    core.board.show("quotas", core.quotas.said)
    core.board.show("health", core.health.said)
    core.health.tell_dead_key = partial(_note_dead_key, core)
    core.board.show("cache", core.cache.tally.said)
    await asyncio.to_thread(core.board.open)
    stack.callback(core.board.close)
    core.board.watch.start()
    await asyncio.to_thread(core.prices.load)
    stack.push_async_callback(core.spending.slices.close)
    await core.ledger.open()
    stack.push_async_callback(core.ledger.close)
    core.spending.slices.start()
    for loop, name in (
        (core.alerts.run(), "alerts"),
        (core.changes.run(), "change-feed"),
        (core.payloads.run(), "payloads"),
        (core.decisions.run(), "decisions"),
    ):
        _start(loop, name, stack)
    _hear_others(core, stack)
    if core.vault.is_sealed:
        log.error("The vault is sealed: %s", core.vault.sealed_reason)
        _start(tell_sealed(core.settings, core.alerts.mail, core.vault.sealed_reason or ""), "sealed notice", stack)
    else:
        await core.alerts.rules.ensure_builtin()
        await core.alerts.channels.ensure_builtin()
        await core.tokens.keys.rotate()
        await core.keys.tidy_copies()
        await core.accounts.start()
        await _offer_provider_keys(core)


def _hear_others(core: Core, stack: AsyncExitStack) -> None:
    """What goes through Redis, where there is one."""
    if core.shared is not None:
        shared, cluster = core.shared, core.cluster
        core.keys.failures.tell = lambda network: shared.tell(FAILURE_TOPIC, b"%s %s" % (own, network.encode()))
        core.keys.failures.sharers = lambda: 1 if shared.is_up else cluster.live_workers
        own = cluster.worker_id.encode()
        topics = (CHANGE_TOPIC, FAILURE_TOPIC)
        _start(shared.run(topics, partial(_hear, core, own), core.changes.poke), "shared", stack)
    if core.limiter.shared is not None:
        core.limiter.sharers = lambda: core.cluster.live_workers
        _start(core.limiter.shared.run(), "shared-limits", stack)


def _start(work: "Coroutine[Any, Any, object]", name: str, stack: AsyncExitStack) -> None:
    stack.push_async_callback(_end_task, asyncio.create_task(work, name=name))


def _hear(core: Core, own: bytes, topic: str, text: bytes) -> None:
    if topic == CHANGE_TOPIC:
        core.changes.poke()
    elif topic == FAILURE_TOPIC:
        worker, _, network = text.partition(b" ")
        if worker != own:
            core.keys.failures.hear(network.decode(errors="replace")[:64])


async def _offer_provider_keys(core: Core) -> None:
    """Says which provider keys of the environment could be imported; none is ever used by itself."""
    found = core.settings.importable_provider_keys
    if not found or any(view.has_key for view in core.connections.snapshot()):
        return
    for name, (kind, base_url) in IMPORTABLE.items():
        if name in found:
            added = kind if kind in registry() else f"openai-compatible --base-url {base_url}"
            log.info(
                '%s is set. To use it: echo "$%s" | python -m aiservice provider add %s --name %s',
                name,
                name,
                added,
                kind,
            )


async def _end_task(task: "asyncio.Task[object]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _note_dead_key(core: Core, connection_id: str, model: str, code: str) -> None:
    """A provider has refused our key or account: the request goes on elsewhere, and somebody should see to it."""
    view = next((view for view in core.connections.snapshot() if view.id == connection_id), None)
    if view is None:
        return
    again = f"set-key {view.name}" if view.key_number == 1 else f"key set {view.name} {view.key_number}"
    what = "says that its account has no credit left" if code == "upstream_quota_exhausted" else "refuses its key"
    core.alerts.note(
        "provider_key_refused",
        view.key_name,
        f"The provider behind '{view.key_name}' {what}. Its requests go to the next in their chains. "
        f"Set a new key with: provider {again}",
        severity=Severity.CRITICAL,
        evidence={"connection": view.name, "model": model, "last_error": code},
        ends_after_seconds=_DEAD_KEY_SECONDS,
    )
