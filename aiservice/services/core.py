"""The services of one process, and the one that is open in this process."""

from dataclasses import dataclass

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
from aiservice.services.changes import ChangeFeed
from aiservice.services.client_list import ClientList
from aiservice.services.clients import Clients
from aiservice.services.cluster import Cluster
from aiservice.services.connections import Connections
from aiservice.services.decision_trace import DecisionTrace
from aiservice.services.decoys import Decoys
from aiservice.services.environment_keys import EnvironmentKeys
from aiservice.services.explain_tokens import ExplainTokens
from aiservice.services.health import ConnectionHealth
from aiservice.services.idempotency import Idempotency
from aiservice.services.job_log import JobLog
from aiservice.services.kept_responses import KeptResponses
from aiservice.services.key_listing import KeyListing
from aiservice.services.key_reveals import KeyReveals
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
from aiservice.services.retention import Retention
from aiservice.services.routing import Router
from aiservice.services.sanctions import Sanctions
from aiservice.services.semantic_watch import SemanticWatch
from aiservice.services.shadows import Shadows
from aiservice.services.spending import Spending
from aiservice.services.sso import Sso
from aiservice.services.system import System
from aiservice.services.teams import Teams
from aiservice.services.tokens import Tokens
from aiservice.services.usage import Usage
from aiservice.services.vault import Vault
from aiservice.services.vendors import Vendors
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.store.shared import Shared
from aiservice.upstream.client import Upstream


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
    cache: AnswerCache
    semantic: SemanticWatch
    payloads: Payloads
    replays: Replays
    resumption: Resumption
    responses: KeptResponses
    accounts: Accounts
    sso: Sso
    people_list: PeopleList
    own_settings: OwnSettings
    clients: Clients
    client_list: ClientList
    teams: Teams
    keys: Keys
    key_listing: KeyListing
    limits: Limits
    limiter: Limiter
    limit_standing: LimitStanding
    tokens: Tokens
    personal_tokens: PersonalTokens
    management_calls: ManagementCalls
    reveals: KeyReveals
    leaks: Leaks
    connections: Connections
    provider_keys: ProviderKeys
    environment_keys: EnvironmentKeys
    vendors: Vendors
    health: ConnectionHealth
    quotas: Quotas
    preferences: Preferences
    trial: PreferenceTrial
    aliases: Aliases
    router: Router
    decisions: DecisionTrace
    explain_tokens: ExplainTokens
    prices: Prices
    own_prices: OwnPrices
    price_list: PriceList
    ledger: Ledger
    budgets: Budgets
    spending: Spending
    shadows: Shadows
    probing: Probing
    usage: Usage
    requests: RequestLog
    upstream: Upstream
    sanctions: Sanctions
    observer: Observer
    judge: AbuseJudge
    replay: AbuseReplay
    decoys: Decoys
    job_log: JobLog
    system: System
    retention: Retention
    audit: Audit
    audit_retention: AuditRetention
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


def set_current_core(core: Core | None) -> None:
    """From now on `core` is this process'; None: it is closed. `opening.open_core` alone does this."""
    global _current  # noqa: PLW0603 - handlers that frameworks call have no other way to it
    _current = core
