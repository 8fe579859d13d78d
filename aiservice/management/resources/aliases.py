"""Aliases: names for models that can be pointed elsewhere. A scope is `platform`, `team:NAME` or `client:NAME`."""

from typing import Any, Literal

from pydantic import Field

from aiservice.errors import NotFound
from aiservice.management.models import At, Given, Names, Page, PageQuery, Told, at
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.aliases import AliasView
from aiservice.services.routing_scopes import Scope


class AliasGiven(Given):
    targets: Names = Field(description="Models, connections, kinds or other aliases; the first usable wins.")
    shadow: bool = Field(default=False, description="The name may be that of a model there is.")


class AliasTold(Told):
    scope: Literal["platform", "team", "client", "key"]
    holder: str
    holder_id: str
    name: str
    targets: list[str]
    updated_at: At


class AliasVersionQuery(PageQuery):
    scope: str = Field(max_length=200)
    name: str | None = Field(default=None, max_length=100)


class AliasVersion(Told):
    number: int
    name: str
    at: At
    by: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reverted_to: int | None


class AliasReverted(Told):
    """Null where that version had removed it."""

    alias: AliasTold | None


async def list_all(call: Call, query: PageQuery) -> Page[AliasTold]:
    found = await call.core.aliases.list(call.me)
    data, cursor = page_of(found, lambda one: (one.scope, one.holder_id, one.name), query, "aliases")
    return Page[AliasTold](data=[_told(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> AliasTold:
    scope = Scope.read(call.args["scope"])
    for one in await call.core.aliases.list(call.me):
        if one.name == call.args["name"] and one.scope == scope.kind and scope.ref in ("", one.holder, one.holder_id):
            return _told(one)
    raise NotFound("There is no such alias.", code="alias_not_found")


async def put(call: Call, given: AliasGiven) -> AliasTold:
    scope = Scope.read(call.args["scope"])
    return _told(await call.core.aliases.set(call.me, scope, call.args["name"], given.targets, may_shadow=given.shadow))


async def remove(call: Call) -> None:
    await call.core.aliases.remove(call.me, Scope.read(call.args["scope"]), call.args["name"])


async def history(call: Call, query: AliasVersionQuery) -> Page[AliasVersion]:
    found = await call.core.aliases.history(call.me, Scope.read(query.scope), query.name)
    data, cursor = page_of(found, lambda one: (one.number,), query, "alias-versions", newest_first=True)
    told = [
        AliasVersion(
            number=one.number,
            name=one.name,
            at=at(one.at_us),
            by=one.actor or None,
            before=one.before,
            after=one.after,
            reverted_to=one.reverted_to,
        )
        for one in data
    ]
    return Page[AliasVersion](data=told, next_cursor=cursor)


async def revert(call: Call) -> AliasReverted:
    number = call.args["number"]
    made = await call.core.aliases.revert(call.me, int(number) if number.isdecimal() and len(number) < 16 else 0)
    return AliasReverted(alias=None if made is None else _told(made))


def _told(one: AliasView) -> AliasTold:
    return AliasTold(
        scope=one.scope,
        holder=one.holder,
        holder_id=one.holder_id,
        name=one.name,
        targets=list(one.targets),
        updated_at=at(one.updated_us),
    )


_ONE = "/api/aliases/{scope}/{name}"
_VERSIONS = "/api/alias-versions"
ROWS = (
    Row("GET", "/api/aliases", "alias.list", list_all, "The aliases you see"),
    Row("GET", _ONE, "alias.list", get, "One alias"),
    Row("PUT", _ONE, "alias.set", put, "Make an alias, or point it elsewhere"),
    Row("DELETE", _ONE, "alias.remove", remove, "Take an alias away", status=204),
    Row("GET", _VERSIONS, "alias.history", history, "Every change of a scope's aliases, newest first"),
    Row("POST", f"{_VERSIONS}/{{number}}/revert", "alias.revert", revert, "Point an alias where a version pointed it"),
)
