"""Preferences: for each kind of work, where requests go: edited as a draft, looked at, saved, and taken back."""

from typing import Any

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest
from aiservice.portal.components.parts import skeleton
from aiservice.portal.components.preference_choice import choice, stored
from aiservice.portal.components.preference_editor import chain, history, review, terms_form
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import Zone, url_of
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.portal.session.preference_forms import (
    DifferenceRow,
    Line,
    MovedRow,
    Option,
    PlaceRow,
    TermsForm,
    VersionRow,
    difference_rows,
    fields_of,
    may_change,
    moved_rows,
    place_rows,
    refusal_words,
    scopes_of,
    terms_of_form,
    title_of,
    version_rows,
    words_of,
)
from aiservice.services.core import current_core
from aiservice.services.preference_trial import Draft
from aiservice.services.preferences import ANY_TASK, MAX_ENTRIES
from aiservice.services.rights import may
from aiservice.services.routing_scopes import Scope
from aiservice.services.routing_terms import Terms
from aiservice.tasks import registry


class AddEntry(ValidatedDict):
    """The form that adds an entry to the chain."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    connection: str
    model: str


class PreferencesState(rx.State):
    """One scope's terms for one task, the draft that is being edited, and what it would change."""

    scopes: list[Option] = []
    scope: str = ""
    task: str = ANY_TASK
    draft: list[str] = []
    fields: dict[str, str] = fields_of(Terms())
    shown: int = 0
    now_words: str = ""
    above: list[Line] = []
    stored: list[Line] = []
    connections: list[Option] = []
    tested: dict[str, str] = {}
    versions: list[VersionRow] = []
    just_moved: str = ""
    moved_by: int = 0
    moves: int = 0
    order_words: str = ""
    is_stored: bool = False
    may_change: bool = False
    may_test: bool = False
    is_reviewed: bool = False
    draft_words: str = ""
    changes: list[DifferenceRow] = []
    places: list[PlaceRow] = []
    refusal: str = ""
    hour_words: str = ""
    moved: list[MovedRow] = []
    is_loaded: bool = False
    _reviewed: dict[str, Any] = {}
    _seen_version: int = 0
    _is_chosen: bool = False

    @handler("preference.list")
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        own = await core.clients.personal(me)
        self.scopes = await scopes_of(core, me)
        asked = self.router.url.query_parameters
        is_chosen, self._is_chosen = self._is_chosen, False
        self.scope, self.task = asked.get("scope") or self.scope, asked.get("task") or self.task
        if self.scope not in {option["value"] for option in self.scopes}:
            self.scope = f"client:{own.id}"
        if self.task != ANY_TASK and self.task not in registry():
            self.task = ANY_TASK
        self.connections = [
            Option(value=connection.name, label=f"{connection.name} ({connection.kind})")
            for connection in await core.connections.list(me)
            if not connection.is_disabled
        ]
        if not is_chosen:  # else it is shown already, and the address has only followed
            await _show(self)
        self.is_loaded = True

    @handler("preference.list")
    async def choose_scope(self, scope: str) -> Any:
        await current_core().preferences.list(signed_in(), Scope.read(scope))
        return await _choose(self, scope, self.task)

    @handler("preference.list")
    async def choose_task(self, task: str) -> Any:
        return await _choose(self, self.scope, task)

    @handler("preference.set")
    async def add(self, form: AddEntry) -> None:
        model = form["model"].strip()
        entry = f"{form['connection']}:{model}" if model else form["connection"]
        if not form["connection"]:
            raise InvalidRequest("Choose a connection to add.", param="connection")
        if entry in self.draft:
            raise InvalidRequest(f"{entry} is in the chain already.", param="connection")
        if len(self.draft) >= MAX_ENTRIES:
            raise InvalidRequest(f"A chain has at most {MAX_ENTRIES} entries.")
        _edit(self, [*self.draft, entry])

    @handler("preference.set")
    async def move(self, index: int, by: int) -> None:
        to = index + by
        if by in (-1, 1) and 0 <= index < len(self.draft) and 0 <= to < len(self.draft):
            draft = list(self.draft)
            draft[index], draft[to] = draft[to], draft[index]
            _edit(self, draft)
            self.just_moved, self.moved_by, self.moves = draft[to], by, self.moves + 1
            self.order_words = f"{draft[to]} is now {to + 1} of {len(draft)}."

    @handler("preference.set")
    async def move_to(self, index: int, to: int) -> None:
        """What the handle does, however far it was dragged."""
        if 0 <= index < len(self.draft) and 0 <= to < len(self.draft) and index != to:
            draft = list(self.draft)
            draft.insert(to, draft.pop(index))
            _edit(self, draft)
            self.just_moved, self.moved_by, self.moves = draft[to], 0, self.moves + 1
            self.order_words = f"{draft[to]} is now {to + 1} of {len(draft)}."

    @handler("preference.set")
    async def remove(self, index: int) -> None:
        if 0 <= index < len(self.draft):
            _edit(self, [*self.draft[:index], *self.draft[index + 1 :]])

    @handler("connection.test")
    async def test(self, entry: str) -> None:
        name = entry.partition(":")[0]
        found = await current_core().connections.test(signed_in(), name)
        cost = " (asked for its models: costs nothing)" if found.is_ok else ""
        self.tested = {**self.tested, entry: f"{found.summary}{cost}"}

    @handler("preference.try")
    async def review(self, form: TermsForm) -> Any:
        core, me = current_core(), signed_in()
        terms = terms_of_form(form, list(self.draft))
        draft = Draft(Scope.read(self.scope), self.task, terms)
        decision = await core.trial.dry_run(me, draft, form["asked"].strip() or None)
        hour = await core.trial.on_last_hour(me, draft)
        now = await _stored_terms(self)
        self._reviewed = {} if terms is None else terms.to_json()
        self.draft_words = words_of(terms or Terms(), self.task)
        self.changes = difference_rows(now, terms or Terms())
        self.places, self.refusal = place_rows(decision), refusal_words(decision.refusal)
        self.hour_words = f"{hour.words}{'' if hour.is_whole else ' (the newest of the last hour)'}."
        self.moved = moved_rows(hour, Zone.of_person())
        self.is_reviewed = True
        return rx.set_focus("draft")

    @handler("preference.set")
    async def save(self) -> None:
        if not self.is_reviewed:
            raise InvalidRequest("Review the draft before you save it.")
        scope, preferences, me = Scope.read(self.scope), current_core().preferences, signed_in()
        if self._reviewed:
            terms = Terms.read(self._reviewed)
            await preferences.set(me, scope, self.task, terms, after_version=self._seen_version)
            await tell(self, f"Saved. {words_of(terms, self.task)}")
        else:
            await preferences.clear(me, scope, self.task)
            await tell(self, "Cleared: the draft said nothing.")
        await _show(self)

    @handler("preference.list")
    async def discard(self) -> None:
        await _show(self)

    @handler("preference.clear")
    async def clear(self) -> None:
        await current_core().preferences.clear(signed_in(), Scope.read(self.scope), self.task)
        await tell(self, "Cleared. What holds above it holds now.")
        await _show(self)

    @handler("preference.revert")
    async def revert(self, number: int) -> None:
        view = await current_core().preferences.revert(signed_in(), number)
        said = "Nothing is stored there any more." if view.terms == Terms() else words_of(view.terms, view.task)
        await tell(self, f"Gone back to version {number}. {said}")
        await _show(self)


async def _choose(state: PreferencesState, scope: str, task: str) -> Any:
    """Shows what is chosen, and has the address say it: it is found again in another tab."""
    state.scope, state.task = scope, task
    await _show(state)
    state._is_chosen = True
    return rx.redirect(url_of("/preferences", {"scope": scope, "task": "" if task == ANY_TASK else task}))


def _edit(state: PreferencesState, draft: list[str]) -> None:
    state.draft, state.is_reviewed, state.just_moved = draft, False, ""


async def _stored_terms(state: PreferencesState) -> Terms:
    views = await current_core().preferences.list(signed_in(), Scope.read(state.scope))
    return next((view.terms for view in views if view.task == state.task), Terms())


async def _show(state: PreferencesState) -> None:
    """Reads what is stored; it becomes the draft."""
    preferences, me, scope = current_core().preferences, signed_in(), Scope.read(state.scope)
    views = await preferences.list(me, scope)
    terms = next((view.terms for view in views if view.task == state.task), None)
    versions = await preferences.history(me, scope)
    state._seen_version = next((one.number for one in versions if one.name == state.task), 0)
    state.versions = version_rows(versions, Zone.of_person())
    state.is_stored, state.may_change, state.may_test = (
        terms is not None,
        may_change(me, scope),
        may(me, "connection.test"),
    )
    state.draft, state.fields = list((terms or Terms()).order or ()), fields_of(terms or Terms())
    state.now_words = words_of(terms, state.task) if terms is not None else "Nothing is stored here."
    state.above = [
        Line(name=_whose(view), words=words_of(view.terms, view.task), value="")
        for view in await preferences.above(me, scope, state.task)
    ]
    state.stored = [
        Line(name=title_of(view.task), words=words_of(view.terms, view.task), value=view.task) for view in views
    ]
    state.shown, state.is_reviewed, state.tested, state._reviewed = state.shown + 1, False, {}, {}
    state.just_moved, state.order_words = "", ""


def _whose(view: Any) -> str:
    return "Everybody" if view.scope == "platform" else f"{view.scope.capitalize()} {view.holder}"


page: Any = PreferencesState  # in markup its attributes are Vars


@portal_page("/preferences", title="Preferences", icon="order", place=40, on_load=PreferencesState.load)
def preferences() -> rx.Component:
    parts = (choice(page), chain(page), terms_form(page), review(page), stored(page), history(page))
    room = [skeleton(height) for height in ("h-40", "h-56", "h-96", "h-40", "h-56")]
    return rx.cond(
        page.is_loaded,
        rx.el.div(*parts, class_name="flex flex-col gap-5"),
        rx.el.div(*room, class_name="flex flex-col gap-5", custom_attrs={"aria-busy": "true"}),
    )
