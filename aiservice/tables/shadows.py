"""Shadow traffic: which part of whose requests a second provider is asked as well, and what came of that."""

from sqlmodel import Field, UniqueConstraint

from aiservice.tables._base import Table, big, row_number


class ShadowRule(Table, table=True):
    """Of a client's requests for `task` (or "*") so many in ten thousand (`parts`) are asked of a connection, too.
    `model` empty: the connection's own choice."""

    __tablename__ = "shadow_rule"
    __table_args__ = (UniqueConstraint("client_id", "task"),)

    id: str = Field(primary_key=True, max_length=40)
    client_id: str = Field(foreign_key="client.id", max_length=40)
    task: str = Field(max_length=40)
    connection_id: str = Field(max_length=40)
    model: str = Field(default="", max_length=200)
    parts: int
    updated_us: int = big()


class ShadowAttempt(Table, table=True):
    """One call made in the shadow of request `request_id`. Its cost is the operator's: no client's row knows of it."""

    __tablename__ = "shadow_attempt"

    id: int | None = row_number()
    rule_id: str = Field(max_length=40, index=True)
    request_id: str = Field(max_length=40)
    provider: str = Field(max_length=64)
    model: str = Field(max_length=200)
    at_us: int = big(index=True)
    duration_ms: int
    real_ms: int
    status: int
    code: str | None = Field(default=None, max_length=64)
    input_tokens: int = big()
    output_tokens: int = big()
    cost_nano_usd: int | None = big(nullable=True)
