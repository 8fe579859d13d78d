"""Carries calls to providers of this process. Deadlines, caps and failures are those of the network."""

from collections.abc import AsyncIterator

from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure, failed
from aiservice.upstream.transport import RawStream, Request, Target
from aiservice.wire import HttpCall, HttpReply


class LocalTransport:
    """Hands a call to `target.local`. What it raises beyond UpstreamFailure is a fault of ours and goes on."""

    async def send(self, target: Target, request: Request, watch: Watch, max_bytes: int) -> HttpReply:
        assert target.local is not None  # noqa: S101 - chosen by the caller because it is set
        reply = await target.local.serve(_call(request, is_stream=False))
        if len(reply.body) > max_bytes:
            raise failed("upstream_too_large")
        return reply

    async def open(self, target: Target, request: Request, watch: Watch) -> RawStream:
        assert target.local is not None  # noqa: S101 - chosen by the caller because it is set
        stream = await target.local.serve_stream(_call(request, is_stream=True))
        chunks = stream.chunks

        async def read() -> bytes | None:
            return await anext(chunks, None)

        async def close() -> None:
            await _close(chunks)

        return RawStream(stream.status, stream.headers, read, close, _explain)


async def _close(chunks: AsyncIterator[bytes]) -> None:
    aclose = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()


def _call(request: Request, *, is_stream: bool) -> HttpCall:
    return HttpCall(request.path, request.body, request.method, request.headers, is_stream)


def _explain(exc: Exception) -> UpstreamFailure:
    if isinstance(exc, UpstreamFailure):
        return exc
    raise exc
