"""The SQL of the sign-in limiter."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, func, select

from aiservice.tables import SignInAttempt

_ADVISORY_LOCK = 0x7369_676E  # any constant that nothing else in the database uses


async def take_turn(session: AsyncSession) -> None:
    """From here to the end of the unit of work nobody else counts: SQLite's writers already stand in line."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})


async def seen_since(session: AsyncSession, subject: str, at_us: int) -> tuple[int, int]:
    """How many attempts `subject` has since `at_us`, and when the oldest of them was (0 when none)."""
    query = select(func.count(), func.min(col(SignInAttempt.at_us))).where(
        col(SignInAttempt.subject) == subject, col(SignInAttempt.at_us) > at_us
    )
    count, oldest = (await session.execute(query)).one()
    return count, oldest or 0


async def add(session: AsyncSession, subjects: Iterable[str], at_us: int) -> list[int]:
    """Adds one attempt for each subject and returns their row numbers."""
    rows = [SignInAttempt(subject=subject, at_us=at_us) for subject in subjects]
    session.add_all(rows)
    await session.flush()
    return [row.id for row in rows if row.id is not None]


async def delete_rows(session: AsyncSession, ids: list[int]) -> None:
    await session.execute(delete(SignInAttempt).where(col(SignInAttempt.id).in_(ids)))


async def delete_subject(session: AsyncSession, subject: str) -> None:
    await session.execute(delete(SignInAttempt).where(col(SignInAttempt.subject) == subject))


async def delete_before(session: AsyncSession, at_us: int) -> None:
    await session.execute(delete(SignInAttempt).where(col(SignInAttempt.at_us) < at_us))
