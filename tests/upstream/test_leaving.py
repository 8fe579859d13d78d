"""A caller that leaves, and one that reads slowly: what the provider's side of the connection sees."""

import asyncio

import pytest

from aiservice.upstream.client import Upstream
from tests.upstream.conftest import CALL, Sending, send_poured, send_streamed, send_whole, target
from tests.upstream.servers import STREAM_END, STREAM_HEAD, Peer, Server, chunk, serving

all_ways = pytest.mark.parametrize("sending", [send_whole, send_streamed, send_poured])


async def heartbeats(peer: Peer) -> None:
    await peer.request()
    await peer.send(STREAM_HEAD + chunk(b": hi\n\n"))
    await peer.wait_closed()


async def until_received(server: Server) -> None:
    async with asyncio.timeout(10):
        while not server.received:
            await asyncio.sleep(0.01)


async def test_r05_leaving_a_stream_early_closes_the_connection_at_once(upstream: Upstream) -> None:
    async with serving(heartbeats) as server:
        async with await upstream.open_stream(target(server.port), CALL) as stream:
            await anext(stream)
        await asyncio.wait_for(server.is_closed.wait(), 1)
    assert upstream.in_flight == 0


async def test_r05_a_cancelled_reader_closes_the_connection_at_once(upstream: Upstream) -> None:
    async with serving(heartbeats) as server:
        task = asyncio.create_task(send_streamed(upstream, target(server.port)))
        await until_received(server)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.is_closed.wait(), 1)
    assert upstream.in_flight == 0


@all_ways
async def test_r05_a_caller_that_leaves_before_the_answer_began_closes_the_connection(
    upstream: Upstream, sending: Sending
) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.wait_closed()

    async with serving(silent) as server:
        task = asyncio.create_task(sending(upstream, target(server.port)))
        await until_received(server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.is_closed.wait(), 1)


async def test_a_stream_nobody_reads_is_held_back(upstream: Upstream) -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(STREAM_HEAD)
        for _ in range(1000):
            await peer.send(chunk(b"x" * 65536))
            sent += 65536
        await peer.send(STREAM_END)

    async with serving(flood) as server, await upstream.open_stream(target(server.port), CALL) as stream:
        got = len(await anext(stream))
        await asyncio.sleep(0.5)
        assert sent < 16_000_000
        async for piece in stream:
            got += len(piece)
    assert got == 65_536_000
