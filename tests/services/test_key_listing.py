"""The list of keys: narrowed and turned either way, each key with its month, its tightest limit and who still uses its
old secret; to each person only what is theirs."""

import time

import pytest
from sqlalchemy import text

from aiservice.errors import InvalidRequest, NotFound
from aiservice.jobs.rollup import fold
from aiservice.kit.clock import DAY_US, HOUR_US, now_us
from aiservice.kit.keyformat import parse
from aiservice.services.key_listing import DAYS, KeyFilter, KeyListing, KeyPage, StateName
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.limiter import Limiter
from aiservice.services.usage import Usage
from tests.services.key_rig import ADMIN, DEVELOPER, STRANGER, Rig
from tests.services.usage_rows import put, row_of


@pytest.fixture
def listing(rig: Rig) -> KeyListing:
    return KeyListing(rig.db, Limiter(), KeyPolicy())


def names(page: KeyPage) -> list[str]:
    return [line.key.name for line in page.lines]


async def make(rig: Rig, *called: str, client: str = "acme") -> dict[str, str]:
    """Keys, one after the other, by name: their ids sort by time to the millisecond."""
    ids = {}
    for name in called:
        ids[name] = (await rig.keys.create(ADMIN, client, name)).id
        time.sleep(0.002)
    return ids


async def test_pages_go_both_ways_and_end_where_there_is_nothing(rig: Rig, listing: KeyListing) -> None:
    await make(rig, *"abcdefg")
    first = await listing.page(DEVELOPER, KeyFilter(), 3)
    second = await listing.page(DEVELOPER, KeyFilter(), 3, before=first.next_before)
    third = await listing.page(DEVELOPER, KeyFilter(), 3, before=second.next_before)
    assert [names(page) for page in (first, second, third)] == [["g", "f", "e"], ["d", "c", "b"], ["a"]]
    assert (first.next_after, third.next_before, first.total) == ("", "", 7)
    back = await listing.page(DEVELOPER, KeyFilter(), 3, after=third.next_after)
    assert names(back) == ["d", "c", "b"]
    assert names(await listing.page(DEVELOPER, KeyFilter(), 3, after=back.next_after)) == ["g", "f", "e"]


async def test_nobody_sees_or_finds_what_is_others(rig: Rig, listing: KeyListing) -> None:
    await make(rig, "mine")
    await make(rig, "nobodys", client="narrow")
    assert names(await listing.page(DEVELOPER, KeyFilter())) == ["mine"]
    assert names(await listing.page(DEVELOPER, KeyFilter(text="nobodys"))) == []
    assert names(await listing.page(STRANGER, KeyFilter(text="mine"))) == []
    assert names(await listing.page(ADMIN, KeyFilter())) == ["nobodys", "mine"]
    with pytest.raises(NotFound):
        await listing.page(DEVELOPER, KeyFilter(client="narrow"))


async def test_a_text_is_looked_for_in_every_name_and_id(rig: Rig, listing: KeyListing) -> None:
    made = await rig.keys.create(ADMIN, "acme", "50% of_it")
    await make(rig, "other", client="narrow")
    public_id = parse(made.key.reveal_text()) or ""
    for sought in ("0% OF_", "acm", "dev@example", made.id, public_id, f"ais_live_{public_id}…"):
        assert names(await listing.page(ADMIN, KeyFilter(text=sought))) == ["50% of_it"], sought
    assert names(await listing.page(ADMIN, KeyFilter(text="50_ of"))) == []


async def test_keys_are_found_by_how_they_stand(rig: Rig, listing: KeyListing) -> None:
    ids = await make(rig, "fresh", "rolled", "idle", "ended", "revoked", "leaked")
    await rig.keys.roll(ADMIN, ids["rolled"])
    await rig.keys.revoke(ADMIN, ids["revoked"])
    async with rig.db.write() as session:
        for column, name, at in (
            ("created_us", "idle", now_us() - 100 * DAY_US),
            ("expires_us", "ended", now_us() - 1),
            ("leaked_us", "leaked", now_us()),
        ):
            await session.execute(
                text(f"UPDATE client_key SET {column} = :at WHERE id = :id"), {"at": at, "id": ids[name]}
            )
    expected: dict[StateName, list[str]] = {
        "": ["leaked", "revoked", "ended", "idle", "rolled", "fresh"],
        "working": ["leaked", "idle", "rolled", "fresh"],
        "rolling": ["rolled"],
        "idle": ["idle"],
        "leaked": ["leaked"],
        "expired": ["ended"],
        "revoked": ["revoked"],
    }
    for state, found in expected.items():
        assert names(await listing.page(DEVELOPER, KeyFilter(state=state))) == found, state
    with pytest.raises(InvalidRequest):
        await listing.page(DEVELOPER, KeyFilter(state="odd"))  # type: ignore[arg-type]


@pytest.mark.parametrize("is_folded", [False, True])
async def test_a_key_shows_its_month_with_what_failed(rig: Rig, listing: KeyListing, is_folded: bool) -> None:
    ids = await make(rig, "busy", "quiet")
    now = now_us()
    of_busy = {"client_id": "cli_1", "key_id": ids["busy"]}
    await put(
        rig.db,
        row_of("r1", started_us=now, **of_busy),
        row_of("r2", started_us=now, status=502, outcome="failed", **of_busy),
        row_of("r3", started_us=now - 3 * DAY_US, **of_busy),
        row_of("r4", started_us=now - 40 * DAY_US, **of_busy),
        row_of("r5", started_us=now, client_id="cli_1", key_id="key_of_others"),
    )
    if is_folded:
        await fold(Usage(rig.db))
    quiet, busy = (await listing.page(DEVELOPER, KeyFilter())).lines
    assert quiet.days == ((0, 0),) * DAYS
    assert (busy.days[-1], busy.days[-4]) == ((2, 1), (1, 0))
    assert sum(requests for requests, _ in busy.days) == 3


async def test_the_limit_that_binds_first_is_shown(rig: Rig) -> None:
    limits = {"requests/minute": 100, "requests/day": 5, "concurrency": 9}
    made = await rig.keys.create(ADMIN, "acme", "k", limits=limits)
    principal = await rig.keys.verify(made.key.reveal_text(), address="203.0.113.7")
    limiter = Limiter()
    for lease in ("one", "two"):
        limiter.admit_here(limiter.plan(principal), lease, "chat", 10, 500).settle(10)
    [line] = (await KeyListing(rig.db, limiter, KeyPolicy()).page(DEVELOPER, KeyFilter())).lines
    assert line.tightest is not None
    assert (line.tightest.limit.name, line.tightest.used) == ("requests/day", 2)


async def test_calls_with_a_secret_on_its_way_out_are_counted_for_an_hour(rig: Rig, listing: KeyListing) -> None:
    old = await rig.keys.create(ADMIN, "acme", "k")
    await rig.verify(old)
    new = await rig.keys.roll(ADMIN, old.id)
    for key in (old, old, new, old):
        await rig.verify(key)
    await rig.keys.flush_last_used()
    await rig.verify(old)
    await rig.keys.flush_last_used()
    [line] = (await listing.page(DEVELOPER, KeyFilter())).lines
    assert (line.key.state, line.outgoing_calls) == ("rolling", 4)
    async with rig.db.write() as session:
        await session.execute(text("UPDATE outgoing_use SET start_us = start_us - :hour"), {"hour": 2 * HOUR_US})
    [line] = (await listing.page(DEVELOPER, KeyFilter())).lines
    assert line.outgoing_calls == 0
    await rig.verify(old)
    await rig.keys.flush_last_used()
    async with rig.db.read() as session:
        assert await session.scalar(text("SELECT COUNT(*) FROM outgoing_use")) == 1  # what is old is gone
