"""How long a session lives, what resolving it costs, and how soon an ended one is forgotten."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import event
from sqlmodel import select, update

from aiservice.errors import Overloaded
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import Role
from aiservice.services import sessions as module
from aiservice.services.accounts import Accounts, Browser, SignedIn
from aiservice.services.changes import ChangeFeed
from aiservice.settings import Settings
from aiservice.store import portal_sessions as store
from aiservice.store.session import Database
from aiservice.tables import PortalSession
from tests.services.people import BROWSER, ROOT, accounts_of

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


class Clock:
    """A clock to set forward."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return now_us() + self.ahead_us


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "now_us", clock)
    return clock


@pytest.fixture
def feed(database: Database) -> ChangeFeed:
    return ChangeFeed(database)


@pytest.fixture
async def accounts(database: Database, settings: Settings, feed: ChangeFeed) -> Accounts:
    accounts = accounts_of(database, settings, feed)
    await accounts.create_user(ROOT, EMAIL, PASSWORD, Role.DEVELOPER)
    return accounts


@pytest.fixture
async def signed_in(accounts: Accounts, clock: Clock) -> SignedIn:
    return await accounts.sign_in(EMAIL, PASSWORD, BROWSER)


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    """Every statement that the database is given."""
    seen: list[str] = []
    engines = {database._writer.sync_engine}  # of which on PostgreSQL the reader is a part
    if database.is_sqlite:
        engines.add(database.engine.sync_engine)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def test_thirty_idle_minutes_end_a_session(accounts: Accounts, signed_in: SignedIn, clock: Clock) -> None:
    clock.ahead_us = 29 * MINUTE_US
    assert await accounts.resolve(signed_in.cookie) is not None
    clock.ahead_us += 29 * MINUTE_US
    assert await accounts.resolve(signed_in.cookie) is not None, "using it kept it alive"
    clock.ahead_us += 30 * MINUTE_US
    assert await accounts.resolve(signed_in.cookie) is None
    assert await accounts.sessions_of(signed_in.person) == []


async def test_twelve_hours_end_a_session_however_busy(accounts: Accounts, signed_in: SignedIn, clock: Clock) -> None:
    while clock.ahead_us < 12 * HOUR_US - 20 * MINUTE_US:
        clock.ahead_us += 20 * MINUTE_US
        assert await accounts.resolve(signed_in.cookie) is not None
    clock.ahead_us += 20 * MINUTE_US
    assert await accounts.resolve(signed_in.cookie) is None


async def test_a_cached_session_ends_on_time_too(
    accounts: Accounts, signed_in: SignedIn, feed: ChangeFeed, clock: Clock
) -> None:
    await feed.poll_once()
    assert await accounts.resolve(signed_in.cookie) is not None
    clock.ahead_us = 30 * MINUTE_US
    assert await accounts.resolve(signed_in.cookie) is None


async def test_the_last_use_is_written_at_most_once_a_minute(
    accounts: Accounts, signed_in: SignedIn, clock: Clock, statements: list[str]
) -> None:
    for _ in range(20):
        clock.ahead_us += 10_000_000
        assert await accounts.resolve(signed_in.cookie) is not None
    assert sum(statement.startswith("UPDATE portal_session") for statement in statements) == 3


async def test_a_burst_of_events_costs_one_query(
    accounts: Accounts, signed_in: SignedIn, feed: ChangeFeed, statements: list[str]
) -> None:
    await feed.poll_once()
    statements.clear()
    began = time.perf_counter()
    for _ in range(1000):
        assert await accounts.resolve(signed_in.cookie) == signed_in.person
    print(f"cached resolve: {(time.perf_counter() - began) * 1000:.1f} µs")
    assert len([s for s in statements if not s.startswith("BEGIN")]) == 1


async def test_an_unread_change_feed_means_no_memory_is_trusted(
    accounts: Accounts, signed_in: SignedIn, database: Database, settings: Settings
) -> None:
    assert await accounts.resolve(signed_in.cookie) is not None
    await accounts_of(database, settings).disable_user(ROOT, EMAIL)
    assert await accounts.resolve(signed_in.cookie) is None


async def test_the_memory_lasts_at_most_five_seconds(
    accounts: Accounts, signed_in: SignedIn, feed: ChangeFeed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.poll_once()
    assert await accounts.resolve(signed_in.cookie) is not None
    async with database.write() as session:  # a change that nobody published
        await session.execute(update(PortalSession).values(expires_us=1))
    assert await accounts.resolve(signed_in.cookie) is not None
    later = time.monotonic() + 5
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert await accounts.resolve(signed_in.cookie) is None


async def test_a_session_ended_while_it_is_read_is_not_remembered(
    accounts: Accounts, signed_in: SignedIn, feed: ChangeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.poll_once()
    real, is_read, may_go_on = store.with_user, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: object) -> object:
        found = await real(*arguments)  # type: ignore[arg-type]
        is_read.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(store, "with_user", slow)
    reading = asyncio.create_task(accounts.resolve(signed_in.cookie))
    await is_read.wait()
    monkeypatch.setattr(store, "with_user", real)
    await accounts.sign_out(signed_in.cookie)
    may_go_on.set()
    await reading
    assert await accounts.resolve(signed_in.cookie) is None


async def test_without_the_database_nobody_is_signed_in(
    accounts: Accounts, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(store, "with_user", away)
    with pytest.raises(Overloaded):
        await accounts.resolve(signed_in.cookie)


@pytest.mark.parametrize("cookie", [None, "", "x", "A" * 43, "\0", "é" * 43])
async def test_what_is_no_session_is_nobody(accounts: Accounts, cookie: str | None) -> None:
    assert await accounts.resolve(cookie) is None


async def test_a_browsers_words_are_kept_short_and_printable(accounts: Accounts) -> None:
    signed_in = await accounts.sign_in(EMAIL, PASSWORD, Browser("192.0.2.1", "Mozilla\r\n\x1b[31m" + "x" * 1000))
    (session,) = await accounts.sessions_of(signed_in.person)
    assert len(session.user_agent) == 256
    assert session.user_agent.isprintable()
    assert session.address == "192.0.2.1"


async def test_rows_of_old_sessions_are_purged_after_thirty_days(
    accounts: Accounts, signed_in: SignedIn, database: Database
) -> None:
    await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    async with database.write() as session:
        await session.execute(update(PortalSession).where(PortalSession.id_hash == signed_in.person.session_hash)  # type: ignore[arg-type]
                              .values(created_us=now_us() - 31 * DAY_US))  # fmt: skip
    await accounts.purge()
    async with database.read() as session:
        assert len(list((await session.execute(select(PortalSession))).scalars())) == 1
