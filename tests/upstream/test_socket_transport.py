"""What only the transport on the loop's own sockets has to get right: reuse of its connections."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiservice.settings import Deadlines
from aiservice.upstream import socket_transport
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.socket_transport import SocketTransport
from aiservice.wire import HttpCall
from tests.upstream.conftest import CALL, Names, send_streamed, send_whole, target
from tests.upstream.servers import STREAM_END, STREAM_HEAD, Peer, answer, answering, chunk, serving


@pytest.fixture
async def upstream(names: Names) -> AsyncIterator[Upstream]:
    made = Upstream(SocketTransport(resolver=names))
    yield made
    await made.close()


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", b"x"])
async def test_t38_bytes_after_an_answer_are_never_the_next_answer(upstream: Upstream, extra: bytes) -> None:
    async with serving(answering(answer(b"true") + extra)) as server:
        for _ in range(3):
            assert await send_whole(upstream, target(server.port)) == b"true"
            assert await send_streamed(upstream, target(server.port)) == b"true"
    assert server.connections == 6


async def test_t38_bytes_on_an_idle_connection_are_never_an_answer(upstream: Upstream) -> None:
    async def forging(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"true"))
        await asyncio.sleep(0.05)
        await peer.send(answer(b"forged"))
        await peer.wait_closed()

    async with serving(forging) as server:
        assert await send_whole(upstream, target(server.port)) == b"true"
        await asyncio.sleep(0.15)
        assert await send_whole(upstream, target(server.port)) == b"true"
    assert server.connections == 2


async def test_an_idle_connection_that_the_provider_closed_is_not_used_again(upstream: Upstream) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"{}"))

    async with serving(once) as server:
        for _ in range(3):
            await send_whole(upstream, target(server.port))
            await asyncio.sleep(0.05)
    assert server.connections == 3


async def test_a_connection_whose_end_has_come_but_was_not_read_is_not_used_again(upstream: Upstream) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"{}"))  # and closes without a word: its end comes with the answer's last byte

    async with serving(once) as server:
        for _ in range(3):
            assert await send_whole(upstream, target(server.port)) == b"{}"
    assert (server.connections, len(server.received)) == (3, 3)


async def test_a_request_that_may_have_been_read_is_never_sent_again(upstream: Upstream) -> None:
    async def silent_at_second(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"{}"))
        await peer.request()  # taken, perhaps worked on and paid for; then the connection ends

    async with serving(silent_at_second) as server:
        await send_whole(upstream, target(server.port))
        with pytest.raises(UpstreamFailure, match="upstream_reset"):
            await send_whole(upstream, target(server.port))
        assert (server.connections, len(server.received)) == (1, 2)


async def test_a_connection_that_says_close_is_closed(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}", "connection: close"))) as server:
        for _ in range(3):
            await send_whole(upstream, target(server.port))
    assert server.connections == 3


async def test_idle_connections_are_closed_in_the_end(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"{}"))
        await peer.wait_closed()

    monkeypatch.setattr(socket_transport, "_IDLE_SECONDS", 0.1)
    async with serving(handler) as server:
        await send_whole(upstream, target(server.port))
        await asyncio.wait_for(server.is_closed.wait(), 1)


async def test_interim_answers_are_passed_over(upstream: Upstream) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    async with serving(answering(interim + answer(b"{}"))) as server:
        assert await send_whole(upstream, target(server.port)) == b"{}"
        assert await send_streamed(upstream, target(server.port)) == b"{}"


async def test_a_switch_of_protocols_is_refused(upstream: Upstream) -> None:
    async with serving(answering(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n")) as server:
        with pytest.raises(UpstreamFailure, match="upstream_bad_reply"):
            await send_whole(upstream, target(server.port))


async def test_an_answer_may_come_byte_by_byte(upstream: Upstream) -> None:
    whole = STREAM_HEAD + chunk(b"one") + chunk(b"two") + STREAM_END

    async def slow(peer: Peer) -> None:
        while True:
            await peer.request()
            for byte in whole:
                await peer.send(bytes([byte]))
                await asyncio.sleep(0)

    async with serving(slow) as server:
        assert await send_whole(upstream, target(server.port)) == b"onetwo"
        assert await send_streamed(upstream, target(server.port)) == b"onetwo"
    assert server.connections == 1


@pytest.mark.parametrize("piece", [b"a", b"\r\n\r\nHTTP/1.1 100 Continue\r\nx: "])
async def test_neither_a_dripping_head_nor_interim_answers_hold_off_the_first_byte_deadline(
    upstream: Upstream, piece: bytes
) -> None:
    async def drips(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 100 Continue\r\nx: ")
        for _ in range(40):
            await peer.send(piece)
            await asyncio.sleep(0.05)

    limits = Deadlines(first_byte=0.3, idle=0.3, total=5)
    async with serving(drips) as server:
        with pytest.raises(UpstreamFailure, match="upstream_first_byte_timeout"):
            await upstream.send(target(server.port), CALL, deadlines=limits)


async def test_a_large_request_body_arrives_whole(upstream: Upstream) -> None:
    body = b"x" * 5_000_000
    async with serving(answering(answer(b"{}"))) as server:
        await upstream.send(target(server.port), HttpCall("/embeddings", body))
    assert server.received[0].body == body


async def test_an_answer_before_the_request_was_read_ends_the_connection(upstream: Upstream) -> None:
    async def hasty(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(answer(b"too large", status="413 Too Large"))
        await peer.wait_closed()

    async with serving(hasty) as server:
        reply = await upstream.send(target(server.port), HttpCall("/x", b"x" * 20_000_000))
        assert (reply.status, reply.body) == (413, b"too large")
        await asyncio.wait_for(server.is_closed.wait(), 2)


async def test_an_answer_left_unread_does_not_silence_the_next_on_its_connection(upstream: Upstream) -> None:
    async def in_bursts(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(STREAM_HEAD + chunk(b"x" * 200_000))
            await asyncio.sleep(0.1)
            await peer.send(chunk(b"x" * 100_000) + STREAM_END)

    async with serving(in_bursts) as server:
        async with await upstream.open_stream(target(server.port), CALL):
            await asyncio.sleep(0.3)
        assert len(await asyncio.wait_for(send_whole(upstream, target(server.port)), 2)) == 300_000
    assert server.connections == 1


async def test_a_leaving_caller_and_a_finished_answer_leave_nothing_behind(upstream: Upstream) -> None:
    async with serving(answering(STREAM_HEAD + chunk(b"1") + chunk(b"2") + STREAM_END)) as server:
        for _ in range(200):
            async with await upstream.open_stream(target(server.port), CALL) as stream:
                await anext(stream)
        transport = upstream._transport
        assert isinstance(transport, SocketTransport)
        assert transport._busy == set()
    assert upstream.in_flight == 0
