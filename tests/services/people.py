"""What the tests of people share."""

from dataclasses import dataclass, field
from typing import Unpack

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.accounts import Accounts, Browser
from aiservice.services.changes import ChangeFeed
from aiservice.services.envelopes import Binding, sealed_error
from aiservice.settings import Settings
from aiservice.store.session import AsyncSession, Database

ROOT = OPERATOR
BROWSER = Browser("192.0.2.10", "Mozilla/5.0")


@dataclass
class OpenVault:
    """The part of the vault that accounts use."""

    is_sealed: bool = False
    kept: dict[tuple[str, str], tuple[Binding, Secret]] = field(default_factory=dict)

    def derive(self, purpose: bytes) -> bytes:
        if self.is_sealed:
            raise sealed_error()
        return purpose.ljust(32, b"\0")

    async def seal(self, _session: AsyncSession, *, secret: Secret, **binding: Unpack[Binding]) -> None:
        self.kept[binding["purpose"], binding["row_id"]] = (binding, secret)

    async def unseal(self, _session: AsyncSession, **binding: Unpack[Binding]) -> Secret:
        if self.is_sealed:
            raise sealed_error()
        bound, secret = self.kept[binding["purpose"], binding["row_id"]]
        assert bound == binding
        return secret

    async def discard(self, _session: AsyncSession, purpose: str, row_id: str) -> None:
        self.kept.pop((purpose, row_id), None)


def accounts_of(database: Database, settings: Settings, feed: ChangeFeed | None = None) -> Accounts:
    return Accounts(database, OpenVault(), settings, feed or ChangeFeed(database))
