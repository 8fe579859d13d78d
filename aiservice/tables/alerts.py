"""Alerts: what happened, and whether somebody has heard of it."""

from typing import Any

from sqlalchemy import JSON, Column, Index, text
from sqlmodel import Field, SQLModel

from aiservice.tables._base import big

UNTOLD = "to_tell <> 0"


class AlertEvent(SQLModel, table=True):
    """Something that somebody should know of; what happens again while it is open is counted in the same row.

    `open_key` names the thing while the alert is open and is empty once it is resolved. `severity` is 1 (info), 2
    (warning) or 3 (critical). `client_id` says whose owner may see it, `rule_id` which rule found it. `ends_us` is when
    it resolves unless it is said again. `to_tell` is 1 while its beginning, 2 while its end has still to go out.
    """

    __tablename__ = "alert_event"
    __table_args__ = (
        Index("ix_alert_event_untold", "to_tell", sqlite_where=text(UNTOLD), postgresql_where=text(UNTOLD)),
    )

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
