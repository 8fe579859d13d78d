"""Images and sound through the gateway by vendors' own words: what they are asked, what comes back, what it costs."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.multipart import write_form
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.providers._sound import wav
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.gateway.scripted_server import ScriptedServer

pytestmark = pytest.mark.sqlite_only("what is tried is the gateway's own")

_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0").decode()
_WAV = wav(bytes(16_000), 8_000)
_FILE = {"filename": "a.wav", "content_type": "audio/wav", "data": _WAV}


@asynccontextmanager
async def _over(installed: Settings, vendor: ScriptedServer, kind: str, *models: str) -> AsyncIterator[Gateway]:
    """An installation whose only provider is `vendor`."""
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        await core.connections.add(
            OPERATOR, kind, "them", vendor.url, Secret(PROVIDER_KEY), is_private_allowed=True, models=list(models)
        )
        made = await core.keys.create(OPERATOR, "app", "first")
        yield Gateway(build_gateway(core, InFlight(), portal, portal), core, InFlight(), made.key.reveal_text())


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def google(installed: Settings, vendor: ScriptedServer) -> AsyncIterator[Gateway]:
    async with _over(installed, vendor, "gemini", "gemini-3-pro-image", "gemini-2.5-flash") as gateway:
        yield gateway


def _of_google(*parts: Any, **usage: Any) -> bytes:
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 20, **usage}
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return orjson.dumps({"candidates": [candidate], "usageMetadata": counts, "modelVersion": "gemini-x"})


def _drawn() -> bytes:
    details = [{"modality": "IMAGE", "tokenCount": 1120}]
    picture = {"inlineData": {"mimeType": "image/png", "data": _PNG}}
    return _of_google(picture, candidatesTokenCount=1120, candidatesTokensDetails=details)


async def _form(gateway: Gateway, path: str, *fields: tuple[str, Any]) -> Reply:
    body, kind = write_form(fields)
    return await gateway.post(path, body, headers={"content-type": kind})


async def test_gemini_draws_and_its_pictures_cost_what_pictures_cost(google: Gateway, vendor: ScriptedServer) -> None:
    vendor.says(_drawn(), content_type="application/json")
    made = await google.post("/v1/images/generations", {"prompt": "a cat", "size": "1024x1024"})
    assert (made.status, made.json()["data"]) == (200, [{"b64_json": _PNG}])
    assert vendor.asked[0].target == "/v1beta/models/gemini-3-pro-image:generateContent"
    picture = {"filename": "a.png", "content_type": "image/png", "data": base64.b64decode(_PNG)}
    edited = await _form(google, "/v1/images/edits", ("prompt", "pink"), ("image", picture))
    parts = orjson.loads(vendor.asked[1].body)["contents"][0]["parts"]
    assert (edited.status, parts[1]["inlineData"]["data"]) == (200, _PNG)
    told = (await google.post("/ai-service", {"task": "image-generation", "input": "a dog"})).json()
    assert told["output"]["images"] == [{"b64_json": _PNG}]
    for row in await google.rows():
        assert (row.units, row.unit, row.cost_nano_usd) == (1, "image", 10 * 2_000 + 1_120 * 120_000)


async def test_gemini_hears_in_json_and_text_and_as_a_task(google: Gateway, vendor: ScriptedServer) -> None:
    details = [{"modality": "AUDIO", "tokenCount": 8}, {"modality": "TEXT", "tokenCount": 2}]
    vendor.says(_of_google({"text": "Hello"}, promptTokensDetails=details), content_type="application/json")
    heard = await _form(google, "/v1/audio/transcriptions", ("file", _FILE))
    assert (heard.json()["text"], heard.json()["usage"]["input_token_details"]["audio_tokens"]) == ("Hello", 8)
    plain = await _form(google, "/v1/audio/transcriptions", ("file", _FILE), ("response_format", "text"))
    assert (plain.body, plain.headers["content-type"]) == (b"Hello\n", "text/plain; charset=utf-8")
    english = await _form(google, "/v1/audio/translations", ("file", _FILE))
    assert english.json()["text"] == "Hello"
    sound = f"data:audio/wav;base64,{base64.b64encode(_WAV).decode()}"
    told = await google.post("/ai-service", {"task": "speech-to-text", "input": {"audio": sound}})
    assert told.json()["output"] == {"text": "Hello"}
    # 8 of sound at 1 USD a million, 2 of text at 0.3, 20 at 2.5
    assert {row.cost_nano_usd for row in await google.rows()} == {8_000 + 600 + 50_000}


async def test_what_is_dropped_of_an_image_is_named_and_what_is_not_is_refused(
    google: Gateway, vendor: ScriptedServer
) -> None:
    vendor.says(_drawn(), content_type="application/json")
    asked = {"prompt": "a cat", "quality": "high", "background": "transparent"}
    refused = await google.post("/v1/images/generations", asked)
    assert (refused.status, refused.code) == (400, "unsupported_parameter")
    assert refused.json()["error"]["param"] == "background"
    made = await google.post("/v1/images/generations", asked, headers={"x-aiservice-lossy": "allow"})
    assert (made.status, made.headers["x-aiservice-lossy"]) == (200, "background, quality")
    assert len(vendor.asked) == 1


async def test_a_filter_that_let_no_image_through_is_told_as_one(google: Gateway, vendor: ScriptedServer) -> None:
    vendor.says(orjson.dumps({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}), content_type="application/json")
    reply = await google.post("/v1/images/generations", {"prompt": "a cat"})
    assert (reply.status, reply.code) == (400, "content_filter")
