"""Who may change which key."""

from aiservice.errors import NotFound
from aiservice.principal import Person
from aiservice.store import keys as store
from aiservice.store.session import AsyncSession
from aiservice.tables import Client, ClientKey


async def managed_key(
    session: AsyncSession, actor: Person, key_or_public_id: str, *, to_change: bool = True
) -> tuple[ClientKey, Client]:
    """A key that the actor may change, with its client.

    Raises:
        NotFound: no such key, or it is not the actor's.
    """
    found = await store.key(session, key_or_public_id, to_change=to_change)
    if found is None or not (actor.is_admin or found[1].owner_id == actor.user_id):
        raise NotFound(
            f"There is no key '{key_or_public_id[:40]}'. A key is named by its id (key_…) or its public part.",
            code="key_not_found",
        )
    return found
