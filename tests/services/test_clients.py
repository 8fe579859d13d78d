"""Clients: names, owners, who sees and changes what."""

import asyncio
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import InvalidRequest, NotFound, PermissionDenied, Unprocessable
from aiservice.principal import OPERATOR
from aiservice.services.names import clean_connection_name, clean_name
from aiservice.store.session import Database
from tests.services.cast import office, person


async def test_a_created_client_is_found_by_name_and_by_id(database: Database) -> None:
    clients = office(database).clients
    await person(database, "ada@example.org")
    made = await clients.create(OPERATOR, "  shop ", "Ada@Example.org", models=["gpt-5-mini"])
    assert made.name == "shop"
    assert made.owner_email == "ada@example.org"
    assert made.models == ("gpt-5-mini",)
    assert await clients.find(OPERATOR, "shop") == await clients.find(OPERATOR, made.id) == made
    assert await clients.list(OPERATOR) == [made]


async def test_a_name_can_be_given_once(database: Database) -> None:
    clients = office(database).clients
    await clients.create(OPERATOR, "shop")
    with pytest.raises(Unprocessable, match="already a client called 'shop'") as refusal:
        await clients.create(OPERATOR, "shop")
    assert refusal.value.code == "name_taken"
    assert len(await clients.list(OPERATOR)) == 1


async def test_an_unknown_owner_or_connection_is_named(database: Database) -> None:
    clients = office(database).clients
    with pytest.raises(Unprocessable, match="no user 'nobody@"):
        await clients.create(OPERATOR, "shop", "nobody@example.org")
    with pytest.raises(Unprocessable, match="no shared provider connection 'opnai'"):
        await clients.create(OPERATOR, "shop", connections=["opnai"])
    assert await clients.list(OPERATOR) == []


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "a\u202eb", "x" * 101, "cli_" + "0123456789abcdef" * 2])
async def test_bad_names_are_refused_with_words(database: Database, name: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        await office(database).clients.create(OPERATOR, name)
    assert (refusal.value.code, refusal.value.param) == ("invalid_name", "name")
    assert refusal.value.message.isprintable()


async def test_a_mistyped_name_gets_the_nearest(database: Database) -> None:
    clients = office(database).clients
    await clients.create(OPERATOR, "billing")
    with pytest.raises(NotFound, match="Did you mean 'billing'"):
        await clients.disable(OPERATOR, "biling")


async def test_disabling_and_enabling_tell_the_change_feed(database: Database) -> None:
    desk = office(database)
    client = await desk.clients.create(OPERATOR, "shop")
    await desk.changes.poll_once()
    heard: list[tuple[str, str]] = []
    desk.changes.subscribe(lambda kind, subject: heard.append((kind, subject)))
    assert (await desk.clients.disable(OPERATOR, "shop")).is_disabled
    assert not (await desk.clients.enable(OPERATOR, client.id)).is_disabled
    await desk.changes.poll_once()
    assert heard == [("client", client.id)] * 2


async def test_a_developer_gets_a_client_of_their_own_once(database: Database) -> None:
    clients = office(database).clients
    await clients.create(OPERATOR, "ada")
    ada = await person(database, "ada@example.org")
    first, second = await asyncio.gather(clients.personal(ada), clients.personal(ada))
    assert first == second == await clients.personal(ada)
    assert first.name == "ada-2"
    assert first.owner_email == "ada@example.org"


async def test_a_developer_with_a_client_from_an_admin_keeps_to_it(database: Database) -> None:
    clients = office(database).clients
    ada = await person(database, "ada@example.org")
    given = await clients.create(OPERATOR, "narrow", ada.email, models=["small"])
    await clients.disable(OPERATOR, "narrow")
    assert (await clients.personal(ada)).id == given.id


async def test_the_operator_has_no_client_of_their_own(database: Database) -> None:
    with pytest.raises(InvalidRequest):
        await office(database).clients.personal(OPERATOR)


async def test_t57_a_developer_neither_sees_nor_changes_a_foreign_client(database: Database) -> None:
    """T-57: every id of the other's, in every method: not found, and nothing changed."""
    clients = office(database).clients
    ada, bob = await person(database, "ada@example.org"), await person(database, "bob@example.org")
    adas, bobs = await clients.personal(ada), await clients.personal(bob)
    for ref in (bobs.id, bobs.name):
        with pytest.raises(NotFound) as refusal:
            await clients.find(ada, ref)
        assert "bob" not in refusal.value.message.replace(f"'{ref}'", "")
        for attempt in (clients.disable, clients.enable):
            for tried in (ref, adas.id, "nobody"):  # refused alike, whosever it is and whether there is one
                with pytest.raises(PermissionDenied, match=r"^Only an admin may (dis|en)able clients\.$"):
                    await attempt(ada, tried)
    assert await clients.list(ada) == [adas]
    assert await clients.find(bob, bobs.id) == bobs


async def test_t58_a_developer_can_neither_make_clients_nor_undo_an_admins_decision(database: Database) -> None:
    """T-58: ownership and the disabled flag are not a developer's to give."""
    clients = office(database).clients
    ada = await person(database, "ada@example.org")
    own = await clients.personal(ada)
    for owner in (None, "ada@example.org", "bob@example.org"):
        with pytest.raises(PermissionDenied):
            await clients.create(ada, "more", owner)
    await clients.disable(OPERATOR, own.id)
    with pytest.raises(PermissionDenied):
        await clients.enable(ada, own.id)
    assert (await clients.find(ada, own.id)).is_disabled


@given(st.text(max_size=130))
def test_every_accepted_name_is_printable_short_and_stable(text: str) -> None:
    try:
        name = clean_name(text, "client")
    except Unprocessable as refusal:
        assert refusal.message.isprintable()
        return
    assert name
    assert name.isprintable()
    assert len(name) <= 100
    assert clean_name(name, "client") == name


@given(st.text(alphabet=string.ascii_lowercase + string.digits + "-", min_size=1, max_size=70))
def test_connection_names_follow_one_rule(name: str) -> None:
    is_good = len(name) <= 64 and name[0] != "-" and name not in {"auto", "openai-compatible", "sandbox"}
    try:
        assert clean_connection_name(name, "other", ["openai-compatible", "sandbox"]) == name
    except Unprocessable:
        assert not is_good
    else:
        assert is_good


@pytest.mark.parametrize("name", ["Upper", "with_underscore", "spa ce", "-dash", "ü", "a/b", "a:b", "", "x" * 65])
def test_connection_names_with_other_characters_are_refused(name: str) -> None:
    with pytest.raises(Unprocessable):
        clean_connection_name(name, "openai-compatible", [])


def test_a_kinds_word_is_only_for_that_kind() -> None:
    assert clean_connection_name("sandbox", "sandbox", ["sandbox"]) == "sandbox"
    with pytest.raises(Unprocessable, match="reserved"):
        clean_connection_name("sandbox", "openai-compatible", ["sandbox", "openai-compatible"])
