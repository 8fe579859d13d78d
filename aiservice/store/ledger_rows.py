"""Rows into SQLite, many a statement.

SQLite's driver lets go of the interpreter's lock once a statement, and must win it back from the event loop: with a
statement a row, that is most of what a flush costs. Of the rest half is handing over values, so what is the same in
all rows of a statement is handed over once.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Table

from aiservice.tables.ledger import LedgerEntry

NUL = b"\\u0000"  # as JSON has it: no database takes it in a text
Row = Any
"""What is posted: an object with an attribute for each column but `id` (`Settlement`, of the layer above)."""

_ENTRY: Table = LedgerEntry.__table__  # type: ignore[attr-defined]
COLUMNS = tuple(column.name for column in _ENTRY.columns if column.name != "id")
_ROWS_AT_ONCE = (64, 16, 4, 1)
# What may be the same in all rows of a statement: most where one key asks one model for much, less where many do.
_OF_CALLER = {"client_id", "client", "key_id", "provider", "model", "requested_model", "decision", "budgets"}
_OF_KIND = {"task", "surface", "status", "outcome", "is_stream", "usage_source"}
_RARE = {"error_code", "is_usage_invalid", "cache_write_tokens", "cache", "trace_id", "units", "unit"}
_SAME = (frozenset(_OF_CALLER | _OF_KIND | _RARE), frozenset(_OF_KIND | _RARE), frozenset(_RARE), frozenset[str]())
_Getter = Callable[[Row], tuple[Any, ...]]


def insert_rows(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Puts rows that are not in the ledger yet into it, in their order."""
    at = 0
    for count in _ROWS_AT_ONCE:
        while len(rows) - at >= count:
            some = rows[at : at + count]
            names, shared, others = _same_of(some)
            values = list(shared)
            for row in some:
                values += others(row)
                values.append(_attempts_of(row))
            connection.execute(_form(count, names), values)
            at += count


def in_bulk(connection: sqlite3.Connection, form: str, rows: Sequence[Sequence[Any]]) -> None:
    """`form` with as many rows as it takes."""
    at = 0
    for count in _ROWS_AT_ONCE:
        while len(rows) - at >= count:
            connection.execute(_with_rows(form, count, len(rows[at])), [*chain.from_iterable(rows[at : at + count])])
            at += count


def without_nul(attempt: dict[str, Any]) -> dict[str, Any]:
    """An attempt whose texts any database takes."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in attempt.items()}


def _attempts_of(row: Row) -> str:
    attempts = orjson.dumps(row.attempts)
    if NUL in attempts:
        attempts = orjson.dumps([without_nul(attempt) for attempt in row.attempts])
    return attempts.decode()


def _same_of(rows: Sequence[Row]) -> tuple[frozenset[str], tuple[Any, ...], _Getter]:
    """The names of what is the same in all of `rows`, its values, and what gives a row's others but its attempts."""
    first = rows[0]
    for names in _SAME if len(rows) > 1 else _SAME[-1:]:
        same, others = _getters(names)
        shared = same(first)
        if not any(map(shared.__ne__, map(same, rows))):
            return names, shared, others
    raise AssertionError("no value at all is the same in any rows")


@cache
def _getters(names: frozenset[str]) -> tuple[_Getter, _Getter]:
    """What gives a row's values of `names`, and what gives those of all other columns but its attempts, by column."""
    same = [name for name in COLUMNS if name in names]
    others = [name for name in COLUMNS if name not in names and name != "attempts"]
    return attrgetter(*same) if same else _nothing, attrgetter(*others)


def _nothing(_: Row) -> tuple[Any, ...]:
    return ()


@cache
def _form(count: int, names: frozenset[str]) -> str:
    """The statement for `count` rows: first the values that all share, then each row's others, its attempts last."""
    shared = {name: place for place, name in enumerate((name for name in COLUMNS if name in names), 1)}
    own = [name for name in COLUMNS if name not in names and name != "attempts"] + ["attempts"]
    rows = []
    for row in range(count):
        begins = len(shared) + row * len(own) + 1
        places = shared | {name: begins + place for place, name in enumerate(own)}
        rows.append(f"({', '.join(f'?{places[name]}' for name in COLUMNS)})")
    return (
        f"INSERT INTO ledger_entry ({', '.join(COLUMNS)}) VALUES {', '.join(rows)} "  # noqa: S608 - our own names
        "ON CONFLICT (request_id) DO NOTHING"
    )


@cache
def _with_rows(form: str, count: int, width: int) -> str:
    return form % ", ".join([f"({', '.join('?' * width)})"] * count)
