"""Both transports behind one fixture: whatever is promised holds for each of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.settings import Deadlines
from aiservice.upstream.client import Target, Upstream
from aiservice.upstream.guard import ParsedBase
from aiservice.upstream.httpx_transport import HttpxTransport
from aiservice.upstream.outgoing import KeyHeader
from aiservice.upstream.socket_transport import SocketTransport
from aiservice.wire import HttpCall
from tests.upstream.servers import Authority

KEY = "sk-canary-0123456789"
CALL = HttpCall("/chat/completions", b'{"model":"m"}')


TRANSPORTS: dict[str, type[SocketTransport | HttpxTransport]] = {
    "socket": SocketTransport,
    "httpx": HttpxTransport,
}


@dataclass
class Names:
    """A resolver of our own: host -> addresses, and what it was asked."""

    addresses: dict[str, list[str]] = field(default_factory=lambda: {"mock.test": ["127.0.0.1"]})
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self.addresses:
            raise OSError("no such name")
        return self.addresses[host]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


Maker = Callable[..., Upstream]


@pytest.fixture(params=["socket", "httpx"])
async def make_upstream(request: pytest.FixtureRequest, names: Names, authority: Authority) -> AsyncIterator[Maker]:
    """Makes an Upstream with given deadlines over one of the transports; closed after the test."""
    made: list[Upstream] = []
    kind = TRANSPORTS[request.param]

    def make(deadlines: Deadlines | None = None, *, renew_seconds: float = 60.0, roots: bool = True) -> Upstream:
        transport = kind(
            deadlines,
            resolver=names,
            renew_seconds=renew_seconds,
            root_certificates_pem=authority.pem if roots else None,
        )
        made.append(Upstream(transport, deadlines))
        return made[-1]

    yield make
    for upstream in made:
        await upstream.close()


@pytest.fixture
def upstream(make_upstream: Maker) -> Upstream:
    return make_upstream()


def target(
    port: int,
    host: str = "mock.test",
    *,
    scheme: str = "http",
    path: str = "/v1",
    revision: int = 1,
    is_private_allowed: bool = True,
) -> Target:
    """A connection with a canary key."""
    base = ParsedBase(scheme, host, port, path)
    return Target("con_1", revision, base, KeyHeader(Secret(KEY)), is_private_allowed)


Sending = Callable[[Upstream, Target], Coroutine[Any, Any, bytes]]


async def send_whole(upstream: Upstream, to: Target) -> bytes:
    return (await upstream.send(to, CALL)).body


async def send_streamed(upstream: Upstream, to: Target) -> bytes:
    async with await upstream.open_stream(to, CALL) as stream:
        return b"".join([piece async for piece in stream])


async def send_poured(upstream: Upstream, to: Target) -> bytes:
    """As `send_streamed`, but the bytes are handed over where they arrive; every second piece is refused the next."""
    pieces: list[bytes] = []

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return len(pieces) % 2 == 1

    async with await upstream.open_stream(to, CALL) as stream:
        while await stream.pour(take):
            await asyncio.sleep(0)
    return b"".join(pieces)
