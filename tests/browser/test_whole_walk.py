"""Every screen and every action, as a developer and as an admin: on plain http under a name (no secure context, so no
clipboard API), behind a TLS proxy, and below a path. `tests/browser/walk` has the steps.

A leg is walked area by area, each a test that can be run alone; what they have seen is compared at the end with all
there is.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from reflex_base.registry import RegistrationContext

from aiservice.aiservice import app
from aiservice.portal.layout import registered_pages
from aiservice.portal.session import exports, playground, reveal
from aiservice.portal.session.guard import guard_of
from aiservice.services.rights_table import TABLE, Reach
from tests.browser.chromium import chromium
from tests.browser.walk import areas, first_day, legs
from tests.browser.walk.seen import Seen
from tests.browser.walk.walker import Walker
from tests.harness.evidence import Evidence
from tests.portal import test_inventory as inventory
from tests.portal.test_rights import OF_A_TEST

pytestmark = [
    pytest.mark.browser,
    pytest.mark.load,  # the suite that has nginx
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed here: NOT walked behind a proxy"),
]
assert app is not None  # importing it registers every page and handler
PEOPLE = "admin runs people"
NOT_FIRED: dict[str, str] = {}
"""Handlers by their ends that no walk fires, with the reason."""
NOT_BY_A_DEVELOPER: dict[str, str] = {}
"""Handlers a developer has the right to, which only an admin's pages hold, with the reason."""
NOT_ASKED: dict[str, str] = {}
"""Routes that no form and no link of the walk asks, with the reason."""
OF_PASSKEYS = "passkey"
"""Routes with this in them need a secure context."""


@pytest.fixture(scope="module", params=legs.NAMES)
def leg_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def leg(leg_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[legs.Leg]:
    with legs.leg(leg_name, tmp_path_factory.mktemp(leg_name)) as leg:
        yield leg


@pytest.fixture(scope="module")
def seen(leg_name: str) -> Seen:
    """Of one leg."""
    return Seen.of(leg_name)


@pytest.fixture
def browser(leg: legs.Leg) -> Iterator[Browser]:
    with chromium(*leg.chromium_flags) as browser:
        yield browser


@contextmanager
def walking(seen: Seen, area: str, *walkers: Walker) -> Iterator[None]:
    """At the end of the area nothing may have gone wrong, and what was seen is noted."""
    began = time.monotonic()
    yield
    for walker in walkers:
        assert walker.problems() == []
        seen.note(area, walker, time.monotonic() - began)
        walker.close()


@pytest.mark.parametrize("area", areas.AREAS)
def test_an_area_is_walked(area: str, leg: legs.Leg, seen: Seen, browser: Browser, shots: Path) -> None:
    email, walk = areas.AREAS[area]
    areas.ready(leg, area)
    walker = Walker(leg, browser, shots, email)
    with walking(seen, area, walker):
        walk(walker)


def test_an_admin_runs_people(leg: legs.Leg, seen: Seen, browser: Browser, shots: Path) -> None:
    areas.ready(leg, PEOPLE)
    people = (Walker(leg, browser, shots, email) for email in (areas.ADMIN, areas.INVITED, areas.CHIEF))
    admin, guest, chief = people
    with walking(seen, PEOPLE, admin, guest, chief):
        areas.admin_runs_people(admin, guest, chief)


def test_nothing_was_left_out(leg_name: str, seen: Seen, evidence: Evidence) -> None:
    """Every handler of the portal has been fired, those that are a developer's by a developer, too; every route that
    its forms and links lead to was asked; and every page of it was on the screen."""
    if missing := {*areas.AREAS, PEOPLE} - seen.areas:
        pytest.skip(f"NOT compared: these areas were not walked to their end: {', '.join(sorted(missing))}")
    every, all_routes = handlers(), routes()
    by_developer = seen.fired(is_admin=False) | loads(seen.screens(is_admin=False))
    by_anybody = by_developer | seen.fired(is_admin=True) | loads(seen.screens(is_admin=True))
    asked = {re.sub("^/auth/sso/[^/]+/", "/auth/sso/{name}/", route) for route in seen.routes}
    in_vain = {} if leg_name == "tls" else {route: OF_PASSKEYS for route in all_routes if OF_PASSKEYS in route}
    evidence.note(
        **seen.table(),
        handlers_fired=f"{len(every & by_anybody)} of {len(every)}",
        routes_asked=f"{len(all_routes & asked)} of {len(all_routes) - len(in_vain)}",
    )
    assert left_out(every, by_anybody, NOT_FIRED) == []
    assert left_out({name for name in every if is_developers(name)}, by_developer, NOT_BY_A_DEVELOPER) == []
    assert left_out(all_routes, asked, {**NOT_ASKED, **in_vain}) == []
    assert [page.route for page in registered_pages() if not is_on(page.route, seen.screens())] == []


def handlers() -> set[str]:
    """The full names of all that are registered through the guard."""
    known = RegistrationContext.get().event_handlers.items()
    return {name for name, found in known if guard_of(found.handler.fn) and OF_A_TEST not in name}


def loads(screens: set[str]) -> set[str]:
    """What those pages were loaded with: the server runs it itself when it is told of a page, so no event names it."""
    known = RegistrationContext.get().event_handlers.items()
    names = {found.handler.fn: name for name, found in known}
    pages = [page for page in registered_pages() if page.on_load is not None and is_on(page.route, screens)]
    return {names[page.on_load.fn] for page in pages}


def routes() -> set[str]:
    """All that the portal's forms and links lead to beside its pages, as the inventory has them."""
    secrets = {f"{reveal.PREFIX}{path}" for path in inventory.SECRETS}
    exported = {f"{exports.PREFIX}/{name}" for name in inventory.EXPORTS}
    played = {f"{playground.PREFIX}/{name}" for name in inventory.PLAYGROUND}
    return secrets | exported | played | {f"/auth/{name}" for name in (*inventory.SIGN_IN, *inventory.SINGLE_SIGN_ON)}


def is_developers(name: str) -> bool:
    """Whether a developer may fire it, and there is a page for them to do so."""
    guard = guard_of(RegistrationContext.get().event_handlers[name].handler.fn)
    assert guard is not None
    return guard.is_public or TABLE[guard.action][0].developer > Reach.NONE


def left_out(every: set[str], fired: set[str], exceptions: dict[str, str]) -> list[str]:
    """What was not fired and has no reason; and what has one, though it was fired."""
    excused = {name for name in every if name.endswith(tuple(exceptions))}
    return sorted((every - fired - excused) | (excused & fired))


def is_on(route: str, screens: set[str]) -> bool:
    """Whether a page was on the screen: `/clients/[client]` is any client's, 404 what is said where there is none."""
    if route == "404":
        return first_day.NOWHERE in screens
    pattern = re.sub(r"\\\[\w+\\\]", "[^/]+", re.escape(route))
    return any(re.fullmatch(pattern, screen) for screen in screens)
