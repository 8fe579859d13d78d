"""Intents and settlements with every value filled in, and who may look at them."""

from typing import Any

from sqlalchemy import text

from aiservice.principal import Person, Role
from aiservice.services.settlement import Intent, Settlement
from aiservice.store.ledger import insert_entries
from aiservice.store.session import Database

START_US = 1_795_000_000_000_000
ADMIN = Person("usr_a", "a@example.org", Role.ADMIN)
DEVELOPER = Person("usr_d", "d@example.org", Role.DEVELOPER)


def intent_of(request_id: str, **values: Any) -> Intent:
    given: dict[str, Any] = {
        "client_id": "cli_1",
        "client": "acme",
        "key_id": "key_1",
        "task": "chat",
        "surface": "openai-chat",
        "requested_model": "auto",
        "is_stream": False,
        "started_us": START_US,
        "est_input_tokens": 1200,
    }
    return Intent(request_id=request_id, **(given | values))


def row_of(request_id: str, **values: Any) -> Settlement:
    started = values.get("started_us", START_US)
    given: dict[str, Any] = {
        "client_id": "cli_1",
        "client": "acme",
        "key_id": "key_1",
        "task": "chat",
        "surface": "openai-chat",
        "provider": "eu-anthropic",
        "model": "claude-sonnet-4-5",
        "requested_model": "auto",
        "status": 200,
        "outcome": "finished",
        "started_us": started,
        "ended_us": started + 412_000,
        "input_tokens": 1000,
        "output_tokens": 50,
        "usage_source": "reported",
        "cost_nano_usd": 3_750_000,
        "first_byte_us": started + 100_000,
        "attempts": [{"connection": "eu-anthropic", "model": "claude-sonnet-4-5", "status": 200, "duration_ms": 410}],
    }
    return Settlement(request_id=request_id, **(given | values))


async def put(db: Database, *rows: Settlement) -> set[str]:
    return await insert_entries(db, rows)


async def plan_of(db: Database, query: object) -> str:
    """How the database would answer a query of ours."""
    async with db.read() as session:
        connection = await session.connection()
        literal = query.compile(connection.sync_connection, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
        word = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
        rows = (await session.execute(text(f"{word} {str(literal).replace(':', chr(92) + ':')}"))).all()
    return "\n".join(str(row[-1]) for row in rows)
