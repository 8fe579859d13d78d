"""Guessing passwords: what reaches the hash, who is delayed, who is not (T-64), and what can be told apart (T-65)."""

import asyncio
import random
import statistics
import time

import pytest
from sqlmodel import select, update

from aiservice.errors import BrokerError, Overloaded, RateLimited, Unauthenticated
from aiservice.kit.clock import now_us
from aiservice.kit.passwords import Passwords, PasswordsBusy
from aiservice.principal import Role
from aiservice.services import sign_in_limits
from aiservice.services.accounts import Accounts, Browser
from aiservice.settings import Settings
from aiservice.store import sign_in_attempts
from aiservice.store.session import Database
from aiservice.tables import SignInAttempt
from tests.services.people import BROWSER, ROOT, accounts_of

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


@pytest.fixture
async def accounts(database: Database, settings: Settings) -> Accounts:
    accounts = accounts_of(database, settings)
    await accounts.create_user(ROOT, EMAIL, PASSWORD, Role.DEVELOPER)
    return accounts


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that reached the hash. Only the right one is hashed for real, to keep the tests short."""
    seen: list[str] = []
    real = Passwords.verify

    async def verify(self: Passwords, password: str, stored: str | None) -> bool:
        seen.append(password)
        await asyncio.sleep(0)
        return await real(self, password, stored) if password == PASSWORD else False

    monkeypatch.setattr(Passwords, "verify", verify)
    return seen


async def outcome(accounts: Accounts, email: str, password: str, address: str) -> str:
    try:
        await accounts.sign_in(email, password, Browser(address))
    except BrokerError as error:
        return error.code
    return "in"


@pytest.mark.long_on_postgres
async def test_t64_of_a_thousand_guesses_ten_reach_the_hash_and_the_owner_still_gets_in(
    accounts: Accounts, verified: list[str]
) -> None:
    await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    verified.clear()
    for start in range(0, 1000, 50):
        outcomes = await asyncio.gather(
            *(
                outcome(accounts, EMAIL, f"guess number {n}", f"203.0.{n % 250}.{random.randrange(1, 250)}")
                for n in range(start, start + 50)
            )
        )
        assert "in" not in outcomes
    assert len(verified) <= 10
    assert await outcome(accounts, EMAIL, PASSWORD, "203.0.113.77") == "too_many_attempts", "a stranger is delayed"
    assert await outcome(accounts, EMAIL, PASSWORD, BROWSER.address) == "in", "the owner is not"


async def test_t64_the_count_holds_over_workers_and_restarts(
    accounts: Accounts, database: Database, settings: Settings, verified: list[str]
) -> None:
    others = [accounts, accounts_of(database, settings), accounts_of(database, settings)]
    await asyncio.gather(*(outcome(others[n % 3], EMAIL, f"guess {n} ....", f"198.51.100.{n}") for n in range(60)))
    assert len(verified) == 10
    assert await outcome(accounts_of(database, settings), EMAIL, PASSWORD, "198.51.100.99") == "too_many_attempts"


async def test_t64_it_is_a_delay_and_says_how_long(
    accounts: Accounts, database: Database, verified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(10):
        await outcome(accounts, EMAIL, f"guess {n} ....", "198.51.100.1")
    with pytest.raises(RateLimited) as refused:
        await accounts.sign_in(EMAIL, PASSWORD, Browser("198.51.100.1"))
    assert refused.value.retry_after is not None
    assert 14 * 60 < refused.value.retry_after <= 15 * 60
    assert "15 minutes" in refused.value.message
    later = now_us() + sign_in_limits.WINDOW_US
    monkeypatch.setattr(sign_in_limits, "now_us", lambda: later)
    assert await outcome(accounts, EMAIL, PASSWORD, "198.51.100.1") == "in"


async def test_t64_refused_tries_do_not_prolong_the_delay(
    accounts: Accounts, database: Database, verified: list[str]
) -> None:
    for n in range(30):
        await outcome(accounts, EMAIL, f"guess {n} ....", "198.51.100.1")
    async with database.read() as session:
        rows = list((await session.execute(select(SignInAttempt))).scalars())
    assert len(rows) == 10 * 3


async def test_t64_one_address_cannot_try_many_accounts(accounts: Accounts, verified: list[str]) -> None:
    outcomes = [await outcome(accounts, f"user{n}@example.org", "guess ....", "198.51.100.1") for n in range(60)]
    assert outcomes == ["wrong_credentials"] * 50 + ["too_many_attempts"] * 10
    assert await outcome(accounts, EMAIL, PASSWORD, "198.51.100.2") == "in"


async def test_t64_an_ipv6_site_is_one_address(accounts: Accounts, verified: list[str]) -> None:
    for n in range(60):
        await outcome(accounts, f"user{n}@example.org", "guess ....", f"2001:db8::{n:x}")
    assert len(verified) == 50


async def test_t64_all_strangers_together_are_limited_and_owners_are_not(
    accounts: Accounts, verified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    monkeypatch.setattr(sign_in_limits, "FOR_EVERYBODY", 20)
    verified.clear()
    for n in range(40):
        await outcome(accounts, f"user{n}@example.org", "guess ....", f"198.51.100.{n}")
    assert len(verified) == 20
    assert await outcome(accounts, EMAIL, PASSWORD, BROWSER.address) == "in"


async def test_t64_at_the_owners_own_address_guesses_are_limited_too(accounts: Accounts, verified: list[str]) -> None:
    await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    verified.clear()
    for n in range(30):
        await outcome(accounts, EMAIL, f"guess {n} ....", BROWSER.address)
    assert len(verified) == 10


async def test_t64_signing_in_rightly_uses_nothing_up(
    accounts: Accounts, database: Database, verified: list[str]
) -> None:
    for n in range(11):  # one more than may be wrong
        assert await outcome(accounts, EMAIL, PASSWORD, f"198.51.100.{n}") == "in"
    async with database.read() as session:
        assert not list((await session.execute(select(SignInAttempt))).scalars())


async def test_t64_a_signed_in_thief_cannot_guess_the_password_either(accounts: Accounts, verified: list[str]) -> None:
    signed_in = await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    verified.clear()
    for n in range(20):
        with pytest.raises((Unauthenticated, RateLimited)):
            await accounts.change_password(signed_in.person, f"guess {n} ....", PASSWORD, BROWSER)
    assert len(verified) == 10


async def test_t64_without_the_database_nobody_signs_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, verified: list[str]
) -> None:
    async def away(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(sign_in_attempts, "add", away)
    with pytest.raises(Overloaded) as refused:
        await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    assert refused.value.code == "database_unavailable"
    assert verified == []


async def test_a_try_that_found_no_free_hasher_is_not_counted(
    accounts: Accounts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> bool:
        raise PasswordsBusy

    monkeypatch.setattr(Passwords, "verify", busy)
    with pytest.raises(Overloaded):
        await accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    async with database.read() as session:
        assert not list((await session.execute(select(SignInAttempt))).scalars())


async def test_a_password_set_by_an_admin_ends_the_delay(accounts: Accounts, verified: list[str]) -> None:
    for n in range(12):
        await outcome(accounts, EMAIL, f"guess {n} ....", "198.51.100.1")
    await accounts.reset_password(ROOT, EMAIL, PASSWORD)
    assert await outcome(accounts, EMAIL, PASSWORD, "198.51.100.2") == "in"


async def test_the_table_names_neither_account_nor_address(accounts: Accounts, database: Database) -> None:
    with pytest.raises(Unauthenticated):
        await accounts.sign_in(EMAIL, "wrong password", BROWSER)
    async with database.read() as session:
        for row in (await session.execute(select(SignInAttempt))).scalars():
            assert len(row.subject) == 64
            assert int(row.subject, 16)


async def test_old_attempts_are_purged(accounts: Accounts, database: Database, verified: list[str]) -> None:
    await outcome(accounts, EMAIL, "guess ....", "198.51.100.1")
    async with database.write() as session:
        await session.execute(update(SignInAttempt).values(at_us=1))
    await accounts.purge()
    async with database.read() as session:
        assert not list((await session.execute(select(SignInAttempt))).scalars())


@pytest.mark.sqlite_only("what takes the time is the hash")
async def test_t65_an_unknown_account_takes_as_long_as_a_wrong_password(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PER_ACCOUNT", "PER_ADDRESS"):
        monkeypatch.setattr(sign_in_limits, name, 10_000)
    seconds: dict[str, list[float]] = {EMAIL: [], "nobody@example.org": []}
    for turn in range(1, 76):
        for email in list(seconds) if turn % 2 else list(seconds)[::-1]:
            began = time.perf_counter()
            with pytest.raises(Unauthenticated):
                await accounts.sign_in(email, "the wrong password", BROWSER)
            seconds[email].append(time.perf_counter() - began)
        known, unknown = (statistics.median(taken) for taken in seconds.values())
        if turn in (25, 50) and abs(known - unknown) < 0.1 * known:
            break  # on a busy machine the medians need longer to settle
    print(f"wrong password {known * 1000:.1f} ms, unknown account {unknown * 1000:.1f} ms (medians of {turn})")
    assert abs(known - unknown) < 0.1 * known
