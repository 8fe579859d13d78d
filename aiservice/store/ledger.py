"""SQL of the ledger: rows go in once, and only new ones are summed into minutes.

Statements are text made once: every worker runs them ten times a second, and building them costs more than the rows.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Table, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, StatementError

from aiservice.kit.clock import HOUR_US, MINUTE_US
from aiservice.store.budget_charges import charge_postgres, charge_sqlite, charges_of
from aiservice.store.ledger_rows import COLUMNS, NUL, Row, in_bulk, insert_rows, without_nul
from aiservice.store.session import AsyncSession, Database
from aiservice.tables.ledger import LATENCY_BOUNDS_US, UNIT_SUMS, LedgerEntry, UsageMinute

_ENTRY: Table = LedgerEntry.__table__  # type: ignore[attr-defined]
_MINUTE: Table = UsageMinute.__table__  # type: ignore[attr-defined]
ROLLUP_KEY = tuple(column.name for column in _MINUTE.primary_key)
SUMMED = tuple(column.name for column in _MINUTE.columns if not column.primary_key)

# A status of 499 is a client that left: nobody's error.
_ERRORS = {"failed", "upstream_truncated", "broker_stopped", "interrupted"}
_OWN_IDS = {"request_id", "trace_id", "upstream_id"}  # each row has others, and they fit: their readers see to it
_TEXT_LIMITS: dict[str, int] = {
    column.name: length
    for column in _ENTRY.columns
    if column.name not in _OWN_IDS and (length := getattr(column.type, "length", None))
}


# The names in these statements are those of our own tables; values only ever come as parameters.
_MINUTE_COLUMNS = (*ROLLUP_KEY, *SUMMED)
_ADD_MINUTES_FORM = (
    f"INSERT INTO usage_minute ({', '.join(_MINUTE_COLUMNS)}) VALUES %s "  # noqa: S608
    f"ON CONFLICT ({', '.join(ROLLUP_KEY)}) DO UPDATE SET "
    f"{', '.join(f'{name} = usage_minute.{name} + excluded.{name}' for name in SUMMED)}"
)
_ADD_MINUTES_POSTGRES = text(_ADD_MINUTES_FORM % f"({', '.join(':' + name for name in _MINUTE_COLUMNS)})")
_PLACES = {name: place for place, name in enumerate(SUMMED)}
_REQUESTS, _FAILED, _UNPRICED = _PLACES["requests"], _PLACES["errors"], _PLACES["unpriced"]
_COST, _LATENCY, _FIRST_BUCKET = _PLACES["cost_nano_usd"], _PLACES["latency_us_sum"], _PLACES["latency_0"]
_FALLBACKS, _HUNG_UP, _FIRST_BYTES = _PLACES["fallbacks"], _PLACES["hung_up"], _PLACES["first_0"]
_REFUSED, _LIMITED, _CUT = _PLACES["refused"], _PLACES["limited"], _PLACES["cut"]
_UNIT_PLACES = {unit: _PLACES[name] for unit, name in UNIT_SUMS.items()}
_TOKENS = [
    (_PLACES[name], attrgetter(name))
    for name in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cache_write_tokens")
]
_entry_values = attrgetter(*COLUMNS)
_summed_by = attrgetter("client_id", "key_id", "task", "provider", "model")
_texts = attrgetter(*_TEXT_LIMITS)
# An update, though it changes nothing: it locks the mark, so that a fold that is under way waits for these minutes.
_MARK_HOURS = (
    "INSERT INTO rollup_dirty (start_us) VALUES (%s) ON CONFLICT (start_us) DO UPDATE SET start_us = excluded.start_us"
)
_MARK_HOURS_POSTGRES = text(_MARK_HOURS % ":start_us")
# SQLite has one writer at a time, so what is not there now will not be there when the next statement inserts it.
_KNOWN_SQLITE = "SELECT request_id FROM ledger_entry WHERE request_id IN (SELECT value FROM json_each(?))"
_INSERT_POSTGRES = text(
    f"INSERT INTO ledger_entry ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)} "  # noqa: S608
    "FROM json_populate_recordset(NULL::ledger_entry, CAST(:rows AS json)) "
    "ON CONFLICT (request_id) DO NOTHING RETURNING request_id"
)


# PostgreSQL's classes "data exception" and "integrity constraint violation"; SQLAlchemy names not all of them.
_REFUSED_CLASSES = ("22", "23")


def is_refusal(exc: Exception) -> bool:
    """Whether the database refused the values themselves, so that trying again cannot help."""
    if isinstance(exc, DBAPIError) and str(getattr(exc.orig, "sqlstate", None))[:2] in _REFUSED_CLASSES:
        return True
    return isinstance(exc, IntegrityError | DataError) or type(exc) is StatementError


def is_disk_full(exc: Exception) -> bool:
    """Whether SQLite found no room: its file is on a disk of ours."""
    return isinstance(exc, OperationalError) and "database or disk is full" in str(exc)


async def insert_entries(db: Database, rows: Iterable[Row], holder: str = "") -> set[str]:
    """Inserts rows whose request id is not in the ledger yet, sums exactly those into minutes, charges them to their
    budgets (out of the slices of `holder`), and returns their ids. A unit of work of its own."""
    unique: dict[str, Row] = {}
    for row in rows:
        unique.setdefault(row.request_id, row)
    _fit(unique.values())
    if db.is_sqlite:
        return await db.write_at_once(partial(_insert_sqlite, unique, holder))
    async with db.write() as session:
        return await _insert_postgres(session, unique, holder)


def sum_rows(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """`rows` summed per minute and roll-up key: values of the roll-up's columns, in the order of the keys (so that two
    writers cannot deadlock)."""
    groups: defaultdict[tuple[int, tuple[str, ...]], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.started_us // MINUTE_US, _summed_by(row)].append(row)
    return [(minute * MINUTE_US, *of, *_sums(groups[minute, of])) for minute, of in sorted(groups)]


def _sums(rows: Sequence[Row]) -> list[int]:
    total = [0] * len(SUMMED)
    total[_REQUESTS] = len(rows)
    for place, tokens in _TOKENS:
        total[place] = sum(map(tokens, rows))
    total[_COST] = sum(cost for row in rows if (cost := row.cost_nano_usd))
    for row in rows:
        started_us = row.started_us
        latency = max(0, row.ended_us - started_us)
        total[_LATENCY] += latency
        total[_FIRST_BUCKET + _latency_bucket(latency)] += 1
        first_byte_us = row.first_byte_us
        if first_byte_us is not None:
            total[_FIRST_BYTES + _latency_bucket(first_byte_us - started_us)] += 1
        if row.cost_nano_usd is None:
            total[_UNPRICED] += 1
        if row.units and row.unit in _UNIT_PLACES:
            total[_UNIT_PLACES[row.unit]] += row.units
        if row.outcome != "finished" or row.status >= 400 or len(row.attempts) > 1:
            _count_ending(total, row)
    return total


def _count_ending(total: list[int], row: Row) -> None:
    """How a request ended, and whether where it began."""
    status, outcome, attempts = row.status, row.outcome, row.attempts
    if outcome == "client_left":
        total[_HUNG_UP] += 1
    elif is_error(status, outcome):
        total[_FAILED] += 1
        if status < 400:
            total[_CUT] += 1
        elif status == 429:
            total[_LIMITED] += 1
        elif status < 500:
            total[_REFUSED] += 1
    if len(attempts) > 1 and is_fallback(attempts):
        total[_FALLBACKS] += 1


def is_fallback(attempts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a request ended at another connection or model than it was first tried at."""
    first, last = attempts[0], attempts[-1]
    return bool(first.get("provider") != last.get("provider") or first.get("model") != last.get("model"))


def is_error(status: int, outcome: str) -> bool:
    """Whether a request counts as an error: it failed, and not because its client left."""
    return outcome in _ERRORS or (status >= 400 and outcome != "client_left")


def _latency_bucket(latency_us: int) -> int:
    # The bounds double from 10 ms, so the bucket is a number of bits.
    bits = int(max(latency_us - 1, 0) // LATENCY_BOUNDS_US[0]).bit_length()
    return min(bits, len(LATENCY_BOUNDS_US))


def _insert_sqlite(rows: Mapping[str, Row], holder: str, connection: sqlite3.Connection) -> set[str]:
    known = {row[0] for row in connection.execute(_KNOWN_SQLITE, (orjson.dumps(list(rows)).decode(),))}
    if known:
        rows = {request_id: row for request_id, row in rows.items() if request_id not in known}
    insert_rows(connection, list(rows.values()))
    minutes = sum_rows(rows.values())
    in_bulk(connection, _ADD_MINUTES_FORM, minutes)
    connection.executemany(_MARK_HOURS % "?", [(hour,) for hour in _hours(minutes)])
    if charges := charges_of(rows.values()):
        charge_sqlite(connection, charges, holder)
    return set(rows)


async def _insert_postgres(session: AsyncSession, rows: Mapping[str, Row], holder: str) -> set[str]:
    named = [dict(zip(COLUMNS, _entry_values(row), strict=True)) for row in rows.values()]
    document = orjson.dumps(named)
    if NUL in document:  # in what attempts say: other texts are made to fit before
        without = [{**row, "attempts": [without_nul(each) for each in row["attempts"]]} for row in named]
        document = orjson.dumps(without)
    new = set((await session.execute(_INSERT_POSTGRES, {"rows": document.decode()})).scalars())
    minutes = sum_rows(row for request_id, row in rows.items() if request_id in new)
    if minutes:
        summed = [dict(zip(_MINUTE_COLUMNS, minute, strict=True)) for minute in minutes]
        await session.execute(_ADD_MINUTES_POSTGRES, summed)
        await session.execute(_MARK_HOURS_POSTGRES, [{"start_us": hour} for hour in _hours(minutes)])
    if charges := charges_of(row for request_id, row in rows.items() if request_id in new):
        await charge_postgres(session, charges, holder)
    return new


def _hours(minutes: Iterable[tuple[Any, ...]]) -> list[int]:
    return sorted({minute[0] // HOUR_US * HOUR_US for minute in minutes})


def _fit(rows: Iterable[Row]) -> None:
    """Cuts texts to their columns and takes NUL out (of attempts later): a row that PostgreSQL refuses would hold up
    all behind it."""
    fine: set[tuple[str | None, ...]] = set()  # most rows of a batch say the same
    for row in rows:
        texts = _texts(row)
        if texts not in fine:
            fitting = tuple(map(_fitted, texts, _TEXT_LIMITS.values()))
            for name, text_ in zip(_TEXT_LIMITS, fitting, strict=True):
                setattr(row, name, text_)
            fine.add(fitting)


def _fitted(value: str | None, length: int) -> str | None:
    return value.replace("\0", "")[:length] if value is not None else None
