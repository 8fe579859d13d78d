"""Aliases: names that requests give as their model, and that can be pointed elsewhere without a redeploy.

A client's own hide its team's, and these the platform's. What a key may use is decided by where an alias leads, never
by its name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person, Principal
from aiservice.providers import registry
from aiservice.services.alias_routes import MAX_STORED, AliasRoutes
from aiservice.services.alias_terms import Models, Route, clean_alias_name, clean_targets, expand, words_of
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.names import no_such
from aiservice.services.rights import needs
from aiservice.services.rights import scope as scope_of
from aiservice.services.routing_history import Place, Version, hidden_version, keep_version, version, versions_of
from aiservice.services.routing_scopes import Holder, Scope, ScopeKind, holder_of, scope_kind
from aiservice.store import aliases as store
from aiservice.store.preferences import PLATFORM
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import Connection, ModelAlias

Names = list[str]


@dataclass(slots=True, frozen=True)
class AliasView:
    """An alias as people see it; `holder` is the name of whose it is, and `targets` are as people write them."""

    scope: ScopeKind
    holder_id: str
    holder: str
    name: str
    targets: tuple[str, ...]
    updated_us: int


@dataclass(slots=True, frozen=True)
class Wish:
    """What somebody wants an alias to be. `may_shadow`: though it is a model's own name."""

    name: str
    targets: Names
    may_shadow: bool = False
    reverted_to: int | None = None


class Aliases:
    """Developers see to the aliases of their own clients, admins to everybody's. A scope that is text alone is a
    client."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes
        self.routes = AliasRoutes(db, changes)

    def resolve(self, principal: Principal, model: str | None) -> Route | None:
        """See `AliasRoutes.resolve`."""
        return self.routes.resolve(principal, model)

    async def refresh(self) -> None:
        """See `AliasRoutes.refresh`."""
        await self.routes.refresh()

    @needs("alias.set")
    async def set(
        self, actor: Person, scope: Scope | str, name: str, targets: Names, *, may_shadow: bool = False
    ) -> AliasView:
        """Makes the alias, or points it elsewhere: from the next second on, on every worker.

        Raises:
            NotFound: no such team or client, or not the actor's.
            PermissionDenied: the platform's or a team's, and the actor is no admin.
            Unprocessable: a name or a target that is none, a name that is a model's own, or a circle.
        """
        return await self._put(actor, _scope(scope), Wish(name, targets, may_shadow))

    @needs("alias.list")
    async def list(self, actor: Person) -> Sequence[AliasView]:
        """All that the actor may see, the platform's first."""
        async with self._db.read() as session:
            return [_view(row, holder) for row, holder in await store.listed(session, scope_of(actor, "alias.list"))]

    @needs("alias.remove")
    async def remove(self, actor: Person, scope: Scope | str, name: str) -> None:
        """Takes the alias away: whoever asks for it is told that there is no such model.

        Raises:
            NotFound, PermissionDenied: as in `set`; or there is no such alias.
            Unprocessable: another alias leads to it (`alias_in_use`).
        """
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            holder = await holder_of(session, actor, _scope(scope), "alias.remove")
            row = await store.find(session, holder.kind, holder.id, name)
            if row is None:
                raise no_such("alias", name, await store.of_subject(session, holder.kind, holder.id))
            for _, subject, other, targets in await store.stored(session, MAX_STORED):
                # What leads to a client's own alias is a client's own; of another's nothing is said.
                is_visible = holder.kind != "client" or subject == holder.id
                if is_visible and f"={name}" in targets:
                    message = f"The alias '{other}' leads to '{name}'. Point it elsewhere first."
                    raise Unprocessable(message, code="alias_in_use")
            await self._note(session, actor, row, None)
            await session.delete(row)
        await self.refresh()

    @needs("alias.history")
    async def history(self, actor: Person, scope: Scope | str, name: str | None = None) -> Sequence[Version]:
        """The newest changes of a scope's aliases, newest first. Raises `NotFound` as `set`."""
        async with self._db.read() as session:
            holder = await holder_of(session, actor, _scope(scope), "alias.history")
            return await versions_of(session, holder.kind, holder.id, "alias", name)

    @needs("alias.revert")
    async def revert(self, actor: Person, number: int) -> AliasView | None:
        """Points an alias where version `number` pointed it; None where that removed it.

        Raises:
            NotFound: no such version, or it is not the actor's.
            PermissionDenied, Unprocessable: as in `set` and `remove`.
        """
        async with self._db.read() as session:
            old = await version(session, number, "alias")
            scope = Scope(scope_kind(old.scope), "" if old.scope == PLATFORM else old.subject)
            with hidden_version(number):
                await holder_of(session, actor, scope, "alias.history")
        if old.after is None:
            await self.remove(actor, scope, old.name)
            return None
        return await self._put(actor, scope, Wish(old.name, old.after["to"], may_shadow=True, reverted_to=number))

    async def _put(self, actor: Person, scope: Scope, wish: Wish) -> AliasView:
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            holder = await holder_of(session, actor, scope, "alias.revert" if wish.reverted_to else "alias.set")
            targets = await _checked(session, holder, wish)
            row = await store.find(session, holder.kind, holder.id, wish.name)
            if row is None:
                if await store.count(session) >= MAX_STORED:
                    raise Unprocessable(f"There are {MAX_STORED} aliases already; remove some.", code="too_many")
                row = ModelAlias(
                    id=new_id("als"), scope=holder.kind, subject=holder.id, name=wish.name, targets=[], updated_us=0
                )
                session.add(row)
            await self._note(session, actor, row, words_of(targets), wish.reverted_to)
            row.targets, row.updated_us = targets, now_us()
            view = _view(row, holder.name)
        await self.refresh()
        return view

    async def _note(
        self, session: AsyncSession, actor: Person, row: ModelAlias, to: Names | None, reverted_to: int | None = None
    ) -> None:
        """The change's version, its entry in the audit log, and the news of it."""
        before = {"to": words_of(row.targets)} if row.targets else None
        after = None if to is None else {"to": to}
        if before == after:
            return
        told = [None if each is None else {"name": row.name, **each} for each in (before, after)]
        action = "alias.remove" if after is None else "alias.set"
        record(session, actor, action, row.subject, before=told[0], after=told[1])
        await keep_version(
            session, actor, Place("alias", row.scope, row.subject, row.name), (before, after), reverted_to
        )
        self._changes.publish(session, "alias", row.subject)


async def _checked(session: AsyncSession, holder: Holder, wish: Wish) -> Names:
    """The targets as they are kept."""
    models = models_of((await holder.connections(session)).values())
    name = clean_alias_name(wish.name, models, may_shadow=wish.may_shadow)
    visible: dict[str, list[str]] = {}
    for scope, subject in holder.above:
        visible |= await store.of_subject(session, scope, subject)
    is_model = name in models.everything  # then its own name, as a target, is the model
    targets = clean_targets(wish.targets, models, [other for other in visible if not (is_model and other == name)])
    try:
        expand(name, {**visible, name: targets}.get)
    except InvalidRequest as loop:
        raise Unprocessable(loop.message, code=loop.code, param="to") from None
    return targets


def models_of(connections: Iterable[Connection]) -> Models:
    """What the connections have to lead to, by connection and by kind."""
    of_place: dict[str, set[str]] = {}
    is_open: set[str] = set()
    for row in connections:
        provider = registry().get(row.kind)
        if provider is None:
            continue
        models = row.models or provider.default_models
        for place in (row.name, row.kind):
            of_place.setdefault(place, set()).update(models)
            if not models:
                is_open.add(place)
    return Models(of_place, frozenset(is_open))


def _scope(scope: Scope | str) -> Scope:
    found = scope if isinstance(scope, Scope) else Scope("client", scope)
    if found.kind == "key":
        message = "Aliases belong to the platform, a team or a client: all keys of a client have the same."
        raise Unprocessable(message, code="unknown_scope", param="scope")
    return found


def _view(row: ModelAlias, holder: str) -> AliasView:
    told = (scope_kind(row.scope), row.subject, holder, row.name)
    return AliasView(*told, tuple(words_of(row.targets)), row.updated_us)
