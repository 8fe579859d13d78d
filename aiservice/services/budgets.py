"""Budgets as people set and see them. The gateway's side is `services/spending.py`.

An admin gives budgets to teams and clients; whoever manages a client gives them to its keys, within the client's own.
A change reaches every worker like any edit of a key: through the change feed, which drops the cached principals.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from aiservice.errors import NotFound, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Budget as BudgetOfCaller
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.budget_terms import SCOPES, Terms, check_terms, check_within
from aiservice.services.budget_windows import resets_us, window_at
from aiservice.services.changes import ChangeFeed, Kind
from aiservice.services.clients import visible_client
from aiservice.services.managed_keys import managed_key
from aiservice.services.rights import needs, require
from aiservice.services.rights import scope as owner_scope
from aiservice.services.step_up import require_password_said
from aiservice.services.teams import visible_team
from aiservice.store import budgets as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Budget

_CHANGES = {"key": "key.budget", "client": "client.budget", "team": "team.budget"}
_AT_ONCE = 100  # so many are looked at without a turn for whatever else waits for the loop
_FORECAST_PERCENT = 5  # of the window that must have passed before a forecast says anything


@dataclass(slots=True, frozen=True)
class Standing:
    """How a budget stands: in 10⁻⁹ USD or tokens, microseconds UTC. `spent` is what the ledger says, `reserved` what
    workers hold for requests under way and to come; `forecast` is what will be spent by the window's end at this pace,
    None where it rolls or has just begun."""

    spent: int
    reserved: int
    since_us: int
    resets_us: int
    forecast: int | None

    def left(self, cap: int) -> int:
        """What nobody has spent."""
        return max(0, cap - self.spent)


@dataclass(slots=True, frozen=True)
class BudgetView:
    """A budget as people see it. `name` is the key's, client's or team's, `client` the key's client's; no `client_id`
    where it is a team's."""

    id: str
    scope: str
    subject: str
    name: str
    client: str
    client_id: str | None
    terms: Terms
    standing: Standing

    @property
    def left(self) -> int:
        return self.standing.left(self.terms.cap)

    @property
    def used_percent(self) -> int:
        """Of the cap, rounded down; over 100 where something cost more than was thought."""
        return self.standing.spent * 100 // self.terms.cap


Views = list[BudgetView]


@dataclass(slots=True, frozen=True)
class _Subject:
    scope: Kind
    id: str
    name: str
    client: str
    parent_id: str | None


class Budgets:
    """Reads and changes budgets. `scope` is "key", "client" or "team"; `ref` an id or name of one."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes

    @needs("budget.get")
    async def of(self, actor: Person, scope: str, ref: str) -> Views:
        """The budgets of one key, client or team.

        Raises:
            NotFound: no such one, or it is not the actor's.
        """
        async with self._db.read() as session:
            subject = await _subject(session, actor, scope, ref, "budget.get")
            return await _views(session, await store.of_subjects(session, [subject.id]))

    @needs("budget.list")
    async def list(self, actor: Person) -> Views:
        """All budgets that the actor may see, by what they are of."""
        owner_id = owner_scope(actor, "budget.list")
        async with self._db.read() as session:
            rows = await (store.every(session) if owner_id is None else store.owned_by(session, owner_id))
            parts = [rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE)]
            views = [view for part in parts for view in await _views(session, part)]
        return sorted(views, key=lambda view: (SCOPES[::-1].index(view.scope), view.client, view.name, view.id))

    async def set(self, actor: Person, scope: str, ref: str, terms: Terms) -> BudgetView:
        """Gives a budget, in the place of the one of the same measure and period. What was spent of that stays spent,
        unless the new one is of another kind (rolling or not).

        Raises:
            NotFound: as in `of`.
            PermissionDenied: the actor is no admin, or the key's budget is wider than its client's; or the actor has
                not said their password lately (`step_up_required`).
            Unprocessable: terms that are none.
        """
        action = _CHANGES[_checked(scope)]
        require(actor, action)
        check_terms(terms)
        async with self._db.write() as session:
            subject = await _subject(session, actor, scope, ref, action)
            await require_password_said(session, actor)
            if subject.parent_id is not None:
                check_within(terms, await store.of_subjects(session, [subject.parent_id]))
            before = await store.one(session, subject.id, terms.measure, terms.period)
            told = None if before is None else _told(before)
            row = await self._put(session, subject, terms)
            record(session, actor, f"{subject.scope}.budget", subject.id, before=told, after=_told(row))
            self._changes.publish(session, subject.scope, subject.id)
            view = (await _views(session, [row]))[0]
        await self._changes.catch_up()
        return view

    async def clear(
        self, actor: Person, scope: str, ref: str, measure: str | None = None, period: str | None = None
    ) -> Views:
        """Takes budgets away: those of a measure and period where they are named, else all; what is left of them.

        Raises:
            NotFound: as in `of`, or there is no such budget.
            PermissionDenied: the actor is no admin, or `step_up_required`.
        """
        action = _CHANGES[_checked(scope)]
        require(actor, action)
        async with self._db.write() as session:
            subject = await _subject(session, actor, scope, ref, action)
            await require_password_said(session, actor)
            rows = await store.of_subjects(session, [subject.id])
            meant = [row for row in rows if measure in (None, row.measure) and period in (None, row.period)]
            if not meant:
                raise NotFound(f"This {scope} has no such budget.", code="budget_not_found")
            for row in meant:
                record(session, actor, f"{subject.scope}.budget", subject.id, before=_told(row), after=None)
            await store.remove(session, [row.id for row in meant])
            self._changes.publish(session, subject.scope, subject.id)
            rest = await _views(session, [row for row in rows if row not in meant])
        await self._changes.catch_up()
        return rest

    async def standing(self, budgets: Iterable[BudgetOfCaller]) -> dict[str, Standing]:
        """How a caller's budgets stand in the database, by id."""
        async with self._db.read() as session:
            return await _standing(session, [(each.id, each.period, each.is_rolling) for each in budgets])

    async def purge(self, before_us: int) -> int:
        """Deletes windows that began before `before_us`; how many."""
        async with self._db.write() as session:
            return await store.purge(session, before_us)

    async def _put(self, session: AsyncSession, subject: _Subject, terms: Terms) -> Budget:
        row = await store.one(session, subject.id, terms.measure, terms.period)
        if row is not None and row.is_rolling != terms.is_rolling:
            await store.remove(session, [row.id])
            row = None
        if row is None:
            row = Budget(
                id=new_id("bud"),
                scope=subject.scope,
                subject=subject.id,
                measure=terms.measure,
                period=terms.period,
                is_rolling=terms.is_rolling,
                cap=terms.cap,
                created_us=now_us(),
            )
            store.add(session, row)
        row.cap = terms.cap
        row.warn_percent = sorted(set(terms.warn_percent))
        row.unpriced_models = list(terms.unpriced_models) or None
        await session.flush()
        return row


async def views_of(db: Database, budget_ids: Collection[str]) -> Views:
    """Budgets by id, whoever asks: for work of our own. Those that are no more are left out."""
    async with db.read() as session:
        return await _views(session, await store.by_ids(session, budget_ids))


def _checked(scope: str) -> str:
    if scope not in SCOPES:
        raise Unprocessable(f"A budget is of a key, client or team, not of a {scope[:20]}.", param="scope")
    return scope


async def _subject(session: AsyncSession, actor: Person, scope: str, ref: str, action: str) -> _Subject:
    """Whose budget is meant, checked for whether the actor may do `action` with it."""
    if _checked(scope) == "key":
        key, client = await managed_key(session, actor, ref, action, to_change=action != "budget.get")
        return _Subject("key", key.id, key.name, client.name, client.id)
    if scope == "team":
        team = await visible_team(session, actor, ref)
        return _Subject("team", team.id, team.name, "", None)
    client = await visible_client(session, actor, ref)
    return _Subject("client", client.id, client.name, client.name, None)


async def _views(session: AsyncSession, rows: list[Budget]) -> list[BudgetView]:
    standing = await _standing(session, [(row.id, row.period, row.is_rolling) for row in rows])
    keys = await store.key_names(session, {row.subject for row in rows if row.scope == "key"})
    clients = await store.client_names(session, {row.subject for row in rows if row.scope == "client"})
    teams = await store.team_names(session, {row.subject for row in rows if row.scope == "team"})
    names = {**keys, **{subject: (name, name, subject) for subject, name in clients.items()}}
    names |= {subject: (name, "", None) for subject, name in teams.items()}
    return [
        BudgetView(
            row.id, row.scope, row.subject, *names.get(row.subject, ("?", "?", None)), _terms(row), standing[row.id]
        )
        for row in rows
    ]


def _told(row: Budget) -> dict[str, object]:
    return {"measure": row.measure, "period": row.period, "rolling": row.is_rolling, "cap": row.cap}


def _terms(row: Budget) -> Terms:
    return Terms(
        row.measure,
        row.period,
        row.cap,
        row.is_rolling,
        tuple(row.warn_percent or ()),
        tuple(row.unpriced_models or ()),
    )


async def _standing(session: AsyncSession, budgets: list[tuple[str, str, bool]]) -> dict[str, Standing]:
    """Of budgets given as (id, period, whether it rolls)."""
    now = now_us()
    spans = {each: window_at(period, now, is_rolling=rolls) for each, period, rolls in budgets}
    rows = await store.windows(session, {each: window.since_us for each, window in spans.items()})
    of_budget: defaultdict[str, list[store.WindowRow]] = defaultdict(list)
    for row in rows:
        of_budget[row.budget_id].append(row)
    found = {}
    for each, period, rolls in budgets:
        window, mine = spans[each], of_budget[each]
        spent = sum(row.spent for row in mine)
        resets = resets_us(period, window, [(row.start_us, row.spent) for row in mine], is_rolling=rolls)
        passed, length = now - window.start_us, window.ends_us - window.start_us
        is_told = not rolls and passed * 100 >= length * _FORECAST_PERCENT
        forecast = spent * length // passed if is_told and passed else None
        found[each] = Standing(spent, sum(row.reserved for row in mine), window.since_us, resets, forecast)
    return found
