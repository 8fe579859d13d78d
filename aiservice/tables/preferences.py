"""Stored routing: the terms of a platform, team, client or key by task, names for models, and every version of both."""

from typing import Any

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field

from aiservice.tables._base import Table, big, row_number


def _json() -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


class Preference(Table, table=True):
    """The terms of one `subject`: the id of a key, client or team, as `scope` says, or "platform". `task` may be "*".

    A client's order is in `chain`, where the release before looks for it, and never in `terms`; everybody else's is in
    `terms`. What that release wrote has no `subject`: it is its `client_id`.
    """

    __tablename__ = "preference"
    __table_args__ = (
        UniqueConstraint("client_id", "task"),
        Index("ix_preference_subject", "scope", "subject", "task", unique=True),
    )

    id: str = Field(primary_key=True, max_length=40)
    client_id: str | None = Field(default=None, index=True, foreign_key="client.id", max_length=40)
    task: str = Field(max_length=40)
    chain: list[str] = Field(sa_column=Column(JSON, nullable=False))
    updated_us: int = big()
    scope: str = Field(default="client", max_length=10, sa_column_kwargs={"server_default": "client"})
    subject: str | None = Field(default=None, max_length=40)
    terms: dict[str, Any] | None = _json()


class ModelAlias(Table, table=True):
    """A name that requests may give as their model, and where it leads: `targets` are "connection/model", "kind/model",
    a bare model, or another alias, first usable wins. `scope` and `subject` are as in `Preference`."""

    __tablename__ = "model_alias"
    __table_args__ = (Index("ix_model_alias_name", "scope", "subject", "name", unique=True),)

    id: str = Field(primary_key=True, max_length=40)
    scope: str = Field(max_length=10)
    subject: str = Field(max_length=40)
    name: str = Field(max_length=100)
    targets: list[str] = Field(sa_column=Column(JSON, nullable=False))
    updated_us: int = big()


class RoutingVersion(Table, table=True):
    """One change of terms (`kind` "terms", `name` the task) or of an alias (`kind` "alias"): never altered.

    None in `before` or `after` is "nothing stored". `reverted_to` is the version that this one brought back.
    """

    __tablename__ = "routing_version"
    __table_args__ = (Index("ix_routing_version_subject", "scope", "subject", "kind", "name", "id"),)

    id: int | None = row_number()
    kind: str = Field(max_length=10)
    scope: str = Field(max_length=10)
    subject: str = Field(max_length=40)
    name: str = Field(max_length=100)
    before: dict[str, Any] | None = _json()
    after: dict[str, Any] | None = _json()
    at_us: int = big()
    actor_id: str = Field(max_length=40)
    actor: str = Field(max_length=320)
    reverted_to: int | None = big(nullable=True)
