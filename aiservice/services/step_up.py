"""Acts that a thief of a session would want ask for the password again (OWASP ASVS 7.5.1 and 7.5.3): the roll of a key,
another address or key of a provider, budgets, the keeping of a client's bodies, and who is an admin. What a stolen
cookie alone may do ends there.

Fails closed: without the database nothing counts as said.
"""

from aiservice.errors import PermissionDenied
from aiservice.kit.clock import MINUTE_US, now_us
from aiservice.principal import Person
from aiservice.store import portal_sessions
from aiservice.store.session import AsyncSession

CONFIRMED_US = 5 * MINUTE_US
"""How long a password that was said holds for such acts in the same session."""


async def require_password_said(session: AsyncSession, actor: Person, *, is_sign_in_enough: bool = True) -> None:
    """Lets pass whoever has said their password in this browser within five minutes, to sign in or again.

    Without `is_sign_in_enough` only "again" counts. An actor without a browser (the command line, which reads the
    database and the master key anyway) passes where signing in is enough.

    Raises:
        PermissionDenied: say it again (`step_up_required`).
    """
    if is_sign_in_enough and not actor.session_hash:
        return
    found = await portal_sessions.with_user(session, actor.session_hash)
    times = [] if found is None else [found[0].confirmed_us, found[0].created_us if is_sign_in_enough else None]
    if not any(at is not None and now_us() - at <= CONFIRMED_US for at in times):
        raise PermissionDenied(
            "This asks for your password again, once in five minutes. Nothing was changed.",
            code="step_up_required",
            param="password",
        )
