"""Providers: the connections through which requests leave. For admins; a key goes in and never comes out again."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.connection_dialogs import DataForm, add_dialog, data_dialog, key_dialog, stated_in
from aiservice.portal.components.connections import ConnectionRow, abilities_of, row_of
from aiservice.portal.components.health import HealthRow, health_table
from aiservice.portal.components.health import rows_of as health_rows
from aiservice.portal.components.offered_keys import OfferedRow, offered_card, offered_rows
from aiservice.portal.components.parts import (
    card,
    cell,
    data_table,
    empty,
    state_badge,
    table_row,
    waiting,
)
from aiservice.portal.components.quotas import QuotaRow, quota_table, rows_of
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell, warn
from aiservice.providers import registry
from aiservice.services import health_views
from aiservice.services.core import current_core
from aiservice.services.quotas import seen


class KindChoice(TypedDict):
    """A kind in the select; an admin's own vendors are among them."""

    kind: str
    title: str


class ProvidersState(rx.State):
    """The list of connections."""

    rows: list[ConnectionRow] = []
    kinds: list[KindChoice] = []
    quotas: list[QuotaRow] = []
    health: list[HealthRow] = []
    offered: list[OfferedRow] = []
    testing: str = ""
    changes: int = 0
    is_loaded: bool = False
    address_hint: str = ""
    key_hint: str = ""

    @handler("connection.health")
    async def load(self) -> None:
        _describe(self, USUAL_KIND)
        await _show(self)

    @handler("connection.add")
    async def choose_kind(self, kind: str) -> None:
        """What the chosen kind's address and key look like."""
        _describe(self, kind)

    @handler("connection.health")
    async def look_again(self) -> None:
        """What is known of health and quotas now: it moves while the page stands still."""
        await _show(self)

    @handler("connection.health")
    async def changed(self, connection_id: str) -> None:
        """After a form of this page has been taken: closes its dialog and shows what is stored."""
        self.changes += 1
        _describe(self, USUAL_KIND)  # the form begins anew
        await _show(self)
        row = next((row for row in self.rows if row["id"] == connection_id), None)
        if row is not None and row["state_kind"] == "bad":
            await warn(self, f"{row['name']} is saved, but its test failed. {row['tested']}")
        else:
            await tell(self, "Saved. What was secret is sealed and is not shown again.")

    @handler("connection.test")
    async def test(self, connection_id: str):  # type: ignore[no-untyped-def]
        self.testing = connection_id
        yield
        try:
            result = await current_core().connections.test(signed_in(), connection_id)
            await (tell if result.is_ok else warn)(self, f"Tested: {result.summary}")
        finally:
            self.testing = ""
        await _show(self)

    @handler("connection.disable")
    async def disable(self, connection_id: str) -> None:
        await current_core().connections.disable(signed_in(), connection_id)
        await _show(self)

    @handler("connection.enable")
    async def enable(self, connection_id: str) -> None:
        await current_core().connections.enable(signed_in(), connection_id)
        await _show(self)

    @handler("connection.change")
    async def state_data(self, form: DataForm) -> None:
        view = await current_core().connections.set_data(signed_in(), form.get("id", ""), stated_in(form))
        self.changes += 1
        await tell(self, f"Saved what {view.name} does with data.")
        await _show(self)


async def _show(state: ProvidersState) -> None:
    me, board = signed_in(), current_core().board
    known = sorted(registry().values(), key=lambda provider: provider.title.lower())
    state.kinds = [KindChoice(kind=one.kind, title=one.title) for one in known if not one.is_local]
    state.rows = [row_of(view) for view in await current_core().connections.list(me)]
    names = {row["id"]: row["name"] for row in state.rows}
    names |= {key: f"{row['name']} key {n}" for row in state.rows for key, n in row["key_numbers"].items()}
    kinds = {one: row["kind"] for row in state.rows for one in (row["id"], *row["key_numbers"])}
    state.quotas = rows_of(seen(me, board), names)
    state.offered = offered_rows(await current_core().environment_keys.offered(me))
    state.health = health_rows(health_views.seen(me, board), [(one, names[one], kinds[one]) for one in kinds])
    state.is_loaded = True


def _describe(state: ProvidersState, kind: str) -> None:
    provider = registry().get(kind)
    if provider is None:
        return
    looks = provider.address_hint or "https://host/v1"
    own = "" if provider.default_base_url is None else f"Empty: {provider.default_base_url}. "
    state.address_hint = f"{own or f'Needed: {looks}. '}The key is bound to it."
    what = f"{provider.key_hint[:1].upper()}{provider.key_hint[1:]}. " if provider.key_hint else ""
    needed = "" if provider.needs_key else "A local server may need none. "
    state.key_hint = f"{what}{needed}Sealed on arrival, never shown again."


USUAL_KIND = "openai"  # what the form begins with
HEADS = ["Name", "Address", "Key", "Models", "State", ""]
_ACTIONS = "grid grid-cols-[max-content_max-content] justify-items-start max-sm:-mx-3.5"
page: Any = ProvidersState  # in markup its attributes are Vars


@portal_page("/providers", title="Providers", icon="plug", place=50, on_load=ProvidersState.load)
def providers() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            _connections(),
            rx.cond(page.offered.length() > 0, offered_card(page)),
            _health(),
            _quotas(),
            class_name="flex flex-col gap-4",
        ),
        waiting("h-72", "h-56", "h-40"),
    )


def _health() -> rx.Component:
    return card(health_table(page.health), title="How they do", actions=_look_again("health"))


def _quotas() -> rx.Component:
    return card(
        quota_table(page.quotas),
        title="What they give",
        actions=_look_again("quotas"),
    )


def _look_again(at: str) -> rx.Component:
    return rx.el.button(
        "Look again",
        type="button",
        on_click=page.look_again,
        class_name=theme.SECONDARY,
        custom_attrs={"aria-label": f"Look again at {at}"},
    )


def _connections() -> rx.Component:
    return card(
        rx.cond(
            page.rows.length() > 0,
            data_table(
                HEADS,
                rx.foreach(page.rows, _row),
                caption="Provider connections",
            ),
            empty(
                "No provider yet", "Add one, or try everything with the built-in sandbox.", add_dialog(page, USUAL_KIND)
            ),
        ),
        title="Connections",
        actions=add_dialog(page, USUAL_KIND),
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            ReactRouterLink.create(row["name"], to=f"/providers/{row['id']}", class_name=theme.LINK),
            rx.el.span(row["kind"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(rx.el.span(row["address"], class_name="wrap-anywhere font-mono text-xs lg:block lg:min-w-56")),
        cell(
            rx.el.span(row["key"], class_name="block font-mono text-xs whitespace-nowrap"),
            rx.el.span(row["more_keys"], class_name=f"block text-xs empty:hidden {theme.MUTED}"),
            rx.el.span(row["said"], class_name=f"block text-xs empty:hidden {theme.MUTED}"),
        ),
        cell(
            rx.cond(row["abilities"] != "", abilities_of(row), rx.el.span(row["models"], class_name="block text-xs")),
            rx.cond(row["data"] != "", rx.el.span(row["data"], class_name="block text-xs")),
            rx.el.span(row["tested"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(state_badge(row["state"], row["state_kind"])),
        cell(
            rx.el.div(
                *_row_actions(row),
                class_name=_ACTIONS,
            )
        ),
        key=row["id"],
    )


def _row_actions(row: Any) -> list[rx.Component]:
    return [
        rx.el.button(
            rx.cond(page.testing == row["id"], "Testing…", "Test"),
            type="button",
            on_click=page.test(row["id"]),
            disabled=page.testing != "",
            class_name=theme.QUIET,
            custom_attrs={"aria-label": f"Test {row['name']}"},
        ),
        rx.cond(~row["is_builtin"], key_dialog(row, on_done=page.changed, close_signal=page.changes)),
        rx.cond(~row["is_builtin"], data_dialog(row, on_submit=page.state_data, close_signal=page.changes)),
        rx.cond(
            row["is_disabled"],
            rx.el.button(
                "Enable",
                type="button",
                on_click=page.enable(row["id"]),
                class_name=theme.QUIET,
                custom_attrs={"aria-label": f"Enable {row['name']}"},
            ),
            rx.el.button(
                "Disable",
                type="button",
                on_click=page.disable(row["id"]),
                class_name=theme.QUIET,
                custom_attrs={"aria-label": f"Disable {row['name']}"},
            ),
        ),
    ]
