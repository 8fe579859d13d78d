"""What runs here: versions, workers, stores, settings with their source. For admins."""

from typing import Annotated, Any

from aiservice import __version__
from aiservice.management.models import At, Told, at, one_of
from aiservice.management.rows import Call, Row
from aiservice.services.cluster import WorkerView
from aiservice.services.examination import Finding
from aiservice.services.system import Health


class StoreHealth(Told):
    used: bool
    up: bool
    ping_ms: float
    words: str


class WorkerTold(Told):
    id: str
    node: str
    host: str
    process: int
    alive: bool
    silent_seconds: float
    started_at: At


class SystemTold(Told):
    """`ledger_lag_seconds` is the age of the oldest settled request that is not in the database yet. `jobs` are the
    clock's work, by name."""

    version: str
    versions: dict[str, str]
    schema_revision: str
    schema_current: bool
    workers: list[WorkerTold]
    database: StoreHealth
    redis: StoreHealth
    sealed_because: str | None
    requests_in_flight: int
    ledger_waiting_rows: int
    ledger_lag_seconds: float
    ledger_failure: str | None
    jobs: dict[str, dict[str, Any]]


class SettingTold(Told):
    """Of a secret it is only said whether it is set."""

    name: str
    value: str
    source: str


class SettingsTold(Told):
    data: list[SettingTold]


class FindingTold(Told):
    name: str
    state: Annotated[str, one_of("ok", "warn", "fail")]
    message: str
    next_step: str | None


class Examination(Told):
    data: list[FindingTold]


async def get(call: Call) -> SystemTold:
    facts = await call.core.system.look(call.me)
    return SystemTold(
        version=__version__,
        versions=dict(facts.versions),
        schema_revision=facts.schema,
        schema_current=facts.schema_is_current,
        workers=[_worker(one) for one in facts.workers],
        database=_store(facts.database),
        redis=_store(facts.redis),
        sealed_because=call.core.vault.sealed_reason,
        requests_in_flight=facts.ledger.in_flight,
        ledger_waiting_rows=facts.ledger.waiting_rows,
        ledger_lag_seconds=facts.ledger.lag_seconds,
        ledger_failure=facts.ledger.failure or None,
        jobs=facts.jobs,
    )


async def settings(call: Call) -> SettingsTold:
    found = await call.core.system.settings(call.me)
    return SettingsTold(data=[SettingTold(name=one.name, value=one.value, source=one.source) for one in found])


async def examine(call: Call) -> Examination:
    return Examination(data=[_finding(one) for one in await call.core.system.examine(call.me)])


def _worker(one: WorkerView) -> WorkerTold:
    return WorkerTold(
        id=one.id,
        node=one.node_id,
        host=one.host,
        process=one.pid,
        alive=one.is_alive,
        silent_seconds=one.silent_seconds,
        started_at=at(one.started_us),
    )


def _store(one: Health) -> StoreHealth:
    return StoreHealth(used=one.is_used, up=one.is_up, ping_ms=one.ping_ms, words=one.words)


def _finding(one: Finding) -> FindingTold:
    return FindingTold(name=one.name, state=one.state, message=one.message, next_step=one.next_step or None)


ROWS = (
    Row("GET", "/api/system", "system.get", get, "Versions, workers, and how the stores do"),
    Row("GET", "/api/system/settings", "system.get", settings, "Every setting, and where it comes from"),
    Row("POST", "/api/system/examine", "system.examine", examine, "What `doctor` finds", reads=True),
)
