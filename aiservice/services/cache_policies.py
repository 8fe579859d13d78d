"""What may be kept of answers, for whom and for how long, as people set it; and the purges of what was kept.

A policy is of the platform, a team or a client, for one task or any. The most specific decides whole: the client's for
the task, its for any, the team's, the platform's; only the longest time narrows, from the platform down.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiservice.errors import Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person, Principal
from aiservice.services.audit_entry import record
from aiservice.services.cache_terms import CacheRule, Mode, checked_rule
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.names import no_such, shown, suggestion
from aiservice.services.reload import Reload
from aiservice.services.rights import Reach, needs, require, scope
from aiservice.services.semantic_terms import SemanticRule
from aiservice.services.teams import visible_team
from aiservice.store import cache as store
from aiservice.store import connections as connection_store
from aiservice.store.cache import EVERYBODY
from aiservice.store.session import AsyncSession, Database
from aiservice.store.turns import CONFIGURATION, take_turn
from aiservice.tables import CachePolicy
from aiservice.tasks import registry

ANY_TASK = "*"
SCOPES = ("platform", "team", "client")
QUESTIONS = (
    *("chat", "classification", "code-generation", "extraction", "question-answering", "summarization"),
    *("text-generation", "translation"),
)
"""Tasks of which similar questions may be given each other's answers, where a policy says so."""
POLICIES = "policies"  # the subject of a change that purges nothing
_DEFAULT = CacheRule()
_MEMO_SIZE = 10_000
_UNSET: dict[str, Any] = {
    "mode": "off",
    "ttl_seconds": 1,
    "most_ttl_seconds": 1,
    "shared_by": "client",
    "updated_us": 0,
}


@dataclass(slots=True, frozen=True)
class CachePolicyView:
    """A stored policy; `name` is its team's or client's, "" for the platform's. Times are microseconds UTC. Similar
    questions were switched off at `semantic_off_us`, when only `precision_percent` of those that were judged agreed."""

    scope: str
    subject: str
    name: str
    task: str
    rule: CacheRule
    updated_us: int
    semantic_off_us: int | None = None
    precision_percent: int | None = None


class CachePolicies:
    """Admins set every policy, developers those of their own clients. Requests read a copy in memory, which the change
    feed keeps; while the database is away it stays as it was."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes
        self._rules: dict[tuple[str, str], CacheRule] = {}
        self._memo: dict[tuple[str, str | None, str], CacheRule] = {}
        self.purged_us: dict[str, int] = {}
        """Since when what is kept for a client, a team or anybody ("*") may be given out."""
        self._turn = asyncio.Lock()
        self._reload = Reload(self.refresh)
        changes.subscribe(self._on_change)

    # What requests read

    @property
    def is_any(self) -> bool:
        """Whether there is a policy at all: else only a request that asks for the cache has to do with it."""
        return bool(self._rules)

    def rule_for(self, principal: Principal, task: str) -> CacheRule:
        """What holds for a caller's task."""
        wish = (principal.client_id, principal.team_id, task)
        rule = self._memo.get(wish)
        if rule is None:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            rule = self._memo[wish] = self._decide(*wish)
        return rule

    def _decide(self, client_id: str, team_id: str | None, task: str) -> CacheRule:
        subjects = (client_id, *((team_id,) if team_id is not None else ()), EVERYBODY)
        found = [rule for who in subjects for what in (task, ANY_TASK) if (rule := self._rules.get((who, what)))]
        if not found:
            return _DEFAULT
        most = min(rule.most_ttl_seconds for rule in found)
        shared_by = found[0].shared_by if team_id is not None else "client"
        ttl = min(found[0].ttl_seconds, most)
        return replace(found[0], most_ttl_seconds=most, ttl_seconds=ttl, shared_by=shared_by)

    async def refresh(self) -> None:
        """Reads policies and purges anew. Call once after the change feed's first poll; the feed does the rest."""
        async with self._turn:
            async with self._db.read() as session:
                rows, purged = await store.policies(session), await store.purges(session)
            self._rules = {(row.subject, row.task): _rule(row) for row in rows}
            self._memo.clear()
            self.purged_us = purged

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "cache":
            self._reload.request()

    # What people do

    @needs("cache.policy")
    async def set(self, actor: Person, scope: str, ref: str, task: str, rule: CacheRule) -> CachePolicyView:
        """Stores a policy for `task` ("*": any) of the platform, a team or a client (`ref`: its name or id), in place
        of the one before.

        Raises:
            NotFound: there is no such team or client, or it is not the actor's; no such connection for vectors.
            PermissionDenied: a developer sets one of the platform or of a team, or lets a team share answers.
            Unprocessable: an unknown task, or a rule that is none; similar questions of any task, or of one that is no
                question.
        """
        _check_task(task)
        checked_rule(rule)
        _check_semantic(rule, task)
        async with self._db.write() as session:
            await take_turn(session, CONFIGURATION)
            subject, name = await _subject(session, actor, "cache.policy", scope, ref)
            if rule.shared_by == "team":
                require(actor, "cache.share_in_team")
            if rule.semantic is not None:
                await _check_connection(session, rule.semantic, subject)
            row = await store.policy(session, subject, task)
            before = None if row is None else _told(row)
            if row is None:
                row = CachePolicy(id=new_id("chp"), scope=scope, subject=subject, task=task, **_UNSET)
                session.add(row)
            _write(row, rule)
            record(session, actor, "cache.policy", subject, before=before, after=_told(row))
            self._changes.publish(session, "cache", POLICIES)
            view = _view(row, name)
        await self.refresh()
        return view

    @needs("cache.list")
    async def list(self, actor: Person) -> Sequence[CachePolicyView]:
        """The policies that the actor may see: of the platform, of their clients, of those clients' teams."""
        async with self._db.read() as session:
            views = [_view(row, name) for row, name in await store.listed(session, scope(actor, "cache.list"))]
        return sorted(views, key=lambda view: (SCOPES.index(view.scope), view.name, view.task))

    @needs("cache.policy")
    async def clear(self, actor: Person, scope: str, ref: str, task: str | None = None) -> int:
        """Removes the policy for `task`, or all of them, of the platform, a team or a client; how many. Raises as
        `set`."""
        if task is not None:
            _check_task(task)
        async with self._db.write() as session:
            subject, _ = await _subject(session, actor, "cache.policy", scope, ref)
            removed = await store.remove(session, subject, task)
            record(session, actor, "cache.policy", subject, before={"task": task or "all"})
            self._changes.publish(session, "cache", POLICIES)
        await self.refresh()
        return removed

    async def switch_semantic_off(self, policy_id: str, precision_percent: int) -> tuple[str, str | None] | None:
        """Notes that similar questions of a policy are given each other's answers no more, until somebody sets it
        again; whose it is, in words, and the client's id where it is one's. None: there is no such policy now.

        Raises:
            DATABASE_ERRORS: the database did not answer.
        """
        async with self._db.write() as session:
            row = await store.policy_by_id(session, policy_id)
            if row is None:
                return None
            row.similar_off_us, row.precision_percent = now_us(), precision_percent
            self._changes.publish(session, "cache", POLICIES)
            names = {one.id: name for one, name in await store.listed(session, None)}
            client_id = row.subject if row.scope == "client" else None
            told = f"{names.get(row.id) or 'everybody'}, {row.task}", client_id
        await self.refresh()
        return told

    @needs("cache.purge")
    async def purge(self, actor: Person, client: str | None = None) -> str:
        """What was kept until now, of one client or of everybody, is given out no more, on any worker (≤ 1 s); the
        name of who that was.

        Raises:
            NotFound: there is no such client, or it is not the actor's.
            PermissionDenied: everybody's, and the actor is no admin.
        """
        async with self._db.write() as session:
            subject, name = await _subject(
                session, actor, "cache.purge", "client" if client else "platform", client or ""
            )
            await store.note_purge(session, subject, now_us())
            record(session, actor, "cache.purge", subject)
            self._changes.publish(session, "cache", subject)
        await self._changes.catch_up()
        await self.refresh()
        return name or "everybody"


async def _subject(session: AsyncSession, actor: Person, action: str, of: str, ref: str) -> tuple[str, str]:
    """(id, name) of what a policy is of, checked for what the actor may do."""
    if of == "client":
        client = await visible_client(session, actor, ref)
        return client.id, client.name
    if of == "team":
        require(actor, action, Reach.TEAM)
        team = await visible_team(session, actor, ref)
        return team.id, team.name
    if of != "platform":
        raise Unprocessable(f"A policy is of a client, a team or the platform, not of a {shown(of)}.", param="scope")
    require(actor, action, Reach.PLATFORM)
    return EVERYBODY, ""


def _check_task(task: str) -> None:
    known = registry()
    if task != ANY_TASK and task not in known:
        words = f"'{shown(task)}' is not a task.{suggestion(task, known)} '*' stands for any task."
        raise Unprocessable(words, code="unknown_task", param="task")


def _check_semantic(rule: CacheRule, task: str) -> None:
    if rule.semantic is None:
        return
    if task == ANY_TASK:
        words = "Which questions are alike depends on the task: name one for which similar questions share answers."
        raise Unprocessable(words, param="task")
    if task not in QUESTIONS:
        words = f"Similar questions share answers for one of {', '.join(QUESTIONS)}; '{task}' has no question."
        raise Unprocessable(words, param="task")


async def _check_connection(session: AsyncSession, rule: SemanticRule, subject: str) -> None:
    """The vectors are made by a shared connection, or one of the client itself: no other's is even named."""
    names = await connection_store.names_for(session, subject)
    if rule.connection not in names:
        raise no_such("provider connection", rule.connection, names)


def _write(row: CachePolicy, rule: CacheRule) -> None:
    row.mode, row.shared_by = rule.mode, rule.shared_by
    row.ttl_seconds, row.most_ttl_seconds = rule.ttl_seconds, rule.most_ttl_seconds
    row.updated_us = now_us()
    semantic = rule.semantic
    row.similar_off_us = row.precision_percent = None
    row.similar_permille = semantic.least_permille if semantic else None
    row.embeddings = semantic.embeddings if semantic else None
    row.judged_percent = semantic.judged_percent if semantic else None
    row.least_precision_percent = semantic.least_precision_percent if semantic else None


def _rule(row: CachePolicy) -> CacheRule:
    mode: Mode = row.mode if row.mode in ("on", "ask") else "off"  # type: ignore[assignment]  # a newer word is a no
    semantic = _semantic(row) if row.similar_off_us is None else None
    return CacheRule(mode, row.ttl_seconds, row.most_ttl_seconds, row.shared_by, semantic)


def _semantic(row: CachePolicy) -> SemanticRule | None:
    if row.similar_permille is None or row.embeddings is None:
        return None
    given = (row.judged_percent or 100, row.least_precision_percent or 100, row.id, row.updated_us)
    return SemanticRule(row.similar_permille, row.embeddings, *given)


def _view(row: CachePolicy, name: str) -> CachePolicyView:
    off = (row.similar_off_us, row.precision_percent)
    rule = replace(_rule(row), semantic=_semantic(row))
    return CachePolicyView(row.scope, row.subject, name, row.task, rule, row.updated_us, *off)


def _told(row: CachePolicy) -> dict[str, object]:
    told: dict[str, object] = {"task": row.task, "mode": row.mode, "ttl": row.ttl_seconds, "shared_by": row.shared_by}
    if row.similar_permille is not None:
        told |= {"similar": row.similar_permille / 1_000, "embeddings": row.embeddings}
    return told
