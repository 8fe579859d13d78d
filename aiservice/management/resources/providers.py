"""Provider connections. Keys go in and never come out."""

from typing import Annotated, Any, Literal

from pydantic import Field

from aiservice.kit.clock import iso
from aiservice.kit.secret import Secret
from aiservice.management.models import At, Given, Names, Page, PageQuery, Told, at, one_of
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.connection_views import ConnectionDetails
from aiservice.services.health_views import seen
from aiservice.services.probe import ProbeResult

ProviderKey = Annotated[str, Field(min_length=1, max_length=20_000, description="Never told again.")]
Url = Annotated[str, Field(max_length=2_000)]
PerMinute = Annotated[int, Field(ge=0, le=10**9, description="What the provider gives in a minute; 0: not said.")]
Value = bool | int | list[str]


class ProviderPlace(Given):
    """An address and a key, to be tried."""

    kind: str = Field(max_length=64)
    base_url: Url | None = None
    key: ProviderKey | None = None
    allow_private: bool = False


class NewProvider(ProviderPlace):
    name: str = Field(max_length=64)
    models: Names | None = None
    weight: int = Field(default=1, ge=1, le=1000)
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    client: str | None = Field(default=None, max_length=100, description="The one client whose own this is.")


class ProviderChange(Given):
    """What is left out stays as it is."""

    models: Names | None = None
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    disabled: bool | None = None
    probe_every_seconds: int | None = Field(
        default=None, ge=0, le=86_400, description="0: never; null: as the settings say."
    )
    data_collection: Literal["allow", "deny"] | None = Field(default=None, description="Null takes it back.")
    zdr: bool | None = Field(default=None, description="Nothing is retained.")
    region: str | None = Field(default=None, max_length=32, description="Null takes it back.")


class NewProviderSecret(Given):
    key: ProviderKey | None = Field(description="Null takes the key away, where none is needed.")


class NewProviderAddress(Given):
    base_url: Url | None
    key: ProviderKey | None = Field(default=None, description="The stored one does not come along.")
    allow_private: bool = False


class StatedGiven(Given):
    name: str = Field(max_length=60)
    value: Value
    model: str = Field(default="", max_length=200, description="Of this model alone; empty is all.")


class Capabilities(Given):
    stated: list[StatedGiven] = Field(max_length=500, description="In the place of all that was stated.")


class StatedTold(Told):
    name: str
    value: Value
    model: str


class ProviderTold(Told):
    """A connection. A developer sees less of it: no address, key or test."""

    id: str
    name: str
    kind: str
    models: list[str]
    weight: int
    disabled: bool
    client_id: str | None
    base_url: str | None
    allow_private: bool
    key_hint: str | None
    rpm: int | None
    tpm: int | None
    data_collection: Annotated[str, one_of("allow", "deny")] | None
    zdr: bool
    region: str | None
    probe_every_seconds: int | None
    stated: list[StatedTold]
    tested_at: At | None
    test_result: str | None
    created_at: At


class ProviderTestTold(Told):
    ok: bool
    latency_ms: int | None
    models: list[str]
    code: str | None
    message: str


class ProvidersHealth(Told):
    """What the workers of this server see of each connection, by its id."""

    connections: dict[str, dict[str, Any]]


async def list_all(call: Call, query: PageQuery) -> Page[ProviderTold]:
    data, cursor = page_of(
        await call.core.connections.list(call.me), lambda one: (one.name, one.id), query, "providers"
    )
    return Page[ProviderTold](data=[_told(one) for one in data], next_cursor=cursor)


async def add(call: Call, given: NewProvider) -> ProviderTold:
    made = await call.core.connections.add(
        call.me,
        given.kind,
        given.name,
        given.base_url,
        _secret(given.key),
        is_private_allowed=given.allow_private,
        models=given.models,
        weight=given.weight,
        rpm=given.rpm,
        tpm=given.tpm,
        owner_client=given.client,
    )
    return _told(made)


async def check(call: Call, given: ProviderPlace) -> ProviderTestTold:
    found = await call.core.connections.check(
        call.me, given.kind, given.base_url, _secret(given.key), is_private_allowed=given.allow_private
    )
    return _tested(found)


async def get(call: Call) -> ProviderTold:
    return _told(await call.core.connections.find(call.me, call.args["provider"]))


async def update(call: Call, given: ProviderChange) -> ProviderTold:
    connections, said = call.core.connections, given.model_fields_set
    row = await connections.find(call.me, call.args["provider"])
    if given.models is not None:
        row = await connections.set_models(call.me, row.id, given.models)
    if given.rpm is not None or given.tpm is not None:
        row = await connections.set_quota(call.me, row.id, given.rpm, given.tpm)
    data: dict[str, str | bool | None] = {}
    for name in said & {"data_collection", "zdr", "region"}:
        data["is_zdr" if name == "zdr" else name] = getattr(given, name)
    if data:
        row = await connections.set_data(call.me, row.id, data)
    if "probe_every_seconds" in said:
        row = await connections.set_probe_interval(call.me, row.id, given.probe_every_seconds)
    if given.disabled is not None:
        row = await (connections.disable if given.disabled else connections.enable)(call.me, row.id)
    return _told(row)


async def remove(call: Call) -> None:
    await call.core.connections.remove(call.me, call.args["provider"])


async def set_key(call: Call, given: NewProviderSecret) -> ProviderTold:
    return _told(await call.core.connections.set_key(call.me, call.args["provider"], _secret(given.key)))


async def set_address(call: Call, given: NewProviderAddress) -> ProviderTold:
    row = await call.core.connections.set_address(
        call.me, call.args["provider"], given.base_url, _secret(given.key), is_private_allowed=given.allow_private
    )
    return _told(row)


async def test(call: Call) -> ProviderTestTold:
    return _tested(await call.core.connections.test(call.me, call.args["provider"]))


async def set_capabilities(call: Call, given: Capabilities) -> ProviderTold:
    stated = [
        (one.model, one.name, tuple(one.value) if isinstance(one.value, list) else one.value) for one in given.stated
    ]
    return _told(await call.core.connections.set_capabilities(call.me, call.args["provider"], stated))


async def health(call: Call) -> ProvidersHealth:
    return ProvidersHealth(connections=seen(call.me, call.core.board))


def _secret(key: str | None) -> Secret | None:
    return None if key is None else Secret(key)


def _tested(found: ProbeResult) -> ProviderTestTold:
    return ProviderTestTold(
        ok=found.is_ok,
        latency_ms=found.latency_ms,
        models=list(found.models),
        code=found.code,
        message=found.message,
    )


def _told(one: ConnectionDetails) -> ProviderTold:
    return ProviderTold(
        id=one.id,
        name=one.name,
        kind=one.kind,
        models=list(one.models),
        weight=one.weight,
        disabled=one.is_disabled,
        client_id=one.owner_client_id,
        base_url=one.base_url or None,
        allow_private=one.is_private_allowed,
        key_hint=one.key_hint or None,
        rpm=one.rpm,
        tpm=one.tpm,
        data_collection=one.data_collection,
        zdr=one.is_zdr,
        region=one.region,
        probe_every_seconds=one.probe_every_seconds,
        stated=[
            StatedTold(model=model, name=name, value=list(value) if isinstance(value, tuple) else value)
            for model, name, value in one.stated
        ],
        tested_at=iso(one.tested_us),
        test_result=one.test_result or None,
        created_at=at(one.created_us),
    )


_ONE = "/api/providers/{provider}"
ROWS = (
    Row("GET", "/api/providers", "connection.list", list_all, "The provider connections you may know of, by name"),
    Row("POST", "/api/providers", "connection.add", add, "Add a connection", status=201),
    Row("POST", "/api/providers/check", "connection.check", check, "Try an address and a key, without storing them"),
    Row("GET", "/api/providers/health", "connection.health", health, "How all connections are doing"),
    Row("GET", _ONE, "connection.get", get, "One connection, by id or name"),
    Row("PATCH", _ONE, "connection.change", update, "Change, disable or enable a connection"),
    Row("DELETE", _ONE, "connection.remove", remove, "Remove a connection and its keys", status=204),
    Row("POST", f"{_ONE}/set-key", "connection.set_key", set_key, "Put another key in the place of the stored one"),
    Row(
        "POST",
        f"{_ONE}/set-address",
        "connection.set_address",
        set_address,
        "Move a connection: give its key again",
    ),
    Row("POST", f"{_ONE}/test", "connection.test", test, "Call the provider and keep what came of it"),
    Row("PUT", f"{_ONE}/capabilities", "connection.change", set_capabilities, "State what its models can do"),
)
