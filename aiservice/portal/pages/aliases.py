"""Aliases: stable names for models, where they lead, and every place they led to before."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import (
    badge,
    card,
    cell,
    checkbox,
    data_table,
    empty,
    field,
    select_field,
    table_row,
    waiting,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import Zone, url_of
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.portal.session.preference_forms import Option, may_change, scopes_of
from aiservice.services.aliases import AliasView
from aiservice.services.core import current_core
from aiservice.services.routing_history import Version
from aiservice.services.routing_scopes import Scope

PATH = "/aliases"


class AliasRow(TypedDict):
    """An alias in the list; `scope` and `name` are what handlers are told."""

    name: str
    to: str
    of: str
    scope: str
    is_mine: bool


class LeadRow(TypedDict):
    """Where an alias led from some time on."""

    number: int
    at: str
    who: str
    to: str
    is_current: bool


class SetAlias(ValidatedDict, total=False):
    """The form that makes an alias, or points one elsewhere; the tick is there only where it is set."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    scope: str
    name: str
    to: str
    shadow: str


class AliasesState(rx.State):
    """The aliases that the signed-in person may see, and the history of one."""

    rows: list[AliasRow] = []
    scopes: list[Option] = []
    shown_scope: str = ""
    shown_name: str = ""
    leads: list[LeadRow] = []
    is_loaded: bool = False

    @handler("alias.list")
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        await core.clients.personal(me)
        scopes = [option for option in await scopes_of(core, me) if not option["value"].startswith("key:")]
        self.scopes = [option for option in scopes if may_change(me, Scope.read(option["value"]))]
        asked = self.router.url.query_parameters
        self.shown_scope, self.shown_name, self.leads = asked.get("of", ""), asked.get("history", ""), []
        self.is_loaded = True  # also where the history that the address names cannot be read
        await _show(self)

    @handler("alias.set")
    async def set_alias(self, form: SetAlias) -> None:
        targets = [target.strip() for target in form.get("to", "").split(",") if target.strip()]
        scope, name = Scope.read(form.get("scope", "")), form.get("name", "").strip()
        view = await current_core().aliases.set(signed_in(), scope, name, targets, may_shadow="shadow" in form)
        await tell(self, f"{view.name} leads to {', then '.join(view.targets)}. It holds within a second, everywhere.")
        await _show(self)

    @handler("alias.remove")
    async def remove(self, scope: str, name: str) -> None:
        await current_core().aliases.remove(signed_in(), Scope.read(scope), name)
        await tell(self, f"Removed. Whoever asks for {name} is told that there is no such model.")
        await _show(self)

    @handler("alias.history")
    async def show_history(self, scope: str, name: str) -> Any:
        """The address says whose it is, so that another tab shows it, too."""
        return rx.redirect(url_of(PATH, {"of": scope, "history": name}))

    @handler("alias.revert")
    async def revert(self, number: int) -> None:
        view = await current_core().aliases.revert(signed_in(), number)
        words = "It is removed again" if view is None else f"{view.name} leads to {', then '.join(view.targets)}"
        await tell(self, f"{words}, as in version {number}.")
        await _show(self)


async def _show(state: AliasesState) -> None:
    aliases, me = current_core().aliases, signed_in()
    state.rows = [_row(view, may_change(me, _scope(view))) for view in await aliases.list(me)]
    if state.shown_name:
        versions = await aliases.history(me, Scope.read(state.shown_scope), state.shown_name)
        state.leads = [_lead(one, is_current=place == 0) for place, one in enumerate(versions)]


def _scope(view: AliasView) -> Scope:
    return Scope(view.scope, "" if view.scope == "platform" else view.holder_id)


def _row(view: AliasView, is_mine: bool) -> AliasRow:
    scope = _scope(view)
    return AliasRow(
        name=view.name,
        to=", then ".join(view.targets),
        of="Everybody" if view.scope == "platform" else f"{view.scope.capitalize()} {view.holder}",
        scope=f"{scope.kind}:{scope.ref}" if scope.ref else scope.kind,
        is_mine=is_mine,
    )


def _lead(version: Version, *, is_current: bool) -> LeadRow:
    to = "removed" if version.after is None else ", then ".join(version.after["to"])
    return LeadRow(
        number=version.number, at=Zone.of_person().show(version.at_us), who=version.actor, to=to, is_current=is_current
    )


HEADS = ["Name", "Leads to", "For", ""]
LEAD_HEADS = ["When", "Who", "Led to", ""]
page: Any = AliasesState  # in markup its attributes are Vars


@portal_page(PATH, title="Aliases", icon="bolt", place=42, on_load=AliasesState.load)
def aliases() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(_list(), _form(), _history(), class_name="flex flex-col gap-5"),
        waiting("h-40", "h-72"),
    )


def _list() -> rx.Component:
    return card(
        rx.cond(
            page.rows.length() > 0,
            data_table(HEADS, rx.foreach(page.rows, _line), caption="Aliases and where they lead"),
            empty(
                "No aliases yet",
                "Give a name such as fast-chat to a model. Programs ask for the name, and you point it elsewhere here, "
                "without a redeploy.",
                rx.el.a("Make an alias", href="#make-an-alias", class_name=theme.PRIMARY),
            ),
        ),
        title="Names for models",
    )


def _line(row: Any) -> rx.Component:
    remove = confirm_button(
        "Remove",
        title=f"Remove {row['name']}?",
        text="Whoever asks for it is then told that there is no such model. The history keeps it.",
        confirm="Remove it",
        on_confirm=page.remove(row["scope"], row["name"]),
        custom_attrs={"aria-label": f"Remove {row['name']} of {row['of']}"},
    )
    look = rx.el.button(
        "History",
        type="button",
        on_click=page.show_history(row["scope"], row["name"]),
        class_name=theme.QUIET,
        custom_attrs={"aria-label": f"History of {row['name']} of {row['of']}"},
    )
    return table_row(
        HEADS,
        cell(row["name"], class_name="min-w-32 font-mono font-medium wrap-anywhere"),
        cell(row["to"], class_name="font-mono wrap-anywhere"),
        cell(row["of"], class_name="wrap-anywhere"),
        cell(look, rx.cond(row["is_mine"], remove), class_name="whitespace-nowrap text-right max-sm:text-left"),
        key=f"{row['scope']} {row['name']}",
    )


def _form() -> rx.Component:
    form = rx.el.form(
        rx.el.div(
            select_field(
                "For",
                "scope",
                rx.foreach(page.scopes, lambda one: rx.el.option(one["label"], value=one["value"])),
            ),
            field("Name", "name", required=True, max_length=100, auto_complete="off", placeholder="fast-chat"),
            field(
                "Leads to",
                "to",
                hint="connection/model, kind/model, a model or another alias, with commas between them: the first "
                "usable one wins.",
                required=True,
                auto_complete="off",
                placeholder="openai/gpt-5-mini, anthropic/claude-haiku-4-5",
            ),
            class_name="grid gap-4 sm:grid-cols-[1fr_1fr_2fr]",
        ),
        checkbox("Though a model is called so itself", "shadow", hint="Whoever asks for that model gets the alias."),
        rx.el.button("Save", type="submit", class_name=f"{theme.PRIMARY} self-start"),
        on_submit=page.set_alias,
        class_name="flex flex-col gap-4",
    )
    return rx.el.div(card(form, title="Make an alias, or point one elsewhere"), id="make-an-alias")


def _history() -> rx.Component:
    table = data_table(LEAD_HEADS, rx.foreach(page.leads, _version), caption="Where the alias led")
    return rx.cond(page.shown_name != "", card(table, title=f"History of {page.shown_name}"))


def _version(row: Any) -> rx.Component:
    back = confirm_button(
        "Go back to this",
        title="Go back to this version?",
        text=f"It leads where it led from {row['at']} on. That is a new version itself.",
        confirm="Go back",
        on_confirm=page.revert(row["number"]),
        custom_attrs={"aria-label": f"Go back to this, version {row['number']}"},
    )
    return table_row(
        LEAD_HEADS,
        cell(row["at"], class_name="whitespace-nowrap"),
        cell(row["who"], class_name="wrap-anywhere"),
        cell(row["to"], class_name="font-mono wrap-anywhere"),
        cell(rx.cond(row["is_current"], badge("holds now", "good"), back), class_name="text-right max-sm:text-left"),
        key=row["number"],
    )
