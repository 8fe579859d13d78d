"""Who changed what: a chain of entries that nobody changes any more."""

from sqlalchemy import BigInteger, Column, LargeBinary, Text
from sqlmodel import Field

from aiservice.tables._base import Table, big


class AuditEntry(Table, table=True):
    """One act. `number` counts from 1 without a gap; triggers refuse every update, and every
    deletion but of what the checkpoint covers.

    `before` and `after` are JSON as it was signed ("" for nothing), never a secret. `mac` signs all of the row, with
    `previous`, the `mac` of the entry before it, among it.
    """

    __tablename__ = "audit_entry"

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at_us: int = big(index=True)
    actor_id: str = Field(max_length=40, index=True)
    actor: str = Field(max_length=320)
    address: str = Field(default="", max_length=64)
    action: str = Field(max_length=48, index=True)
    subject: str = Field(max_length=120, index=True)
    before: str = Field(default="", sa_column=Column(Text, nullable=False))
    after: str = Field(default="", sa_column=Column(Text, nullable=False))
    previous: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    mac: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AuditHead(Table, table=True):
    """Where the chain stands (one row, id 1). Who appends holds this row until the commit: so there is one chain."""

    __tablename__ = "audit_head"

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    number: int = big()
    mac: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AuditCheckpoint(Table, table=True):
    """Up to which entry the log was deleted for its age (one row, id 1): that entry's number and `mac`, signed."""

    __tablename__ = "audit_checkpoint"

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    number: int = big()
    mac: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    seal: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
