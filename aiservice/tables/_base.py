"""What all tables share: column kinds and the metadata that alembic reads."""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, text
from sqlmodel import Field, SQLModel
from sqlmodel._compat import SQLModelConfig

# SQLite only autoincrements a column declared INTEGER; PostgreSQL needs BIGINT to last.
ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class Table(SQLModel):
    """What every table is. Rows come from us or the database and are not validated, so pydantic makes what would do it
    only for a class that asks: for all it was two megabytes and a tenth of a start."""

    model_config = SQLModelConfig(defer_build=True)


_partial: list[tuple[Index, str]] = []


def index_of(name: str, condition: str, *columns: str) -> Index:
    """An index of those rows alone for which `condition` holds: all others pay nothing for it."""
    index = Index(name, *columns, sqlite_where=text(condition))
    _partial.append((index, condition))
    return index


def describe_for_postgresql() -> None:
    """Gives such indexes their condition on PostgreSQL as well, for whoever writes or compares its DDL. To name that
    dialect is to load it, two megabytes that an installation on SQLite does without."""
    for index, condition in _partial:
        index.dialect_kwargs["postgresql_where"] = text(condition)


def row_number() -> Any:
    """An autoincrementing primary key."""
    return Field(default=None, sa_column=Column(ROW_NUMBER, primary_key=True, autoincrement=True))


def big(*, index: bool = False, nullable: bool = False, default: int | None = None) -> Any:
    """A 64-bit integer column: microseconds UTC, nano-dollars, or a count."""
    return Field(default=default, sa_column=Column(BigInteger, index=index, nullable=nullable))
