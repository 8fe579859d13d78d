"""A call of every row that goes well, and what somebody else is told who makes the same."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.abuse_features import Evidence, Level
from aiservice.services.alert_rules import RuleTerms
from aiservice.services.budget_terms import Terms as BudgetTerms
from aiservice.services.cache_terms import CacheRule
from aiservice.services.routing_scopes import Scope
from aiservice.services.routing_terms import Terms
from aiservice.services.sanctions import Finding
from aiservice.services.sessions import hash_of
from aiservice.tables import User
from tests.gateway.asgi import call
from tests.management.conftest import World
from tests.services.cast import person
from tests.services.oidc import Provider as OpenIdProvider

Args = dict[str, str]
Make = Callable[[World], Awaitable[Args]]
_NOTHING: Args = {}
PASSWORD = "a good pass phrase of some length"
VENDOR = """
kind = "vendor-by-program"
title = "A vendor"
base_url = "https://vendor.example/v1"
"""


async def _nothing(_world: World) -> Args:
    return _NOTHING


@dataclass(frozen=True)
class Sample:
    """`make` prepares what is needed and says what stands in the path. `who` may do it; what `eve` is told is
    `stranger`: 404 where it is somebody else's, 403 where it is for admins, 200 where she gets her own."""

    make: Make = _nothing
    body: Any = None
    query: str = ""
    who: str = "dan"
    stranger: int = 200
    unknown: Args | None = None


def of_admin(
    make: Make = _nothing, body: Any = None, query: str = "", stranger: int = 403, unknown: Args | None = None
) -> Sample:
    return Sample(make, body, query, "ada", stranger, unknown)


def of_dan(make: Make = _nothing, body: Any = None, query: str = "", unknown: Args | None = None) -> Sample:
    return Sample(make, body, query, "dan", 404, unknown)


def named(**args: str) -> Make:
    async def make(_world: World) -> Args:
        return args

    return make


_numbers = count(1)


def fresh(stem: str) -> str:
    return f"{stem}-{next(_numbers)}"


async def a_token(world: World) -> Args:
    made = await world.core.personal_tokens.create(OPERATOR, "more", may_write=False, owner="dan@example.org")
    return {"token": made.id}


async def a_key(world: World) -> Args:
    return {"key": (await world.core.keys.create(world.dan.person, "shop", "sample")).id}


async def a_team(world: World) -> Args:
    return {"team": (await world.core.teams.create(world.ada.person, fresh("team"))).id}


async def a_user(world: World) -> Args:
    return {"user": (await person(world.core.db, f"{fresh('user')}@example.org")).user_id}


async def a_session(world: World) -> Args:
    args = await a_user(world)
    async with world.core.db.write() as session:
        user = await session.get_one(User, args["user"])
        cookie = world.core.accounts._sessions.open(session, user, "192.0.2.1", "curl/8")
    return {**args, "session": hash_of(cookie)}


async def a_provider(world: World) -> Args:
    name = fresh("provider")
    await world.core.connections.add(
        OPERATOR,
        "openai-compatible",
        name,
        "http://127.0.0.1:9/v1",
        Secret("sk-1234567890abcdef"),
        is_private_allowed=True,
    )
    return {"provider": name}


_SSO = {"client_id": "broker", "client_secret": "s3cr3t", "domains": ["example.org"], "role_claim": "groups",
        "admin_groups": ["ops"], "makes_accounts": False, "scopes": "openid email"}  # fmt: skip
_LISTENING: list[asyncio.Server] = []


async def an_sso(world: World, issuer: str = "https://id.example.org/realms/main") -> Args:
    """One by that issuer, made where there is none: an installation has ten at most."""
    for one in await world.core.sso.list(OPERATOR):
        if one.issuer == issuer:
            return {"provider": one.name}
    name = fresh("work")
    await world.core.sso.add(OPERATOR, name, issuer, client_id="broker", is_private_allowed=True)
    return {"provider": name}


async def an_sso_that_answers(world: World) -> Args:
    there = OpenIdProvider()
    _LISTENING.append(await asyncio.start_server(there.serve, "127.0.0.1", 0))
    there.port = _LISTENING[-1].sockets[0].getsockname()[1]
    return await an_sso(world, there.issuer)


async def a_provider_key(world: World) -> Args:
    args = await a_provider(world)
    made = await world.core.provider_keys.add(OPERATOR, args["provider"], Secret(fresh("sk-another-1234567890")))
    return {**args, "number": str(made.number)}


async def a_vendor(world: World) -> Args:
    kind = fresh("acme")
    row = next(one for one in await world.core.vendors.list(OPERATOR) if one.kind == "groq").text
    await world.core.vendors.add(OPERATOR, row.replace('"groq"', f'"{kind}"'))
    return {"kind": kind}


async def a_preference(world: World) -> Args:
    await world.core.preferences.set(world.dan.person, Scope("client", "shop"), "chat", Terms(order=("sandbox",)))
    return {"scope": "client:shop", "task": "chat"}


async def a_version(world: World) -> Args:
    await a_preference(world)
    scope = Scope("client", "shop")
    await world.core.preferences.set(world.dan.person, scope, "chat", Terms(sort="price"))
    return {"number": str((await world.core.preferences.history(OPERATOR, scope))[-1].number)}


async def an_alias(world: World) -> Args:
    name = fresh("fast")
    await world.core.aliases.set(world.dan.person, Scope("client", "shop"), name, ["sandbox"])
    return {"scope": "client:shop", "name": name}


async def an_alias_version(world: World) -> Args:
    args = await an_alias(world)
    found = await world.core.aliases.history(OPERATOR, Scope("client", "shop"), args["name"])
    return {"number": str(found[0].number)}


async def a_budget(world: World) -> Args:
    await world.core.budgets.set(OPERATOR, "client", "shop", BudgetTerms("money", "month", 10**9))
    return {"scope": "client", "ref": "shop"}


async def an_own_price(world: World) -> Args:
    await world.core.own_prices.set(OPERATOR, "openai", "gpt-own", {"input_mtok": "1"}, "a test")
    return {}


async def a_request(world: World) -> Args:
    key = (await world.core.keys.create(world.dan.person, "shop", "asks", is_test=True)).key.reveal_text()
    reply = await call(world.app, "POST", "/ai-service", key=key, body={"task": "chat", "input": "Hello"})
    assert reply.status == 200, reply.body
    await world.core.decisions.flush()
    await world.core.ledger.flush()
    return {"request": reply.headers["x-request-id"]}


async def a_kept_request(world: World) -> Args:
    await world.core.payloads.switch(OPERATOR, "shop", is_on=True)
    await world.core.changes.poll_once()
    args = await a_request(world)
    while not await world.core.payloads.is_kept(OPERATOR, args["request"]):
        await asyncio.sleep(0.01)
    return args


async def an_alert(world: World) -> Args:
    client = await world.core.clients.find(OPERATOR, "shop")
    world.core.alerts.note("sanction", fresh("shop"), "Something is unusual.", client_id=client.id)
    await world.core.alerts.flush()
    newest = await world.core.alerts.list(OPERATOR, limit=1)
    return {"alert": newest[0].id}


async def a_rule(world: World) -> Args:
    name = fresh("rule")
    await world.core.alerts.rules.set(OPERATOR, name, RuleTerms("requests", 5.0))
    return {"rule": name}


async def a_channel(world: World) -> Args:
    name = fresh("channel")
    await world.core.alerts.channels.add_webhook(OPERATOR, name, "http://127.0.0.1:9/hook", is_private_allowed=True)
    return {"channel": name}


async def a_shadow(world: World) -> Args:
    await world.core.shadows.set(OPERATOR, "shop", "chat", "sandbox", 5)
    return {"client": "shop", "task": "chat"}


async def a_cache_policy(world: World) -> Args:
    await world.core.cache.policies.set(world.dan.person, "client", "shop", "chat", CacheRule("on"))
    return {"scope": "client:shop", "task": "chat"}


async def a_sanction(world: World) -> Args:
    client = await world.core.clients.create(OPERATOR, fresh("odd"), "dan@example.org")
    evidence = (Evidence("requests", "volume", "minute", 900.0, 40.0, 8.0),)
    until_us = now_us() + 600 * SECOND_US
    made = await world.core.sanctions.impose(
        Finding(client.id, Level.THROTTLE, "automatic", 12.0, evidence, until_us, 48)
    )
    assert made is not None
    return {"sanction": made.id}


def nobodys(**args: str) -> Args:
    """What a call names that is nobody's."""
    return args


_KEY, _CLIENT, _TEAM, _USER = (
    nobodys(key="key_0"),
    nobodys(client="cli_0"),
    nobodys(team="tea_0"),
    nobodys(user="usr_0"),
)
_PROVIDER, _PLACE = nobodys(provider="none"), nobodys(scope="client:none", task="chat")
_SHOP, _FIRST = named(client="shop"), named(scope="client", ref="shop")
_ORDER = {"terms": {"order": ["sandbox"]}}
_ALERT, _RULE = nobodys(alert="alt_0"), {"metric": "requests", "threshold": 5}
SAMPLES: dict[str, Sample] = {
    "GET /api/account": Sample(),
    "GET /api/account/settings": Sample(),
    "PATCH /api/account/settings": Sample(
        body={"time_zone": "Europe/Berlin", "portal_only": ["quota"], "digest": "daily"}
    ),
    "GET /api/account/tokens": Sample(),
    "DELETE /api/account/tokens/{token}": of_dan(a_token, unknown=nobodys(token="pat_0")),
    "GET /api/clients": Sample(),
    "POST /api/clients": of_admin(body={"name": "made"}),
    "GET /api/clients/{client}": of_dan(_SHOP, unknown=_CLIENT),
    "PATCH /api/clients/{client}": of_admin(
        _SHOP, {"weight": 2, "disabled": False, "team": None, "models": None}, unknown=_CLIENT
    ),
    "GET /api/keys": Sample(query="client=shop", stranger=404),
    "POST /api/keys": of_dan(
        body={"client": "shop", "name": "k", "scopes": ["chat"], "limits": {"requests/minute": 9}}
    ),
    "GET /api/keys/{key}": of_dan(a_key, unknown=_KEY),
    "PATCH /api/keys/{key}": of_dan(a_key, {"name": "new", "scopes": ["chat"], "expires_in_seconds": 60}, unknown=_KEY),
    "POST /api/keys/{key}/roll": of_dan(a_key, {"overlap_seconds": 60}, unknown=_KEY),
    "POST /api/keys/{key}/end-overlap": of_dan(a_key, unknown=_KEY),
    "POST /api/keys/{key}/revoke": of_dan(a_key, {"cut_streams": True}, unknown=_KEY),
    "GET /api/teams": Sample(),
    "POST /api/teams": of_admin(body={"name": "made"}),
    "GET /api/teams/{team}": of_admin(a_team, stranger=404, unknown=_TEAM),
    "PATCH /api/teams/{team}": of_admin(a_team, {"name": "renamed"}, unknown=_TEAM),
    "DELETE /api/teams/{team}": of_admin(a_team, unknown=_TEAM),
    "GET /api/teams/{team}/clients": of_admin(a_team, stranger=404, unknown=_TEAM),
    "GET /api/users": of_admin(),
    "POST /api/users": of_admin(body={"email": "new@example.org", "password": PASSWORD}),
    "GET /api/users/{user}": of_admin(a_user, unknown=_USER),
    "PATCH /api/users/{user}": of_admin(a_user, {"role": "admin", "disabled": True}, unknown=_USER),
    "POST /api/invites": of_admin(body={"email": "guest@example.org"}),
    "POST /api/users/{user}/reset-link": of_admin(a_user, unknown=_USER),
    "DELETE /api/users/{user}/factors": of_admin(a_user, unknown=_USER),
    "GET /api/sign-in": of_admin(),
    "PUT /api/sign-in": of_admin(body={"second_factor": "admins"}),
    "DELETE /api/users/{user}/sso": of_admin(a_user, unknown=_USER),
    "GET /api/sso": of_admin(),
    "POST /api/sso": of_admin(body={**_SSO, "name": "made-now", "issuer": "https://made.example.org"}),
    "GET /api/sso/{provider}": of_admin(an_sso, unknown=_PROVIDER),
    "PATCH /api/sso/{provider}": of_admin(an_sso, {"domains": ["example.org"], "disabled": True}, unknown=_PROVIDER),
    "DELETE /api/sso/{provider}": of_admin(an_sso, unknown=_PROVIDER),
    "POST /api/sso/{provider}/set-secret": of_admin(an_sso, {"client_secret": "another"}, unknown=_PROVIDER),
    "POST /api/sso/{provider}/check": of_admin(an_sso_that_answers, unknown=_PROVIDER),
    "GET /api/sso-rule": of_admin(),
    "PUT /api/sso-rule": of_admin(body={"required": False}),
    "GET /api/users/{user}/sessions": of_admin(a_session, stranger=404, unknown=_USER),
    "DELETE /api/users/{user}/sessions/{session}": of_admin(
        a_session, stranger=404, unknown=nobodys(user="ada@example.org", session="none")
    ),
    "GET /api/providers": Sample(),
    "POST /api/providers": of_admin(
        body={"kind": "openai", "name": "openai-2", "key": "sk-1234567890abcdef", "models": ["gpt-5-mini"], "rpm": 60}
    ),
    "POST /api/providers/check": of_admin(body={"kind": "sandbox"}),
    "GET /api/providers/health": of_admin(),
    "GET /api/providers/{provider}": of_admin(a_provider, stranger=200, unknown=_PROVIDER),
    "PATCH /api/providers/{provider}": of_admin(
        a_provider,
        {
            "models": ["m"],
            "rpm": 5,
            "disabled": True,
            "region": "eu",
            "zdr": True,
            "data_collection": "deny",
            "probe_every_seconds": 60,
        },
        unknown=_PROVIDER,
    ),
    "DELETE /api/providers/{provider}": of_admin(a_provider, unknown=_PROVIDER),
    "POST /api/providers/{provider}/set-key": of_admin(a_provider, {"key": "sk-abcdef1234567890"}, unknown=_PROVIDER),
    "POST /api/providers/{provider}/set-address": of_admin(
        a_provider,
        {"base_url": "http://127.0.0.1:8/v1", "key": "sk-abcdef1234567890", "allow_private": True},
        unknown=_PROVIDER,
    ),
    "POST /api/providers/{provider}/test": of_admin(named(provider="sandbox"), unknown=_PROVIDER),
    "PUT /api/providers/{provider}/capabilities": of_admin(
        a_provider, {"stated": [{"name": "images", "value": True, "model": "m"}]}, unknown=_PROVIDER
    ),
    "GET /api/providers/{provider}/keys": of_admin(a_provider_key, stranger=200, unknown=_PROVIDER),
    "POST /api/providers/{provider}/keys": of_admin(a_provider, {"key": "sk-one-more-1234567890"}, unknown=_PROVIDER),
    "PATCH /api/providers/{provider}/keys/{number}": of_admin(
        a_provider_key,
        {"label": "second", "weight": 2, "disabled": True, "key": "sk-put-1234567890abc"},
        unknown=nobodys(provider="none", number="2"),
    ),
    "DELETE /api/providers/{provider}/keys/{number}": of_admin(
        a_provider_key, unknown=nobodys(provider="sandbox", number="9")
    ),
    "POST /api/providers/{provider}/keys/{number}/test": of_admin(
        a_provider_key, unknown=nobodys(provider="none", number="2")
    ),
    "GET /api/vendors": of_admin(),
    "POST /api/vendors": of_admin(body={"text": VENDOR}),
    "GET /api/vendors/{kind}": of_admin(a_vendor, unknown=nobodys(kind="none")),
    "DELETE /api/vendors/{kind}": of_admin(a_vendor, unknown=nobodys(kind="none")),
    "GET /api/preferences": Sample(a_preference, query="scope=client:shop", stranger=404),
    "POST /api/preferences/dry-run": of_dan(a_request, {"scope": "client:shop", "task": "chat", **_ORDER}),
    "GET /api/preferences/{scope}/{task}": of_dan(a_preference, unknown=_PLACE),
    "PUT /api/preferences/{scope}/{task}": of_dan(a_preference, _ORDER, unknown=_PLACE),
    "DELETE /api/preferences/{scope}/{task}": of_dan(a_preference, unknown=_PLACE),
    "GET /api/preference-versions": Sample(a_version, query="scope=client:shop", stranger=404),
    "POST /api/preference-versions/{number}/revert": of_dan(a_version, unknown=nobodys(number="999999")),
    "GET /api/aliases": Sample(an_alias),
    "GET /api/aliases/{scope}/{name}": of_dan(an_alias, unknown=nobodys(scope="client:shop", name="none")),
    "PUT /api/aliases/{scope}/{name}": of_dan(
        an_alias, {"targets": ["sandbox"]}, unknown=nobodys(scope="client:none", name="x")
    ),
    "DELETE /api/aliases/{scope}/{name}": of_dan(an_alias, unknown=nobodys(scope="client:shop", name="none")),
    "GET /api/alias-versions": Sample(an_alias, query="scope=client:shop", stranger=404),
    "POST /api/alias-versions/{number}/revert": of_dan(an_alias_version, unknown=nobodys(number="999999")),
    "GET /api/limits": Sample(),
    "GET /api/limits/{scope}/{ref}": of_dan(_FIRST, unknown=nobodys(scope="client", ref="none")),
    "PATCH /api/limits/{scope}/{ref}": of_admin(
        _FIRST,
        {"limits": {"requests/minute": 600, "tokens/day": None}},
        unknown=nobodys(scope="client", ref="none"),
    ),
    "GET /api/budgets": Sample(a_budget),
    "GET /api/budgets/{scope}/{ref}": of_dan(a_budget, unknown=nobodys(scope="client", ref="none")),
    "PUT /api/budgets/{scope}/{ref}": of_admin(
        a_budget, {"period": "day", "usd": "12.50"}, unknown=nobodys(scope="client", ref="none")
    ),
    "DELETE /api/budgets/{scope}/{ref}": of_admin(
        a_budget, query="measure=money&period=month", unknown=nobodys(scope="client", ref="none")
    ),
    "GET /api/prices": of_admin(an_own_price),
    "PUT /api/prices": of_admin(
        body={"kind": "openai", "model": "gpt-5-mini", "amounts": {"input_mtok": "0.2"}, "reason": "a contract"}
    ),
    "DELETE /api/prices": of_admin(an_own_price, query="kind=openai&model=gpt-own"),
    "GET /api/usage": Sample(a_request, query="range=24h&by=task&then=model&metric=cost&rollup=hour&compare=true"),
    "GET /api/usage/export": Sample(a_request, query="range=1h&by=key"),
    "GET /api/usage/choices": Sample(a_request),
    "GET /api/requests": Sample(a_request, query="task=chat&limit=1"),
    "GET /api/requests/export": Sample(a_request),
    "GET /api/requests/{request}": of_dan(a_request, unknown=nobodys(request="req_0")),
    "GET /api/requests/{request}/payload": of_dan(a_kept_request, unknown=nobodys(request="req_0")),
    "GET /api/alerts": Sample(an_alert),
    "GET /api/alerts/{alert}": of_dan(an_alert, unknown=_ALERT),
    "POST /api/alerts/{alert}/acknowledge": of_dan(an_alert, unknown=_ALERT),
    "POST /api/alerts/{alert}/resolve": of_dan(an_alert, unknown=_ALERT),
    "GET /api/alert-mutes": of_admin(),
    "POST /api/alert-mutes": of_admin(body={"target": "kind:sanction", "seconds": 60}, stranger=404),
    "GET /api/alert-deliveries": of_admin(),
    "GET /api/alert-rules": of_admin(),
    "GET /api/alert-rules/{rule}": of_admin(a_rule, unknown=nobodys(rule="none")),
    "PUT /api/alert-rules/{rule}": of_admin(a_rule, _RULE),
    "PATCH /api/alert-rules/{rule}": of_admin(a_rule, {"disabled": True}, unknown=nobodys(rule="none")),
    "DELETE /api/alert-rules/{rule}": of_admin(a_rule, unknown=nobodys(rule="none")),
    "GET /api/alert-channels": of_admin(a_channel),
    "POST /api/alert-channels": of_admin(
        body={"name": "hook", "webhook": "http://127.0.0.1:9/hook", "allow_private": True}
    ),
    "GET /api/alert-channels/{channel}": of_admin(a_channel, unknown=nobodys(channel="none")),
    "PATCH /api/alert-channels/{channel}": of_admin(a_channel, {"disabled": True}, unknown=nobodys(channel="none")),
    "DELETE /api/alert-channels/{channel}": of_admin(a_channel, unknown=nobodys(channel="none")),
    "POST /api/alert-channels/{channel}/roll-secret": of_admin(a_channel, {}, unknown=nobodys(channel="none")),
    "POST /api/alert-channels/{channel}/test": of_admin(a_channel, unknown=nobodys(channel="none")),
    "GET /api/abuse/policies": of_admin(),
    "PUT /api/abuse/policies/{client}": of_admin(
        _SHOP, {"policy": "automatic", "ceilings": ["requests/minute=600:throttle"]}, unknown=_CLIENT
    ),
    "POST /api/abuse/replay": of_admin(body={"client": "shop"}),
    "GET /api/sanctions": Sample(a_sanction),
    "POST /api/sanctions/{sanction}/undo": of_admin(a_sanction, unknown=nobodys(sanction="san_0")),
    "GET /api/cache/policies": Sample(a_cache_policy),
    "PUT /api/cache/policies/{scope}/{task}": of_dan(a_cache_policy, {"mode": "on", "ttl_seconds": 60}, unknown=_PLACE),
    "DELETE /api/cache/policies/{scope}/{task}": of_dan(a_cache_policy, unknown=_PLACE),
    "POST /api/cache/purge": of_dan(body={"client": "shop"}),
    "GET /api/cache/standing": Sample(),
    "GET /api/shadows": of_admin(a_shadow),
    "GET /api/shadows/{client}/{task}": of_admin(a_shadow, unknown=nobodys(client="none", task="chat")),
    "PUT /api/shadows/{client}/{task}": of_admin(
        a_shadow, {"to": "sandbox", "percent": 12.5}, unknown=nobodys(client="none", task="chat")
    ),
    "DELETE /api/shadows/{client}/{task}": of_admin(a_shadow, unknown=nobodys(client="none", task="chat")),
    "GET /api/audit": of_admin(query="action=key.&limit=1"),
    "GET /api/audit/export": of_admin(),
    "GET /api/audit/actions": of_admin(),
    "GET /api/system": of_admin(),
    "GET /api/system/settings": of_admin(),
    "POST /api/system/examine": of_admin(),
    "GET /api/retention": of_admin(),
    "POST /api/retention/{name}/purge": of_admin(named(name="alerts")),
}
