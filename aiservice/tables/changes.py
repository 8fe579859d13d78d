"""The change feed: what another process must forget or reload."""

from sqlmodel import Field

from aiservice.tables._base import Table, big, row_number


class Change(Table, table=True):
    """One edit, written in the transaction that made it. `kind` is "key", "client", "connection", "preference",
    "person", "session", "vault" or "token_key", or "cut": answers under way of that key or client are to end; `subject`
    is the id of what changed."""

    __tablename__ = "change"

    id: int | None = row_number()
    kind: str = Field(max_length=20)
    subject: str = Field(max_length=64)
    at_us: int = big()
