"""What the page of preferences is about: whose they are, for which task, and what is stored.

`page` is the page's State; in markup its attributes are Vars.
"""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import card, cell, data_table, empty, select_field, table_row
from aiservice.services.preferences import ANY_TASK
from aiservice.tasks import registry

HEADS = ["Task", "Says", ""]


def choice(page: Any) -> rx.Component:
    """Whose preferences and for which task, what is stored there in words, and what holds where that says nothing."""
    tasks = [(ANY_TASK, "Any task that says nothing of its own"), *((name, t.title) for name, t in registry().items())]
    above = rx.el.div(
        rx.el.p("Where it says nothing, this holds, the first before the next:", class_name=f"text-sm {theme.MUTED}"),
        rx.el.ol(
            rx.foreach(
                page.above,
                lambda line: rx.el.li(
                    rx.el.span(line["name"], ": ", class_name="font-medium"), line["words"], class_name="wrap-anywhere"
                ),
            ),
            class_name="mt-1 list-decimal pl-5 text-sm",
        ),
        class_name="mt-3",
    )
    return card(
        rx.el.div(
            select_field(
                "Whose",
                "scope",
                rx.foreach(page.scopes, lambda one: rx.el.option(one["label"], value=one["value"])),
                value=page.scope,
                on_change=page.choose_scope,
            ),
            select_field(
                "Task",
                "task",
                [rx.el.option(title, value=name) for name, title in tasks],
                value=page.task,
                on_change=page.choose_task,
            ),
            class_name="grid gap-4 sm:grid-cols-2",
        ),
        rx.el.p(page.now_words, class_name="mt-4 font-medium wrap-anywhere", role="status"),
        rx.cond(page.above.length() > 0, above),
        rx.cond(
            page.is_loaded & ~page.may_change,
            rx.el.p("Only an admin may change these.", class_name=f"mt-3 text-sm {theme.MUTED}"),
        ),
    )


def stored(page: Any) -> rx.Component:
    """What the chosen scope has stored, by task."""

    def line(row: Any) -> rx.Component:
        edit = rx.el.button(
            "Edit",
            type="button",
            on_click=page.choose_task(row["value"]),
            class_name=theme.QUIET,
            custom_attrs={"aria-label": f"Edit the preferences of {row['name']}"},
        )
        return table_row(
            HEADS,
            cell(row["name"], class_name="font-medium"),
            cell(row["words"], class_name="wrap-anywhere"),
            cell(edit, class_name="text-right max-sm:text-left"),
        )

    return card(
        rx.cond(
            page.stored.length() > 0,
            data_table(HEADS, rx.foreach(page.stored, line), caption="Stored here"),
            empty("Nothing stored", "Without preferences, the broker picks a usable connection by weight."),
        ),
        title="Stored here, by task",
    )
