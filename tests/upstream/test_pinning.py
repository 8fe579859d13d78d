"""One client per connection, tied to one checked address."""

import asyncio

import pytest

from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from tests.upstream.conftest import CALL, Maker, Names, send_whole, target
from tests.upstream.servers import Peer, answer, answering, serving


async def test_t32_a_host_is_looked_up_once_and_its_answer_is_what_is_connected_to(
    upstream: Upstream, names: Names
) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        await asyncio.gather(*(send_whole(upstream, target(server.port)) for _ in range(20)))
        names.addresses["mock.test"] = ["169.254.169.254"]
        await send_whole(upstream, target(server.port))
    assert names.asked == ["mock.test"]


async def test_t32_a_name_that_moves_to_a_private_address_is_refused_when_it_is_looked_up_again(
    make_upstream: Maker, names: Names
) -> None:
    upstream = make_upstream(renew_seconds=0.05)
    async with serving(answering(answer(b"{}"))) as server:
        await send_whole(upstream, target(server.port))
        names.addresses["mock.test"] = ["127.0.0.1", "169.254.169.254"]
        await asyncio.sleep(0.1)
        with pytest.raises(UpstreamFailure, match="upstream_address_refused"):
            await send_whole(upstream, target(server.port))
    assert len(server.received) == 1


async def test_t31_a_loopback_answer_is_refused_without_the_mark_and_nothing_connects(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        for scheme in ("http", "https"):
            for host in ("mock.test", "127.0.0.1"):
                to = target(server.port, host, scheme=scheme, is_private_allowed=False)
                with pytest.raises(UpstreamFailure, match="upstream_address_refused"):
                    await send_whole(upstream, to)
    assert server.connections == 0


async def test_a_literal_address_is_not_looked_up(upstream: Upstream, names: Names) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        await send_whole(upstream, target(server.port, "127.0.0.1"))
    assert names.asked == []


async def test_the_client_stays_while_its_address_is_still_an_answer(make_upstream: Maker, names: Names) -> None:
    upstream = make_upstream(renew_seconds=0.05)
    async with serving(answering(answer(b"{}"))) as server:
        for _ in range(4):
            await send_whole(upstream, target(server.port))
            await asyncio.sleep(0.08)
    assert len(names.asked) == 4
    assert server.connections == 1


async def test_a_busy_connection_renews_in_the_background(make_upstream: Maker, names: Names) -> None:
    upstream = make_upstream(renew_seconds=0.2)
    async with serving(answering(answer(b"{}"))) as server:
        for _ in range(20):
            await send_whole(upstream, target(server.port))
            await asyncio.sleep(0.03)
    assert 3 <= len(names.asked) <= 8
    assert server.connections == 1


async def test_a_dead_address_is_followed_by_the_next_one_in_the_same_call(upstream: Upstream, names: Names) -> None:
    names.addresses["mock.test"] = ["127.0.0.77", "127.0.0.1"]
    async with serving(answering(answer(b"{}"))) as server:
        assert await send_whole(upstream, target(server.port)) == b"{}"
        assert await send_whole(upstream, target(server.port)) == b"{}"
    assert names.asked == ["mock.test", "mock.test"]


async def test_a_refused_connection_makes_the_next_call_look_the_host_up_again(
    upstream: Upstream, names: Names
) -> None:
    names.addresses["mock.test"] = ["127.0.0.77"]
    async with serving(answering(answer(b"{}"))) as server:
        with pytest.raises(UpstreamFailure, match="upstream_connect_failed"):
            await send_whole(upstream, target(server.port))
        names.addresses["mock.test"] = ["127.0.0.1"]
        assert await send_whole(upstream, target(server.port)) == b"{}"


async def test_a_new_revision_gets_a_client_of_its_own(upstream: Upstream) -> None:
    async with serving(answering(answer(b"1"))) as old, serving(answering(answer(b"2"))) as new:
        assert await send_whole(upstream, target(old.port, revision=1)) == b"1"
        assert await send_whole(upstream, target(new.port, revision=2)) == b"2"


async def test_a_forgotten_connection_closes_its_idle_sockets(upstream: Upstream) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer(b"{}"))
        await peer.wait_closed()

    async with serving(handler) as server:
        await upstream.send(target(server.port), CALL)
        upstream.forget("con_1")
        await asyncio.wait_for(server.is_closed.wait(), 1)
