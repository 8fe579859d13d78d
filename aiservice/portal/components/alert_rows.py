"""An alert as a row of the Alerts page: what fired against which threshold, since when, and where its requests are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from aiservice.kit.clock import MINUTE_US, SECOND_US, from_us, iso
from aiservice.portal.moments import shown_moment
from aiservice.portal.queries import url_of
from aiservice.services.alert_contributors import EVIDENCE, Contributor
from aiservice.services.alert_notes import Severity
from aiservice.services.alerts import AlertView

_LOOKS = {Severity.CRITICAL: "bad", Severity.WARNING: "warn", Severity.INFO: "plain"}
_FILTERS = {"client": "client", "key": "key", "connection": "provider", "task": "task", "model": "model"}
_USUAL_WINDOW_SECONDS = 300
_SHOWN = {"value", "threshold"}  # they have a place of their own


class Fact(TypedDict):
    """A figure behind an alert."""

    name: str
    value: str


class Share(TypedDict):
    """Somebody's or something's part in a figure; `width` is a CSS percentage."""

    by: str
    name: str
    share: str
    width: str
    requests: str


class AlertRow(TypedDict):
    """An alert in the list. `measured` compares value and threshold in words; `width` and `mark` are CSS percentages of
    where they stand on one scale."""

    id: str
    title: str
    words: str
    severity: str
    severity_kind: str
    client: str
    since: str
    detail: str
    muted: str
    is_open: bool
    is_resolved: bool
    facts: list[Fact]
    shares_of: str
    shares: list[Share]
    requests: str
    measured: str
    width: str
    mark: str


def row_of(view: AlertView) -> AlertRow:
    """The row of an alert."""
    detail = ""
    if view.resolved_us is not None:
        detail = f"Resolved {_at(view.resolved_us)}" + (f" by {view.resolved_by}" if view.resolved_by else " by itself")
    elif view.acknowledged_us is not None:
        detail = f"{view.acknowledged_by} is on it since {_at(view.acknowledged_us)}"
    times = f", {view.count:,} times, last {_at(view.last_us)}" if view.count > 1 else ""
    measured, width, mark = _measured(view.evidence)
    parts: list[Contributor] = view.evidence.get(EVIDENCE) or []
    return AlertRow(
        id=view.id,
        title=view.title,
        words=view.words,
        severity=view.severity.name.lower(),
        severity_kind=_LOOKS[view.severity],
        client=view.client or "",
        since=f"Since {_at(view.first_us)}{times}",
        detail=detail,
        muted=f"muted until {_at(view.muted_until_us)}" if view.muted_until_us else "",
        is_open=view.state == "open",
        is_resolved=view.state == "resolved",
        facts=[
            Fact(name=name.replace("_", " "), value=_fact(name, value))
            for name, value in view.evidence.items()
            if value not in (None, "") and name != EVIDENCE and not (measured and name in _SHOWN)
        ],
        shares_of=parts[0]["of"] if parts else "",
        shares=[_share(view, part) for part in parts],
        requests=_requests(view),
        measured=measured,
        width=width,
        mark=mark,
    )


def filters_of(view: AlertView) -> dict[str, str]:
    """By what its requests are found, under the names of a URL; nothing where it is about no requests."""
    scope = str(view.evidence.get("scope", ""))
    if scope in _FILTERS and view.subject:
        return {_FILTERS[scope]: view.subject}
    connection = view.evidence.get("connection")
    if isinstance(connection, str) and connection:
        return {"provider": connection.partition(" key ")[0]}
    return {}


def span_of(view: AlertView) -> tuple[int, int]:
    """From when on, and until when, its requests were made: its window before it began, and a minute behind its end."""
    window = view.evidence.get("window_seconds")
    seconds = window if isinstance(window, int) else _USUAL_WINDOW_SECONDS
    return view.first_us - seconds * SECOND_US, max(view.last_us, view.resolved_us or 0) + MINUTE_US


def _requests(view: AlertView) -> str:
    """Where exactly those requests are that it is about."""
    filters = filters_of(view)
    if not filters:
        return ""
    begin, end = (f"{_minute(at_us):%Y-%m-%dT%H:%M}" for at_us in span_of(view))
    return url_of("/requests", {**filters, "from": begin, "to": end})


def _share(view: AlertView, part: Contributor) -> Share:
    begin, end = (f"{_minute(at_us):%Y-%m-%dT%H:%M}" for at_us in span_of(view))
    found = url_of("/requests", {**filters_of(view), part["by"]: part["id"], "from": begin, "to": end})
    shown = f"{part['share']:.0%}"
    # Requests that never came to a provider have none; a link without a word is none to who hears it.
    name = part["name"] or part["id"] or f"no {part['by']}"
    return Share(by=part["by"], name=name, share=shown, width=f"{part['share']:.1%}", requests=found)


def _minute(at_us: int) -> datetime:
    return from_us(at_us // MINUTE_US * MINUTE_US)


def _measured(evidence: Mapping[str, Any]) -> tuple[str, str, str]:
    value, threshold = evidence.get("value"), evidence.get("threshold")
    if not isinstance(value, int | float) or not isinstance(threshold, int | float) or isinstance(value, bool):
        return "", "0%", "0%"
    top = max(value, threshold, 0.0) * 1.1 or 1.0
    words = f"{_fact('value', value)} measured, threshold {_fact('threshold', threshold)}"
    return words, f"{max(0.0, value) / top:.1%}", f"{max(0.0, threshold) / top:.1%}"


def _at(at_us: int) -> str:
    return shown_moment(at_us)


def _fact(name: str, value: object) -> str:
    if name.endswith("_us") and isinstance(value, int):
        return iso(value) or ""
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)[:300]
