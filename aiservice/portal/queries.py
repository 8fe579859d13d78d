"""What a page shows, as it stands in its URL: the same URL gives the same view, to whoever may see it.

Pages, links and exports all read a query here, so a download holds what its page shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, SECOND_US, now_us
from aiservice.portal.moments import USUAL_ZONE
from aiservice.services.audit import FOREVER_US, AuditFilter
from aiservice.services.key_listing import STATES, KeyFilter, StateName
from aiservice.services.request_log import CACHES, ENDINGS, CacheName, LogFilter
from aiservice.services.usage_metrics import METRICS, Metric
from aiservice.services.usage_series import BUCKETS_US, Breakdown, GroupBy

# Name in the URL -> name in services.
FILTERS = {"client": "client_id", "key": "key_id", "task": "task", "model": "model", "provider": "provider"}
RANGES = {"1h": HOUR_US, "24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US, "90d": 90 * DAY_US}
DEFAULT_RANGE, DEFAULT_GROUP, DEFAULT_METRIC = "7d", "key", "requests"
TOPS = ("5", "8", "20", "50")
DEFAULT_TOP = "8"
_MAX_CHARACTERS = 200
_MOST_SPAN_US = 3_653 * DAY_US
Params = Mapping[str, str]


@dataclass(slots=True, frozen=True)
class Zone:
    """The time zone that moments are shown in and typed in; UTC unless the URL names another."""

    name: str = "UTC"

    @classmethod
    def of_person(cls) -> "Zone":
        """That which the person of this event has chosen for themselves."""
        return cls(USUAL_ZONE.get())

    @classmethod
    def of(cls, params: Params) -> "Zone":
        """Raises: InvalidRequest: there is no such zone."""
        name = params.get("tz", "") or "UTC"
        if name != "UTC" and name not in _zone_names():
            raise InvalidRequest(f"There is no time zone '{name[:40]}'.", param="tz")
        return cls(name)

    def moment(self, at_us: int) -> datetime:
        return datetime.fromtimestamp(at_us / SECOND_US, UTC if self.name == "UTC" else ZoneInfo(self.name))

    def show(self, at_us: int) -> str:
        """To the second, without the zone's name."""
        return f"{self.moment(at_us):%Y-%m-%d %H:%M:%S}"

    def read(self, text: str, param: str) -> int:
        """Microseconds UTC of a moment as a form gives it ("2026-11-01T09:30"), meant in this zone.

        Raises:
            InvalidRequest: it is none.
        """
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC if self.name == "UTC" else ZoneInfo(self.name))
            return int(moment.timestamp() * SECOND_US)
        except (ValueError, OverflowError):
            raise InvalidRequest(f"'{text[:40]}' is no time. Write it like 2026-11-01T09:30.", param=param) from None


@dataclass(slots=True, frozen=True)
class RequestsView:
    """One page of the request log."""

    asked: LogFilter
    before: str
    after: str
    zone: Zone

    @classmethod
    def of(cls, params: Params) -> "RequestsView":
        """Raises: InvalidRequest: a value is none that this page knows."""
        zone, ending, status = Zone.of(params), params.get("ended", ""), params.get("status", "")
        if ending not in ENDINGS:
            raise InvalidRequest(f"No request ends as '{ending[:40]}'.", param="ended")
        if status and not (status.isdecimal() and 100 <= int(status[:4]) <= 599):
            raise InvalidRequest(f"'{status[:40]}' is no HTTP status.", param="status")
        start, end = params.get("from", ""), params.get("to", "")
        since = "" if start or end else _one_of(params, "range", "", ("", *RANGES))
        cache: CacheName = _one_of(params, "cache", "", CACHES)  # type: ignore[assignment]
        asked = LogFilter(
            **filters_of(params),
            ending=ending,
            status=int(status) if status else None,
            cache=cache,
            was_tried_again=_one_of(params, "tries", "", ("", "several")) == "several",
            text_id=params.get("id", "").strip()[:_MAX_CHARACTERS],
            start_us=zone.read(start, "from") if start else now_us() - RANGES[since] if since else None,
            end_us=zone.read(end, "to") if end else None,
        )
        return cls(asked, params.get("before", ""), params.get("after", ""), zone)

    def span(self) -> tuple[int, int]:
        """What the bars over the log are drawn of: the last day, where the URL names no time."""
        end_us = now_us() if self.asked.end_us is None else self.asked.end_us
        start_us = end_us - DAY_US if self.asked.start_us is None else self.asked.start_us
        return (max(start_us, end_us - _MOST_SPAN_US), end_us)


@dataclass(slots=True, frozen=True)
class KeysView:
    """One page of the list of keys."""

    asked: KeyFilter
    before: str
    after: str
    zone: Zone

    @classmethod
    def of(cls, params: Params) -> "KeysView":
        """Raises: InvalidRequest: a value is none that this page knows."""
        state: StateName = _one_of(params, "state", "", STATES)  # type: ignore[assignment]
        said = {name: params.get(name, "")[:_MAX_CHARACTERS] for name in ("q", "client", "before", "after")}
        return cls(KeyFilter(said["q"], state, said["client"]), said["before"], said["after"], Zone.of(params))


@dataclass(slots=True, frozen=True)
class AuditView:
    """One page of the audit log."""

    asked: AuditFilter
    before: str
    zone: Zone

    @classmethod
    def of(cls, params: Params) -> "AuditView":
        """Raises: InvalidRequest: a value is none that this page knows."""
        zone, start, end = Zone.of(params), params.get("from", ""), params.get("to", "")
        wanted = {name: params.get(name, "")[:_MAX_CHARACTERS] for name in ("actor", "action", "subject")}
        asked = AuditFilter(
            **wanted,
            start_us=zone.read(start, "from") if start else 0,
            end_us=zone.read(end, "to") if end else FOREVER_US,
        )
        return cls(asked, params.get("before", ""), zone)


@dataclass(slots=True, frozen=True)
class UsageView:
    """One chart with its table. `range_name` is "custom" where the URL gives both ends; `roll_up` "" is the bucket that
    suits the range."""

    range_name: str
    start_us: int
    end_us: int
    asked: Breakdown
    is_cumulative: bool
    zone: Zone

    @classmethod
    def of(cls, params: Params) -> "UsageView":
        """Raises: InvalidRequest: a value is none that this page knows."""
        zone = Zone.of(params)
        name, start_us, end_us = _range_of(params, zone)
        bucket = _one_of(params, "roll", "auto", ("auto", *BUCKETS_US))
        asked = Breakdown(
            _one_of(params, "by", DEFAULT_GROUP, get_args(GroupBy)),  # type: ignore[arg-type]
            _one_of(params, "sub", "none", get_args(GroupBy)),  # type: ignore[arg-type]
            _one_of(params, "metric", DEFAULT_METRIC, tuple(METRICS)),
            top=int(_one_of(params, "top", DEFAULT_TOP, TOPS)),
            bucket=None if bucket == "auto" else bucket,  # type: ignore[arg-type]
            is_compared=params.get("compare") == "1",
            filters=filters_of(params),
        )
        return cls(name, start_us, end_us, asked, params.get("sum") == "1", zone)

    @property
    def span(self) -> tuple[int, int]:
        return (self.start_us, self.end_us)

    @property
    def metric(self) -> Metric:
        return METRICS[self.asked.metric]


def _range_of(params: Params, zone: Zone) -> tuple[str, int, int]:
    """The range's name ("custom" where the query gives an end of it), and its ends in microseconds UTC."""
    if params.get("from") or params.get("to"):
        end_us = zone.read(params["to"], "to") if params.get("to") else now_us()
        start_us = zone.read(params["from"], "from") if params.get("from") else end_us - DAY_US
        if start_us >= end_us:
            raise InvalidRequest("The range ends before it begins.", param="from")
        return "custom", start_us, end_us
    name, end_us = _one_of(params, "range", DEFAULT_RANGE, tuple(RANGES)), now_us()
    return name, end_us - RANGES[name], end_us


def filters_of(params: Params) -> dict[str, str]:
    """The filters by client, key, task, model and provider, under their names in services.

    Raises:
        InvalidRequest: a value is longer than any of ours.
    """
    found = {ours: params[name] for name, ours in FILTERS.items() if params.get(name)}
    for name, value in found.items():
        if len(value) > _MAX_CHARACTERS:
            raise InvalidRequest("A filter's value is too long.", param=name)
    return found


def url_of(path: str, params: Params, **changed: str) -> str:
    """`path` with the query `params`, some of them changed; what is empty is left out."""
    query = {name: value for name, value in {**params, **changed}.items() if value}
    return f"{path}?{urlencode(query)}" if query else path


def in_zone(params: Params, name: str) -> dict[str, str]:
    """The query with times in the zone `name`: what was typed was meant in the zone before, and stays that moment.

    Raises:
        InvalidRequest: a value of it is none.
    """
    before, after = Zone.of(params), Zone.of({"tz": name})
    moved = {
        end: f"{after.moment(before.read(params[end], end)):%Y-%m-%dT%H:%M}"
        for end in ("from", "to")
        if params.get(end)
    }
    return {**params, **moved, "tz": zone_in_url(name)}


def zone_in_url(name: str) -> str:
    """What stands for a zone in a URL that somebody has chosen it for: "" where there is nothing to say."""
    return "" if name == "UTC" == USUAL_ZONE.get() else name


def in_own_zone(params: Params) -> dict[str, str]:
    """The query of a page, with the person's own zone in it where it names none. Times that are in it without one were
    meant in UTC, whoever looks."""
    usual = USUAL_ZONE.get()
    is_said = params.get("tz") or params.get("from") or params.get("to")
    return {**params} if is_said or usual == "UTC" else {**params, "tz": usual}


def _one_of(params: Params, name: str, default: str, known: tuple[str, ...]) -> str:
    value = params.get(name) or default
    if value not in known:
        raise InvalidRequest(f"'{value[:40]}' is none of: {', '.join(known)}.", param=name)
    return value


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())
