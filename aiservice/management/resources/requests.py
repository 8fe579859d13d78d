"""Requests: the log, narrowed as on the portal's page, and one request with its whole trace."""

from typing import Annotated, Any

from pydantic import Field

from aiservice.errors import NotFound
from aiservice.kit.clock import iso
from aiservice.management.models import At, CsvLines, Money, Page, Told, at, one_of
from aiservice.management.paging import cursor_of, place_of
from aiservice.management.resources.usage import Moment, RequestFilters, moment
from aiservice.management.rows import Call, Row
from aiservice.services.request_log import UNITS, CacheName, EndingName, LogFilter, LoggedRequest

_KIND = "requests"


class Narrowed(RequestFilters):
    ended: EndingName = Field(default="", description="How it ended.")
    status: int | None = Field(default=None, ge=100, le=599)
    cache: CacheName = ""
    tried_again: bool = False
    text_id: str = Field(default="", max_length=200, description="A trace id, or the provider's own id of its answer.")
    start: str | None = Moment
    end: str | None = Moment

    def asked(self) -> LogFilter:
        """Raises: InvalidRequest: a time is none."""
        return LogFilter(
            **self.of_usage(),
            ending=self.ended,
            status=self.status,
            cache=self.cache,
            was_tried_again=self.tried_again,
            text_id=self.text_id,
            start_us=moment(self.start, "start"),
            end_us=moment(self.end, "end"),
        )


class RequestQuery(Narrowed):
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=2_000)


class Tokens(Told):
    """`units` of `unit` are of work that has such: images, seconds of sound, characters spoken, searches."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    total_tokens: int
    units: int | None
    unit: Annotated[str, one_of(*UNITS)] | None
    source: Annotated[str, one_of("reported", "counted", "estimated")]


class RequestTold(Told):
    id: str
    client: str
    client_id: str
    key_id: str
    task: str
    surface: str
    requested_model: str | None
    provider: str | None
    model: str | None
    status: int
    outcome: str
    error_code: str | None
    stream: bool
    cache: str
    usage: Tokens
    cost: Money | None
    started_at: At
    ended_at: At
    first_byte_ms: int | None
    overhead_ms: float | None


class RequestTrace(RequestTold):
    """`decision` is the table it went by: places in order with their reasons, and the rule that left each other out."""

    attempts: list[dict[str, Any]]
    decision: dict[str, Any] | None
    trace_id: str | None
    upstream_id: str | None


class RequestBodies(Told):
    """What was asked and answered, where an admin wants that kept. An admin's look is in the audit log."""

    request: str
    answer: str | None
    cut: bool
    until: At


async def list_all(call: Call, query: RequestQuery) -> Page[RequestTold]:
    before = "" if query.cursor is None else str(place_of(_KIND, query.cursor)[0])
    page = await call.core.requests.page(call.me, query.asked(), query.limit, before)
    cursor = cursor_of(_KIND, (page.next_before,)) if page.next_before else None
    return Page[RequestTold](data=[RequestTold(**_said(one)) for one in page.entries], next_cursor=cursor)


async def export(call: Call, query: Narrowed) -> CsvLines:
    return CsvLines("requests.csv", call.core.requests.export_csv(call.me, query.asked()))


async def get(call: Call) -> RequestTrace:
    entry = await call.core.requests.one(call.me, call.args["request"])
    return RequestTrace(
        **_said(entry),
        attempts=list(entry.attempts),
        decision=await call.core.decisions.find(entry.decision),
        trace_id=entry.trace_id,
        upstream_id=entry.upstream_id,
    )


async def bodies(call: Call) -> RequestBodies:
    kept = await call.core.payloads.of(call.me, call.args["request"])
    if kept is None:
        raise NotFound("Nothing is kept of what was asked and answered there.", code="payload_not_kept")
    return RequestBodies(request=kept.request, answer=kept.answer, cut=kept.is_cut, until=at(kept.expires_us))


def _said(one: LoggedRequest) -> dict[str, Any]:
    first = one.first_byte_us
    return {
        "id": one.request_id,
        "client": one.client,
        "client_id": one.client_id,
        "key_id": one.key_id,
        "task": one.task,
        "surface": one.surface,
        "requested_model": one.requested_model or None,
        "provider": one.provider or None,
        "model": one.model or None,
        "status": one.status,
        "outcome": one.outcome,
        "error_code": one.error_code,
        "stream": one.is_stream,
        "cache": one.cache or "bypass",
        "usage": Tokens(
            input_tokens=one.input_tokens,
            output_tokens=one.output_tokens,
            cached_input_tokens=one.cached_input_tokens,
            reasoning_tokens=one.reasoning_tokens,
            total_tokens=one.input_tokens + one.output_tokens,
            units=one.units,
            unit=one.unit,
            source=one.usage_source,
        ),
        "cost": Money.of(one.cost_nano_usd),
        "started_at": at(one.started_us),
        "ended_at": iso(one.ended_us),
        "first_byte_ms": None if first is None else (first - one.started_us) // 1_000,
        "overhead_ms": None if one.overhead_us is None else one.overhead_us / 1_000,
    }


_ONE = "/api/requests/{request}"
ROWS = (
    Row("GET", "/api/requests", "request.list", list_all, "The log, newest first"),
    Row("GET", "/api/requests/export", "request.export", export, "All of it that is asked for, as CSV"),
    Row("GET", _ONE, "request.get", get, "One request: attempts, decision, usage, cost"),
    Row("GET", f"{_ONE}/payload", "payload.read", bodies, "What was asked and answered, where it is kept"),
)
