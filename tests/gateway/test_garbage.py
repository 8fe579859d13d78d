"""R-09: whatever a provider sends, the client gets a clean answer or a clean error, and the loop never stalls."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.gateway.garbage import GarbageServer, streams, whole_answers
from tests.gateway.watched_loop import watched_loop

_PLACES = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta"}
_LAG_SECONDS = 0.05
_GROWTH_MB = 30


@pytest.fixture
async def hostile(gateway: Gateway) -> AsyncIterator[GarbageServer]:
    """Connections of every kind at one server of garbage, which no number of failures keeps us from asking."""
    async with GarbageServer() as server:
        for kind, path in _PLACES.items():
            address, key = server.root_url + path, Secret(PROVIDER_KEY)
            await gateway.core.connections.add(
                OPERATOR, kind, kind, address, key, is_private_allowed=True, models=["m"]
            )
        gateway.core.health.failed = lambda *_: None  # type: ignore[method-assign]
        yield server


@pytest.mark.parametrize(
    "surface",
    [
        "/v1/chat/completions",
        pytest.param("/v1/messages", marks=pytest.mark.long),
        pytest.param("/ai-service", marks=pytest.mark.long),
        pytest.param("/v1beta", marks=pytest.mark.long),
        pytest.param("/v1/responses", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("kind", list(_PLACES))
@pytest.mark.parametrize("is_stream", [False, True])
async def test_r09_garbage_becomes_a_clean_error(
    gateway: Gateway, hostile: GarbageServer, surface: str, kind: str, is_stream: bool
) -> None:
    cases = streams() if is_stream else whole_answers()
    assert len(cases) >= 80
    async with watched_loop() as lags:
        await _ask(gateway, hostile, b"", surface, kind, is_stream=is_stream)
        before = _resident_mb()
        for case in cases:
            seen = len(lags)
            reply = await _ask(gateway, hostile, case.raw, surface, kind, is_stream=is_stream)
            _check(reply, is_stream=is_stream, name=case.name)
            assert max(lags[seen:], default=0) < _LAG_SECONDS, f"{case.name}: {max(lags[seen:]) * 1000:.0f} ms"
        growth = _resident_mb() - before
    rows = await gateway.rows()
    assert len(rows) == min(len(cases) + 1, 500)
    assert {row.status for row in rows}.isdisjoint({0, 500})
    bad = sum(case.is_usage_bad for case in cases)
    if kind == "openai" and not is_stream and surface != "/v1/responses":  # asked there by another wire than these are
        assert sum(row.is_usage_invalid for row in rows) == bad
    assert growth < _GROWTH_MB


async def _ask(
    gateway: Gateway, server: GarbageServer, answer: bytes, surface: str, kind: str, *, is_stream: bool
) -> Reply:
    server.answer = answer
    if surface == "/v1beta":
        method, query = ("streamGenerateContent", b"alt=sse") if is_stream else ("generateContent", b"")
        said = {"contents": [{"parts": [{"text": "hello"}]}]}
        return await gateway.post(f"/v1beta/models/{kind}/m:{method}", said, query=query)
    body: dict[str, object] = {"model": f"{kind}/m", "stream": is_stream}
    if surface in ("/ai-service", "/v1/responses"):
        body["input"] = "hello"
    else:
        body["messages"] = [{"role": "user", "content": "hello"}]
    if surface == "/v1/messages":
        body["max_tokens"] = 5
    return await gateway.post(surface, body)


def _check(reply: Reply, *, is_stream: bool, name: str) -> None:
    assert reply.is_complete, name
    assert reply.status in (200, 400, 404, 429, 502, 503, 504), (name, reply.status, reply.body[:300])
    if reply.status != 200:
        error = orjson.loads(reply.body)["error"]
        assert error["message"], name
        assert len(reply.body) < 2000, name
    elif is_stream:
        if b"response.created" in reply.body:
            assert (b'"status":"failed"' in reply.body) is not (b"response.completed" in reply.body), (name, reply.body)
            return
        ends = [b"data: [DONE]\n\n", b'"type":"message_stop"}\n\n', b'"type": "message_stop"}']
        is_done = reply.body.endswith(tuple(ends)) or b"event: done\n" in reply.body or b"message_stop" in reply.body
        has_error = b'"error"' in reply.body
        if b'"finishReason"' in reply.body:  # Google's wire has no mark of the end: an error behind it is one, too
            return
        assert is_done is not has_error, (name, reply.body[-300:])
    else:
        orjson.loads(reply.body)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
