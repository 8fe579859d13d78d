"""What belongs together in one go: who walks, and in which order through which pages. Each takes a person who has not
signed in yet; the first admin comes in before anybody."""

from collections.abc import Callable

from tests.browser.walk import (
    account,
    alerting,
    entering,
    first_day,
    keys,
    people,
    providers,
    routing,
    running,
    single_sign_on,
    traffic,
)
from tests.browser.walk.legs import PROVIDER_KEY, Leg
from tests.browser.walk.walker import PASSWORD, Walker

ADMIN, DEVELOPER, NEWCOMER = "admin@example.test", "grace@example.test", "ada@example.test"
INVITED, CHIEF = "mary@example.test", "admin@example.org"
CHAIN = ("mock", "sandbox")
COMES_IN = "admin comes in"


def ready(leg: Leg, area: str) -> None:
    """What an operator has done before, on the command line; nothing of it is an action of the portal's. An area that
    is walked alone finds an admin, too."""
    if not leg.has_admin and area != COMES_IN:
        leg.installation.add_admin(ADMIN, PASSWORD)
    leg.has_admin = True
    if leg.is_prepared or area == COMES_IN:
        return
    leg.is_prepared = True
    leg.command("user", "create", "--email", DEVELOPER, stdin=PASSWORD)
    leg.installation.add_mock(leg.mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large")
    leg.command("client", "create", "--name", "walked", "--owner", ADMIN)
    watched = ("--metric", "requests", "--above", "0", "--scope", "client", "--window", "1h")
    leg.command("alert", "rule", "set", "any request", *watched)


def admin_comes_in(walker: Walker) -> None:
    entering.set_up(walker)
    first_day.first_call(walker, clicked=1)
    first_day.palette(walker)
    first_day.documentation(walker)
    walker.go("/")
    entering.sign_out(walker)
    entering.set_up_again(walker)
    entering.sign_in_after_a_mistake(walker)


def admin_runs_providers(walker: Walker) -> None:
    entering.sign_in(walker)
    providers.providers(walker)
    providers.vendors(walker)
    providers.prices(walker)
    providers.shadows(walker, "walked")


def admin_runs_people(walker: Walker, guest: Walker, chief: Walker) -> None:
    """`guest` is the browser of whom the admin invites, `chief` that of an admin whom single sign-on knows."""
    entering.sign_in(walker)
    link = people.invited(walker, guest.email)
    entering.accept(guest, link)
    guest.go("/")
    entering.sign_out(guest)
    people.rule(walker, "everybody")
    account.first_factor(guest)
    people.users(walker, guest.email)
    account.first_passkey(guest)
    people.rule(walker, "nobody")
    people.teams(walker, "walked")
    people.clients(walker, guest.email)
    single_sign_on.single_sign_on(walker, chief, guest.email)


def admin_watches(walker: Walker) -> None:
    entering.sign_in(walker)
    key = walker.leg.installation.add_key("walked", "--name", "Watched", is_new_client=False)["key"]
    alerting.rules(walker)
    walker.leg.ask(key)
    alerting.channels(walker)
    alerting.abuse(walker, "walked", key)
    traffic.kept_bodies(walker, "walked", key)
    running.audit(walker)
    running.system(walker)
    alerting.alerts(walker)


def developer_begins(walker: Walker) -> None:
    key = first_day.from_sign_in(walker)
    first_day.overview(walker, key)
    first_day.playground(walker)
    first_day.palette(walker)
    first_day.documentation(walker)
    works(walker, key)
    alerting.alerts(walker)


def newcomer_has_an_account(walker: Walker) -> None:
    entering.sign_up(walker)
    first_day.first_call(walker, clicked=1)
    entering.sign_out(walker)
    entering.sign_up_again(walker)
    entering.forgotten(walker)
    has_an_account(walker)


def admin_works(walker: Walker) -> None:
    """What an admin does as any developer."""
    entering.sign_in(walker)
    key = walker.leg.installation.add_key("walked", "--name", "Working", is_new_client=False)["key"]
    first_day.overview(walker, key)
    first_day.playground(walker)
    works(walker, key)
    has_an_account(walker)


def works(walker: Walker, key: str) -> None:
    traffic.requests(walker, key)
    traffic.usage(walker)
    keys.keys(walker)
    keys.limits(walker)
    keys.budgets(walker)
    routing.preferences(walker, connections=CHAIN)
    routing.aliases(walker)
    routing.cache(walker, key)


def has_an_account(walker: Walker) -> None:
    account.account(walker)
    account.tokens(walker)
    account.app(walker)
    account.passkeys(walker)


AREAS: dict[str, tuple[str, Callable[[Walker], None]]] = {
    COMES_IN: (ADMIN, admin_comes_in),
    "admin runs providers": (ADMIN, admin_runs_providers),
    "admin watches": (ADMIN, admin_watches),
    "admin works": (ADMIN, admin_works),
    "developer works": (DEVELOPER, developer_begins),
    "newcomer has an account": (NEWCOMER, newcomer_has_an_account),
}
"""By name: who, and what. `admin_runs_people` has three people, and stands beside them in the test."""
