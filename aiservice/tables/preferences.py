"""Stored routing preferences: an ordered fallback chain per client and task."""

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from aiservice.tables._base import big


class Preference(SQLModel, table=True):
    """`chain` holds "connection" or "connection:model", first usable wins. `task` may be "*" (any task)."""

    __tablename__ = "preference"
    __table_args__ = (UniqueConstraint("client_id", "task"),)

    id: str = Field(primary_key=True, max_length=40)
    client_id: str = Field(index=True, foreign_key="client.id", max_length=40)
    task: str = Field(max_length=40)
    chain: list[str] = Field(sa_column=Column(JSON, nullable=False))
    updated_us: int = big()
