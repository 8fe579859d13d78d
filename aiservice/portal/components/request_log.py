"""The request log as a table: one row a request, which leads to the request's own page."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row
from aiservice.portal.components.requests import SANDBOX, cost_text, is_good, provider_cell, status_text
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
HEADS = ["Began", "Status", "Client, key", "Task", "Provider, model", "Tokens in / out", "Cost", "Took"]


class LogRow(TypedDict):
    """A request in the list."""

    id: str
    href: str
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


def log_row(entry: Any, keys: dict[str, str], zone: Zone, zone_in_url: str) -> LogRow:
    return LogRow(
        id=entry.request_id,
        href=url_of(f"{PATH}/{entry.request_id}", {"tz": zone_in_url}),
        at=zone.show(entry.started_us),
        client=entry.client,
        key=keys.get(entry.key_id, entry.key_id),
        task=entry.task,
        provider=entry.provider or "none",
        is_sandbox=entry.provider == SANDBOX,
        model=entry.model or entry.requested_model or "",
        status=status_text(entry),
        status_kind="good" if is_good(entry) else "bad",
        tokens=f"{entry.input_tokens:,} / {entry.output_tokens:,}",
        cost=cost_text(entry),
        milliseconds=f"{max(0, entry.ended_us - entry.started_us) / 1000:,.0f} ms",
    )


def log_table(rows: Any) -> rx.Component:
    """The table of `rows`, a Var of `LogRow`s."""
    return data_table(HEADS, rx.foreach(rows, _row), caption="Requests, newest first")


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            ReactRouterLink.create(
                row["at"], to=row["href"], title=row["id"], class_name=f"tabular-nums whitespace-nowrap {theme.LINK}"
            )
        ),
        cell(state_badge(row["status"], row["status_kind"])),
        cell(
            rx.el.div(
                rx.el.span(row["client"], title=row["client"], class_name="block max-w-40 truncate"),
                rx.el.span(row["key"], title=row["key"], class_name=f"block max-w-40 truncate text-xs {theme.MUTED}"),
                class_name="min-w-0",
            ),
        ),
        cell(row["task"]),
        cell(
            rx.el.div(
                provider_cell(row),
                rx.el.span(row["model"], title=row["model"], class_name=f"block max-w-44 truncate {theme.ID_TEXT}"),
                class_name="min-w-0",
            )
        ),
        cell(row["tokens"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["cost"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["milliseconds"], class_name="whitespace-nowrap tabular-nums"),
    )
