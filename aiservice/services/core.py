"""Everything a process of ours works with, opened in order and closed in reverse."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiservice.kit.ids import new_id
from aiservice.providers import registry
from aiservice.services.abuse_judge import AbuseJudge
from aiservice.services.abuse_observing import Observer
from aiservice.services.abuse_replay import AbuseReplay
from aiservice.services.accounts import Accounts
from aiservice.services.alerts import Alerts
from aiservice.services.audit import Audit
from aiservice.services.board import Board
from aiservice.services.bodies import Bodies
from aiservice.services.budgets import Budgets
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import Clients
from aiservice.services.cluster import Cluster, Node
from aiservice.services.connections import Connections
from aiservice.services.decoys import Decoys
from aiservice.services.health import ConnectionHealth
from aiservice.services.idempotency import Idempotency
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.key_reveals import KeyReveals
from aiservice.services.key_standing import Refusal
from aiservice.services.keys import Keys
from aiservice.services.leaks import Leaks
from aiservice.services.ledger import Ledger
from aiservice.services.limit_standing import LimitStanding
from aiservice.services.limiter import Limiter
from aiservice.services.limits import Limits
from aiservice.services.page_copies import PageCopies
from aiservice.services.payloads import Payloads
from aiservice.services.preferences import Preferences
from aiservice.services.prices import Prices
from aiservice.services.quotas import Quotas
from aiservice.services.replays import Replays
from aiservice.services.request_log import RequestLog
from aiservice.services.sanctions import Sanctions
from aiservice.services.shared_limits import SharedLimits
from aiservice.services.slices import Slices
from aiservice.services.spending import Spending
from aiservice.services.teams import Teams
from aiservice.services.tokens import Tokens
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.settings import IMPORTABLE, Settings
from aiservice.store.keys import Credential
from aiservice.store.migrations import migrate
from aiservice.store.session import Database
from aiservice.store.shared import Shared
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport

CHANGE_TOPIC = "change"
FAILURE_TOPIC = "failure"

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class Core:
    """The services of one process, ready to use."""

    settings: Settings
    db: Database
    cluster: Cluster
    board: Board
    shared: Shared | None
    page_copies: PageCopies | None
    changes: ChangeFeed
    vault: Vault
    bodies: Bodies
    idempotency: Idempotency
    payloads: Payloads
    replays: Replays
    accounts: Accounts
    clients: Clients
    teams: Teams
    keys: Keys
    limits: Limits
    limiter: Limiter
    limit_standing: LimitStanding
    tokens: Tokens
    reveals: KeyReveals
    leaks: Leaks
    connections: Connections
    health: ConnectionHealth
    quotas: Quotas
    preferences: Preferences
    prices: Prices
    ledger: Ledger
    budgets: Budgets
    spending: Spending
    usage: Usage
    requests: RequestLog
    upstream: Upstream
    sanctions: Sanctions
    observer: Observer
    judge: AbuseJudge
    replay: AbuseReplay
    decoys: Decoys
    audit: Audit
    alerts: Alerts


_current: Core | None = None


def current_core() -> Core:
    """The core of this process.

    Raises:
        RuntimeError: it is not open (before the server's start, after its end).
    """
    if _current is None:
        raise RuntimeError("the services are not open in this process")
    return _current


@asynccontextmanager
async def open_core(settings: Settings, *, is_serving: bool = False, node_id: str = "") -> AsyncIterator[Core]:
    """Opens the services: database migrated, vault unlocked (or sealed, which is no error), caches read.

    With `is_serving` also what only a server needs: its place among the others, the journal, the change feed's loop,
    the first admin. Workers of one server have the same `node_id`.

    Raises:
        SecondServer: another server is alive on this database, and one of the two has no Redis.
        SettingsError, MasterKeyError: the settings do not allow a start; the message says what to do.
        NewerDatabase: the database belongs to a newer release.
    """
    global _current  # noqa: PLW0603 - handlers that frameworks call have no other way to it
    await asyncio.to_thread(settings.data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    before, after = await migrate(settings.effective_database_url, settings.data_dir)
    if before != after:
        log.info("Database migrated from %s to %s.", before or "nothing", after)
    async with AsyncExitStack() as stack:
        core = await _open(settings, stack, node_id or new_id("nod"))
        if is_serving:
            await _start_serving(core, stack)
        _current = core
        stack.callback(_forget)
        yield core


async def _open(settings: Settings, stack: AsyncExitStack, node_id: str) -> Core:
    db = Database(settings.effective_database_url)
    stack.push_async_callback(db.close)
    cluster = Cluster(db, Node(node_id, settings.redis_url is not None))
    changes = ChangeFeed(db)
    vault = Vault(db, settings)
    await vault.open()
    changes.subscribe(vault.on_change)
    shared = _open_shared(settings, vault, stack)
    if shared is not None:
        changes.tell_others_with(partial(shared.tell, CHANGE_TOPIC))
    upstream = Upstream(SocketTransport(settings.deadlines), settings.deadlines)
    stack.push_async_callback(upstream.close)
    usage = Usage(db)
    alerts = Alerts(db, vault, usage, upstream, settings, worker=cluster.worker_id)
    stack.push_async_callback(alerts.close)
    health = ConnectionHealth()
    quotas = Quotas()
    quotas.sharers = lambda: cluster.live_workers
    changes.subscribe(partial(_forget_connection, upstream, health))
    accounts = Accounts(db, vault, settings, changes)
    stack.push_async_callback(accounts.close)
    prices = Prices()
    keys = Keys(db, vault, changes, KeyPolicy.of(settings))
    sanctions, observer, decoys = Sanctions(db, changes), Observer(db, cluster.worker_id), Decoys(db, alerts)
    stack.push_async_callback(decoys.close)
    keys.check.tell_refused = partial(_key_refused, observer, decoys)
    tokens = Tokens(db, vault, changes, keys.check, settings.public_url)
    stack.push_async_callback(tokens.keys.close)
    leaks = Leaks(db, vault, changes, keys, alerts, revokes=settings.leaked_keys == "revoke")
    await leaks.open(settings)
    bodies = Bodies(db, vault)
    ledger = Ledger(db, settings)
    limiter = Limiter(_open_shared_limits(settings, vault))
    core = Core(
        settings=settings,
        db=db,
        cluster=cluster,
        board=Board(settings.data_dir / "workers", node_id, cluster.worker_id),
        shared=shared,
        page_copies=_open_page_copies(settings, vault, stack),
        changes=changes,
        vault=vault,
        bodies=bodies,
        idempotency=Idempotency(db, vault, bodies, cluster.worker_id),
        payloads=Payloads(db, bodies, changes, settings),
        replays=Replays(db),
        accounts=accounts,
        clients=Clients(db, changes),
        teams=Teams(db, changes),
        keys=keys,
        tokens=tokens,
        reveals=KeyReveals(db, keys, alerts),
        leaks=leaks,
        limits=Limits(db, changes),
        limiter=limiter,
        limit_standing=LimitStanding(db, limiter),
        connections=Connections(db, vault, changes, upstream),
        health=health,
        quotas=quotas,
        preferences=Preferences(db, changes),
        prices=prices,
        ledger=ledger,
        budgets=Budgets(db, changes),
        spending=Spending(Slices(db, ledger.life, changes, lambda: cluster.live_workers)),
        usage=usage,
        requests=RequestLog(db),
        upstream=upstream,
        alerts=alerts,
        sanctions=sanctions,
        observer=observer,
        judge=AbuseJudge(db, sanctions, alerts),
        replay=AbuseReplay(db),
        decoys=decoys,
        audit=Audit(db, vault),
    )
    await changes.poll_once()
    if not vault.is_sealed:  # a database that is not ours to open is not ours to write to
        await core.connections.ensure_sandbox()
    await core.connections.refresh()
    await core.preferences.refresh()
    return core


def _key_refused(observer: Observer, decoys: Decoys, row: Credential, refusal: Refusal, address: str) -> None:
    """What was tried with whose key: a decoy's alarm, and what the watch for abuse counts."""
    if refusal is Refusal.DECOY:
        decoys.used(row.key_id, row.client_id, row.public_id or "", address)
    elif row.public_id is not None and refusal in (Refusal.UNKNOWN, Refusal.EXPIRED, Refusal.REVOKED):
        observer.failure(row.client_id)


def _forget_connection(upstream: Upstream, health: ConnectionHealth, kind: str, subject: str) -> None:
    if kind == "connection":
        upstream.forget(subject)
        health.forget(subject)


def _open_shared(settings: Settings, vault: Vault, stack: AsyncExitStack) -> Shared | None:
    """Redis, where there is one; installations that have one Redis between them do not hear each other."""
    if settings.redis_url is None:
        return None
    namespace = "sealed" if vault.is_sealed else vault.derive(b"redis namespace")[:8].hex()
    shared = Shared(settings.redis_url, namespace)
    stack.push_async_callback(shared.close)
    return shared


def _open_shared_limits(settings: Settings, vault: Vault) -> SharedLimits | None:
    if settings.redis_url is None or vault.is_sealed:
        return None
    return SharedLimits(settings.redis_url, vault.derive(b"redis namespace")[:8].hex())


def _open_page_copies(settings: Settings, vault: Vault, stack: AsyncExitStack) -> PageCopies | None:
    url = settings.effective_portal_redis_url
    if url is None or vault.is_sealed:
        return None
    shared = Shared(url, vault.derive(b"redis namespace")[:8].hex())
    stack.push_async_callback(shared.close)
    return PageCopies(shared, vault.derive(b"copies of page states v1"))


async def _start_serving(core: Core, stack: AsyncExitStack) -> None:
    await core.cluster.join()
    stack.push_async_callback(core.cluster.leave)
    core.board.show("quotas", core.quotas.said)
    await asyncio.to_thread(core.board.open)
    stack.callback(core.board.close)
    core.board.watch.start()
    await asyncio.to_thread(core.prices.load)
    stack.push_async_callback(core.spending.slices.close)
    await core.ledger.open()
    stack.push_async_callback(core.ledger.close)
    core.spending.slices.start()
    writing = asyncio.create_task(core.alerts.run(), name="alerts")
    stack.push_async_callback(_end_task, writing)
    feed = asyncio.create_task(core.changes.run(), name="change-feed")
    stack.push_async_callback(_end_task, feed)
    keeping = asyncio.create_task(core.payloads.run(), name="payloads")
    stack.push_async_callback(_end_task, keeping)
    if core.shared is not None:
        shared, cluster = core.shared, core.cluster
        core.keys.failures.tell = lambda network: shared.tell(FAILURE_TOPIC, b"%s %s" % (own, network.encode()))
        core.keys.failures.sharers = lambda: 1 if shared.is_up else cluster.live_workers
        own = cluster.worker_id.encode()
        topics = (CHANGE_TOPIC, FAILURE_TOPIC)
        hearing = asyncio.create_task(shared.run(topics, partial(_hear, core, own), core.changes.poke))
        stack.push_async_callback(_end_task, hearing)
    if core.limiter.shared is not None:
        core.limiter.sharers = lambda: core.cluster.live_workers
        counting = asyncio.create_task(core.limiter.shared.run(), name="shared-limits")
        stack.push_async_callback(_end_task, counting)
    if core.vault.is_sealed:
        log.error("The vault is sealed: %s", core.vault.sealed_reason)
    else:
        await core.alerts.rules.ensure_builtin()
        await core.alerts.channels.ensure_builtin()
        await core.tokens.keys.rotate()
        await core.keys.tidy_copies()
        await core.accounts.start()
        await _offer_provider_keys(core)


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


async def _end_task(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _forget() -> None:
    global _current  # noqa: PLW0603 - as in open_core
    _current = None
