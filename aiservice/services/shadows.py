"""Shadow traffic: a part of a client's requests is asked of a second provider as well, to see how it would do.

The client never notices: it is not billed, not delayed, and gets the first provider's answer. What the shadow costs is
the operator's, and is told to admins alone. Fails open: without the database, the rules that were read last hold, and
what came of a call waits.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aiservice.errors import Unprocessable
from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.names import no_such
from aiservice.services.preference_rules import ANY_TASK, check_task
from aiservice.services.reload import Reload
from aiservice.services.rights import needs
from aiservice.store import connections as connection_store
from aiservice.store import shadows as store
from aiservice.store.session import Database
from aiservice.tables import ShadowAttempt, ShadowRule
from aiservice.wire import Usage

WHOLE = 10_000
_KEPT_US = 30 * DAY_US
_MOST_WAITING = 10_000
_BATCH = 500


@dataclass(slots=True, frozen=True)
class Shadow:
    """A rule as requests meet it: `parts` of ten thousand go to the connection, too. `model` "": its own choice."""

    id: str
    connection_id: str
    model: str
    parts: int


@dataclass(slots=True, frozen=True)
class Shadowed:
    """What came of one call. `real_ms` is what the client's own answer took; `code` is None where it was answered."""

    rule: Shadow
    request_id: str
    provider: str
    model: str
    duration_ms: int
    real_ms: int
    status: int
    code: str | None
    usage: Usage
    cost_nano_usd: int | None


@dataclass(slots=True, frozen=True)
class ShadowView:
    """A rule as admins see it, with the calls of the last 30 days. `mean_ms` is theirs, `real_ms` the answers' that
    clients got meanwhile."""

    id: str
    client: str
    task: str
    connection: str | None
    model: str
    percent: float
    calls: int
    failed: int
    mean_ms: int | None
    real_ms: int | None
    cost_nano_usd: int


class Shadows:
    """Admins set rules; the gateway asks for them and tells what came of them."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes
        self._rules: dict[tuple[str, str], Shadow] = {}
        self.has_rules = False
        self._waiting: deque[ShadowAttempt] = deque(maxlen=_MOST_WAITING)
        self._turn = asyncio.Lock()
        self._reload = Reload(self.refresh)
        changes.subscribe(self._on_change)

    def chosen(self, client_id: str, task: str) -> Shadow | None:
        """The rule that this request falls under, if it is one of its part."""
        rule = self._rules.get((client_id, task)) or self._rules.get((client_id, ANY_TASK))
        if rule is None or random.randrange(WHOLE) >= rule.parts:  # noqa: S311 - a sample, no secret
            return None
        return rule

    def note(self, told: Shadowed) -> None:
        """Tells what came of a call. Never waits."""
        self._waiting.append(
            ShadowAttempt(
                rule_id=told.rule.id,
                request_id=told.request_id,
                provider=told.provider,
                model=told.model,
                at_us=now_us(),
                duration_ms=told.duration_ms,
                real_ms=told.real_ms,
                status=told.status,
                code=told.code,
                input_tokens=told.usage.input_tokens,
                output_tokens=told.usage.output_tokens,
                cost_nano_usd=told.cost_nano_usd,
            )
        )

    @needs("shadow.set")
    async def set(self, actor: Person, client: str, task: str, to: str, percent: float) -> ShadowView:
        """Makes a client's rule for a task ("*": any), in place of the one before. `to` is "connection" or
        "connection:model", `percent` from 0.01 to 100.

        Raises:
            PermissionDenied: the actor is no admin.
            NotFound: no such client or connection.
            Unprocessable: an unknown task, another client's connection, or a percentage that is none.
        """
        check_task(task)
        parts = round(percent * 100)
        if not 1 <= parts <= WHOLE:
            raise Unprocessable("The percentage must be from 0.01 to 100.", code="invalid_percentage", param="percent")
        name, _, model = to.partition(":")
        async with self._db.write() as session:
            owner = await visible_client(session, actor, client)
            connection = await connection_store.find(session, name)
            if connection is None:
                raise no_such("provider connection", name, await connection_store.names(session))
            if connection.owner_client_id not in (None, owner.id):
                message = f"'{name}' belongs to another client: its key may carry none of this one's requests."
                raise Unprocessable(message, code="not_its_connection", param="to")
            row = await store.find(session, owner.id, task)
            if row is None:
                row = ShadowRule(id=new_id("shd"), client_id=owner.id, task=task, connection_id="", parts=0)
                session.add(row)
            row.connection_id, row.model, row.parts, row.updated_us = connection.id, model, parts, now_us()
            told = {"client": owner.name, "task": task, "to": to, "percent": parts / 100}
            record(session, actor, "shadow.set", row.id, after=told)
            self._changes.publish(session, "shadow", row.id)
            rule_id = row.id
        await self.refresh()
        return next(view for view in await self.list(actor) if view.id == rule_id)

    @needs("shadow.list")
    async def list(self, actor: Person) -> Sequence[ShadowView]:
        """All rules, and what came of their calls in the last 30 days. Raises `PermissionDenied` as `set`."""
        async with self._db.read() as session:
            sums = await store.sums_since(session, now_us() - _KEPT_US)
            return [
                _view(rule, client, connection, sums.get(rule.id))
                for rule, client, connection in await store.listed(session)
            ]

    @needs("shadow.clear")
    async def clear(self, actor: Person, client: str, task: str) -> None:
        """Takes a client's rule for a task away. Raises as `set`."""
        async with self._db.write() as session:
            owner = await visible_client(session, actor, client)
            row = await store.find(session, owner.id, task)
            if row is None:
                raise no_such("shadow rule", f"{owner.name}, {task}", [])
            record(session, actor, "shadow.clear", row.id, before={"client": owner.name, "task": task})
            self._changes.publish(session, "shadow", row.id)
            await session.delete(row)
        await self.refresh()

    async def refresh(self) -> None:
        """Reads the rules anew; the change feed calls it."""
        async with self._turn, self._db.read() as session:
            self._rules = {
                (row.client_id, row.task): Shadow(row.id, row.connection_id, row.model, row.parts)
                for row in await store.everything(session)
            }
            self.has_rules = bool(self._rules)

    async def flush(self) -> None:
        """Writes what was told. For a job."""
        while self._waiting:
            rows = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            async with self._db.write() as session:
                store.add(session, rows)

    async def purge(self) -> None:
        """Forgets calls of more than 30 days ago. For a job."""
        async with self._db.write() as session:
            await store.remove_before(session, now_us() - _KEPT_US)

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "shadow":
            self._reload.request()


def _view(rule: ShadowRule, client: str, connection: str | None, sums: store.Sums | None) -> ShadowView:
    calls = sums.calls if sums is not None else 0
    return ShadowView(
        id=rule.id,
        client=client,
        task=rule.task,
        connection=connection,
        model=rule.model,
        percent=rule.parts / 100,
        calls=calls,
        failed=sums.failed if sums is not None else 0,
        mean_ms=round(sums.duration_ms / calls) if sums is not None and calls else None,
        real_ms=round(sums.real_ms / calls) if sums is not None and calls else None,
        cost_nano_usd=sums.cost_nano_usd if sums is not None else 0,
    )
