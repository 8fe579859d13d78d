"""What is refused before anything is read, and who answers which path."""

import gzip
import zlib

import pytest

from aiservice.dialects._base import OVERRIDE_NAMES
from tests.gateway.asgi import call
from tests.gateway.conftest import Gateway

_CHAT = {"messages": [{"role": "user", "content": "hi"}]}

pytestmark = pytest.mark.sqlite_only("what the edge refuses never reaches a database")


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/", "portal"),
        ("/keys", "portal"),
        ("/v1x", "portal"),
        ("/apiary", "portal"),
        ("/v1", "api"),
        ("/v1/", "api"),
        ("/v1/nothing", "api"),
        ("//v1/chat/completions", "api"),
        ("/v1//chat/completions", "api"),
        ("///ai-service", "api"),
        ("/api/anything", "api"),
        ("/v1beta/models/x:generateContent", "api"),
        ("/ai-service/nothing", "api"),
    ],
)
async def test_api_paths_are_answered_in_json_and_the_rest_by_the_portal(
    sandboxed: Gateway, path: str, owner: str
) -> None:
    reply = await call(sandboxed.app, "GET", path)
    if owner == "portal":
        assert reply.status == 299
    else:
        assert reply.status in (404, 405)
        assert reply.json()["error"]["request_id"].startswith("req_")


@pytest.mark.parametrize("path", ["/ai-service", "/v1/chat/completions", "/v1/embeddings"])
async def test_another_method_is_a_405_in_json(sandboxed: Gateway, path: str) -> None:
    assert (await call(sandboxed.app, "GET", path)).status == 405


async def test_t07_a_credential_outside_the_headers_is_refused_and_not_repeated(sandboxed: Gateway) -> None:
    for name in (b"key", b"api_key", b"api-key", b"access_token", b"token"):
        reply = await call(
            sandboxed.app, "POST", "/v1/chat/completions", body=_CHAT, query=name + b"=" + sandboxed.key.encode()
        )
        assert (reply.status, reply.code) == (400, "credential_in_query")
        assert sandboxed.key.encode() not in reply.body
    cookie = await call(
        sandboxed.app, "POST", "/v1/chat/completions", body=_CHAT, headers={"cookie": f"key={sandboxed.key}"}
    )
    assert cookie.status == 401


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (("authorization", "Bearer {a}"), ("x-api-key", "{b}"), 400),
        (("authorization", "Bearer {a}"), ("x-goog-api-key", "{b}"), 400),
        (("x-api-key", "{a}"), ("x-goog-api-key", "{b}"), 400),
        (("authorization", "Bearer {a}"), ("authorization", "Bearer {b}"), 400),
        (("authorization", "Bearer {b}"), ("authorization", "Bearer {a}"), 400),
        (("x-api-key", "{a}"), ("x-api-key", "{b}"), 400),
        (("x-api-key", "{b}"), ("authorization", "Bearer {a}"), 400),
        (("x-goog-api-key", "{a}"), ("x-goog-api-key", "{b}"), 400),
        (("authorization", "Bearer {a}"), ("x-api-key", ""), 400),
        (("authorization", "Bearer {a}"), ("authorization", "Basic eDp5"), 401),
        (("authorization", "Bearer {a}"), ("x-api-key", "{a}"), 200),
        (("authorization", "bearer {a}"), ("authorization", "Bearer {a}"), 200),
    ],
)
async def test_t08_exactly_one_credential(
    sandboxed: Gateway, first: tuple[str, str], second: tuple[str, str], status: int
) -> None:
    keys = {"a": sandboxed.key, "b": await sandboxed.new_key()}
    headers = [(name.encode(), value.format(**keys).encode()) for name, value in (first, second)]
    reply = await call(sandboxed.app, "POST", "/v1/chat/completions", body=_CHAT, headers=headers)
    assert reply.status == status


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key"])
async def test_a_key_is_taken_from_each_sdks_header(sandboxed: Gateway, header: str) -> None:
    value = f"Bearer {sandboxed.key}" if header == "authorization" else sandboxed.key
    reply = await call(sandboxed.app, "GET", "/v1/models", headers={header: value})
    assert reply.status == 200


async def test_t17_a_huge_credential_is_refused_before_it_is_parsed(sandboxed: Gateway) -> None:
    reply = await call(sandboxed.app, "GET", "/v1/models", headers={"authorization": "Bearer " + "x" * 2_000_000})
    assert reply.status == 431
    many = {f"x-h{number}": "1" for number in range(80)}
    assert (await call(sandboxed.app, "GET", "/v1/models", headers=many)).status == 431
    assert (
        await call(sandboxed.app, "GET", "/v1/models", headers={"authorization": "Bearer " + "x" * 8000})
    ).status == 401


@pytest.mark.parametrize("name", sorted(OVERRIDE_NAMES))
async def test_t20_addresses_and_keys_in_a_request_are_refused_wherever_they_stand(gateway: Gateway, name: str) -> None:
    in_body = await gateway.post("/v1/chat/completions", {**_CHAT, name: "http://127.0.0.1:9"})
    in_query = await gateway.post("/v1/chat/completions", _CHAT, query=name.encode() + b"=http://127.0.0.1:9")
    replies = [in_body, in_query]
    header = f"x-{name}".replace("_", "-")
    if header != "x-api-key":
        replies.append(await gateway.post("/v1/chat/completions", _CHAT, headers={header: "http://127.0.0.1:9"}))
    assert [reply.status for reply in replies] == [400] * len(replies)
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"a"), (b"host", b"b")],
        [(b"host", b"a/#@evil?x")],
        [(b"host", b"a b")],
        [(b"host", b"")],
        [(b"host", b"a"), (b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
        [(b"host", b"a"), (b"content-length", b"5"), (b"content-length", b"6")],
    ],
)
async def test_a_head_that_two_parsers_could_read_differently_is_refused(
    sandboxed: Gateway, headers: list[tuple[bytes, bytes]]
) -> None:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    for path in ("/v1/models", "/"):
        sent.clear()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }
        await sandboxed.app(scope, receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 400


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip"])
async def test_t44_a_compressed_body_is_refused(sandboxed: Gateway, encoding: str) -> None:
    bomb = gzip.compress(b"x" * 1_000_000) if "gzip" in encoding else zlib.compress(b"x" * 1_000_000)
    reply = await sandboxed.post("/v1/chat/completions", bomb, headers={"content-encoding": encoding})
    assert (reply.status, reply.code) == (415, "content_encoding_refused")


async def test_t43_a_body_over_the_limit_is_refused_as_said_and_as_sent(sandboxed: Gateway) -> None:
    said = await sandboxed.post("/v1/chat/completions", b"{}", headers={"content-length": str(10**9)})
    sent = await sandboxed.post(
        "/v1/chat/completions", b"x" * (21 * 1024 * 1024), headers={"transfer-encoding": "chunked"}
    )
    assert (said.status, sent.status) == (413, 413)


_TRICKS = [
    "/v1/models/../../admin",
    "/v1/models/..%2f..%2fadmin",
    "/v1/./chat/completions",
    "/v1/chat/completions/",
    "/v1/chat/completions/..",
    "/v1/chat\\completions",
    "/v1/chat/completions;x",
    "/v1/chat/completions%00",
    "/V1/chat/completions",
    "/v1/chat/completions\t",
    "/v1/http://evil/chat/completions",
    "/v1//evil.example/chat",
    "/ai-service/../v1/models",
    "/ai-service/http:/evil",
    "/v1/files",
    "/v1/models/a/b/c",
]


@pytest.mark.parametrize("path", _TRICKS)
async def test_t35_path_tricks_reach_no_provider(gateway: Gateway, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        reply = await call(gateway.app, method, path, key=gateway.key, body=_CHAT if method == "POST" else None)
        assert reply.status in (404, 405, 299), (method, path)
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_t51_no_answer_lets_another_origin_read_it(sandboxed: Gateway) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:8000.evil.example"):
        reply = await sandboxed.get("/v1/models", headers={"origin": origin})
        assert not any(name.startswith("access-control-") for name in reply.headers)
        asked = await call(sandboxed.app, "OPTIONS", "/v1/models", headers={"origin": origin})
        assert asked.status == 405
        assert not any(name.startswith("access-control-") for name in asked.headers)


class _Boom(Exception):
    pass


_FAULTS = [
    _Boom("secret /etc/passwd"), KeyError("sql SELECT"), ValueError("x"), RuntimeError("x"), TypeError("x"),
    AttributeError("x"), OSError("x"), MemoryError("x"), RecursionError("x"), AssertionError("x"), UnicodeError("x"),
    IndexError("x"), TimeoutError("x"), ZeroDivisionError("x"), NotImplementedError("x"), StopAsyncIteration("x"),
]  # fmt: skip


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: type(fault).__name__)
async def test_t50_a_fault_of_ours_shows_nothing_of_itself(
    gateway: Gateway, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_kwargs: object) -> None:
        raise fault

    for layer, name in (
        (gateway.core.router, "decide"),
        (gateway.core.connections, "snapshot"),
        (gateway.core.upstream, "send"),
        (gateway.core.ledger, "intend"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(layer, name, fails)
            reply = await gateway.chat("hi")
        error = reply.json()["error"]
        assert (reply.status, error["type"], error["code"]) == (500, "internal_error", "internal_error")
        assert b"Traceback" not in reply.body
        assert b"passwd" not in reply.body
        assert b"SELECT" not in reply.body
        assert reply.headers["server"] == "aiservice"


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
async def test_metrics_are_not_for_whoever_comes_through_a_proxy_on_this_machine(gateway: Gateway, name: str) -> None:
    assert (await gateway.get("/metrics")).status == 200
    assert (await gateway.get("/metrics", headers={name: "1.2.3.4"})).status == 404


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/embeddings", "/v1/embeddings"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/ai-service/", "/ai-service"),
    ],
)
async def test_a_base_url_with_a_version_too_many_or_too_few_is_told_the_way(
    sandboxed: Gateway, path: str, meant: str
) -> None:
    reply = await call(sandboxed.app, "POST", path, body=_CHAT)
    assert reply.status == 404
    assert f"Did you mean {meant}?" in reply.json()["error"]["message"]


async def test_a_page_may_have_the_name_of_a_route_without_its_version(sandboxed: Gateway) -> None:
    assert (await call(sandboxed.app, "GET", "/messages")).status == 299


async def test_no_key_and_a_wrong_key_are_told_apart(sandboxed: Gateway) -> None:
    missing = (await call(sandboxed.app, "POST", "/ai-service", body={"input": "x"})).json()["error"]
    wrong = (await call(sandboxed.app, "POST", "/ai-service", body={"input": "x"}, key="sk-other")).json()["error"]
    assert (missing["code"], missing["message"].split(".")[0]) == (
        "missing_api_key",
        "No API key came with this request",
    )
    assert (wrong["code"], wrong["message"].split(".")[0]) == ("invalid_api_key", "The API key is not valid")
