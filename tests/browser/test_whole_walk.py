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
from aiservice.portal.session.guard import guard_of
from aiservice.services.rights_table import TABLE, Reach
from tests.browser.chromium import chromium
from tests.browser.walk import areas, legs
from tests.browser.walk.seen import Seen
from tests.browser.walk.walker import Walker
from tests.harness.evidence import Evidence
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
NOT_WALKED_YET = ("plain-http", "below-a-path")
"""Legs that nobody has seen walked to their end with today's portal: taken out until somebody has."""
NOT_TO_THE_END: tuple[str, ...] = (PEOPLE,)
"""Areas that no leg has been seen to walk to their end."""


def _walked(name: str) -> object:
    marks = pytest.mark.skip(reason=f"NOT walked to its end yet: {name}")
    return pytest.param(name, marks=marks) if name in (*NOT_WALKED_YET, *NOT_TO_THE_END) else name


@pytest.fixture(scope="module", params=[_walked(name) for name in legs.NAMES])
def leg(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[legs.Leg]:
    with legs.leg(request.param, tmp_path_factory.mktemp(request.param)) as leg:
        yield leg


@pytest.fixture(scope="module")
def seen(leg: legs.Leg) -> Seen:
    """Of one leg."""
    return Seen.of(leg.name)


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


@pytest.mark.parametrize("area", [_walked(name) for name in areas.AREAS])
def test_an_area_is_walked(area: str, leg: legs.Leg, seen: Seen, browser: Browser, shots: Path) -> None:
    email, walk = areas.AREAS[area]
    areas.ready(leg, area)
    walker = Walker(leg, browser, shots, email)
    with walking(seen, area, walker):
        walk(walker)


@pytest.mark.skipif(PEOPLE in NOT_TO_THE_END, reason=f"NOT walked to its end yet: {PEOPLE}")
def test_an_admin_runs_people(leg: legs.Leg, seen: Seen, browser: Browser, shots: Path) -> None:
    areas.ready(leg, PEOPLE)
    admin, guest = (Walker(leg, browser, shots, email) for email in (areas.ADMIN, areas.INVITED))
    with walking(seen, PEOPLE, admin, guest):
        areas.admin_runs_people(admin, guest)


def test_nothing_was_left_out(seen: Seen, evidence: Evidence) -> None:
    """Every handler of the portal has been fired, those that are a developer's by a developer, too; and every page of
    it was on the screen."""
    if missing := {*areas.AREAS, PEOPLE} - seen.areas:
        pytest.skip(f"NOT compared: these areas were not walked to their end: {', '.join(sorted(missing))}")
    every, by_developer = handlers(), seen.fired(is_admin=False)
    by_anybody = by_developer | seen.fired(is_admin=True)
    evidence.note(**seen.table())
    assert left_out(every, by_anybody, NOT_FIRED) == []
    assert left_out({name for name in every if is_developers(name)}, by_developer, NOT_BY_A_DEVELOPER) == []
    assert [page.route for page in registered_pages() if not is_on(page.route, seen.screens)] == []


def handlers() -> set[str]:
    """The full names of all that are registered through the guard."""
    known = RegistrationContext.get().event_handlers.items()
    return {name for name, found in known if guard_of(found.handler.fn) and OF_A_TEST not in name}


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
    """Whether a page was on the screen: `/clients/[client]` is any client's."""
    pattern = re.sub(r"\\\[\w+\\\]", "[^/]+", re.escape(route))
    return any(re.fullmatch(pattern, screen) for screen in screens)
