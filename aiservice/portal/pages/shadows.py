"""Shadow traffic: which part of whose requests a second provider is asked as well, and how it did. For admins."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest
from aiservice.kit.money import to_usd_text
from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import card, cell, data_table, empty, field, select_field, table_row, waiting
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.connections import SANDBOX
from aiservice.services.core import current_core
from aiservice.services.shadows import ShadowView
from aiservice.tasks import registry

ANY = "*"


class ShadowRow(TypedDict):
    """One rule, with the calls of the last 30 days."""

    client: str
    task: str
    task_words: str
    to: str
    percent: str
    calls: str
    failed: str
    took: str
    real: str
    cost: str


class SetShadow(ValidatedDict):
    """The form that sets a rule."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    client: str
    task: str
    connection: str
    model: str
    percent: str


class ShadowsState(rx.State):
    """The rules there are, and what a new one may be made of."""

    rows: list[ShadowRow] = []
    clients: list[str] = []
    connections: list[str] = []
    is_loaded: bool = False

    @handler("shadow.list")
    async def load(self) -> None:
        await _show(self)

    @handler("shadow.set")
    async def set_rule(self, form: SetShadow) -> None:
        try:
            percent = float(form["percent"].strip().removesuffix("%").strip())
        except ValueError:
            raise InvalidRequest("The percentage is a number, such as 5.", param="percent") from None
        model = form["model"].strip()
        to = f"{form['connection']}:{model}" if model else form["connection"]
        view = await current_core().shadows.set(signed_in(), form["client"], form["task"], to, percent)
        await tell(self, f"Set. {view.percent:g} % of {view.client}'s requests also go to {to}, at your cost.")
        await _show(self)

    @handler("shadow.clear")
    async def clear(self, client: str, task: str) -> None:
        await current_core().shadows.clear(signed_in(), client, task)
        await tell(self, f"Cleared. {client}'s requests have no shadow there any more.")
        await _show(self)


async def _show(state: ShadowsState) -> None:
    core, me = current_core(), signed_in()
    state.rows = [_row(view) for view in await core.shadows.list(me)]
    state.clients = [view.name for view in await core.clients.list(me)]
    usable = [view for view in await core.connections.list(me) if not view.is_disabled and view.kind != SANDBOX]
    state.connections = [view.name for view in usable]
    state.is_loaded = True


def _row(view: ShadowView) -> ShadowRow:
    to = view.connection or "a connection that was removed"
    return ShadowRow(
        client=view.client,
        task=view.task,
        task_words="any task" if view.task == ANY else view.task,
        to=f"{to}:{view.model}" if view.model else to,
        percent=f"{view.percent:g} %",
        calls="none yet" if not view.calls else f"{view.calls:,}",
        failed="" if not view.calls else f"{view.failed:,} failed",
        took="none yet" if view.mean_ms is None else f"{view.mean_ms:,} ms in the mean",
        real="" if view.real_ms is None else f"{view.real_ms:,} ms for the client",
        cost=f"${to_usd_text(view.cost_nano_usd)}",
    )


HEADS = ["Client", "Also asked", "Part", "Calls", "Took", "Your cost", ""]
page: Any = ShadowsState  # in markup its attributes are Vars


@portal_page("/shadows", title="Shadow traffic", icon="shadow", place=52, on_load=ShadowsState.load)
def shadows() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(_rules(), _form(), class_name="flex flex-col gap-5"),
        waiting("h-56", "h-40"),
    )


def _rules() -> rx.Component:
    return card(
        rx.cond(
            page.rows.length() > 0,
            data_table(HEADS, rx.foreach(page.rows, _line), caption="Shadow traffic, last 30 days"),
            empty(
                "No shadow traffic",
                "See how another provider would do with real requests: a part of them is asked of it as well, when "
                "they have been answered. Clients never notice, and never pay for it.",
                rx.el.a("Set a rule", href="#set-a-rule", class_name=theme.PRIMARY),
            ),
        ),
        title="Last 30 days",
    )


def _line(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["client"], class_name="block font-medium break-words"),
            rx.el.span(row["task_words"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(row["to"], class_name="font-mono text-xs wrap-anywhere"),
        cell(row["percent"], class_name="tabular-nums whitespace-nowrap"),
        cell(
            rx.el.span(row["calls"], class_name="block tabular-nums"),
            rx.el.span(row["failed"], class_name=f"block text-xs empty:hidden {theme.MUTED}"),
        ),
        cell(
            rx.el.span(row["took"], class_name="block text-xs tabular-nums empty:hidden"),
            rx.el.span(row["real"], class_name=f"block text-xs tabular-nums empty:hidden {theme.MUTED}"),
        ),
        cell(row["cost"], class_name="tabular-nums whitespace-nowrap"),
        cell(
            confirm_button(
                "Clear",
                title="End this shadow traffic?",
                text="No more of these requests are asked of the second provider. What came of it is kept for 30 days.",
                confirm="End it",
                on_confirm=page.clear(row["client"], row["task"]),
                custom_attrs={"aria-label": f"Clear the shadow of {row['client']}, {row['task_words']}"},
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=f"{row['client']} {row['task']}",
    )


def _connections() -> rx.Component:
    return rx.foreach(page.connections, lambda name: rx.el.option(name, value=name))


def _no_connection() -> rx.Component:
    return rx.cond(page.connections.length() == 0, rx.el.option("Add a provider first", value=""))


def _form() -> rx.Component:
    tasks = [rx.el.option("Any task", value=ANY), *(rx.el.option(name, value=name) for name in registry())]
    form = rx.el.form(
        select_field("Client", "client", rx.foreach(page.clients, lambda name: rx.el.option(name, value=name))),
        select_field("Task", "task", tasks),
        select_field("Also asked", "connection", [_no_connection(), _connections()]),
        field("Model (optional)", "model", placeholder="its first", auto_complete="off"),
        field("Per cent", "percent", required=True, input_mode="decimal", placeholder="5", auto_complete="off"),
        rx.el.button("Set", type="submit", class_name=f"{theme.PRIMARY} self-end"),
        on_submit=page.set_rule,
        class_name="grid gap-4 sm:grid-cols-2 lg:grid-cols-[1fr_1fr_1fr_1fr_6rem_auto]",
    )
    note = (
        "At most eight such calls run at once in a worker, none takes a turn at the provider's limits from a real "
        "request, and their bodies are kept nowhere. The second provider sees the prompts: choose one that may."
    )
    return rx.el.div(card(form, rx.el.p(note, class_name=f"mt-3 {theme.HINT}"), title="Set a rule"), id="set-a-rule")
