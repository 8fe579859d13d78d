"""Where single sign-on is required, nothing else opens a session: no password, no passkey, no link, no sign-up. But
for one admin, whom the command line names: for the day on which the provider is away.

Fails closed: the rule is read in the unit of work that would open the session.
"""

from aiservice.errors import PermissionDenied
from aiservice.store import sso as store
from aiservice.store.session import AsyncSession


async def require_other_ways_on(session: AsyncSession, user_id: str | None = None) -> None:
    """Lets pass where single sign-on is not required, and the one for whom it never is.

    Raises:
        PermissionDenied: `sso_required`.
    """
    rule = await store.rule(session)
    if rule.is_required and (user_id is None or user_id != rule.break_glass_id):
        raise PermissionDenied(
            "People come in by single sign-on here; passwords, passkeys and links are switched off.",
            code="sso_required",
        )
