"""Everything a process of ours works with, opened in order and closed in reverse."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.ids import new_id
from aiservice.services.abuse_judge import AbuseJudge
from aiservice.services.abuse_observing import Observer
from aiservice.services.abuse_replay import AbuseReplay
from aiservice.services.accounts import Accounts
from aiservice.services.alerts import Alerts
from aiservice.services.aliases import Aliases
from aiservice.services.answer_cache import AnswerCache
from aiservice.services.audit import Audit
from aiservice.services.audit_retention import AuditRetention
from aiservice.services.board import Board
from aiservice.services.bodies import Bodies
from aiservice.services.budgets import Budgets
from aiservice.services.cache_policies import CachePolicies
from aiservice.services.cache_seal import CacheSeal
from aiservice.services.cache_tally import CacheTally
from aiservice.services.changes import ChangeFeed
from aiservice.services.client_list import ClientList
from aiservice.services.clients import Clients
from aiservice.services.cluster import Cluster, Node
from aiservice.services.connections import Connections
from aiservice.services.core import Core, set_current_core
from aiservice.services.decision_trace import DecisionTrace
from aiservice.services.decoys import Decoys
from aiservice.services.environment_keys import EnvironmentKeys
from aiservice.services.explain_tokens import ExplainTokens
from aiservice.services.health import ConnectionHealth
from aiservice.services.idempotency import Idempotency
from aiservice.services.job_log import JobLog
from aiservice.services.kept_responses import KeptResponses
from aiservice.services.key_listing import KeyListing
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.key_reveals import KeyReveals
from aiservice.services.key_standing import Refusal
from aiservice.services.keys import Keys
from aiservice.services.leaks import Leaks
from aiservice.services.ledger import Ledger
from aiservice.services.limit_standing import LimitStanding
from aiservice.services.limiter import Limiter
from aiservice.services.limits import Limits
from aiservice.services.management_calls import ManagementCalls
from aiservice.services.own_prices import OwnPrices
from aiservice.services.own_settings import OwnSettings
from aiservice.services.page_copies import PageCopies
from aiservice.services.payloads import Payloads
from aiservice.services.people_list import PeopleList
from aiservice.services.personal_tokens import PersonalTokens
from aiservice.services.preference_trial import PreferenceTrial
from aiservice.services.preferences import Preferences
from aiservice.services.price_list import PriceList
from aiservice.services.prices import Prices
from aiservice.services.probing import Probing
from aiservice.services.provider_keys import ProviderKeys
from aiservice.services.quotas import Quotas
from aiservice.services.replays import Replays
from aiservice.services.request_log import RequestLog
from aiservice.services.resumption import Resumption
from aiservice.services.retention import Purge, Retention
from aiservice.services.routing import Router
from aiservice.services.sanctions import Sanctions
from aiservice.services.semantic_watch import SemanticWatch
from aiservice.services.serving import CHANGE_TOPIC, start_serving
from aiservice.services.shadows import Shadows
from aiservice.services.shared_limits import SharedLimits
from aiservice.services.slices import Slices
from aiservice.services.spending import Spending
from aiservice.services.sso import Sso
from aiservice.services.system import Parts, System
from aiservice.services.teams import Teams
from aiservice.services.tokens import Tokens
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.services.vendors import Vendors
from aiservice.settings import Settings
from aiservice.store.keys import Credential
from aiservice.store.migrations import migrate
from aiservice.store.session import Database
from aiservice.store.shared import Shared
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport

log = logging.getLogger(__name__)


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
    await asyncio.to_thread(settings.data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    before, after = await migrate(settings.effective_database_url, settings.data_dir)
    if before != after:
        log.info("Database migrated from %s to %s.", before or "nothing", after)
    async with AsyncExitStack() as stack:
        core = await _open(settings, stack, node_id or new_id("nod"))
        if is_serving:
            await start_serving(core, stack)
        set_current_core(core)
        stack.callback(set_current_core, None)
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
    accounts = Accounts(db, vault, settings, changes, alerts.mail)
    stack.push_async_callback(accounts.close)
    prices = Prices()
    own_prices = OwnPrices(db, changes, prices)
    keys = Keys(db, vault, changes, KeyPolicy.of(settings))
    sanctions, observer, decoys = Sanctions(db, changes), Observer(db, cluster.worker_id), Decoys(db, alerts)
    stack.push_async_callback(decoys.close)
    keys.check.tell_refused = partial(_key_refused, observer, decoys)
    tokens = Tokens(db, vault, changes, keys.check, settings.public_url)
    stack.push_async_callback(tokens.keys.close)
    leaks = Leaks(db, vault, changes, keys, alerts, revokes=settings.leaked_keys == "revoke")
    await leaks.open(settings)
    bodies = Bodies(db, vault)
    idempotency = Idempotency(db, vault, bodies, cluster.worker_id)
    bodies.tell_shredded = lambda session, client_id: changes.publish(session, "cache", client_id)
    policies, tally = CachePolicies(db, changes), CacheTally(db)
    cache = AnswerCache(policies, tally, vault, CacheSeal(bodies), shared=shared, most_bytes=settings.cache_bytes)
    changes.subscribe(cache.on_change)
    ledger = Ledger(db, settings, price=prices.cost_nano_usd)
    router = Router(health=health, quotas=quotas, prices=prices)
    connections, preferences = Connections(db, vault, changes, upstream), Preferences(db, changes)
    provider_keys, aliases = ProviderKeys(db, vault, changes, connections, upstream), Aliases(db, changes)
    board = Board(settings.data_dir / "workers", node_id, cluster.worker_id)
    limiter = Limiter(_open_shared_limits(settings, vault))
    core = Core(
        settings=settings,
        db=db,
        cluster=cluster,
        board=board,
        shared=shared,
        page_copies=_open_page_copies(settings, vault, stack),
        changes=changes,
        vault=vault,
        bodies=bodies,
        idempotency=idempotency,
        cache=cache,
        semantic=SemanticWatch(policies, alerts),
        payloads=Payloads(db, bodies, changes, settings),
        replays=Replays(db),
        resumption=Resumption(db, idempotency, bodies),
        responses=KeptResponses(db, bodies),
        accounts=accounts,
        sso=Sso(db, vault, settings, changes=changes, upstream=upstream, accounts=accounts),
        people_list=PeopleList(db),
        own_settings=OwnSettings(db, changes),
        clients=Clients(db, changes),
        client_list=ClientList(db),
        teams=Teams(db, changes),
        keys=keys,
        tokens=tokens,
        personal_tokens=PersonalTokens(db, vault, keys.failures),
        management_calls=ManagementCalls(db, vault),
        reveals=KeyReveals(db, keys, alerts),
        leaks=leaks,
        limits=Limits(db, changes),
        limiter=limiter,
        limit_standing=LimitStanding(db, limiter),
        key_listing=KeyListing(db, limiter, keys.policy),
        connections=connections,
        provider_keys=provider_keys,
        environment_keys=EnvironmentKeys(connections),
        vendors=Vendors(db, changes, connections),
        health=health,
        quotas=quotas,
        preferences=preferences,
        trial=PreferenceTrial(db, preferences, aliases, connections.snapshot, router.alike),
        aliases=aliases,
        router=router,
        decisions=DecisionTrace(db),
        explain_tokens=ExplainTokens(vault),
        prices=prices,
        own_prices=own_prices,
        price_list=PriceList(db, own_prices),
        ledger=ledger,
        budgets=Budgets(db, changes),
        spending=Spending(Slices(db, ledger.life, changes, lambda: cluster.live_workers)),
        shadows=Shadows(db, changes),
        probing=Probing(connections, provider_keys, upstream, alerts, settings.probe_every),
        usage=usage,
        requests=RequestLog(db),
        upstream=upstream,
        alerts=alerts,
        sanctions=sanctions,
        observer=observer,
        judge=AbuseJudge(db, sanctions, alerts),
        replay=AbuseReplay(db),
        decoys=decoys,
        job_log=JobLog(),
        system=System(Parts(settings, db, cluster, board, shared, ledger)),
        retention=Retention(db, settings),
        audit=Audit(db, vault),
        audit_retention=AuditRetention(db, vault, settings.audit_kept),
    )
    core.retention.go_by(_purges(core))
    await changes.poll_once()
    await _read(core)
    return core


def _purges(core: Core) -> dict[str, Purge]:
    """What deletes what is past its time, by the names that retention has for it."""
    return {
        "audit": core.audit_retention.prune,
        "bodies": core.bodies.purge,
        "idempotency": core.idempotency.purge,
        "alerts": core.alerts.tidy,
        "sessions": core.accounts.purge,
        "replays": core.replays.purge,
        "shadows": core.shadows.purge,
        "decisions": core.decisions.purge,
        "changes": lambda: core.changes.purge(now_us() - DAY_US),
    }


async def _read(core: Core) -> None:
    """What each service keeps a copy of, for the first time; the change feed sees to it from then on."""
    if not core.vault.is_sealed:  # a database that is not ours to open is not ours to write to
        await core.connections.ensure_sandbox()
    await core.vendors.refresh()
    await core.own_prices.refresh()
    await core.preferences.refresh()
    await core.shadows.refresh()
    await core.cache.policies.refresh()
    await core.aliases.refresh()


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
