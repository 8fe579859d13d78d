"""Who uses a provider connection: whoever is bound to it by name, whatever leads to it, and what went through it."""

from typing import Any

from aiservice.kit.clock import HOUR_US, MINUTE_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.connection_uses import uses_of
from aiservice.services.usage import Usage
from aiservice.store.session import Database
from aiservice.tables import Client, ModelAlias, Preference, RollupDirty, Team, UsageMinute


async def test_everybody_who_names_it_is_counted_and_nobody_else(database: Database) -> None:
    async with database.write() as session:
        session.add(Team(id="team_1", name="t", allowed_connections=["east"], created_us=1))
        session.add(Client(id="cli_1", name="bound", allowed_connections=["east", "west"], created_us=1))
        session.add(Client(id="cli_2", name="free", created_us=1))
        await session.flush()
        session.add(
            Preference(id="prf_1", client_id="cli_2", subject="cli_2", task="*", chain=["east:m"], updated_us=1)
        )
        terms = {"order": ["east", "west"]}
        platform: dict[str, Any] = {"scope": "platform", "subject": "platform"}
        session.add(Preference(id="prf_2", task="*", chain=[], terms=terms, updated_us=1, **platform))
        session.add(ModelAlias(id="als_1", name="fast", targets=["east/m"], updated_us=1, **platform))
        session.add(ModelAlias(id="als_2", name="slow", targets=["eastern/m"], updated_us=1, **platform))
        minute = now_us() // MINUTE_US * MINUTE_US
        row: dict[str, Any] = {"client_id": "c", "key_id": "k", "task": "chat", "model": "m"}
        session.add(RollupDirty(start_us=minute // HOUR_US * HOUR_US))  # as settling does: it is not in the hours yet
        session.add(UsageMinute(start_us=minute, provider="east", requests=3, errors=1, **row))
        session.add(UsageMinute(start_us=minute, provider="west", requests=9, **row))
    uses = await uses_of(database, Usage(database), OPERATOR, "east")
    assert (uses.clients, uses.teams, uses.chains, uses.aliases) == (1, 1, 2, ("fast",))
    assert (uses.week.requests, uses.week.errors) == (3, 1)
