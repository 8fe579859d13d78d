"""Stored preferences: the terms on which requests of a platform, team, client or key are routed, by task.

What a narrower scope says wins, field by field: key over client over team over platform, and in each the task's own
terms over those of any task ("*"). The request's own `preferences` stand above all. Terms are wishes with a default;
what must hold whatever a caller wishes is an allowed set (`client update --connections`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.principal import Person, Principal
from aiservice.services.changes import ChangeFeed
from aiservice.services.preference_rules import ANY_TASK, MAX_ENTRIES, check_task, check_terms
from aiservice.services.preference_writing import PreferenceWriting, said_by
from aiservice.services.rights import needs
from aiservice.services.rights import scope as scope_of
from aiservice.services.routing_history import Place, Version, check_unchanged, hidden_version, version, versions_of
from aiservice.services.routing_scopes import Holder, Scope, ScopeKind, holder_of, scope_kind
from aiservice.services.routing_terms import Terms
from aiservice.services.stored_terms import MAX_STORED, StoredTerms, terms_of
from aiservice.store import preferences as store
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import Preference

__all__ = ["ANY_TASK", "MAX_ENTRIES", "PreferenceView", "Preferences"]

Chain = tuple[str, ...]


@dataclass(slots=True, frozen=True)
class PreferenceView:
    """Stored terms; `holder` is the name of whose they are. `task` may be "*" (any task)."""

    scope: ScopeKind
    holder_id: str
    holder: str
    task: str
    terms: Terms
    updated_us: int

    @property
    def chain(self) -> Chain:
        return self.terms.order or ()


@dataclass(slots=True, frozen=True)
class Since:
    """What a change rests on: the version that its author saw, or the one that it brings back."""

    after_version: int | None = None
    reverted_to: int | None = None


class Preferences:
    """Developers see to the terms of their own clients and keys, admins to everybody's. A scope that is text alone is a
    client, and terms that are a list alone are an order."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes
        self.stored = StoredTerms(db, changes)

    # What routing reads

    def terms_for(self, principal: Principal, task: str) -> Terms | None:
        """See `StoredTerms.terms_for`."""
        return self.stored.terms_for(principal, task)

    async def refresh(self) -> None:
        """See `StoredTerms.refresh`."""
        await self.stored.refresh()

    # What people do

    @needs("preference.set")
    async def set(
        self,
        actor: Person,
        scope: Scope | str,
        task: str,
        terms: Terms | Sequence[str],
        *,
        after_version: int | None = None,
    ) -> PreferenceView:
        """Stores the terms for `task`, in place of those before; with `after_version` only where that is still the
        newest version (0: there was none).

        Raises:
            Conflict: there is a newer version (`changed_meanwhile`).
            NotFound: no such team, client or key, or not the actor's.
            PermissionDenied: the platform's or a team's, and the actor is no admin.
            Unprocessable: an unknown task, or terms that `check_terms` refuses.
        """
        check_task(task)
        wanted = terms if isinstance(terms, Terms) else Terms(order=tuple(terms))
        return await self._put(actor, _scope(scope), task, wanted, Since(after_version))

    @needs("preference.list")
    async def list(self, actor: Person, scope: Scope | str | None = None) -> Sequence[PreferenceView]:
        """The stored terms of one scope, or of all that the actor may see, the widest scope first.

        Raises:
            NotFound: no such team, client or key, or not the actor's.
        """
        async with self._db.read() as session:
            if scope is None:
                rows = await store.listed(session, scope_of(actor, "preference.list"))
            else:
                holder = await holder_of(session, actor, _scope(scope), "preference.list")
                rows = await store.listed(session, scope_of(actor, "preference.list"), holder.kind, holder.id)
            return [_view(row, name) for row, name in rows]

    @needs("preference.clear")
    async def clear(self, actor: Person, scope: Scope | str, task: str | None = None) -> int:
        """Removes the terms for `task`, or all of that scope; returns how many there were.

        Raises:
            NotFound, PermissionDenied: as in `set`.
            Unprocessable: an unknown task.
        """
        if task is not None:
            check_task(task)
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            holder = await holder_of(session, actor, _scope(scope), "preference.clear")
            rows = await store.of_subject(session, holder.kind, holder.id)
            tasks = [row.task for row in rows if task in (None, row.task)]
            for each in tasks:
                await PreferenceWriting(session, self._changes, actor).put(holder.kind, holder.id, each, None)
        await self.stored.read_again(holder.id)
        return len(tasks)

    @needs("preference.history")
    async def history(self, actor: Person, scope: Scope | str, task: str | None = None) -> Sequence[Version]:
        """The newest changes of a scope's terms, newest first; of one task, or of all.

        Raises:
            NotFound: as in `list`.
        """
        async with self._db.read() as session:
            holder = await holder_of(session, actor, _scope(scope), "preference.history")
            return await versions_of(session, holder.kind, holder.id, "terms", task)

    @needs("preference.list")
    async def above(self, actor: Person, scope: Scope, task: str) -> Sequence[PreferenceView]:
        """What holds for `scope` and `task` where its own terms say nothing, the narrowest first.

        Raises:
            NotFound: as in `list`.
        """
        async with self._db.read() as session:
            holder = await holder_of(session, actor, scope, "preference.list")
            found = []
            for kind, subject in reversed(holder.above):
                rows = {row.task: _view(row, name) for row, name in await store.listed(session, None, kind, subject)}
                for each in dict.fromkeys((task, ANY_TASK)):
                    if each in rows and (kind, subject, each) != (holder.kind, holder.id, task):
                        found.append(rows[each])
            return found

    @needs("preference.revert")
    async def revert(self, actor: Person, number: int) -> PreferenceView:
        """Stores again what version `number` stored, or nothing where that was nothing. This is a new version.

        Raises:
            NotFound: no such version, or it is not the actor's.
            PermissionDenied: as in `set`.
            Unprocessable: what it named is not there any more, or not allowed any more.
        """
        async with self._db.read() as session:
            old = await version(session, number, "terms")
            terms = None if old.after is None else Terms.read(old.after)
            scope = Scope(scope_kind(old.scope), "" if old.scope == "platform" else old.subject)
            with hidden_version(number):
                await holder_of(session, actor, scope, "preference.history")
        return await self._put(actor, scope, old.name, terms, Since(reverted_to=number))

    async def _put(self, actor: Person, scope: Scope, task: str, terms: Terms | None, since: Since) -> PreferenceView:
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            holder = await holder_of(
                session, actor, scope, "preference.revert" if since.reverted_to else "preference.set"
            )
            if terms is not None:
                await check_terms(session, holder, terms)
                await self._check_room(session, holder, task)
            if since.after_version is not None:
                place = Place("terms", holder.kind, holder.id, task)
                await check_unchanged(session, place, since.after_version)
            said = None if terms is None else terms.to_json()
            writing = PreferenceWriting(session, self._changes, actor)
            row = await writing.put(holder.kind, holder.id, task, said, since.reverted_to)
            nothing = PreferenceView(holder.kind, holder.id, holder.name, task, Terms(), now_us())
            view = nothing if row is None else _view(row, holder.name)
        await self.stored.read_again(holder.id)
        return view

    async def _check_room(self, session: AsyncSession, holder: Holder, task: str) -> None:
        if await store.find(session, holder.kind, holder.id, task) is None and await store.count(session) >= MAX_STORED:
            raise Unprocessable(f"There are {MAX_STORED} stored preferences already; clear some.", code="too_many")


def _scope(scope: Scope | str) -> Scope:
    return scope if isinstance(scope, Scope) else Scope("client", scope)


def _view(row: Preference, holder: str) -> PreferenceView:
    terms = terms_of((), said_by(row)) or Terms()
    return PreferenceView(
        scope_kind(row.scope), row.subject or row.client_id or "", holder, row.task, terms, row.updated_us
    )
