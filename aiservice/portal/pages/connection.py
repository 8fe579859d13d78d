"""One provider connection at its own address: its keys and how each does, its settings, and who uses it. For admins."""

from functools import partial
from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from reflex_components_core.react_router.dom import ReactRouterLink
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest, NotFound
from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.connection_keys import KeyRow, add_key, key_table, rows_of, share_fields
from aiservice.portal.components.parts import card, empty, field, skeleton, tile
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell, warn
from aiservice.portal.session.live import put, watch
from aiservice.providers import registry
from aiservice.services import health_views
from aiservice.services.connection_uses import ConnectionUses, uses_of
from aiservice.services.connection_views import ConnectionDetails
from aiservice.services.core import current_core
from aiservice.services.quotas import seen

_BELOW = "/providers"


class Fact(TypedDict):
    """One figure about the connection."""

    name: str
    value: str
    note: str


class SettingsForm(ValidatedDict, total=False):
    """The settings of the connection, or of one key (with `label`)."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    id: str
    label: str
    weight: str
    rpm: str
    tpm: str
    models: str
    probe_every: str


class ConnectionState(rx.State):
    """The connection that the URL names."""

    connection_id: str = ""
    name: str = ""
    keys: list[KeyRow] = []
    facts: list[Fact] = []
    settings: dict[str, str] = {}
    aliases: str = ""
    key_hint: str = ""
    testing: str = ""
    changes: int = 0
    is_builtin: bool = False
    is_found: bool = False
    is_loaded: bool = False

    @handler("connection.uses")
    async def load(self) -> None:
        self.connection_id = self.router.url.path.rstrip("/").rpartition("/")[2][:80]
        self.is_found = False
        try:
            await _show(self)
            watch(self, partial(_gather_keys, self.connection_id), _show_keys)
        except NotFound:
            self.keys = []
        self.is_loaded = True

    @handler("provider_key.test")
    async def test_key(self, key_id: str):  # type: ignore[no-untyped-def]
        """Asks the provider with the stored key, now."""
        self.testing = key_id
        yield
        try:
            core = current_core()
            of = core.connections if key_id == self.connection_id else core.provider_keys
            result = await of.test(signed_in(), key_id)
            await (tell if result.is_ok else warn)(self, f"Tested: {result.summary}")
        finally:
            self.testing = ""
        await _show(self)

    @handler("connection.uses")
    async def key_changed(self, _key_id: str) -> None:
        """After a form with a key has been taken: closes its dialog and shows what is stored."""
        self.changes += 1
        await tell(self, "Saved. What was secret is sealed and is not shown again.")
        await _show(self)

    @handler("provider_key.change")
    async def save_key(self, form: SettingsForm) -> None:
        await current_core().provider_keys.update(
            signed_in(),
            form.get("id", ""),
            label=form.get("label", ""),
            weight=_number(form.get("weight", ""), "weight"),
            rpm=_number(form.get("rpm", ""), "rpm"),
            tpm=_number(form.get("tpm", ""), "tpm"),
        )
        self.changes += 1
        await tell(self, "Saved.")
        await _show(self)

    @handler("connection.change")
    async def save(self, form: SettingsForm) -> None:
        """Weight, limits, models and probes of the connection that the page shows."""
        connections, me, of = current_core().connections, signed_in(), self.connection_id
        models = [name.strip() for name in form.get("models", "").replace("\n", ",").split(",") if name.strip()]
        rpm, tpm = _number(form.get("rpm", ""), "rpm"), _number(form.get("tpm", ""), "tpm")
        await connections.set_weight(me, of, _number(form.get("weight", ""), "weight"))
        await connections.set_quota(me, of, rpm, tpm)
        await connections.set_models(me, of, models)
        every = form.get("probe_every", "").strip()
        await connections.set_probe_interval(me, of, _number(every, "probe_every") if every else None)
        await tell(self, "Saved.")
        await _show(self)

    @handler("provider_key.disable")
    async def disable_key(self, key_id: str) -> None:
        await current_core().provider_keys.disable(signed_in(), key_id)
        await _show(self)

    @handler("provider_key.enable")
    async def enable_key(self, key_id: str) -> None:
        await current_core().provider_keys.enable(signed_in(), key_id)
        await _show(self)

    @handler("provider_key.remove")
    async def remove_key(self, key_id: str) -> None:
        await current_core().provider_keys.remove(signed_in(), key_id)
        await tell(self, "Removed, with its sealed copy.")
        await _show(self)

    @handler("connection.remove")
    async def remove(self) -> Any:
        """Takes the whole connection away."""
        await current_core().connections.remove(signed_in(), self.connection_id)
        return rx.redirect(_BELOW)


async def _show(state: ConnectionState) -> None:
    core, me = current_core(), signed_in()
    view = await core.connections.find(me, state.connection_id)
    provider = registry().get(view.kind)
    state.connection_id, state.name, state.is_found = view.id, view.name, True
    state.is_builtin = provider is not None and provider.is_local
    state.key_hint = (provider.key_hint if provider is not None else "") or ""
    state.keys = _key_rows(view)
    state.settings = {
        "id": view.id,
        "weight": str(view.weight),
        "rpm": str(view.rpm or ""),
        "tpm": str(view.tpm or ""),
        "models": ", ".join(view.models),
        "probe_every": "" if view.probe_every_seconds is None else str(view.probe_every_seconds),
    }
    uses = await uses_of(core.db, core.usage, me, view.name)
    state.facts, state.aliases = _facts(view, uses), ", ".join(uses.aliases)


async def _gather_keys(connection_id: str) -> list[KeyRow]:
    """What moves by itself: how the keys do, and what is left of what they give."""
    return _key_rows(await current_core().connections.find(signed_in(), connection_id))


def _show_keys(state: ConnectionState, keys: list[KeyRow]) -> None:
    put(state, keys=keys)


def _key_rows(view: ConnectionDetails) -> list[KeyRow]:
    me, board = signed_in(), current_core().board
    return rows_of(view, health_views.seen(me, board), seen(me, board))


def _facts(view: ConnectionDetails, uses: ConnectionUses) -> list[Fact]:
    week = uses.week
    failed = f"{week.errors / week.requests:.1%} of them failed" if week.requests else "nobody asked it"
    named = f"{_counted(uses.clients, 'client')} and {_counted(uses.teams, 'team')}"
    models = f"{len(view.models):,}" if view.models else "all it lists"
    return [
        Fact(name="Requests in 7 days", value=f"{week.requests:,}", note=failed),
        Fact(name="Cost in 7 days", value=f"${week.cost_nano_usd / 1e9:,.2f}", note=_unpriced(week.unpriced)),
        Fact(name="Used by", value=_counted(uses.chains, "chain"), note=f"bound to it by name: {named}"),
        Fact(name="Models", value=models, note=view.kind),
    ]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _unpriced(calls: int) -> str:
    return f"and {calls:,} calls without a price" if calls else "every call had a price"


def _number(text: str, name: str) -> int:
    """What a field holds; 0 where it is empty."""
    digits = text.strip().replace(",", "")
    if not digits:
        return 0
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise InvalidRequest(f"'{name}' must be a whole number.", param=name)
    return int(digits)


page: Any = ConnectionState  # in markup its attributes are Vars


@portal_page("/providers/[connection]", title="Provider connection", below=_BELOW, on_load=ConnectionState.load)
def connection() -> rx.Component:
    back = ReactRouterLink.create("All providers", to=_BELOW, class_name=theme.LINK)
    missing = empty(
        "There is no such connection",
        "It may have been removed.",
        ReactRouterLink.create("All providers", to=_BELOW, class_name=theme.PRIMARY),
    )
    waiting = rx.el.div(skeleton("h-24"), skeleton("h-64"), class_name="grid gap-4", custom_attrs={"aria-busy": "true"})
    return rx.el.div(
        rx.el.p(back, class_name="text-sm"),
        rx.cond(page.is_loaded, rx.cond(page.is_found, _content(), card(missing)), waiting),
        class_name="flex flex-col gap-4",
    )


def _content() -> rx.Component:
    return rx.fragment(
        rx.el.div(rx.foreach(page.facts, tile), class_name="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4"),
        rx.cond(page.aliases != "", rx.el.p("Aliases that lead here: ", page.aliases, class_name="text-sm")),
        card(
            rx.cond(
                page.keys.length() > 0,
                key_table(page),
                empty("No key", "What is built in, or answers without a key, needs none."),
            ),
            title=f"Keys of {page.name}",
            actions=rx.cond(~page.is_builtin, add_key(page)),
        ),
        rx.cond(~page.is_builtin, card(_settings(), title="Settings")),
    )


def _settings() -> rx.Component:
    return rx.el.div(
        rx.el.form(
            rx.el.div(*share_fields(page.settings), class_name="grid gap-4 sm:grid-cols-3"),
            field(
                "Models",
                "models",
                default_value=page.settings["models"],
                hint="Separated by commas. Empty: whatever the provider has.",
                auto_complete="off",
            ),
            field(
                "Probed every … seconds",
                "probe_every",
                default_value=page.settings["probe_every"],
                hint="Asked for its models, which costs nothing, to know whether it is there. 0: never. Empty: as the "
                "settings say.",
                auto_complete="off",
                input_mode="numeric",
            ),
            rx.el.button("Save", type="submit", class_name=f"{theme.PRIMARY} self-start"),
            on_submit=page.save,
            key=page.settings["id"],
            class_name="flex flex-col gap-4",
        ),
        rx.el.div(
            confirm_button(
                "Remove this connection",
                title=f"Remove {page.name}?",
                text="Its sealed keys are destroyed and it leaves every fallback chain. History keeps its name.",
                confirm="Remove",
                on_confirm=page.remove,
            ),
            class_name="mt-6 -ml-3.5",
        ),
    )
