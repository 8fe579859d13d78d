"""Proving a second factor: a code of an authenticator app, a recovery code, or a passkey's signature.

What may be used once is used up in the caller's unit of work, in one statement, so of two who try at once one is told
no. Fails closed: without the database, or with a sealed vault, nothing is proved.
"""

import hmac
from dataclasses import dataclass
from typing import Any, Protocol, Unpack

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.kit import passkeys, totp
from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.kit.passkeys import BadPasskey, Site
from aiservice.kit.recovery_codes import parse_recovery_code
from aiservice.kit.secret import Secret
from aiservice.principal import Person, Role
from aiservice.services.audit_entry import record
from aiservice.services.envelopes import Binding
from aiservice.services.sign_in_limits import Derives
from aiservice.store import factors as store
from aiservice.store import held_sign_ins, people
from aiservice.store.session import AsyncSession
from aiservice.tables import Passkey, PasskeyChallenge, Totp, User

PURPOSE = "totp"
CHALLENGE_US = 5 * MINUTE_US


class Keeps(Derives, Protocol):
    """What is needed of the vault."""

    async def seal(self, session: AsyncSession, *, secret: Secret, **binding: Unpack[Binding]) -> None: ...
    async def unseal(self, session: AsyncSession, **binding: Unpack[Binding]) -> Secret: ...
    async def discard(self, session: AsyncSession, purpose: str, row_id: str) -> None: ...


@dataclass(slots=True, frozen=True)
class Standing:
    """What a person can prove. `passkey_hosts` are the host names they have passkeys for, once each."""

    has_app: bool
    passkey_hosts: frozenset[str]
    codes_left: int

    @property
    def has_factor(self) -> bool:
        """Whether the password alone is not enough: recovery codes stand in for a factor, they are none."""
        return self.has_app or bool(self.passkey_hosts)


class FactorProofs:
    """Checks what people show, in the caller's unit of work (a `db.write()`)."""

    def __init__(self, vault: Keeps) -> None:
        self._vault = vault

    async def standing(self, session: AsyncSession, user_id: str) -> Standing:
        """What this person has; to be read anew every time."""
        app = await store.confirmed_totp(session, user_id)
        keys = await store.passkeys(session, user_id)
        codes = await store.unused_codes(session, user_id) if app or keys else 0
        return Standing(app is not None, frozenset(key.rp_id for key in keys), codes)

    async def is_proved(self, session: AsyncSession, user: User, text: str) -> str | None:
        """How `text` proves the person: "app", "recovery code", or not at all. It is used up by this.

        Raises:
            Overloaded: the vault is sealed.
        """
        if code := totp.parse_code(text):
            app = await store.confirmed_totp(session, user.id)
            return "app" if app and await self.uses_code(session, app, code) else None
        if recovery := parse_recovery_code(text):
            is_used = await store.use_code(session, user.id, self.hash_of(user.id, recovery), now_us())
            return "recovery code" if is_used else None
        return None

    async def uses_code(self, session: AsyncSession, app: Totp, code: str) -> bool:
        """Whether `code` is one of this app's that was not taken yet."""
        secret = await self._vault.unseal(session, **binding_of(app))
        step = totp.matching_step(secret.reveal(), code, totp.step_at(now_us()))
        return step is not None and await store.use_step(session, app.id, step)

    def hash_of(self, user_id: str, code: str) -> str:
        """What is kept of a recovery code: without the master key it can be neither tested nor planted."""
        return hmac.new(self._vault.derive(b"recovery codes v1"), f"{user_id}\n{code}".encode(), "sha256").hexdigest()

    async def ask_passkey(
        self, session: AsyncSession, holder: str, purpose: str, site: Site, *, user_id: str | None = None
    ) -> dict[str, Any]:
        """What the browser is to ask a passkey: one of the person's here, or of anybody's where nobody said a name.

        Raises:
            InvalidRequest: the person has none for this host name (`no_passkey`).
        """
        known = [] if user_id is None else await store.passkeys(session, user_id)
        ids = [key.credential_id for key in known if key.rp_id == site.rp_id]
        if user_id is not None and not ids:
            raise InvalidRequest(f"You have no passkey for {site.rp_id}. Use another way.", code="no_passkey")
        challenge = await self.challenge(session, holder, purpose)
        return passkeys.request_options(site, challenge, known_ids=ids, is_alone=purpose != "second")

    async def challenge(self, session: AsyncSession, holder: str, purpose: str) -> bytes:
        """A new challenge for one browser, in place of the one before."""
        row = PasskeyChallenge(
            holder=holder, purpose=purpose, challenge=passkeys.new_challenge(), expires_us=now_us() + CHALLENGE_US
        )
        await held_sign_ins.put_challenge(session, row)
        return row.challenge

    async def take_challenge(self, session: AsyncSession, holder: str, purpose: str) -> bytes:
        """The challenge of this browser, used up. Raises: InvalidRequest: there is none (any more)."""
        challenge = await held_sign_ins.take_challenge(session, holder, purpose, now_us())
        if challenge is None:
            raise InvalidRequest("That took too long, or was sent twice. Try again.", code="passkey_expired")
        return challenge

    async def person_of_passkey(
        self, session: AsyncSession, challenge: bytes, purpose: str, credential: str, site: Site
    ) -> User | None:
        """Whose passkey signed `challenge`; None where that cannot be told. A counter that went back is noted."""
        try:
            claim = passkeys.claim_of(credential)
            row = await store.passkey_of(session, claim.credential_id)
            if row is None or row.rp_id != site.rp_id:
                return None
            counter = passkeys.verify_use(claim, site, challenge, row.public_key, is_alone=purpose != "second")
        except BadPasskey:
            return None
        user = await people.by_ref(session, row.user_id)
        if user is not None:
            _note_use(session, row, user, counter)
        return user


def binding_of(app: Totp) -> Binding:
    """What the secret of an app is sealed for."""
    return Binding(purpose=PURPOSE, row_id=app.id, owner=app.user_id, provider="", base_url="", revision=1)


def refusal(error: BrokerError | None = None) -> BrokerError:
    """The answer to a factor that proves nothing; the same whatever was wrong with it."""
    return error or InvalidRequest(
        "That code or passkey is not right, or was used before. Wait for the next code, then try again.",
        code="wrong_factor",
        param="code",
    )


def _note_use(session: AsyncSession, row: Passkey, user: User, counter: int) -> None:
    """WebAuthn §6.1.1: a counter that does not grow is a sign of a copied passkey, and no proof of one."""
    now = now_us()
    if (counter or row.counter) and counter <= row.counter:
        row.regressed_us = now
        person = Person(user.id, user.email, Role(user.role))
        told = {"name": row.name, "counter": counter}
        record(session, person, "factor.counter_went_back", row.id, before={"counter": row.counter}, after=told)
    row.counter = max(row.counter, counter)
    row.last_used_us = now
