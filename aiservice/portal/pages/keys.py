"""Keys: made, shown once, rolled with an overlap, revoked. The secret itself never reaches this page's state."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.clock import from_us
from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.parts import (
    card,
    cell,
    checkbox,
    data_table,
    empty,
    field,
    select_field,
    skeleton,
    state_badge,
    table_row,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.key_views import KeyView

_KINDS = {"active": "good", "rolling": "warn", "expired": "plain", "revoked": "bad"}
_PAGE_ROWS = 50


class KeyRow(TypedDict):
    """A key in the list."""

    id: str
    name: str
    start: str
    client: str
    state: str
    state_kind: str
    detail: str
    created: str
    used: str
    is_live: bool
    is_rolling: bool


class Option(TypedDict):
    """A choice in a select."""

    value: str
    label: str


class KeysState(rx.State):
    """One page of the list of keys."""

    rows: list[KeyRow] = []
    total: int = 0
    first: int = 0
    clients: list[Option] = []
    client: str = ""
    changes: int = 0
    is_loaded: bool = False

    @handler()
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        self.client = (await core.clients.personal(me)).id
        self.clients = [Option(value=client.id, label=client.name) for client in await core.clients.list(me)]
        await _show(self)
        self.is_loaded = True

    @handler()
    async def turn(self, by: int) -> None:
        if by in (-1, 1):
            self.first = max(0, min(self.first + by * _PAGE_ROWS, max(0, self.total - 1)))
            await _show(self)

    @handler()
    async def changed(self, key_id: str) -> None:
        """After a key was made or rolled and its secret has been seen."""
        self.changes += 1
        await _show(self)

    @handler()
    async def end_overlap(self, key_id: str) -> None:
        await current_core().keys.end_overlap(signed_in(), key_id)
        await tell(self, "The old secret is refused from now on.")
        await _show(self)

    @handler()
    async def revoke(self, key_id: str) -> None:
        await current_core().keys.revoke(signed_in(), key_id)
        await tell(self, "Revoked. Requests with this key get 401 from now on.")
        await _show(self)


async def _show(state: KeysState) -> None:
    keys = current_core().keys
    state.total = await keys.count(signed_in())
    views = await keys.list(signed_in(), first=state.first, limit=_PAGE_ROWS)
    state.rows = [_row_of(view) for view in views]


def _row_of(view: KeyView) -> KeyRow:
    detail = ""
    if view.state == "rolling" and view.overlap_ends_us is not None:
        detail = f"the old secret works until {from_us(view.overlap_ends_us):%Y-%m-%d %H:%M} UTC"
    elif view.expires_us is not None:
        detail = f"expires {from_us(view.expires_us):%Y-%m-%d %H:%M} UTC"
    newest = view.secrets[-1].public_id if view.secrets else ""
    return KeyRow(
        id=view.id,
        name=view.name,
        start=f"ais_{'test' if view.is_test else 'live'}_{newest}…" if newest else "",
        client=view.client,
        state=view.state,
        state_kind=_KINDS[view.state],
        detail=detail,
        created=f"{from_us(view.created_us):%Y-%m-%d}",
        used=f"{from_us(view.last_used_us):%Y-%m-%d %H:%M} UTC" if view.last_used_us else "never",
        is_live=view.state in ("active", "rolling"),
        is_rolling=view.state == "rolling",
    )


HEADS = ["Name", "Client", "State", "Created", "Last used", ""]
page: Any = KeysState  # in markup its attributes are Vars


@portal_page("/keys", title="Keys", icon="key", place=30, on_load=KeysState.load)
def keys() -> rx.Component:
    return card(
        rx.cond(
            page.is_loaded,
            rx.cond(
                page.rows.length() > 0,
                data_table(
                    HEADS,
                    rx.foreach(page.rows, _row),
                    caption="Client keys",
                ),
                empty("No key yet", "A key lets a program call the API in a client's name.", _create()),
            ),
            skeleton("h-40"),
        ),
        rx.cond(page.total > _PAGE_ROWS, _pager()),
        title="Client keys",
        actions=_create(),
    )


def _create() -> rx.Component:
    lives = [("", "Never"), ("1", "In a day"), ("7", "In a week"), ("30", "In 30 days"), ("365", "In a year")]
    return open_dialog(
        action_form(
            field("Name", "name", required=True, max_length=100, auto_complete="off", default_value="My key"),
            select_field(
                "Client",
                "client",
                rx.foreach(page.clients, lambda c: rx.el.option(c["label"], value=c["value"])),
                default_value=page.client,
            ),
            select_field("Expires", "expires_in_days", [rx.el.option(words, value=days) for days, words in lives]),
            checkbox("A test key", "is_test", hint="It reaches the built-in sandbox only and costs nothing."),
            action="/auth/secrets/keys",
            submit="Create key",
            busy="Creating…",
            after="reveal",
            on_done=page.changed,
        ),
        label="Create key",
        title="Create a key",
        close_signal=page.changes,
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["name"], class_name="block max-w-56 truncate font-medium", title=row["name"]),
            rx.el.span(row["start"], class_name=f"font-mono text-xs {theme.MUTED}"),
        ),
        cell(row["client"]),
        cell(
            state_badge(row["state"], row["state_kind"]),
            rx.el.span(row["detail"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(row["created"], class_name="whitespace-nowrap"),
        cell(row["used"], class_name="whitespace-nowrap"),
        cell(
            rx.cond(
                row["is_live"],
                rx.el.div(
                    rx.cond(row["is_rolling"], _end_overlap(row)),
                    _roll(row),
                    _revoke(row),
                    class_name="flex flex-wrap justify-end gap-1 max-sm:justify-start",
                ),
            )
        ),
    )


def _roll(row: Any) -> rx.Component:
    overlaps = [("86400", "24 hours"), ("3600", "1 hour"), ("604800", "7 days"), ("0", "Not at all: end it now")]
    return open_dialog(
        action_form(
            rx.el.p(
                "You get a new secret now. Name, rights and history of the key stay.",
                class_name=f"text-sm {theme.MUTED}",
            ),
            select_field(
                "The old secret works for another",
                "overlap_seconds",
                [rx.el.option(words, value=seconds) for seconds, words in overlaps],
            ),
            action="/auth/secrets/keys/roll",
            fixed={"id": row["id"]},
            submit="Roll",
            busy="Rolling…",
            after="reveal",
            on_done=page.changed,
        ),
        label="Roll",
        title=f"Roll {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def _end_overlap(row: Any) -> rx.Component:
    return confirm_button(
        "End overlap",
        title="End the overlap now?",
        text="Whatever still sends the old secret is refused at once.",
        confirm="End it",
        on_confirm=page.end_overlap(row["id"]),
    )


def _revoke(row: Any) -> rx.Component:
    return confirm_button(
        "Revoke",
        title=f"Revoke {row['name']}?",
        text="Every request with it gets 401 within a second. This cannot be taken back.",
        confirm="Revoke",
        on_confirm=page.revoke(row["id"]),
    )


def _pager() -> rx.Component:
    return rx.el.div(
        rx.el.span(
            f"{page.first + 1} to {page.first + page.rows.length()} of {page.total}",
            class_name=f"text-sm {theme.MUTED}",
        ),
        rx.el.button(
            "Newer",
            type="button",
            on_click=page.turn(-1),
            disabled=page.first == 0,
            class_name=theme.SECONDARY,
        ),
        rx.el.button(
            "Older",
            type="button",
            on_click=page.turn(1),
            disabled=page.first + _PAGE_ROWS >= page.total,
            class_name=theme.SECONDARY,
        ),
        class_name="mt-4 flex items-center justify-end gap-2",
    )
