"""Deadlines: connect, first byte, idle, progress and total, on both transports."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from aiservice.settings import Deadlines
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from tests.upstream.conftest import CALL, Maker, Sending, send_poured, send_streamed, send_whole, target
from tests.upstream.servers import STREAM_END, STREAM_HEAD, Handler, Peer, answer, answering, chunk, serving

all_ways = pytest.mark.parametrize("sending", [send_whole, send_streamed, send_poured])


async def fails_within(seconds: float, code: str, sending: Sending, upstream: Upstream, port: int) -> None:
    started = time.monotonic()
    with pytest.raises(UpstreamFailure) as caught:
        await sending(upstream, target(port))
    assert caught.value.code == code
    assert caught.value.failure.status == 504
    assert time.monotonic() - started < seconds
    assert upstream.in_flight == 0


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that a connect hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(3):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
            waiting.append(caller)
        yield listener.getsockname()[1]
        for caller in waiting:
            caller.close()


@all_ways
async def test_r06_a_connect_that_hangs(make_upstream: Maker, sending: Sending, deaf_port: int) -> None:
    await fails_within(2, "upstream_connect_timeout", sending, make_upstream(Deadlines(connect=0.3)), deaf_port)


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.wait_closed()


@all_ways
@pytest.mark.parametrize("idle", [0.3, 5.0])
async def test_r06_a_server_that_never_answers(make_upstream: Maker, sending: Sending, idle: float) -> None:
    async with serving(silent) as server:
        upstream = make_upstream(Deadlines(first_byte=0.3, idle=idle))
        await fails_within(1.5, "upstream_first_byte_timeout", sending, upstream, server.port)


async def headers_only(peer: Peer) -> None:
    await peer.request()
    await peer.send(STREAM_HEAD)
    await peer.wait_closed()


async def one_chunk(peer: Peer) -> None:
    await peer.request()
    await peer.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
    await peer.wait_closed()


@all_ways
@pytest.mark.parametrize("first_byte", [1.0, 5.0])
@pytest.mark.parametrize("handler", [headers_only, one_chunk])
async def test_r06_an_answer_that_falls_silent(
    make_upstream: Maker, sending: Sending, first_byte: float, handler: Handler
) -> None:
    async with serving(handler) as server:
        upstream = make_upstream(Deadlines(first_byte=first_byte, idle=0.3))
        await fails_within(3, "upstream_idle_timeout", sending, upstream, server.port)
        await asyncio.wait_for(server.is_closed.wait(), 5)


async def drip(peer: Peer) -> None:
    await peer.request()
    await peer.send(STREAM_HEAD)
    for _ in range(200):
        await peer.send(chunk(b"x"))
        await asyncio.sleep(0.03)


@all_ways
async def test_r07_a_slow_drip_meets_the_total_deadline(make_upstream: Maker, sending: Sending) -> None:
    async with serving(drip) as server:
        await fails_within(1.5, "upstream_total_timeout", sending, make_upstream(Deadlines(total=0.5)), server.port)


async def test_r07_heartbeats_do_not_count_as_progress(make_upstream: Maker) -> None:
    async with serving(drip) as server:
        upstream = make_upstream(Deadlines(progress=0.4))
        await fails_within(1.5, "upstream_no_progress", send_streamed, upstream, server.port)


async def test_real_events_count_as_progress(make_upstream: Maker) -> None:
    async def paced(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD)
        for _ in range(12):
            await asyncio.sleep(0.1)
            await peer.send(chunk(b"data: 1\n\n"))
        await peer.send(STREAM_END)

    async with serving(paced) as server:
        upstream = make_upstream(Deadlines(progress=1.0, idle=1.0))
        count = 0
        async with await upstream.open_stream(target(server.port), CALL) as stream:
            async for _ in stream:
                stream.progressed()
                count += 1
    assert count == 12


async def test_a_slow_client_is_not_the_providers_silence(make_upstream: Maker) -> None:
    async with serving(answering(STREAM_HEAD + chunk(b"1") + chunk(b"2") + STREAM_END)) as server:
        upstream = make_upstream(Deadlines(idle=0.3, progress=0.3))
        got = b""
        async with await upstream.open_stream(target(server.port), CALL) as stream:
            async for piece in stream:
                got += piece
                await asyncio.sleep(0.7)
    assert got == b"12"


async def test_the_total_deadline_counts_a_slow_client_too_and_fails_the_next_read(make_upstream: Maker) -> None:
    async with serving(drip) as server:
        upstream = make_upstream(Deadlines(total=0.3))
        async with await upstream.open_stream(target(server.port), CALL) as stream:
            await anext(stream)
            await asyncio.sleep(0.6)
            with pytest.raises(UpstreamFailure, match="upstream_total_timeout"):
                await anext(stream)


async def test_a_callers_own_cancellation_stays_a_cancellation(make_upstream: Maker) -> None:
    async with serving(silent) as server:
        upstream = make_upstream()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await upstream.send(target(server.port), CALL)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await upstream.open_stream(target(server.port), CALL)
    assert upstream.in_flight == 0


async def test_a_deadline_leaves_the_task_uncancelled(make_upstream: Maker) -> None:
    async with serving(headers_only) as server:
        upstream = make_upstream(Deadlines(first_byte=1.0, idle=0.2))
        with pytest.raises(UpstreamFailure):
            await upstream.send(target(server.port), CALL)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_timer_sleeps_when_nothing_is_under_way(make_upstream: Maker) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        upstream = make_upstream()
        await upstream.send(target(server.port), CALL)
        await asyncio.sleep(0.6)
    assert upstream._watchdog._timer is None
