"""What the tests of people share."""

from dataclasses import dataclass

from aiservice.principal import OPERATOR
from aiservice.services.accounts import Accounts, Browser
from aiservice.services.changes import ChangeFeed
from aiservice.settings import Settings
from aiservice.store.session import Database

ROOT = OPERATOR
BROWSER = Browser("192.0.2.10", "Mozilla/5.0")


@dataclass
class OpenVault:
    """The part of the vault that accounts use."""

    is_sealed: bool = False

    def derive(self, purpose: bytes) -> bytes:
        assert not self.is_sealed
        return purpose.ljust(32, b"\0")


def accounts_of(database: Database, settings: Settings, feed: ChangeFeed | None = None) -> Accounts:
    return Accounts(database, OpenVault(), settings, feed or ChangeFeed(database))
