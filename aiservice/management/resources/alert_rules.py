"""Rules of alerts: what is watched, and when it is an alarm. For admins."""

from pydantic import Field

from aiservice.management.models import Given, Names, Page, PageQuery, Told
from aiservice.management.paging import page_of
from aiservice.management.resources.alerts import SeverityName, SeverityTold
from aiservice.management.rows import Call, Row
from aiservice.services.alert_notes import Severity
from aiservice.services.alert_rules import RuleTerms, RuleView


class RuleGiven(Given):
    metric: str = Field(max_length=60, description="Such as error_share, latency_p95, cost; or a kind of event.")
    threshold: float | None = None
    below: bool = Field(default=False, description="It alarms below the threshold instead of above it.")
    scope: str = Field(default="all", max_length=20)
    subject: str = Field(default="", max_length=200)
    window_seconds: int = Field(default=300, ge=1)
    for_seconds: int = Field(default=0, ge=0)
    no_data: str = Field(default="ok", max_length=20)
    severity: SeverityName = "warning"
    channels: Names | None = Field(default=None, description="Only these; null is all.")


class RuleSwitch(Given):
    disabled: bool


class RuleTold(Told):
    id: str
    name: str
    metric: str
    threshold: float | None
    below: bool
    scope: str
    subject: str | None
    window_seconds: int
    for_seconds: int
    no_data: str
    severity: SeverityTold
    channels: list[str] | None
    built_in: bool
    disabled: bool


async def list_all(call: Call, query: PageQuery) -> Page[RuleTold]:
    data, cursor = page_of(await call.core.alerts.rules.list(call.me), lambda one: (one.name, one.id), query, "rules")
    return Page[RuleTold](data=[_told(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> RuleTold:
    return _told(await call.core.alerts.rules.find(call.me, call.args["rule"]))


async def put(call: Call, given: RuleGiven) -> RuleTold:
    terms = RuleTerms(
        metric=given.metric,
        threshold=given.threshold,
        is_below=given.below,
        scope=given.scope,
        subject=given.subject,
        window_seconds=given.window_seconds,
        for_seconds=given.for_seconds,
        no_data=given.no_data,
        severity=Severity[given.severity.upper()],
        channels=None if given.channels is None else tuple(given.channels),
    )
    return _told(await call.core.alerts.rules.set(call.me, call.args["rule"], terms))


async def switch(call: Call, given: RuleSwitch) -> RuleTold:
    return _told(await call.core.alerts.rules.switch(call.me, call.args["rule"], is_on=not given.disabled))


async def remove(call: Call) -> None:
    await call.core.alerts.rules.remove(call.me, call.args["rule"])


def _told(one: RuleView) -> RuleTold:
    return RuleTold(
        id=one.id,
        name=one.name,
        metric=one.metric,
        threshold=one.threshold,
        below=one.is_below,
        scope=one.scope,
        subject=one.subject or None,
        window_seconds=one.window_seconds,
        for_seconds=one.for_seconds,
        no_data=one.no_data,
        severity=one.severity.name.lower(),
        channels=None if one.channels is None else list(one.channels),
        built_in=one.is_builtin,
        disabled=one.is_disabled,
    )


_ONE = "/api/alert-rules/{rule}"
ROWS = (
    Row("GET", "/api/alert-rules", "alert_rule.list", list_all, "All rules, by name"),
    Row("GET", _ONE, "alert_rule.list", get, "One rule, by id or name"),
    Row("PUT", _ONE, "alert_rule.set", put, "Make a rule of that name, or give it new terms"),
    Row("PATCH", _ONE, "alert_rule.switch", switch, "Switch a rule on or off"),
    Row("DELETE", _ONE, "alert_rule.remove", remove, "Remove a rule", status=204),
)
