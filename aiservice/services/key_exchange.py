"""Access tokens that stored keys are exchanged for: bought when they are first needed, and again before they end.

Fails closed: without a token nothing is sent. A token is asked for only where its vendor gives them, or at the
connection's own address, under the same rules as every call: a key that was pasted cannot send us anywhere else.
"""

import asyncio
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiservice.errors import BrokerError
from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed, Provider
from aiservice.providers._key_exchange import BoughtToken, KeyExchange
from aiservice.services.connection_views import ConnectionView
from aiservice.settings import Deadlines
from aiservice.upstream.client import Target, Upstream
from aiservice.upstream.guard import ParsedBase, check_base_url
from aiservice.wire import AttemptFailure, Blame

_DEADLINES = Deadlines(connect=5.0, first_byte=10.0, idle=10.0, total=15.0, progress=10.0)
_MAX_BYTES = 64 * 1024
# A target is kept for a minute with the token in it; with another minute to spare, none is sent that has ended.
_MARGIN_SECONDS = 120
_LEAST_AGE_SECONDS = 30.0  # a key that is good for nothing must not buy a token for each call


class KeyExchanges:
    """The tokens of one worker, by connection."""

    def __init__(self) -> None:
        self._bought: dict[str, tuple[int, float, Secret]] = {}
        self._bought_at: dict[str, float] = {}  # seconds of the monotonic clock
        self._under_way: dict[tuple[str, int], asyncio.Task[BoughtToken]] = {}

    async def sent(self, upstream: Upstream, view: ConnectionView, provider: Provider, key: Secret) -> Secret:
        """What authenticates calls of a connection that has `key`: the key itself, or the token it was exchanged for.

        Raises:
            AttemptFailed, UpstreamFailure: there is no token.
        """
        exchange = provider.exchange(key)
        if exchange is None:
            return key
        known = self._bought.get(view.id)
        if known is not None and known[0] == view.revision and known[1] > time.monotonic():
            return known[2]
        name = (view.id, view.revision)
        task = self._under_way.get(name)
        if task is None:  # of all who need it at once, one asks
            task = asyncio.get_running_loop().create_task(bought(upstream, view, exchange), name="key exchange")
            self._under_way[name] = task
            task.add_done_callback(lambda done: self._ended(name, done))
        return (await asyncio.shield(task)).key

    def refused(self, connection_id: str) -> bool:
        """Drops a token that its vendor does not take (any more), unless it was bought just now; whether it did."""
        known = self._bought.get(connection_id)
        if known is None or time.monotonic() - self._bought_at.get(connection_id, 0.0) < _LEAST_AGE_SECONDS:
            return False
        del self._bought[connection_id]
        return True

    def forget_all_but(self, views: Iterable[ConnectionView]) -> None:
        """Drops the tokens of connections that are no more, or have another key or address now."""
        kept = {(view.id, view.revision) for view in views}
        self._bought = {key: token for key, token in self._bought.items() if (key, token[0]) in kept}
        self._bought_at = {key: bought_at for key, bought_at in self._bought_at.items() if key in self._bought}

    def _ended(self, name: tuple[str, int], task: asyncio.Task[BoughtToken]) -> None:
        self._under_way.pop(name, None)
        if not task.cancelled() and task.exception() is None:
            token, (connection_id, revision) = task.result(), name
            ends = time.monotonic() + max(token.lifetime_seconds - _MARGIN_SECONDS, 0)
            self._bought[connection_id] = (revision, ends, token.key)
            self._bought_at[connection_id] = time.monotonic()


async def bought(upstream: Upstream, view: ConnectionView, exchange: KeyExchange) -> BoughtToken:
    """A new token.

    Raises:
        AttemptFailed, UpstreamFailure: there is none.
    """
    base, path = _place(view, exchange)
    call = await asyncio.to_thread(exchange.call, int(time.time()))
    call.path = path
    target = Target(f"{view.id}:token", view.revision, base, is_private_allowed=view.is_private_allowed)
    return exchange.read(await upstream.send(target, call, deadlines=_DEADLINES, max_bytes=_MAX_BYTES))


def _place(view: ConnectionView, exchange: KeyExchange) -> tuple[ParsedBase, str]:
    """Where the token is had, and the path there."""
    try:
        parts = urlsplit(exchange.token_url)
        base = check_base_url(f"{parts.scheme}://{parts.netloc}", view.is_private_allowed)
        own = check_base_url(view.base_url, view.is_private_allowed)
    except (ValueError, BrokerError) as exc:
        raise AttemptFailed(_elsewhere()) from exc
    is_vendors = base.scheme == "https" and base.port == 443 and base.host in exchange.vendor_hosts
    if not is_vendors and base.origin != own.origin:
        raise AttemptFailed(_elsewhere())
    return base, parts.path or "/"


def _elsewhere() -> AttemptFailure:
    return AttemptFailure(
        502,
        "upstream_address_refused",
        "The stored credential wants to be exchanged at an address that is neither its vendor's nor the connection's "
        "own. Set a key whose token address is one of these.",
        Blame.FAILOVER,
    )
