"""The answer cache's keys, its memory, and what leaves the process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.clock import now_us
from aiservice.principal import OPERATOR, Principal
from aiservice.services.answer_cache import AnswerCache, Asked
from aiservice.services.bodies import Bodies
from aiservice.services.cache_policies import CachePolicies
from aiservice.services.cache_seal import CacheSeal
from aiservice.services.cache_tally import CacheTally
from aiservice.services.cache_terms import CacheRule
from aiservice.services.cached_answer import AnswerMemory, CachedAnswer
from aiservice.services.changes import ChangeFeed
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.store.shared import Shared
from tests.harness.databases import RedisServer

HOUR = 3_600_000_000
PLANTED = b"PLANTED prompt 7f3a91"
Make = Callable[[Shared | None], AnswerCache]
words = st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
principals = st.builds(
    Principal,
    client_id=st.sampled_from(["cli_1", "cli_2"]),
    client_name=words,
    key_id=words,
    public_id=words,
    team_id=st.sampled_from([None, "tea_1", "tea_2"]),
)
questions = st.builds(
    Asked,
    st.sampled_from(["chat.completions", "messages"]),
    st.lists(words, max_size=2),
    st.tuples(words),
    st.dictionaries(words, values, max_size=3),
)


def answer(text: bytes = b"{}", client_id: str = "cli_1", seconds: int = 3600) -> CachedAnswer:
    return CachedAnswer(client_id, "req_1", now_us(), now_us() + seconds * 1_000_000, text)


@pytest.fixture
async def make(db: Database, settings: Settings) -> Make:
    vault = Vault(db, settings)
    await vault.open()

    def made(shared: Shared | None) -> AnswerCache:
        changes = ChangeFeed(db)
        bodies = Bodies(db, vault)
        bodies.tell_shredded = lambda session, client: changes.publish(session, "cache", client)
        parts = CachePolicies(db, changes), CacheTally(db), vault, CacheSeal(bodies)
        return AnswerCache(*parts, shared=shared, most_bytes=1 << 20)

    return made


class OpenVault:
    """A vault's part in a key."""

    is_sealed = False

    def derive(self, purpose: bytes) -> bytes:
        return purpose.ljust(32, b"-")


def keys() -> AnswerCache:
    class Policies:
        purged_us: dict[str, int] = {}  # noqa: RUF012

    return AnswerCache(Policies(), None, OpenVault(), None, shared=None, most_bytes=1)  # type: ignore[arg-type]


@given(principals, principals, questions, st.sampled_from(["client", "team"]))
def test_t77_two_that_share_nothing_never_have_the_same_key(
    one: Principal, other: Principal, asked: Asked, shared_by: str
) -> None:
    """The property of the whole cache: the same question of two tenants, whatever it is, is two questions."""
    rule = CacheRule("on", shared_by=shared_by)
    is_of_one = one.client_id == other.client_id
    if shared_by == "team" and (one.team_id or other.team_id):
        is_of_one = one.team_id == other.team_id
    cache = keys()
    assert (cache.key_of(one, rule, asked) == cache.key_of(other, rule, asked)) is is_of_one


@given(principals, questions, questions)
def test_two_questions_have_one_key_only_if_they_are_the_same(who: Principal, one: Asked, other: Asked) -> None:
    cache, rule = keys(), CacheRule("on")
    plain = [(asked.surface, sorted(asked.places), asked.said, repr(_sorted(asked.body))) for asked in (one, other)]
    assert (cache.key_of(who, rule, one) == cache.key_of(who, rule, other)) is (plain[0] == plain[1])


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return [(name, _sorted(inner)) for name, inner in sorted(value.items())]
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


def test_the_order_of_fields_and_of_places_is_no_difference() -> None:
    who, cache = Principal("cli_1", "app", "key_1", "pub"), keys()
    bodies = [{"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}]
    found = {
        cache.key_of(who, CacheRule(), Asked("s", p, (), b))
        for p, b in zip((["x", "y"], ["y", "x"]), bodies, strict=True)
    }
    assert len(found) == 1
    assert cache.key_of(who, CacheRule(), Asked("s", [], (), {"n": 2**80})) is None


def test_the_memory_holds_so_many_bytes_and_forgets_the_least_used() -> None:
    memory = AnswerMemory(10_000)
    for number in range(20):
        memory.put(b"%d" % number, answer(b"x" * 600))
        memory.get(b"0")
    assert memory.held_bytes <= 10_000
    assert (len(memory), memory.evicted) == (10, 10)
    assert memory.get(b"0") is not None
    assert memory.get(b"1") is None
    memory.put(b"large", answer(b"x" * 5_000))
    assert memory.get(b"large") is None


def test_a_client_with_ever_new_questions_makes_room_from_its_own_answers() -> None:
    memory = AnswerMemory(100_000)
    for number in range(30):
        memory.put(b"calm %d" % number, answer(b"x" * 600, client_id="cli_calm"))
    for number in range(1_000):
        memory.put(b"hasty %d" % number, answer(b"x" * 600, client_id="cli_hasty"))
    assert all(memory.get(b"calm %d" % number) for number in range(30))
    assert memory.get(b"hasty 999") is not None
    for number in range(300):  # who uses little has the room that nobody else's share needs
        memory.put(b"calm %d" % number, answer(b"x" * 600, client_id="cli_calm"))
    assert memory.get(b"calm 299") is not None
    assert memory.get(b"hasty 999") is not None


@given(st.lists(st.tuples(st.sampled_from("pgrc"), st.integers(0, 12), st.integers(0, 3), st.integers(0, 700))))
def test_whatever_is_done_to_the_memory_its_sums_are_those_of_what_it_holds(
    acts: list[tuple[str, int, int, int]],
) -> None:
    memory = AnswerMemory(6_000)
    for act, number, client, size in acts:
        key, client_id = b"%d" % number, f"cli_{client}"
        if act == "p":
            memory.put(key, answer(b"x" * size, client_id=client_id))
        elif act == "g":
            memory.get(key)
        elif act == "r":
            memory.remove(key)
        else:
            memory.remove_of(client_id)
        held = [each for each in map(memory.get, [b"%d" % n for n in range(13)]) if each is not None]
        assert memory.held_bytes == sum(len(each.packed) + 400 for each in held) <= 6_000
        assert len(memory) == len(held)
        assert act != "c" or all(each.client_id != client_id for each in held)


def test_the_memory_gives_out_nothing_whose_time_is_over() -> None:
    memory = AnswerMemory(10_000)
    memory.put(b"a", answer(seconds=0))
    assert memory.get(b"a") is None
    assert (len(memory), memory.held_bytes) == (0, 0)


async def test_an_answer_opens_for_its_key_and_client_alone(make: Make) -> None:
    seal = make(None)._seal
    kept = answer(PLANTED)
    value = await seal.seal(b"key-1", kept)
    assert value is not None
    assert PLANTED not in value
    assert await seal.open(b"key-1", value) == kept
    for forged in (value[:-1] + b"\0", value.replace(b"cli_1", b"cli_2"), value[:9], b"", b"\x02" + value[1:]):
        assert await seal.open(b"key-1", forged) is None
    assert await seal.open(b"key-2", value) is None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.mark.redis
async def test_another_worker_finds_what_one_kept_until_its_client_is_shredded(
    make: Make, redis: RedisServer, db: Database
) -> None:
    shared = Shared(redis.url, "one")
    one, other = make(shared), make(shared)
    one.keep(b"key-1", answer(PLANTED))
    await one.settled()
    found = await other.find_shared(b"key-1")
    assert (found is not None and found.packed, await other.find_shared(b"key-2")) == (PLANTED, None)
    await one._seal._bodies.shred_client(OPERATOR, "acme")
    other.on_change("cache", "cli_1")
    assert (other.find(b"key-1"), await other.find_shared(b"key-1")) == (None, None)
    await shared.close()


@pytest.mark.redis
async def test_what_redis_keeps_is_sealed_and_goes_with_its_time(make: Make, redis: RedisServer) -> None:
    shared = Shared(redis.url, "one")
    cache = make(shared)
    cache.keep(b"key-1", answer(PLANTED, seconds=90))
    await cache.settled()
    [name] = [name async for name in shared._redis.scan_iter()]
    assert 0 < await shared._redis.ttl(name) <= 90
    assert PLANTED not in await shared._redis.get(name)
    await shared.close()


@pytest.mark.redis
async def test_without_redis_a_look_finds_nothing_and_harms_nobody(make: Make, redis: RedisServer) -> None:
    shared = Shared(redis.url, "one")
    cache = make(shared)
    redis.kill()
    cache.keep(b"key-1", answer(PLANTED))
    await cache.settled()
    assert await cache.find_shared(b"key-1") is None
    assert cache.find(b"key-1") is not None
    await shared.close()
