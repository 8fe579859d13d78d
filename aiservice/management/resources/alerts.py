"""Alerts: what fired, who was told, and what is muted."""

from typing import Annotated, Any, Literal

from pydantic import Field

from aiservice.errors import NotFound
from aiservice.kit.clock import iso
from aiservice.management.models import At, Given, Page, PageQuery, Told, at, one_of
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.alerts import MAX_MUTE_SECONDS, AlertView, DeliveryView
from aiservice.services.rights import may

SeverityName = Literal["info", "warning", "critical"]
SeverityTold = Annotated[str, one_of("info", "warning", "critical")]
_MOST = 2_000  # of the newest: what is older is in nobody's way any more


class AlertQuery(PageQuery):
    state: Literal["", "open", "acknowledged", "resolved"] = ""


class DeliveryQuery(PageQuery):
    alert: str | None = Field(default=None, max_length=100, description="Only those of this alert.")


class MuteGiven(Given):
    target: str = Field(max_length=200, description="An alert's id, a rule's name or id, or kind:NAME.")
    seconds: int = Field(ge=0, le=MAX_MUTE_SECONDS, description="0 ends it.")


class AlertTold(Told):
    id: str
    kind: str
    title: str
    subject: str
    client: str | None
    severity: SeverityTold
    state: str
    words: str
    evidence: dict[str, Any]
    count: int
    first_at: At
    last_at: At
    acknowledged_at: At | None
    acknowledged_by: str | None
    resolved_at: At | None
    resolved_by: str | None
    muted_until: At | None


class DeliveryTold(Told):
    id: str
    channel: str
    event: str
    words: str
    state: str
    attempts: list[dict[str, Any]]
    next_at: At | None
    created_at: At


class Muted(Told):
    target: str
    until: At | None


class Mutes(Told):
    data: list[Muted]


async def list_all(call: Call, query: AlertQuery) -> Page[AlertTold]:
    found = await call.core.alerts.list(call.me, query.state, limit=_MOST)
    data, cursor = page_of(found, lambda one: (one.first_us, one.id), query, "alerts", newest_first=True)
    return Page[AlertTold](data=[_told(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> AlertTold:
    for one in await call.core.alerts.list(call.me, limit=_MOST):
        if one.id == call.args["alert"]:
            return _told(one)
    raise NotFound(f"There is no alert '{call.args['alert'][:60]}'.", code="alert_not_found")


async def acknowledge(call: Call) -> AlertTold:
    await call.core.alerts.acknowledge(call.me, call.args["alert"])
    return await get(call)


async def resolve(call: Call) -> AlertTold:
    await call.core.alerts.resolve(call.me, call.args["alert"])
    return await get(call)


async def mute(call: Call, given: MuteGiven) -> Muted:
    stored = await call.core.alerts.mute(call.me, given.target, given.seconds)
    until = (await call.core.alerts.mutes(call.me)).get(stored) if may(call.me, "alert.deliveries") else None
    return Muted(target=stored, until=iso(until))


async def mutes(call: Call) -> Mutes:
    found = await call.core.alerts.mutes(call.me)
    return Mutes(data=[Muted(target=target, until=at(until_us)) for target, until_us in sorted(found.items())])


async def deliveries(call: Call, query: DeliveryQuery) -> Page[DeliveryTold]:
    found = await call.core.alerts.deliveries(call.me, alert_id=query.alert, limit=_MOST)
    data, cursor = page_of(found, lambda one: (one.created_us, one.id), query, "deliveries", newest_first=True)
    return Page[DeliveryTold](data=[_delivery(one) for one in data], next_cursor=cursor)


def _told(one: AlertView) -> AlertTold:
    return AlertTold(
        id=one.id,
        kind=one.kind,
        title=one.title,
        subject=one.subject,
        client=one.client,
        severity=one.severity.name.lower(),
        state=one.state,
        words=one.words,
        evidence=dict(one.evidence),
        count=one.count,
        first_at=at(one.first_us),
        last_at=at(one.last_us),
        acknowledged_at=iso(one.acknowledged_us),
        acknowledged_by=one.acknowledged_by or None,
        resolved_at=iso(one.resolved_us),
        resolved_by=one.resolved_by or None,
        muted_until=iso(one.muted_until_us),
    )


def _delivery(one: DeliveryView) -> DeliveryTold:
    return DeliveryTold(
        id=one.id,
        channel=one.channel,
        event=one.event,
        words=one.words,
        state=one.state,
        attempts=[dict(each) for each in one.attempts],
        next_at=iso(one.next_us),
        created_at=at(one.created_us),
    )


_ONE = "/api/alerts/{alert}"
ROWS = (
    Row("GET", "/api/alerts", "alert.list", list_all, "The alerts you see, newest first"),
    Row("GET", _ONE, "alert.list", get, "One alert"),
    Row("POST", f"{_ONE}/acknowledge", "alert.acknowledge", acknowledge, "Say that somebody sees to it"),
    Row("POST", f"{_ONE}/resolve", "alert.resolve", resolve, "Say that it is over"),
    Row("GET", "/api/alert-mutes", "alert.deliveries", mutes, "What is muted, and until when"),
    Row("POST", "/api/alert-mutes", "alert.mute", mute, "Tell nobody for a time"),
    Row("GET", "/api/alert-deliveries", "alert.deliveries", deliveries, "Who was told, newest first"),
)
