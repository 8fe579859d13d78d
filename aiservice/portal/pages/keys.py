"""Keys: made, shown once, rolled with an overlap, revoked. The secret itself never reaches this page's state."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.clock import SECOND_US, from_us
from aiservice.kit.durations import format_duration
from aiservice.portal import theme
from aiservice.portal.components.key_dialogs import create_key, edit_key, end_overlap, revoke_key, roll_key, see_again
from aiservice.portal.components.parts import badge, card, cell, data_table, empty, skeleton, state_badge, table_row
from aiservice.portal.components.sanctions import notices_of, sanction_notices
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.principal import Person
from aiservice.services.core import current_core
from aiservice.services.key_rights import READ_SCOPE
from aiservice.services.key_views import KeyView

_KINDS = {"active": "good", "rolling": "warn", "stopped": "bad", "expired": "plain", "revoked": "bad"}
_MAX_SHOWN = 3
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
    networks: str
    scopes: str
    bounds: str
    is_live: bool
    is_rolling: bool
    is_idle: bool
    is_leaked: bool
    is_mine_to_see: bool


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
    retrieval: str = ""
    default_end: str = ""
    notices: list[str] = []
    changes: int = 0
    is_loaded: bool = False

    @handler()
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        self.client = (await core.clients.personal(me)).id
        policy = core.keys.policy
        self.retrieval = policy.retrieval
        self.default_end = "Never" if policy.default_expiry_us is None else f"In {_duration(policy.default_expiry_us)}"
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
    async def revoke(self, key_id: str, cuts_streams: bool = False) -> None:
        await current_core().keys.revoke(signed_in(), key_id, cuts_streams=cuts_streams)
        cut = " Its answers under way have ended." if cuts_streams else ""
        await tell(self, f"Revoked. Requests with this key get 401 from now on.{cut}")
        await _show(self)


async def _show(state: KeysState) -> None:
    keys = current_core().keys
    state.total = await keys.count(signed_in())
    views = await keys.list(signed_in(), first=state.first, limit=_PAGE_ROWS)
    state.rows = [_row_of(view, signed_in()) for view in views]
    state.notices = notices_of(await current_core().sanctions.list(signed_in(), live_only=True))


def _row_of(view: KeyView, me: Person) -> KeyRow:
    detail = ""
    if view.state == "stopped":
        detail = "whoever made it may no longer use its client: roll it to take it over"
    elif view.state == "rolling" and view.overlap_ends_us is not None:
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
        networks=" ".join(view.networks or ()),
        scopes=" ".join(view.scopes or ()),
        bounds=_bounds(view),
        is_live=view.state in ("active", "rolling", "stopped"),
        is_rolling=view.overlap_ends_us is not None,
        is_idle=view.is_idle,
        is_leaked=view.leaked_us is not None,
        is_mine_to_see=view.copy_owner_id == me.user_id,
    )


def _bounds(view: KeyView) -> str:
    """In a few words what it may do, and from where."""
    told = []
    if view.scopes is not None:
        told.append("reads only" if view.scopes == (READ_SCOPE,) else f"may: {_few(view.scopes)}")
    if view.networks is not None:
        told.append(f"from {_few(view.networks)}")
    return " · ".join(told)


def _few(names: tuple[str, ...]) -> str:
    rest = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return ", ".join(names[:_MAX_SHOWN]) + rest


def _duration(duration_us: int) -> str:
    return format_duration(duration_us // SECOND_US)


HEADS = ["Name", "Client", "State", "Created", "Last used", ""]
page: Any = KeysState  # in markup its attributes are Vars


@portal_page("/keys", title="Keys", icon="key", place=30, on_load=KeysState.load)
def keys() -> rx.Component:
    return rx.el.div(sanction_notices(page.notices), _list(), class_name="flex flex-col gap-5")


def _list() -> rx.Component:
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
                empty("No key yet", "A key lets a program call the API in a client's name.", create_key(page)),
            ),
            skeleton("h-40"),
        ),
        rx.cond(page.total > _PAGE_ROWS, _pager()),
        title="Client keys",
        actions=create_key(page),
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
            rx.el.span(
                state_badge(row["state"], row["state_kind"]),
                rx.cond(row["is_leaked"], badge("leaked", "bad")),
                rx.cond(row["is_idle"], badge("idle", "warn")),
                class_name="flex flex-wrap gap-1",
            ),
            rx.el.span(row["detail"], class_name=f"block text-xs {theme.MUTED}"),
            rx.cond(row["bounds"], rx.el.span(row["bounds"], class_name=f"block text-xs {theme.MUTED}")),
        ),
        cell(row["created"], class_name="whitespace-nowrap"),
        cell(row["used"], class_name="whitespace-nowrap"),
        cell(
            rx.cond(
                row["is_live"],
                rx.el.div(
                    rx.cond(row["is_rolling"], end_overlap(page, row)),
                    rx.cond(row["is_mine_to_see"], see_again(page, row)),
                    edit_key(page, row),
                    roll_key(page, row),
                    revoke_key(page, row),
                    class_name="flex flex-wrap justify-end gap-1 sm:min-w-60 max-sm:justify-start",
                ),
            )
        ),
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
