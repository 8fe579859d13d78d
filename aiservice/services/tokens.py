"""Short-lived tokens: made with a client key, verified for every request, ended before their time.

A token never outlives the key secret that made it and never may more: it carries ids and times, and what it may do is
what its key may do at that moment, narrowed by the token's own scopes. Fails closed, as keys do.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from aiservice.errors import NotFound, PermissionDenied, Unauthenticated, Unprocessable
from aiservice.kit.access_tokens import (
    LEEWAY_SECONDS,
    MAX_BYTES,
    MAX_TTL_SECONDS,
    AccessKey,
    BadToken,
    Claims,
    ExpiredToken,
    ForgedToken,
    verify_access_token,
)
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.keyformat import holds_key
from aiservice.kit.secret import Secret
from aiservice.principal import Principal
from aiservice.services.changes import ChangeFeed
from aiservice.services.key_cache import Entry
from aiservice.services.key_check import KeyCheck
from aiservice.services.key_rights import checked_scopes
from aiservice.services.key_standing import too_many_failures
from aiservice.services.token_keys import TokenKeys
from aiservice.services.vault import Vault
from aiservice.store import tokens as store
from aiservice.store.session import Database
from aiservice.tables import EndedToken

DEFAULT_TTL_SECONDS = 600
MAX_ENDED = 1_000  # tokens of one key that are ended one by one
_BELIEVED_US = 30 * SECOND_US
_ALL = "*"
_MAX_METADATA, _MAX_METADATA_CHARACTERS = 16, 1_000
_NO_ISSUER = "aiservice"
_ANOTHER = "Get another from POST /ai-service/token."
_is_id = re.compile(r"tok_[0-9a-f]{32}").fullmatch


@dataclass(slots=True, frozen=True)
class NewToken:
    """What `issue` gives, once. None as `scopes` is "whatever the key may"."""

    id: str
    token: Secret
    expires_us: int
    scopes: tuple[str, ...] | None


class Tokens:
    """Tokens of client keys. `keys` are those that sign."""

    def __init__(
        self, db: Database, vault: Vault, changes: ChangeFeed, check: KeyCheck, public_url: str | None
    ) -> None:
        self.keys = TokenKeys(db, vault, changes)
        self._db = db
        self._changes = changes
        self._check = check
        self._issuer = public_url or _NO_ISSUER

    async def verify(self, credential: bytes, *, address: str) -> Principal:
        """Whose token `credential` is, for a caller at `address`; remembered for up to 30 seconds.

        Raises:
            Unauthenticated: not one of ours (`invalid_api_key`); over (`key_expired`); ended, or its key is
                (`key_revoked`).
            PermissionDenied, RateLimited, Overloaded: as `Keys.verify`.
        """
        await self.keys.prepare()
        epoch = self._check.epoch
        try:
            claims = self._claims(credential, address)
        except ExpiredToken:
            raise _expired() from None
        except BadToken:
            raise Unauthenticated from None
        standing = await self._check.standing(claims.subject, address)
        principal = standing.principal
        if claims.tenant != principal.client_id:
            raise Unauthenticated
        if claims.version != standing.token_version or claims.id in standing.ended_tokens:
            raise Unauthenticated(f"This token was revoked. {_ANOTHER}", code="key_revoked")
        verified = replace(
            principal,
            scopes=_narrower(principal.scopes, claims.scope),
            expires_us=claims.expires_s * SECOND_US,
            token_id=claims.id,
        )
        over_us = (claims.expires_s + LEEWAY_SECONDS) * SECOND_US
        entry = Entry(verified, min(over_us, standing.ends_us, now_us() + _BELIEVED_US), standing.rests_on)
        self._check.keep(credential, entry, epoch)
        used = self._check.use(entry)
        if used is None:
            raise _expired()
        return used

    async def issue(
        self,
        principal: Principal,
        *,
        ttl_seconds: int = DEFAULT_TTL_SECONDS,
        scopes: Iterable[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        address: str = "",
    ) -> NewToken:
        """A token of the key that `principal` was verified by; `scopes` may only be fewer than the key's.

        `metadata` is carried along for whoever reads the token; everybody who has the token can.

        Raises:
            PermissionDenied: asked for with a token (`client_key_required`), or wider than the key (`wider_than_key`).
            Unprocessable: a value is not valid.
            Overloaded: the vault is sealed.
        """
        require_key(principal)
        if not 1 <= ttl_seconds <= MAX_TTL_SECONDS:
            raise Unprocessable(f"A token lasts 1 to {MAX_TTL_SECONDS} seconds.", param="expires_in")
        chosen = checked_scopes(scopes)
        wider = sorted(set(chosen or ()) - principal.scopes) if principal.scopes is not None else []
        if wider:
            raise PermissionDenied(
                f"The key itself may not use '{wider[0][:60]}'.", code="wider_than_key", param="scopes"
            )
        granted = chosen if chosen is not None or principal.scopes is None else sorted(principal.scopes)
        await self.keys.prepare()
        key = self.keys.signing()
        standing = await self._check.standing(principal.public_id, address)
        now_s = int(time.time())
        claims = Claims(
            subject=principal.public_id,
            tenant=principal.client_id,
            scope=_ALL if granted is None else " ".join(granted),
            version=standing.token_version,
            issued_s=now_s,
            expires_s=min(now_s + ttl_seconds, standing.ends_us // SECOND_US),
            id=new_id("tok"),
            metadata=_checked_metadata(metadata),
        )
        text = key.sign(claims, self._issuer)
        if len(text) > MAX_BYTES:
            raise Unprocessable("With all that the token would be over 4 KiB.", param="metadata")
        told = None if granted is None else tuple(granted)
        return NewToken(claims.id, Secret(text), claims.expires_s * SECOND_US, told)

    async def end(self, principal: Principal, token_or_id: str, *, address: str = "") -> str:
        """Ends one token of the key that `principal` was verified by, everywhere; returns its id.

        Raises:
            PermissionDenied: asked for with a token.
            NotFound: it is no token of this key.
            Unprocessable: too many were ended one by one (`too_many_ended`).
        """
        require_key(principal)
        token_id = await self._id_of(principal, token_or_id, address)
        latest_us = now_us() + (MAX_TTL_SECONDS + LEEWAY_SECONDS) * SECOND_US
        async with self._db.write() as session:
            if await store.ended_count(session, principal.key_id) >= MAX_ENDED:
                raise Unprocessable(
                    'That many tokens of a key are not ended one by one. End them all: {"all": true}.',
                    code="too_many_ended",
                )
            await store.end(session, EndedToken(key_id=principal.key_id, id=token_id, expires_us=latest_us))
            self._changes.publish(session, "key", principal.key_id)
        await self._changes.catch_up()
        return token_id

    async def end_all(self, principal: Principal) -> None:
        """Ends every token that was made with this key until now. The key itself goes on.

        Raises:
            PermissionDenied: asked for with a token.
        """
        require_key(principal)
        async with self._db.write() as session:
            await store.end_all(session, principal.key_id)
            self._changes.publish(session, "key", principal.key_id)
        await self._changes.catch_up()

    async def tidy(self) -> None:
        """Makes the keys that are due and forgets what is over; for a job to call about every hour.

        Raises:
            Overloaded: the vault is sealed.
        """
        await self.keys.rotate()
        async with self._db.write() as session:
            await store.purge_ended(session, now_us() - LEEWAY_SECONDS * SECOND_US)

    def _claims(self, credential: bytes, address: str) -> Claims:
        """What a token says. Whoever forges waits; what does not even look like one of ours is no guess, and cheap.

        Raises:
            BadToken: it is not good. RateLimited: too many forged ones from this address.
        """

        def known_key(kid: str) -> AccessKey | None:
            key = self.keys.key_of(kid)
            wait_seconds = 0.0 if key is None else self._check.failures.wait_seconds(address)
            if wait_seconds > 0:
                raise too_many_failures(wait_seconds)
            return key

        try:
            return verify_access_token(credential, known_key, self._issuer, time.time())
        except ForgedToken:
            self._check.failures.record(address)
            raise

    async def _id_of(self, principal: Principal, token_or_id: str, address: str) -> str:
        """The id of a token of the principal's key. An id is taken as it is: to another key's tokens it means nothing.

        Raises:
            NotFound: it is not a live token, or another key's.
        """
        if _is_id(token_or_id):
            return token_or_id
        await self.keys.prepare()
        try:
            claims = self._claims(token_or_id.encode(), address)
            standing = await self._check.standing(claims.subject, address)
        except (BadToken, Unauthenticated):
            raise _no_such_token() from None
        if standing.principal.key_id != principal.key_id:
            raise _no_such_token()
        return claims.id


def require_key(principal: Principal) -> None:
    """Raises `PermissionDenied` where the credential is a token and no key."""
    if principal.token_id is not None:
        raise PermissionDenied(
            "A token can neither make nor end tokens. Send the client key itself.", code="client_key_required"
        )


def _checked_metadata(metadata: Mapping[str, str] | None) -> Mapping[str, str]:
    given = metadata or {}
    size = sum(len(name) + len(value) for name, value in given.items())
    if len(given) > _MAX_METADATA or size > _MAX_METADATA_CHARACTERS:
        raise Unprocessable(
            f"'metadata' is at most {_MAX_METADATA} texts of {_MAX_METADATA_CHARACTERS} characters in all.",
            param="metadata",
        )
    if any(holds_key(text) for pair in given.items() for text in pair):
        raise Unprocessable(
            "'metadata' holds a client key: everybody who has the token could read it.", param="metadata"
        )
    return given


def _narrower(of_key: frozenset[str] | None, scope: str) -> frozenset[str] | None:
    """What both the key, as it is now, and the token allow."""
    if scope == _ALL:
        return of_key
    of_token = frozenset(scope.split())
    return of_token if of_key is None else of_token & of_key


def _expired() -> Unauthenticated:
    return Unauthenticated(f"This token has expired. {_ANOTHER}", code="key_expired")


def _no_such_token() -> NotFound:
    return NotFound("This key has no such token, or it has expired.", code="token_not_found", param="token")
