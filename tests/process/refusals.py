"""How long after a credential should be refused the last worker of any node still takes it, or a token of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiservice.kit.clock import HOUR_US, now_us
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.abuse_features import Level
from aiservice.services.core import Core
from aiservice.services.keys import NewKey
from aiservice.services.sanctions import Finding
from tests.process.nodes import Nodes, statuses

Change = Callable[[Core, NewKey], Awaitable[object]]


async def _block(core: Core, client: str) -> object:
    client_id = (await core.clients.find(OPERATOR, client)).id
    return await core.sanctions.impose(Finding(client_id, Level.BLOCK, "test", 9.0, (), now_us() + HOUR_US, 1))


# What is done to a key or its client by another process, and the answer from then on.
CHANGES: dict[str, tuple[Change, int]] = {
    "revoked": (lambda core, made: core.keys.revoke(OPERATOR, made.id), 401),
    "out of scope": (lambda core, made: core.keys.update(OPERATOR, made.id, scopes=["chat"]), 403),
    "other address": (lambda core, made: core.keys.update(OPERATOR, made.id, networks=["203.0.113.1"]), 403),
    "client disabled": (lambda core, made: core.clients.disable(OPERATOR, made.client), 403),
    "client blocked": (lambda core, made: _block(core, made.client), 403),
    "client narrowed": (lambda core, made: core.clients.update(OPERATOR, made.client, scopes=["chat"]), 403),
}
EXPIRES_SECONDS = 4.0


@dataclass
class Credentials:
    """A key of a client of its own, and a token of it."""

    made: NewKey
    texts: list[str]


async def credentials(cluster: Nodes, core: Core, name: str, expires_in_seconds: float | None = None) -> Credentials:
    """New ones, known to every worker."""
    await core.clients.create(OPERATOR, name)
    made = await core.keys.create(OPERATOR, name, "k", expires_in_seconds=expires_in_seconds)
    principal = await core.keys.verify(made.key.reveal_text(), address="127.0.0.1")
    token: Secret = (await core.tokens.issue(principal)).token
    found = Credentials(made, [made.key.reveal_text(), token.reveal_text()])
    for text in found.texts:
        assert await statuses(cluster.servers, text, tries=4) == {200}
    return found


async def refused_after(cluster: Nodes, core: Core, what: str, number: int) -> float:
    """Seconds from the end of a change's transaction until no worker of any node takes the key, nor a token of it."""
    change, status = CHANGES[what]
    given = await credentials(cluster, core, f"{what} {number} {time.time_ns()}")
    asking = [asyncio.ensure_future(_last_good(cluster, text)) for text in given.texts]
    await asyncio.sleep(0.2)
    await change(core, given.made)
    changed_at = time.time()
    last_good = max(await asyncio.gather(*asking))
    for text in given.texts:
        assert await statuses(cluster.servers, text, tries=4) == {status}, what
    return round(max(0.0, last_good - changed_at), 3)


async def expired_after(cluster: Nodes, core: Core, number: int) -> float:
    """Seconds from a key's end until the last worker refuses it; negative where the last one to take it was before."""
    given = await credentials(cluster, core, f"expiring {number} {time.time_ns()}", EXPIRES_SECONDS)
    last_good = await _last_good(cluster, given.texts[0])
    for text in given.texts:
        assert await statuses(cluster.servers, text, tries=4) == {401}
    return round(last_good - (given.made.expires_us or 0) / 1e6, 3)


async def _last_good(cluster: Nodes, text: str) -> float:
    """When the last request began that was still answered, once none has been for a second."""
    last_good = asked_at = time.time()
    while asked_at - last_good < 1.0:
        began = time.time()
        if 200 in await statuses(cluster.servers, text, tries=3):
            last_good = began
        asked_at = time.time()
    return last_good
