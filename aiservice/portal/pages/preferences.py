"""Preferences: for each kind of work, which connections to try, in which order."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest
from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.icons import icon
from aiservice.portal.components.parts import badge, card, cell, data_table, empty, select_field, table_row
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.preferences import ANY_TASK, MAX_ENTRIES
from aiservice.tasks import registry


class Option(TypedDict):
    """A choice in a select."""

    value: str
    label: str


class StoredRow(TypedDict):
    """A stored chain in the list."""

    task: str
    title: str
    words: str


class AddEntry(ValidatedDict):
    """The form that adds an entry to the chain."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    connection: str
    model: str


class PreferencesState(rx.State):
    """One client's chains, and the draft being edited."""

    clients: list[Option] = []
    client: str = ""
    task: str = ANY_TASK
    draft: list[str] = []
    is_changed: bool = False
    stored: list[StoredRow] = []
    connections: list[Option] = []
    is_loaded: bool = False

    @handler()
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        await core.clients.personal(me)
        self.clients = [Option(value=client.id, label=client.name) for client in await core.clients.list(me)]
        if self.client not in {option["value"] for option in self.clients}:
            self.client = (await core.clients.personal(me)).id
        self.connections = [
            Option(value=connection.name, label=f"{connection.name} ({connection.kind})")
            for connection in await core.connections.list(me)
            if not connection.is_disabled
        ]
        await _show(self)
        self.is_loaded = True

    @handler()
    async def choose_client(self, client: str) -> None:
        await current_core().clients.find(signed_in(), client)
        self.client = client
        await _show(self)

    @handler()
    async def choose_task(self, task: str) -> None:
        self.task = task
        await _show(self)

    @handler()
    async def add(self, form: AddEntry) -> None:
        model = form["model"].strip()
        entry = f"{form['connection']}:{model}" if model else form["connection"]
        if not form["connection"]:
            raise InvalidRequest("Choose a connection to add.", param="connection")
        if entry in self.draft:
            raise InvalidRequest(f"{entry} is in the chain already.", param="connection")
        if len(self.draft) >= MAX_ENTRIES:
            raise InvalidRequest(f"A chain has at most {MAX_ENTRIES} entries.")
        self.draft = [*self.draft, entry]
        self.is_changed = True

    @handler()
    async def move(self, index: int, by: int) -> None:
        to = index + by
        if by in (-1, 1) and 0 <= index < len(self.draft) and 0 <= to < len(self.draft):
            draft = list(self.draft)
            draft[index], draft[to] = draft[to], draft[index]
            self.draft, self.is_changed = draft, True

    @handler()
    async def remove(self, index: int) -> None:
        if 0 <= index < len(self.draft):
            self.draft = [*self.draft[:index], *self.draft[index + 1 :]]
            self.is_changed = True

    @handler()
    async def save(self) -> None:
        await current_core().preferences.set(signed_in(), self.client, self.task, list(self.draft))
        await tell(self, f"Saved. {_title(self.task)} now tries {_sentence(self.draft)}.")
        await _show(self)

    @handler()
    async def clear(self) -> None:
        await current_core().preferences.clear(signed_in(), self.client, self.task)
        await tell(self, "Cleared. The broker chooses by itself again.")
        await _show(self)


async def _show(state: PreferencesState) -> None:
    """Reads the client's chains; the draft becomes what is stored for the chosen task."""
    views = await current_core().preferences.list(signed_in(), state.client)
    chains = {view.task: list(view.chain) for view in views}
    state.draft, state.is_changed = chains.get(state.task, []), False
    state.stored = [
        StoredRow(task=task, title=_title(task), words=_sentence(chain)) for task, chain in sorted(chains.items())
    ]


def _title(task: str) -> str:
    return "Any task" if task == ANY_TASK else registry()[task].title if task in registry() else task


def _sentence(chain: list[str]) -> str:
    return ", then ".join(chain) if chain else "nothing"


HEADS = ["Task", "Tries", ""]
page: Any = PreferencesState  # in markup its attributes are Vars


@portal_page("/preferences", title="Preferences", icon="order", place=40, on_load=PreferencesState.load)
def preferences() -> rx.Component:
    return rx.el.div(_choice(), _editor(), _stored(), class_name="flex flex-col gap-5")


def _choice() -> rx.Component:
    tasks = [(ANY_TASK, "Any task without a chain of its own"), *((name, t.title) for name, t in registry().items())]
    return card(
        rx.el.div(
            select_field(
                "Client",
                "client",
                rx.foreach(page.clients, lambda c: rx.el.option(c["label"], value=c["value"])),
                value=page.client,
                on_change=page.choose_client,
            ),
            select_field(
                "Task",
                "task",
                [rx.el.option(title, value=name) for name, title in tasks],
                value=page.task,
                on_change=page.choose_task,
            ),
            class_name="grid gap-4 sm:grid-cols-2",
        )
    )


def _editor() -> rx.Component:
    return card(
        rx.cond(
            page.draft.length() > 0,
            rx.el.ol(
                rx.foreach(page.draft, _entry),
                class_name="flex flex-col gap-2",
                custom_attrs={"aria-label": "Chain, first to last"},
            ),
            rx.el.p(
                "No chain yet: the broker takes the connections that can do this task, by weight. Add the one to try "
                "first.",
                class_name=f"text-sm {theme.MUTED}",
            ),
        ),
        _add_form(),
        rx.el.div(
            confirm_button(
                "Clear",
                title="Clear this chain?",
                text="The broker then chooses among all allowed connections by itself.",
                confirm="Clear it",
                on_confirm=page.clear,
            ),
            rx.el.button(
                "Save",
                type="button",
                on_click=page.save,
                disabled=~page.is_changed | (page.draft.length() == 0),
                class_name=theme.PRIMARY,
            ),
            class_name="mt-5 flex justify-end gap-2",
        ),
        title="Order",
        actions=rx.cond(page.is_changed, badge("not saved", "warn")),
    )


def _entry(entry: Any, index: Any) -> rx.Component:
    def button(name: str, label: Any, event: Any, **props: Any) -> rx.Component:
        return rx.el.button(
            icon(name),
            type="button",
            on_click=event,
            class_name=theme.ICON_BUTTON,
            custom_attrs={"aria-label": label},
            **props,
        )

    last = page.draft.length() - 1
    return rx.el.li(
        rx.el.span(index + 1, class_name=f"w-6 text-center text-sm {theme.MUTED}"),
        rx.el.span(entry, class_name="min-w-0 grow break-all font-mono text-sm"),
        button("up", f"Move {entry} up", page.move(index, -1), disabled=index == 0),
        button("down", f"Move {entry} down", page.move(index, 1), disabled=index == last),
        button("close", f"Remove {entry}", page.remove(index)),
        class_name=f"flex items-center gap-1 {theme.LINE} py-1 first:border-t-0",
    )


def _add_form() -> rx.Component:
    return rx.el.form(
        select_field(
            "Connection",
            "connection",
            rx.foreach(page.connections, lambda c: rx.el.option(c["label"], value=c["value"])),
        ),
        rx.el.div(
            rx.el.label("Model (optional)", html_for="model", class_name=theme.LABEL),
            rx.el.input(
                id="model",
                name="model",
                max_length=200,
                auto_complete="off",
                placeholder="the connection's own",
                class_name=f"mt-1 {theme.INPUT}",
            ),
        ),
        rx.el.button("Add to the chain", type="submit", class_name=f"{theme.SECONDARY} self-end"),
        on_submit=page.add,
        reset_on_submit=True,
        class_name=f"mt-5 grid gap-3 border-t pt-4 sm:grid-cols-[1fr_1fr_auto] {theme.LINE}",
    )


def _stored() -> rx.Component:
    return card(
        rx.cond(
            page.stored.length() > 0,
            data_table(
                HEADS,
                rx.foreach(
                    page.stored,
                    lambda row: table_row(
                        HEADS,
                        cell(row["title"], class_name="font-medium"),
                        cell(row["words"], class_name="wrap-anywhere font-mono"),
                        cell(
                            rx.el.button(
                                "Edit",
                                type="button",
                                on_click=page.choose_task(row["task"]),
                                class_name=theme.QUIET,
                                custom_attrs={"aria-label": f"Edit the chain of {row['title']}"},
                            ),
                            class_name="text-right max-sm:text-left",
                        ),
                    ),
                ),
                caption="Stored chains of this client",
            ),
            empty("Nothing stored", "Without a chain, the broker picks a usable connection by weight."),
        ),
        title="Stored for this client",
    )
