"""Many rows a statement, and what they share once: the ledger holds what a statement a row would have put there."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from aiservice.services.settlement import Settlement
from aiservice.store.ledger import sum_rows
from aiservice.store.ledger_rows import COLUMNS, insert_rows
from aiservice.tables.ledger import LedgerEntry
from tests.services.usage_rows import row_of

_numbers = count()
_texts = st.sampled_from(["", "a", "b", "ü", "x" * 30])
_changes = st.fixed_dictionaries(
    {},
    optional={
        "client_id": _texts,
        "model": _texts,
        "task": _texts,
        "decision": st.none() | _texts,
        "trace_id": st.none() | _texts,
        "budgets": st.none() | _texts,
        "is_stream": st.booleans(),
        "status": st.sampled_from([200, 429, 500]),
        "outcome": st.sampled_from(["finished", "failed", "client_left"]),
        "input_tokens": st.integers(0, 9),
        "cache_write_tokens": st.integers(0, 2),
        "cost_nano_usd": st.none() | st.integers(0, 9),
        "first_byte_us": st.none() | st.integers(0, 10**6),
        "units": st.none() | st.integers(0, 9),
        "attempts": st.lists(st.fixed_dictionaries({"provider": _texts}), max_size=2),
    },
)


def _row(changes: dict[str, Any]) -> Settlement:
    return row_of(f"req_{next(_numbers)}", **changes)


# Long runs that say the same, with something else between them: both are what a statement's form is chosen by.
_batches = st.lists(st.tuples(_changes, st.sampled_from([1, 2, 5, 17, 64, 70])), max_size=4).map(
    lambda runs: [_row(changes) for changes, length in runs for _ in range(length)]
)


def _stored(rows: Sequence[Settlement]) -> list[tuple[Any, ...]]:
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.execute(str(CreateTable(LedgerEntry.__table__).compile(dialect=sqlite.dialect())))  # type: ignore[attr-defined]
        connection.execute("CREATE UNIQUE INDEX requests ON ledger_entry (request_id)")
        insert_rows(connection, rows)
        return connection.execute(f"SELECT {', '.join(COLUMNS)} FROM ledger_entry ORDER BY id").fetchall()


@given(rows=_batches)
@settings(max_examples=25, deadline=None)
def test_every_row_stands_in_the_ledger_as_it_is_and_in_its_order(rows: list[Settlement]) -> None:
    expected = [asdict(row) | {"attempts": orjson.dumps(row.attempts).decode()} for row in rows]
    assert _stored(rows) == [tuple(row[name] for name in COLUMNS) for row in expected]


@given(rows=_batches)
@settings(max_examples=25, deadline=None)
def test_sums_of_many_rows_are_those_of_each_added_up(rows: list[Settlement]) -> None:
    alone: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        ((*key_and_sums,),) = sum_rows([row])
        key, sums = tuple(key_and_sums[:6]), key_and_sums[6:]
        alone[key] = [total + more for total, more in zip(alone.get(key, [0] * len(sums)), sums, strict=True)]
    assert {tuple(minute[:6]): list(minute[6:]) for minute in sum_rows(rows)} == alone
