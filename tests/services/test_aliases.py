"""Names for models: what they may be and lead to, whose wins, and that they never lead in a circle."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import InvalidRequest, NotFound, PermissionDenied, Unprocessable
from aiservice.kit.ids import new_id
from aiservice.principal import OPERATOR, Principal
from aiservice.services.alias_terms import Models, Route, clean_targets, expand, words_of
from aiservice.services.aliases import Aliases
from aiservice.services.changes import ChangeFeed
from aiservice.services.routing_scopes import PLATFORM_SCOPE, Scope
from aiservice.store.session import Database
from aiservice.tables import Connection
from tests.services.cast import Office, office, person

MODELS = {"east": ["fast", "slow"], "west": ["fast"], "open": []}


async def shop(database: Database) -> tuple[Office, Principal]:
    """A client, two connections that say what they have, and one that says nothing."""
    desk = office(database)
    async with database.write() as session:
        for name, models in MODELS.items():
            kind = "openai-compatible"
            session.add(Connection(id=new_id("con"), name=name, kind=kind, models=models, created_us=1))
    client = await desk.clients.create(OPERATOR, "shop")
    return desk, Principal(client.id, "shop", "key_1", "x")


def order_of(desk: Office, caller: Principal, model: str) -> tuple[str, ...] | None:
    route = desk.aliases.resolve(caller, model)
    return None if route is None else route.order


async def test_an_alias_leads_to_its_targets_in_order_and_can_be_pointed_elsewhere(database: Database) -> None:
    desk, caller = await shop(database)
    assert order_of(desk, caller, "chatty") is None
    view = await desk.aliases.set(OPERATOR, "shop", "chatty", ["east/fast", "open:llama3:8b", "slow", "west"])
    assert view.targets == ("east/fast", "open/llama3:8b", "slow", "west")
    assert order_of(desk, caller, "chatty") == ("east:fast", "open:llama3:8b", ":slow", "west")
    await desk.aliases.set(OPERATOR, "shop", "chatty", ["west/fast"])
    assert order_of(desk, caller, "chatty") == ("west:fast",)
    assert order_of(desk, Principal("cli_other", "other", "key_2", "y"), "chatty") is None


async def test_a_clients_alias_hides_its_teams_and_the_platforms(database: Database) -> None:
    desk, caller = await shop(database)
    team = await desk.teams.create(OPERATOR, "search")
    member = Principal("cli_m", "m", "key_m", "z", team_id=team.id)
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "chatty", ["east"])
    await desk.aliases.set(OPERATOR, Scope("team", "search"), "chatty", ["west"])
    assert (order_of(desk, caller, "chatty"), order_of(desk, member, "chatty")) == (("east",), ("west",))
    await desk.aliases.set(OPERATOR, "shop", "chatty", ["open"])
    assert order_of(desk, caller, "chatty") == ("open",)
    await desk.aliases.remove(OPERATOR, "shop", "chatty")
    assert order_of(desk, caller, "chatty") == ("east",)


@pytest.mark.sqlite_only
async def test_an_alias_may_lead_to_another_and_never_in_a_circle(database: Database) -> None:
    desk, caller = await shop(database)
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "base", ["east/fast", "west"])
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "best", ["slow", "base"])
    assert order_of(desk, caller, "best") == (":slow", "east:fast", "west")
    with pytest.raises(Unprocessable, match="leads in a circle: base → best → base") as raised:
        await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "base", ["best"])
    assert raised.value.code == "alias_loop"
    with pytest.raises(Unprocessable, match="The alias 'best' leads to 'base'"):
        await desk.aliases.remove(OPERATOR, PLATFORM_SCOPE, "base")


@pytest.mark.sqlite_only
async def test_a_circle_that_only_one_client_has_is_told_to_that_client(database: Database) -> None:
    desk, caller = await shop(database)
    await desk.aliases.set(OPERATOR, "shop", "best", ["east"])
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "best", ["west"])
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "base", ["west"])
    await desk.aliases.set(OPERATOR, "shop", "best", ["base"])
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "base", ["best"])  # no circle on the platform
    assert order_of(desk, Principal("cli_other", "other", "key_2", "y"), "base") == ("west",)
    with pytest.raises(InvalidRequest, match="leads in a circle"):
        desk.aliases.resolve(caller, "base")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("name", "targets", "words"),
    [
        ("fast", ["west"], "is a model's own name"),
        ("auto", ["west"], "cannot name a model"),
        ("east", ["west"], "cannot name a model"),
        ("a/b", ["west"], "cannot name a model"),
        ("chatty", [], "1 to 10 targets, and 0"),
        ("chatty", ["west", "west"], "'west' is there twice"),
        ("chatty", ["east/fsat"], "no model 'fsat'. Did you mean 'fast'"),
        ("chatty", ["eastt/fast"], "Did you mean 'east/fast'"),
        ("chatty", ["chatty"], "no model, connection or alias"),
        ("chatty", ["open/a b"], "no valid model"),
    ],
)
async def test_what_cannot_be_an_alias_is_refused_with_the_reason(
    database: Database, name: str, targets: list[str], words: str
) -> None:
    desk, _ = await shop(database)
    with pytest.raises(Unprocessable, match=words):
        await desk.aliases.set(OPERATOR, "shop", name, targets)


@pytest.mark.sqlite_only
async def test_a_models_name_can_be_led_elsewhere_where_that_is_meant(database: Database) -> None:
    desk, caller = await shop(database)
    await desk.aliases.set(OPERATOR, "shop", "slow", ["west/fast", "slow"], may_shadow=True)
    assert order_of(desk, caller, "slow") == ("west:fast", ":slow")


async def test_a_developer_sees_to_the_own_clients_aliases_alone(database: Database) -> None:
    desk, _ = await shop(database)
    ada = await person(database, "ada@example.org")
    own = await desk.clients.personal(ada)
    await desk.aliases.set(OPERATOR, PLATFORM_SCOPE, "chatty", ["east"])
    await desk.aliases.set(OPERATOR, "shop", "hidden", ["east"])
    await desk.aliases.set(ada, own.id, "mine", ["west"])
    assert [(view.scope, view.name) for view in await desk.aliases.list(ada)] == [
        ("platform", "chatty"),
        ("client", "mine"),
    ]
    with pytest.raises(PermissionDenied):
        await desk.aliases.set(ada, PLATFORM_SCOPE, "chatty", ["west"])
    for refused in (desk.aliases.set(ada, "shop", "x", ["west"]), desk.aliases.remove(ada, "shop", "hidden")):
        with pytest.raises(NotFound):
            await refused


async def test_every_change_of_an_alias_is_kept_and_can_be_taken_back(database: Database) -> None:
    desk, caller = await shop(database)
    await desk.aliases.set(OPERATOR, "shop", "chatty", ["east"])
    await desk.aliases.set(OPERATOR, "shop", "chatty", ["west/fast"])
    second, first = await desk.aliases.history(OPERATOR, "shop", "chatty")
    assert (second.before, second.after) == ({"to": ["east"]}, {"to": ["west/fast"]})
    await desk.aliases.remove(OPERATOR, "shop", "chatty")
    await desk.aliases.revert(OPERATOR, first.number)
    assert order_of(desk, caller, "chatty") == ("east",)
    with pytest.raises(NotFound, match="no version"):
        await desk.aliases.revert(await person(database, "ada@example.org"), first.number)


async def test_another_process_hears_of_an_alias_through_the_feed(database: Database) -> None:
    desk, caller = await shop(database)
    feed = ChangeFeed(database)
    elsewhere = Aliases(database, feed)
    await feed.poll_once()
    await desk.aliases.set(OPERATOR, "shop", "chatty", ["east"])
    await feed.poll_once()
    async with asyncio.timeout(5):
        while elsewhere.resolve(caller, "chatty") is None:
            await asyncio.sleep(0.01)


def test_a_requests_own_order_chooses_among_an_aliases_places() -> None:
    route = Route("chatty", ("east:fast", "west:fast", "east:slow"))
    assert route.within(None) == route.order
    assert route.within(("west", "east:slow")) == ("west:fast", "east:slow")
    with pytest.raises(InvalidRequest, match="leads to east/fast, west/fast, east/slow"):
        route.within(("north",))


def test_a_way_over_very_many_is_refused_in_words() -> None:
    aliases = {f"n{number}": [f"=n{number + 1}"] for number in range(5_000)} | {"n5000": ["east"]}
    assert expand("n4990", aliases.get) == ("east",)
    with pytest.raises(InvalidRequest, match="leads over more than 20 others") as raised:
        expand("n0", aliases.get)
    assert raised.value.code == "alias_too_deep"


names = st.sampled_from([f"n{number}" for number in range(6)])


@given(aliases=st.dictionaries(names, st.lists(names.map("={}".format) | st.just("east:m"), min_size=1, max_size=4)))
def test_whatever_leads_wherever_ends_in_places_or_in_words(aliases: dict[str, list[str]]) -> None:
    for name in aliases:
        try:
            assert expand(name, aliases.get) == ("east:m",)
        except InvalidRequest as loop:
            assert loop.code == "alias_loop"
        except NotFound as nothing:
            assert "leads nowhere" in nothing.message


@given(text=st.text(max_size=30))
def test_any_target_is_kept_as_it_reads_or_refused(text: str) -> None:
    models = Models({"east": ["fast", "a/b"], "open": []}, frozenset({"open"}))
    try:
        kept = clean_targets([text], models, ["other"])
    except Unprocessable as refused:
        assert refused.code == "invalid_target"
    else:
        assert words_of(kept)[0].replace("/", ":") == text.replace("/", ":")


def test_a_tower_of_aliases_is_climbed_once() -> None:
    tower = {f"n{level}": [f"=n{level + 1}", f"=n{level + 1}", f"=n{level + 1}"] for level in range(19)} | {
        "n19": ["east"]
    }
    assert expand("n0", tower.get) == ("east",)


async def test_anothers_alias_of_the_same_name_keeps_nobody_from_removing_their_own(database: Database) -> None:
    desk, _ = await shop(database)
    await desk.clients.create(OPERATOR, "other shop")
    for client in ("shop", "other shop"):
        await desk.aliases.set(OPERATOR, client, "quick", ["east/fast"])
    await desk.aliases.set(OPERATOR, "other shop", "secret-project", ["quick"])
    await desk.aliases.remove(OPERATOR, "shop", "quick")
    with pytest.raises(Unprocessable, match="secret-project"):
        await desk.aliases.remove(OPERATOR, "other shop", "quick")
