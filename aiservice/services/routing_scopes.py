"""Whose terms and aliases: the platform's, a team's, a client's or a key's, and who may see or change them.

Developers see to those of their own clients and of these clients' keys; admins to everybody's, to the teams' and to the
platform's. What holds for a client without being its own (its team's, the platform's), its owner may read.
"""

from dataclasses import dataclass
from typing import Literal

from aiservice.errors import Unprocessable
from aiservice.principal import Person
from aiservice.services.clients import visible_client
from aiservice.services.managed_keys import managed_key
from aiservice.services.names import shown, suggestion
from aiservice.services.rights import require
from aiservice.services.rights_table import ROW_OF_SCOPE
from aiservice.services.teams import visible_team
from aiservice.store import connections as connection_store
from aiservice.store.preferences import PLATFORM
from aiservice.store.session import AsyncSession
from aiservice.tables import Connection

ScopeKind = Literal["platform", "team", "client", "key"]
SCOPES: tuple[ScopeKind, ...] = ScopeKind.__args__  # type: ignore[attr-defined]
"""From the widest to the narrowest: what the narrower says wins."""


@dataclass(slots=True, frozen=True)
class Scope:
    """Whose, as people name it: `ref` is a name or an id, and nothing for the platform."""

    kind: ScopeKind
    ref: str = ""

    @classmethod
    def read(cls, text: str) -> "Scope":
        """`client:shop`, `team:search`, `key:key_01…` or `platform`.

        Raises:
            Unprocessable: it is none of these.
        """
        kind, _, ref = text.partition(":")
        for known in SCOPES:
            if kind == known and bool(ref) == (known != PLATFORM):
                return cls(known, ref)
        raise Unprocessable(
            f"'{shown(text)}' is not a scope.{suggestion(kind, SCOPES)} Write platform, team:NAME, client:NAME or "
            "key:ID.",
            code="unknown_scope",
            param="scope",
        )


PLATFORM_SCOPE = Scope("platform")


def scope_kind(text: str) -> ScopeKind:
    """The kind that a stored row names."""
    return next(kind for kind in SCOPES if kind == text)


@dataclass(slots=True, frozen=True)
class Holder:
    """Whom a scope names, found and seen to be the actor's to read or to change.

    `allowed` are the connections that it may use at most (None: all); `client_id` whose own connections it has besides,
    and `team_id` the team that it is in.
    """

    kind: ScopeKind
    id: str
    name: str
    allowed: frozenset[str] | None = None
    client_id: str | None = None
    team_id: str | None = None

    async def connections(self, session: AsyncSession) -> dict[str, Connection]:
        """The connections that requests of this holder can go to, by name; whether allowed or not."""
        rows = await connection_store.usable_by_client(session, self.client_id or "")
        return {row.name: row for row in rows}

    def may_use(self, connection: Connection) -> bool:
        is_own = self.client_id is not None and connection.owner_client_id == self.client_id
        return self.allowed is None or connection.name in self.allowed or is_own

    @property
    def above(self) -> list[tuple[str, str]]:
        """(scope, subject) of all that holds for it, from the widest to its own."""
        places = [("platform", PLATFORM), ("team", self.team_id), ("client", self.client_id), (self.kind, self.id)]
        return [(scope, subject) for scope, subject in dict.fromkeys(places) if subject is not None]

    @property
    def words(self) -> str:
        """As a message names it."""
        return "The platform" if self.kind == "platform" else f"The {self.kind} '{shown(self.name)}'"


async def holder_of(session: AsyncSession, actor: Person, scope: Scope, action: str) -> Holder:
    """Whom `scope` names, whose terms the actor may do `action` with.

    Raises:
        NotFound: no such team, client or key, or it is not the actor's.
        PermissionDenied: only admins change what is the platform's or a team's (`admin_only`).
    """
    require(actor, action, ROW_OF_SCOPE[scope.kind])
    match scope.kind:
        case "platform":
            return Holder("platform", PLATFORM, PLATFORM)
        case "team":
            team = await visible_team(session, actor, scope.ref)
            return Holder("team", team.id, team.name, _names(team.allowed_connections), team_id=team.id)
        case "client":
            client = await visible_client(session, actor, scope.ref)
            return Holder(
                "client", client.id, client.name, _names(client.allowed_connections), client.id, client.team_id
            )
        case "key":
            key, client = await managed_key(session, actor, scope.ref, action, to_change=False)
            allowed = [names for names in (key.allowed_connections, client.allowed_connections) if names is not None]
            sets = [frozenset(names) for names in allowed]
            both = frozenset.intersection(*sets) if sets else None
            return Holder("key", key.id, key.name, both, client.id, client.team_id)


def _names(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
