"""Alerts: what is watched, what happened, and who was told."""

from typing import Any

from sqlalchemy import JSON, Column, Text
from sqlmodel import Field

from aiservice.tables._base import Table, big, index_of

UNTOLD = "to_tell <> 0"


class AlertEvent(Table, table=True):
    """Something that somebody should know of; what happens again while it is open is counted in the same row.

    `open_key` names the thing while the alert is open and is empty once it is resolved. `severity` is 1 (info), 2
    (warning) or 3 (critical). `client_id` says whose owner may see it, `rule_id` which rule found it. `ends_us` is when
    it resolves unless it is said again. `to_tell` is 1 while its beginning, 2 while its end has still to go out.
    """

    __tablename__ = "alert_event"
    __table_args__ = (index_of("ix_alert_event_untold", UNTOLD, "to_tell"),)

    id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(max_length=48)
    subject: str = Field(max_length=120)
    open_key: str | None = Field(default=None, unique=True, max_length=180)
    client_id: str | None = Field(default=None, index=True, max_length=40)
    rule_id: str | None = Field(default=None, index=True, max_length=40)
    severity: int
    words: str = Field(max_length=500)
    evidence: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    count: int = big(default=1)
    worker: str = Field(default="", max_length=40)
    to_tell: int = 0
    first_us: int = big()
    last_us: int = big(index=True)
    ends_us: int | None = big(nullable=True)
    acknowledged_us: int | None = big(nullable=True)
    acknowledged_by: str = Field(default="", max_length=320)
    resolved_us: int | None = big(nullable=True)
    resolved_by: str = Field(default="", max_length=320)


class AlertRule(Table, table=True):
    """What is watched. `metric` is one that is measured (`services/alert_metrics.py`) or a kind of event that services
    note, which has no threshold. `subject` "" means each one by itself; `channels` None means all."""

    __tablename__ = "alert_rule"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(unique=True, max_length=100)
    metric: str = Field(max_length=48)
    scope: str = Field(default="all", max_length=16)
    subject: str = Field(default="", max_length=120)
    is_below: bool = False
    threshold: float | None = None
    window_seconds: int = 300
    for_seconds: int = 0
    no_data: str = Field(default="ok", max_length=8)
    severity: int = 2
    channels: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    is_builtin: bool = False
    is_disabled: bool = False
    created_us: int = big()


class AlertCourse(Table, table=True):
    """Where one subject of a rule stands, so that whichever worker looks next goes on from there."""

    __tablename__ = "alert_course"

    rule_id: str = Field(primary_key=True, max_length=40)
    subject: str = Field(primary_key=True, max_length=120)
    is_firing: bool = False
    turned_us: int | None = big(nullable=True)


class AlertMute(Table, table=True):
    """What is not told for a time: `target` is `rule:<id>`, `kind:<kind>` or `alert:<open key>`."""

    __tablename__ = "alert_mute"

    target: str = Field(primary_key=True, max_length=190)
    until_us: int = big()
    by: str = Field(default="", max_length=320)


class AlertChannel(Table, table=True):
    """A way to people. `kind` is "email" (`address`: recipients, separated by commas) or "webhook" (its URL; the vault
    has the secret, with the one before it until `previous_until_us`)."""

    __tablename__ = "alert_channel"

    id: str = Field(primary_key=True, max_length=40)
    name: str = Field(unique=True, max_length=100)
    kind: str = Field(max_length=16)
    address: str = Field(max_length=1000)
    is_private_allowed: bool = False
    min_severity: int = 2
    previous_until_us: int | None = big(nullable=True)
    disabled_us: int | None = big(nullable=True)
    disabled_why: str = Field(default="", max_length=300)
    delivered_us: int | None = big(nullable=True)
    created_us: int = big()


class AlertDelivery(Table, table=True):
    """One message to one channel; `id` is what receivers know it by, the same at every attempt, as is its `body`.

    `state` is "waiting", "delivered", "failed" (every attempt did) or "dropped" (not to be sent any more). `log` has
    an entry an attempt.
    """

    __tablename__ = "alert_delivery"
    __table_args__ = (index_of("ix_alert_delivery_due", "state = 'waiting'", "next_us"),)

    id: str = Field(primary_key=True, max_length=40)
    alert_id: str | None = Field(default=None, index=True, max_length=40)
    channel_id: str = Field(index=True, max_length=40)
    event: str = Field(max_length=24)
    body: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(default="waiting", max_length=12)
    attempts: int = 0
    next_us: int | None = big(nullable=True)
    log: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_us: int = big(index=True)
    ended_us: int | None = big(nullable=True)
