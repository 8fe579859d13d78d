"""The request log as a table: one row a request, which leads to the request's own page."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row
from aiservice.portal.components.requests import SANDBOX, cost_text, is_good, provider_cell, status_text, units_text
from aiservice.portal.queries import Zone, url_of

PATH = "/requests"
ENDING_WORDS = [
    ("finished", "Finished"),
    ("unfinished", "Anything but finished"),
    ("failed", "Failed"),
    ("client_left", "Client left"),
    ("upstream_truncated", "Provider broke off"),
    ("broker_stopped", "Broker stopped"),
    ("budget_exhausted", "Budget had no more"),
    ("interrupted", "Interrupted"),
]
STATUSES = ("200", "400", "401", "402", "403", "404", "413", "429", "499", "500", "502", "503", "504")
CACHE_WORDS = [("hit", "From the cache"), ("coalesced", "With another's call"), ("miss", "Looked, not there")]
RANGE_WORDS = [("", "All time"), ("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days")]
HEADS = ["Began", "Status", "Client, key", "Task", "Provider, model", "Tokens in / out", "Cost", "Took"]


class LogRow(TypedDict):
    """A request in the list; `href` opens it beside the list. `marks` says that it was tried again, or of the cache."""

    id: str
    href: str
    marks: str
    at: str
    client: str
    key: str
    task: str
    provider: str
    is_sandbox: bool
    model: str
    status: str
    status_kind: str
    tokens: str
    cost: str
    milliseconds: str


class BarRow(TypedDict):
    """A bar over the list: `start` and `end` are what the URL says of its time."""

    label: str
    words: str
    requests: int
    errors: int
    start: str
    end: str


def bar_row(bar: Any, zone: Zone, *, is_of_days: bool) -> BarRow:
    """`bar` is of `services/request_bars.py`."""
    begins, ends = zone.moment(bar.start_us), zone.moment(bar.end_us)
    if is_of_days:
        when = f"{begins:%Y-%m-%d}" if (ends - begins).days == 1 else f"{begins:%Y-%m-%d} to {ends:%Y-%m-%d}"
    else:
        when = f"{begins:%Y-%m-%d %H:%M} to {ends:%H:%M}"
    many = f"{bar.requests:,} request{'' if bar.requests == 1 else 's'}"
    return BarRow(
        label=f"{begins:%m-%d}" if is_of_days else f"{begins:%m-%d %H:%M}",
        words=f"{when}: {many}, {bar.errors:,} failed" if bar.errors else f"{when}: {many}",
        requests=bar.requests,
        errors=bar.errors,
        start=f"{begins:%Y-%m-%dT%H:%M}",
        end=f"{ends:%Y-%m-%dT%H:%M}",
    )


def log_row(entry: Any, keys: dict[str, str], zone: Zone, url: dict[str, str]) -> LogRow:
    """`url` is the query of the list that the row is in."""
    return LogRow(
        id=entry.request_id,
        href=url_of(PATH, url, peek=entry.request_id),
        marks=_marks(entry),
        at=zone.show(entry.started_us),
        client=entry.client,
        key=keys.get(entry.key_id, entry.key_id),
        task=entry.task,
        provider=entry.provider or "none",
        is_sandbox=entry.provider == SANDBOX,
        model=entry.model or entry.requested_model or "",
        status=status_text(entry),
        status_kind="good" if is_good(entry) else "bad",
        tokens=units_text(entry) or f"{entry.input_tokens:,} / {entry.output_tokens:,}",
        cost=cost_text(entry),
        milliseconds=f"{max(0, entry.ended_us - entry.started_us) / 1000:,.0f} ms",
    )


def _marks(entry: Any) -> str:
    tries = len(entry.attempts)
    found = [entry.cache] if entry.cache in ("hit", "coalesced") else []
    return " · ".join([*found, *([f"{tries} tries"] if tries > 1 else [])])


def log_table(rows: Any, shown: Any) -> rx.Component:
    """The table of `rows`, a Var of `LogRow`s; `shown` is the id of the one that is open beside it."""
    table = data_table(HEADS, rx.foreach(rows, lambda row: _row(row, shown)), caption="Requests, newest first")
    return rx.el.div(table, id="log-rows")


def _row(row: Any, shown: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            ReactRouterLink.create(
                row["at"],
                to=row["href"],
                title=row["id"],
                prevent_scroll_reset=True,
                class_name=rx.cond(
                    row["id"] == shown,
                    f"tabular-nums whitespace-nowrap font-semibold {theme.LINK}",
                    f"tabular-nums whitespace-nowrap {theme.LINK}",
                ),
                custom_attrs={
                    "data-request": row["id"],
                    "aria-current": rx.cond(row["id"] == shown, "true", "false"),
                },
            )
        ),
        cell(
            rx.el.div(
                state_badge(row["status"], row["status_kind"]),
                rx.cond(row["marks"] != "", rx.el.span(row["marks"], class_name=f"mt-0.5 block text-xs {theme.MUTED}")),
            )
        ),
        cell(
            rx.el.div(
                rx.el.span(row["client"], title=row["client"], class_name=f"block {theme.CUT} sm:max-w-40"),
                rx.el.span(
                    row["key"],
                    title=row["key"],
                    class_name=f"block {theme.CUT} sm:max-w-40 text-xs {theme.MUTED}",
                ),
                class_name="min-w-0",
            ),
        ),
        cell(row["task"]),
        cell(
            rx.el.div(
                provider_cell(row),
                rx.el.span(
                    row["model"],
                    title=row["model"],
                    class_name=f"block {theme.CUT} sm:max-w-44 {theme.ID_TEXT}",
                ),
                class_name="min-w-0",
            )
        ),
        cell(row["tokens"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["cost"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["milliseconds"], class_name="whitespace-nowrap tabular-nums"),
    )
