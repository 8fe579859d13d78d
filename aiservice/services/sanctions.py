"""What is done about clients whose traffic is not as usual: verdicts with their evidence, undone by a person at will.

A sanction stands on its client's row and is read with it when a key is verified, so a request pays nothing for it; the
change feed brings it to every worker like any edit of a client. It ends by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiservice.errors import NotFound
from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.abuse_features import Evidence, Level
from aiservice.services.abuse_policies import (
    DEFAULT,
    Policy,
    clean_ceilings,
    clean_policy,
    policy_of,
)
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.names import shown
from aiservice.services.rights import needs, scope
from aiservice.store import abuse as store
from aiservice.store.session import Database
from aiservice.tables import Sanction

RECENT_US = 30 * DAY_US


@dataclass(slots=True, frozen=True)
class Verdict:
    """A verdict as people see it: times in microseconds UTC; `evidence` as `services/abuse_features.Evidence`."""

    id: str
    client_id: str
    client: str
    level: str
    policy: str
    score: float
    evidence: tuple[Evidence, ...]
    since_us: int
    until_us: int
    undone_us: int | None
    undone_by: str

    @property
    def is_live(self) -> bool:
        return self.undone_us is None and self.until_us > now_us()


@dataclass(slots=True, frozen=True)
class ClientPolicy:
    """The policy that holds for a client (empty: the default of all), and what of it is the client's own."""

    client_id: str
    client: str
    policy: Policy
    own_policy: str | None
    own_ceilings: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Finding:
    """A verdict to be carried out. `rpm` is what a throttle leaves."""

    client_id: str
    level: Level
    policy: str
    score: float
    evidence: tuple[Evidence, ...]
    until_us: int
    rpm: int


class Sanctions:
    """Admins see and undo everybody's; a developer sees those of their own clients."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes

    @needs("sanction.list")
    async def list(self, actor: Person, client: str | None = None, *, live_only: bool = False) -> list[Verdict]:
        """Verdicts of the last 30 days, newest first, at most 200.

        Raises:
            NotFound: no such client, or it is not the actor's.
        """
        now = now_us()
        async with self._db.read() as session:
            client_id = None if client is None else (await visible_client(session, actor, client)).id
            rows = await store.sanctions(
                session,
                owner_id=scope(actor, "sanction.list"),
                client_id=client_id,
                since_us=now - RECENT_US,
                live_us=now if live_only else None,
            )
        return [_verdict(row, name) for row, name in rows]

    @needs("sanction.undo")
    async def undo(self, actor: Person, sanction_id: str) -> Verdict:
        """Ends a sanction now. The same again is taken to be all right for a week (`AbuseJudge`).

        Raises:
            NotFound: there is none.
            PermissionDenied: the actor is no admin.
        """
        now = now_us()
        async with self._db.write() as session:
            row = await store.sanction(session, sanction_id)
            if row is None:
                raise NotFound(f"There is no verdict '{shown(sanction_id)}'.", code="sanction_not_found")
            client = await store.client(session, row.client_id)
            if row.undone_us is None:
                row.undone_us, row.undone_by = now, actor.email
                record(session, actor, "sanction.undo", row.client_id, before={"level": row.level, "id": row.id})
            if client is not None and client.sanction and client.sanction["id"] == row.id:
                client.sanction = None
                self._changes.publish(session, "client", client.id)
            name = client.name if client is not None else ""
        await self._changes.catch_up()
        return _verdict(row, name)

    async def impose(self, finding: Finding) -> Verdict | None:
        """Writes a verdict and what follows from it; None where the client is gone."""
        now = now_us()
        async with self._db.write() as session:
            client = await store.client(session, finding.client_id)
            if client is None:
                return None
            row = Sanction(
                id=new_id("san"),
                client_id=client.id,
                level=finding.level.name.lower(),
                policy=finding.policy,
                score=round(finding.score, 2),
                evidence=[each._asdict() for each in finding.evidence],
                since_us=now,
                until_us=finding.until_us,
            )
            await store.add_sanction(session, row)
            if finding.level > Level.ALERT:
                client.sanction = _on_client(row, finding)
                self._changes.publish(session, "client", client.id)
                record(session, "system", "sanction.impose", client.id, after={"level": row.level, "id": row.id})
        return _verdict(row, client.name)

    async def extend(self, sanction_id: str, until_us: int) -> None:
        """Lets a sanction that holds go on until then."""
        async with self._db.write() as session:
            row = await store.sanction(session, sanction_id)
            if row is None or row.undone_us is not None or row.until_us >= until_us:
                return
            row.until_us = until_us
            client = await store.client(session, row.client_id)
            if client is not None and client.sanction and client.sanction["id"] == row.id:
                client.sanction = {**client.sanction, "until_us": until_us}
                self._changes.publish(session, "client", client.id)

    @needs("abuse_policy.list")
    async def policies(self, actor: Person) -> Sequence[ClientPolicy]:
        """The default, and every client that has a policy of its own.

        Raises:
            PermissionDenied: the actor is no admin.
        """
        async with self._db.read() as session:
            rows = {row.client_id: row for row in await store.policies(session)}
            names = await store.client_names(session, list(rows))
        default = rows.pop("", None)
        base = policy_of(default.policy, default.ceilings) if default else Policy()
        own = default.ceilings if default else None
        found = [ClientPolicy("", "", base, default.policy if default else None, dict(own or {}))]
        for client_id, row in sorted(rows.items(), key=lambda item: names.get(item[0], "")):
            if client_id in names:
                policy = policy_of(row.policy, row.ceilings, base)
                found.append(ClientPolicy(client_id, names[client_id], policy, row.policy, dict(row.ceilings or {})))
        return found

    async def all_policies(self) -> tuple[Policy, Mapping[str, Policy]]:
        """The default, and those of clients that have their own, by id: for the judge."""
        async with self._db.read() as session:
            rows = {row.client_id: row for row in await store.policies(session)}
        default = rows.pop("", None)
        base = policy_of(default.policy, default.ceilings) if default else Policy()
        return base, {client: policy_of(row.policy, row.ceilings, base) for client, row in rows.items()}

    @needs("abuse_policy.set")
    async def set_policy(
        self,
        actor: Person,
        client: str | None,
        policy: str | None,
        ceilings: Mapping[str, tuple[int, str]] | None = None,
    ) -> ClientPolicy:
        """Sets the policy of a client (None: the default of all) and its ceilings: name to amount and answer. None
        for the policy takes the client's own away; None for the ceilings leaves them.

        Raises:
            NotFound: no such client.
            PermissionDenied: the actor is no admin.
            Unprocessable: a value that is none.
        """
        name, cleaned = clean_policy(policy), None if ceilings is None else clean_ceilings(ceilings)
        async with self._db.write() as session:
            client_id = "" if client is None else (await visible_client(session, actor, client)).id
            before = next((row for row in await store.policies(session) if row.client_id == client_id), None)
            kept = cleaned if cleaned is not None else (before.ceilings if before else None)
            row = {"client_id": client_id, "policy": name, "ceilings": kept or None, "changed_us": now_us()}
            await store.put_policy(session, row)
            told = {"policy": name or DEFAULT, "ceilings": kept or {}}
            record(session, actor, "abuse_policy.set", client_id or "default", after=told)
        found = {each.client_id: each for each in await self.policies(actor)}
        return found[client_id]


def _on_client(row: Sanction, finding: Finding) -> dict[str, Any]:
    return {"id": row.id, "level": row.level, "until_us": row.until_us, "rpm": finding.rpm}


def _verdict(row: Sanction, client: str) -> Verdict:
    evidence = tuple(Evidence(**each) for each in row.evidence)
    return Verdict(
        row.id,
        row.client_id,
        client,
        row.level,
        row.policy,
        row.score,
        evidence,
        row.since_us,
        row.until_us,
        row.undone_us,
        row.undone_by,
    )
