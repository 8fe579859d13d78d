"""A draft tried on one request and on the last hour's, before anybody goes by it."""

import asyncio
from typing import Any

import pytest

from aiservice.errors import NotFound, PermissionDenied, Unprocessable
from aiservice.kit.clock import HOUR_US, now_us
from aiservice.kit.ids import new_id
from aiservice.principal import OPERATOR
from aiservice.services import preference_trial
from aiservice.services.connection_views import ConnectionView
from aiservice.services.preference_trial import Draft, PreferenceTrial
from aiservice.services.routing import Router
from aiservice.services.routing_scopes import PLATFORM_SCOPE, Scope
from aiservice.services.routing_terms import Terms
from aiservice.store.session import Database
from aiservice.tables import Connection, LedgerEntry
from tests.services.cast import Office, office, person
from tests.services.test_routing_decision import view
from tests.services.test_terms_by_scope import key_of

CLIENT = Scope("client", "shop")
WEST = Draft(CLIENT, "chat", Terms(order=("west",)))


async def shop(database: Database, count: int = 3) -> tuple[Office, PreferenceTrial, str]:
    """A client that asked east so many times in the last hour; its key."""
    desk = office(database)
    snapshot = (view("east", weight=2), view("west"), view("other", models=("slow",)))
    async with database.write() as session:
        for one in snapshot:
            session.add(Connection(id=one.id, name=one.name, kind=one.kind, models=list(one.models), created_us=1))
    client = await desk.clients.create(OPERATOR, "shop")
    key_id = await key_of(database, client.id)
    await asked(database, client.id, key_id, count)
    return desk, trial_of(desk, snapshot), key_id


def trial_of(desk: Office, snapshot: tuple[ConnectionView, ...]) -> PreferenceTrial:
    return PreferenceTrial(desk.database, desk.preferences, desk.aliases, lambda: snapshot)


async def asked(database: Database, client_id: str, key_id: str, count: int, *, age_us: int = 0, **more: Any) -> None:
    said = {"task": "chat", "requested_model": "", **more}
    model = said.pop("requested_model")
    async with database.write() as session:
        for number in range(count):
            started_us = now_us() - age_us - number
            session.add(
                LedgerEntry(
                    request_id=new_id("req"),
                    client_id=client_id,
                    client="shop",
                    key_id=key_id,
                    surface="ai-service",
                    provider="east",
                    model="fast",
                    status=200,
                    outcome="finished",
                    usage_source="reported",
                    started_us=started_us,
                    ended_us=started_us + 1,
                    requested_model=model.format(number),
                    **said,
                )
            )


async def test_a_draft_tells_what_it_would_have_changed_in_the_last_hour(database: Database) -> None:
    desk, trial, key_id = await shop(database)
    client = await desk.clients.find(OPERATOR, "shop")
    await asked(database, client.id, key_id, 2, requested_model="east/fast")  # pinned: goes where it went
    await asked(database, client.id, key_id, 1, task="translation")
    await asked(database, client.id, key_id, 4, age_us=2 * HOUR_US)
    found = await trial.on_last_hour(OPERATOR, WEST)
    assert found.words == "Would have changed 3 of 5 requests: 3 to west"
    assert {(one.before, one.after, one.model) for one in found.changed} == {("east/fast", "west/fast", "auto")}
    assert found.is_whole and not found.unknown
    assert await desk.preferences.list(OPERATOR) == []


async def test_a_draft_that_leaves_nowhere_to_go_says_so(database: Database) -> None:
    _, trial, _ = await shop(database)
    nowhere = Draft(CLIENT, "*", Terms(order=("other:fast",)))
    assert (await trial.on_last_hour(OPERATOR, nowhere)).words == "Would have changed 3 of 3 requests: 3 to nowhere"
    decision = await trial.dry_run(OPERATOR, nowhere)
    assert decision.refusal is not None and not decision.candidates


async def test_narrower_terms_shield_a_client_from_a_wider_draft(database: Database) -> None:
    desk, trial, _ = await shop(database)
    wide = Draft(PLATFORM_SCOPE, "*", Terms(order=("west",)))
    assert (await trial.on_last_hour(OPERATOR, wide)).places == (("west", 3),)
    await desk.preferences.set(OPERATOR, CLIENT, "chat", ["east"])
    assert (await trial.on_last_hour(OPERATOR, wide)).changed == ()
    cleared = Draft(CLIENT, "chat", None)
    await desk.preferences.set(OPERATOR, PLATFORM_SCOPE, "*", ["west"])
    assert (await trial.on_last_hour(OPERATOR, cleared)).places == (("west", 3),)


async def test_a_dry_run_shows_every_place_and_why_not(database: Database) -> None:
    desk, trial, key_id = await shop(database)
    await desk.clients.update(OPERATOR, "shop", connections=["east", "west"])
    decision = await trial.dry_run(OPERATOR, Draft(Scope("key", key_id), "chat", Terms(order=("west", "east"))))
    assert [(one.connection.name, one.reason) for one in decision.candidates] == [
        ("west", "preference 1"),
        ("east", "preference 2"),
    ]
    assert [(one.connection, one.rule) for one in decision.removed] == [("other", "not_allowed")]
    pinned = await trial.dry_run(OPERATOR, Draft(CLIENT, "chat", None), "east/fast")
    assert [one.connection.name for one in pinned.candidates] == ["east"]


@pytest.mark.sqlite_only
async def test_a_trial_knows_what_the_gateways_router_knows(database: Database) -> None:
    desk, _, _ = await shop(database)
    router, snapshot = Router(), (view("east", weight=2), view("west"))
    for name, seconds in (("east", 9.0), ("west", 0.1)):
        router.facts.of((f"con_{name}", "fast")).whole.add(seconds, router.facts.clock())
    trial = PreferenceTrial(desk.database, desk.preferences, desk.aliases, lambda: snapshot, router.alike)
    found = await trial.on_last_hour(OPERATOR, Draft(CLIENT, "chat", Terms(sort="latency")))
    assert found.words == "Would have changed 3 of 3 requests: 3 to west"


async def test_only_who_may_store_a_draft_may_try_it(database: Database) -> None:
    desk, trial, key_id = await shop(database)
    ada = await person(database, "ada@example.org")
    for scope in (CLIENT, Scope("key", key_id)):
        with pytest.raises(NotFound):
            await trial.on_last_hour(ada, Draft(scope, "chat", None))
    with pytest.raises(PermissionDenied):
        await trial.dry_run(ada, Draft(PLATFORM_SCOPE, "chat", None))
    with pytest.raises(Unprocessable):
        await trial.on_last_hour(OPERATOR, Draft(CLIENT, "chat", Terms(order=("none",))))
    assert await desk.preferences.history(OPERATOR, CLIENT) == []


@pytest.mark.sqlite_only
async def test_the_loop_goes_on_while_many_kinds_of_requests_are_tried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, trial, key_id = await shop(database, count=0)
    client = await desk.clients.find(OPERATOR, "shop")
    await asked(database, client.id, key_id, 200, requested_model="fast{}")
    monkeypatch.setattr(preference_trial, "MAX_REQUESTS", 180)
    decided, at_once, until, candidates = 0, [0], asyncio.Event(), Router.candidates

    def counted(*arguments: Any) -> Any:
        nonlocal decided
        decided += 1
        return candidates(*arguments)

    async def watch() -> None:
        while not until.is_set():
            before = decided
            await asyncio.sleep(0)
            at_once.append(decided - before)

    monkeypatch.setattr(Router, "candidates", counted)
    watching = asyncio.create_task(watch())
    found = await trial.on_last_hour(OPERATOR, WEST)
    until.set()
    await watching
    assert (found.requests, found.is_whole, decided) == (180, False, 360)
    assert max(at_once) <= 2 * 20
