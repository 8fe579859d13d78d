"""`INSERT … ON CONFLICT`, which each database has in its own dialect. Only the one that is used is loaded: that of
PostgreSQL is two megabytes, which an installation on SQLite does without."""

from typing import Any

from sqlmodel import SQLModel

from aiservice.store.session import AsyncSession


def insert_into(session: AsyncSession, table: type[SQLModel]) -> Any:
    """An insert that has `excluded` and `on_conflict_…`, in the words of the session's database."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - as said above

        return insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert  # noqa: PLC0415 - as said above

    return sqlite_insert(table)
