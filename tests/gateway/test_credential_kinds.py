"""T-09: every kind of credential at every route: only what is documented is let in."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.gateway.edge import Edge
from aiservice.kit.secret import Secret
from aiservice.portal.session import exports, reveal, routes
from aiservice.principal import OPERATOR, Role
from aiservice.services.accounts import Browser
from aiservice.services.core import current_core
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import portal

PASSWORD = "correct horse battery staple"
METRICS_TOKEN = "metrics-token-0123456789"
# Routes that take no key, with what lets in there; any other one must say which scope it needs.
OPEN = {"/healthz", "/readyz", "/openapi.json", "/docs", "/.well-known/jwks.json"}
OTHER = {"/metrics": {"metrics token"}, "/ai-service/leaked-keys": set[str]()}
# By the scope that a route names: which kinds of credential it lets in.
LET_IN = {
    "task": {"client key", "token"},
    "read": {"client key", "token", "key for reading"},
    "key": {"client key", "key for reading"},
}
# Which scope an inference route asks for is known from its body.
_CHAT = {"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
_SOUND = "data:audio/mpeg;base64,SUQzBAAAAAAA"
BODIES: dict[str, dict[str, object]] = {
    "/ai-service": {"input": "hi"},
    "/ai-service/explain": {"input": "hi"},
    "/v1/chat/completions": _CHAT,
    "/v1/messages": _CHAT,
    "/v1/messages/count_tokens": _CHAT,
    "/v1/completions": {"model": "auto", "prompt": "hi"},
    "/v1beta/models/auto:streamGenerateContent": {"contents": [{"parts": [{"text": "hi"}]}]},
    "/v1beta/models/auto:embedContent": {"content": {"parts": [{"text": "hi"}]}},
    "/v1/responses": {"model": "auto", "input": "hi"},
    "/v1/responses/input_tokens": {"model": "auto", "input": "hi"},
    "/v1/embeddings": {"model": "auto", "input": "hi"},
    "/v1/moderations": {"input": "hi"},
    "/v1/images/generations": {"prompt": "hi"},
    "/v1/images/edits": {"prompt": "hi", "images": [{"image_url": "https://example.com/a.png"}]},
    "/v1/audio/speech": {"input": "hi", "voice": "alloy"},
    "/v1/audio/transcriptions": {"file": _SOUND},
    "/v1/audio/translations": {"file": _SOUND},
    "/v1/rerank": {"query": "hi", "documents": ["hi"]},
    "/v2/rerank": {"query": "hi", "documents": ["hi"]},
}
PAGES = [f"{reveal.PREFIX}{path}" for path in reveal.ACTIONS] + [f"{exports.PREFIX}/usage.csv"]


@dataclass
class Matrix:
    app: Edge
    kinds: dict[str, list[tuple[bytes, bytes]]]

    def cells(self) -> Iterator[tuple[str, str, str, set[str]]]:
        """(kind, method, path, the kinds that are let in)."""
        for path, methods in self.app._routes.items():
            for method, handler in methods.items():
                let_in = self._let_in(path, handler.scope_name)
                yield from ((kind, method, path, let_in) for kind in self.kinds)
        for kind in self.kinds:
            yield kind, "GET", "/v1/models/echo-1", LET_IN["read"]
            yield kind, "GET", "/v1beta/models", LET_IN["read"]
            yield from ((kind, "POST", path, LET_IN["task"]) for path in BODIES if path not in self.app._routes)
            for path in PAGES:
                yield kind, "GET" if path.endswith(".csv") else "POST", path, {"session"}

    def _let_in(self, path: str, scope_name: str | None) -> set[str]:
        if path == "/ai-service/explain":  # calls nobody, but is for who may call
            return LET_IN["task"]
        if scope_name is not None:
            return LET_IN[scope_name]
        assert path in OPEN or path in OTHER, f"{path}: say here who may call it"
        return set(self.kinds) if path in OPEN else OTHER[path]

    async def ask(self, kind: str, method: str, path: str) -> Reply:
        headers = [*self.kinds[kind], (b"content-type", b"application/json")]
        return await call(self.app, method, path, headers=headers, body=BODIES.get(path, {}), client=("203.0.113.5", 1))


def bearer(value: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {value}".encode())]


@pytest.fixture
async def matrix(installed: Settings) -> AsyncIterator[Matrix]:
    settings = replace(installed, metrics_token=Secret(METRICS_TOKEN))
    async with open_core(settings, is_serving=True) as core:
        await core.accounts.create_user(OPERATOR, "dev@example.test", PASSWORD, Role.DEVELOPER)
        signed_in = await core.accounts.sign_in("dev@example.test", PASSWORD, Browser("203.0.113.5"))
        link = await core.accounts.invite(OPERATOR, "new@example.test", Role.DEVELOPER)
        await core.clients.create(OPERATOR, "app", "dev@example.test")
        key = (await core.keys.create(OPERATOR, "app", "k")).key.reveal_text()
        reading = (await core.keys.create(OPERATOR, "app", "r", scopes=["read"])).key.reveal_text()
        token = await core.tokens.issue(await core.keys.verify(key, address="203.0.113.5"))
        cookie = f"ais_sid={signed_in.cookie}".encode()
        sign_in = exports.build(current_core, beside=reveal.build(current_core, beside=routes.build(current_core)))
        kinds = {
            "nothing": [],
            "client key": bearer(key),
            "key for reading": [(b"x-api-key", reading.encode())],
            "token": bearer(token.token.reveal_text()),
            "session": [(b"cookie", cookie)],
            "session as a key": bearer(signed_in.cookie),
            "key as a session": [(b"cookie", b"ais_sid=" + key.encode())],
            "token as a session": [(b"cookie", b"ais_sid=" + token.token.reveal())],
            "metrics token": bearer(METRICS_TOKEN),
            "link": bearer(link.rpartition("=")[2]),
            "public part": bearer(key[9:21]),
        }
        yield Matrix(build_gateway(core, InFlight(), sign_in, portal), kinds)


async def test_t09_a_credential_opens_what_it_is_for_and_nothing_else(matrix: Matrix) -> None:
    wrong, cells = [], 0
    for kind, method, path, let_in in matrix.cells():
        reply = await matrix.ask(kind, method, path)
        cells += 1
        # Who is let in as a person may still have no right to what only an admin may do.
        is_persons = reply.status == 403 and b'"code":"admin_only"' in reply.body
        is_refused = (reply.status in (401, 403) and not is_persons) or (path in OTHER and reply.status == 404)
        if is_refused != (kind not in let_in):
            wrong.append((kind, method, path, reply.status, reply.body[:200]))
    assert wrong == []
    assert cells > 250
