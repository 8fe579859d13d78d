"""Clients: the parties that are metered and limited."""

from typing import Annotated

from pydantic import Field

from aiservice.management.models import Amounts, At, Given, Name, Names, Page, PageQuery, Told, at, texts
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.client_views import ClientView
from aiservice.services.clients import Bounds

Weight = Annotated[int, Field(ge=1, le=1000, description="Its share where clients compete for a provider.")]


class NewClient(Given):
    name: Name
    owner: str | None = Field(default=None, max_length=320, description="E-mail address of the person who owns it.")
    team: str | None = Field(default=None, max_length=100, description="Name or id of its team.")
    connections: Names | None = Field(default=None, description="Provider connections it may use; null is all.")
    models: Names | None = Field(default=None, description="Models it may use; null is all.")
    scopes: Names | None = Field(default=None, description="Tasks, and `read`; null is all.")
    networks: Names | None = Field(default=None, description="Addresses (CIDR) it may come from; null is any.")


class ClientChange(Given):
    """What is left out stays as it is."""

    team: str | None = Field(default=None, max_length=100, description="Name or id; null takes it out of its team.")
    connections: Names | None = None
    models: Names | None = None
    scopes: Names | None = None
    networks: Names | None = None
    weight: Weight | None = None
    disabled: bool | None = Field(default=None, description="True: every key of it is refused, within a second.")
    keeps_payloads: bool | None = Field(default=None, description="Whether what it asks and is answered is kept.")
    cut_streams: bool = Field(default=False, description="With `disabled`: answers under way end, too.")


class ClientQuery(PageQuery):
    owner: str | None = Field(default=None, max_length=320, description="Only those of this person's address.")
    team: str | None = Field(default=None, max_length=100, description="Only those of the team of this name.")
    disabled: bool | None = None


class ClientTold(Told):
    """A client. Null in an allowed set means all."""

    id: str
    name: str
    owner: str | None
    team: str | None
    connections: list[str] | None
    models: list[str] | None
    scopes: list[str] | None
    networks: list[str] | None
    limits: Amounts
    weight: int
    disabled: bool
    keeps_payloads: bool
    created_at: At


async def list_all(call: Call, query: ClientQuery) -> Page[ClientTold]:
    found = [
        one
        for one in await call.core.clients.list(call.me)
        if query.owner in (None, one.owner_email)
        and query.team in (None, one.team)
        and query.disabled in (None, one.is_disabled)
    ]
    data, cursor = page_of(found, lambda one: (one.name, one.id), query, "clients")
    return Page[ClientTold](data=[_told(one) for one in data], next_cursor=cursor)


async def create(call: Call, given: NewClient) -> ClientTold:
    made = await call.core.clients.create(
        call.me,
        given.name,
        given.owner,
        given.connections,
        given.models,
        scopes=given.scopes,
        networks=given.networks,
        team=given.team,
    )
    return _told(made)


async def get(call: Call) -> ClientTold:
    return _told(await call.core.clients.find(call.me, call.args["client"]))


async def update(call: Call, given: ClientChange) -> ClientTold:
    clients, said = call.core.clients, given.model_fields_set
    client = await clients.find(call.me, call.args["client"])
    bounds = Bounds()
    for name in ("connections", "models", "scopes", "networks"):
        if name in said:
            bounds[name] = getattr(given, name)
    if given.weight is not None:
        bounds["weight"] = given.weight
    if bounds:
        client = await clients.update(call.me, client.id, **bounds)
    if "team" in said:
        client = await clients.set_team(call.me, client.id, given.team)
    if given.disabled is True:
        client = await clients.disable(call.me, client.id, cuts_streams=given.cut_streams)
    elif given.disabled is False:
        client = await clients.enable(call.me, client.id)
    if given.keeps_payloads is not None:
        await call.core.payloads.switch(call.me, client.id, is_on=given.keeps_payloads)
        client = await clients.find(call.me, client.id)
    return _told(client)


def _told(one: ClientView) -> ClientTold:
    return ClientTold(
        id=one.id,
        name=one.name,
        owner=one.owner_email,
        team=one.team,
        connections=texts(one.connections),
        models=texts(one.models),
        scopes=texts(one.scopes),
        networks=texts(one.networks),
        limits=one.limits,
        weight=one.weight,
        disabled=one.is_disabled,
        keeps_payloads=one.keeps_payloads,
        created_at=at(one.created_us),
    )


ROWS = (
    Row("GET", "/api/clients", "client.list", list_all, "The clients you see, by name"),
    Row("POST", "/api/clients", "client.create", create, "Make a client", status=201),
    Row("GET", "/api/clients/{client}", "client.get", get, "One client, by id or name"),
    Row("PATCH", "/api/clients/{client}", "client.change", update, "Change, disable or enable a client"),
)
