"""Bodies of requests and answers that are kept for a while, sealed under a data key of their client."""

from sqlalchemy import Column, LargeBinary
from sqlmodel import Field

from aiservice.tables._base import Table, big


class SealedBody(Table, table=True):
    """One body. `kind` says what it is kept for, `id` is the name it has there.

    `key_revision` names the data key it was sealed under: that of its client in the vault, or one that is gone.
    """

    __tablename__ = "sealed_body"

    client_id: str = Field(primary_key=True, foreign_key="client.id", max_length=40)
    kind: str = Field(primary_key=True, max_length=20)
    id: str = Field(primary_key=True, max_length=80)
    key_revision: int
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_us: int = big()
    expires_us: int = big(index=True)
