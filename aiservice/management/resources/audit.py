"""The audit log: who changed what, from where. For admins."""

from typing import Any

from pydantic import Field

from aiservice.management.models import At, CsvLines, Page, Query, Told, at
from aiservice.management.paging import cursor_of, place_of
from aiservice.management.resources.usage import Moment, moment
from aiservice.management.rows import Call, Row
from aiservice.services.audit import FOREVER_US, AuditFilter
from aiservice.services.audit_entry import Entry

_KIND = "audit"


class Narrowed(Query):
    actor: str = Field(default="", max_length=200, description="Id or address; what their tokens did, too.")
    action: str = Field(default="", max_length=60, description="Such as key.roll, or key. for all of keys.")
    subject: str = Field(default="", max_length=200, description="The id of what it was done to.")
    start: str | None = Moment
    end: str | None = Moment

    def asked(self) -> AuditFilter:
        """Raises: InvalidRequest: a time is none."""
        end_us = moment(self.end, "end")
        return AuditFilter(
            actor=self.actor,
            action=self.action,
            subject=self.subject,
            start_us=moment(self.start, "start") or 0,
            end_us=FOREVER_US if end_us is None else end_us,
        )


class AuditQuery(Narrowed):
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=2_000)


class AuditEntryTold(Told):
    number: int
    at: At
    actor_id: str
    actor: str
    address: str | None
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditActions(Told):
    data: list[str]


async def list_all(call: Call, query: AuditQuery) -> Page[AuditEntryTold]:
    before = "" if query.cursor is None else str(place_of(_KIND, query.cursor)[0])
    entries, following = await call.core.audit.page(call.me, query.asked(), query.limit, before)
    cursor = cursor_of(_KIND, (following,)) if following else None
    return Page[AuditEntryTold](data=[_told(one) for one in entries], next_cursor=cursor)


async def export(call: Call, query: Narrowed) -> CsvLines:
    return CsvLines("audit.csv", await call.core.audit.export_csv(call.me, query.asked()))


async def actions(call: Call) -> AuditActions:
    return AuditActions(data=await call.core.audit.actions(call.me))


def _told(one: Entry) -> AuditEntryTold:
    return AuditEntryTold(
        number=one.number,
        at=at(one.at_us),
        actor_id=one.actor_id,
        actor=one.actor,
        address=one.address or None,
        action=one.action,
        subject=one.subject,
        before=one.before,
        after=one.after,
    )


ROWS = (
    Row("GET", "/api/audit", "audit.list", list_all, "Entries, newest first"),
    Row("GET", "/api/audit/export", "audit.export", export, "All entries that are asked for, as CSV"),
    Row("GET", "/api/audit/actions", "audit.list", actions, "Every action that the log holds"),
)
