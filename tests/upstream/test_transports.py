"""What both transports promise about answers, failures and connections."""

import asyncio
import gzip
import resource
import traceback
from functools import partial

import pytest

from aiservice import errors
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.wire import Blame, HttpCall
from tests.upstream.conftest import CALL, KEY, Maker, Names, Sending, send_poured, send_streamed, send_whole, target
from tests.upstream.servers import STREAM_END, STREAM_HEAD, Peer, answer, answering, chunk, serving

all_ways = pytest.mark.parametrize("sending", [send_whole, send_streamed, send_poured])


async def failure_of(sending: Sending, upstream: Upstream, port: int) -> UpstreamFailure:
    with pytest.raises(UpstreamFailure) as caught:
        await sending(upstream, target(port))
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in repr(caught.value.failure)
    assert upstream.in_flight == 0
    return caught.value


@all_ways
async def test_an_answer_comes_back_whole(upstream: Upstream, sending: Sending) -> None:
    async with serving(answering(answer(b'{"ok":true}'))) as server:
        assert await sending(upstream, target(server.port)) == b'{"ok":true}'


async def test_t40_the_provider_sees_exactly_the_expected_headers(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        await upstream.send(target(server.port), CALL, (("anthropic-beta", "x"),))
    seen = server.received[0].headers
    assert seen.pop("accept", "*/*") == "*/*"
    assert seen.pop("connection", "keep-alive") == "keep-alive"
    assert seen == {
        "host": f"mock.test:{server.port}",
        "content-type": "application/json",
        "content-length": str(len(CALL.body)),
        "authorization": f"Bearer {KEY}",
        "anthropic-beta": "x",
        "accept-encoding": "identity",
        "user-agent": seen["user-agent"],
    }
    assert seen["user-agent"].startswith("aiservice/")
    assert server.received[0].body == CALL.body


async def test_names_of_answer_headers_are_lower_case_and_found_in_any_case(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}", "Retry-After: 7", "X-RateLimit-Remaining: 3"))) as server:
        reply = await upstream.send(target(server.port), CALL)
    assert reply.headers["retry-after"] == "7"
    assert "x-ratelimit-remaining" in list(reply.headers)
    assert dict(reply.headers.items())["retry-after"] == "7"


@pytest.mark.parametrize("status", ["400 Bad Request", "401 No", "429 Slow", "500 Oh", "503 Busy"])
async def test_error_answers_are_replies_not_failures(upstream: Upstream, status: str) -> None:
    async with serving(answering(answer(b'{"error":1}', status=status))) as server:
        reply = await upstream.send(target(server.port), CALL)
        async with await upstream.open_stream(target(server.port), CALL) as stream:
            streamed = await stream.reply()
    assert (reply.status, reply.body) == (int(status[:3]), b'{"error":1}')
    assert (streamed.status, streamed.body) == (int(status[:3]), b'{"error":1}')


async def test_get_sends_no_body(upstream: Upstream) -> None:
    async with serving(answering(answer(b'{"data":[]}'))) as server:
        await upstream.send(target(server.port), HttpCall("/models", b"", "GET", ()))
    assert server.received[0].head.startswith("GET /v1/models HTTP/1.1")
    assert "content-length" not in server.received[0].headers


async def test_connections_are_kept_and_used_again(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        for _ in range(5):
            await upstream.send(target(server.port), CALL)
            await send_streamed(upstream, target(server.port))
    assert server.connections == 1


@pytest.mark.parametrize("path", ["//evil.test/x", "http://evil.test/", "/../admin", "/a%2f..%2fb"])
async def test_t35_nothing_is_sent_for_a_path_that_leaves_its_place(upstream: Upstream, path: str) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        with pytest.raises(errors.InvalidRequest):
            await upstream.send(target(server.port), HttpCall(path, b""))
        with pytest.raises(errors.InvalidRequest):
            await upstream.open_stream(target(server.port), HttpCall(path, b""))
    assert server.connections == 0


LOCATIONS = ["http://127.0.0.1:{port}/other", "/other", "//127.0.0.1:{port}/other", "https://evil.test/", "?x", ""]


@all_ways
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_t33_a_redirect_is_a_failure_and_never_followed(
    upstream: Upstream, sending: Sending, status: int
) -> None:
    for location in LOCATIONS:
        async with serving(partial(reply_with_location, status=status, location=location)) as server:
            failure = await failure_of(sending, upstream, server.port)
            assert failure.code == "upstream_redirected"
            assert failure.failure.status == 502
            assert len(server.received) == 1


async def reply_with_location(peer: Peer, status: int, location: str) -> None:
    await peer.request()
    where = location.format(port=peer.server.port)
    await peer.send(answer(b"", f"location: {where}", "connection: close", status=f"{status} Elsewhere"))


async def test_t33_a_refresh_header_is_not_followed(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}", "refresh: 0; url=/other"))) as server:
        await upstream.send(target(server.port), CALL)
        await asyncio.sleep(0.05)
    assert len(server.received) == 1


BOMB = gzip.compress(b"\0" * 64_000_000, 1)


@all_ways
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip"])
async def test_t45_a_compressed_bomb_is_a_failure_and_never_unpacked(
    upstream: Upstream, sending: Sending, encoding: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with serving(answering(answer(BOMB, f"content-encoding: {encoding}"))) as server:
        failure = await failure_of(sending, upstream, server.port)
    assert failure.code == "upstream_encoded"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_t46_an_endless_answer_stops_at_the_cap(upstream: Upstream, is_chunked: bool) -> None:
    async def flood(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD if is_chunked else b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        piece = b"x" * 65536
        for _ in range(1600):
            await peer.send(chunk(piece) if is_chunked else piece)
        await peer.wait_closed()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with serving(flood) as server:
        with pytest.raises(UpstreamFailure, match="upstream_too_large"):
            await upstream.send(target(server.port), CALL, max_bytes=1_000_000)
        with pytest.raises(UpstreamFailure, match="upstream_too_large"):
            async with await upstream.open_stream(target(server.port), CALL, max_bytes=1_000_000) as stream:
                async for _ in stream:
                    pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


@all_ways
async def test_t46_an_answer_announced_as_too_large_is_not_read(upstream: Upstream, sending: Sending) -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"a" * 70_000)) as server:
        assert (await failure_of(sending, upstream, server.port)).code == "upstream_too_large"


@all_ways
async def test_t46_a_flood_of_headers_is_refused(upstream: Upstream, sending: Sending) -> None:
    async def flood(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(20_000):
            await peer.send(f"x-{number}: {'y' * 100}\r\n".encode())
        await peer.send(b"content-length: 0\r\n\r\n")

    async with serving(flood) as server:
        assert (await failure_of(sending, upstream, server.port)).failure.status == 502


@all_ways
@pytest.mark.parametrize(
    "junk", [b"SSH-2.0-x\r\n\r\n", b"HTTP/9.9 huh\r\n\r\n", b"\x16\x03\x01\0\0", b"HTTP/1.1 abc\r\n\r\n"]
)
async def test_r09_what_is_not_http_is_a_failure(upstream: Upstream, sending: Sending, junk: bytes) -> None:
    async with serving(lambda peer: junk_reply(peer, junk)) as server:
        failure = await failure_of(sending, upstream, server.port)
    assert failure.code in {"upstream_bad_reply", "upstream_reset"}


async def junk_reply(peer: Peer, junk: bytes) -> None:
    await peer.request()
    await peer.send(junk)


@all_ways
async def test_a_refused_connection_may_be_tried_again(upstream: Upstream, sending: Sending) -> None:
    async with serving(answering(b"")) as server:
        port = server.port
    failure = await failure_of(sending, upstream, port)
    assert failure.code == "upstream_connect_failed"
    assert failure.failure.blame is Blame.RETRY


@all_ways
async def test_an_unknown_host_is_a_failed_look_up(upstream: Upstream, names: Names, sending: Sending) -> None:
    names.addresses.clear()
    assert (await failure_of(sending, upstream, 80)).code == "upstream_dns_failed"


@all_ways
async def test_r08_a_reset_before_the_head_is_a_failure(upstream: Upstream, sending: Sending) -> None:
    async def reset(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with serving(reset) as server:
        assert (await failure_of(sending, upstream, server.port)).code == "upstream_reset"
    assert len(server.received) == 1


@pytest.mark.parametrize("is_reset", [False, True])
async def test_r08_a_cut_chunked_stream_delivers_what_came_and_then_fails(upstream: Upstream, is_reset: bool) -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + chunk(b"data: 1\n\n"))
        await asyncio.sleep(0.05)
        if is_reset:
            peer.reset()

    got = b""
    async with serving(cut) as server, await upstream.open_stream(target(server.port), CALL) as stream:
        with pytest.raises(UpstreamFailure, match="upstream_reset"):
            async for piece in stream:
                got += piece
    assert got == b"data: 1\n\n"


async def test_r08_a_cut_close_delimited_stream_looks_like_an_end(upstream: Upstream) -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\nda")

    async with serving(cut) as server:
        assert await send_streamed(upstream, target(server.port)) == b"data: 1\n\nda"


WHOLE = STREAM_HEAD + chunk(b"data: one\n\n") + chunk(b"data: [DONE]\n\n") + STREAM_END


async def test_r08_a_cut_at_every_byte_never_passes_for_a_whole_answer(upstream: Upstream) -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.send(WHOLE[: len(peer.server.received)])

    async with serving(cut) as server:
        for _ in range(len(WHOLE) - 1):
            with pytest.raises(UpstreamFailure):
                await send_whole(upstream, target(server.port))
        assert await send_whole(upstream, target(server.port)) == b"data: one\n\ndata: [DONE]\n\n"


async def test_a_short_body_is_a_failure(upstream: Upstream) -> None:
    async with serving(lambda peer: junk_reply(peer, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")) as server:
        assert (await failure_of(send_whole, upstream, server.port)).code == "upstream_reset"


async def test_chunks_arrive_when_they_are_sent(upstream: Upstream) -> None:
    go_on = asyncio.Event()

    async def paced(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + chunk(b"first"))
        await go_on.wait()
        await peer.send(chunk(b"second") + STREAM_END)

    async with serving(paced) as server, await upstream.open_stream(target(server.port), CALL) as stream:
        assert await anext(stream) == b"first"
        go_on.set()
        assert await anext(stream) == b"second"
        assert [piece async for piece in stream] == []


PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@all_ways
async def test_t34_proxies_of_the_environment_are_not_used(
    make_upstream: Maker, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(answering(answer(b"proxied"))) as recorder, serving(answering(answer(b"direct"))) as server:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{recorder.port}")
        monkeypatch.setenv("NO_PROXY", "")
        assert await sending(make_upstream(), target(server.port)) == b"direct"
    assert recorder.connections == 0


async def test_sixty_four_calls_at_once(upstream: Upstream) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        replies = await asyncio.gather(*(upstream.send(target(server.port), CALL) for _ in range(64)))
    assert {reply.status for reply in replies} == {200}
    assert server.connections <= 64
