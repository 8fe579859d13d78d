"""Several keys of one connection: sealed each for itself, taken in turns, and gone where their connection goes."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import ClientRequest
from aiservice.errors import BrokerError, NotFound, PermissionDenied, Unprocessable
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Person, Principal
from aiservice.services.audit import Audit, AuditFilter
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.services.health import ConnectionHealth
from aiservice.services.provider_keys import ProviderKeys
from aiservice.services.routing import Decided, Router
from aiservice.services.routing_terms import Terms
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.upstream.client import Upstream
from aiservice.upstream.socket_transport import SocketTransport
from aiservice.wire import Ask, AttemptFailure, Blame
from tests.mock import MockProvider
from tests.services.cast import connections_of, office, person
from tests.services.test_routing_decision import decided, view

FIRST, SECOND, THIRD = "sk-first-7Hq2ZpLw9vXc4TbN", "sk-second-8Jr3AqMx0wYd5UcP", "sk-third-9Ks4BrNy1xZe6VdQ"
KIND, URL = "openai-compatible", "https://api.example.com/v1"
WHO = Principal("cli_1", "shop", "key_1", "x")


@dataclass
class Keys:
    connections: Connections
    keys: ProviderKeys
    audit: Audit
    database: Database

    async def first(self, name: str = "east") -> str:
        return (await self.connections.add(OPERATOR, KIND, name, URL, Secret(FIRST), models=["fast"])).id

    async def opened(self) -> list[str]:
        found = [await self.connections.secret(each) for each in self.connections.snapshot()]
        return [secret.reveal_text() for secret in found if secret is not None]


@pytest.fixture
async def kept(database: Database, settings: Settings) -> AsyncIterator[Keys]:
    upstream, desk = Upstream(SocketTransport()), office(database)
    connections = await connections_of(database, settings, desk.changes, upstream)
    keys = ProviderKeys(database, connections._vault, desk.changes, connections, upstream)
    yield Keys(connections, keys, Audit(database, connections._vault), database)
    await upstream.close()


async def test_each_key_is_sealed_for_itself_and_routing_sees_the_connection_once_for_each(kept: Keys) -> None:
    await kept.first()
    added = await kept.keys.add(OPERATOR, "east", Secret(SECOND), label="billing b", weight=3, rpm=60)
    assert (added.number, added.label, added.weight, added.rpm, added.key_hint) == (2, "billing b", 3, 60, SECOND[-4:])
    assert await kept.opened() == [FIRST, SECOND]
    one, two = kept.connections.snapshot()
    assert (one.name, one.models, one.base_url) == (two.name, two.models, two.base_url)
    assert (one.id != two.id, two.key_number, two.weight, two.rpm, two.key_name) == (True, 2, 3, 60, "east key 2")
    (shown,) = await kept.connections.list(OPERATOR)
    assert [key.number for key in shown.keys] == [2]


async def test_a_key_can_be_replaced_changed_taken_out_and_removed(kept: Keys) -> None:
    await kept.first()
    key = await kept.keys.add(OPERATOR, "east", Secret(SECOND))
    await kept.keys.set_secret(OPERATOR, key.id, Secret(THIRD))
    assert await kept.opened() == [FIRST, THIRD]
    changed = await kept.keys.update(OPERATOR, key.id, weight=5, tpm=1000, label="b")
    assert (changed.weight, changed.tpm, changed.label) == (5, 1000, "b")
    assert (await kept.keys.update(OPERATOR, key.id, tpm=0)).tpm is None
    entries = len((await kept.audit.page(OPERATOR, AuditFilter()))[0])
    await kept.keys.update(OPERATOR, key.id, weight=5, tpm=0, label="b")
    await kept.connections.set_weight(OPERATOR, "east", 1)
    assert len((await kept.audit.page(OPERATOR, AuditFilter()))[0]) == entries, "what changes nothing is no change"
    await kept.keys.disable(OPERATOR, key.id)
    assert [each.is_disabled for each in kept.connections.snapshot()] == [False, True]
    await kept.keys.enable(OPERATOR, key.id)
    await kept.keys.remove(OPERATOR, key.id)
    assert await kept.opened() == [FIRST]
    with pytest.raises(NotFound):
        await kept.keys.numbered(OPERATOR, "east", 2)


async def test_what_makes_no_sense_is_refused_before_anything_is_stored(kept: Keys) -> None:
    await kept.first()
    await kept.connections.add(OPERATOR, KIND, "none", "http://127.0.0.1:9/v1", None, is_private_allowed=True)
    await kept.keys.add(OPERATOR, "east", Secret(SECOND))
    for given_to, secret, more, code in (
        ("east", FIRST, {}, "key_known"),
        ("east", SECOND, {}, "key_known"),
        ("none", FIRST, {}, "key_required"),
        ("east", " ", {}, "key_required"),
        ("east", THIRD, {"weight": 0}, "invalid_weight"),
        ("east", THIRD, {"rpm": -1}, "invalid_quota"),
        ("gone", THIRD, {}, "provider_connection_not_found"),
    ):
        values: dict[str, Any] = dict(more)
        with pytest.raises(BrokerError) as refusal:
            await kept.keys.add(OPERATOR, given_to, Secret(secret), **values)
        assert refusal.value.code == code
    assert await kept.opened() == [FIRST, SECOND]


async def test_t20_no_key_follows_its_connection_to_another_address(kept: Keys) -> None:
    await kept.first()
    await kept.keys.add(OPERATOR, "east", Secret(SECOND))
    with pytest.raises(Unprocessable) as refusal:
        await kept.connections.set_address(
            OPERATOR, "east", "https://evil.example/v1", Secret(THIRD), is_private_allowed=False
        )
    assert refusal.value.code == "has_more_keys"
    assert await kept.opened() == [FIRST, SECOND]


async def test_keys_go_with_their_connection_and_every_change_is_in_the_log(kept: Keys) -> None:
    await kept.first()
    key = await kept.keys.add(OPERATOR, "east", Secret(SECOND))
    await kept.keys.disable(OPERATOR, key.id)
    await kept.connections.remove(OPERATOR, "east")
    assert kept.connections.snapshot() == ()
    entries, _ = await kept.audit.page(OPERATOR, AuditFilter(), 50)
    said = [entry.action for entry in entries]
    assert {"provider_key.add", "provider_key.disable", "connection.remove"} <= set(said)


async def test_only_admins_see_to_keys(kept: Keys) -> None:
    await kept.first()
    key = await kept.keys.add(OPERATOR, "east", Secret(SECOND))
    ada: Person = await person(kept.database, "ada@example.org")
    for refused in (
        kept.keys.add(ada, "east", Secret(THIRD)),
        kept.keys.set_secret(ada, key.id, Secret(THIRD)),
        kept.keys.update(ada, key.id, weight=2),
        kept.keys.disable(ada, key.id),
        kept.keys.enable(ada, key.id),
        kept.keys.remove(ada, key.id),
        kept.keys.test(ada, key.id),
        kept.keys.check(ada, "east", Secret(THIRD)),
        kept.keys.numbered(ada, "east", 2),
    ):
        with pytest.raises(PermissionDenied):
            await refused
    assert (await kept.connections.find(ada, "east")).keys == ()


async def test_a_live_test_tells_which_key_is_refused(kept: Keys) -> None:
    async with MockProvider(keys=(FIRST,)) as mock:
        await kept.connections.add(
            OPERATOR, KIND, "mock", mock.base_url, Secret(FIRST), is_private_allowed=True, models=["fast"]
        )
        key = await kept.keys.add(OPERATOR, "mock", Secret(SECOND))
        assert (await kept.keys.test(OPERATOR, key.id)).code == "upstream_auth_failed"
        assert (await kept.keys.check(OPERATOR, "mock", Secret(THIRD))).is_rejected
        assert (await kept.connections.test(OPERATOR, "mock")).is_ok
    (shown,) = await kept.connections.list(OPERATOR)
    assert (shown.has_failed_test, shown.keys[0].has_failed_test) == (False, True)


def keyed(name: str, *weights: int, **more: Any) -> tuple[ConnectionView, ...]:
    """A connection with as many keys, by their weights."""
    first = view(name, weight=weights[0], **more)
    rest = (
        replace(first, id=f"{first.id}_{n}", weight=weight, key_number=n, first_weight=first.weight)
        for n, weight in enumerate(weights[1:], start=2)
    )
    return (first, *rest)


def decide(router: Router, snapshot: tuple[ConnectionView, ...], terms: Terms | None = None) -> Decided:
    return router.decide(WHO, ClientRequest(Ask("chat", "chat", {})), terms, snapshot)


def firsts(router: Router, snapshot: tuple[ConnectionView, ...], calls: int, terms: Terms | None = None) -> list[str]:
    found = []
    for _ in range(calls):
        decided = decide(router, snapshot, terms)
        found.append(decided.candidates[0].connection.id)
        router.went("cli_1", decided)
    return found


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_keys_take_turns_exactly_by_weight_and_whoever_is_behind_their_connection_stays_behind(
    weights: list[int],
) -> None:
    router, snapshot = Router(), (*keyed("a", *weights), view("b"))
    counted = Counter(firsts(router, snapshot, sum(weights) * 2))
    ids = [each.id for each in snapshot if each.name == "a"]
    assert [counted[each] for each in ids] == [2 * weight for weight in weights]
    order = [each.connection.name for each in decide(router, snapshot).candidates]
    assert order == ["a"] * len(weights) + ["b"], "the second connection is still the fallback, behind every key"


def test_keys_take_turns_in_a_chain_too_and_a_client_reads_no_more_than_a_number() -> None:
    router, snapshot = Router(), (*keyed("a", 1, 1), *keyed("b", 1, 1))
    terms = Terms(order=("b", "a"))
    assert Counter(firsts(router, snapshot, 4, terms)) == {"con_b": 2, "con_b_2": 2}
    reasons = {each.connection.id: each.reason for each in decide(router, snapshot, terms).candidates}
    assert reasons["con_b_2"] == "preference 1, key 2"
    assert reasons["con_a"] == "preference 2"


def test_a_refused_key_is_left_for_the_others() -> None:
    health = ConnectionHealth()
    router, snapshot = Router(health=health), (*keyed("a", 1, 1), view("b"))
    refused = AttemptFailure(401, "upstream_auth_failed", "no", Blame.FAILOVER, upstream_status=401)
    for _ in range(3):
        health.failed("con_a_2", refused, "fast")
    assert set(firsts(router, snapshot, 6)) == {"con_a"}


def test_a_decision_names_a_connection_once_however_many_keys_it_has() -> None:
    said = decided([*keyed("a", 1, 1, 1), view("b")], Terms(only=frozenset({"b"})))
    assert [(one.connection, one.rule) for one in said.removed] == [("a", "only")]


def test_without_further_keys_a_decision_is_as_fixed_as_before() -> None:
    router, snapshot = Router(), (view("a"), view("b"))
    assert decide(router, snapshot) is decide(router, snapshot)
