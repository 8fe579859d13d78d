"""Who may change which key."""

from aiservice.errors import NotFound
from aiservice.principal import Person
from aiservice.services.rights import may, whose
from aiservice.store import keys as store
from aiservice.store.session import AsyncSession
from aiservice.tables import Client, ClientKey


async def managed_key(
    session: AsyncSession, actor: Person, key_or_public_id: str, action: str, *, to_change: bool = True
) -> tuple[ClientKey, Client]:
    """A key with which the actor may do `action`, with its client. Without `to_change` it is only read.

    Raises:
        NotFound: no such key, or it is not the actor's.
    """
    found = await store.key(session, key_or_public_id, to_change=to_change)
    if found is None or not may(actor, action, whose(actor, found[1].owner_id)):
        raise NotFound(
            f"There is no key '{key_or_public_id[:40]}'. A key is named by its id (key_…) or its public part.",
            code="key_not_found",
        )
    return found
