"""Provider connections: what is stored, what is shown, and that a key never comes out or goes to another address."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from aiservice.errors import BrokerError, NotFound, Overloaded, PermissionDenied, Unprocessable
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Role
from aiservice.services.changes import ChangeFeed
from aiservice.services.connections import Connections
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from tests.mock import MockProvider
from tests.services.cast import Office, connections_of, office, person

CANARY = "sk-canary-7Hq2ZpLw9vXc4TbN"
KIND = "openai-compatible"
URL = "https://api.example.com/v1"


@pytest.fixture
def desk(database: Database) -> Office:
    return office(database)


@pytest.fixture
async def connections(database: Database, settings: Settings, desk: Office) -> AsyncIterator[Connections]:
    upstream = Upstream(SocketTransport())
    yield await connections_of(database, settings, desk.changes, upstream)
    await upstream.close()


async def test_an_added_connection_keeps_its_key_sealed_and_opens_it_for_routing(
    connections: Connections, database: Database
) -> None:
    shown = await connections.add(
        OPERATOR, KIND, "east", URL, Secret(f"  {CANARY}\n"), models=["a", "b", "a"], weight=3
    )
    assert (shown.key_hint, len(shown.key_fingerprint), shown.models) == (CANARY[-4:], 32, ("a", "b"))
    (view,) = connections.snapshot()
    assert (view.name, view.base_url, view.weight, view.revision) == ("east", URL, 3, 1)
    secret = await connections.secret(view)
    assert secret is not None
    assert secret.reveal_text() == CANARY
    async with database.read() as session:
        for table in ("provider_connection", "sealed_secret"):
            for row in (await session.execute(text(f"SELECT * FROM {table}"))).all():
                assert CANARY not in repr(row)


async def test_equal_keys_have_equal_fingerprints_and_short_keys_no_hint(connections: Connections) -> None:
    first = await connections.add(OPERATOR, KIND, "a", URL, Secret(CANARY))
    second = await connections.add(OPERATOR, KIND, "b", URL, Secret(CANARY))
    third = await connections.add(OPERATOR, KIND, "c", URL, Secret("short"))
    assert first.key_fingerprint == second.key_fingerprint != third.key_fingerprint
    assert third.key_hint == ""


async def test_a_connection_without_a_key_has_none(connections: Connections) -> None:
    await connections.add(OPERATOR, KIND, "local", "http://127.0.0.1:9000/v1", None, is_private_allowed=True)
    assert await connections.secret(connections.snapshot()[0]) is None


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("opnai-compatible", "x", URL, CANARY), "unknown_provider_kind"),
        ((KIND, "X", URL, CANARY), "invalid_name"),
        ((KIND, "sandbox", URL, CANARY), "invalid_name"),
        ((KIND, "x", None, CANARY), "base_url_required"),
        ((KIND, "x", "http://api.example.com/v1", CANARY), "base_url_not_allowed"),
        ((KIND, "x", "http://127.0.0.1:9000/v1", CANARY), "base_url_not_allowed"),
        ((KIND, "x", "ftp://api.example.com", CANARY), "invalid_base_url"),
        ((KIND, "x", URL, CANARY + "\nx"), "invalid_key"),
        ((KIND, "x", URL, CANARY + "é"), "invalid_key"),
        (("sandbox", "sandbox", URL, None), "base_url_not_allowed"),
        (("sandbox", "sandbox", None, CANARY), "key_not_allowed"),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_is_stored(
    connections: Connections, given: tuple[str, str, str | None, str | None], code: str
) -> None:
    kind, name, url, key = given
    with pytest.raises(BrokerError) as refusal:
        await connections.add(OPERATOR, kind, name, url, None if key is None else Secret(key))
    assert refusal.value.code == code
    assert CANARY not in repr(refusal.value.body("req_1"))
    assert await connections.list(OPERATOR) == []


async def test_a_name_can_be_given_once(connections: Connections) -> None:
    await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    with pytest.raises(Unprocessable) as refusal:
        await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    assert refusal.value.code == "name_taken"


async def test_t20_a_new_address_needs_the_key_again(connections: Connections) -> None:
    """T-20: the stored key never follows to another address."""
    before = await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    with pytest.raises(Unprocessable) as refusal:
        await connections.set_address(OPERATOR, "east", "https://evil.example/v1", None, is_private_allowed=False)
    assert (refusal.value.status, refusal.value.code) == (422, "key_required")
    assert await connections.list(OPERATOR) == [before]
    old_view = connections.snapshot()[0]
    await connections.set_address(
        OPERATOR, "east", "https://new.example/v1", Secret("sk-other-key-123"), is_private_allowed=False
    )
    (view,) = connections.snapshot()
    assert (view.base_url, view.revision) == ("https://new.example/v1", old_view.revision + 1)
    secret = await connections.secret(view)
    assert secret is not None
    assert secret.reveal_text() == "sk-other-key-123"
    with pytest.raises(Overloaded) as broken:
        await connections.secret(old_view)
    assert broken.value.code == "secret_integrity"


@pytest.mark.parametrize(
    "edit",
    [
        "base_url = 'https://evil.example/v1'",
        "kind = 'sandbox'",
        "revision = revision - 1",
        "owner_client_id = (SELECT id FROM client)",
    ],
)
async def test_t20_an_edit_in_the_database_makes_the_key_unopenable(
    connections: Connections, desk: Office, database: Database, settings: Settings, edit: str
) -> None:
    """T-20: address, kind, revision and owner are bound into the envelope."""
    await desk.clients.create(OPERATOR, "shop")
    await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    async with database.write() as session:
        await session.execute(text(f"UPDATE provider_connection SET {edit}"))
    later = await connections_of(database, settings, ChangeFeed(database))
    await later.refresh()
    with pytest.raises(Overloaded) as refusal:
        await later.secret(later.snapshot()[0])
    assert refusal.value.code == "secret_integrity"


async def test_a_replaced_key_is_the_one_that_is_used(connections: Connections) -> None:
    await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    await connections.set_key(OPERATOR, "east", Secret("sk-second-key-456"))
    secret = await connections.secret(connections.snapshot()[0])
    assert secret is not None
    assert secret.reveal_text() == "sk-second-key-456"
    gone = await connections.set_key(OPERATOR, "east", None)
    assert (gone.key_hint, gone.key_fingerprint) == ("", "")
    assert await connections.secret(connections.snapshot()[0]) is None


async def test_a_removed_connection_leaves_no_key_and_no_place_in_chains(
    connections: Connections, desk: Office, database: Database
) -> None:
    await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    await connections.add(OPERATOR, KIND, "west", URL, Secret(CANARY))
    await desk.clients.create(OPERATOR, "shop")
    await desk.preferences.set(OPERATOR, "shop", "chat", ["east:m", "west"])
    await desk.preferences.set(OPERATOR, "shop", "translation", ["east"])
    await connections.remove(OPERATOR, "east")
    assert [view.name for view in connections.snapshot()] == ["west"]
    assert [(row.task, row.chain) for row in await desk.preferences.list(OPERATOR)] == [("chat", ("west",))]
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM sealed_secret"))).scalar_one() == 1
    with pytest.raises(NotFound, match="'west'"):
        await connections.remove(OPERATOR, "east")


async def test_the_sandbox_is_made_once_and_stays_as_an_admin_left_it(
    connections: Connections, database: Database, settings: Settings
) -> None:
    other = await connections_of(database, settings, ChangeFeed(database))
    await asyncio.gather(connections.ensure_sandbox(), other.ensure_sandbox())
    assert [view.kind for view in connections.snapshot()] == ["sandbox"]
    assert connections.snapshot()[0].models
    with pytest.raises(Unprocessable, match="provider disable sandbox"):
        await connections.remove(OPERATOR, "sandbox")
    await connections.disable(OPERATOR, "sandbox")
    await connections.ensure_sandbox()
    assert [view.is_disabled for view in connections.snapshot()] == [True]


async def test_another_process_sees_an_edit_through_the_feed(
    connections: Connections, database: Database, settings: Settings
) -> None:
    feed = ChangeFeed(database)
    elsewhere = await connections_of(database, settings, feed)
    await feed.poll_once()
    await elsewhere.refresh()
    await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    await connections.disable(OPERATOR, "east")
    await feed.poll_once()
    async with asyncio.timeout(5):
        while not elsewhere.snapshot() or not elsewhere.snapshot()[0].is_disabled:
            await asyncio.sleep(0.01)


async def test_a_live_test_says_what_it_found_and_keeps_the_models(connections: Connections) -> None:
    async with MockProvider(keys=(CANARY,)) as mock:
        await connections.add(OPERATOR, KIND, "mock", mock.base_url, Secret(CANARY), is_private_allowed=True)
        result = await connections.test(OPERATOR, "mock")
    assert result.is_ok
    assert result.latency_ms is not None
    assert result.models
    (shown,) = await connections.list(OPERATOR)
    assert shown.models == result.models
    assert shown.tested_us is not None
    assert shown.test_result.startswith("ok: ")


async def test_a_live_test_leaves_a_list_of_models_that_was_given(connections: Connections) -> None:
    async with MockProvider() as mock:
        await connections.add(OPERATOR, KIND, "mock", mock.base_url, None, is_private_allowed=True, models=["mine"])
        assert (await connections.test(OPERATOR, "mock")).is_ok
    assert connections.snapshot()[0].models == ("mine",)


async def test_a_wrong_key_is_rejected_and_an_absent_server_is_not(connections: Connections) -> None:
    async with MockProvider(keys=("sk-right-key-000",)) as mock:
        refused = await connections.check(OPERATOR, KIND, mock.base_url, Secret(CANARY), is_private_allowed=True)
        address = mock.base_url
    assert (refused.is_ok, refused.is_rejected, refused.code) == (False, True, "upstream_auth_failed")
    away = await connections.check(OPERATOR, KIND, address, Secret(CANARY), is_private_allowed=True)
    assert (away.is_ok, away.is_rejected, away.code) == (False, False, "upstream_connect_failed")
    assert CANARY not in repr((refused, away, refused.summary, away.summary))
    assert await connections.list(OPERATOR) == []


async def test_the_sandbox_answers_its_test_without_a_network(connections: Connections) -> None:
    await connections.ensure_sandbox()
    assert (await connections.test(OPERATOR, "sandbox")).is_ok


async def test_t26_no_answer_holds_a_provider_key(connections: Connections, database: Database) -> None:
    """T-26: every method, as admin and as developer, successes and refusals; only the last four and the HMAC show."""
    ada = await person(database, "ada@example.org")
    admin = await person(database, "root@example.org", Role.ADMIN)
    seen: list[object] = [await connections.add(admin, KIND, "east", URL, Secret(CANARY))]
    seen.append(await connections.set_key(admin, "east", Secret(CANARY)))
    seen.append(
        await connections.set_address(admin, "east", "https://b.example", Secret(CANARY), is_private_allowed=False)
    )
    seen += [await connections.disable(admin, "east"), await connections.enable(admin, "east")]
    seen += [await connections.list(actor) for actor in (admin, ada, OPERATOR)]
    seen.append(connections.snapshot())
    seen.append(await connections.secret(connections.snapshot()[0]))
    for key in (f"{CANARY}\x00", f"{CANARY} {CANARY}"):
        with pytest.raises(BrokerError) as refusal:
            await connections.set_key(admin, "east", Secret(key))
        seen.append(refusal.value.body("req_1"))
    for item in seen:
        assert CANARY not in repr(item)
        assert CANARY[:12] not in repr(item)
    outline = (await connections.list(ada))[0]
    assert (outline.key_hint, outline.key_fingerprint, outline.base_url) == ("", "", "")
    assert CANARY not in json.dumps([dataclasses.asdict(row) for row in await connections.list(admin)])


async def test_t57_a_developer_sees_shared_connections_and_their_own_and_changes_none(
    connections: Connections, desk: Office, database: Database
) -> None:
    """T-57 and T-58: every method with every id; nothing of another's client is seen, nothing is changed."""
    ada, bob = await person(database, "ada@example.org"), await person(database, "bob@example.org")
    adas, bobs = await desk.clients.personal(ada), await desk.clients.personal(bob)
    await connections.add(OPERATOR, KIND, "shared", URL, Secret(CANARY))
    await connections.add(OPERATOR, KIND, "adas", URL, Secret(CANARY), owner_client=adas.name)
    await connections.add(OPERATOR, KIND, "bobs", URL, Secret(CANARY), owner_client=bobs.id)
    assert [row.name for row in await connections.list(ada)] == ["shared", "adas"]
    assert [row.name for row in await connections.list(bob)] == ["shared", "bobs"]
    before = await connections.list(OPERATOR)
    for row in before:
        for ref in (row.id, row.name, "nothing-of-that-name"):
            attempts = [
                connections.set_key(ada, ref, Secret("sk-x")),
                connections.set_address(ada, ref, URL, Secret("sk-x"), is_private_allowed=True),
                connections.set_models(ada, ref, []),
                connections.disable(ada, ref),
                connections.enable(ada, ref),
                connections.remove(ada, ref),
                connections.test(ada, ref),
            ]
            for attempt in attempts:
                with pytest.raises(PermissionDenied):
                    await attempt
    with pytest.raises(PermissionDenied):
        await connections.add(ada, KIND, "mine", URL, Secret(CANARY), owner_client=adas.id)
    with pytest.raises(PermissionDenied):
        await connections.check(ada, KIND, "http://127.0.0.1:1/v1", None, is_private_allowed=True)
    assert await connections.list(OPERATOR) == before


async def test_edits_of_one_connection_at_once_follow_each_other(
    database: Database, settings: Settings, desk: Office, connections: Connections
) -> None:
    """Each on a database connection of its own: whichever came last, its key opens for the address that is stored."""
    await connections.add(OPERATOR, KIND, "east", URL, Secret(CANARY))
    elsewhere = await connections_of(database, settings, desk.changes)
    moved = URL.replace("api", "eu")
    await asyncio.gather(
        *(
            each.set_key(OPERATOR, "east", Secret(f"{CANARY}-{n}"))
            for n, each in enumerate([connections, elsewhere] * 4)
        ),
        elsewhere.set_address(OPERATOR, "east", moved, Secret(f"{CANARY}-8"), is_private_allowed=False),
    )
    await connections.refresh()
    (view,) = connections.snapshot()
    assert (view.base_url, view.revision) == (moved, 10)
    assert (await connections.secret(view)) is not None
