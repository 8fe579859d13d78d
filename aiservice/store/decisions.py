"""SQL of routing decisions, each kept once under the hash of what it says."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import col

from aiservice.kit.clock import now_us
from aiservice.store.session import AsyncSession
from aiservice.store.upserts import insert_into
from aiservice.tables import Decision

Json = dict[str, Any]


async def add_new(session: AsyncSession, decisions: Mapping[str, Json]) -> None:
    """Keeps those that are not kept yet."""
    made_us = now_us()
    rows = [{"id": each, "said": said, "made_us": made_us} for each, said in sorted(decisions.items())]
    statement = insert_into(session, Decision)
    await session.execute(statement.on_conflict_do_nothing(index_elements=["id"]), rows)


async def keep_on(session: AsyncSession, ids: Collection[str]) -> None:
    """Notes that these are in use."""
    await session.execute(update(Decision).where(col(Decision.id).in_(ids)).values(made_us=now_us()))


async def remove_before(session: AsyncSession, before_us: int) -> None:
    """Deletes those that were made, or in use, last before then."""
    await session.execute(delete(Decision).where(col(Decision.made_us) < before_us))


async def one(session: AsyncSession, decision_id: str) -> Json | None:
    """What a decision says; None where it is not kept."""
    return await session.scalar(select(col(Decision.said)).where(col(Decision.id) == decision_id))
