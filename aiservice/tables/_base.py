"""What all tables share: column kinds and the metadata that alembic reads."""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field

# SQLite only autoincrements a column declared INTEGER; PostgreSQL needs BIGINT to last.
ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def row_number() -> Any:
    """An autoincrementing primary key."""
    return Field(default=None, sa_column=Column(ROW_NUMBER, primary_key=True, autoincrement=True))


def big(*, index: bool = False, nullable: bool = False, default: int | None = None) -> Any:
    """A 64-bit integer column: microseconds UTC, nano-dollars, or a count."""
    return Field(default=default, sa_column=Column(BigInteger, index=index, nullable=nullable))
