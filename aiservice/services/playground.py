"""Calls that a signed-in person makes from the portal, as one of the clients they see to: through the gateway like any
other, counted, limited and paid for as that client's.

A client has a key of its own for it, made at the first such call, whose secret nobody ever sees: only tokens of a
minute are made with it. Whoever revokes it ends the playground for that client until somebody uses it anew.
"""

from aiservice.errors import PermissionDenied, Unauthenticated
from aiservice.kit.secret import Secret
from aiservice.principal import Person
from aiservice.services.cluster import Cluster
from aiservice.services.keys import Keys
from aiservice.services.rights import require
from aiservice.services.tokens import Tokens

KEY_NAME = "Playground"
TOKEN_SECONDS = 60
_WORKING = ("active", "rolling")


async def token_for(
    actor: Person, client: str, address: str, *, keys: Keys, tokens: Tokens, cluster: Cluster
) -> Secret:
    """A token that calls as `client` (its id or name) for a minute, from `address`.

    Raises:
        NotFound: no such client, or it is not the actor's.
        Unprocessable: the client is disabled. PermissionDenied: its key may not be used now.
    """
    require(actor, "playground.run")
    public_id = await _public_id(actor, client, keys)
    if public_id is None:
        async with cluster.turn("playground key"):  # two calls at once make one
            public_id = await _public_id(actor, client, keys)
            if public_id is None:
                await keys.create(actor, client, KEY_NAME, is_retrievable=False)
                public_id = await _public_id(actor, client, keys)
    if public_id is None:
        raise PermissionDenied(
            f"The key '{KEY_NAME}' of this client does not work. Look at it on the page Keys.", code="no_playground_key"
        )
    try:
        standing = await keys.check.standing(public_id, address)
    except Unauthenticated as error:  # of that key, not of the person's session
        raise PermissionDenied(error.message, code="no_playground_key") from error
    return (await tokens.issue(standing.principal, ttl_seconds=TOKEN_SECONDS, address=address)).token


async def _public_id(actor: Person, client: str, keys: Keys) -> str | None:
    """Of the newest secret of the client's own key for this; None where it has none that works."""
    for key in await keys.list(actor, client):
        if key.name == KEY_NAME and key.state in _WORKING and not key.is_test and key.secrets:
            return max(key.secrets, key=lambda secret: secret.created_us).public_id
    return None
