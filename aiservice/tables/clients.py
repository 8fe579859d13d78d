"""Clients (the parties that are metered and limited), their teams and keys, and each key's live secrets."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, LargeBinary, false
from sqlmodel import Field

from aiservice.tables._base import Table, big, index_of


def _json() -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


class Team(Table, table=True):
    """Clients that share limits. None in an allowed set means all, as on clients."""

    __tablename__ = "team"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(unique=True, index=True, max_length=100)
    allowed_connections: list[str] | None = _json()
    allowed_models: list[str] | None = _json()
    limits: dict[str, int] | None = _json()
    created_us: int = big()


class Client(Table, table=True):
    """A party that is metered. None in an allowed set means all (of connections: all shared ones), here and on keys; no
    key of a client may do what the client may not.

    `limits` are by name (`services/limit_names.py`), here, on teams and on keys. `sanction` is what abuse has brought
    about and holds now, or held last (`services/sanctions.py`): its id, level, end and the requests a minute it leaves.
    """

    __tablename__ = "client"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(unique=True, index=True, max_length=100)
    owner_id: str | None = Field(default=None, index=True, foreign_key="person.id", max_length=40)
    team_id: str | None = Field(default=None, index=True, foreign_key="team.id", max_length=40)
    allowed_connections: list[str] | None = _json()
    allowed_models: list[str] | None = _json()
    allowed_scopes: list[str] | None = _json()
    allowed_networks: list[str] | None = _json()
    limits: dict[str, int] | None = _json()
    weight: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    sanction: dict[str, Any] | None = _json()
    is_disabled: bool = False
    keeps_payloads: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_us: int = big()


class ClientKey(Table, table=True):
    """A logical key: name, rights and history stay when its secret is rolled.

    `allowed_networks`: the addresses it may be used from, as CIDR; None is any. A token carries the `token_version` of
    its time; raising it ends every token of the key. `creator_id` is the person who has seen its newest secret: a key
    is worth no more than they may do now; None where it was made on the command line. `leaked_us`: when it was first
    reported as found in public. A decoy is good for nothing, and whoever uses it has found what they should not have.
    """

    __tablename__ = "client_key"
    __table_args__ = (
        index_of("ix_client_key_limited", "limits IS NOT NULL AND revoked_us IS NULL", "id"),
        index_of("ix_client_key_unlimited", "limits IS NULL AND revoked_us IS NULL", "id"),
    )

    id: str = Field(primary_key=True, max_length=40)
    client_id: str = Field(index=True, foreign_key="client.id", max_length=40)
    name: str = Field(max_length=100)
    is_test: bool = False
    is_decoy: bool = False
    scopes: list[str] | None = _json()
    allowed_connections: list[str] | None = _json()
    allowed_models: list[str] | None = _json()
    allowed_networks: list[str] | None = _json()
    limits: dict[str, int] | None = _json()
    token_version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    creator_id: str | None = Field(default=None, max_length=40)
    leaked_us: int | None = big(nullable=True)
    created_us: int = big()
    expires_us: int | None = big(nullable=True)
    revoked_us: int | None = big(nullable=True)
    last_used_us: int | None = big(nullable=True)


class OutgoingUse(Table, table=True):
    """Calls in five minutes with a secret that a roll has given an end; kept for two hours."""

    __tablename__ = "outgoing_use"

    public_id: str = Field(primary_key=True, max_length=12)
    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    calls: int


class KeySecret(Table, table=True):
    """One secret of a key; at most two live at a time.

    `digest` is HMAC-SHA-256 under the pepper of `pepper_version`. Where there is a `copy_owner_id`, the vault has a
    sealed copy of the secret that this person, and nobody else, may see again.
    """

    __tablename__ = "key_secret"

    public_id: str = Field(primary_key=True, max_length=12)
    key_id: str = Field(index=True, foreign_key="client_key.id", max_length=40)
    digest: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    pepper_version: int
    copy_owner_id: str | None = Field(default=None, max_length=40)
    created_us: int = big()
    expires_us: int | None = big(nullable=True)
    revoked_us: int | None = big(nullable=True)
    last_used_us: int | None = big(nullable=True)
