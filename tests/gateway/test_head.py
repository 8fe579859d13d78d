"""HEAD: what GET would say, without its body."""

import asyncio

import pytest

from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import Gateway
from tests.gateway.test_resume import RESUMABLE, asked, stream_of
from tests.gateway.test_routes import ROUTES, concrete

pytestmark = pytest.mark.sqlite_only("what is asked of the edge reaches the same handlers")

_READ = sorted(route.removeprefix("GET ") for route in ROUTES if route.startswith("GET "))
_OF_ONE_ANSWER = {"x-request-id", "content-length", "request-id"}
"""The length of an error's body, and of the metrics, is not the same twice."""


def _told(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name not in _OF_ONE_ANSWER}


@pytest.mark.parametrize("path", _READ)
async def test_head_says_what_get_says_without_a_body(sandboxed: Gateway, path: str) -> None:
    path = concrete(f"GET {path}")[1]
    for key in (sandboxed.key, None):
        get = await call(sandboxed.app, "GET", path, key=key)
        head = await call(sandboxed.app, "HEAD", path, key=key)
        assert (head.status, _told(head)) == (get.status, _told(get))
        assert (head.body, head.is_complete) == (b"", True)
        assert get.body


async def test_head_tells_how_long_the_answer_would_be(sandboxed: Gateway) -> None:
    get, head = await sandboxed.get("/v1/models"), await call(sandboxed.app, "HEAD", "/v1/models", key=sandboxed.key)
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))


async def test_what_is_only_posted_has_no_head_and_says_what_it_takes(sandboxed: Gateway) -> None:
    refused = await call(sandboxed.app, "HEAD", "/v1/chat/completions", key=sandboxed.key)
    assert (refused.status, refused.body, refused.headers["allow"]) == (405, b"", "POST")
    refused = await call(sandboxed.app, "PUT", "/v1/models", key=sandboxed.key)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_the_head_of_a_stream_under_way_does_not_wait_for_its_end(gateway: Gateway) -> None:
    cut = await gateway.post(
        "/ai-service", asked("/ai-service", "(words-60) (wait-50) hello"), headers=RESUMABLE, leave_after=b":3\n"
    )
    async with asyncio.timeout(1.5):  # the stream takes three seconds
        head = await call(gateway.app, "HEAD", f"/ai-service/{stream_of(cut)}/events", key=gateway.key)
    assert (head.status, head.body, head.is_complete) == (200, b"", True)
    assert head.headers["content-type"].startswith("text/event-stream")
