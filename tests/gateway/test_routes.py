"""Every route of the API, walked: what it asks for, that nothing slips past the permit, and that none is forgotten.

A route that is new has to be put into `ROUTES`, with what it gives somebody without a credential. Nothing else is red.
"""

from collections.abc import Iterable

import pytest

from aiservice.gateway.admit import Permit
from aiservice.gateway.edge import Edge
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.respond import send_whole
from tests.gateway.asgi import call
from tests.gateway.conftest import Gateway

pytestmark = pytest.mark.sqlite_only("what is walked is the table of routes")

# "METHOD path": (what a credential needs there, the status without one)
ROUTES: dict[str, tuple[str | None, int]] = {
    "GET /.well-known/jwks.json": (None, 200),
    "GET /ai-service/limits": ("read", 401),
    "GET /ai-service/requests/{id}": ("read", 401),
    "GET /ai-service/tasks": ("read", 401),
    "GET /ai-service/usage": ("read", 401),
    "GET /ai-service/{id}/events": ("key", 401),
    "GET /healthz": (None, 200),
    "GET /metrics": (None, 404),  # loopback or METRICS_TOKEN
    "GET /readyz": (None, 200),
    "GET /v1/models": ("read", 401),
    "GET /v1/models/{id}": ("read", 401),
    "POST /ai-service": ("task", 401),
    "POST /ai-service/explain": ("key", 401),  # sends nothing; the task's scope is asked for inside
    "POST /ai-service/leaked-keys": (None, 404),  # off unless scanners' keys are configured; signed reports else
    "POST /ai-service/token": ("key", 401),
    "POST /ai-service/token/revoke": ("key", 401),
    "POST /v1/chat/completions": ("task", 401),
    "POST /v1/completions": ("task", 401),
    "POST /v1/embeddings": ("task", 401),
    "POST /v1/messages": ("task", 401),
    "POST /v1/messages/count_tokens": ("task", 401),
    "POST /v1/responses": ("task", 401),
    "POST /v1/responses/input_tokens": ("task", 401),
    "DELETE /v1/responses/{id}": ("key", 401),  # no provider is asked; the task's scope is asked for inside
    "GET /v1/responses/{id}": ("key", 401),
    "GET /v1/responses/{id}/input_items": ("key", 401),
    "POST /v1/responses/{id}/cancel": ("key", 401),
    "POST /v1/rerank": ("task", 401),
    "POST /v2/rerank": ("task", 401),
    "POST /v1/moderations": ("task", 401),
    "POST /v1/images/generations": ("task", 401),
    "POST /v1/images/edits": ("task", 401),
    "POST /v1/audio/speech": ("task", 401),
    "POST /v1/audio/transcriptions": ("task", 401),
    "POST /v1/audio/translations": ("task", 401),
}
_CHAT: dict[str, object] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
_SOUND = "data:audio/mpeg;base64,SUQzBAAAAAAA"
BODIES: dict[str, dict[str, object]] = {
    "/ai-service": {"input": "hi"},
    "/v1/chat/completions": _CHAT,
    "/v1/completions": {"model": "auto", "prompt": "hi"},
    "/v1/embeddings": {"model": "auto", "input": "hi"},
    "/v1/messages": {**_CHAT, "max_tokens": 16},
    "/v1/messages/count_tokens": _CHAT,
    "/v1/responses": {"model": "auto", "input": "hi"},
    "/v1/responses/input_tokens": {"model": "auto", "input": "hi"},
    "/v1/rerank": {"query": "hi", "documents": ["hi"]},
    "/v2/rerank": {"query": "hi", "documents": ["hi"]},
    "/v1/moderations": {"input": "hi"},
    "/v1/images/generations": {"prompt": "hi"},
    "/v1/images/edits": {"prompt": "hi", "images": [{"image_url": "https://example.com/a.png"}]},
    "/v1/audio/speech": {"input": "hi", "voice": "alloy"},
    "/v1/audio/transcriptions": {"file": _SOUND},
    "/v1/audio/translations": {"file": _SOUND},
}
# What takes nothing of its caller's limits of requests: lists, what is left, and what must always be possible.
FREE = {
    "GET /ai-service/limits",
    "GET /ai-service/tasks",
    "GET /v1/models",
    "GET /v1/models/{id}",
    "POST /ai-service/token/revoke",
}
STRANGER = ("203.0.113.9", 4711)
_HOSTS = (
    b"x/#@y", b"x/v1/models?", b"a/#@evil?x", b"127.0.0.1:8000/healthz?", b"x\t", b"\tx", b"x y", b"", b"x@y", b"x?y",
    b"x#y", b"x\\y", b"h\xc3\xb6st", b"\xe2\x80\xae.example", b"x:99999999", b"x:y", b"[::1", b"a,b", b"x%2f..",
)  # fmt: skip


def table(app: Edge) -> dict[str, Handler]:
    """Every route that there is, by "METHOD path"."""
    argued: Routes = {
        path: app._with_argument(path.replace("{id}", "any")) or {}
        for path in (
            "/v1/models/{id}",
            "/ai-service/{id}/events",
            "/ai-service/requests/{id}",
            "/v1/responses/{id}",
            "/v1/responses/{id}/input_items",
            "/v1/responses/{id}/cancel",
        )
    }
    return {
        f"{method} {path}": handler
        for path, methods in {**app._routes, **argued}.items()
        for method, handler in methods.items()
    }


def concrete(route: str) -> tuple[str, str]:
    method, path = route.split(" ", 1)
    return method, path.replace("{id}", "gpt-5-mini")


def protected() -> Iterable[str]:
    return (route for route, (needs, _) in ROUTES.items() if needs is not None)


async def test_t53_the_routes_are_those_of_the_inventory(sandboxed: Gateway) -> None:
    assert {route: handler.scope_name for route, handler in sorted(table(sandboxed.app).items())} == {
        route: needs for route, (needs, _) in ROUTES.items()
    }


async def test_t53_without_a_credential_each_gives_what_the_inventory_says(sandboxed: Gateway) -> None:
    seen = {}
    for route in ROUTES:
        method, path = concrete(route)
        seen[route] = (await call(sandboxed.app, method, path, body=BODIES.get(path), client=STRANGER)).status
    assert seen == {route: status for route, (_, status) in ROUTES.items()}


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND", "get"])
async def test_t53_no_route_takes_a_method_that_it_does_not_name(sandboxed: Gateway, method: str) -> None:
    for route in ROUTES:
        if f"{method} {route.partition(' ')[2]}" in ROUTES:
            continue
        reply = await call(sandboxed.app, method, concrete(route)[1], key=sandboxed.key, body={})
        assert reply.status == 405, (method, route)


@pytest.mark.parametrize("host", _HOSTS)
async def test_t39_a_host_with_tricks_never_opens_a_protected_route(sandboxed: Gateway, host: bytes) -> None:
    for route in protected():
        method, path = concrete(route)
        for key in (None, sandboxed.key):
            reply = await call(
                sandboxed.app, method, path, key=key, body=BODIES.get(path), headers=[(b"host", host)], client=STRANGER
            )
            assert reply.status in (400, 401), (route, host)


async def test_t39_who_may_is_decided_by_the_path_and_never_by_the_host(sandboxed: Gateway) -> None:
    """Names that are hosts and look like a public route."""
    for host in (b"healthz", b"localhost:80", b"metrics", b"readyz:8000"):
        for route in protected():
            method, path = concrete(route)
            reply = await call(sandboxed.app, method, path, body=BODIES.get(path), headers=[(b"host", host)])
            assert reply.status == 401, (route, host)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_t52_every_answer_of_the_api_is_safe_in_a_browser(sandboxed: Gateway, scheme: str) -> None:
    """With and without a credential, well or as an error, and for what is no route."""
    app = sandboxed.app

    async def as_scheme(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "scheme": scheme}, receive, send)

    asked = [concrete(route) for route in ROUTES] + [("GET", "/v1/nothing"), ("PUT", "/ai-service"), ("GET", "/")]
    for method, path in asked:
        for key in (None, sandboxed.key):
            reply = await call(as_scheme, method, path, key=key, body=BODIES.get(path))
            assert reply.headers.get("x-content-type-options") == "nosniff", (method, path)
            assert "frame-ancestors 'none'" in reply.headers.get("content-security-policy", ""), (method, path)
            assert reply.headers.get("referrer-policy", "") in ("no-referrer", "same-origin"), (method, path)
            strict = reply.headers.get("strict-transport-security")
            assert strict == ("max-age=31536000" if scheme == "https" else None), (method, path)
            assert (reply.headers.get("cross-origin-opener-policy") == "same-origin") is (scheme == "https")


@pytest.mark.parametrize("route", sorted(protected()))
async def test_every_route_of_a_key_takes_a_request_of_its_limits_but_those_that_are_free(
    sandboxed: Gateway, route: str
) -> None:
    method, path = concrete(route)
    key = await sandboxed.new_key(limits={"requests/hour": 2})
    asked = [await call(sandboxed.app, method, path, key=key, body=BODIES.get(path)) for _ in range(3)]
    told = (await sandboxed.get("/ai-service/limits", key=key)).json()["limits"]
    is_free = route in FREE
    assert table(sandboxed.app)[route].is_free is is_free
    assert [one["used"] for one in told] == [0 if is_free else 2]
    assert 429 not in [reply.status for reply in asked[:2]]
    assert (asked[2].status == 429) is not is_free
    if not is_free:
        error = asked[2].json()["error"]
        assert error["message"].startswith("This key's limit of 2 requests an hour is used up. Try again in ")
        assert int(asked[2].headers["retry-after"]) > 3_500
        assert asked[2].headers["x-ratelimit-remaining-requests"] == "0"


async def walk_inference(gateway: Gateway, handlers: dict[str, Handler], entered: list[str]) -> list[str]:
    """What is wrong with routes that reach a provider; nothing is well."""
    wrong = []
    other = await gateway.new_key(scopes=["read"])
    for route, handler in handlers.items():
        method, path = route.split(" ", 1)
        if method != "POST" or handler.scope_name in (None, "key"):
            continue
        if path not in BODIES:
            wrong.append(f"{route}: nobody has said how it is called")
            continue
        entered.clear()
        answered = await gateway.post(path, BODIES[path])
        request_id = answered.headers["x-request-id"]
        if answered.status != 200:
            wrong.append(f"{route}: {answered.status}")
        if entered != [request_id]:
            wrong.append(f"{route}: not under a permit")
        if request_id not in [row.request_id for row in await gateway.rows()]:
            wrong.append(f"{route}: not in the ledger")
        if (await gateway.post(path, BODIES[path], key=other)).status != 403:
            wrong.append(f"{route}: no scope is asked for")
        if (await call(gateway.app, "POST", path, body=BODIES[path])).status != 401:
            wrong.append(f"{route}: no credential is asked for")
    return wrong


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The request ids that entered a permit."""
    seen: list[str] = []
    enter = Permit.__enter__

    def noted(self: Permit) -> None:
        seen.append(self._exchange.request_id)
        enter(self)

    monkeypatch.setattr(Permit, "__enter__", noted)
    return seen


async def test_every_route_to_a_provider_is_under_the_permit(sandboxed: Gateway, entered: list[str]) -> None:
    handlers = table(sandboxed.app)
    assert set(BODIES) == {r.split(" ")[1] for r, h in handlers.items() if h.scope_name == "task"}
    assert await walk_inference(sandboxed, handlers, entered) == []


async def test_the_walk_finds_a_route_that_goes_around_the_permit(sandboxed: Gateway, entered: list[str]) -> None:
    async def around(_scope: Scope, _receive: Receive, send: Send, request_id: str) -> None:
        await send_whole(send, 200, [(b"x-request-id", request_id.encode())], b"{}")

    rogue = {"POST": Handler(around, scope_name="task")}
    sandboxed.app._routes = {**sandboxed.app._routes, "/v1/chat/completions": rogue, "/v1/rogue": rogue}
    found = await walk_inference(sandboxed, table(sandboxed.app), entered)
    assert "POST /v1/chat/completions: not under a permit" in found
    assert "POST /v1/chat/completions: not in the ledger" in found
    assert "POST /v1/chat/completions: no credential is asked for" in found
    assert "POST /v1/rogue: nobody has said how it is called" in found


async def test_every_get_route_asks_for_the_scope_read_or_is_public(sandboxed: Gateway) -> None:
    narrow = await sandboxed.new_key(scopes=["chat"])
    for route, handler in table(sandboxed.app).items():
        method, path = concrete(route)
        if method == "GET" and handler.scope_name not in (None, "key"):  # "key": what such a key has asked for itself
            assert (await call(sandboxed.app, method, path, key=narrow)).status == 403, route
