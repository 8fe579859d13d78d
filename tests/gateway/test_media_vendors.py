"""Images and sound through the gateway by vendors' own words: what they are asked, what comes back, what it costs."""

import asyncio
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
from tests.gateway.asgi import Reply, call
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


def _drawn(data: str = _PNG) -> bytes:
    details = [{"modality": "IMAGE", "tokenCount": 1120}]
    picture = {"inlineData": {"mimeType": "image/png", "data": data}}
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


async def test_a_model_that_draws_chats_where_it_is_named_and_else_another_does(
    google: Gateway, vendor: ScriptedServer
) -> None:
    """The one that draws is the first of its connection's models."""
    picture = {"inlineData": {"mimeType": "image/png", "data": _PNG}}
    vendor.says(_of_google({"text": "Here"}, picture), content_type="application/json")
    said = {"messages": [{"role": "user", "content": "hi"}]}
    await google.post("/v1/chat/completions", said)
    drawn = await google.post("/v1/chat/completions", {**said, "model": "gemini-3-pro-image"})
    assert [asked.target.split("/")[-1].split(":")[0] for asked in vendor.asked] == [
        "gemini-2.5-flash",
        "gemini-3-pro-image",
    ]
    message = drawn.json()["choices"][0]["message"]
    assert message["extra_content"]["google"]["parts"] == [{**picture, "content_offset": 4, "reasoning_offset": 0}]
    native = {"contents": [{"parts": [{"text": "a cat"}]}], "generationConfig": {"responseModalities": ["IMAGE"]}}
    own = await google.post("/v1beta/models/gemini-3-pro-image:generateContent", native)
    assert (own.body, orjson.loads(vendor.asked[2].body)) == (vendor.body, native)


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


@pytest.fixture
async def openai(installed: Settings, vendor: ScriptedServer) -> AsyncIterator[Gateway]:
    async with _over(installed, vendor, "openai", "tts-1", "gpt-image-1", "gpt-4o-transcribe") as gateway:
        yield gateway


_SPEAK = {"model": "tts-1", "input": "hello", "voice": "alloy"}
_MP3 = [b"\xff\xfb\x90" + bytes(100), bytes(50), b"end"]


async def test_speech_goes_to_its_client_as_it_comes(openai: Gateway, vendor: ScriptedServer) -> None:
    vendor.says(_MP3, content_type="audio/mpeg")
    vendor.may_go_on = asyncio.Event()
    reply = Reply()
    asked = asyncio.ensure_future(
        call(openai.app, "POST", "/v1/audio/speech", key=openai.key, body=_SPEAK, reply=reply)
    )
    while not reply.body:
        await asyncio.sleep(0.005)
    assert (reply.body, reply.is_complete) == (_MP3[0], False)
    vendor.may_go_on.set()
    await asked
    assert (reply.body, reply.is_complete, reply.headers["content-type"]) == (b"".join(_MP3), True, "audio/mpeg")
    row = (await openai.rows())[0]
    assert (row.outcome, row.units, row.unit, row.cost_nano_usd) == ("finished", 5, "character", 5 * 15_000)
    assert row.first_byte_us is not None
    assert row.started_us < row.first_byte_us < row.ended_us


async def test_sound_has_no_pace_of_tokens_to_keep_to(openai: Gateway, vendor: ScriptedServer) -> None:
    key = Secret(PROVIDER_KEY)
    await openai.core.connections.add(
        OPERATOR, "openai", "other", vendor.url, key, is_private_allowed=True, models=["tts-1"]
    )
    vendor.says(_MP3, content_type="audio/mpeg")
    vendor.may_go_on = asyncio.Event()
    reply, wish = Reply(), {"fallback_below_throughput": 50}
    body = {**_SPEAK, "preferences": wish}
    asked = asyncio.ensure_future(call(openai.app, "POST", "/v1/audio/speech", key=openai.key, body=body, reply=reply))
    async with asyncio.timeout(5):
        while not reply.body:
            await asyncio.sleep(0.005)
    vendor.may_go_on.set()
    await asked
    assert (reply.status, reply.body, len(vendor.asked)) == (200, b"".join(_MP3), 1)


async def test_speech_that_is_cut_has_no_end_and_is_paid_for(openai: Gateway, vendor: ScriptedServer) -> None:
    vendor.says(_MP3, content_type="audio/mpeg")
    vendor.is_cut = True
    reply = await openai.post("/v1/audio/speech", _SPEAK)
    assert (reply.status, reply.is_complete) == (200, False)
    assert reply.body == b"".join([*_MP3, b"cut"])
    row = (await openai.rows())[0]
    assert (row.outcome, row.units, row.cost_nano_usd) == ("upstream_truncated", 5, 5 * 15_000)
    told = await openai.post("/v1/audio/speech", {**_SPEAK, "stream_format": "sse"})
    assert told.is_complete
    assert b'"upstream_reset"' in told.body.split(b"\n\n")[-2]
    assert b"speech.audio.done" not in told.body


async def test_an_error_instead_of_sound_has_its_status(openai: Gateway, vendor: ScriptedServer) -> None:
    vendor.says(b'{"error": {"message": "busy", "type": "server_error"}}', content_type="audio/mpeg")
    reply = await openai.post("/v1/audio/speech", _SPEAK)
    assert (reply.status, reply.code, reply.is_complete) == (502, "provider_failed", True)


async def test_sound_that_may_be_given_out_again_is_given_whole(openai: Gateway, vendor: ScriptedServer) -> None:
    vendor.says(_MP3, content_type="audio/mpeg")
    replies = [await openai.post("/v1/audio/speech", _SPEAK, headers={"idempotency-key": "once"}) for _ in range(2)]
    assert {(reply.body, reply.headers["content-type"]) for reply in replies} == {(b"".join(_MP3), "audio/mpeg")}
    assert [reply.headers["content-length"] for reply in replies] == [str(len(b"".join(_MP3)))] * 2
    assert (len(vendor.asked), len(await openai.rows())) == (1, 1)


def _event(name: str, **more: Any) -> bytes:
    return f"event: {name}\n".encode() + b"data: " + orjson.dumps({"type": name, "b64_json": _PNG, **more}) + b"\n\n"


async def test_images_are_streamed_with_their_drafts_and_paid_once(openai: Gateway, vendor: ScriptedServer) -> None:
    usage: Any = {
        "input_tokens": 10,
        "output_tokens": 272,
        "total_tokens": 282,
        "input_tokens_details": {"text_tokens": 10},
    }
    said = [
        _event("image_generation.partial_image", partial_image_index=0),
        _event("image_generation.completed", usage=usage),
    ]
    vendor.says(said, content_type="text/event-stream")
    asked = {"model": "gpt-image-1", "prompt": "a cat", "stream": True, "partial_images": 1}
    reply = await openai.post("/v1/images/generations", asked)
    assert (reply.body, reply.is_complete) == (b"".join(said), True)
    assert orjson.loads(vendor.asked[0].body) == asked
    row = (await openai.rows())[0]
    assert (row.units, row.unit, row.output_tokens, row.cost_nano_usd) == (1, "image", 272, 10 * 5_000 + 272 * 40_000)


async def test_an_edit_is_streamed_as_a_form(openai: Gateway, vendor: ScriptedServer) -> None:
    vendor.says([_event("image_edit.completed")], content_type="text/event-stream")
    picture = {"filename": "a.png", "content_type": "image/png", "data": base64.b64decode(_PNG)}
    fields = (("prompt", "pink"), ("model", "gpt-image-1"), ("image", picture), ("stream", "true"))
    reply = await _form(openai, "/v1/images/edits", *fields)
    assert reply.body == _event("image_edit.completed")
    assert b'name="stream"\r\n\r\ntrue' in vendor.asked[0].body


async def test_a_stream_of_images_that_breaks_off_says_so(openai: Gateway, vendor: ScriptedServer) -> None:
    vendor.says([_event("image_generation.partial_image", partial_image_index=0)], content_type="text/event-stream")
    reply = await openai.post("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a", "stream": True})
    assert b'"upstream_truncated"' in reply.body
    row = (await openai.rows())[0]
    assert (row.outcome, row.usage_source, row.cost_nano_usd) == ("upstream_truncated", "counted", 100 * 40_000)


async def test_who_has_no_streams_is_streamed_all_the_same(google: Gateway, vendor: ScriptedServer) -> None:
    data = base64.b64encode(bytes(300_000)).decode()  # so much is read in a thread
    vendor.says(_drawn(data), content_type="application/json")
    asked = {"model": "gemini-3-pro-image", "prompt": "a cat", "stream": True, "partial_images": 2}
    reply = await google.post("/v1/images/generations", asked)
    name, said = reply.body.removesuffix(b"\n\n").split(b"\n")
    assert (name, orjson.loads(said[6:])["b64_json"]) == (b"event: image_generation.completed", data)
    assert orjson.loads(said[6:])["usage"]["output_tokens"] == 1120
    assert (await google.rows())[0].cost_nano_usd == 10 * 2_000 + 1_120 * 120_000


async def test_a_transcript_of_gemini_is_streamed_in_openais_events(google: Gateway, vendor: ScriptedServer) -> None:
    pieces: list[Any] = [{"candidates": [{"content": {"parts": [{"text": word}]}}]} for word in ("Hel", "lo")]
    pieces.append({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 4}})
    vendor.says([b"data: " + orjson.dumps(each) + b"\r\n\r\n" for each in pieces], content_type="text/event-stream")
    fields = (("model", "gemini-2.5-flash"), ("file", _FILE), ("stream", "true"))
    reply = await _form(google, "/v1/audio/transcriptions", *fields)
    said = [orjson.loads(each[6:]) for each in reply.body.split(b"\n\n") if each]
    assert [each.get("delta") for each in said[:2]] == ["Hel", "lo"]
    assert (said[2]["type"], said[2]["text"], said[2]["usage"]["input_tokens"]) == ("transcript.text.done", "Hello", 4)
    assert vendor.asked[0].target == "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
