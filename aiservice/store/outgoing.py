"""SQL of calls that come with secrets which are being rolled out."""

from collections.abc import Mapping

from sqlalchemy import delete, text
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import OutgoingUse

_ADD = text(
    "INSERT INTO outgoing_use (public_id, start_us, calls) VALUES (:public_id, :start_us, :calls) "
    "ON CONFLICT (public_id, start_us) DO UPDATE SET calls = outgoing_use.calls + excluded.calls"
)


async def add(session: AsyncSession, calls: Mapping[tuple[str, int], int]) -> None:
    """Adds calls by (public id, start of the bucket), in an order in which no two writers wait for each other."""
    rows = [{"public_id": name, "start_us": start, "calls": count} for (name, start), count in sorted(calls.items())]
    await session.execute(_ADD, rows)


async def delete_before(session: AsyncSession, start_us: int) -> None:
    await session.execute(delete(OutgoingUse).where(col(OutgoingUse.start_us) < start_us))
