"""Kept bodies: of which clients what they ask and are answered is kept for a while. For admins."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.durations import format_duration
from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import alert, card, cell, data_table, empty, state_badge, table_row, waiting
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core


class ClientRow(TypedDict):
    """A client in the list."""

    id: str
    name: str
    owner: str
    is_on: bool


class PayloadsState(rx.State):
    """The clients, and what the setting allows."""

    rows: list[ClientRow] = []
    kept_for: str = ""
    is_allowed: bool = False
    is_loaded: bool = False

    @handler("client.payloads")
    async def load(self) -> None:
        core = current_core()
        self.is_allowed = core.payloads.is_allowed
        self.kept_for = format_duration(core.settings.payloads_kept)
        await _show(self)
        self.is_loaded = True

    @handler("client.payloads")
    async def switch(self, client_id: str, is_on: bool) -> None:
        core = current_core()
        name = await core.payloads.switch(signed_in(), client_id, is_on=is_on)
        done = f"What {name} asks and is answered is kept from now on." if is_on else f"No more of {name} is kept."
        await tell(self, done)
        await _show(self)

    @handler("client.shred")
    async def shred(self, client_id: str) -> None:
        destroyed = await current_core().bodies.shred_client(signed_in(), client_id)
        await tell(self, f"{destroyed} kept bodies were destroyed. No backup made from now on holds them.")
        await _show(self)


async def _show(state: PayloadsState) -> None:
    state.rows = [
        ClientRow(id=each.id, name=each.name, owner=each.owner_email or "nobody", is_on=each.keeps_payloads)
        for each in await current_core().clients.list(signed_in())
    ]


HEADS = ["Client", "Owner", "Bodies", ""]
page: Any = PayloadsState  # in markup its attributes are Vars


@portal_page("/payloads", title="Kept bodies", on_load=PayloadsState.load, below="/requests")
def payloads() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(_setting(), _clients(), class_name="flex flex-col gap-5"),
        waiting("h-16", "h-72"),
    )


def _setting() -> rx.Component:
    return rx.cond(
        page.is_allowed,
        alert(
            "The first megabyte of each request and answer is kept for ",
            page.kept_for,
            ", sealed, for the client's owner. Admins may read it too, and the audit log says that they did.",
        ),
        alert(
            "Nothing is kept on this server. A client that is switched on here counts once it runs with "
            "AISERVICE_LOG_PAYLOADS=on.",
            kind="warn",
        ),
    )


def _clients() -> rx.Component:
    return card(
        rx.cond(
            page.rows.length() > 0,
            data_table(HEADS, rx.foreach(page.rows, _row), caption="Clients"),
            empty(
                "No clients yet",
                "A client is made with its first key, or on the command line: client create --name shop",
                rx.el.a("Make a key", href="/keys", class_name=theme.PRIMARY),
            ),
        ),
        title="Clients",
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["name"], class_name="font-medium break-all"),
        cell(row["owner"], class_name="break-all"),
        cell(rx.cond(row["is_on"], state_badge("kept", "warn"), state_badge("not kept", "plain"))),
        cell(
            rx.el.div(rx.cond(row["is_on"], _off(row), _on(row)), _shred(row), class_name=_ACTIONS),
            class_name="text-right max-sm:text-left",
        ),
        key=row["id"],
    )


_ACTIONS = "flex flex-wrap justify-end gap-1 max-sm:justify-start"


def _on(row: Any) -> rx.Component:
    return confirm_button(
        "Keep",
        title=f"Keep what {row['name']} asks and is answered?",
        text="Its owner, and admins, will be able to read it. Tell the people whose words these are.",
        confirm="Start keeping",
        on_confirm=page.switch(row["id"], True),
    )


def _off(row: Any) -> rx.Component:
    return confirm_button(
        "Keep no more",
        title=f"Keep no more of {row['name']}?",
        text="What was kept goes when its time is over.",
        confirm="Keep no more",
        on_confirm=page.switch(row["id"], False),
    )


def _shred(row: Any) -> rx.Component:
    return confirm_button(
        "Destroy what is kept",
        title=f"Destroy all that is kept of {row['name']}?",
        text="Its answers for Idempotency-Key go too: a repeated request is a new call. This cannot be taken back.",
        confirm="Destroy it",
        on_confirm=page.shred(row["id"]),
    )
