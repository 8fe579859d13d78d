"""A budget in a list: how much of it is spent, as a bar and in words, when it begins anew, what it comes to."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import badge, state_badge


def budget_item(row: Any, on_clear: Any) -> rx.Component:
    """One budget; `on_clear` takes its scope, subject, measure and period."""
    return rx.el.li(
        rx.el.div(
            rx.el.span(row["whose"], class_name="font-medium wrap-anywhere"),
            badge(row["scope"]),
            rx.el.span(row["words"], class_name=f"text-sm {theme.MUTED}"),
            rx.el.span(state_badge(f"{row['percent']} % spent", row["kind"]), class_name="sm:ml-auto"),
            class_name="flex flex-wrap items-center gap-x-3 gap-y-1",
        ),
        _bar(row),
        rx.el.div(
            rx.el.dl(
                _fact("Spent", row["spent"]),
                _fact("Left", row["left"]),
                _fact(row["resets_name"], row["resets"]),
                _fact("Tells people at", row["levels"]),
                rx.cond(row["unpriced"] != "", _fact("Without a price", row["unpriced"]), None),
                class_name="grid grow grid-cols-[repeat(auto-fill,minmax(9rem,1fr))] gap-x-4 gap-y-2 text-sm",
            ),
            rx.cond(row["may_change"], _clear(row, on_clear)),
            class_name="flex flex-wrap items-end justify-between gap-3",
        ),
        rx.cond(row["forecast"] != "", rx.el.div(state_badge(row["forecast"], row["forecast_kind"]))),
        key=f"{row['scope']} {row['subject']} {row['measure']} {row['period']}",
        class_name=f"flex flex-col gap-3 py-4 first:border-t-0 first:pt-0 {theme.LINE}",
    )


def _bar(row: Any) -> rx.Component:
    fill = rx.match(
        row["kind"],
        ("warn", theme.BAR_FILLS["warn"]),
        ("bad", theme.BAR_FILLS["bad"]),
        theme.BAR_FILLS["good"],
    )
    shown = rx.cond(row["percent"] > 100, 100, row["percent"])
    return rx.el.div(
        rx.el.div(class_name=fill, style={"width": f"{shown}%"}),
        class_name=theme.BAR,
        custom_attrs={
            "role": "meter",  # Reflex knows no such role
            "aria-label": f"Spent of the budget of {row['whose']}",
            "aria-valuemin": 0,
            "aria-valuemax": 100,
            "aria-valuenow": shown,
            "aria-valuetext": f"{row['spent']} of {row['words']}",
        },
    )


def _fact(name: Any, value: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(name, class_name=f"text-xs {theme.MUTED}"), rx.el.dd(value, class_name="wrap-anywhere"))


def _clear(row: Any, on_clear: Any) -> rx.Component:
    return confirm_button(
        "Clear",
        title="Clear this budget?",
        text=f"{row['whose']} may then spend without this end. What was spent stays in the usage.",
        confirm="Clear it",
        on_confirm=on_clear(row["scope"], row["subject"], row["measure"], row["period"]),
    )
