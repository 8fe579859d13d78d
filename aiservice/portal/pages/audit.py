"""Audit: who changed what, newest first, narrowed by what stands in the URL. For admins."""

from typing import Any, TypedDict

import orjson
import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import BrokerError
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.filters import Option, chooser, download_link, options_of, span_form
from aiservice.portal.components.parts import alert, card, cell, data_table, empty, field, skeleton, table_row
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import AuditView, Zone, url_of
from aiservice.portal.session.addresses import Ahead, arrived_at, go_on_at
from aiservice.portal.session.guard import handler, signed_in
from aiservice.services.audit_entry import Entry
from aiservice.services.core import current_core

PATH = "/audit"
_PAGE_ROWS = 50
_NAMES = {"actor", "action", "subject", "from", "to", "tz", "before"}


class AuditRow(TypedDict):
    """An entry in the list; `change` has a field a line."""

    number: str
    at: str
    actor: str
    address: str
    action: str
    subject: str
    called: str
    change: str


class AuditState(rx.State):
    """One page of the log, and what it was narrowed by."""

    rows: list[AuditRow] = []
    url: dict[str, str] = {}
    zone: str = "UTC"
    actions: list[Option] = []
    older: str = ""
    newest: str = PATH
    export: str = ""
    export_json: str = ""
    verdict: str = ""
    verdict_kind: str = ""
    is_verifying: bool = False
    problem: str = ""
    problem_id: str = ""
    is_narrowed: bool = False
    is_loaded: bool = False
    _ahead: Ahead = []

    @handler("audit.list")
    async def load(self) -> None:
        self.url = arrived_at(self, _NAMES)
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.rows, self.problem, self.problem_id = [], error.message, new_id("req")
        self.is_loaded = True

    @handler("audit.verify")
    async def verify(self):  # type: ignore[no-untyped-def]
        """Looks at the whole chain, every entry of it."""
        self.is_verifying = True
        yield
        try:
            found = await current_core().audit.verified(signed_in())
            self.verdict_kind = "error" if found.damage else "done"
            self.verdict = (
                f"The log was tampered with. {'; '.join(map(str, found.damage[:3]))}. Compare with a backup."
                if found.damage
                else f"Every one of its {found.entries:,} entries is as it was written. It stands at {found.anchor}: "
                "kept elsewhere, that proves later that nothing before it was changed (audit verify --anchor)."
            )
        finally:
            self.is_verifying = False

    @handler("audit.list")
    async def choose(self, name: str, value: str) -> Any:
        return go_on_at(self, PATH, _kept(self), **({name: value} if name in _NAMES else {}))

    @handler("audit.list")
    async def choose_span(self, form: dict[str, str]) -> Any:
        span = {name: form.get(name, "") for name in ("from", "to")}
        return go_on_at(self, PATH, _kept(self), **span, tz="" if self.zone == "UTC" else self.zone)

    @handler("audit.list")
    async def find(self, form: dict[str, str]) -> Any:
        """Narrows the list to a person and to what something was done to."""
        typed = {name: form.get(name, "").strip()[:200] for name in ("actor", "subject")}
        return go_on_at(self, PATH, _kept(self), **typed)


def _kept(state: AuditState) -> dict[str, str]:
    return {name: value for name, value in state.url.items() if name != "before"}


async def _show(state: AuditState) -> None:
    audit, me = current_core().audit, signed_in()
    view = AuditView.of(state.url)
    entries, following = await audit.page(me, view.asked, _PAGE_ROWS, view.before)
    state.zone = view.zone.name
    called = await audit.names(me, {entry.subject for entry in entries})
    state.rows = [_row_of(entry, view.zone, called.get(entry.subject, "")) for entry in entries]
    state.older = url_of(PATH, state.url, before=following) if following else ""
    kept = _kept(state)
    state.newest, state.export = url_of(PATH, kept), url_of("/auth/export/audit.csv", kept)
    state.export_json = url_of("/auth/export/audit.json", kept)
    state.is_narrowed = bool(kept.keys() - {"tz"})
    actions = await audit.actions(me)
    groups = [(f"{noun}.", f"{noun}: all") for noun in dict.fromkeys(name.partition(".")[0] for name in actions)]
    state.actions = options_of([*groups, *((name, name) for name in actions)], state.url.get("action", ""))


def _row_of(entry: Entry, zone: Zone, called: str) -> AuditRow:
    before, after = entry.before or {}, entry.after or {}
    if not before:  # of what is new, what it has
        after = {name: value for name, value in after.items() if value is not None}
    lines = [
        f"{name}: {_shown(before[name])} → {_shown(after[name])}" if name in before and name in after
        else f"{name}: {_shown({**before, **after}[name])}"
        for name in {**before, **after}
        if name not in before or name not in after or before[name] != after[name]
    ]  # fmt: skip
    return AuditRow(
        number=str(entry.number),
        at=zone.show(entry.at_us),
        actor=entry.actor,
        address=entry.address or "-",
        action=entry.action,
        subject=entry.subject,
        called=called,
        change="\n".join(lines),
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


HEADS = ["Time", "Who", "From", "Did", "On", "Change"]
page: Any = AuditState  # in markup its attributes are Vars


@portal_page(PATH, title="Audit", icon="list", place=65, on_load=AuditState.load)
def audit() -> rx.Component:
    return rx.el.div(
        card(
            _filters(),
            title="Narrow it down",
            actions=rx.cond(
                page.is_narrowed, ReactRouterLink.create("Clear all", to=PATH, class_name=theme.QUIET), rx.fragment()
            ),
        ),
        rx.cond(
            page.verdict != "",
            rx.cond(
                page.verdict_kind == "error",
                alert(page.verdict, kind="error", role="alert"),
                alert(page.verdict, kind="done"),
            ),
        ),
        card(
            rx.cond(
                page.is_loaded,
                rx.cond(page.problem != "", _problem(), rx.cond(page.rows.length() > 0, _table(), _nothing())),
                rx.el.div(skeleton("h-96"), custom_attrs={"aria-busy": "true"}),
            ),
            _pager(),
            title="Who changed what",
            actions=rx.fragment(
                _verify(),
                rx.cond(
                    (page.export != "") & (page.problem == ""),
                    rx.fragment(
                        download_link(page.export, "audit.csv"),
                        download_link(page.export_json, "audit.json", "Download JSON"),
                    ),
                ),
            ),
        ),
        class_name="flex flex-col gap-5",
    )


def _verify() -> rx.Component:
    return rx.el.button(
        rx.cond(page.is_verifying, "Verifying…", "Verify the chain"),
        type="button",
        on_click=page.verify,
        disabled=page.is_verifying,
        class_name=theme.SECONDARY,
    )


def _filters() -> rx.Component:
    return rx.el.div(
        chooser("Did", "action", page.actions, page.url.get("action", ""), page.choose),
        rx.el.form(
            field("Who", "actor", default_value=page.url.get("actor", ""), auto_complete="off"),
            field("On (an id)", "subject", default_value=page.url.get("subject", ""), auto_complete="off"),
            rx.el.button("Find", type="submit", class_name=theme.SECONDARY),
            on_submit=page.find,
            key=page.newest,
            class_name="grid grid-cols-1 items-end gap-3 sm:grid-cols-[1fr_1fr_auto]",
        ),
        span_form(page.url.get("from", ""), page.url.get("to", ""), page.zone, page.choose_span, key=page.newest),
        class_name="grid gap-4",
    )


def _table() -> rx.Component:
    return data_table(HEADS, rx.foreach(page.rows, _row), caption="Changes, newest first")


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["at"], class_name="whitespace-nowrap tabular-nums"),
        cell(row["actor"], class_name="break-all"),
        cell(row["address"], class_name=theme.ID_TEXT),
        cell(row["action"], class_name="font-medium whitespace-nowrap"),
        cell(
            rx.el.span(row["called"], class_name="block break-words empty:hidden"),
            rx.el.span(row["subject"], class_name=f"block break-all {theme.ID_TEXT}"),
        ),
        cell(row["change"], class_name=f"max-w-md text-xs break-all whitespace-pre-line {theme.MUTED}"),
    )


def _nothing() -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "Nothing like that was changed",
            "No entry fits what the log was narrowed to.",
            ReactRouterLink.create("Show all entries", to=PATH, class_name=theme.PRIMARY),
        ),
        empty("Nothing was changed yet", "Every change of people, keys, limits and providers is listed here."),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The log could not be read like that. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        ReactRouterLink.create("Show all entries", to=PATH, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )


def _pager() -> rx.Component:
    return rx.el.nav(
        rx.cond(
            page.url.get("before", "") != "",
            ReactRouterLink.create("Newest", to=page.newest, class_name=theme.SECONDARY),
        ),
        rx.cond(page.older != "", ReactRouterLink.create("Older", to=page.older, class_name=theme.SECONDARY)),
        class_name="mt-4 flex justify-end gap-2",
        custom_attrs={"aria-label": "Pages of the log"},
    )
