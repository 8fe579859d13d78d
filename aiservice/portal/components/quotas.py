"""What is known of providers' own limits: a bar for each, how it became known, and who waits."""

from collections.abc import Mapping
from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, empty, state_badge, table_row

HEADS = ["Provider", "Limit", "Used", "State"]
_SOURCES = {"configured": "configured", "told": "told by the provider", "learned": "learned from its refusals"}
_UNITS = {"requests": "requests", "tokens": "tokens", "input_tokens": "input tokens", "output_tokens": "output tokens"}


class QuotaRow(TypedDict):
    """One limit of one provider and model; `width` is a CSS percentage."""

    provider: str
    model: str
    limit: str
    source: str
    used: str
    width: str
    is_full: bool
    state: str
    state_kind: str


def rows_of(seen: list[dict[str, Any]], names: Mapping[str, str]) -> list[QuotaRow]:
    """The rows for what `services.quotas.seen` gives of connections and keys by id; a lane only held has one row."""
    lanes = [{**lane, "provider": names[lane["connection_id"]]} for lane in seen if lane["connection_id"] in names]
    rows = [_row(lane, limit) for lane in lanes for limit in lane["limits"]]
    rows += [_row(lane, None) for lane in lanes if not lane["limits"]]
    return sorted(rows, key=lambda row: (row["provider"], row["model"]))


def _row(lane: dict[str, Any], limit: dict[str, Any] | None) -> QuotaRow:
    state, kind = _state(lane)
    used = 0 if limit is None else limit["used"] + limit["used_by_others"]
    part = 0.0 if limit is None else min(1.0, used / max(1, limit["limit"]))
    per = "" if limit is None or limit["window_seconds"] == 60 else f" in {limit['window_seconds']} s"
    return QuotaRow(
        provider=lane["provider"],
        model=lane["model"] or "all models together",
        limit="not known" if limit is None else f"{limit['limit']:,} {_UNITS[limit['measure']]}{per or ' a minute'}",
        source="" if limit is None else _SOURCES[limit["source"]],
        used="" if limit is None else f"{used:,} of {limit['limit']:,} in the last minute",
        width=f"{part * 100:.1f}%",
        is_full=part >= 0.9,
        state=state,
        state_kind=kind,
    )


def _state(lane: dict[str, Any]) -> tuple[str, str]:
    waiting = f"; {lane['waiting']} waiting" if lane["waiting"] else ""
    if lane["held_seconds"] > 0:
        return f"asked again in {lane['held_seconds']:.0f} s{waiting}", "bad"
    if lane["is_in_trouble"]:
        return f"one call at a time{waiting}", "warn"
    return (f"{lane['waiting']} waiting", "warn") if lane["waiting"] else ("nobody waits", "good")


def quota_table(rows: Any) -> rx.Component:
    """The rows, or what to do to have some."""
    return rx.cond(
        rows.length() > 0,
        data_table(HEADS, rx.foreach(rows, _line), caption="What providers give in a minute"),
        empty(
            "No limits are known",
            rx.fragment(
                "They appear here once a provider tells of them, or refuses a call. Or say what it gives: ",
                rx.el.code("provider set-quota NAME --rpm 500", class_name="font-mono text-xs whitespace-nowrap"),
            ),
        ),
    )


def _line(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["provider"], class_name="block font-medium"),
            rx.el.span(row["model"], class_name=f"block text-xs wrap-anywhere {theme.MUTED}"),
        ),
        cell(
            rx.el.span(row["limit"], class_name="block"),
            rx.el.span(row["source"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(
            rx.el.span(row["used"], class_name="block text-xs tabular-nums"),
            rx.el.div(
                rx.el.div(
                    class_name=rx.cond(
                        row["is_full"],
                        "h-full rounded-full bg-amber-600 dark:bg-amber-400",
                        "h-full rounded-full bg-indigo-600 dark:bg-indigo-400",
                    ),
                    style={"width": row["width"]},
                ),
                class_name="mt-1 h-1.5 w-full min-w-32 rounded-full bg-slate-200 dark:bg-slate-700",
                custom_attrs={"aria-hidden": "true"},
            ),
        ),
        cell(state_badge(row["state"], row["state_kind"])),
    )
