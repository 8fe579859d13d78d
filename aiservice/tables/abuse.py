"""Abuse: what is counted of clients beside the ledger, what is done about them, and what may be."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field

from aiservice.tables._base import Table, big


class AbuseMinute(Table, table=True):
    """What one worker saw of a client in a minute. `networks` and `prompts` count requests by a hash of either; of
    prompts only the most frequent are kept. Written whole by its worker, again and again, so nothing counts twice."""

    __tablename__ = "abuse_minute"

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)
    worker_id: str = Field(primary_key=True, max_length=40)
    requests: int = big()
    failures: int = big()
    networks: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    prompts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class AbuseHour(Table, table=True):
    """An hour of a client as its baseline learns it: `counts` by the names of `services/abuse_features.py`; `networks`
    and `models` by requests."""

    __tablename__ = "abuse_hour"

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)
    counts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    networks: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    models: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class Sanction(Table, table=True):
    """A verdict about a client: what was done, why, and until when. `level` is "alert", "throttle", "quarantine" or
    "block"; `evidence` a list of what was not as usual; `undone_us` says that a person found it wrong."""

    __tablename__ = "sanction"

    id: str = Field(primary_key=True, max_length=40)
    client_id: str = Field(index=True, max_length=40)
    level: str = Field(max_length=12)
    policy: str = Field(max_length=12)
    score: float
    evidence: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    since_us: int = big(index=True)
    until_us: int = big()
    undone_us: int | None = big(nullable=True)
    undone_by: str = Field(default="", max_length=320)


class AbusePolicy(Table, table=True):
    """How far the answer to abuse may go for a client; the row without a client is the default. `ceilings` by name:
    an amount, and the answer to more."""

    __tablename__ = "abuse_policy"

    client_id: str = Field(primary_key=True, max_length=40)
    policy: str | None = Field(default=None, max_length=12)
    ceilings: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    changed_us: int = big()
