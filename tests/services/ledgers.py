"""Ledgers to test with: opened small, filled, crashed, read back."""

import json
import os
from typing import Any

from sqlalchemy import text

from aiservice.services.ledger import Ledger
from aiservice.services.settlement import Settlement
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.usage_rows import intent_of, row_of


def new_ledger(database: Database, settings: Settings, **more: Any) -> Ledger:
    return Ledger(database, settings, reserve_bytes=1 << 16, **more)


def settle(ledger: Ledger, request_id: str, **values: Any) -> Settlement:
    ledger.intend(intent_of(request_id))
    row = row_of(request_id, **values)
    ledger.settle(row)
    return row


async def rows(database: Database, query: str = "SELECT * FROM ledger_entry ORDER BY id") -> list[dict[str, Any]]:
    async with database.read() as session:
        return [dict(row) for row in (await session.execute(text(query))).mappings()]


def attempts_of(row: dict[str, Any]) -> Any:
    """SQLite's driver gives JSON as it was written, PostgreSQL's gives what it says."""
    return json.loads(row["attempts"]) if isinstance(row["attempts"], str) else row["attempts"]


def crash(ledger: Ledger) -> None:
    """Leaves `ledger` as a killed process would: no flush, no clean end, its files unlocked."""
    assert ledger._flusher is not None
    ledger._flusher.cancel()
    ledger._journal._stopping.set()
    ledger._journal._wake()
    ledger._journal._thread.join()
    for segment in ledger._journal._segments:
        os.close(segment.fd)
