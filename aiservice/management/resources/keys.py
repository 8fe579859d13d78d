"""Client keys. A minted secret is in the answer that made it, and nowhere after."""

from typing import Annotated, Literal

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.management.models import Amounts, At, Given, Name, Names, Page, PageQuery, Told, at, texts
from aiservice.management.paging import cursor_of, place_of
from aiservice.management.rows import Call, Row
from aiservice.services.key_rights import Edit
from aiservice.services.key_views import KeyView
from aiservice.services.keys import DEFAULT_OVERLAP_SECONDS, MAX_OVERLAP_SECONDS, NewKey

_KIND = "keys"
Seconds = Annotated[int, Field(ge=1, le=10 * 366 * 86_400, description="From now on.")]


class NewKeyTerms(Given):
    client: str = Field(max_length=100, description="Name or id of its client.")
    name: Name
    test: bool = Field(default=False, description="A test key reaches the sandbox alone.")
    expires_in_seconds: Seconds | None = None
    scopes: Names | None = Field(default=None, description="Tasks, and `read`; null is what its client may.")
    connections: Names | None = None
    models: Names | None = None
    networks: Names | None = None
    limits: dict[str, int] = Field(
        default_factory=dict, description="Such as requests/minute, tokens/day and concurrency."
    )


class KeyChange(Given):
    """What is left out stays as it is."""

    name: Name | None = None
    expires_in_seconds: Seconds | None = Field(default=None, description="Null: never, or the policy's default.")
    scopes: Names | None = None
    connections: Names | None = None
    models: Names | None = None
    networks: Names | None = None


class KeyRoll(Given):
    overlap_seconds: int = Field(
        default=DEFAULT_OVERLAP_SECONDS, ge=0, le=MAX_OVERLAP_SECONDS, description="How long the old secret works."
    )


class KeyRevocation(Given):
    cut_streams: bool = Field(default=False, description="End answers under way, too.")


class KeyQuery(PageQuery):
    client: str | None = Field(default=None, max_length=100, description="Only those of this client (id or name).")


class SecretTold(Told):
    """A live secret, by the part of it that may be shown."""

    public_id: str
    created_at: At
    expires_at: At | None
    last_used_at: At | None


class KeyTold(Told):
    id: str
    client: str
    client_id: str
    name: str
    state: Literal["active", "rolling", "stopped", "expired", "revoked"]
    test: bool
    scopes: list[str] | None
    connections: list[str] | None
    models: list[str] | None
    networks: list[str] | None
    limits: Amounts
    created_at: At
    expires_at: At | None
    revoked_at: At | None
    last_used_at: At | None
    overlap_ends_at: At | None
    leaked_at: At | None
    secrets: list[SecretTold]


class MintedKey(Told):
    """A new secret. A replay of the call that made it holds none."""

    id: str
    client: str
    name: str
    key: str | None = Field(description="Told once.")
    expires_at: At | None
    already_issued: bool = False


async def list_all(call: Call, query: KeyQuery) -> Page[KeyTold]:
    after = None if query.cursor is None else str(place_of(_KIND, query.cursor)[0])
    found = await call.core.keys.list(call.me, query.client, after=after, limit=query.limit + 1)
    data, is_more = found[: query.limit], len(found) > query.limit
    cursor = cursor_of(_KIND, (data[-1].id,)) if is_more else None
    return Page[KeyTold](data=[_told(one) for one in data], next_cursor=cursor)


async def create(call: Call, given: NewKeyTerms) -> MintedKey:
    made = await call.core.keys.create(
        call.me,
        given.client,
        given.name,
        is_test=given.test,
        expires_in_seconds=given.expires_in_seconds,
        is_retrievable=False,
        limits=given.limits or None,
        scopes=given.scopes,
        connections=given.connections,
        models=given.models,
        networks=given.networks,
    )
    return _minted(made)


async def get(call: Call) -> KeyTold:
    return _told(await call.core.keys.find(call.me, call.args["key"]))


async def update(call: Call, given: KeyChange) -> KeyTold:
    edit = Edit()
    for name in given.model_fields_set:
        if name != "name" or given.name is not None:
            edit[name] = getattr(given, name)  # type: ignore[literal-required]
    return _told(await call.core.keys.update(call.me, call.args["key"], **edit))


async def roll(call: Call, given: KeyRoll) -> MintedKey:
    return _minted(await call.core.keys.roll(call.me, call.args["key"], given.overlap_seconds))


async def end_overlap(call: Call) -> KeyTold:
    await call.core.keys.end_overlap(call.me, call.args["key"])
    return await get(call)


async def revoke(call: Call, given: KeyRevocation) -> KeyTold:
    key_id = await call.core.keys.revoke(call.me, call.args["key"], cuts_streams=given.cut_streams)
    return _told(await call.core.keys.find(call.me, key_id))


def _minted(made: NewKey) -> MintedKey:
    return MintedKey(
        id=made.id, client=made.client, name=made.name, key=made.key.reveal_text(), expires_at=iso(made.expires_us)
    )


def _told(one: KeyView) -> KeyTold:
    secrets = [
        SecretTold(
            public_id=each.public_id,
            created_at=at(each.created_us),
            expires_at=iso(each.expires_us),
            last_used_at=iso(each.last_used_us),
        )
        for each in one.secrets
    ]
    return KeyTold(
        id=one.id,
        client=one.client,
        client_id=one.client_id,
        name=one.name,
        state=one.state,
        test=one.is_test,
        scopes=texts(one.scopes),
        connections=texts(one.connections),
        models=texts(one.models),
        networks=texts(one.networks),
        limits=one.limits,
        created_at=at(one.created_us),
        expires_at=iso(one.expires_us),
        revoked_at=iso(one.revoked_us),
        last_used_at=iso(one.last_used_us),
        overlap_ends_at=iso(one.overlap_ends_us),
        leaked_at=iso(one.leaked_us),
        secrets=secrets,
    )


_ONE = "/api/keys/{key}"
ROWS = (
    Row("GET", "/api/keys", "key.list", list_all, "The keys you see, newest first"),
    Row("POST", "/api/keys", "key.create", create, "Make a key", status=201, secrets=("key",)),
    Row("GET", _ONE, "key.get", get, "One key, by its id or public id"),
    Row("PATCH", _ONE, "key.change", update, "Change a key's name, end and bounds"),
    Row("POST", f"{_ONE}/roll", "key.roll", roll, "Give a key a new secret", status=201, secrets=("key",)),
    Row("POST", f"{_ONE}/end-overlap", "key.end_overlap", end_overlap, "End a rolled key's old secret now"),
    Row("POST", f"{_ONE}/revoke", "key.revoke", revoke, "End a key for good"),
)
