"""Making one's first factor before anything else: a sign-in waits, since a rule of the admins asks for one.

Only while the person has none: somebody who knows a password alone must never be able to put a factor of their own in
the place of the owner's.
"""

from typing import Any

from aiservice.kit.passkeys import Site
from aiservice.services.administration import person_of
from aiservice.services.entrance import Browser, Entrance, SignedIn, answering_database, expired
from aiservice.services.factor_making import AppSetUp, FactorMaking
from aiservice.services.factor_proofs import FactorProofs, refusal
from aiservice.services.mailing import PersonMail
from aiservice.services.sessions import hash_of
from aiservice.store import factors
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import User


class FirstFactor:
    """Sets up a factor for whoever's sign-in waits, by the ticket in its cookie. Each raises Unauthenticated
    (`sign_in_expired`) where nothing waits, or where the person has a factor by now."""

    def __init__(
        self, db: Database, entrance: Entrance, making: FactorMaking, proofs: FactorProofs, mail: PersonMail
    ) -> None:
        self._db = db
        self._entrance = entrance
        self._making = making
        self._proofs = proofs
        self._mail = mail

    async def begin_app(self, ticket: str) -> AppSetUp:
        """See `FactorMaking.begin_app`."""
        async with answering_database(), self._db.write() as session:
            return await self._making.begin_app(session, await self._person(session, ticket))

    async def prove_app(self, ticket: str, code: str, browser: Browser) -> tuple[SignedIn, list[str]]:
        """Opens the session once a code proves the app; with the recovery codes, to be shown now.

        Raises:
            InvalidRequest: the code is not right (`wrong_factor`), or the set-up took too long (`set_up_expired`).
        """
        signed_in = None
        async with answering_database(), self._db.write() as session:
            user = await self._person(session, ticket)
            codes = await self._making.prove_app(session, person_of(user), code)
            if codes is not None:
                signed_in = await self._entrance.let_in(session, ticket, browser, "app")
        if signed_in is None or codes is None:
            raise refusal()
        self._mail.tell_of_new_factor(user.email, "an authenticator app")
        return signed_in, codes

    async def begin_passkey(self, ticket: str, site: Site) -> dict[str, Any]:
        """See `FactorMaking.begin_passkey`."""
        async with answering_database(), self._db.write() as session:
            user = await self._person(session, ticket)
            return await self._making.begin_passkey(session, user, hash_of(ticket), site)

    async def add_passkey(
        self, ticket: str, made: tuple[str, str], site: Site, browser: Browser
    ) -> tuple[SignedIn, list[str]]:
        """Opens the session once a passkey (its name and the browser's answer) is proved; as `prove_app`."""
        async with answering_database():
            async with self._db.write() as session:
                challenge = await self._proofs.take_challenge(session, hash_of(ticket), "make")
            async with self._db.write() as session:
                user = await self._person(session, ticket)
                codes = await self._making.add_passkey(session, person_of(user), challenge, made, site)
                signed_in = await self._entrance.let_in(session, ticket, browser, "passkey")
        self._mail.tell_of_new_factor(user.email, "a passkey")
        return signed_in, codes

    async def _person(self, session: AsyncSession, ticket: str) -> User:
        held = await self._entrance.held_person(session, ticket)
        user = await factors.lock_person(session, held.id)
        if user is None or (await self._proofs.standing(session, user.id)).has_factor:
            raise expired()
        return user
