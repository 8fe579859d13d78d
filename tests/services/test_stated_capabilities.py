"""What an admin states of a connection's models: how it is read, kept, and taken by routing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import PermissionDenied, Unprocessable
from aiservice.principal import OPERATOR
from aiservice.providers.capabilities import Capabilities, capabilities_of
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.services.stated_capabilities import MAX_STATED, changed, read_stated
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.cast import connections_of, office, person

KIND, URL = "openai-compatible", "https://api.example.com/v1"


def capabilities(view: ConnectionView, model: str) -> Capabilities:
    return capabilities_of(view.kind, model, view.base_url, view.stated)


@pytest.fixture
async def connections(database: Database, settings: Settings) -> Connections:
    made = await connections_of(database, settings, office(database).changes)
    await made.add(OPERATOR, KIND, "local", URL, None, models=["big", "tiny"])
    return made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("images=yes", True),
        ("Images = NO", False),
        ("context_tokens=32768", 32_768),
        ("parameters=seed, stop,seed", ("seed", "stop")),
        ("images=unknown", None),
        ("parameters=", None),
    ],
)
def test_a_statement_is_read(text: str, value: object) -> None:
    assert read_stated(text)[2] == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image=yes", "Did you mean 'images'"),
        ("images=maybe", "yes, no or unknown"),
        ("context_tokens=-1", "number of tokens"),
        ("context_tokens=many", "number of tokens"),
        ("parameters=sed", "Did you mean 'seed'"),
        ("", "is no capability"),
    ],
)
def test_what_is_no_statement_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(Unprocessable, match=words) as refusal:
        read_stated(text)
    assert refusal.value.code == "invalid_capability"


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_text_is_read_or_refused(text: str, model: str) -> None:
    try:
        told = read_stated(text, model)
    except Unprocessable:
        return
    assert told[0] == model


def test_a_later_statement_replaces_the_former_and_unknown_takes_it_back() -> None:
    stated = changed((), [("", "images", True), ("m", "tools", True)])
    assert changed(stated, [("", "images", False), ("m", "tools", None)]) == (("", "images", False),)


def test_there_is_a_limit() -> None:
    with pytest.raises(Unprocessable, match=str(MAX_STATED)):
        changed((), [(f"m{number}", "tools", True) for number in range(MAX_STATED + 1)])


async def test_routing_goes_by_what_is_stated(connections: Connections) -> None:
    stated = (("", "images", True), ("tiny", "images", False), ("", "parameters", ("seed",)))
    shown = await connections.set_capabilities(OPERATOR, "local", stated)
    assert shown.stated == stated
    (view,) = connections.snapshot()
    assert capabilities(view, "big").images is True
    assert capabilities(view, "tiny").images is False
    assert capabilities(view, "tiny").parameters == frozenset({"seed"})


async def test_taking_all_of_it_back_leaves_nothing(connections: Connections) -> None:
    await connections.set_capabilities(OPERATOR, "local", [("", "images", True)])
    assert (await connections.set_capabilities(OPERATOR, "local", ())).stated == ()
    assert capabilities(connections.snapshot()[0], "big").images is None


async def test_only_an_admin_states_anything(connections: Connections, database: Database) -> None:
    developer = await person(database, "dev@example.com")
    with pytest.raises(PermissionDenied):
        await connections.set_capabilities(developer, "local", ())
