"""Taking turns on PostgreSQL, for units of work that read what they then change. SQLite's writers stand in line."""

from sqlalchemy import text

from aiservice.store.session import AsyncSession

CONFIGURATION = "configuration"
"""The turn of whoever changes connections or the chains that name them."""
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def take_turn(session: AsyncSession, name: str) -> None:
    """From here to the end of the unit of work nobody else has a turn of this name. Take it before you read."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_LOCK, {"name": name})
