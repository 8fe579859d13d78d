"""A request as pages show it: one row of plain texts, made from a ledger entry."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.money import to_usd_text
from aiservice.portal import theme
from aiservice.portal.components.parts import badge, cell, state_badge, table_row
from aiservice.portal.moments import shown_moment

SANDBOX = "sandbox"


class RequestRow(TypedDict):
    """A settled request."""

    id: str
    at: str
    client: str
    task: str
    provider: str
    model: str
    status: str
    status_kind: str
    tokens: str
    cost: str
    milliseconds: str
    is_sandbox: bool


def request_row(entry: Any) -> RequestRow:
    """`entry` has the fields of the ledger; an unpriced model says so instead of costing nothing."""
    return RequestRow(
        id=entry.request_id,
        at=shown_moment(entry.started_us, "%H:%M:%S"),
        client=entry.client,
        task=entry.task,
        provider=entry.provider or "none",
        model=entry.model or entry.requested_model or "",
        status=status_text(entry),
        status_kind="good" if is_good(entry) else "bad",
        tokens=units_text(entry) or f"{entry.input_tokens:,} in, {entry.output_tokens:,} out",
        cost=cost_text(entry),
        milliseconds=f"{max(0, entry.ended_us - entry.started_us) / 1000:,.0f} ms",
        is_sandbox=entry.provider == SANDBOX,
    )


def units_text(entry: Any) -> str:
    """What a ledger entry used that is not counted in tokens: "3 images"; "" where all of it is."""
    if not entry.unit:
        return ""
    many = f"{entry.unit}es" if entry.unit == "search" else f"{entry.unit}s"
    return f"{entry.units:,} {entry.unit if entry.units == 1 else many}"


def cost_text(entry: Any) -> str:
    """What a ledger entry cost; an unpriced model is said to be one."""
    return "unpriced" if entry.cost_nano_usd is None else f"${to_usd_text(entry.cost_nano_usd)}"


def milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2f} ms"


def is_good(entry: Any) -> bool:
    """Whether a ledger entry ended as it should."""
    return bool(entry.status < 400 and entry.outcome == "finished")


def status_text(entry: Any) -> str:
    """The status, and how it ended where that was not well."""
    return str(entry.status) if entry.outcome == "finished" else f"{entry.status} {entry.outcome.replace('_', ' ')}"


def provider_cell(row: Any) -> rx.Component:
    """The provider's name; an answer of the sandbox says that no model wrote it."""
    return rx.el.span(
        row["provider"],
        rx.cond(row["is_sandbox"], badge("not a model", "warn")),
        class_name="inline-flex flex-wrap items-center gap-1.5",
    )


def request_line(row: Any) -> rx.Component:
    """A table row for a request."""
    return table_row(
        REQUEST_HEADS,
        cell(
            rx.el.a(row["at"], title=row["id"], href=f"/requests/{row['id']}", class_name=theme.LINK),
            class_name="whitespace-nowrap tabular-nums",
        ),
        cell(rx.el.span(row["client"], title=row["client"], class_name=f"block {theme.CUT} sm:max-w-40")),
        cell(row["task"]),
        cell(provider_cell(row)),
        cell(
            rx.el.span(
                row["model"],
                title=row["model"],
                class_name=f"block {theme.CUT} sm:max-w-48 font-mono text-xs",
            )
        ),
        cell(state_badge(row["status"], row["status_kind"])),
        cell(row["tokens"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["cost"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["milliseconds"], class_name="whitespace-nowrap tabular-nums"),
    )


REQUEST_HEADS = ["Time", "Client", "Task", "Provider", "Model", "Status", "Tokens", "Cost", "Took"]
