"""Saying again who one is, in the middle of a session: the password, a code of one's app, or a passkey. What asks for
it is in `step_up.py`.
"""

from typing import Any

from aiservice.errors import InvalidRequest, NotFound, Unauthenticated
from aiservice.kit import totp
from aiservice.kit.clock import now_us
from aiservice.kit.passkeys import Site
from aiservice.kit.passwords import Passwords, PasswordsBusy
from aiservice.principal import Person
from aiservice.services.administration import busy, require_password
from aiservice.services.factor_proofs import FactorProofs, refusal
from aiservice.services.rights import needs
from aiservice.services.sign_in_limits import SignInLimits
from aiservice.store import people, portal_sessions
from aiservice.store.session import Database


class Confirming:
    """Notes in a session that its person was there just now."""

    def __init__(self, db: Database, proofs: FactorProofs, limits: SignInLimits, passwords: Passwords) -> None:
        self._db = db
        self._proofs = proofs
        self._limits = limits
        self._passwords = passwords

    @needs("account.confirm")
    async def say(self, actor: Person, said: str) -> None:
        """`said` is the password, or six digits of the actor's app: no password is as short.

        Raises:
            Unauthenticated: it is not right. RateLimited. Unprocessable. Overloaded.
        """
        is_code = totp.parse_code(said) is not None
        if not is_code:
            require_password(said)
        async with self._db.read() as session:
            user = await people.by_ref(session, actor.user_id)
        if user is None:
            raise NotFound("There is no such person.", param="user")
        attempt = await self._limits.confirm(user.id)
        is_right = False
        if not is_code:
            try:
                is_right = await self._passwords.verify(said, user.password_hash)
            except PasswordsBusy as exc:
                await self._limits.withdraw(attempt)
                raise busy() from exc
        async with self._db.write() as session:
            if is_code:
                is_right = await self._proofs.is_proved(session, user, said) is not None
            if is_right:
                await self._limits.succeeded(session, attempt)
                await portal_sessions.confirm(session, actor.session_hash, now_us())
        if not is_right:
            raise _not_right(is_code=is_code)

    @needs("account.confirm")
    async def ask_passkey(self, actor: Person, site: Site) -> dict[str, Any]:
        """What the browser is to ask one of the actor's passkeys. Raises: InvalidRequest: none is here."""
        if not actor.session_hash:
            raise InvalidRequest("Passkeys are shown in a browser.", code="no_passkey")
        async with self._db.write() as session:
            return await self._proofs.ask_passkey(session, actor.session_hash, "confirm", site, user_id=actor.user_id)

    @needs("account.confirm")
    async def show_passkey(self, actor: Person, credential: str, site: Site) -> None:
        """As `say`, with a passkey whose device has asked who is there. Raises: InvalidRequest (`wrong_factor`)."""
        async with self._db.write() as session:
            challenge = await self._proofs.take_challenge(session, actor.session_hash, "confirm")
        async with self._db.write() as session:
            found = await self._proofs.person_of_passkey(session, challenge, "confirm", credential, site)
            is_right = found is not None and found.id == actor.user_id
            if is_right:
                await portal_sessions.confirm(session, actor.session_hash, now_us())
        if not is_right:
            raise refusal()


def _not_right(*, is_code: bool) -> Unauthenticated:
    words = "The code is not right, or was used before." if is_code else "The password is not right."
    return Unauthenticated(words, code="wrong_credentials", param="password")
