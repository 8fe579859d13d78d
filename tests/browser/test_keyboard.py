"""Every task of a developer and of an admin by keys alone: no pointer, no click, no value put into a field. How many
keys each takes is the evidence."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import httpx
import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from tests.browser.filled import fill, plant, plant_alert
from tests.browser.inspection import Inspection, age_sessions
from tests.browser.keyboard import admin, developer, running, settings
from tests.browser.keyboard.hands import Hands
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence

pytestmark = [pytest.mark.browser, pytest.mark.long]

DEVELOPER = "developer@example.test"
Task = tuple[str, Callable[[Hands], None]]


@pytest.fixture
def hands(inspected: Inspection, installation: Installation, evidence: Evidence) -> Iterator[Hands]:
    """At the page that signs in. Nothing that a mouse does happens while they work."""
    tab = inspected.tab
    tab.page.add_init_script(
        "for (const name of ['pointerdown', 'mousedown', 'touchstart'])"
        " addEventListener(name, () => { localStorage.setItem('pointed', name); }, true);"
    )
    tab.page.on("dialog", lambda dialog: dialog.accept())  # leaving a page that shows a secret asks: yes
    tab.open("/sign-in")
    hands = Hands(tab)
    yield hands
    assert tab.page.evaluate("localStorage.getItem('pointed')") is None
    evidence.note(keys_by_task=dict(hands.keys), tasks=len(hands.keys), keys=sum(hands.keys.values()))
    tab.problems = [line for line in tab.problems if "status of 4" not in line]  # who was refused on purpose


def do(hands: Hands, installation: Installation, tasks: list[Task]) -> None:
    """One after the other; what cannot be done is told at the end, and hides nothing behind it."""
    undone = {}
    for name, act in tasks:
        say_who_is_there(installation)
        try:
            with hands.task(name):
                act(hands)
        except (AssertionError, PlaywrightError) as error:
            undone[name] = str(error)[:700]
            print(f"NOT DONE by keys: {name}: {undone[name]}")
            hands.give_up(name)
    assert undone == {}


def begin(hands: Hands, installation: Installation, email: str) -> None:
    signed_in: Task = ("sign in", partial(developer.sign_in, email=email))
    do(hands, installation, [signed_in, ("first call", developer.first_call)])


def say_who_is_there(installation: Installation) -> None:
    """The password was said a moment ago: what asks for it again has a test of its own."""
    with closing(sqlite3.connect(installation.database_path, timeout=20)) as database, database:
        database.execute("UPDATE portal_session SET confirmed_us = ?", (time.time_ns() // 1000,))


def test_a_developer_works_by_keys_alone(hands: Hands, installation: Installation, mock: MockProcess) -> None:
    installation.command("user", "create", "--email", DEVELOPER, stdin=PASSWORD + "\n")
    installation.add_mock(mock.base_url, models="mock-small,mock-large")
    do(
        hands,
        installation,
        [
            ("sign in", partial(developer.sign_in, email=DEVELOPER)),
            ("first call", developer.first_call),
            ("create a key", developer.create_a_key),
            ("edit a key", developer.edit_a_key),
            ("roll a key, end its overlap", developer.roll_a_key),
            ("revoke a key", developer.revoke_a_key),
            ("find a key", developer.find_a_key),
            ("order preferences, save", developer.order_preferences),
            ("go back to older preferences", developer.revert_preferences),
            ("playground, and its code", developer.playground),
            ("usage: filter, compare, export", developer.usage),
            ("requests: filter, export, sheet, copy", developer.requests),
            ("replay a request", developer.replay),
            ("narrow requests by a bar", developer.narrow_by_a_bar),
            ("set and clear a limit", developer.limits),
            ("set and clear a budget", developer.budgets),
            ("find an error in the docs", developer.docs),
        ],
    )


def test_a_developer_sets_themselves_up_by_keys_alone(
    hands: Hands, installation: Installation, server: ServerProcess
) -> None:
    installation.command("user", "create", "--email", DEVELOPER, stdin=PASSWORD + "\n")
    do(
        hands,
        installation,
        [("sign in", partial(developer.sign_in, email=DEVELOPER)), ("first call", developer.first_call)],
    )
    plant_alert(installation, "developer")
    elsewhere = httpx.post(f"{server.url}/auth/sign-in", json={"email": DEVELOPER, "password": PASSWORD})
    assert elsewhere.status_code == 200
    do(
        hands,
        installation,
        [
            ("colours", settings.colours),
            ("shortcuts off and on", settings.single_keys),
            ("set up an app", partial(settings.set_up_an_app, installation=installation)),
            ("take the app away", settings.take_the_app_away),
            ("sign out other browsers", settings.sessions),
            ("change the password", settings.change_the_password),
            ("make and revoke a token", settings.tokens),
            ("mute, acknowledge, resolve an alert", settings.alerts),
            ("sign out", developer.sign_out),
        ],
    )


def test_an_admin_runs_providers_by_keys_alone(
    hands: Hands, installation: Installation, server: ServerProcess, mock: MockProcess
) -> None:
    fill(installation, server, mock)
    do(
        hands,
        installation,
        [
            ("sign in", partial(developer.sign_in, email=ADMIN)),
            ("add a provider", partial(admin.add_a_provider, address=mock.base_url)),
            ("test a provider", admin.test_a_provider),
            ("give it another key", admin.give_it_another_key),
            ("say what it does with data", admin.say_what_it_does_with_data),
            ("one more key; remove the provider", admin.one_more_key_and_none),
            ("set and clear a price", admin.prices),
            ("make, move, remove an alias", admin.aliases),
            ("everybody's preferences", admin.routes_of_everybody),
            ("shadow traffic", admin.shadows),
            ("cache policy, purge", admin.cache),
            ("a vendor of one's own", admin.vendors),
        ],
    )


def test_an_admin_runs_the_service_by_keys_alone(
    hands: Hands, installation: Installation, server: ServerProcess, mock: MockProcess
) -> None:
    fill(installation, server, mock)
    do(hands, installation, [("sign in", partial(developer.sign_in, email=ADMIN))])
    plant(installation, ADMIN)
    do(
        hands,
        installation,
        [
            ("invite, take back", running.invite),
            ("role, reset link, sessions, disable", partial(running.change_people, email=DEVELOPER)),
            ("teams", running.teams),
            ("clients", running.clients),
            ("abuse: undo, policy, replay, decoy", running.abuse),
            ("audit: verify, find, export", running.audit),
            ("retention", running.retention),
            ("system", running.system),
            ("alert rules", running.alert_rules),
            ("alert channels", partial(running.alert_channels, address=f"{mock.base_url}/hook")),
            ("who must have a factor", running.sign_in_rules),
        ],
    )


def test_the_password_is_said_again_by_keys_alone(hands: Hands, installation: Installation) -> None:
    """In the form that was refused, and in the notice over the page; what was filled in stays."""
    do(
        hands,
        installation,
        [("sign in", partial(developer.sign_in, email=ADMIN)), ("first call", developer.first_call)],
    )
    age_sessions(installation)
    with hands.task("budget, the password said again"):
        hands.go("Budgets")
        hands.fill("Amount", "25")
        hands.button("Set budget")
        expect(hands.page.get_by_label("Your password")).to_be_focused()
        hands.write(PASSWORD)
        hands.press("Enter")
        hands.told("Now do it again")
        hands.button("Set budget")
        hands.told("may now spend")
