"""Vendors that an admin has added: rows of data for providers that speak OpenAI's wire."""

from sqlalchemy import Column, Text
from sqlmodel import Field

from aiservice.tables._base import Table, big


class Vendor(Table, table=True):
    """A vendor's row as it was written (TOML), by its kind."""

    __tablename__ = "vendor"

    kind: str = Field(primary_key=True, max_length=40)
    text: str = Field(sa_column=Column(Text, nullable=False))
    created_us: int = big()
    changed_us: int = big()
