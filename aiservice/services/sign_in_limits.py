"""The sign-in limiter: how many guesses reach the password hash. Counted in the database, so it holds over workers
and restarts; delays, never locks.

Strangers share one small allowance per account, so a crowd of addresses gains nothing. An address from which the
person signed in before has an allowance of its own, so strangers cannot keep the owner out. Fails closed: an attempt
is written down before the password is looked at, and without the database nobody signs in.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Protocol

from aiservice.errors import RateLimited
from aiservice.kit.addresses import site_of
from aiservice.kit.clock import DAY_US, MINUTE_US, SECOND_US, now_us
from aiservice.store import sign_in_attempts as store
from aiservice.store.session import AsyncSession, Database

WINDOW_US = 15 * MINUTE_US
PER_ACCOUNT = 10
PER_ADDRESS = 50
FOR_EVERYBODY = 1000
SIGN_UPS_PER_ADDRESS = 10
SIGN_UPS = 200
LINKS_PER_ACCOUNT = 3

Limit = tuple[str, int]  # a subject and how many attempts it has in a window


class Derives(Protocol):
    """What is needed of the vault: a key for a purpose, once it is open."""

    @property
    def is_sealed(self) -> bool: ...

    def derive(self, purpose: bytes) -> bytes: ...


@dataclass(slots=True, frozen=True)
class Attempt:
    """An attempt under way, already counted."""

    rows: tuple[int, ...]


class SignInLimits:
    """Admits attempts. What it stores of addresses and accounts is an HMAC, so the table is no list of who tried."""

    def __init__(self, db: Database, vault: Derives) -> None:
        self._db = db
        self._vault = vault

    async def sign_in(self, email: str, address: str, known_addresses: list[str]) -> Attempt:
        """Admits one try for an account.

        Raises:
            RateLimited: with the seconds after which the next try is admitted.
        """
        site = site_of(address)
        if any(site_of(known) == site for known in known_addresses):
            return await self._admit([(self._subject("owner", email, site), PER_ACCOUNT)])
        return await self._admit(
            [
                (self._subject("account", email), PER_ACCOUNT),
                (self._subject("address", site), PER_ADDRESS),
                (self._subject("everybody"), FOR_EVERYBODY),
            ]
        )

    async def sign_up(self, address: str) -> Attempt:
        """Admits one new account. Raises: RateLimited."""
        return await self._admit(
            [
                (self._subject("sign-up", site_of(address)), SIGN_UPS_PER_ADDRESS),
                (self._subject("sign-ups"), SIGN_UPS),
            ]
        )

    async def forgotten(self, email: str, address: str) -> Attempt:
        """Admits one wish for a reset link, whether or not there is such an account. Raises: RateLimited."""
        return await self._admit(
            [
                (self._subject("forgotten", email), LINKS_PER_ACCOUNT),
                (self._subject("forgotten at", site_of(address)), SIGN_UPS_PER_ADDRESS),
                (self._subject("forgotten by all"), SIGN_UPS),
            ]
        )

    async def confirm(self, user_id: str) -> Attempt:
        """Admits one try of a signed-in person to prove the password again. Raises: RateLimited."""
        return await self._admit([(self._subject("confirm", user_id), PER_ACCOUNT)])

    async def succeeded(self, session: AsyncSession, attempt: Attempt) -> None:
        """Takes a good attempt off the count, in the caller's unit of work."""
        await store.delete_rows(session, list(attempt.rows))

    async def withdraw(self, attempt: Attempt) -> None:
        """Takes an attempt off that never came to the password."""
        async with self._db.write() as session:
            await store.delete_rows(session, list(attempt.rows))

    async def clear(self, session: AsyncSession, email: str) -> None:
        """Forgets what strangers tried on this account, in the caller's unit of work (its password is a new one)."""
        await store.delete_subject(session, self._subject("account", email))

    async def purge(self) -> None:
        """Deletes attempts that count no more."""
        async with self._db.write() as session:
            await store.delete_before(session, now_us() - DAY_US)

    async def _admit(self, limits: list[Limit]) -> Attempt:
        now = now_us()
        async with self._db.write() as session:
            await store.take_turn(session)
            for subject, most in limits:
                count, oldest_us = await store.seen_since(session, subject, now - WINDOW_US)
                if count >= most:
                    raise _delayed((oldest_us + WINDOW_US - now) / SECOND_US)
            return Attempt(tuple(await store.add(session, [subject for subject, _ in limits], now)))

    def _subject(self, *parts: str) -> str:
        # While the vault is sealed an admin still gets in to be told so; the counts of that time stand apart.
        key = b"" if self._vault.is_sealed else self._vault.derive(b"sign-in attempts")
        return hmac.new(key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def _delayed(seconds: float) -> RateLimited:
    seconds = max(1.0, round(seconds, 1))
    minutes = max(1, -int(-seconds // 60))
    return RateLimited(
        f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
        code="too_many_attempts",
        retry_after=seconds,
    )
