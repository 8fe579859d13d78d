"""A gateway in this process: real services on a fresh database, a scripted provider on loopback."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.gateway.edge import Edge
from aiservice.gateway.exchange import Receive, Scope, Send
from aiservice.kit.access_tokens import AccessKey, Claims
from aiservice.kit.keyformat import holds_key
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.services.request_log import LogFilter
from aiservice.settings import Settings
from tests.gateway.asgi import Reply, call
from tests.gateway.forging import REQUIRED, opened
from tests.harness.waiting import until
from tests.mock.server import MockProvider

PROVIDER_KEY = "sk-mock-4f9d2b7c1e8a6035"


async def portal(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands where the portal stands, so that a test sees what falls through to it."""
    await send({"type": "http.response.start", "status": 299, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"<html>portal</html>"})


@dataclass
class Gateway:
    """The app, its services, and one client's key."""

    app: Edge
    core: Core
    in_flight: InFlight
    key: str
    mock: MockProvider | None = None

    async def post(self, path: str, body: object, **more: Any) -> Reply:
        return await call(self.app, "POST", path, key=more.pop("key", self.key), body=body, **more)

    async def get(self, path: str, **more: Any) -> Reply:
        return await call(self.app, "GET", path, key=more.pop("key", self.key), **more)

    async def asked(self, calls: int = 1) -> None:
        """Returns once the provider has had so many calls in all."""
        mock = self.mock
        assert mock is not None
        await until(lambda: mock.record.calls >= calls)

    async def chat(self, text: str, **fields: Any) -> Reply:
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}
        return await self.post("/v1/chat/completions", body)

    async def rows(self) -> list[Any]:
        """The ledger, newest first."""
        await self.core.ledger.flush()
        return (await self.core.requests.page(OPERATOR, LogFilter(), 500)).entries

    async def new_key(self, **rights: Any) -> str:
        made = await self.core.keys.create(OPERATOR, "app", "another", **rights)
        return made.key.reveal_text()


@pytest.fixture(autouse=True)
def every_token_holds_ids_and_times_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """T-16, for every token that any of these tests makes: its claims are of the list, and none holds a key."""
    sign = AccessKey.sign

    def checked(self: AccessKey, claims: Claims, issuer: str) -> str:
        token = sign(self, claims, issuer)
        said = opened(token)
        assert said.keys() <= {*REQUIRED, "metadata"}
        assert not holds_key(json.dumps(said))
        return token

    monkeypatch.setattr(AccessKey, "sign", checked)


@pytest.fixture
async def sandboxed(installed: Settings) -> AsyncIterator[Gateway]:
    """A fresh installation: only the sandbox."""
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        made = await core.keys.create(OPERATOR, "app", "first")
        in_flight = InFlight()
        yield Gateway(build_gateway(core, in_flight, portal, portal), core, in_flight, made.key.reveal_text())


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[MockProvider]:
    async with MockProvider(record=tmp_path / "served.jsonl", keys=(PROVIDER_KEY,)) as provider:
        yield provider


@pytest.fixture
async def gateway(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    """An installation with one provider connection, `mock`, at a scripted provider."""
    quick = replace(
        installed, first_byte_timeout=1.0, idle_timeout=1.0, total_timeout=8.0, progress_timeout=2.0, drain_seconds=0.5
    )
    async with open_core(quick, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        await core.connections.add(
            OPERATOR,
            "openai-compatible",
            "mock",
            mock.base_url,
            Secret(PROVIDER_KEY),
            is_private_allowed=True,
            models=["gpt-mock", "embed-mock"],
        )
        made = await core.keys.create(OPERATOR, "app", "first")
        in_flight = InFlight()
        yield Gateway(build_gateway(core, in_flight, portal, portal), core, in_flight, made.key.reveal_text(), mock)


@pytest.fixture
async def google(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    """An installation with a connection of each of three wires, to be asked in Google's."""
    places = {
        "gemini": ("/v1beta", ["gemini-2.5-flash", "gemini-embedding-001"]),
        "openai-compatible": ("/v1", ["gpt-mock", "embed-mock"]),
        "anthropic": ("", ["claude-mock"]),
    }
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        for kind, (path, models) in places.items():
            await core.connections.add(
                OPERATOR, kind, kind, mock.root_url + path, Secret(PROVIDER_KEY), is_private_allowed=True, models=models
            )
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        yield Gateway(app, core, InFlight(), made.key.reveal_text(), mock)
