"""Clients: the parties that are metered and limited, and who owns them."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.allowed_sets import check_connections, clean_models
from aiservice.services.audit_entry import record
from aiservice.services.changes import ChangeFeed
from aiservice.services.client_views import ClientView, told, view
from aiservice.services.connection_rules import clean_weight
from aiservice.services.emails import checked_email
from aiservice.services.key_rights import checked_networks, checked_scopes
from aiservice.services.names import MAX_NAME, clean_name, looks_like_id, no_such, shown
from aiservice.services.rights import needs, scope
from aiservice.services.teams import visible_team
from aiservice.store import clients as store
from aiservice.store import people as people_store
from aiservice.store.cluster import take_turn
from aiservice.store.session import AsyncSession, Database
from aiservice.store.unique import Taken, add_unique
from aiservice.tables import Client, User

Names = list[str]


class Bounds(TypedDict, total=False):
    """What a client may do at most; None is "no restriction", what is left out stays as it is."""

    connections: Names | None
    models: Names | None
    scopes: Names | None
    networks: Names | None
    weight: int


class Clients:
    """Admins see and change every client; a developer sees those they own."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._changes = changes

    @needs("client.create")
    async def create(
        self,
        actor: Person,
        name: str,
        owner_email: str | None = None,
        connections: Names | None = None,
        models: Names | None = None,
        *,
        scopes: Names | None = None,
        networks: Names | None = None,
        team: str | None = None,
    ) -> ClientView:
        """A new client, owned by the person with `owner_email` or by nobody but the admins. None is "no restriction";
        no key of the client will ever be wider.

        Raises:
            PermissionDenied: the actor is no admin.
            Unprocessable: the name is not good or taken, or the owner or a connection does not exist.
            NotFound: there is no such team.
        """
        name = clean_name(name, "client")
        models = clean_models(models)
        async with self._db.write() as session:
            owner = await self._owner(session, owner_email)
            await check_connections(session, connections)
            within = None if team is None else await visible_team(session, actor, team)
            client = Client(
                id=new_id("cli"),
                name=name,
                owner_id=owner.id if owner else None,
                team_id=within.id if within else None,
                allowed_connections=connections,
                allowed_models=models,
                allowed_scopes=checked_scopes(scopes),
                allowed_networks=checked_networks(networks),
                created_us=now_us(),
            )
            await self._add(session, actor, client)
        return view(client, owner.email if owner else None, within.name if within else None)

    @needs("client.change")
    async def update(self, actor: Person, name_or_id: str, **bounds: Unpack[Bounds]) -> ClientView:
        """Changes what `bounds` names of what a client may do at most; its keys shrink (or grow back) at once, ≤ 1 s.

        Raises:
            NotFound: as in `find`.
            PermissionDenied: the actor is no admin.
            Unprocessable: a value is not valid.
        """
        async with self._db.write() as session:
            client = await visible_client(session, actor, name_or_id)
            before = told(client)
            if "connections" in bounds:
                await check_connections(session, bounds["connections"])
                client.allowed_connections = bounds["connections"]
            if "models" in bounds:
                client.allowed_models = clean_models(bounds["models"])
            if "scopes" in bounds:
                client.allowed_scopes = checked_scopes(bounds["scopes"])
            if "networks" in bounds:
                client.allowed_networks = checked_networks(bounds["networks"])
            if "weight" in bounds:
                client.weight = clean_weight(bounds["weight"])
            record(session, actor, "client.change", client.id, before=before, after=told(client))
            self._changes.publish(session, "client", client.id)
            return view(client, *await store.owner_and_team(session, client))

    @needs("client.team")
    async def set_team(self, actor: Person, name_or_id: str, team: str | None) -> ClientView:
        """Puts a client into a team (None: into none); what it has used of the old one's limits stays there.

        Raises:
            NotFound: as in `find`, or there is no such team.
            PermissionDenied: the actor is no admin.
        """
        async with self._db.write() as session:
            client = await visible_client(session, actor, name_or_id)
            before, client.team_id = client.team_id, team and (await visible_team(session, actor, team)).id
            record(session, actor, "client.team", client.id, before={"team": before}, after={"team": client.team_id})
            self._changes.publish(session, "client", client.id)
            return view(client, *await store.owner_and_team(session, client))

    @needs("client.list")
    async def list(self, actor: Person) -> Sequence[ClientView]:
        """The actor's clients, or everybody's for an admin, by name."""
        async with self._db.read() as session:
            return [view(*row) for row in await store.listed(session, scope(actor, "client.list"))]

    @needs("client.get")
    async def find(self, actor: Person, name_or_id: str) -> ClientView:
        """One client.

        Raises:
            NotFound: there is none of that name or id that the actor may see.
        """
        async with self._db.read() as session:
            client = await visible_client(session, actor, name_or_id)
            return view(client, *await store.owner_and_team(session, client))

    @needs("client.disable")
    async def disable(self, actor: Person, name_or_id: str, *, cuts_streams: bool = False) -> ClientView:
        """From now on (≤ 1 s) every key of the client is refused; with `cuts_streams` its answers under way end too, on
        every worker.

        Raises:
            NotFound: as in `find`.
            PermissionDenied: the actor is no admin.
        """
        return await self._set_disabled(actor, name_or_id, is_disabled=True, cuts_streams=cuts_streams)

    @needs("client.enable")
    async def enable(self, actor: Person, name_or_id: str) -> ClientView:
        """Takes `disable` back; raises the same."""
        return await self._set_disabled(actor, name_or_id, is_disabled=False)

    @needs("client.personal")
    async def personal(self, actor: Person) -> ClientView:
        """The actor's own client: the first they were given, else a new one named after their e-mail address.

        Raises:
            InvalidRequest: the actor is not a person with an account (the command line's operator).
        """
        async with self._db.read() as session:
            client = await store.oldest_of(session, actor.user_id)
            if client is not None:
                return view(client, *await store.owner_and_team(session, client))
        return view(await self._make_personal(actor), actor.email, None)

    async def _make_personal(self, actor: Person) -> Client:
        async with self._db.write() as session:
            await take_turn(session)  # two pages opened at once make one client
            person = await people_store.by_ref(session, actor.user_id)
            if person is None:
                raise InvalidRequest("Only a person with an account has a client of their own.", code="no_account")
            made_meanwhile = await store.oldest_of(session, person.id)
            if made_meanwhile is not None:
                return made_meanwhile
            stem = _stem(person.email)
            name = _free_name(stem, await store.names_like(session, stem))
            client = Client(id=new_id("cli"), name=name, owner_id=person.id, created_us=now_us())
            await self._add(session, actor, client)
            return client

    async def _set_disabled(
        self, actor: Person, name_or_id: str, *, is_disabled: bool, cuts_streams: bool = False
    ) -> ClientView:
        async with self._db.write() as session:
            client = await visible_client(session, actor, name_or_id)
            client.is_disabled = is_disabled
            record(session, actor, "client.disable" if is_disabled else "client.enable", client.id)
            self._changes.publish(session, "client", client.id)
            if cuts_streams:
                self._changes.publish(session, "cut", client.id)
            return view(client, *await store.owner_and_team(session, client))

    async def _add(self, session: AsyncSession, actor: Person, client: Client) -> None:
        try:
            await add_unique(session, client)
        except Taken:
            message = f"There is already a client called '{shown(client.name)}'. Choose another name."
            raise Unprocessable(message, code="name_taken", param="name") from None
        record(session, actor, "client.create", client.id, after=told(client))
        self._changes.publish(session, "client", client.id)

    async def _owner(self, session: AsyncSession, email: str | None) -> User | None:
        if email is None:
            return None
        person = await people_store.by_email(session, checked_email(email))
        if person is None:
            raise Unprocessable(
                f"There is no user '{shown(email)}'. Create one first: user create --email {shown(email)}",
                code="user_not_found",
                param="owner",
            )
        return person


async def visible_client(session: AsyncSession, actor: Person, name_or_id: str) -> Client:
    """The client of that name or id.

    Raises:
        NotFound: there is none, or it is somebody else's (the two are not told apart).
    """
    client = await store.find(session, name_or_id, scope(actor, "client.get"))
    if client is None:
        raise no_such("client", name_or_id, await store.names(session, scope(actor, "client.get")))
    return client


MAX_WEIGHT = 1000


def _stem(email: str) -> str:
    local = "".join(c for c in email.partition("@")[0] if c.isprintable() and not c.isspace())
    stem = local[: MAX_NAME - 10] or "developer"
    return f"client-{stem}" if looks_like_id(stem) else stem


def _free_name(stem: str, taken: set[str]) -> str:
    if stem not in taken:
        return stem
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
