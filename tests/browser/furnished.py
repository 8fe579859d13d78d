"""A company that has used the broker for a month, for screenshots and for Lighthouse: people, teams, clients, providers
that are up and one that is down, thirty days of requests, and requests of the last minutes in every state.

The month is made inside the database (`tests/harness/seeding.py`) and then given names; everything else is done with
the command line and over HTTP, as an operator and clients would.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any
from unittest import mock

import httpx
from typer.testing import CliRunner

from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.settings import load_settings
from aiservice.store.session import Database
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation
from tests.harness.seeding import RARE, seed_month

PROVIDER_KEY = "sk-of-the-provider"
ROWS = 30_000
DOMAIN = "northwind.example"
PEOPLE = (
    *("priya.raman", "tom.becker", "lena.fischer", "diego.alvarez", "mei.tanaka", "sam.oconnor", "nadia.haddad"),
    *("oskar.lind", "ines.moreau", "jonas.weber", "aiko.sato", "paul.ndiaye", "elena.rossi", "max.schulz"),
    *("ruth.cohen", "ivan.petrov", "carla.nunes", "ben.carter", "yara.costa", "kurt.meyer"),
)
CLIENTS = ("support-chat", "search-ranking", "invoice-reader", "docs-copilot", "nightly-summaries")
KEYS = (
    *("Production", "Production EU", "Staging", "Priya's laptop", "Batch worker"),
    *("Load test", "CI", "Backfill 2026", "Canary", "Tom's notebook"),
)
TEAMS = {"customer-care": ("support-chat", "docs-copilot"), "data-platform": ("search-ranking", "nightly-summaries")}
# Model m of the seeded month is of provider m % 5.
PROVIDERS = ("openai", "anthropic", "gemini", "mistral", "groq")
MODELS = (
    *("gpt-5-mini", "claude-sonnet-4-5", "gemini-2.5-flash", "mistral-small-latest", "llama-3.3-70b-versatile"),
    *("gpt-5", "claude-haiku-4-5", "gemini-2.5-pro", "mistral-large-latest", "gpt-oss-120b"),
    *("text-embedding-3-small", "claude-next-preview"),
)
SPOKEN = {name: [model for m, model in enumerate(MODELS) if PROVIDERS[m % 5] == name] for name in PROVIDERS}
_NAMED = ("ledger_entry", "usage_minute", "usage_hour", "usage_day", "usage_model_hour", "usage_model_day")


def furnish(installation: Installation, base_url: str) -> dict[str, str]:
    """The month and everything that was set up in it, before a server starts; `base_url` is the mock provider's.

    Gives a key of each client by the client's name.
    """
    with commands(installation) as run:
        run("admin", "create", "--email", ADMIN, stdin=PASSWORD + "\n")
        # In a thread of its own: Playwright may keep an event loop running in this one.
        with mock.patch.dict(os.environ, installation.env), ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, _seed()).result()
        with closing(sqlite3.connect(installation.database_path, timeout=20)) as database, database:
            _name(database)
        return _set_up(run, base_url)


async def _seed() -> None:
    database = Database(load_settings().effective_database_url)
    await seed_month(database, ROWS, now_us() - 3 * MINUTE_US, keys=len(KEYS), clients=len(CLIENTS))
    await database.close()


def _name(database: sqlite3.Connection) -> None:
    """Gives what the seeding has numbered the names of a company's own."""
    for n, person in enumerate(PEOPLE):
        database.execute("UPDATE person SET email = ? WHERE id = ?", (f"{person}@{DOMAIN}", f"usr_{n}"))
    for n, client in enumerate(CLIENTS):
        database.execute("UPDATE client SET name = ? WHERE id = ?", (client, f"cli_{1000 + n}"))
        database.execute("UPDATE ledger_entry SET client = ? WHERE client_id = ?", (client, f"cli_{1000 + n}"))
    for n, key in enumerate(KEYS):
        database.execute("UPDATE client_key SET name = ? WHERE id = ?", (key, f"key_{1000 + n}"))
    database.execute("UPDATE client_key SET name = 'Prototype' WHERE id = ?", (f"key_{RARE}",))
    database.execute("UPDATE client_key SET created_us = ? - 45 * 86400000000", (now_us(),))
    database.execute("UPDATE client SET created_us = ? - 60 * 86400000000", (now_us(),))
    database.execute("UPDATE person SET created_us = ? - 90 * 86400000000 WHERE created_us = 1", (now_us(),))
    database.execute(
        "INSERT INTO key_secret (public_id, key_id, digest, pepper_version, created_us) "
        "SELECT substr(id || 'NWxq7TfKd2Lm', 5, 12), id, x'00', 1, created_us FROM client_key"
    )
    for table in _NAMED:
        database.execute(
            f"UPDATE {table} SET task = 'chat', model = 'gpt-4o', provider = 'openai' WHERE model = 'rare'"
        )
        for n in range(len(MODELS) - 1, -1, -1):
            database.execute(f"UPDATE {table} SET model = ? WHERE model = ?", (MODELS[n], f"model-{n}"))
        for n, provider in enumerate(PROVIDERS):
            database.execute(f"UPDATE {table} SET provider = ? WHERE provider = ?", (provider, f"provider-{n}"))
    for old, new in [
        *((f'"model-{n}"', f'"{model}"') for n, model in enumerate(MODELS)),
        *((f'"provider-{n}"', f'"{provider}"') for n, provider in enumerate(PROVIDERS)),
        ('"provider":"away","model":"none"', '"provider":"groq","model":"llama-3.3-70b-versatile"'),
    ]:
        database.execute("UPDATE ledger_entry SET attempts = replace(attempts, ?, ?)", (old, new))


@contextmanager
def commands(installation: Installation) -> Iterator[Any]:
    """The command line in this process, forty times as quick as one of its own each; gives what `--json` prints."""
    from aiservice.commands.line import whole  # only here: it configures the logging of whatever imports it

    def run(*arguments: str, stdin: str = "") -> str:
        with mock.patch.dict(os.environ, installation.env, clear=True), ThreadPoolExecutor(1) as pool:
            done = pool.submit(CliRunner().invoke, whole(), [*arguments, "--json"], input=stdin).result()
        if done.exit_code:
            raise AssertionError(f"{arguments}: {done.output}")
        return done.stdout

    yield run


def _set_up(run: Any, base_url: str) -> dict[str, str]:
    for name in PROVIDERS:
        where = "http://127.0.0.1:9/v1" if name == "groq" else base_url
        if name in {"anthropic", "gemini"}:  # whose addresses end before the version
            where = base_url.removesuffix("/v1")
        options = ("--name", name, "--base-url", where, "--allow-private", "--models", ",".join(SPOKEN[name]))
        run("provider", "add", name, *options, "--no-test", stdin=PROVIDER_KEY + "\n")
    for arguments in _SET_UP:
        run(*arguments)
    run("alert", "channel", "add", "on-call", "--webhook", f"{base_url}/hook", "--allow-private")
    keys = {
        client: json.loads(run("key", "create", "--client", client, "--name", "Web backend"))["key"]
        for client in CLIENTS
    }
    rolled = json.loads(run("key", "create", "--client", "support-chat", "--name", "Mobile app"))
    run("key", "roll", rolled["id"], "--overlap", "24h")
    for name, act in (("Old importer", "revoke"), ("Pasted in a ticket", "report-leak")):
        made = json.loads(run("key", "create", "--client", "invoice-reader", "--name", name))
        run("key", act, *([made["id"]] if act == "revoke" else []), stdin=made["key"] + "\n")
    run("key", "create", "--client", "docs-copilot", "--name", "Contractor", "--expires-in", "5d", "--rpm", "60")
    run("key", "budget", "set", rolled["id"], "--tokens", "500000", "--period", "day", "--rolling")
    return keys


_SET_UP = (
    *(("team", "create", "--name", team) for team in TEAMS),
    *(("client", "set-team", client, team) for team, clients in TEAMS.items() for client in clients),
    ("team", "limits", "set", "customer-care", "--rpm", "600", "--limit", "tokens/day=5000000"),
    ("client", "limits", "set", "invoice-reader", "--rpm", "6"),
    ("client", "budget", "set", "support-chat", "--usd", "250", "--period", "month"),
    ("client", "budget", "set", "nightly-summaries", "--usd", "40", "--period", "week"),
    ("team", "budget", "set", "data-platform", "--usd", "900", "--period", "month"),
    ("abuse", "policy", "--client", "support-chat", "--set", "automatic", "--ceiling", "cost/hour=25:alert"),
    ("abuse", "policy", "--client", "search-ranking", "--set", "alert_only"),
    ("client", "payloads", "on", "docs-copilot"),
    ("preference", "set", "--platform", "--task", "chat", "--order", "groq,openai,anthropic", "--sort", "price"),
    ("preference", "set", "--client", "support-chat", "--task", "chat", "--order", "anthropic,openai,sandbox"),
    ("preference", "set", "--team", "data-platform", "--task", "summarization", "--order", "mistral,gemini"),
    ("alias", "set", "fast-chat", "--to", "openai/gpt-5-mini,anthropic/claude-haiku-4-5", "--platform"),
    ("alias", "set", "careful", "--to", "anthropic/claude-sonnet-4-5", "--team", "customer-care"),
    ("alert", "rule", "set", "Support chat is slow", "--metric", "latency_p95", "--above", "4000"),
    ("alert", "rule", "set", "Any request at all", "--metric", "requests", "--above", "0", "--severity", "info"),
    ("provider", "set-quota", "openai", "--rpm", "500", "--tpm", "200000"),
    ("provider", "set-data", "mistral", "--data-collection", "deny", "--zdr", "--region", "eu"),
    ("shadow", "set", "--client", "docs-copilot", "--to", "mistral:mistral-large-latest", "--percent", "50"),
    ("price", "set", "groq/gpt-oss-120b", "--input", "0.15", "--output", "0.6", "--reason", "Contract"),
    ("cache", "policy", "set", "--team", "customer-care", "--ttl", "7d", "--max-ttl", "7d", "--shared-by", "team"),
    ("cache", "policy", "set", "--client", "search-ranking", "--task", "embedding", "--mode", "off"),
    ("token", "create", "--email", ADMIN, "--name", "Terraform", "--write"),
)

_QUESTIONS = (
    "Summarise the ticket of a customer who cannot sign in since the update.",
    "Which of these two invoices was paid twice?",
    "Write a polite answer: the parcel is late by two days.",
    "Translate the release notes into French.",
    "What changed in our refund policy in October?",
)


def send_requests(base: str, keys: Mapping[str, str]) -> dict[str, str]:
    """Requests that are answered, fall back, are refused, are limited, fail and come from the cache; the id of one of
    each by what became of it."""
    found: dict[str, str] = {}

    def ask(client: str, what: str, **body: Any) -> None:
        headers = {"Authorization": f"Bearer {keys[client]}"}
        answer = httpx.post(f"{base}/ai-service", headers=headers, json=body, timeout=60)
        if request_id := answer.headers.get("x-request-id"):
            found.setdefault(f"{what}-{answer.status_code}", request_id)

    for turn in range(12):
        for client in ("support-chat", "docs-copilot", "nightly-summaries"):
            ask(client, "asked", input=f"{_QUESTIONS[turn % 5]} ({turn})", task="chat", model="fast-chat")
    for _ in range(3):
        ask("docs-copilot", "cached", input=_QUESTIONS[4], task="chat", cache={"ttl": 3600})
    for _ in range(3):
        ask("search-ranking", "fell-back", input=_QUESTIONS[1], task="chat")
    for _ in range(8):
        ask("invoice-reader", "limited", input=_QUESTIONS[1], model="openai/gpt-5")
    ask("support-chat", "unknown-model", input=_QUESTIONS[0], model="gpt-7")
    ask("nightly-summaries", "refused", input=f"(retry-after-90) {_QUESTIONS[2]}", model="mistral/mistral-large-latest")
    return found
