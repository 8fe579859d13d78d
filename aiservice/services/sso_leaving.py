"""Signing out at the provider, too: a session that it opened ends here first, and there when the browser goes on.

Fails open: a session always ends here; one that cannot end there ends by itself.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiservice.errors import ProviderFailed, Unauthenticated
from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.kit.crypto import BadEnvelope, seal, unseal
from aiservice.services.entrance import answering_database
from aiservice.services.sessions import hash_of
from aiservice.services.sso_wire import SsoWire
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import sso as store
from aiservice.store.session import Database
from aiservice.tables import SsoAttempt, SsoSession


@dataclass(slots=True, frozen=True)
class Begun:
    """Where to send the browser, and the cookie that it is to come back with."""

    location: str
    cookie: str

    def __repr__(self) -> str:
        return "Begun(***)"


class SsoLeaving:
    """Remembers by whom a session was opened, with the token that its sign-out there asks for, sealed."""

    def __init__(self, db: Database, vault: Vault, settings: Settings, wire: SsoWire) -> None:
        self._db = db
        self._vault = vault
        self._settings = settings
        self._wire = wire

    async def begin(self, session_cookie: str | None) -> Begun | None:
        """For a session that is about to end and that a provider opened: where to sign out there too.

        None: no provider opened it, or it has no such page.
        """
        if not session_cookie or self._settings.public_url is None:
            return None
        session_hash, cookie = hash_of(session_cookie), secrets.token_urlsafe(32)
        async with self._db.read() as session:
            opened = await store.session_of(session, session_hash)
            row = None if opened is None else await store.find(session, opened.provider_id)
        if row is None:
            return None
        try:
            metadata = await self._wire.metadata(row)
        except ProviderFailed:  # it can be left by itself
            return None
        if not metadata.end_session:
            return None
        attempt = SsoAttempt(
            id_hash=hash_of(cookie), provider_id=row.id, purpose="leave", next_path="/sign-in",
            session_hash=session_hash, created_us=now_us(), expires_us=now_us() + MINUTE_US,
        )  # fmt: skip
        async with self._db.write() as session:
            store.add(session, attempt)
        return Begun(f"/auth/sso/{row.name}/leave", cookie)

    async def leave(self, name: str, cookie: str) -> str:
        """The provider's own page for signing out (OpenID Connect RP-Initiated Logout 1.0).

        Raises:
            Unauthenticated: nothing of this browser's ends there (`sso_expired`).
        """
        async with self._db.write() as session:
            attempt = await store.take_attempt(session, hash_of(cookie), now_us()) if cookie else None
            opened = None if attempt is None else await store.session_of(session, attempt.session_hash)
            if attempt is None or opened is None or attempt.purpose != "leave":
                raise expired()
            sealed, session_hash = opened.id_token, opened.session_hash
            await session.delete(opened)
            row = await store.find(session, attempt.provider_id)
        if row is None or row.name != name:
            raise expired()
        metadata = await self._wire.metadata(row)
        if not metadata.end_session:
            raise expired()
        query = {
            "client_id": row.client_id,
            "post_logout_redirect_uri": (self._settings.public_url or "").rstrip("/") + "/sign-in",
            "id_token_hint": self._unsealed(session_hash, sealed),
        }
        return with_query(metadata.end_session, {key: value for key, value in query.items() if value})

    async def remember(self, provider_id: str, session_cookie: str, id_token: str) -> None:
        """Keeps whose session this is. Raises: Overloaded: no database, or a sealed vault."""
        session_hash = hash_of(session_cookie)
        sealed = seal(self._vault.derive(b"id tokens v1"), id_token.encode(), session_hash.encode())
        row = SsoSession(session_hash=session_hash, provider_id=provider_id, id_token=sealed, created_us=now_us())
        async with answering_database(), self._db.write() as session:
            store.add(session, row)

    def _unsealed(self, session_hash: str, sealed: bytes) -> str:
        try:
            return unseal(self._vault.derive(b"id tokens v1"), sealed, session_hash.encode()).decode()
        except BadEnvelope:
            return ""  # without the hint the provider asks whom it is to sign out


def with_query(url: str, query: Mapping[str, str]) -> str:
    """An address of a provider with more in its query."""
    return url + ("&" if "?" in url else "?") + urlencode(query, quote_via=quote)


def expired() -> Unauthenticated:
    message = (
        "This sign-in was begun in another browser or window, took longer than ten minutes, or was used already. "
        "Begin again."
    )
    return Unauthenticated(message, code="sso_expired")
