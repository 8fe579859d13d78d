# ruff: noqa: E501 - SQL is read as SQL
"""A large company in a database: its month of requests, and everything else that pages list.

2 000 clients of 20 developers in 40 teams, 100 000 keys with their secrets (a tenth revoked, a twentieth expired, one in 500
in the middle of being rolled, one in 50 with limits), budgets, terms, aliases, alerts with their messages, sanctions,
sessions, routing decisions, and an audit log that the product itself has signed. All of it follows from numbers, as in
`seeding.py`, whose month of requests it stands on.

    python -m tests.harness.company 5000000    # into the empty database that the settings name
"""

import asyncio
import sys

from sqlalchemy import text

from aiservice.kit.clock import DAY_US, HOUR_US, now_us
from aiservice.services.audit_entry import record
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.settings import load_settings
from aiservice.store import decisions
from tests.harness.seeding import DECISIONS, Month, numbers, seed_month, settle_down

CLIENTS, KEYS, TEAMS, PEOPLE = 2_000, 100_000, 40, 480
ALERTS, AUDITED = 20_000, 30_000
_AUDITED_AT_ONCE = 1_000
_ACTIONS = ("key.create", "key.revoke", "client.update", "team.update", "budget.set", "preference.set")


async def seed_company(core: Core, rows: int, end_us: int, *, keys: int = KEYS, clients: int = CLIENTS) -> Month:
    """Fills the migrated, empty database of `core`: `rows` requests, and the company around them."""
    month = await seed_month(core.db, rows, end_us, keys=keys, clients=clients)
    for statement in _statements(month, is_sqlite=core.db.is_sqlite):
        async with core.db.write() as session:
            await session.execute(text(statement))
    async with core.db.write() as session:
        await decisions.add_new(session, {f"dec_{n}": _decision(n) for n in range(DECISIONS)})
    await _audit(core, month)
    await settle_down(core.db)
    return month


def _statements(month: Month, *, is_sqlite: bool) -> list[str]:
    end, digest = f"CAST({month.end_us} AS BIGINT)", "x'00'" if is_sqlite else "decode('00', 'hex')"
    hour, day = f"CAST({HOUR_US} AS BIGINT)", f"CAST({DAY_US} AS BIGINT)"
    per = {
        count: numbers(0, count, is_sqlite=is_sqlite)
        for count in (TEAMS, PEOPLE, month.clients, month.keys, ALERTS, 3, 50, 500)
    }
    number = "CAST(1000 + n AS TEXT)"
    return [
        f"INSERT INTO team (id, name, created_us) {per[TEAMS]} SELECT 'team_' || {number}, 'team ' || CAST(n AS TEXT), 1 FROM numbers",
        f"""UPDATE client SET team_id = 'team_' || CAST(1000 + length(name) * 7919 % {TEAMS} AS TEXT),
    limits = CAST('{{"requests/minute"\\: 6000}}' AS {"TEXT" if is_sqlite else "JSON"}), created_us = {end} - 90 * {day}""",
        f"""INSERT INTO person (id, email, password_hash, role, is_disabled, created_us)
{per[PEOPLE]} SELECT 'usr_' || {number}, 'colleague' || CAST(n AS TEXT) || '@example.org', '', 'developer', n % 20 = 3, {end} - n FROM numbers""",
        f"""INSERT INTO portal_session (id_hash, user_id, created_us, last_seen_us, expires_us, address, user_agent)
{per[PEOPLE]} SELECT 'session ' || {number}, 'usr_' || {number}, {end} - {day}, {end} - n, {end} + 30 * {day}, '10.0.0.1', 'Firefox' FROM numbers""",
        f"""UPDATE client_key SET created_us = {end} - 60 * {day}, last_used_us = {end} - length(name) * {hour},
    revoked_us = CASE WHEN id LIKE '%1' THEN {end} - 1 END, expires_us = CASE WHEN id LIKE '%03' OR id LIKE '%43' THEN {end} - 1 END,
    limits = CASE WHEN id LIKE '%50' OR id LIKE '%99' THEN CAST('{{"requests/minute"\\: 600}}' AS {"TEXT" if is_sqlite else "JSON"}) END""",
        f"""INSERT INTO key_secret (public_id, key_id, digest, pepper_version, created_us)
{per[month.keys]} SELECT 'n' || {number}, 'key_' || {number}, {digest}, 1, {end} - n FROM numbers""",
        f"""INSERT INTO key_secret (public_id, key_id, digest, pepper_version, created_us, expires_us)
{per[month.keys]} SELECT 'o' || {number}, 'key_' || {number}, {digest}, 1, {end} - n - 9, {end} + {day} FROM numbers WHERE n % 500 = 7""",
        f"""INSERT INTO budget (id, scope, subject, measure, period, is_rolling, cap, created_us)
{per[500]} SELECT 'bud_' || {number}, 'client', 'cli_' || {number}, 'money', 'month', false, 500000000000, 1 FROM numbers""",
        f"""INSERT INTO alert_channel (id, name, kind, address, is_private_allowed, min_severity, disabled_why, created_us)
{per[3]} SELECT 'chn_' || {number}, 'channel ' || CAST(n AS TEXT), 'email', 'ops@example.org', false, 3, '', 1 FROM numbers""",
        f"""INSERT INTO alert_event (id, kind, subject, open_key, client_id, severity, words, evidence, count, worker, to_tell,
    first_us, last_us, acknowledged_by, resolved_us, resolved_by)
{per[ALERTS]} SELECT 'alr_' || CAST(100000 + n AS TEXT), 'error_rate', 'client ' || CAST(n % {month.clients} AS TEXT),
    CASE WHEN n % 100 = 0 THEN 'open ' || CAST(n AS TEXT) END, 'cli_' || CAST(1000 + n % {month.clients} AS TEXT), 1 + n % 3,
    'One request in nine failed for five minutes.', '{{}}', 1 + n % 9, '', 0, {end} - n * 60000000 - 60000000, {end} - n * 60000000, '',
    CASE WHEN n % 100 > 0 THEN {end} - n * 60000000 END, '' FROM numbers""",
        f"""INSERT INTO alert_delivery (id, alert_id, channel_id, event, body, state, attempts, log, created_us, ended_us)
{per[ALERTS]} SELECT 'dlv_' || CAST(100000 + n AS TEXT), 'alr_' || CAST(100000 + n AS TEXT), 'chn_' || CAST(1000 + n % 3 AS TEXT), 'begins',
    'One request in nine failed for five minutes.', 'delivered', 1, '[]', {end} - n * 60000000, {end} - n * 60000000 FROM numbers""",
        f"""INSERT INTO sanction (id, client_id, level, policy, score, evidence, since_us, until_us, undone_by)
{per[500]} SELECT 'san_' || {number}, 'cli_' || {number}, 'alert', 'balanced', 0.5, '[]', {end} - n * {hour}, {end} - n * {hour} + 1, '' FROM numbers""",
        f"""INSERT INTO preference (id, client_id, task, chain, updated_us, scope, subject)
{per[500]} SELECT 'prf_' || {number}, 'cli_' || {number}, 'chat', '["sandbox"]', 1, 'client', 'cli_' || {number} FROM numbers""",
        f"""INSERT INTO model_alias (id, scope, subject, name, targets, updated_us)
{per[50]} SELECT 'als_' || {number}, 'client', 'cli_' || {number}, 'fast', '["sandbox/sandbox-chat"]', 1 FROM numbers""",
    ]


def _decision(number: int) -> dict[str, object]:
    place = {
        "provider": f"provider-{number % 5}",
        "kind": "openai",
        "model": f"model-{number % 12}",
        "reason": "preference 1",
    }
    return {
        "candidates": [place],
        "removed": [{"provider": f"other-{number}", "kind": "openai", "rule": "order", "why": "It is in no order."}],
    }


async def _audit(core: Core, month: Month) -> None:
    for first in range(0, AUDITED, _AUDITED_AT_ONCE):
        async with core.db.write() as session:
            for n in range(first, first + _AUDITED_AT_ONCE):
                record(
                    session,
                    "system",
                    _ACTIONS[n * n % len(_ACTIONS)],
                    f"key_{1000 + n % month.keys}",
                    after={"turn": n},
                )


async def _main(rows: int) -> None:
    async with open_core(load_settings()) as core:
        await seed_company(core, rows, now_us())


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
