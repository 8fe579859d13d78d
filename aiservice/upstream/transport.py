"""What a transport is: it moves bytes to one pinned address and says in our words what went wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.guard import ParsedBase
from aiservice.upstream.local import LocalProvider
from aiservice.upstream.outgoing import Auth, Headers, no_auth
from aiservice.wire import HttpReply

# Given bytes of an answer as they arrive; says whether it wants more at once. It must not raise.
Take = Callable[[bytes], bool]


@dataclass(slots=True, frozen=True)
class Target:
    """Where a call goes and how it authenticates. Keep one per connection and revision: it is looked at, not copied.

    `revision` must change with the address or the key. With `local` set nothing leaves the process.
    """

    connection_id: str
    revision: int
    base: ParsedBase
    auth: Auth = field(default=no_auth, repr=False)
    is_private_allowed: bool = False
    local: LocalProvider | None = None


@dataclass(slots=True)
class Request:
    """A checked request: `path` is appended to the target's address. `auth` is the credential and what else is of this
    one call: it is never kept by a transport."""

    method: str
    path: str
    headers: Headers
    auth: Headers = field(repr=False)
    body: bytes


@dataclass(slots=True)
class RawStream:
    """A reply whose head has come.

    `read` gives the next bytes (or a buffer of them) as they arrive and None at the end; it may raise anything, and
    `explain` turns that into our words. `close` gives the connection up if the end was not read. A transport that can
    hand bytes over without a turn of the event loop has `pour`: it returns True once the `Take` has said no, False at
    the end.
    """

    status: int
    headers: Mapping[str, str]
    read: Callable[[], Awaitable[Any]]
    close: Callable[[], Awaitable[object]]
    explain: Callable[[Exception], UpstreamFailure]
    pour: Callable[[Take], Awaitable[bool]] | None = None


class Transport(Protocol):
    """Both methods raise UpstreamFailure only, and let CancelledError through after giving up the connection."""

    async def send(self, target: Target, request: Request, watch: Watch, max_bytes: int) -> HttpReply:
        """A whole reply of at most `max_bytes`."""
        ...

    async def open(self, target: Target, request: Request, watch: Watch) -> RawStream:
        """A reply as soon as its head has come."""
        ...

    def forget(self, connection_id: str) -> None:
        """Drops what is kept for a connection."""
        ...

    async def close(self) -> None:
        """Gives up every connection."""
        ...


def check_head(status: int, headers: Mapping[str, str], max_bytes: int) -> UpstreamFailure | None:
    """What is wrong with a reply's head: a redirect, a compressed body, a body announced as too large."""
    if 300 <= status < 400:
        return failed("upstream_redirected", upstream_status=status)
    if headers.get("content-encoding", "identity").lower() not in {"identity", ""}:
        return failed("upstream_encoded", upstream_status=status)
    length = headers.get("content-length")
    if length is not None and length.isdigit() and int(length) > max_bytes:
        return failed("upstream_too_large", upstream_status=status)
    return None
