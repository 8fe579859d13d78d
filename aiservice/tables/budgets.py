"""Budgets: what may be spent in a window, what was, and which worker holds how much of the rest."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index
from sqlmodel import Field

from aiservice.tables._base import Table, big


def _json() -> Any:
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


class Budget(Table, table=True):
    """At most `cap` of `measure` in each `period`, for all requests of one `subject`: the id of a key, client or team,
    which `scope` says.

    `measure` is "money" (10⁻⁹ USD) or "tokens"; `period` is "day", "week" or "month", by the calendar (UTC) or, where
    it `is_rolling`, the last 24 hours, 7 or 30 days. `warn_percent` are the levels at which people are told;
    `unpriced_models` may be used though nobody knows what they cost.
    """

    __tablename__ = "budget"
    __table_args__ = (
        Index("ix_budget_subject", "subject", "measure", "period", unique=True),
        CheckConstraint("cap > 0", name="budget_cap_range"),
    )

    id: str = Field(primary_key=True, max_length=40)
    scope: str = Field(max_length=10)
    subject: str = Field(max_length=40)
    measure: str = Field(max_length=10)
    period: str = Field(max_length=10)
    is_rolling: bool = False
    cap: int = big()
    warn_percent: list[int] | None = _json()
    unpriced_models: list[str] | None = _json()
    created_us: int = big()


class BudgetWindow(Table, table=True):
    """What was spent in a window that begins at `start_us`, or in a part of a rolling one, and what workers hold of it.

    `spent` is the sum of the ledger's rows that name this window, added in the transaction of the rows; `reserved` is
    the sum of its slices. `warned_percent` is the highest level that was told of.
    """

    __tablename__ = "budget_window"
    __table_args__ = (
        CheckConstraint("spent >= 0", name="budget_spent_range"),
        CheckConstraint("reserved >= 0", name="budget_reserved_range"),
    )

    budget_id: str = Field(primary_key=True, max_length=40)
    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    spent: int = big(default=0)
    reserved: int = big(default=0)
    warned_percent: int = 0


class BudgetSlice(Table, table=True):
    """What one worker holds of a window, until `until_us` (the database's clock): what it has given to requests under
    way, what it has settled and the ledger has not posted yet, and the rest. `holder` is its journal's life."""

    __tablename__ = "budget_slice"
    __table_args__ = (CheckConstraint("amount >= 0", name="budget_slice_range"),)

    budget_id: str = Field(primary_key=True, max_length=40)
    start_us: int = Field(primary_key=True, sa_type=BigInteger)
    holder: str = Field(primary_key=True, max_length=40)
    amount: int = big(default=0)
    until_us: int = big()
