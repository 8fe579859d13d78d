"""People and services that the tests of clients, connections and preferences share."""

from dataclasses import dataclass

from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person, Role
from aiservice.services.aliases import Aliases
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import Clients
from aiservice.services.connections import Connections
from aiservice.services.preferences import Preferences
from aiservice.services.teams import Teams
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import User
from aiservice.upstream.client import Upstream


async def person(database: Database, email: str, role: Role = Role.DEVELOPER) -> Person:
    """A person with an account; the password is of no use."""
    user = User(id=new_id("usr"), email=email, password_hash="x", role=role.value, created_us=now_us())
    async with database.write() as session:
        session.add(user)
    return Person(user.id, email, role)


@dataclass
class Office:
    """Clients and preferences over one database."""

    database: Database
    changes: ChangeFeed
    clients: Clients
    preferences: Preferences
    aliases: Aliases
    teams: Teams


def office(database: Database) -> Office:
    changes = ChangeFeed(database)
    clients, preferences = Clients(database, changes), Preferences(database, changes)
    return Office(database, changes, clients, preferences, Aliases(database, changes), Teams(database, changes))


async def connections_of(
    database: Database, settings: Settings, changes: ChangeFeed, upstream: Upstream | None = None
) -> Connections:
    """Provider connections behind an open vault."""
    vault = Vault(database, settings)
    await vault.open()
    return Connections(database, vault, changes, upstream)
