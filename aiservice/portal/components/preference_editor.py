"""Parts of the page of preferences: the chain, the form of the other terms, the review of a draft, and the history.

`page` is the page's State; in markup its attributes are Vars.
"""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.icons import icon
from aiservice.portal.components.parts import (
    alert,
    badge,
    card,
    cell,
    data_table,
    empty,
    field,
    select_field,
    state_badge,
    table_row,
)
from aiservice.portal.components.reorder import drag_handle

_YES_NO = [("", "not set"), ("yes", "yes"), ("no", "no")]
_SORTS = [
    ("", "not set"),
    ("price", "the cheapest first"),
    ("latency", "the quickest to answer first"),
    ("throughput", "the fastest first"),
]
_STRATEGIES = [
    ("", "not set"),
    ("weighted", "in turn, by weight"),
    ("least_loaded", "the least busy first"),
    ("latency", "the quicker of two at random"),
    ("cheapest", "the cheapest for what is asked"),
    ("quota", "the most quota left first"),
]
_COLLECTION = [("", "not set"), ("deny", "no: nothing may be collected"), ("allow", "yes")]
DIFFERENCE_HEADS = ["What", "Now", "In the draft"]
PLACE_HEADS = ["Place", "Connection", "Model", "Why"]
MOVED_HEADS = ["Began", "Client", "Asked for", "Went to", "Would go to"]
VERSION_HEADS = ["When", "Who", "Task", "What changed", ""]


def chain(page: Any) -> rx.Component:
    """The ordered chain, with buttons to move, test and remove each member, and the form that adds one."""
    return card(
        rx.cond(
            page.draft.length() > 0,
            rx.el.ol(
                rx.foreach(page.draft, lambda entry, index: _member(page, entry, index)),
                class_name="flex flex-col",
                custom_attrs={"aria-label": "Chain, first to last"},
            ),
            rx.el.p(
                "No chain: the broker takes what can do this task, by weight. Add the connection to try first.",
                class_name=f"text-sm {theme.MUTED}",
            ),
        ),
        rx.el.p(page.order_words, class_name="sr-only", role="status"),
        rx.cond(page.may_change, _add_form(page)),
        title="Order",
    )


def _member(page: Any, entry: Any, index: Any) -> rx.Component:
    last = page.draft.length() - 1
    # The focus goes with what was moved: it is mounted anew, and its button takes the focus then, or the other button
    # where that one has nowhere further to go.
    is_moved = page.just_moved == entry
    keeps_up = is_moved & (((page.moved_by == -1) & (index != 0)) | ((page.moved_by == 1) & (index == last)))
    keeps_down = is_moved & (((page.moved_by == 1) & (index != last)) | ((page.moved_by == -1) & (index == 0)))
    buttons = rx.el.div(
        rx.cond(
            page.may_test,
            rx.el.button(
                "Test",
                type="button",
                on_click=page.test(entry),
                class_name=theme.QUIET,
                custom_attrs={"aria-label": f"Test {entry}"},
            ),
        ),
        _icon_button("up", f"Move {entry} up", page.move(index, -1), disabled=index == 0, auto_focus=keeps_up),
        _icon_button("down", f"Move {entry} down", page.move(index, 1), disabled=index == last, auto_focus=keeps_down),
        _icon_button("close", f"Remove {entry}", page.remove(index)),
        class_name="flex items-center",
    )
    is_dragged = is_moved & (page.moved_by == 0)
    handle = drag_handle(index, f"Drag {entry}, or move it with the arrow keys", page.move_to, has_focus=is_dragged)
    return rx.el.li(
        rx.cond(page.may_change, handle),
        rx.el.span(index + 1, class_name=f"w-6 shrink-0 text-center text-sm {theme.MUTED}"),
        rx.el.div(
            rx.el.span(entry, class_name="block break-all font-mono text-sm"),
            rx.cond(
                page.tested.contains(entry),
                rx.el.span(page.tested[entry], class_name=f"block text-xs {theme.MUTED}", role="status"),
            ),
            class_name="min-w-0 grow basis-32",
        ),
        rx.cond(page.may_change, buttons),
        key=rx.cond(is_moved, f"{entry} {page.moves}", entry),
        class_name=f"flex flex-wrap items-center gap-1 {theme.LINE} {theme.ROW_GROUND} py-1 first:border-t-0",
    )


def _icon_button(name: str, label: Any, event: Any, **props: Any) -> rx.Component:
    label_attr = {"aria-label": label}
    return rx.el.button(
        icon(name), type="button", on_click=event, class_name=theme.ICON_BUTTON, custom_attrs=label_attr, **props
    )


def _add_form(page: Any) -> rx.Component:
    return rx.el.form(
        select_field(
            "Connection",
            "connection",
            rx.foreach(page.connections, lambda one: rx.el.option(one["label"], value=one["value"])),
        ),
        field("Model (optional)", "model", max_length=200, auto_complete="off", placeholder="the connection's own"),
        rx.el.button("Add to the chain", type="submit", class_name=f"{theme.SECONDARY} self-end"),
        on_submit=page.add,
        reset_on_submit=True,
        class_name=f"mt-4 grid gap-3 border-t pt-4 sm:grid-cols-[1fr_1fr_auto] {theme.LINE}",
    )


def terms_form(page: Any) -> rx.Component:
    """The other terms; keyed by what is shown, so that its fields begin with what is stored there."""

    def text(label: str, name: str, hint: str = "", **props: Any) -> rx.Component:
        props.setdefault("auto_complete", "off")
        return field(label, name, hint=hint, default_value=page.fields[name], **props)

    def choice(label: str, name: str, options: list[tuple[str, str]], hint: str = "") -> rx.Component:
        choices = [rx.el.option(words, value=value) for value, words in options]
        return select_field(label, name, choices, hint=hint, default_value=page.fields[name])

    names = "Connections or kinds, with commas between them."
    groups = rx.el.div(
        text("Only ever to", "only", names),
        text("Never to", "ignore", names),
        choice("Sort whom the order does not name", "sort", _SORTS),
        choice("Or share among them", "strategy", _STRATEGIES),
        choice("Try others when one fails", "fallbacks", _YES_NO),
        text("At most, USD per million tokens in", "prompt", input_mode="decimal", placeholder="any"),
        text("At most, USD per million tokens out", "completion", input_mode="decimal", placeholder="any"),
        text("At most, USD a request", "request", input_mode="decimal", placeholder="any"),
        text("Preferably within, ms", "latency", input_mode="numeric", placeholder="any"),
        text("Preferably at least, tokens a second", "throughput", input_mode="decimal", placeholder="any"),
        text("Leave a stream that gives fewer tokens a second", "floor", input_mode="decimal", placeholder="never"),
        choice("May data be collected", "data_collection", _COLLECTION),
        choice("Only where nothing is retained", "zdr", _YES_NO),
        choice("Only where every parameter is honoured", "parameters", _YES_NO),
        text("Only in these regions", "regions", "Such as eu, ch."),
        text("Model of the request to try", "asked", "For the dry run alone.", placeholder="auto", max_length=200),
        class_name="grid gap-4 sm:grid-cols-2 lg:grid-cols-3",
    )
    buttons = rx.el.div(
        confirm_button(
            "Clear",
            title="Clear these preferences?",
            text="What holds above them holds then. The history keeps them.",
            confirm="Clear them",
            on_confirm=page.clear,
            disabled=~page.is_stored,
        ),
        rx.el.button("Review the draft", type="submit", class_name=theme.PRIMARY),
        class_name="mt-5 flex flex-wrap justify-end gap-2",
    )
    form = rx.el.form(groups, rx.cond(page.may_change, buttons), on_submit=page.review, key=page.shown)
    return card(form, title="Other terms")


def review(page: Any) -> rx.Component:
    """What the draft would change: in words, for one request, and for those of the last hour."""
    differs = rx.cond(
        page.changes.length() > 0,
        data_table(DIFFERENCE_HEADS, rx.foreach(page.changes, _difference), caption="What the draft changes"),
        rx.el.p("The draft says what is stored already.", class_name=f"text-sm {theme.MUTED}"),
    )
    moved = rx.cond(
        page.moved.length() > 0,
        data_table(MOVED_HEADS, rx.foreach(page.moved, _moved), caption="Requests that would have gone elsewhere"),
    )
    refused = rx.cond(page.refusal != "", rx.el.div(alert(page.refusal, kind="warn"), class_name="mb-3"))
    content = card(
        rx.el.p(page.draft_words, class_name="mb-4 font-medium wrap-anywhere"),
        differs,
        rx.el.h3("One request, now", class_name=f"mt-6 mb-2 {theme.LABEL}"),
        refused,
        data_table(PLACE_HEADS, rx.foreach(page.places, _place), caption="Where a request would go, and why"),
        rx.el.h3("The last hour", class_name=f"mt-6 mb-2 {theme.LABEL}"),
        rx.el.p(page.hour_words, class_name="mb-2 text-sm", role="status"),
        moved,
        rx.el.div(
            rx.el.button("Discard", type="button", on_click=page.discard, class_name=theme.SECONDARY),
            rx.el.button(
                "Save",
                type="button",
                on_click=page.save,
                disabled=page.changes.length() == 0,
                class_name=theme.PRIMARY,
            ),
            class_name="mt-5 flex justify-end gap-2",
        ),
        title="The draft",
        actions=badge("not saved", "warn"),
    )
    return rx.cond(page.is_reviewed, rx.el.div(content, id="draft", tab_index=-1))


def _difference(row: Any) -> rx.Component:
    return table_row(
        DIFFERENCE_HEADS,
        cell(row["field"], class_name="font-medium first-letter:uppercase"),
        cell(row["before"], class_name=f"wrap-anywhere {theme.MUTED}"),
        cell(row["after"], class_name="wrap-anywhere"),
    )


def _place(row: Any) -> rx.Component:
    return table_row(
        PLACE_HEADS,
        cell(rx.cond(row["is_chosen"], state_badge(row["place"], "good"), state_badge("left out", "plain"))),
        cell(row["connection"], class_name="font-medium wrap-anywhere"),
        cell(row["model"], class_name="wrap-anywhere font-mono"),
        cell(row["why"]),
    )


def _moved(row: Any) -> rx.Component:
    return table_row(
        MOVED_HEADS,
        cell(rx.el.a(row["at"], href=row["href"], class_name=f"whitespace-nowrap {theme.LINK}")),
        cell(row["client"], class_name="wrap-anywhere"),
        cell(row["model"], class_name="wrap-anywhere font-mono"),
        cell(row["before"], class_name="wrap-anywhere"),
        cell(row["after"], class_name="wrap-anywhere"),
    )


def history(page: Any) -> rx.Component:
    """Every change of these preferences, and the way back to each."""
    return card(
        rx.cond(
            page.versions.length() > 0,
            data_table(VERSION_HEADS, rx.foreach(page.versions, lambda row: _version(page, row)), caption="History"),
            empty("Nothing was changed yet", "Every change is kept here, and can be taken back."),
        ),
        title="History",
    )


def _version(page: Any, row: Any) -> rx.Component:
    back = confirm_button(
        "Go back to this",
        title="Go back to this version?",
        text=f"{row['task']} is routed again as it was from {row['at']} on. That is a new version itself.",
        confirm="Go back",
        on_confirm=page.revert(row["number"]),
        custom_attrs={"aria-label": f"Go back to this, version {row['number']}"},
    )
    return table_row(
        VERSION_HEADS,
        cell(row["at"], class_name="whitespace-nowrap"),
        cell(row["who"], class_name="wrap-anywhere"),
        cell(row["task"]),
        cell(row["words"], class_name="wrap-anywhere"),
        cell(
            rx.cond(row["is_current"], badge("holds now", "good"), rx.cond(page.may_change, back)),
            class_name="text-right max-sm:text-left",
        ),
        key=row["number"],
    )
