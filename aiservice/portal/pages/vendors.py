"""Vendors: what speaks OpenAI's wire, each a row of data. An admin adds one without code. For admins."""

from typing import Any

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import (
    card,
    cell,
    data_table,
    empty,
    field,
    select_field,
    state_badge,
    table_row,
    waiting,
)
from aiservice.portal.components.vendors import VendorRow, row_of
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.portal.session.vendor_forms import RowForm, form_of, text_of
from aiservice.services.core import current_core

_EXAMPLE = """# What it does otherwise than OpenAI
paths = { chat = "/chat/completions", embeddings = "" }
refused = ["logit_bias"]
renamed = { max_completion_tokens = "max_tokens" }
has_developer_role = false
"""


class Row(ValidatedDict):
    """The form that adds one, or changes one."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    kind: str
    title: str
    base_url: str
    key: str
    rest: str


class VendorsState(rx.State):
    """The vendors, and the row in the form. `editing` is the kind that the form changes; empty: it adds one. `turn`
    counts how often the form was filled anew."""

    own: list[VendorRow] = []
    built_in: list[VendorRow] = []
    form: RowForm = form_of(_EXAMPLE)
    started_from: str = ""
    editing: str = ""
    turn: int = 0
    is_loaded: bool = False

    @handler("vendor.list")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("vendor.add")
    async def start_from(self, kind: str) -> None:
        """Fills the form with a built-in row, under a kind of its own."""
        view = await current_core().vendors.find(signed_in(), kind)
        form = form_of(view.text, as_start=True)
        form["kind"] = f"{kind}-own"
        _fill(self, form, editing="")
        self.started_from = view.title

    @handler("vendor.add")
    async def edit(self, kind: str) -> None:
        view = await current_core().vendors.find(signed_in(), kind)
        _fill(self, form_of(view.text), editing=kind)

    @handler("vendor.add")
    async def clear(self) -> None:
        _fill(self, form_of(_EXAMPLE), editing="")

    @handler("vendor.add")
    async def save(self, form: Row) -> None:
        row = RowForm(
            kind=self.editing or form["kind"],
            title=form["title"],
            base_url=form["base_url"],
            key=form["key"],
            rest=form["rest"],
        )
        self.form = row  # what was filled in stays where it is refused
        made = await current_core().vendors.add(signed_in(), text_of(row), replaces=bool(self.editing))
        done = "It is changed everywhere" if self.editing else "It can be chosen on the Providers page"
        _fill(self, form_of(_EXAMPLE), editing="")
        await tell(self, f"{made.title}: saved. {done}.")
        await _show(self)

    @handler("vendor.remove")
    async def remove(self, kind: str) -> None:
        await current_core().vendors.remove(signed_in(), kind)
        if self.editing == kind:
            _fill(self, form_of(_EXAMPLE), editing="")
        await tell(self, "Removed.")
        await _show(self)


def _fill(state: VendorsState, form: RowForm, *, editing: str) -> None:
    state.form, state.editing, state.started_from = form, editing, ""
    state.turn += 1


async def _show(state: VendorsState) -> None:
    views = await current_core().vendors.list(signed_in())
    state.own = [row_of(view) for view in views if not view.is_built_in]
    state.built_in = [row_of(view) for view in views if view.is_built_in]


OWN_HEADS = ["Vendor", "Address", "Connections", "State", ""]
HEADS = ["Vendor", "Address", "Connections", ""]
page: Any = VendorsState  # in markup its attributes are Vars


@portal_page("/vendors", title="Vendors", icon="bars", place=52, on_load=VendorsState.load)
def vendors() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(_own(), _form(), _built_in(), class_name="flex flex-col gap-5"),
        waiting("h-40", "h-72"),
    )


def _own() -> rx.Component:
    return card(
        rx.cond(
            page.own.length() > 0,
            data_table(OWN_HEADS, rx.foreach(page.own, _own_row), caption="Your vendors"),
            empty(
                "No vendor of your own",
                "Whatever speaks OpenAI's wire is added here without code. Those below are built in.",
                rx.el.a("Add a vendor", href="#row", class_name=theme.PRIMARY),
            ),
        ),
        title="Your vendors",
        actions=rx.el.a("Providers", href="/providers", class_name=theme.SECONDARY),
    )


def _named(row: Any) -> Any:
    return cell(
        rx.el.span(row["title"], class_name="block font-medium break-words"),
        rx.el.span(row["kind"], class_name=f"font-mono text-xs {theme.MUTED}"),
    )


def _own_row(row: Any) -> rx.Component:
    return table_row(
        OWN_HEADS,
        _named(row),
        cell(row["address"], class_name="font-mono text-xs wrap-anywhere"),
        cell(row["used"], class_name="break-words"),
        cell(state_badge(row["state"], row["state_kind"])),
        cell(
            rx.el.div(
                _jump("Edit", f"Edit {row['title']}", page.edit(row["kind"])),
                rx.cond(
                    row["is_free"],
                    confirm_button(
                        "Remove",
                        title=f"Remove {row['title']}?",
                        text="No connection uses it. Its row is not kept.",
                        confirm="Remove it",
                        on_confirm=page.remove(row["kind"]),
                    ),
                ),
                class_name="flex flex-wrap justify-end gap-1 max-sm:justify-start",
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["kind"],
    )


def _jump(label: str, name: Any, on_click: Any) -> rx.Component:
    """A link to the form that also fills it."""
    return rx.el.a(label, href="#row", on_click=on_click, class_name=theme.QUIET, custom_attrs={"aria-label": name})


def _form() -> rx.Component:
    form = page.form
    return rx.el.div(
        card(
            rx.el.form(
                rx.cond(
                    page.started_from != "",
                    rx.el.p("Started from the row of ", page.started_from, ".", class_name=f"text-sm {theme.MUTED}"),
                ),
                rx.el.div(
                    field(
                        "Kind",
                        "kind",
                        hint="Lower case, digits, hyphens: what connections of it are of.",
                        default_value=form["kind"],
                        read_only=page.editing != "",
                        required=True,
                        max_length=32,
                        auto_complete="off",
                    ),
                    field("Title", "title", default_value=form["title"], max_length=200, auto_complete="off"),
                    field(
                        "Address",
                        "base_url",
                        hint="Where its API begins; empty where every connection has its own.",
                        default_value=form["base_url"],
                        placeholder="https://api.example.com/v1",
                        auto_complete="off",
                    ),
                    select_field(
                        "Key",
                        "key",
                        [rx.el.option("A key is needed", value="needed"), rx.el.option("No key", value="none")],
                        default_value=form["key"],
                    ),
                    class_name="grid gap-4 sm:grid-cols-2",
                ),
                _rest(form["rest"]),
                rx.el.div(
                    rx.el.button(
                        rx.cond(page.editing != "", "Save the change", "Add this vendor"),
                        type="submit",
                        class_name=theme.PRIMARY,
                    ),
                    rx.el.button("Start anew", type="button", on_click=page.clear, class_name=theme.SECONDARY),
                    class_name="flex flex-wrap gap-2",
                ),
                key=page.turn,
                on_submit=page.save,
                class_name="flex flex-col gap-4",
            ),
            title=rx.cond(page.editing != "", rx.el.span("Change ", page.editing), "Add a vendor"),
        ),
        id="row",
    )


def _rest(value: Any) -> rx.Component:
    hint = (
        "One line each, in TOML: paths, refused, left_out, renamed, tool_choices, response_formats, thinking_field, "
        "and [[models]], [[limits]], [[errors]]. The rows below show all of them at work."
    )
    return rx.el.div(
        rx.el.label("What it does otherwise", html_for="rest", class_name=theme.LABEL),
        rx.el.textarea(
            id="rest",
            name="rest",
            default_value=value,
            rows="12",
            spell_check=False,
            auto_complete="off",
            class_name=f"mt-1 font-mono text-xs {theme.INPUT}",
            custom_attrs={"aria-describedby": "rest-hint"},
        ),
        rx.el.p(hint, id="rest-hint", class_name=theme.HINT),
    )


def _built_in() -> rx.Component:
    return card(
        data_table(HEADS, rx.foreach(page.built_in, _built_in_row), caption="Built-in vendors"),
        title="Built in",
    )


def _built_in_row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        _named(row),
        cell(row["address"], class_name="font-mono text-xs wrap-anywhere"),
        cell(row["used"], class_name="break-words"),
        cell(
            _jump("Start from this", f"Start from this: {row['title']}", page.start_from(row["kind"])),
            class_name="text-right max-sm:text-left",
        ),
    )
