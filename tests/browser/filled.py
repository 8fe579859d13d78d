"""An installation with something on every page: people, keys and providers in every state, requests that went well and
that did not; and what takes days or a device to come about, written as the product would have."""

import json
import sqlite3
import time
from contextlib import closing
from typing import Any

import httpx

from aiservice.services.alert_contributors import EVIDENCE
from tests.harness import Installation, MockProcess, ServerProcess

PROVIDER_KEY = "sk-of-the-provider"
PERSON = "a long enough password"
LONG_NAME = "a-client-with-quite-a-long-name-that-somebody-chose"
HOUR_US = 3_600_000_000
_SHARES = ("client", "key", "model")
_ENDINGS = {
    "client_left": (499, "client_left"),
    "upstream_truncated": (200, "upstream_truncated"),
    "broker_stopped": (503, "broker_stopped"),
    "budget_exhausted": (200, None),
    "interrupted": (500, "interrupted"),
}
"""Statuses and codes of requests by how they ended."""
OFFERED = {"OPENAI_API_KEY": "sk-of-the-environment-0001"}
"""A key in the environment of the server, which its page offers to import."""

_VENDOR = """kind = "acme"
title = "Acme"
base_url = "https://api.acme.example/v1"
"""


def fill(installation: Installation, server: ServerProcess, mock: MockProcess) -> None:
    """A second person, keys in every state, a provider, a chain, and requests that went well and that did not."""
    with installation.one_console():
        installation.command("user", "create", "--email", "developer@example.test", stdin=PERSON + "\n")
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large,mock-embedding")
        key = installation.add_key(LONG_NAME)["key"]
        _keys(installation)
        _limits_and_policies(installation)
        _routes(installation, mock)
        _ask(installation, server, key)
        installation.command("provider", "key", "add", "mock", "--no-test", stdin=f"{PROVIDER_KEY}-2\n")


def _keys(installation: Installation) -> None:
    rolled = installation.add_key("second", "--name", "Rolled", "--expires-in", "30d")["id"]
    installation.command("key", "roll", rolled)
    revoked = installation.add_key("second", "--name", "Revoked", is_new_client=False)["id"]
    installation.command("key", "revoke", revoked)
    bound = ("--scope", "read", "--allow-ip", "203.0.113.0/24", "--allow-ip", "2001:db8:1234:5678::/64")
    leaked = installation.add_key("second", "--name", "Leaked", *bound, is_new_client=False)["key"]
    installation.command("key", "report-leak", stdin=leaked + "\n")
    installation.add_key("second", "--name", "Bound", *bound, is_new_client=False)
    installation.command("key", "limits", "set", rolled, "--concurrency", "4")
    installation.command("key", "budget", "set", rolled, "--tokens", "500000", "--period", "day", "--rolling")


def _limits_and_policies(installation: Installation) -> None:
    installation.command("team", "create", "--name", "search")
    installation.command("team", "create", "--name", "without-clients")
    installation.command("client", "set-team", "second", "search")
    installation.command("team", "limits", "set", "search", "--rpm", "60", "--limit", "tokens/day=5000000")
    installation.command("client", "limits", "set", LONG_NAME, "--rpm", "3")
    installation.command("client", "budget", "set", "second", "--usd", "20", "--period", "month")
    installation.command(
        "abuse", "policy", "--client", "second", "--set", "automatic", "--ceiling", "cost/hour=25:alert"
    )
    installation.command("client", "payloads", "on", "second")
    installation.command(
        "cache", "policy", "set", "--team", "search", "--ttl", "7d", "--max-ttl", "7d", "--shared-by", "team"
    )
    installation.command("cache", "policy", "set", "--client", "second", "--task", "embedding", "--mode", "off")


def _routes(installation: Installation, mock: MockProcess) -> None:
    for order in ("sandbox,mock", "mock,sandbox"):
        installation.command("preference", "set", "--client", "second", "--task", "chat", "--order", order)
    for to in ("mock/mock-large", "mock/mock-small"):
        installation.command("alias", "set", "fast-chat", "--platform", "--to", to)
    installation.command("alert", "channel", "add", "pager", "--webhook", f"{mock.base_url}/hook", "--allow-private")
    installation.command("alert", "rule", "set", "any request", "--metric", "requests", "--above", "0")
    installation.command("provider", "set-quota", "mock", "--rpm", "20", "--tpm", "100000")
    away = ("--name", "away", "--base-url", "http://127.0.0.1:9/v1", "--allow-private", "--models", "gpt-away")
    installation.command("provider", "add", "openai-compatible", *away, "--no-test", stdin=f"{PROVIDER_KEY}\n")
    installation.command("shadow", "set", "--client", "second", "--to", "mock:mock-large", "--percent", "5")
    installation.command("vendor", "add", "--file", "-", stdin=_VENDOR)
    installation.secrets.discard(_VENDOR.strip())  # what is read from standard input is taken for one
    dear = ("--input", "1", "--output", "2", "--reason", "what we were told")
    installation.command("price", "set", "openai-compatible/mock-small", *dear)


def _ask(installation: Installation, server: ServerProcess, key: str) -> None:
    bodies: list[dict[str, object]] = [
        {"input": "hello", "model": "away/gpt-away"},
        {"input": "hello", "model": "away/gpt-away"},
        {"input": "hello"},
        {"input": "hello", "model": "mock/mock-small"},
        {"input": "x", "model": "none"},
        {"input": "(retry-after-90) hello", "model": "mock/mock-large"},
    ]
    for body in bodies:
        httpx.post(f"{server.url}/ai-service", headers={"Authorization": f"Bearer {key}"}, json=body)
    cached = installation.add_key("second", "--name", "Cached", is_new_client=False)["key"]
    for _ in range(3):
        again: dict[str, object] = {"input": "hello", "task": "chat", "cache": {"ttl": 60}}
        httpx.post(f"{server.url}/ai-service", headers={"Authorization": f"Bearer {cached}"}, json=again)


def plant(installation: Installation, admin: str) -> None:
    """What takes a week of calls, a phone or a second browser: a verdict, an alert, factors, another session. The admin
    is signed in already, so that no factor is asked for."""
    now = time.time_ns() // 1000
    with closing(sqlite3.connect(installation.database_path, timeout=20)) as database, database:
        people = dict(database.execute("SELECT email, id FROM person"))
        clients = dict(database.execute("SELECT name, id FROM client"))
        rows: dict[str, dict[str, Any]] = {
            "sanction": _verdict(clients["second"], now),
            "totp": {"id": "otp_a", "user_id": people[admin], "created_us": now, "confirmed_us": now, "last_step": 0},
            "passkey": _passkey(people[admin], now),
            "sso_provider": _identity_provider(now),
            "portal_session": _other_browser(people[admin], now),
        }
        for table, row in rows.items():
            _insert(database, table, row)
        device: dict[str, Any] = {
            "id": "otp_b",
            "user_id": people["developer@example.test"],
            "created_us": now,
            "confirmed_us": now,
        }
        _insert(database, "totp", {**device, "last_step": 0})
    plant_alert(installation, "second")


def plant_endings(installation: Installation) -> None:
    """A request of each ending that needs a hangup, a cut or a kill: one that went well, ended otherwise."""
    went_well = next(row for row in installation.ledger().values() if row["outcome"] == "finished")
    with closing(sqlite3.connect(installation.database_path, timeout=20)) as database, database:
        for outcome, (status, code) in _ENDINGS.items():
            ended = {"request_id": f"req_{outcome}", "outcome": outcome, "status": status, "error_code": code}
            columns = {name: value for name, value in went_well.items() if name != "id"}
            _insert(database, "ledger_entry", columns | ended)


def plant_alert(installation: Installation, client: str) -> None:
    """An open alert of that client's."""
    now = time.time_ns() // 1000
    with closing(sqlite3.connect(installation.database_path, timeout=20)) as database, database:
        (found,) = database.execute("SELECT id FROM client WHERE name = ?", (client,)).fetchone()
        _insert(database, "alert_event", _alert(found, now))


def _insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    marks = ", ".join("?" for _ in row)
    database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def _verdict(client: str, now: int) -> dict[str, Any]:
    seen = [{"feature": "requests", "group": "rate", "window": "minute", "observed": 900, "expected": 20, "bans": 8}]
    times = {"since_us": now - HOUR_US, "until_us": now + 10 * HOUR_US, "undone_by": ""}
    about = {"id": "san_walked", "client_id": client, "level": "throttle", "policy": "automatic", "score": 8.0}
    return {**about, **times, "evidence": json.dumps(seen)}


def _alert(client: str, now: int) -> dict[str, Any]:
    about = {"id": "alt_walked", "kind": "budget_reached", "subject": "second", "open_key": "walked", "severity": 2}
    times = {"first_us": now - HOUR_US, "last_us": now, "count": 3, "to_tell": 0}
    shares = [{"by": by, "id": by, "name": f"the-{by}", "value": 9.5, "share": 0.5, "of": "cost"} for by in _SHARES]
    evidence = {"spent_usd": 18.5, "limit_usd": 20, EVIDENCE: shares}
    words = {"words": "The budget is nearly spent.", "evidence": json.dumps(evidence)}
    empty = {"worker": "", "acknowledged_by": "", "resolved_by": ""}
    return {**about, **times, **words, **empty, "client_id": client}


def _passkey(person: str, now: int) -> dict[str, Any]:
    what = {"id": "psk_a", "credential_id": "d2Fsa2Vk", "public_key": b"\x00", "counter": 0, "is_synced": 1}
    return {**what, "user_id": person, "name": "My laptop", "rp_id": "localhost", "created_us": now}


def _other_browser(person: str, now: int) -> dict[str, Any]:
    times = {"created_us": now - HOUR_US, "last_seen_us": now, "expires_us": now + 10 * HOUR_US}
    where = {"address": "203.0.113.9", "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
    return {"id_hash": "0" * 64, "user_id": person, **times, **where}


def _identity_provider(now: int) -> dict[str, Any]:
    who = {"id": "sso_walked", "name": "company", "label": "The company", "issuer": "https://id.example.test"}
    lists = {
        "domains": "[]",
        "admin_groups": "[]",
        "developer_groups": "[]",
        "role_claim": "",
        "scopes": "openid email",
    }
    flags = {"has_secret": 0, "makes_accounts": 1, "trusts_addresses": 0, "asks_second_factor": 0}
    state = {"is_private_allowed": 0, "is_enabled": 1, "revision": 1, "created_us": now, "tried": ""}
    return {**who, **lists, **flags, **state, "client_id": "aiservice"}
