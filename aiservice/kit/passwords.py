"""Passwords: argon2id through passlib's API (the libpass fork), and the only module that imports it.

Hashing takes tens of milliseconds of CPU and 32 MiB, so it runs in two threads of its own behind a semaphore: a crowd
at the sign-in page costs 64 MiB and never the event loop. Fails closed: with too long a queue it raises.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

MIN_CHARACTERS = 8
MAX_CHARACTERS = 1024
RULE = f"A password has {MIN_CHARACTERS} to {MAX_CHARACTERS:,} characters."

_AT_ONCE = 2
_MAX_WAITING = 100
# OWASP's floor for argon2id is m=19 MiB, t=2. From 32 MiB on malloc maps the memory and gives it back at once.
_MEMORY_KIB = 32 * 1024
_ROUNDS = 3
_NOBODY = "the password of a person who does not exist"


class PasswordRefused(ValueError):
    """The text cannot be a password; the message says the rule."""


class PasswordsBusy(Exception):
    """Too many people wait for their password to be checked."""


def check_password(password: str) -> None:
    """Accepts any text of 8 to 1,024 characters as it is: nothing is cut off, normalised or forbidden.

    Raises:
        PasswordRefused: too short, too long, or text that has no UTF-8 form.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise PasswordRefused(RULE)
    try:
        password.encode()
    except UnicodeEncodeError:
        raise PasswordRefused("The password holds characters that are not valid Unicode text.") from None


class Passwords:
    """Hashes and verifies. Nothing is started before the first use; `close()` ends the threads."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The PHC string (`$argon2id$…`) to store.

        Raises:
            PasswordRefused: see `check_password`.
            PasswordsBusy: the queue is full.
        """
        check_password(password)
        return str(await self._in_thread(_hash, password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether `password` is the one behind `stored`; None (nobody of that name) takes as long and is False.

        Raises:
            PasswordRefused, PasswordsBusy: as `hash`.
        """
        check_password(password)
        if stored is None:
            stored = await self._in_thread(_hash_of_nobody)
            await self._in_thread(_matches, password, stored)
            return False
        return bool(await self._in_thread(_matches, password, stored))

    def close(self) -> None:
        """Ends the threads; a later use starts new ones."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    async def _in_thread(self, function: Any, *arguments: str) -> Any:
        if self._waiting >= _MAX_WAITING:
            raise PasswordsBusy
        self._waiting += 1
        try:
            async with self._turn:
                if self._threads is None:
                    self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
                return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        finally:
            self._waiting -= 1


@lru_cache(maxsize=1)
def _scheme() -> Any:
    from passlib.hash import argon2  # noqa: PLC0415 - passlib scans its backends when imported

    return argon2.using(type="ID", memory_cost=_MEMORY_KIB, rounds=_ROUNDS, parallelism=1)


def _hash(password: str) -> str:
    return str(_scheme().hash(password))


def _matches(password: str, stored: str) -> bool:
    try:
        return bool(_scheme().verify(password, stored))
    except ValueError:
        return False  # a damaged hash opens for nobody


@lru_cache(maxsize=1)
def _hash_of_nobody() -> str:
    return _hash(_NOBODY)
