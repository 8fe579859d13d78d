"""The answer cache: what may be kept for whom, since when it may be given out, and what it saved."""

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field

from aiservice.tables._base import Table, big


class CachePolicy(Table, table=True):
    """What may be kept of one `task` ("*": of any) for one `subject`: the id of a client or team, or "*" for all, which
    `scope` ("client", "team", "platform") says.

    `mode` is "on" (every answer that can be), "ask" (where a request asks for it) or "off"; `shared_by` is "client" or
    "team": who is given an answer that one of them got. Similar questions are given each other's answers where
    `similar_permille` is set, until `similar_off_us`, when only `precision_percent` of them agreed.
    """

    __tablename__ = "cache_policy"
    __table_args__ = (UniqueConstraint("subject", "task"),)

    id: str = Field(primary_key=True, max_length=40)
    scope: str = Field(max_length=10)
    subject: str = Field(max_length=40)
    task: str = Field(max_length=40)
    mode: str = Field(max_length=5)
    ttl_seconds: int
    most_ttl_seconds: int
    shared_by: str = Field(max_length=10)
    updated_us: int = big()
    similar_permille: int | None = None
    embeddings: str | None = Field(default=None, max_length=300)
    judged_percent: int | None = None
    least_precision_percent: int | None = None
    similar_off_us: int | None = Field(default=None, sa_type=BigInteger)
    precision_percent: int | None = None


class CachePurge(Table, table=True):
    """What was kept for a `subject` (the id of a client or team, "*": anybody) before `purged_us` is given out no
    more."""

    __tablename__ = "cache_purge"

    subject: str = Field(primary_key=True, max_length=40)
    purged_us: int = big()


class CacheHour(Table, table=True):
    """What the cache did for a client's task in an hour; every worker adds what it saw. `saved_us` is how long the
    answers took when they were made; of the hits so many were to `similar` questions; so many were `judged`
    instead, and so many of these `agreed`."""

    __tablename__ = "cache_hour"

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)
    task: str = Field(primary_key=True, max_length=40)
    hits: int = big()
    coalesced: int = big()
    misses: int = big()
    saved_tokens: int = big()
    saved_nano_usd: int = big()
    saved_us: int = big()
    similar: int = Field(default=0, sa_type=BigInteger)
    judged: int = Field(default=0, sa_type=BigInteger)
    agreed: int = Field(default=0, sa_type=BigInteger)
