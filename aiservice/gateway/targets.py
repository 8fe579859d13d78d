"""Where the connections in use are: address and credential, kept for a minute so that the vault is asked seldom."""

import time

from aiservice.gateway.provider_stream import InProcess
from aiservice.providers._base import LocalProvider, Provider
from aiservice.services.candidates import Candidate
from aiservice.services.connection_target import target_of
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.upstream.client import Target
from aiservice.upstream.guard import ParsedBase

_TARGET_SECONDS = 60.0  # how long an opened key may be used without asking the vault again
_NOWHERE = ParsedBase("https", "localhost", 443, "")


class Targets:
    """The targets of one worker."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._targets: dict[str, tuple[ConnectionView, float, Target]] = {}

    def at_hand(self, candidate: Candidate, now: float) -> Target | None:
        """The target of a candidate, where nothing has to be asked for it now (monotonic seconds); None: ask `of`."""
        view = candidate.connection
        known = self._targets.get(view.id)
        return known[2] if known is not None and known[0] is view and known[1] > now else None

    def refused(self, candidate: Candidate) -> None:
        """A call of the candidate was refused for want of a key: the next one buys a token, where a key buys them."""
        if type(candidate.provider).exchange is not Provider.exchange and self._connections.refused(
            candidate.connection
        ):
            self._targets.pop(candidate.connection.id, None)

    async def of(self, candidate: Candidate) -> Target:
        """The target of a candidate.

        Raises:
            Overloaded: the vault is sealed, or the stored key does not open.
            AttemptFailed, UpstreamFailure: it has to be exchanged for a token, and there is none.
        """
        view, provider, now = candidate.connection, candidate.provider, time.monotonic()
        if (known := self.at_hand(candidate, now)) is not None:
            return known
        if isinstance(provider, LocalProvider):
            target = Target(view.id, view.revision, _NOWHERE, local=InProcess(provider))
        else:
            target = target_of(view, provider, await self._connections.credential(view, provider))
        self._targets[view.id] = (view, now + _TARGET_SECONDS, target)
        return target
