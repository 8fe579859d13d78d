"""Keys over a real database, with a client of a developer, as one process has them."""

from dataclasses import dataclass

import pytest

from aiservice.errors import BrokerError
from aiservice.kit.clock import now_us
from aiservice.principal import Person, Role
from aiservice.services.changes import ChangeFeed
from aiservice.services.keys import Keys, NewKey
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import Client, User

ADMIN = Person("operator", "operator", Role.ADMIN)
DEVELOPER = Person("usr_1", "dev@example.com", Role.DEVELOPER)
STRANGER = Person("usr_2", "stranger@example.com", Role.DEVELOPER)
ADDRESS = "203.0.113.7"


@dataclass
class Rig:
    """The services of one process."""

    db: Database
    vault: Vault
    changes: ChangeFeed
    keys: Keys

    async def verify(self, key: NewKey, address: str = ADDRESS) -> str:
        """The id of the key that `key` is verified as."""
        return (await self.keys.verify(key.key.reveal_text(), address=address)).key_id

    async def refusal(self, key: NewKey | str, address: str = ADDRESS) -> str:
        """The code with which `key` is refused."""
        credential = key if isinstance(key, str) else key.key.reveal_text()
        with pytest.raises(BrokerError) as raised:
            await self.keys.verify(credential, address=address)
        return raised.value.code


async def populate(db: Database) -> None:
    """A client `acme` of DEVELOPER, and a client `narrow` of nobody that may use little."""
    async with db.write() as session:
        for who in (DEVELOPER, STRANGER):
            session.add(User(id=who.user_id, email=who.email, password_hash="x", role=who.role, created_us=now_us()))
        await session.flush()
        session.add(Client(id="cli_1", name="acme", owner_id=DEVELOPER.user_id, created_us=now_us()))
        session.add(
            Client(id="cli_2", name="narrow", allowed_models=["a", "b"], allowed_connections=["x"], created_us=now_us())
        )


async def start(db: Database, settings: Settings) -> Rig:
    """What a process does at its start."""
    vault, changes = Vault(db, settings), ChangeFeed(db)
    await vault.open()
    keys = Keys(db, vault, changes)
    await changes.poll_once()
    return Rig(db, vault, changes, keys)
