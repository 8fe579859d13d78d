"""What the frame is told of the site: every page in its group, no shortcut twice, no action that leads nowhere."""

import json
from collections import Counter

import pytest

import aiservice.aiservice  # registers the pages
from aiservice.portal.layout import _component, registered_pages, site
from aiservice.portal.layout.registry import GROUPS, OWN, RUN, USE, navigation

assert aiservice.aiservice is not None  # the import is what counts


@pytest.fixture
def told() -> dict[str, object]:
    text = site.site_module()
    found: dict[str, object] = json.loads(text[text.index("{") : text.rindex(";")])
    return found


def test_a_page_stands_under_use_and_an_admins_under_run_unless_it_says_where() -> None:
    groups = {page.route: page.group for page in registered_pages()}
    assert (groups["/keys"], groups["/providers"], groups["/account"]) == (USE, RUN, OWN)
    assert all((page.group == RUN) == page.is_admin for page in navigation() if page.group != OWN)


def test_the_navigation_goes_group_by_group_and_in_each_by_place() -> None:
    order = [(list(GROUPS).index(page.group), page.place) for page in navigation()]
    assert order == sorted(order)


def test_the_frame_knows_every_page_and_where_those_without_a_place_belong(told: dict[str, object]) -> None:
    pages = told["pages"]
    assert isinstance(pages, list)
    assert [page["route"] for page in pages] == [page.route for page in navigation()]
    routes = {page["route"] for page in pages}
    assert isinstance(told["below"], dict)
    assert set(told["below"].values()) <= routes


def test_no_shortcut_is_given_twice_and_each_leads_to_a_page() -> None:
    letters = site.letters()
    assert max(Counter(letters.values()).values()) == 1
    assert letters.keys() - {site.DOCS} <= {page.route for page in navigation()}


def test_every_action_of_the_palette_begins_on_a_page() -> None:
    routes = {page.route for page in registered_pages()}
    actions = [address for page in registered_pages() for _, address in page.actions]
    assert "/keys#create" in actions
    assert {address.partition("#")[0].partition("?")[0] for address in actions} <= routes


def test_each_page_is_compiled_into_a_script_of_its_own() -> None:
    """Reflex names a script after the module of the page's function; one name for all made every page load all."""
    modules = {_component(page).__module__ for page in registered_pages()}
    assert len(modules) == len(registered_pages())
