"""Where single sign-on is required, nothing else opens a session: no password, no passkey, no link, no sign-up. But
for one admin, whom the command line names: for the day on which the provider is away.

Fails closed: the rule is read in the unit of work that would open the session.
"""

from aiservice.errors import PermissionDenied
from aiservice.principal import Role
from aiservice.store import people
from aiservice.store import sso as store
from aiservice.store.session import AsyncSession


async def require_other_ways_on(session: AsyncSession, user_id: str | None = None) -> None:
    """Lets pass where single sign-on is not required, and the one for whom it never is.

    Raises:
        PermissionDenied: `sso_required`.
    """
    if not await are_other_ways_on(session, user_id):
        raise PermissionDenied(
            "People come in by single sign-on here; passwords, passkeys and links are switched off.",
            code="sso_required",
        )


async def are_other_ways_on(session: AsyncSession, user_id: str | None = None) -> bool:
    """Whether anything but single sign-on opens a session, to anybody or to that person."""
    rule = await store.rule(session)
    if not rule.is_required:
        return True
    if user_id is None or user_id != rule.break_glass_id:
        return False
    user = await people.by_ref(session, user_id)
    return user is not None and user.role == Role.ADMIN  # who was one when they were named may be none now
