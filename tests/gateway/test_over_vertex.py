"""The whole path to Vertex AI: a service account's key is exchanged; Gemini, Claude and embeddings are asked."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.key_exchange import KeyExchanges
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import Gateway, portal
from tests.mock.record import Served, read_record
from tests.mock.server import MockProvider

_TOKENS = ("ya29.first-3b1c", "ya29.second-9f2e")
_MODELS = ["gemini-2.5-flash", "claude-sonnet-4-5@20250929", "text-embedding-005", "gemini-embedding-2"]
_GEMINI, _CLAUDE, _EMBEDDING, _NEW_EMBEDDING = _MODELS
_EMAIL = "gateway@project-1.iam.gserviceaccount.com"


@cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _account(token_uri: str) -> Secret:
    """The JSON of a service account, as Google's console gives it."""
    pem = _private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    said = {"type": "service_account", "project_id": "project-1", "private_key_id": "k1", "client_email": _EMAIL}
    return Secret(
        orjson.dumps({**said, "private_key": pem.decode(), "token_uri": token_uri}, option=orjson.OPT_INDENT_2)
    )


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[MockProvider]:
    async with MockProvider(record=tmp_path / "served.jsonl", keys=_TOKENS) as provider:
        yield provider


@pytest.fixture
async def vertex(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        address = f"{mock.root_url}/v1/projects/project-1/locations/europe-west4"
        await core.connections.add(
            OPERATOR, "vertex", "cloud", address, _account(f"{mock.root_url}/token"), is_private_allowed=True,
            models=_MODELS,
        )  # fmt: skip
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        yield Gateway(app, core, InFlight(), made.key.reveal_text(), mock)


def _served(gateway: Gateway) -> list[Served]:
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return list(read_record(gateway.mock.record.path))


async def _google(gateway: Gateway, model: str, method: str, body: dict[str, Any]) -> Reply:
    query = b"alt=sse" if method == "streamGenerateContent" else b""
    return await call(gateway.app, "POST", f"/v1beta/models/{model}:{method}", key=gateway.key, body=body, query=query)


def _said(text: str) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": text}]}]}


async def test_a_service_account_is_exchanged_once_for_all_who_ask_at_once(vertex: Gateway) -> None:
    assert vertex.mock is not None
    vertex.mock.token_seconds = 0.05
    replies = await asyncio.gather(*(vertex.chat("(words-3) hi", model=_GEMINI) for _ in range(5)))
    assert {reply.status for reply in replies} == {200}
    tokens = [one for one in _served(vertex) if one.path == "/token"]
    assert len(tokens) == 1
    form = parse_qs(tokens[0].body["unreadable"])
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    pem = (
        _private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    certified: Any = jwt.decode
    claims = certified(form["assertion"][0], certs=pem, audience=f"{vertex.mock.root_url}/token")
    assert (claims["iss"], claims["scope"]) == (_EMAIL, "https://www.googleapis.com/auth/cloud-platform")
    asked = _served(vertex)[-1]
    assert asked.headers["authorization"] == f"Bearer {_TOKENS[0]}"
    assert (
        asked.path
        == f"/v1/projects/project-1/locations/europe-west4/publishers/google/models/{_GEMINI}:generateContent"
    )


async def test_a_token_near_its_end_is_bought_anew(vertex: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vertex.mock is not None
    vertex.mock.token_lifetime = 100  # less than what is kept in reserve
    monkeypatch.setattr("aiservice.gateway.targets._TARGET_SECONDS", 0.0)
    for _ in range(2):
        assert (await vertex.chat("hi", model=_GEMINI)).status == 200
    sent = [one.headers["authorization"] for one in _served(vertex) if "publishers" in one.path]
    assert sent == [f"Bearer {token}" for token in _TOKENS]
    vertex.mock.token_lifetime = 3599
    for _ in range(3):
        await vertex.chat("hi", model=_GEMINI)
    assert vertex.mock.tokens_given == 3


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_token_that_is_taken_no_more_is_bought_anew_but_not_for_each_call(
    vertex: Gateway, monkeypatch: pytest.MonkeyPatch, is_stream: bool
) -> None:
    assert vertex.mock is not None
    assert (await vertex.chat("hi", model=_GEMINI)).status == 200
    vertex.mock._keys = _TOKENS[1:]  # the first was revoked
    assert not vertex.core.connections.refused(vertex.core.connections.snapshot()[0]), "it was bought just now"
    monkeypatch.setattr("aiservice.services.key_exchange._LEAST_AGE_SECONDS", 0.0)
    refused = await vertex.chat("hi", model=_GEMINI, stream=is_stream)
    assert (refused.status, refused.code) == (502, "upstream_auth_failed")
    assert (await vertex.chat("hi", model=_GEMINI, stream=is_stream)).status == 200
    assert vertex.mock.tokens_given == 2


async def test_a_refused_exchange_says_what_to_look_at(vertex: Gateway) -> None:
    assert vertex.mock is not None
    vertex.mock.token_status = 400
    reply = await vertex.chat("hi", model=_GEMINI)
    assert (reply.status, reply.code) == (502, "upstream_token_refused")
    assert "invalid_grant" in reply.json()["error"]["message"]
    assert "clock" in reply.json()["error"]["message"]
    tested = await vertex.core.connections.test(OPERATOR, "cloud")
    assert (tested.is_ok, tested.code, tested.is_rejected) == (False, "upstream_token_refused", True)


async def test_a_key_cannot_send_us_to_an_address_of_its_own(vertex: Gateway) -> None:
    assert vertex.mock is not None
    async with MockProvider(keys=_TOKENS) as elsewhere:
        address = f"{vertex.mock.root_url}/v1/projects/p/locations/l"
        await vertex.core.connections.add(
            OPERATOR, "vertex", "lured", address, _account(f"{elsewhere.root_url}/token"), is_private_allowed=True,
            models=[_GEMINI],
        )  # fmt: skip
        reply = await vertex.chat("hi", model=f"lured/{_GEMINI}")
        assert (reply.status, reply.code) == (502, "upstream_address_refused")
        assert elsewhere.tokens_given == 0


async def test_gemini_there_is_asked_in_googles_own_words(vertex: Gateway) -> None:
    body = {**_said("(words-3) hi"), "tools": [{"googleSearch": {}}], "new_field": 1}
    reply = await _google(vertex, _GEMINI, "generateContent", body)
    assert reply.json()["candidates"][0]["content"]["parts"][0]["text"] == "the gate keeps"
    sent = _served(vertex)[-1].body
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "(words-3) hi"}]}], "Vertex wants a role"
    assert (sent["tools"], sent["newField"]) == ([{"googleSearch": {}}], 1)
    streamed = await _google(vertex, _GEMINI, "streamGenerateContent", _said("(words-3) hi"))
    assert streamed.body.count(b"data: ") == 4
    counted = await _google(vertex, _GEMINI, "countTokens", {"generateContentRequest": {**_said("hi"), "store": False}})
    assert counted.json()["totalTokens"] > 0
    assert list(_served(vertex)[-1].body) == ["contents"]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_claude_there_is_asked_without_model_and_with_its_version(vertex: Gateway, is_stream: bool) -> None:
    reply = await vertex.chat("(words-3) hi", model=_CLAUDE, stream=is_stream, temperature=0.5)
    assert reply.status == 200, reply.body
    assert b"keeps" in reply.body
    served = _served(vertex)[-1]
    method = "streamRawPredict" if is_stream else "rawPredict"
    assert served.path.endswith(f"/publishers/anthropic/models/{_CLAUDE}:{method}")
    assert (served.body["anthropic_version"], served.body["stream"]) == ("vertex-2023-10-16", is_stream)
    assert "model" not in served.body


async def test_claude_there_gets_what_a_client_of_its_wire_wrote(vertex: Gateway) -> None:
    body = {"model": _CLAUDE, "max_tokens": 9, "messages": [{"role": "user", "content": "(words-2) hi"}], "new": 1}
    headers = {"x-api-key": vertex.key, "anthropic-version": "2023-06-01", "anthropic-beta": "one-2026,two"}
    reply = await call(vertex.app, "POST", "/v1/messages", body=body, headers=headers)
    assert reply.json()["content"][0]["text"] == "the gate"
    sent = _served(vertex)[-1].body
    version = {"anthropic_version": "vertex-2023-10-16", "stream": False}
    assert sent == {**{name: value for name, value in body.items() if name != "model"}, **version}
    counted = await call(vertex.app, "POST", "/v1/messages/count_tokens", body=body, headers=headers)
    assert counted.json()["input_tokens"] > 0
    assert _served(vertex)[-1].path.endswith("/count-tokens:rawPredict")
    assert _served(vertex)[-1].body["model"] == _CLAUDE


async def test_texts_are_embedded_there_by_either_method(vertex: Gateway) -> None:
    body = {"model": _EMBEDDING, "input": ["one", "two"], "dimensions": 4}
    said = (await vertex.post("/v1/embeddings", body)).json()
    assert [len(item["embedding"]) for item in said["data"]] == [4, 4]
    assert said["usage"]["prompt_tokens"] == 2
    asked = {"content": {"parts": [{"text": "one"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 4}
    native = await _google(vertex, _EMBEDDING, "embedContent", asked)
    assert native.json()["embedding"]["values"] == said["data"][0]["embedding"]
    sent = _served(vertex)[-1].body
    assert sent == {
        "instances": [{"content": "one", "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 4},
    }
    newer = await _google(vertex, _NEW_EMBEDDING, "embedContent", asked)
    assert len(newer.json()["embedding"]["values"]) > 0
    assert _served(vertex)[-1].body["embedContentConfig"] == {"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 4}
    several = await vertex.post("/v1/embeddings", {**body, "model": _NEW_EMBEDDING})
    assert (several.status, several.json()["error"]["param"]) == (400, "input")


async def test_its_models_are_found_by_the_test_of_a_connection(vertex: Gateway) -> None:
    tested = await vertex.core.connections.test(OPERATOR, "cloud")
    assert tested.is_ok, tested.message
    assert tested.models == ("gemini-2.5-flash", "text-embedding-005")
    assert _served(vertex)[-1].path == "/v1beta1/publishers/google/models"


async def test_tokens_of_connections_that_changed_are_forgotten() -> None:
    exchanges = KeyExchanges()
    exchanges._bought["con_1"] = (1, 1e12, Secret(b"Bearer x"))
    exchanges.forget_all_but([])
    assert not exchanges._bought
