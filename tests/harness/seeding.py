# ruff: noqa: E501 - SQL is read as SQL
"""A ledger as a busy month leaves it, made inside the database: five million rows in a minute or two.

Everything follows from the row's number, so a seeded database is the same every time: 200 keys of 40 clients, the first
of which do most; a few tasks, models and providers a key; three rows in a hundred that failed, and two or three that were
tried twice; one in twelve that the cache had a part in, one in ten with a trace. Once in 50 000 rows comes
a value nothing else has (`RARE`), since what is rare is what is dear to look for. Minutes are summed by SQL, hours and days by
the product's own job.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text

from aiservice.jobs.rollup import fold
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US
from aiservice.services.usage import Usage
from aiservice.store.ledger import ROLLUP_KEY
from aiservice.store.ledger import SUMMED as EVERY_SUM
from aiservice.store.session import AsyncSession, Database, open_engine
from aiservice.tables.ledger import LATENCY_BOUNDS_US, UNIT_SUMS

KEYS, CLIENTS, PEOPLE, MODELS, DAYS = 200, 40, 20, 12, 30
DECISIONS = 500
RARE = "rare"
RARE_EVERY = 50_000
SUMMED = tuple(name for name in EVERY_SUM if name not in UNIT_SUMS.values())  # chats alone are seeded
_CHUNK = 50_000  # rows a statement: the product's engine gives one half a minute


@dataclass(slots=True, frozen=True)
class Month:
    """What was seeded: `rows` requests begun evenly over [start_us, end_us), by `keys` of `clients`."""

    rows: int
    start_us: int
    end_us: int
    keys: int = KEYS
    clients: int = CLIENTS


async def seed_month(
    database: Database, rows: int, end_us: int, *, keys: int = KEYS, clients: int = CLIENTS, is_summed: bool = True
) -> Month:
    """Fills a migrated, empty database with the `DAYS` days before `end_us` (cut to its minute), and, if it `is_summed`,
    the roll-ups of them."""
    end_us = end_us // MINUTE_US * MINUTE_US
    month = Month(rows, end_us - DAYS * DAY_US, end_us, keys, clients)
    async with database.write() as session:
        await _add_people(session, month)
    async with _indexed_afterwards(database, "ledger_entry"):
        for first in range(0, rows, _CHUNK):
            async with database.write() as session:
                await session.execute(text(_entries(month, first, min(first + _CHUNK, rows), database.is_sqlite)))
    if is_summed:
        await _sum(database, month)
    await settle_down(database)
    return month


async def _sum(database: Database, month: Month) -> None:
    for start_us in range(month.start_us, month.end_us, 6 * HOUR_US):
        async with database.write() as session:
            end_us = min(start_us + 6 * HOUR_US, month.end_us)
            await session.execute(text(_MINUTES), {"start": start_us, "end": end_us})
    async with _indexed_afterwards(database, "usage_hour", "usage_day"):
        # Day by day: of hours of two days at once the job makes both days, and each day twice.
        for day in range(month.start_us // DAY_US * DAY_US, month.end_us, DAY_US):
            begin, end = max(day, month.start_us // HOUR_US * HOUR_US), min(day + DAY_US, month.end_us)
            async with database.write() as session:
                hours = [{"at": at} for at in range(begin, end, HOUR_US)]
                await session.execute(text("INSERT INTO rollup_dirty (start_us) VALUES (:at)"), hours)
            await fold(Usage(database))


@asynccontextmanager
async def _indexed_afterwards(database: Database, *tables: str) -> AsyncIterator[None]:
    """Meanwhile PostgreSQL keeps no index of these tables but their primary keys: over rows that are there one is made
    quicker than row by row. In SQLite, where there are fewer rows, they stay."""
    if database.is_sqlite:
        yield
        return
    async with database.read() as session:
        found = (await session.execute(text(_INDEXES), {"tables": list(tables)})).all()
    await _freely(database, [f"DROP INDEX {name}" for name, _ in found])
    yield
    await _freely(database, ["SET maintenance_work_mem = '512MB'", *(made for _, made in found)])


_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(:tables)
    AND indexname NOT IN (SELECT conname FROM pg_constraint)"""


async def _add_people(session: AsyncSession, month: Month) -> None:
    people = [{"id": f"usr_{n}", "email": f"p{n}@example.org"} for n in range(PEOPLE)]
    await session.execute(
        text(
            "INSERT INTO person (id, email, password_hash, role, is_disabled, created_us) "
            "VALUES (:id, :email, '', 'developer', false, 1)"
        ),
        people,
    )
    clients = [
        {"id": f"cli_{1000 + n}", "name": f"client {n}", "owner": f"usr_{n % PEOPLE}"} for n in range(month.clients)
    ]
    await session.execute(
        text("INSERT INTO client (id, name, owner_id, is_disabled, created_us) VALUES (:id, :name, :owner, false, 1)"),
        clients,
    )
    keys = [
        {"id": f"key_{1000 + n}", "client": f"cli_{1000 + n % month.clients}", "name": f"key {n}"}
        for n in range(month.keys)
    ]
    keys.append({"id": f"key_{RARE}", "client": "cli_1000", "name": "the rare one"})
    await session.execute(
        text(
            "INSERT INTO client_key (id, client_id, name, is_test, created_us) VALUES (:id, :client, :name, false, 1)"
        ),
        keys,
    )


async def seed_keys(database: Database, count: int, at_us: int) -> None:
    """That many keys more, of the clients that `seed_month` has made: a tenth revoked, a twentieth expired, one in 500 in
    the middle of being rolled. Each was asked with on one of the last 30 days."""
    series = numbers(0, count, is_sqlite=database.is_sqlite)
    day, at = at_us // DAY_US * DAY_US, f"CAST({at_us} AS BIGINT)"
    number, client = "CAST(100000000 + n AS TEXT)", f"'cli_' || CAST(1000 + n % {CLIENTS} AS TEXT)"
    digest = "x'00'" if database.is_sqlite else "decode('00', 'hex')"
    counts = ", ".join("5" if name == "requests" else "1" for name in SUMMED)
    statements = [
        f"""INSERT INTO client_key (id, client_id, name, is_test, is_decoy, created_us, expires_us, revoked_us, last_used_us)
{series} SELECT 'key_a' || {number}, {client}, 'service ' || CAST(n AS TEXT), false, false, {at} - n,
    CASE WHEN n % 20 = 3 THEN {at} - 1 END, CASE WHEN n % 10 = 1 THEN {at} - 1 END, {at} - n FROM numbers""",
        f"""INSERT INTO key_secret (public_id, key_id, digest, pepper_version, created_us)
{series} SELECT 'n' || {number}, 'key_a' || {number}, {digest}, 1, {at} - n FROM numbers""",
        f"""INSERT INTO key_secret (public_id, key_id, digest, pepper_version, created_us, expires_us)
{series} SELECT 'o' || {number}, 'key_a' || {number}, {digest}, 1, {at} - n - 9, {at} + {HOUR_US} FROM numbers
WHERE n % 500 = 7""",
        f"""INSERT INTO usage_day ({", ".join((*ROLLUP_KEY, *SUMMED))})
{series} SELECT {day} - n % {DAYS} * CAST({DAY_US} AS BIGINT), {client}, 'key_a' || {number}, 'chat', 'p', 'm', {counts}
FROM numbers""",
    ]
    for statement in statements:
        async with database.write() as session:
            await session.execute(text(statement))
    await settle_down(database)


def numbers(first: int, end: int, *, is_sqlite: bool) -> str:
    """A table `numbers` with the one column `n`, of [first, end), to begin a query with."""
    if is_sqlite:
        return f"WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {end})"
    return f"WITH numbers AS (SELECT n FROM generate_series(CAST({first} AS BIGINT), {end - 1}) AS n)"


def _entries(month: Month, first: int, end: int, is_sqlite: bool) -> str:
    step_us = (month.end_us - month.start_us) // month.rows
    return f"""
INSERT INTO ledger_entry (request_id, client_id, client, key_id, task, surface, provider, model, requested_model, status,
    outcome, error_code, is_stream, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens,
    reasoning_tokens, usage_source, is_usage_invalid, cost_nano_usd, started_us, first_byte_us, ended_us, attempts,
    overhead_us, cache, decision, trace_id, upstream_id)
{numbers(first, end, is_sqlite=is_sqlite)},
drawn AS (
    SELECT n, n % {RARE_EVERY} = 17 AS is_rare, n * 7919 % 1000003 % 1000000 AS a, n * 104729 % 1000003 % 1000 AS b,
        n * 15485863 % 1000003 % 1000 AS c, n * 32452843 % 1000003 % 1000 AS d FROM numbers
),
keyed AS (
    SELECT *, a * a / 1000000 * (a * a / 1000000) / 1000000 * {month.keys} / 1000000 AS k FROM drawn
),
chosen AS (
    SELECT *, (k * 7 + b * b * 3 / 1000000) % {MODELS} AS m, 20000 + c * c * 4 AS took_us,
        CASE WHEN d >= 30 THEN 'finished' WHEN d >= 15 THEN 'failed' WHEN d >= 5 THEN 'client_left'
            ELSE 'upstream_truncated' END AS outcome,
        {month.start_us} + n * {step_us} AS at_us FROM keyed
)
SELECT 'req_' || CAST(1000000000 + n AS TEXT),
    CASE WHEN is_rare THEN 'cli_1000' ELSE 'cli_' || CAST(1000 + k % {month.clients} AS TEXT) END,
    'client ' || CAST(k % {month.clients} AS TEXT),
    CASE WHEN is_rare THEN 'key_{RARE}' ELSE 'key_' || CAST(1000 + k AS TEXT) END,
    CASE WHEN is_rare THEN '{RARE}' WHEN (k + b / 700) % 3 = 0 THEN 'chat' WHEN (k + b / 700) % 3 = 1 THEN 'summarization'
        ELSE 'embedding' END,
    CASE WHEN k % 2 = 0 THEN 'openai-chat' ELSE 'ai-service' END,
    CASE WHEN is_rare THEN '{RARE}' ELSE 'provider-' || CAST(m % 5 AS TEXT) END,
    CASE WHEN is_rare THEN '{RARE}' ELSE 'model-' || CAST(m AS TEXT) END,
    'auto',
    CASE outcome WHEN 'failed' THEN CASE WHEN d = 29 THEN 504 WHEN d >= 22 THEN 429 ELSE 502 END
        WHEN 'client_left' THEN 499 ELSE 200 END,
    outcome,
    CASE outcome WHEN 'finished' THEN NULL WHEN 'failed' THEN 'provider_error' ELSE outcome END,
    b % 2 = 0,
    100 + b * 3, c, b / 10, 0, 0,
    CASE WHEN d % 10 = 0 THEN 'counted' ELSE 'reported' END,
    false,
    CASE WHEN m = 11 THEN NULL ELSE b * 1000 + c * 4000 END,
    at_us, CASE WHEN b % 2 = 0 THEN at_us + took_us / 4 END, at_us + took_us,
    {"" if is_sqlite else "CAST("}'[' || CASE WHEN d % 40 = 7 THEN '{{"provider"\\:"away","model"\\:"none","status"\\:503,"start_ms"\\:1,"ms"\\:9,'
        || '"reason"\\:"preference 1","code"\\:"provider_failed"}},' ELSE '' END
        || '{{"provider"\\:"provider-' || CAST(m % 5 AS TEXT) || '","model"\\:"model-' || CAST(m AS TEXT)
        || '","status"\\:200,"start_ms"\\:1,"ms"\\:' || CAST(took_us / 1000 AS TEXT) || ',"reason"\\:"preference 1","code"\\:null}}]'{"" if is_sqlite else " AS JSON)"},
    500 + c, CASE c % 25 WHEN 0 THEN 'hit' WHEN 1 THEN 'miss' END, 'dec_' || CAST(k % {DECISIONS} AS TEXT),
    CASE WHEN b % 10 = 0 THEN '0af7651916cd43dd84' || CAST(10000000000000 + n AS TEXT) END, 'req_up_' || CAST(n AS TEXT)
FROM chosen ORDER BY n"""


def _histogram(took: str) -> str:
    low, cases = -1, []
    for bound in (*LATENCY_BOUNDS_US, None):
        upper = f" AND {took} <= {bound}" if bound is not None else ""
        cases.append(f"SUM(CASE WHEN {took} > {low}{upper} THEN 1 ELSE 0 END)")
        low = bound or low
    return ", ".join(cases)


def _count(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"


_FAILED = "outcome IN ('failed', 'upstream_truncated', 'broker_stopped', 'interrupted')"
_MINUTES = f"""
INSERT INTO usage_minute ({", ".join((*ROLLUP_KEY, *SUMMED))})
SELECT started_us - started_us % {MINUTE_US}, client_id, key_id, task, provider, model, COUNT(*),
    {_count(f"{_FAILED} OR (status >= 400 AND outcome <> 'client_left')")},
    SUM(CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END), SUM(input_tokens), SUM(output_tokens),
    SUM(cached_input_tokens), SUM(reasoning_tokens), COALESCE(SUM(cost_nano_usd), 0), SUM(ended_us - started_us),
    {_histogram("ended_us - started_us")}, SUM(cache_write_tokens),
    {_count("CAST(attempts AS TEXT) LIKE '%away%'")},
    {_count("outcome <> 'client_left' AND status BETWEEN 400 AND 499 AND status <> 429")},
    {_count("outcome <> 'client_left' AND status = 429")}, {_count(f"{_FAILED} AND status < 400")},
    {_count("outcome = 'client_left'")}, {_histogram("first_byte_us - started_us")}
FROM ledger_entry WHERE started_us >= :start AND started_us < :end GROUP BY 1, 2, 3, 4, 5, 6"""


async def settle_down(database: Database) -> None:
    """What PostgreSQL does by itself in time: statistics, and the map of what all can see. SQLite does nothing."""
    if database.is_sqlite:
        return
    await _freely(database, ["VACUUM (ANALYZE)"])


async def _freely(database: Database, statements: Iterable[str]) -> None:
    """Runs what takes longer than the product's engine allows, and what may not be in a transaction."""
    url = database.engine.url.render_as_string(hide_password=False)
    engine = open_engine(url, is_writer=False, is_pooled=False, statement_seconds=None)
    async with engine.connect() as connection:
        free = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            await free.exec_driver_sql(statement)
