"""Providers of this process, behind the same door."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiservice.settings import Deadlines
from aiservice.upstream.client import Target, Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.guard import ParsedBase
from aiservice.upstream.local import LocalStream
from aiservice.upstream.socket_transport import SocketTransport
from aiservice.wire import HttpCall, HttpReply
from tests.upstream.conftest import CALL


class Echo:
    """Answers with what it was sent; its stream never ends by itself."""

    is_left = False

    async def serve(self, call: HttpCall) -> HttpReply:
        return HttpReply(200, {}, call.body)

    async def serve_stream(self, call: HttpCall) -> LocalStream:
        return LocalStream(self._chunks(call))

    async def _chunks(self, call: HttpCall) -> AsyncIterator[bytes]:
        try:
            yield call.body
            await asyncio.sleep(60)
        finally:
            self.is_left = True


def local_target(provider: Echo) -> Target:
    return Target("sandbox", 1, ParsedBase("https", "sandbox.invalid", 443, ""), local=provider)


async def test_a_local_provider_answers_whole_and_streamed() -> None:
    upstream, provider = Upstream(SocketTransport()), Echo()
    assert (await upstream.send(local_target(provider), CALL)).body == CALL.body
    async with await upstream.open_stream(local_target(provider), CALL) as stream:
        assert await anext(stream) == CALL.body
    assert provider.is_left
    assert upstream.in_flight == 0


async def test_deadlines_and_caps_hold_for_local_providers_too() -> None:
    upstream, provider = Upstream(SocketTransport(), Deadlines(idle=0.1)), Echo()
    with pytest.raises(UpstreamFailure, match="upstream_idle_timeout"):
        async with await upstream.open_stream(local_target(provider), CALL) as stream:
            async for _ in stream:
                pass
    assert provider.is_left
    with pytest.raises(UpstreamFailure, match="upstream_too_large"):
        await upstream.send(local_target(provider), CALL, max_bytes=3)
