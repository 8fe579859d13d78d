"""Settlements that were kept with answers, of workers that died before their journals had them, too."""

from aiservice.services.settlement import Settlement, is_valid, repair, unpack_settlement
from aiservice.store import idempotency as store
from aiservice.store import units
from aiservice.store.session import Database


async def with_kept(db: Database, rows: list[Settlement]) -> list[Settlement]:
    """`rows` of a dead worker's journal, with such settlements in the place of the estimates for those requests.

    Raises:
        DATABASE_ERRORS: the database did not answer.
    """
    estimates = [row.request_id for row in rows if row.outcome == "interrupted"]
    if not estimates:
        return rows
    kept = await units.read(db, lambda _now: store.settlements_of(estimates))
    return [_instead_of(row, kept[row.request_id]) if row.request_id in kept else row for row in rows]


def _instead_of(estimate: Settlement, packed: bytes) -> Settlement:
    row = unpack_settlement(packed)
    if not is_valid(row):
        repair(row, estimate.input_tokens)
    return row
