"""Provider connections, the sealed secrets of the vault, and the versions of the master key."""

from typing import Any

from sqlalchemy import JSON, Column, LargeBinary, UniqueConstraint
from sqlmodel import Field

from aiservice.tables._base import Table, big


class Connection(Table, table=True):
    """A configured way to a provider. `revision` counts changes of its secret or address."""

    __tablename__ = "provider_connection"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(unique=True, index=True, max_length=64)
    kind: str = Field(max_length=40)
    base_url: str = Field(default="", max_length=512)
    is_private_allowed: bool = False
    owner_client_id: str | None = Field(default=None, foreign_key="client.id", max_length=40)
    models: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    weight: int = 1
    rpm: int | None = None  # what the provider gives in a minute, as an admin says; None where nobody said
    tpm: int | None = big(nullable=True)
    # What an admin states of its models, as [model or "", name, value]; None where nobody has.
    capabilities: list[list[Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    data_collection: str | None = Field(default=None, max_length=5)  # what its provider does with data: allow, deny
    is_zdr: bool | None = None  # its provider keeps nothing at all ("zero data retention")
    region: str | None = Field(default=None, max_length=32)
    probe_every_seconds: int | None = None  # how often it is asked for its models; 0: never; None: as the settings say
    is_disabled: bool = False
    revision: int = 1
    key_hint: str = Field(default="", max_length=8)
    key_fingerprint: str = Field(default="", max_length=64)
    created_us: int = big()
    tested_us: int | None = big(nullable=True)
    test_result: str = Field(default="", max_length=300)


class ProviderKey(Table, table=True):
    """One more key of a connection, whose address, models and rights are its own, too; limits and state are apart.

    `number` is 2 for the first of them: the connection's own key is its first.
    """

    __tablename__ = "provider_key"
    __table_args__ = (UniqueConstraint("connection_id", "number", name="uq_provider_key_number"),)

    id: str = Field(primary_key=True, max_length=40)
    connection_id: str = Field(index=True, foreign_key="provider_connection.id", max_length=40)
    number: int
    label: str = Field(default="", max_length=64)
    weight: int = 1
    rpm: int | None = None
    tpm: int | None = big(nullable=True)
    is_disabled: bool = False
    revision: int = 1
    key_hint: str = Field(default="", max_length=8)
    key_fingerprint: str = Field(default="", max_length=64)
    created_us: int = big()
    tested_us: int | None = big(nullable=True)
    test_result: str = Field(default="", max_length=300)


class SealedSecret(Table, table=True):
    """An AES-256-GCM envelope whose AAD binds purpose, owner, row, provider, base_url and revision."""

    __tablename__ = "sealed_secret"

    purpose: str = Field(primary_key=True, max_length=40)
    row_id: str = Field(primary_key=True, max_length=40)
    revision: int
    algorithm: int = 1
    kek_version: int = Field(index=True)
    wrapped_dek: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    # The AAD it was sealed with, so that a rotation can wrap the data key anew; opening never trusts this copy.
    bound: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_us: int = big()


class MasterKeyVersion(Table, table=True):
    """A master key this database has been sealed under, recognised by its check value."""

    __tablename__ = "master_key_version"

    version: int = Field(primary_key=True)
    check_value: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    is_active: bool = True
    created_us: int = big()
    retired_us: int | None = big(nullable=True)
    # The client-key pepper, wrapped under this master key: it outlives a rotation, so no client key has to change.
    wrapped_pepper: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    # Only while a rotation is under way: this key under the one before it, and the one before it under this key.
    wrapped_by_previous: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    wrapped_previous: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
