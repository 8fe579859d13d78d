"""Small parts that every page is made of: cards, fields, badges, alerts, empty states, tables, skeletons."""

from typing import Any, NamedTuple

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import copy_button


def card(*children: Any, title: Any = None, actions: Any = None, class_name: str = "") -> rx.Component:
    """A surface with an optional heading and actions at its right."""
    head = []
    if title is not None:
        heading = rx.el.h2(title, class_name=theme.H2)
        beside = rx.el.div(actions, class_name="flex flex-wrap items-center gap-2")
        bar = [heading] if actions is None else [heading, beside]
        head = [rx.el.div(*bar, class_name="mb-4 flex flex-wrap items-center justify-between gap-2")]
    return rx.el.section(*head, *children, class_name=f"{theme.CARD} {class_name}")


def field(label: str, name: str, *, hint: Any = "", row: Any = "", **props: Any) -> rx.Component:
    """A labelled input; `hint` (a text or a Var) is tied to it for screen readers. Where every row of a list has the
    same form, `row` is the row's id, or the input gets an `id`: a label belongs to the input of its own form."""
    props.setdefault("type", "text")
    place = _id_of(name, row, props.pop("id", ""))
    has_hint = not isinstance(hint, str) or bool(hint)
    described = {"aria-describedby": f"{place}-hint"} if has_hint else {}
    hints = [rx.el.p(hint, id=f"{place}-hint", class_name=theme.HINT)] if has_hint else []
    return rx.el.div(
        rx.el.label(label, html_for=place, class_name=theme.LABEL),
        rx.el.input(id=place, name=name, class_name=f"mt-1 {theme.INPUT}", custom_attrs=described, **props),
        *hints,
    )


def _id_of(name: str, row: Any, given: Any) -> Any:
    """Of a field: the one that is given, its name, or that with the row's id after it.

    An id that is a text (as an f-string of Vars is) Reflex takes for the name of a field; a form is then sent with it,
    too, and refused. Of a Var it makes none.
    """
    is_plain = isinstance(row, str) and not row
    place = given or (name if is_plain else f"{name}-{row}")
    return name if isinstance(place, str) and place == name else rx.Var.create(place)


def select_field(label: str, name: str, options: Any, *, hint: str = "", row: Any = "", **props: Any) -> rx.Component:
    """A labelled native select; `options` are <option> elements or one `rx.foreach`; `row` as in `field`."""
    place = _id_of(name, row, props.pop("id", ""))
    choices = options if isinstance(options, list) else [options]
    hints = [rx.el.p(hint, class_name=theme.HINT)] if hint else []
    return rx.el.div(
        rx.el.label(label, html_for=place, class_name=theme.LABEL),
        rx.el.select(*choices, id=place, name=name, class_name=f"mt-1 {theme.INPUT}", **props),
        *hints,
    )


def checkbox(label: str, name: str, *, hint: str = "", **props: Any) -> rx.Component:
    hints = [rx.el.p(hint, class_name=theme.HINT)] if hint else []
    return rx.el.div(
        rx.el.label(
            rx.el.input(type="checkbox", name=name, class_name=f"size-4 accent-indigo-700 {theme.FOCUS}", **props),
            label,
            class_name="flex items-center gap-2 text-sm font-medium",
        ),
        *hints,
    )


def badge(text: Any, kind: str = "plain") -> rx.Component:
    return rx.el.span(text, class_name=theme.BADGES[kind])


def state_badge(text: Any, kind: Any) -> rx.Component:
    """A badge whose kind ("good", "warn", "bad") is only known in the browser."""
    return rx.el.span(
        text,
        class_name=rx.match(
            kind,
            ("good", theme.BADGES["good"]),
            ("warn", theme.BADGES["warn"]),
            ("bad", theme.BADGES["bad"]),
            theme.BADGES["plain"],
        ),
    )


def alert(*children: Any, kind: str = "info", role: str = "status") -> rx.Component:
    return rx.el.div(*children, class_name=theme.ALERT[kind], role=role)


def tile(figure: Any) -> rx.Component:
    """One figure: its `name`, `value` and `note`."""
    return rx.el.div(
        rx.el.p(figure["name"], class_name=f"text-sm {theme.MUTED}"),
        rx.el.p(figure["value"], class_name=theme.TILE_VALUE),
        rx.el.p(figure["note"], class_name=f"mt-1 text-xs wrap-anywhere {theme.MUTED}"),
        class_name=f"min-w-0 {theme.SURFACE} p-4",
    )


def empty(title: str, text: Any, action: rx.Component | None = None) -> rx.Component:
    """What a list shows while it has nothing, with the one thing to do next."""
    return rx.el.div(
        rx.el.p(title, class_name="font-medium"),
        rx.el.p(text, class_name=f"max-w-prose text-sm {theme.MUTED}"),
        *([action] if action is not None else []),
        class_name="flex flex-col items-center gap-3 px-4 py-10 text-center",
    )


def skeleton(class_name: str = "h-24") -> rx.Component:
    """Room of the final size while data is on its way."""
    return rx.el.div(class_name=f"{theme.SKELETON} {class_name}", custom_attrs={"aria-hidden": "true"})


def waiting(*heights: str) -> rx.Component:
    """Room for a page's cards, one below the other, for as long as its data is on its way."""
    room = [skeleton(height) for height in heights]
    return rx.el.div(*room, class_name="flex flex-col gap-5", custom_attrs={"aria-busy": "true"})


def skeleton_tiles(count: int = 4) -> rx.Component:
    """Room for a row of tiles."""
    return rx.el.div(
        *[skeleton("h-[6.5rem]") for _ in range(count)],
        class_name="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-5",
    )


def skeleton_table(rows: int = 5) -> rx.Component:
    """Room for a table of so many rows, its head included; rows are higher on a phone, where they are cards."""
    return rx.el.div(
        skeleton("h-4 w-1/3"), *[skeleton("h-8 max-sm:h-28") for _ in range(rows)], class_name="flex flex-col gap-3"
    )


def error_card(title: str, text: Any, *, request_id: Any = "", on_retry: Any = None) -> rx.Component:
    """What stands where something could not be loaded: what failed, its request id, another try, and words to copy."""
    details = rx.Var.create(f"{title} ") + text + " Request: " + request_id
    again = (
        []
        if on_retry is None
        else [rx.el.button("Try again", type="button", on_click=on_retry, class_name=theme.PRIMARY)]
    )
    return rx.el.section(
        rx.el.h2(title, class_name=theme.H2),
        rx.el.p(text, class_name=f"mt-1 max-w-prose text-sm {theme.MUTED}"),
        rx.cond(request_id != "", rx.el.p("Request ", request_id, class_name=f"mt-2 {theme.ID_TEXT}")),
        rx.el.div(*again, copy_button(details, "Copy the details"), class_name="mt-4 flex flex-wrap gap-2"),
        class_name=theme.CARD,
        role="alert",
    )


class Cell(NamedTuple):
    """What stands in one cell of a table; `table_row` gives it its label."""

    children: tuple[Any, ...]
    class_name: str


def cell(*children: Any, class_name: str = "") -> Cell:
    return Cell(children, class_name)


def table_row(heads: list[str], *cells: Cell, key: Any = None) -> rx.Component:
    """A row with one cell per head. On a phone, where the heads are out of sight, each cell shows its own.

    A row with a form or a dialog needs a `key`, the id of what it is about: without one, whatever the browser holds of
    the row in that place (what a field began with, a question that is open) stays there when another row moves in.
    """
    shown = [_under(head, one) for head, one in zip(heads, cells, strict=True)]
    return rx.el.tr(*shown, class_name=theme.ROW, **({} if key is None else {"key": key}))


def _under(head: str, shown: Cell) -> rx.Component:
    if not head:
        return rx.el.td(*shown.children, class_name=f"{theme.TD_ACTIONS} {shown.class_name}")
    look = f"{theme.TD_LABELLED} {shown.class_name}"
    return rx.el.td(*shown.children, class_name=look, custom_attrs={"data-label": head})


def data_table(heads: list[str], rows: rx.Component, *, caption: str) -> rx.Component:
    """A table that scrolls inside its card rather than making the page wider; `caption` is for screen readers. `rows`
    are made by `table_row` with the same heads."""
    return rx.el.div(
        rx.el.table(
            rx.el.caption(caption, class_name="sr-only"),
            rx.el.thead(rx.el.tr(*[_head(head) for head in heads]), class_name=theme.THEAD),
            rx.el.tbody(rows, class_name=theme.TBODY),
            class_name=theme.TABLE,
        ),
        class_name="relative -mx-5 overflow-x-auto px-2",
        tab_index=0,
        role="region",
        custom_attrs={"aria-label": caption},
    )


def _head(name: str) -> rx.Component:
    """A column's head; a column of buttons has a name for screen readers alone."""
    words = name or rx.el.span("Actions", class_name="sr-only")
    return rx.el.th(words, scope="col", class_name=theme.TH)
