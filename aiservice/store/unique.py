"""Adding a row whose name must be free."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel


class Taken(Exception):
    """Another row has that name already."""


async def add_unique(session: AsyncSession, row: SQLModel) -> None:
    """Adds `row` and sends it to the database at once.

    Raises:
        Taken: a unique column holds the value already (another process may have been faster); the unit of work is lost.
    """
    session.add(row)
    try:
        await session.flush()
    except IntegrityError as exc:
        raise Taken from exc
