"""One gateway for all tests of a file: real services on a fresh database, and three people with access tokens."""

import base64
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.gateway.edge import Edge
from aiservice.kit.ids import new_id
from aiservice.management import build_management
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.settings import MASTER_KEY_BYTES, Settings
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import portal
from tests.harness.databases import FreshDatabase
from tests.services.cast import person


@dataclass
class Caller:
    """A person, with a token that writes and one that reads."""

    person: Person
    token: str
    reading: str


@dataclass
class World:
    """The app, its services, an admin and two developers, of whom `dan` owns the client `shop` with a key."""

    app: Edge
    core: Core
    ada: Caller
    dan: Caller
    eve: Caller
    ids: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: Caller | str | None, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        """One call; `query` is a text."""
        token = who.token if isinstance(who, Caller) else who
        query = more.pop("query", "").encode()
        return await call(self.app, method, path, key=token, body=body, query=query, **more)


async def _caller(core: Core, email: str, role: Role) -> Caller:
    who = await person(core.db, email, role)
    made = [
        await core.personal_tokens.create(OPERATOR, "test", may_write=may_write, owner=email)
        for may_write in (True, False)
    ]
    return Caller(who, *(each.token.reveal_text() for each in made))


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=[pytest.mark.long, pytest.mark.postgres])]
)
def managed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Settings:
    """An installation whose database is migrated and empty; on PostgreSQL too, where that is asked for."""
    folder = tmp_path_factory.mktemp("managed")
    settings = Settings(data_dir=folder / "data", log_payloads="on")
    settings.data_dir.mkdir(mode=0o700)
    if request.param == "sqlite":
        shutil.copy(migrated_file, settings.data_dir)
        return settings
    fresh: FreshDatabase = request.getfixturevalue("postgres")
    key = folder / "master.key"
    key.write_text(base64.b64encode(os.urandom(MASTER_KEY_BYTES)).decode())
    key.chmod(0o600)
    return replace(settings, database_url=fresh.give(), master_key_file=key)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(managed: Settings) -> AsyncIterator[World]:
    async with open_core(managed, is_serving=True) as core:
        ada, dan, eve = [
            await _caller(core, f"{name}@example.org", role)
            for name, role in (("ada", Role.ADMIN), ("dan", Role.DEVELOPER), ("eve", Role.DEVELOPER))
        ]
        await core.clients.create(OPERATOR, "shop", dan.person.email)
        await core.clients.create(OPERATOR, "lab", eve.person.email)
        key = await core.keys.create(dan.person, "shop", "first")
        app = build_gateway(core, InFlight(), portal, portal, build_management(core))
        yield World(app, core, ada, dan, eve, {"key": key.id, "unknown": new_id("key")})
