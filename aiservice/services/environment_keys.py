"""Provider keys that stand in this server's environment under their usual names: offered, never used by themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiservice.errors import NotFound
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.providers import registry
from aiservice.services.connection_rules import hint
from aiservice.services.connection_views import ConnectionDetails
from aiservice.services.connections import Connections
from aiservice.services.rights import needs
from aiservice.settings import IMPORTABLE, importable_keys


@dataclass(slots=True, frozen=True)
class OfferedKey:
    """A key of the environment: its variable, and the kind and address that it is for."""

    variable: str
    kind: str
    base_url: str
    hint: str
    used_by: tuple[str, ...]


class EnvironmentKeys:
    """For admins. A key shows by its variable and its last four characters, as stored ones do."""

    def __init__(self, connections: Connections, keys: Callable[[], Mapping[str, Secret]] = importable_keys) -> None:
        self._connections = connections
        self._keys = keys

    @needs("environment_key.list")
    async def offered(self, actor: Person) -> list[OfferedKey]:
        """The keys that are there, and by which connections each is used already. Raises: PermissionDenied."""
        found, rows = self._keys(), await self._connections.list(actor)
        return [
            OfferedKey(variable, *_place(variable), hint(key), tuple(_users(self._connections.fingerprint(key), rows)))
            for variable, key in found.items()
        ]

    @needs("environment_key.import")
    async def take(self, actor: Person, variable: str) -> tuple[str, str, Secret]:
        """(kind, address, key) behind a variable, to be tried and stored as a key that was typed.

        Raises:
            PermissionDenied. NotFound: no such variable is set.
        """
        key = self._keys().get(variable)
        if key is None:
            raise NotFound("That variable is not set where this server runs.", code="variable_not_found")
        return (*_place(variable), key)


def _place(variable: str) -> tuple[str, str]:
    kind, base_url = IMPORTABLE[variable]
    return (kind, "") if kind in registry() else ("openai-compatible", base_url)


def _users(fingerprint: str, rows: Sequence[ConnectionDetails]) -> list[str]:
    """The connections that have this key, as their first or another."""
    return [
        row.name for row in rows if fingerprint in {row.key_fingerprint, *(key.key_fingerprint for key in row.keys)}
    ]
