"""One-time links: 256 random bits of which the SHA-256 is kept, used by exactly one of all who try."""

import re
import secrets
from typing import Literal

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import Role
from aiservice.services.sessions import hash_of
from aiservice.store import links as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import OneTimeLink

Purpose = Literal["setup", "invite", "reset"]

LIFETIME_US: dict[Purpose, int] = {"setup": HOUR_US, "invite": 7 * DAY_US, "reset": 30 * MINUTE_US}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in base64url without padding
_KEEP_EXPIRED_US = 7 * DAY_US


class Links:
    """Makes and uses one-time links. A path such as `/reset?token=…` is given out once and stored nowhere."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def make(
        self, session: AsyncSession, purpose: Purpose, *, email: str | None = None, role: Role | None = None
    ) -> str:
        """The path of a new link, made in the caller's unit of work; the older ones for the same address are void."""
        token = secrets.token_urlsafe(32)
        now = now_us()
        await store.void(session, purpose, email)
        store.add(
            session,
            OneTimeLink(
                token_hash=hash_of(token),
                purpose=purpose,
                email=email,
                role=None if role is None else role.value,
                created_us=now,
                expires_us=now + LIFETIME_US[purpose],
            ),
        )
        return f"/{purpose}?token={token}"

    async def look(self, token: str, purpose: Purpose) -> OneTimeLink:
        """The link behind a token, not used by this.

        Raises:
            InvalidRequest: unknown, used, expired, or made for something else (code `link_invalid`).
        """
        async with self._db.read() as session:
            link = await store.usable(session, hash_of(token), purpose, now_us())
        if link is None:
            raise invalid_link(purpose)
        return link

    async def use(self, session: AsyncSession, token: str, purpose: Purpose) -> OneTimeLink:
        """Uses the link up in the caller's unit of work (which undoes it if it fails) and returns it.

        Raises:
            InvalidRequest: as `look`; also for everyone but the first of those who try at once.
        """
        link = await store.use(session, hash_of(token), purpose, now_us())
        if link is None:
            raise invalid_link(purpose)
        return link

    async def void(self, session: AsyncSession, purpose: Purpose, email: str) -> None:
        """Makes the unused links of this purpose for this address worthless, in the caller's unit of work."""
        await store.void(session, purpose, email)

    async def purge(self) -> None:
        """Deletes links that expired a week ago."""
        async with self._db.write() as session:
            await store.delete_expired_before(session, now_us() - _KEEP_EXPIRED_US)


def is_token(text: str) -> bool:
    """Whether `text` has the form of a link's token."""
    return _TOKEN.fullmatch(text) is not None


def invalid_link(purpose: Purpose) -> InvalidRequest:
    following = (
        "Sign in if there is an admin by now; else restart the server, which prints a new one."
        if purpose == "setup"
        else "Ask for a new one."
    )
    return InvalidRequest(
        f"This link is not valid any more: it was used, it has expired, or a newer one was made. {following}",
        code="link_invalid",
        param="token",
    )
