"""Limits of keys, clients and teams: so many requests or tokens in a window, or requests at once."""

from typing import Annotated

from pydantic import Field

from aiservice.errors import NotFound
from aiservice.management.models import Amounts, Given, Page, PageQuery, Told, one_of
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.limit_standing import Holder
from aiservice.services.limiter import Standing
from aiservice.services.limits import StoredLimits

ScopeTold = Annotated[str, one_of("key", "client", "team")]


class LimitChange(Given):
    limits: dict[str, int | None] = Field(
        description="Such as requests/minute, tokens/day, concurrency. Null takes one away; others stay."
    )


class LimitsTold(Told):
    """`client` is a key's client, and `of_client` are its limits, which hold for the key as well."""

    scope: ScopeTold
    id: str
    name: str
    client: str | None
    limits: Amounts
    of_client: Amounts


class LimitStandingTold(Told):
    """How a limit stands now. `window_seconds` and `reset_seconds` are null where it counts requests at once."""

    name: str
    measure: str
    limit: int
    used: int
    remaining: int
    window_seconds: int | None
    reset_seconds: float | None


class LimitHolderTold(Told):
    scope: ScopeTold
    id: str
    name: str
    within: str | None
    limits: Amounts
    standing: list[LimitStandingTold]


async def list_all(call: Call, query: PageQuery) -> Page[LimitHolderTold]:
    found = (await call.core.limit_standing.of(call.me)).holders
    data, cursor = page_of(found, lambda one: (one.scope, one.id), query, "limits")
    return Page[LimitHolderTold](data=[_holder(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> LimitsTold:
    limits, ref = call.core.limits, call.args["ref"]
    readers = {"key": limits.of_key, "client": limits.of_client, "team": limits.of_team}
    return _told(await readers[_scope(call)](call.me, ref))


async def change(call: Call, given: LimitChange) -> LimitsTold:
    limits, scope, ref = call.core.limits, _scope(call), call.args["ref"]
    setters = {"key": limits.set_key, "client": limits.set_client, "team": limits.set_team}
    clearers = {"key": limits.clear_key, "client": limits.clear_client, "team": limits.clear_team}
    amounts = {name: amount for name, amount in given.limits.items() if amount is not None}
    gone = [name for name, amount in given.limits.items() if amount is None]
    stored = await setters[scope](call.me, ref, amounts)
    return _told(await clearers[scope](call.me, ref, gone) if gone else stored)


def _scope(call: Call) -> str:
    """Whose: the word in the path. Raises: NotFound."""
    if call.args["scope"] not in ("key", "client", "team"):
        raise NotFound("Limits are of a key, a client or a team: /api/limits/client/NAME.", code="route_not_found")
    return call.args["scope"]


def _told(one: StoredLimits) -> LimitsTold:
    return LimitsTold(
        scope=one.scope,
        id=one.id,
        name=one.name,
        client=one.client or None,
        limits=one.amounts,
        of_client=one.of_client,
    )


def _holder(one: Holder) -> LimitHolderTold:
    return LimitHolderTold(
        scope=one.scope,
        id=one.id,
        name=one.name,
        within=one.within or None,
        limits=one.limits,
        standing=[_standing(each) for each in one.standing],
    )


def _standing(one: Standing) -> LimitStandingTold:
    limit = one.limit
    return LimitStandingTold(
        name=limit.name,
        measure=limit.measure,
        limit=limit.amount,
        used=one.used,
        remaining=one.remaining,
        window_seconds=limit.window_seconds or None,
        reset_seconds=one.reset_us / 1_000_000 if limit.window_seconds else None,
    )


_ONE = "/api/limits/{scope}/{ref}"
ROWS = (
    Row("GET", "/api/limits", "limit.list", list_all, "How all limits that you see stand"),
    Row("GET", _ONE, "limit.get", get, "The limits of a key, client or team"),
    Row("PATCH", _ONE, "key.limits", change, "Set limits, or take them away"),
)
