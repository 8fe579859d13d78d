"""The tables of the Cache page: what the cache did for whom, and the policies."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row


class SavedLine(TypedDict):
    """What the cache did for a client's task."""

    client_id: str
    client: str
    task: str
    rate: str
    width: str
    counts: str
    similar: str
    tokens: str
    money: str
    time: str


class PolicyLine(TypedDict):
    """A policy; `holder` is scope and id, for the handler that clears it."""

    holder: str
    of: str
    what: str
    task: str
    task_words: str
    mode: str
    look: str
    times: str
    shared: str
    similar: str
    is_off: bool
    is_mine: bool


_NOTE = f"block text-xs {theme.MUTED}"
_WARNED = "block text-xs text-amber-800 dark:text-amber-200"
SAVED_HEADS = ["Client and task", "Answered by the cache", "Tokens saved", "Money saved", "Waiting saved", ""]
POLICY_HEADS = ["For", "Task", "Answers are kept", "For how long", "And given to", ""]


def saved_table(rows: Any, on_purge: Any) -> rx.Component:
    """What the cache did; `on_purge` is an event handler that takes a client's id."""
    lines = rx.foreach(rows, lambda row: _saved_line(row, on_purge))
    return data_table(SAVED_HEADS, lines, caption="What the cache saved")


def policy_table(rows: Any, on_clear: Any) -> rx.Component:
    """The policies; `on_clear` takes what a policy is of, and its task."""
    lines = rx.foreach(rows, lambda row: _policy_line(row, on_clear))
    return data_table(POLICY_HEADS, lines, caption="Policies of the cache")


def _saved_line(row: Any, on_purge: Any) -> rx.Component:
    return table_row(
        SAVED_HEADS,
        cell(_two_lines(row["client"], row["task"])),
        cell(_bar(row)),
        cell(row["tokens"], class_name="tabular-nums"),
        cell(row["money"], class_name="tabular-nums"),
        cell(row["time"], class_name="tabular-nums"),
        cell(
            confirm_button(
                "Purge",
                title=f"Purge the answers of {row['client']}?",
                text="Nothing that was kept for this client until now is given out any more.",
                confirm="Purge",
                on_confirm=on_purge(row["client_id"]),
                custom_attrs={"aria-label": f"Purge the answers of {row['client']}"},
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=f"{row['client_id']} {row['task']}",
    )


def _two_lines(name: Any, what: Any) -> rx.Component:
    """One child of its cell: on a phone a cell lays its children out in rows."""
    return rx.el.div(
        rx.el.span(name, class_name="font-medium break-words"),
        rx.el.span(what, class_name=f"block text-xs {theme.MUTED}"),
    )


def _bar(row: Any) -> rx.Component:
    """The words say what the bar shows, so that it is no news to a screen reader."""
    return rx.el.div(
        rx.el.span(row["rate"], class_name="tabular-nums"),
        rx.el.span(row["counts"], class_name=f"ml-2 text-xs {theme.MUTED}"),
        rx.cond(row["similar"] != "", rx.el.span(row["similar"], class_name=f"block text-xs {theme.MUTED}")),
        rx.el.div(
            rx.el.div(class_name="h-full rounded-full bg-indigo-600 dark:bg-indigo-400", style={"width": row["width"]}),
            class_name="mt-1 h-1.5 w-full min-w-32 overflow-hidden rounded-full bg-slate-200 dark:bg-slate-700",
            custom_attrs={"aria-hidden": "true"},
        ),
        class_name="w-full",
    )


def _policy_line(row: Any, on_clear: Any) -> rx.Component:
    return table_row(
        POLICY_HEADS,
        cell(_two_lines(row["of"], row["what"])),
        cell(row["task_words"]),
        cell(state_badge(row["mode"], row["look"])),
        cell(row["times"]),
        cell(
            rx.el.div(
                row["shared"],
                rx.cond(
                    row["similar"] != "",
                    rx.el.span(
                        row["similar"], class_name=rx.cond(row["is_off"], _WARNED, f"block text-xs {theme.MUTED}")
                    ),
                ),
            )
        ),
        cell(
            rx.cond(
                row["is_mine"],
                confirm_button(
                    "Clear",
                    title="Take this policy away?",
                    text="What is less specific holds then. What was kept stays until its time is over.",
                    confirm="Take it away",
                    on_confirm=on_clear(row["holder"], row["task"]),
                    custom_attrs={"aria-label": f"Clear the policy of {row['of']} for {row['task_words']}"},
                ),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=f"{row['holder']} {row['task']}",
    )
