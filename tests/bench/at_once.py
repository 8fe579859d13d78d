"""A transport that answers at once, on every provider's wire: what is left of a request's CPU is the gateway's own."""

import json
from functools import cache

from aiservice.upstream.deadlines import Watch
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.transport import RawStream, Request, Target
from aiservice.wire import HttpReply
from tests.mock.plan import plan_of
from tests.mock.script import Script
from tests.mock.shapes import shape_of

WORDS = 24  # of a stream, an event each; what a whole answer has, too
_PIECES = 6  # in which a stream comes: a socket gives several events at once


class AtOnce:
    """Stands where the sockets stand. Answers by the path alone, so that the same bytes come however often."""

    async def send(self, _target: Target, request: Request, watch: Watch, _max_bytes: int) -> HttpReply:
        watch.has_sent = True
        return HttpReply(200, {"content-type": "application/json"}, _whole(request.path))

    async def open(self, _target: Target, request: Request, watch: Watch) -> RawStream:
        watch.has_sent = True
        kind, pieces = _streamed(request.path)
        left = iter(pieces)

        async def read() -> bytes | None:
            return next(left, None)

        async def close() -> None:
            return None

        return RawStream(200, {"content-type": kind}, read, close, _explain)

    def forget(self, connection_id: str) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is open."""


def _explain(error: Exception) -> UpstreamFailure:
    raise AssertionError("nothing fails here") from error


@cache
def _whole(path: str) -> bytes:
    shape = shape_of(_place(path))
    return json.dumps(shape.whole(plan_of(_BODY, _SCRIPT, 1)), separators=(",", ":")).encode()


@cache
def _streamed(path: str) -> tuple[str, list[bytes]]:
    """The content type and the pieces."""
    shape, plan = shape_of(_place(path)), plan_of(_BODY, _SCRIPT, 1)
    words = [shape.word(plan, word, place) for place, word in enumerate(plan.words)]
    frames = [shape.opening(plan), *words, *shape.closing(plan)]
    step = -(-len(frames) // _PIECES)
    return shape.content_type, [b"".join(frames[at : at + step]) for at in range(0, len(frames), step)]


def _place(path: str) -> str:
    """The path as the mock has it, which serves every wire under one address."""
    return path.partition("?")[0]


_SCRIPT = Script({"words": WORDS})
_BODY = {"model": "mock", "messages": [{"role": "user", "content": "How does the gate keep its keys?"}]}
