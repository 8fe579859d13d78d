"""The second step of a sign-in: a code, a recovery code or a passkey behind the password; or a passkey alone.

Codes that are wrong count where wrong passwords do (`sign_in_limits.py`): whoever knows the password has no more tries
at the code than they had at the password. A signature cannot be guessed, so passkeys count nowhere.
"""

from typing import Any

from aiservice.kit.passkeys import Site
from aiservice.principal import Person
from aiservice.services.administration import person_of
from aiservice.services.audit_entry import record
from aiservice.services.entrance import Browser, Entrance, SignedIn, answering_database, expired, new_ticket
from aiservice.services.factor_proofs import FactorProofs, refusal
from aiservice.services.mailing import PersonMail
from aiservice.services.sessions import hash_of
from aiservice.services.sign_in_limits import SignInLimits
from aiservice.services.sso_rule import require_other_ways_on
from aiservice.store import factors, portal_sessions
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import User


class SecondStep:
    """Goes on with a sign-in that waits, by the ticket in its cookie."""

    def __init__(
        self, db: Database, entrance: Entrance, proofs: FactorProofs, limits: SignInLimits, mail: PersonMail
    ) -> None:
        self._db = db
        self._entrance = entrance
        self._proofs = proofs
        self._limits = limits
        self._mail = mail

    async def with_code(self, ticket: str, text: str, browser: Browser) -> SignedIn:
        """Opens a session for a code of the person's app, or one of their recovery codes.

        Raises:
            InvalidRequest: it is not right (`wrong_factor`). Unauthenticated: the wait is over (`sign_in_expired`).
            RateLimited: too many tries. Overloaded: no database, or a sealed vault.
        """
        signed_in = None
        async with answering_database():
            async with self._db.read() as session:
                user = await self._entrance.held_person(session, ticket)
                known = await portal_sessions.addresses_of(session, user.id)
            attempt = await self._limits.sign_in(user.email, browser.address, known)
            async with self._db.write() as session:
                shown = await self._proofs.is_proved(session, user, text)
                if shown is None:
                    _note_refusal(session, user, browser)
                else:
                    await self._limits.succeeded(session, attempt)
                    signed_in = await self._entrance.let_in(session, ticket, browser, shown)
                left = await factors.unused_codes(session, user.id)
        if signed_in is None:
            raise refusal()
        if shown == "recovery code":
            self._mail.tell(
                user.email,
                "A recovery code was used",
                f"A recovery code of yours was just used to sign in to aiservice. {left} are left.",
            )
        return signed_in

    async def ask_passkey(self, ticket: str, site: Site) -> dict[str, Any]:
        """What the browser is to ask one of the person's passkeys.

        Raises:
            InvalidRequest: they have none for this host (`no_passkey`). Unauthenticated: as `with_code`.
        """
        async with answering_database(), self._db.write() as session:
            user = await self._entrance.held_person(session, ticket)
            return await self._proofs.ask_passkey(session, hash_of(ticket), "second", site, user_id=user.id)

    async def with_passkey(self, ticket: str, credential: str, site: Site, browser: Browser) -> SignedIn:
        """Opens a session for the signature of one of the person's passkeys. Raises: as `with_code`."""
        signed_in = None
        async with answering_database():
            challenge = await self._take_challenge(ticket, "second")
            async with self._db.write() as session:
                user = await self._entrance.held_person(session, ticket)
                found = await self._proofs.person_of_passkey(session, challenge, "second", credential, site)
                if found is None or found.id != user.id:
                    _note_refusal(session, user, browser)
                else:
                    signed_in = await self._entrance.let_in(session, ticket, browser, "passkey", found.id)
        if signed_in is None:
            raise refusal()
        return signed_in

    async def ask_any_passkey(self, site: Site) -> tuple[str, dict[str, Any]]:
        """A new ticket, and what a browser is to ask any passkey of this site. Nobody has said who they are."""
        ticket = new_ticket()
        async with answering_database(), self._db.write() as session:
            return ticket, await self._proofs.ask_passkey(session, hash_of(ticket), "alone", site)

    async def with_passkey_alone(self, ticket: str, credential: str, site: Site, browser: Browser) -> SignedIn:
        """Opens a session for whoever's passkey signed; the device has asked them for a PIN or a finger.

        Raises:
            InvalidRequest: it proves nobody (`wrong_factor`), or took too long (`passkey_expired`). Overloaded.
            PermissionDenied: passkeys alone are off (`sso_required`).
        """
        if not ticket:
            raise expired()
        signed_in = None
        async with answering_database():
            challenge = await self._take_challenge(ticket, "alone")
            async with self._db.write() as session:
                found = await self._proofs.person_of_passkey(session, challenge, "alone", credential, site)
                if found is not None and not found.is_disabled:
                    await require_other_ways_on(session, found.id)
                    signed_in = self._entrance.open(session, found, browser, "passkey alone")
        if signed_in is None:
            raise refusal()
        return signed_in

    async def _take_challenge(self, ticket: str, purpose: str) -> bytes:
        """In a unit of work of its own: a challenge is used up by an answer that is refused, too."""
        async with self._db.write() as session:
            return await self._proofs.take_challenge(session, hash_of(ticket), purpose)


def _note_refusal(session: AsyncSession, user: User, browser: Browser) -> None:
    """Somebody knows the password and not the factor: worth knowing afterwards."""
    person: Person = person_of(user)
    record(session, person, "session.factor_refused", user.id, address=browser.address)
