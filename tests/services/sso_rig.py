"""Single sign-on over a database, and a provider that is there."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Unpack, cast

from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.accounts import Accounts
from aiservice.services.audit import Audit
from aiservice.services.changes import ChangeFeed
from aiservice.services.sso import Sso
from aiservice.services.sso_sign_in import Back
from aiservice.services.sso_terms import Edit
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.services.oidc import CLIENT_ID, SECRET, Provider, provider
from tests.services.people import BROWSER, ROOT, OpenVault

PUBLIC_URL = "https://ai.example.org/broker"


@dataclass
class SsoRig:
    """`sso` over `accounts`, with `there` as the provider "work"."""

    db: Database
    accounts: Accounts
    sso: Sso
    there: Provider
    upstream: Upstream

    async def add(self, name: str = "work", issuer: str = "", **edit: Unpack[Edit]) -> None:
        terms: Edit = {"client_id": CLIENT_ID, "label": "Work", "is_private_allowed": True, **edit}
        await self.sso.add(ROOT, name, issuer or self.there.issuer, Secret(SECRET), **terms)
        await self.sso.switch(ROOT, name, is_enabled=True)

    async def come_in(self, next_path: str = "/", **more: Any) -> Back:
        """From the button to a session."""
        begun = await self.sso.sign_in.begin("work", next_path)
        return await self.come_back(begun.cookie, self.there.allow(begun.location), **more)

    async def come_back(
        self, cookie: str, said: dict[str, str], *, name: str = "work", person: Person | None = None
    ) -> Back:
        return await self.sso.sign_in.come_back(name, cookie, said, BROWSER, person)


@asynccontextmanager
async def sso_rig(database: Database, settings: Settings, **there: Any) -> AsyncIterator[SsoRig]:
    """Over this database, with nobody and no provider in it."""
    vault, changes, upstream = cast(Vault, OpenVault()), ChangeFeed(database), Upstream(SocketTransport())
    changed = dataclasses.replace(settings, public_url=settings.public_url or PUBLIC_URL)
    Audit(database, vault)
    accounts = Accounts(database, vault, changed, changes)
    sso = Sso(database, vault, changed, changes=changes, upstream=upstream, accounts=accounts)
    try:
        async with provider(**there) as listening:
            yield SsoRig(database, accounts, sso, listening, upstream)
    finally:
        await upstream.close()
        await accounts.close()
