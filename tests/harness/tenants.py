"""Tenants for tests of rights: one with something of everything, a word of its own in every text of it, and a snapshot
of the database by which a write across tenants shows."""

import json
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import OPERATOR, Person
from aiservice.services.budget_terms import Terms as BudgetTerms
from aiservice.services.cache_terms import CacheRule
from aiservice.services.core import Core
from aiservice.services.routing_scopes import Scope
from aiservice.services.routing_terms import Terms

# What of a row says whose it is, and by what it can be asked for.
_OWNERS = frozenset(
    {"owner_id", "user_id", "client_id", "key_id", "subject", "creator_id", "copy_owner_id", "owner_client_id"}
)
_NAMES = frozenset({"id", "public_id", "id_hash", "request_id", "number"})
_ID = re.compile(r"[a-z]{2,4}_[0-9A-Za-z]{10,}|[0-9a-f]{64}|[0-9A-Za-z]{12}")
# Written by workers and by whoever signs in, whatever is asked; and by a call, when it is settled.
_MOVING = frozenset(
    {"portal_session", "sign_in_attempt", "worker", "lease", "rollup_dirty", "horizon", "change", "abuse_minute"}
    | {"usage_minute", "usage_hour", "usage_day", "usage_model_hour", "usage_model_day", "usage_span", "budget_slice"}
    | {"usage_client_hour", "usage_client_day", "usage_client_model_day"}
    | {"audit_head", "audit_checkpoint", "cache_hour", "outgoing_use", "decision"}
)
# Their rows are of whoever did something, and name what it was done to.
_SAYS_WHO = frozenset({"audit_entry", "management_call", "routing_version"})
_STAMPS = frozenset({"last_used_us", "last_address"})
Row = tuple[Any, ...]


@dataclass
class Tenant:
    """`ids` name everything of the tenant; `names` are what its client, team, alias and connection are called;
    `words` are planted in every other text, and never sent by anybody."""

    person: Person
    ids: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    in_team: list[str] = field(default_factory=list)
    """Of `names` and `words`, what whoever has a client in the team may see."""

    def values(self, *, are_all: bool = True) -> list[str]:
        """By what somebody could ask for what is the tenant's: ids, names, and ids as scopes; or one of each kind."""
        ids = self.ids if are_all else list({name.partition("_")[0][:3]: name for name in self.ids}.values())
        scoped = [f"{kind}:{name}" for kind in ("client", "key", "team") for name in ids if name[:3] == kind[:3]]
        return [*ids, *self.names, *scoped]

    def leaked(self, text: str, sent: Iterable[str] = (), *, is_in_team: bool = False) -> list[str]:
        """What of the tenant's own words stands in `text` that was not sent, nor is the team's to know."""
        excused = {*sent, *(self.in_team if is_in_team else ())}
        return [word for word in (*self.words, *self.names) if word in text and word not in excused]


async def plant(core: Core, person: Person, mark: str) -> Tenant:
    """Makes `person` the owner of one of everything, each text of it a word with `mark` in it."""
    tenant = Tenant(person)
    client, team, alias, own = tenant.names = [f"{what}-{mark}" for what in ("client", "team", "alias", "own")]
    made = await core.clients.create(OPERATOR, client, person.email, models=[_word(tenant, "model", mark), "sandbox"])
    group = await core.teams.create(OPERATOR, team, models=[_word(tenant, "teamallow", mark), "sandbox"])
    await core.clients.set_team(OPERATOR, made.id, group.id)
    key = await core.keys.create(person, made.id, _word(tenant, "key", mark), limits={"requests/day": 100_003})
    await core.limits.set_team(OPERATOR, group.id, {"requests/day": 100_001})
    await core.limits.set_client(OPERATOR, made.id, {"requests/day": 100_002})
    for scope, ref in (("team", group.id), ("client", made.id), ("key", key.id)):
        priced = _word(tenant, f"unpriced{scope}", mark)
        terms = BudgetTerms("money", "month", 987_654_321_000, unpriced_models=(priced,))
        await core.budgets.set(OPERATOR, scope, ref, terms)
        routed = Terms(order=("sandbox:" + _word(tenant, f"order{scope}", mark),))
        await core.preferences.set(OPERATOR, Scope(scope, ref), "chat", routed)  # type: ignore[arg-type]
    model = _word(tenant, "target", mark)
    place = ("http://127.0.0.1:9/v1", None)
    await core.connections.add(
        OPERATOR, "openai-compatible", own, *place, is_private_allowed=True, models=[model], owner_client=made.id
    )
    await core.aliases.set(OPERATOR, Scope("client", made.id), alias, [f"{own}/{model}"])
    await core.cache.policies.set(OPERATOR, "client", made.id, "chat", CacheRule("on", 60, 601, "client"))
    owner = person.email
    await core.personal_tokens.create(OPERATOR, _word(tenant, "token", mark), may_write=True, owner=owner)
    tenant.in_team = [
        team,
        *[word for word in tenant.words if word.startswith(("teamallow", "unpricedteam", "orderteam"))],
    ]
    await _plant_rows(core.settings.data_dir, tenant, made.id, key.id, mark)
    await core.changes.catch_up()
    _gather(tenant, core.settings.data_dir / "aiservice.sqlite", [person.user_id, group.id])
    return tenant


def _word(tenant: Tenant, what: str, mark: str) -> str:
    tenant.words.append(f"{what}-{mark}")
    return tenant.words[-1]


async def _plant_rows(folder: Path, tenant: Tenant, client_id: str, key_id: str, mark: str) -> None:
    """What only traffic would make: a call, an alert, a verdict, a body; straight into the tables."""
    now, request_id, said = now_us(), new_id("req"), {"words": _word(tenant, "evidence", mark)}
    verdict = {"feature": _word(tenant, "verdict", mark), "group": "", "window": "1m", "observed": 9.0, "expected": 1.0}
    verdict |= {"bans": 9.0}
    rows: list[tuple[str, dict[str, Any]]] = [
        ("alert_event", {
            "id": new_id("alt"), "kind": "budget", "subject": _word(tenant, "alert", mark), "client_id": client_id,
            "open_key": f"budget:{client_id}", "severity": 2, "words": _word(tenant, "alertwords", mark),
            "evidence": json.dumps(said), "count": 1, "worker": "", "to_tell": 0, "first_us": now, "last_us": now,
        }),
        ("sanction", {
            "id": new_id("san"), "client_id": client_id, "level": "alert", "policy": "observe", "score": 1.0,
            "evidence": json.dumps([verdict]), "since_us": now, "until_us": now + 86_400_000_000, "undone_by": "",
        }),
        ("sealed_body", {
            "client_id": client_id, "kind": "payload", "id": request_id, "key_version": 1, "sealed": b"x",
            "created_us": now, "expires_us": now + 86_400_000_000,
        }),
        ("ledger_entry", {
            "request_id": request_id, "client_id": client_id, "client": tenant.names[0], "key_id": key_id,
            "task": "chat", "surface": "openai", "provider": "sandbox", "model": _word(tenant, "used", mark),
            "requested_model": _word(tenant, "asked", mark), "outcome": "ok", "status": 200, "usage_source": "reported",
            "upstream_id": _word(tenant, "upstream", mark), "attempts": json.dumps([]), "started_us": now,
            "ended_us": now, "input_tokens": 3, "output_tokens": 4, "cost_nano_usd": 5,
        }),
    ]  # fmt: skip
    path = folder / "aiservice.sqlite"
    with closing(sqlite3.connect(path, timeout=20)) as database, database:
        for table, values in rows:
            _insert(database, table, values)


def _insert(database: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
    """A row of `values`; columns that are not named and may not be empty get nothing of their kind."""
    for _, name, kind, is_needed, default, is_key in database.execute(f'PRAGMA table_info("{table}")'):
        if name not in values and is_needed and default is None and not (is_key and "INT" in kind.upper()):
            is_text = any(word in kind.upper() for word in ("CHAR", "TEXT", "CLOB"))
            values[name] = "[]" if "JSON" in kind.upper() else b"" if "BLOB" in kind.upper() else "" if is_text else 0
    known = {row[1] for row in database.execute(f'PRAGMA table_info("{table}")')}
    kept = {name: value for name, value in values.items() if name in known}
    columns = ", ".join(f'"{name}"' for name in kept)
    places = ", ".join("?" for _ in kept)
    database.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', list(kept.values()))


def _gather(tenant: Tenant, path: Path, known: list[str]) -> None:
    """Every id by which a row of the tenant's could be asked for, found by who its rows say they are of."""
    ids = dict.fromkeys(known)
    numbers: set[int] = set()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        while True:
            before = len(ids) + len(numbers)
            for table in _tables(database):
                columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
                for row in database.execute(f'SELECT * FROM "{table}"'):
                    told = dict(zip(columns, row, strict=True))
                    if any(name in _OWNERS and value in ids for name, value in told.items()) and table not in _SAYS_WHO:
                        found = [value for name, value in told.items() if name in _NAMES]
                        ids |= dict.fromkeys(v for v in found if isinstance(v, str) and _ID.fullmatch(v))
                        numbers |= {value for value in found if isinstance(value, int)}
            if len(ids) + len(numbers) == before:
                break
    tenant.ids, tenant.numbers = list(ids), sorted(numbers)


def snapshot(path: Path, own: Iterable[str]) -> dict[str, list[Row]]:
    """Every row of every table but the moving ones, without those that name one of `own`: what they may not change."""
    mine: list[str] = list(own)
    kept: dict[str, list[Row]] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for table in _tables(database):
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")') if row[1] not in _STAMPS]
            listed = ", ".join(f'"{name}"' for name in columns)
            rows = database.execute(f'SELECT {listed} FROM "{table}"').fetchall()
            kept[table] = sorted((row for row in rows if not any(name in repr(row) for name in mine)), key=repr)
    return kept


def changed(before: dict[str, list[Row]], after: dict[str, list[Row]]) -> dict[str, tuple[list[Row], list[Row]]]:
    """By table: what went, and what came."""
    found = {}
    for table, rows in before.items():
        gone = [row for row in rows if row not in after[table]]
        come = [row for row in after[table] if row not in rows]
        if gone or come:
            found[table] = (gone, come)
    return found


def own_ids(path: Path, person: Person) -> list[str]:
    """Every id of what is a person's own by now; for `snapshot`."""
    tenant = Tenant(person)
    _gather(tenant, path, [person.user_id])
    return [*tenant.ids, person.email]


def _tables(database: sqlite3.Connection) -> list[str]:
    named = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in named if name not in _MOVING and not name.startswith("sqlite_")]
