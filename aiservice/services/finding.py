"""What a person means by a name or an id: keys, clients, requests they may see; for an admin people and providers."""

from typing import Literal, NamedTuple

from aiservice.principal import Person
from aiservice.services.rights import Reach, may, scope
from aiservice.store import finding as store
from aiservice.store.session import Database

Kind = Literal["request", "key", "client", "person", "connection"]

MIN_CHARACTERS, MAX_CHARACTERS = 2, 100
_MOST_OF_EACH = 5
_REQUEST_PREFIX = "req_"


class Found(NamedTuple):
    """Something found: `of` says whose or what it is (a key's client, a client's owner, a connection's kind)."""

    kind: Kind
    id: str
    name: str
    of: str


async def find(db: Database, actor: Person, text: str) -> list[Found]:
    """What the actor may see and `text` names: part of a name, or a whole id. At most five of each kind."""
    asked = text.strip()[:MAX_CHARACTERS]
    if len(asked) < MIN_CHARACTERS:
        return []
    async with db.read() as session:
        if asked.startswith(_REQUEST_PREFIX):
            request = await store.request(session, asked, scope(actor, "request.get"))
            return [] if request is None else [Found("request", *request)]
        found = _as("key", await store.keys(session, asked, scope(actor, "key.list"), _MOST_OF_EACH))
        found += _as("client", await store.clients(session, asked, scope(actor, "client.list"), _MOST_OF_EACH))
        if may(actor, "person.list", Reach.ANYONE):
            found += _as("person", await store.people(session, asked, _MOST_OF_EACH))
        if may(actor, "connection.list", Reach.ANYONE):
            found += _as("connection", await store.connections(session, asked, _MOST_OF_EACH))
    return found


def _as(kind: Kind, rows: list[store.Row]) -> list[Found]:
    return [Found(kind, *row) for row in rows]
