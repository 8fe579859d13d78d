"""A browser in front of the sign-in routes, on a real database."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from aiservice.portal.session.routes import build
from aiservice.principal import Person, Role
from aiservice.services.accounts import Accounts
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.people import ROOT, accounts_of

HOST = "http://portal.test"
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


@dataclass
class PersonalClients:
    """Remembers for whom a client was made."""

    made_for: list[Person] = field(default_factory=list)

    async def personal(self, actor: Person) -> object:
        self.made_for.append(actor)
        return object()


class NoSso:
    """Single sign-on that has opened no session."""

    def __init__(self) -> None:
        self.sign_in = self.leaving = self

    async def begin(self, _cookie: str | None) -> None:
        return None


@dataclass
class Core:
    accounts: Accounts
    clients: PersonalClients
    settings: Settings
    sso: Any = field(default_factory=NoSso)


@dataclass
class Site:
    """The routes, and browsers to post from. `browser(peer=…)` is a new one at another address."""

    core: Core
    frontend_port: int | None = None
    app: Any = None

    def __post_init__(self) -> None:
        self.app = build(lambda: self.core, frontend_port=self.frontend_port)

    def browser(self, peer: str = "192.0.2.10", base: str = HOST, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(peer, 40000))
        return httpx.AsyncClient(transport=transport, base_url=base, headers={"origin": base, **headers})


SiteOf = Callable[..., Site]


@pytest.fixture
async def site_of(database: Database, settings: Settings, quick_passwords: None) -> AsyncIterator[SiteOf]:
    """Makes a site with other settings."""

    def make(frontend_port: int | None = None, **changes: Any) -> Site:
        changed = dataclasses.replace(settings, **changes)
        return Site(Core(accounts_of(database, changed), PersonalClients(), changed), frontend_port)

    yield make


@pytest.fixture
async def site(site_of: SiteOf) -> Site:
    """A site with one developer."""
    site = site_of()
    await site.core.accounts.create_user(ROOT, EMAIL, PASSWORD, Role.DEVELOPER)
    return site
