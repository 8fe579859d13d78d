"""What a worker sees of a client's minute, and that it is written once however often it is written."""

from sqlmodel import select

from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.services.abuse_observing import MAX_NETWORKS, MAX_PROMPTS, Observer, Seen, network_hash, note_prompt
from aiservice.store.session import Database
from aiservice.tables import AbuseMinute


async def stored(db: Database) -> list[AbuseMinute]:
    async with db.read() as session:
        return list(await session.scalars(select(AbuseMinute)))


async def test_a_minute_is_written_with_its_networks_and_what_was_asked_again(db: Database) -> None:
    observer, at = Observer(db, "wrk_1"), now_us()
    for body in (b"one", b"same", b"same", b"same"):
        note_prompt(observer.request("cli_1", "203.0.113.7", at), body)
    observer.request("cli_1", "198.51.100.1", at)
    observer.failure("cli_1")
    assert await observer.flush() >= 1
    rows = await stored(db)
    assert sum(row.requests for row in rows) == 5
    assert sum(row.failures for row in rows) == 1
    row = next(row for row in rows if row.start_us == at // MINUTE_US * MINUTE_US)
    assert sorted(row.networks.values()) == [1, 4]
    assert list(row.prompts.values()) == [3]


async def test_written_again_it_counts_once(db: Database) -> None:
    observer, at = Observer(db, "wrk_1"), now_us()
    observer.request("cli_1", "203.0.113.7", at)
    await observer.flush()
    assert await observer.flush() == 0
    observer.request("cli_1", "203.0.113.7", at)
    await observer.flush()
    assert [row.requests for row in await stored(db)] == [2]


async def test_memory_is_bounded(db: Database) -> None:
    observer, at = Observer(db, "wrk_1"), now_us()
    seen = Seen()
    for number in range(2_000):
        seen = observer.request("cli_1", f"10.{number % 200}.{number // 200}.1", at)
        note_prompt(seen, b"%d" % number)
    assert len(seen.networks) == MAX_NETWORKS + 1
    assert len(seen.prompts) <= MAX_PROMPTS
    assert sum(seen.networks.values()) == 2_000


def test_neighbours_are_one_network() -> None:
    assert network_hash("203.0.113.7") == network_hash("203.0.113.200") == network_hash("::ffff:203.0.113.9")
    assert network_hash("203.0.113.7") != network_hash("203.0.114.7")
    assert network_hash("2001:db8:1:2::1") == network_hash("2001:db8:1:ffff::1")
    assert network_hash("unknown") == network_hash("unknown")
