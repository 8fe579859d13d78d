"""Signing in by somebody else who knows the person: OpenID Connect's authorization code flow with PKCE.

Everything that binds the way back to the way out (state, nonce, PKCE's verifier) is derived from one cookie that only
this browser has, and its row in the database is used up by the first way back, whatever comes of it. So a link from
elsewhere, a code of somebody else and a code that was seen on its way are worth nothing (RFC 9700 §2.1, §4.4, §4.7).
Each provider has an address of its own to come back to, and is held to its own name there: one provider cannot have
another's code sent to it. Fails closed: without database, vault or provider nobody signs in.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from aiservice.errors import BrokerError, NotFound, PermissionDenied, ProviderFailed, Unauthenticated, Unprocessable
from aiservice.kit.clock import MINUTE_US, SECOND_US, now_us
from aiservice.principal import Person
from aiservice.services.accounts import Accounts
from aiservice.services.changes import ChangeFeed
from aiservice.services.entrance import Browser, Held, SignedIn, answering_database
from aiservice.services.rights import require
from aiservice.services.sessions import hash_of
from aiservice.services.sso_admission import SsoAdmission, trial_of
from aiservice.services.sso_leaving import Begun, SsoLeaving, expired, with_query
from aiservice.services.sso_terms import known_by
from aiservice.services.sso_vault import binding
from aiservice.services.sso_wire import Answer, Exchange, Metadata, SsoWire
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import portal_sessions
from aiservice.store import sso as store
from aiservice.store.session import Database
from aiservice.tables import SsoAttempt, SsoProvider

Purpose = Literal["sign_in", "confirm", "test"]
AWAY_US = 10 * MINUTE_US
AWAY_SECONDS = AWAY_US // SECOND_US
_FRESH_LEEWAY_SECONDS = 60
_MAX_ANSWER = 4096


@dataclass(slots=True, frozen=True)
class Back:
    """What the way back came to. `signed_in` is set where a session was opened, `held` where it asks for more
    first; `is_new`: an account was made."""

    purpose: Purpose
    next_path: str
    signed_in: SignedIn | None = None
    held: Held | None = None
    is_new: bool = False


class SsoSignIn:
    """The way out and the way back. None of its methods knows who asks before the provider has said so."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        settings: Settings,
        *,
        changes: ChangeFeed,
        wire: SsoWire,
        accounts: Accounts,
    ) -> None:
        self._db = db
        self._vault = vault
        self._settings = settings
        self._wire = wire
        self.leaving = SsoLeaving(db, vault, settings, wire)
        self._admission = SsoAdmission(db, settings, changes, accounts)

    def start_path(self, name: str, next_path: str = "/") -> str:
        """Where a browser begins."""
        query = "" if next_path == "/" else f"?{urlencode({'next': next_path})}"
        return f"/auth/sso/{name}/start{query}"

    def require_public_url(self) -> str:
        """Where this portal is, as a provider is told: never what a request says in its Host header.

        Raises:
            Unprocessable: `public_url_needed`.
        """
        if self._settings.public_url is None:
            message = (
                "Set AISERVICE_PUBLIC_URL to the address that people open, and restart: providers send them back to it."
            )
            raise Unprocessable(message, code="public_url_needed")
        return self._settings.public_url.rstrip("/")

    async def begin(
        self, name: str, next_path: str, purpose: Purpose = "sign_in", person: Person | None = None
    ) -> Begun:
        """Sends a browser to the provider. `person` is who is signed in, where the purpose is theirs.

        Raises:
            NotFound: no such provider, or it is off (`sso_provider_not_found`). ProviderFailed: as `SsoWire.metadata`.
            Overloaded: no database.
        """
        redirect_uri = self.require_public_url() + callback_path(name)
        row = await self._provider(name, may_be_off=purpose == "test")
        metadata = await self._wire.metadata(row)
        cookie, session_hash = secrets.token_urlsafe(32), "" if person is None else person.session_hash
        await self._keep(SsoAttempt(
            id_hash=hash_of(cookie), provider_id=row.id, purpose=purpose, next_path=next_path,
            session_hash=session_hash, created_us=now_us(), expires_us=now_us() + AWAY_US,
        ))  # fmt: skip
        challenge = hashlib.sha256(_derived(cookie, "verifier").encode()).digest()
        query = {
            "response_type": "code",
            "client_id": row.client_id,
            "redirect_uri": redirect_uri,
            "scope": row.scopes,
            "state": _derived(cookie, "state"),
            "nonce": _derived(cookie, "nonce"),
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if purpose == "confirm":  # somebody at an unlocked screen is not asked otherwise
            query |= {"prompt": "login", "max_age": "0"}
        elif purpose == "test":
            query |= {"prompt": "select_account"}
        return Begun(with_query(metadata.authorization, query), cookie)

    async def come_back(
        self, name: str, cookie: str, said: Mapping[str, str], browser: Browser, person: Person | None
    ) -> Back:
        """What the provider says of who began with this cookie. `said` is the query that their browser brought,
        `person` who is signed in there now.

        Raises:
            Unauthenticated: not what this browser began, too late, or a second time (`sso_expired`).
            PermissionDenied, ProviderFailed, NotFound: what does not fit, each under a code of its own.
        """
        if not cookie or not hmac.compare_digest(_derived(cookie, "state").encode(), said.get("state", "").encode()):
            raise expired()
        async with answering_database(), self._db.write() as session:  # used up, whatever comes of it
            attempt = await store.take_attempt(session, hash_of(cookie), now_us())
        if attempt is None or attempt.purpose == "leave":
            raise expired()
        is_test = attempt.purpose == "test"
        row = await self._provider(name, may_be_off=is_test)
        if row.id != attempt.provider_id:
            raise expired()
        if is_test:
            await self._try(row, cookie, said, person)
            return Back("test", attempt.next_path)
        answer = await self._answer(row, cookie, said)
        if attempt.purpose == "confirm":
            await self._confirm(row, attempt, answer, person)
            return Back("confirm", attempt.next_path)
        async with answering_database():
            entered, is_new = await self._admission.let_in(row, known_by(row, answer.claims), browser)
        if isinstance(entered, Held):
            return Back("sign_in", attempt.next_path, held=entered)
        await self.leaving.remember(row.id, entered.cookie, answer.id_token)
        return Back("sign_in", attempt.next_path, entered, is_new=is_new)

    async def _answer(self, row: SsoProvider, cookie: str, said: Mapping[str, str]) -> Answer:
        metadata = await self._wire.metadata(row)
        _check_issuer(row, metadata, said)
        if "error" in said:
            raise _declined(row, said)
        code = said.get("code", "")
        if not code or len(code) > _MAX_ANSWER:
            raise expired()
        secret = None
        if row.has_secret:
            async with answering_database(), self._db.read() as session:
                secret = await self._vault.unseal(session, **binding(row))
        redirect_uri = self.require_public_url() + callback_path(row.name)
        given = Exchange(code, _derived(cookie, "verifier"), _derived(cookie, "nonce"), redirect_uri, secret)
        return await self._wire.exchange(row, given)

    async def _try(self, row: SsoProvider, cookie: str, said: Mapping[str, str], person: Person | None) -> None:
        """Keeps what an admin's test came to, for the admins' page; nobody is signed in by it."""
        if person is None:
            raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
        require(person, "sso.check")
        claims: dict[str, object] = {}
        failed: BrokerError | None = None
        words = ""
        try:
            answer = await self._answer(row, cookie, said)
            claims = answer.claims
            words = await self._admission.foretell(row, known_by(row, claims))
        except BrokerError as exc:
            failed = exc
        async with self._db.write() as session:
            await store.note_trial(session, row.id, trial_of(person, claims, words, failed), now_us())

    async def _confirm(self, row: SsoProvider, attempt: SsoAttempt, answer: Answer, person: Person | None) -> None:
        """Notes that the person of a session was there just now (see `step_up.py`)."""
        if person is None or person.session_hash != attempt.session_hash:
            raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
        at = answer.claims.get("auth_time")
        began_s = attempt.created_us / SECOND_US
        if not isinstance(at, (int, float)) or isinstance(at, bool) or at < began_s - _FRESH_LEEWAY_SECONDS:
            message = f"{row.label} did not ask you again who you are. Sign out, and sign in anew: that counts too."
            raise PermissionDenied(message, code="sso_not_fresh")
        async with answering_database(), self._db.write() as session:
            known = await store.identity(session, row.issuer, str(answer.claims["sub"]))
            if known is None or known.user_id != person.user_id:
                raise PermissionDenied(f"{row.label} says that you are somebody else.", code="sso_other_person")
            await portal_sessions.confirm(session, person.session_hash, now_us())

    async def _provider(self, name: str, *, may_be_off: bool = False) -> SsoProvider:
        async with answering_database(), self._db.read() as session:
            row = await store.find(session, name)
        if row is None or row.name != name or not (row.is_enabled or may_be_off):
            message = "There is no such single sign-on here, or it is switched off."
            raise NotFound(message, code="sso_provider_not_found")
        return row

    async def _keep(self, row: SsoAttempt) -> None:
        async with answering_database(), self._db.write() as session:
            store.add(session, row)


def callback_path(name: str) -> str:
    """Where a provider sends people back to: each has an address of its own."""
    return f"/auth/sso/{name}/callback"


def _derived(cookie: str, what: str) -> str:
    """43 characters that only who has the cookie can make."""
    digest = hmac.digest(cookie.encode(), b"aiservice sso " + what.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _check_issuer(row: SsoProvider, metadata: Metadata, said: Mapping[str, str]) -> None:
    """RFC 9207: who answers says who it is, where it said that it would."""
    told = said.get("iss")
    if told != row.issuer and (told is not None or metadata.names_issuer):
        raise ProviderFailed(f"Somebody else than {row.label} answered. Begin again.", code="sso_token_invalid")


def _declined(row: SsoProvider, said: Mapping[str, str]) -> BrokerError:
    code = "".join(c for c in said["error"][:60] if c.isalnum() or c in "_-.")
    if code == "access_denied":
        message = f"{row.label} did not let you in, or you cancelled. Ask an admin there for access."
        return PermissionDenied(message, code="sso_denied")
    message = f"{row.label} said '{code}'. An admin finds the reason in its log."
    return ProviderFailed(message, code="sso_provider_error")
