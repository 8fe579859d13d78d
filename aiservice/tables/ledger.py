"""What was asked, given and spent: one row a request, and the roll-ups that charts read."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Text
from sqlmodel import Field

from aiservice.tables._base import Table, big, index_of, row_number

MAX_TOKENS = 1_000_000_000
UNFINISHED = "outcome <> 'finished'"
CACHED = "cache IS NOT NULL"
TRIED_AGAIN = "json_array_length(attempts) > 1"  # both databases have it by this name
TRACED = "trace_id IS NOT NULL"
TOLD_UPSTREAM = "upstream_id IS NOT NULL"
_SOUGHT = ("started_us", "id", "status", "outcome", "client_id", "key_id", "task", "provider", "model")


class LedgerEntry(Table, table=True):
    """One request of a client, settled. Names are copied, not referenced: history outlives what it names.

    `status` is the HTTP status the client was given; `outcome` is "finished", "failed", "client_left",
    "upstream_truncated", "broker_stopped", "budget_exhausted" or "interrupted"; `cost_nano_usd` is None where the model
    has no price; `usage_source` is "reported", "counted" or "estimated"; `is_usage_invalid` says that the provider
    reported numbers that cannot be, so that they were not used. `id` is the order of settlement. `overhead_us` is the
    broker's own time until the answer, or a stream's first byte, went out. `budgets` names the windows that the row is
    charged to (`store/budget_charges.py`), None where there are none. `cache` is "hit", "coalesced" or "miss", None
    where the cache had no part in it. `trace_id` is what the client's `traceparent` named, `upstream_id` the id that
    the last provider that was asked gave its own answer. `units` of `unit` are of work not counted in tokens alone.

    Every index costs the flusher about 2 µs a row, so there are few: the roll-ups say which hours hold what is looked
    for (`services/request_log.py`), and these find it within them.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        CheckConstraint(f"input_tokens BETWEEN 0 AND {MAX_TOKENS}", name="input_tokens_range"),
        CheckConstraint(f"output_tokens BETWEEN 0 AND {MAX_TOKENS}", name="output_tokens_range"),
        CheckConstraint(f"cached_input_tokens BETWEEN 0 AND {MAX_TOKENS}", name="cached_input_tokens_range"),
        CheckConstraint(f"cache_write_tokens BETWEEN 0 AND {MAX_TOKENS}", name="cache_write_tokens_range"),
        CheckConstraint(f"reasoning_tokens BETWEEN 0 AND {MAX_TOKENS}", name="reasoning_tokens_range"),
        CheckConstraint("cost_nano_usd IS NULL OR cost_nano_usd >= 0", name="cost_range"),
        Index("ix_ledger_client_started", "client_id", "started_us", "key_id"),
        # What did not go well is rare and looked for often, by whatever else; what went well pays nothing for it. So
        # what had to be tried again, and what the cache had a part in.
        index_of("ix_ledger_unfinished", UNFINISHED, *_SOUGHT),
        index_of("ix_ledger_tried_again", TRIED_AGAIN, *_SOUGHT),
        index_of("ix_ledger_cached", CACHED, "started_us", "id", "cache", *_SOUGHT[2:]),
        index_of("ix_ledger_trace", TRACED, "trace_id"),
        index_of("ix_ledger_upstream", TOLD_UPSTREAM, "upstream_id"),
    )

    id: int | None = row_number()
    request_id: str = Field(unique=True, index=True, max_length=40)
    client_id: str = Field(max_length=40)
    client: str = Field(max_length=100)
    key_id: str = Field(max_length=40)
    task: str = Field(max_length=40)
    surface: str = Field(max_length=40)
    provider: str = Field(default="", max_length=64)
    model: str = Field(default="", max_length=200)
    requested_model: str = Field(default="", max_length=200)
    status: int
    outcome: str = Field(max_length=24)
    error_code: str | None = Field(default=None, max_length=64)
    is_stream: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage_source: str = Field(max_length=12)
    is_usage_invalid: bool = False
    cost_nano_usd: int | None = big(nullable=True)
    started_us: int = big(index=True)
    first_byte_us: int | None = big(nullable=True)
    ended_us: int = big()
    attempts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    overhead_us: int | None = big(nullable=True)
    budgets: str | None = Field(default=None, sa_type=Text)
    cache: str | None = Field(default=None, max_length=10)
    decision: str | None = Field(default=None, max_length=40)  # the `Decision` that it went by
    trace_id: str | None = Field(default=None, max_length=32)
    upstream_id: str | None = Field(default=None, max_length=100)
    units: int | None = big(nullable=True)
    unit: str | None = Field(default=None, max_length=10)


class Decision(Table, table=True):
    """Why requests went where they went: places and rules, without anything of a single request. `id` is the hash of
    `said`."""

    __tablename__ = "decision"

    id: str = Field(primary_key=True, max_length=40)
    said: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    made_us: int = big()


def _detail() -> Any:
    """A sum that came later: a node of the release before goes on without it."""
    return Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


# Upper ends of the latency histogram's buckets, doubling; the last bucket has none.
LATENCY_BOUNDS_US = tuple(10_000 * 2**step for step in range(13))


class _Sums(Table):
    """Sums over a bucket that starts at `start_us` (UTC). `unpriced` counts requests whose model has no price.

    `latency_<n>` counts requests that took at most `LATENCY_BOUNDS_US[n]` and longer than the one before, `first_<n>`
    those whose first byte took that long, where there was one. Of `errors`, `refused` are the caller's own (4xx),
    `limited` those over a limit (429), `cut` those whose answer had begun; the others are 5xx. `hung_up` are no errors:
    their callers hung up. `fallbacks` ended at another place than their first.
    """

    requests: int = Field(default=0, sa_type=BigInteger)
    errors: int = Field(default=0, sa_type=BigInteger)
    unpriced: int = Field(default=0, sa_type=BigInteger)
    input_tokens: int = Field(default=0, sa_type=BigInteger)
    output_tokens: int = Field(default=0, sa_type=BigInteger)
    cached_input_tokens: int = Field(default=0, sa_type=BigInteger)
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger)
    cost_nano_usd: int = Field(default=0, sa_type=BigInteger)
    latency_us_sum: int = Field(default=0, sa_type=BigInteger)
    latency_0: int = Field(default=0, sa_type=BigInteger)
    latency_1: int = Field(default=0, sa_type=BigInteger)
    latency_2: int = Field(default=0, sa_type=BigInteger)
    latency_3: int = Field(default=0, sa_type=BigInteger)
    latency_4: int = Field(default=0, sa_type=BigInteger)
    latency_5: int = Field(default=0, sa_type=BigInteger)
    latency_6: int = Field(default=0, sa_type=BigInteger)
    latency_7: int = Field(default=0, sa_type=BigInteger)
    latency_8: int = Field(default=0, sa_type=BigInteger)
    latency_9: int = Field(default=0, sa_type=BigInteger)
    latency_10: int = Field(default=0, sa_type=BigInteger)
    latency_11: int = Field(default=0, sa_type=BigInteger)
    latency_12: int = Field(default=0, sa_type=BigInteger)
    latency_13: int = Field(default=0, sa_type=BigInteger)
    cache_write_tokens: int = _detail()
    fallbacks: int = _detail()
    refused: int = _detail()
    limited: int = _detail()
    cut: int = _detail()
    hung_up: int = _detail()
    first_0: int = _detail()
    first_1: int = _detail()
    first_2: int = _detail()
    first_3: int = _detail()
    first_4: int = _detail()
    first_5: int = _detail()
    first_6: int = _detail()
    first_7: int = _detail()
    first_8: int = _detail()
    first_9: int = _detail()
    first_10: int = _detail()
    first_11: int = _detail()
    first_12: int = _detail()
    first_13: int = _detail()
    images: int = _detail()
    seconds: int = _detail()
    characters: int = _detail()
    searches: int = _detail()


class _Rollup(_Sums):
    """By everything that requests are told apart by."""

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)
    key_id: str = Field(primary_key=True, max_length=40)
    task: str = Field(primary_key=True, max_length=40)
    provider: str = Field(primary_key=True, max_length=64)
    model: str = Field(primary_key=True, max_length=200)


_FIRSTS = tuple(f"first_{n}" for n in range(14))
DETAILS = ("cache_write_tokens", "fallbacks", "refused", "limited", "cut", "hung_up", *_FIRSTS)
"""The sums of a roll-up that came later. Of hours before `Horizon` "usage_detail" they are not known."""
UNIT_SUMS = {"image": "images", "second": "seconds", "character": "characters", "search": "searches"}
"""The sums of what is not counted in tokens, by unit. Of before they came, a sum of 0 says nothing."""


class UsageMinute(_Rollup, table=True):
    """Written in the same transaction as the ledger rows it sums."""

    __tablename__ = "usage_minute"


class UsageHour(_Rollup, table=True):
    """Folded from minutes by the roll-up job."""

    __tablename__ = "usage_hour"
    __table_args__ = (
        Index("ix_usage_hour_client", "client_id", "start_us"),
        Index("ix_usage_hour_key", "key_id", "start_us"),
    )


class UsageDay(_Rollup, table=True):
    """Folded from hours by the roll-up job, once the day is over."""

    __tablename__ = "usage_day"
    __table_args__ = (
        Index("ix_usage_day_client", "client_id", "start_us"),
        Index("ix_usage_day_key", "key_id", "start_us"),
    )


class _ModelRollup(_Sums):
    """By what few values there are of: whatever is asked of everybody's requests is read here."""

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    task: str = Field(primary_key=True, max_length=40)
    provider: str = Field(primary_key=True, max_length=64)
    model: str = Field(primary_key=True, max_length=200)


class UsageModelHour(_ModelRollup, table=True):
    """Folded with its hour."""

    __tablename__ = "usage_model_hour"


class UsageModelDay(_ModelRollup, table=True):
    """Folded with its day."""

    __tablename__ = "usage_model_day"


class _ClientRollup(_Sums):
    """By client alone: whatever is asked of clients, their owners or their teams is read here."""

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)


class UsageClientHour(_ClientRollup, table=True):
    """Folded with its hour."""

    __tablename__ = "usage_client_hour"
    __table_args__ = (Index("ix_usage_client_hour_client", "client_id", "start_us"),)


class UsageClientDay(_ClientRollup, table=True):
    """Folded with its day."""

    __tablename__ = "usage_client_day"
    __table_args__ = (Index("ix_usage_client_day_client", "client_id", "start_us"),)


class UsageClientModelDay(_Sums, table=True):
    """By client and what few values there are of, folded with its day: what a developer sees of models is read here.
    Of hours there is no such roll-up: within one, a client asks hardly anything twice."""

    __tablename__ = "usage_client_model_day"
    __table_args__ = (Index("ix_usage_client_model_day_client", "client_id", "start_us"),)

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)
    task: str = Field(primary_key=True, max_length=40)
    provider: str = Field(primary_key=True, max_length=64)
    model: str = Field(primary_key=True, max_length=200)


class UsageSpan(Table, table=True):
    """What each key used in the days of a span of 32 that are over. It tells which keys may be among the largest of any
    range; what they used in it is read from the other roll-ups."""

    __tablename__ = "usage_span"
    __table_args__ = (Index("ix_usage_span_requests", "start_us", "requests"),)  # what keys are ranked by unless asked

    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    client_id: str = Field(primary_key=True, max_length=40)
    key_id: str = Field(primary_key=True, max_length=40)
    requests: int = Field(default=0, sa_type=BigInteger)
    errors: int = Field(default=0, sa_type=BigInteger)
    input_tokens: int = Field(default=0, sa_type=BigInteger)
    output_tokens: int = Field(default=0, sa_type=BigInteger)
    cached_input_tokens: int = Field(default=0, sa_type=BigInteger)
    cache_write_tokens: int = Field(default=0, sa_type=BigInteger)
    reasoning_tokens: int = Field(default=0, sa_type=BigInteger)
    cost_nano_usd: int = Field(default=0, sa_type=BigInteger)
    images: int = _detail()
    seconds: int = _detail()
    characters: int = _detail()
    searches: int = _detail()


class RollupDirty(Table, table=True):
    """Hours whose minutes changed since they were folded; written with the minutes, removed by the fold."""

    __tablename__ = "rollup_dirty"

    start_us: int = Field(primary_key=True, sa_type=BigInteger)


class Horizon(Table, table=True):
    """From when on a table is whole: what began before `before_us` may have been deleted, to the row or not yet.

    Written before the first such row goes. `name` is the table's.
    """

    __tablename__ = "horizon"

    name: str = Field(primary_key=True, max_length=40)
    before_us: int = big()
