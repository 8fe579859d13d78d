"""R-08: an answer that is cut at any byte is never told as whole, whatever wire it came by and goes out by."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.health import ConnectionHealth
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.server import MockProvider

_PLACES = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta", "bedrock": ""}
_KINDS = [*(kind for kind in _PLACES if kind != "bedrock"), pytest.param("bedrock", marks=pytest.mark.long)]
_GOOGLE = "google?"  # with the query that says how its stream is framed
_RESPONSES = "/v1/responses"
_WORDS = 14  # about 4 KB of a chat stream
_STEP = 61  # in the default tier; every byte in the long one


@dataclass(slots=True)
class Told:
    """What the client was told: `is_whole` is a clean end, or status 200 of a whole answer."""

    is_whole: bool
    text: str


@pytest.fixture
async def wires(gateway: Gateway, mock: MockProvider) -> AsyncIterator[Gateway]:
    """Connections of every kind at one mock, which no number of failures keeps us from asking."""
    for kind, path in _PLACES.items():
        address, key = mock.root_url + path, Secret(PROVIDER_KEY)
        await gateway.core.connections.add(
            OPERATOR, kind, kind, address, key, is_private_allowed=True, models=["mock-small"]
        )
    gateway.core.health.failed = lambda *_: None  # type: ignore[method-assign]
    assert isinstance(gateway.core.health, ConnectionHealth)
    yield gateway


async def _ask(gateway: Gateway, kind: str, surface: str, script: str, *, is_stream: bool) -> Reply:
    if surface.startswith(_GOOGLE):
        method = "streamGenerateContent" if is_stream else "generateContent"
        said = {"contents": [{"parts": [{"text": f"(words-{_WORDS}) {script}"}]}]}
        path, query = f"/v1beta/models/{kind}/mock-small:{method}", surface.removeprefix(_GOOGLE).encode()
        return await gateway.post(path, said, query=query)
    body: dict[str, Any] = {"model": f"{kind}/mock-small", "stream": is_stream}
    body["messages"] = [{"role": "user", "content": f"(words-{_WORDS}) {script}"}]
    if surface == _RESPONSES:
        body["input"] = body.pop("messages")
    if surface == "/v1/messages":
        body["max_tokens"] = 100
    return await gateway.post(surface, body)


def _told(reply: Reply, surface: str, *, is_stream: bool) -> Told:
    if not is_stream or reply.status != 200:
        if reply.status != 200:
            assert reply.json()["error"]["message"]
            return Told(is_whole=False, text="")
        body = reply.json()
        if surface.startswith(_GOOGLE):
            return Told(is_whole=True, text=_google_text([body]))
        if surface == _RESPONSES:
            assert body["status"] == "completed"
            return Told(is_whole=True, text=body["output"][0]["content"][0]["text"])
        is_chat = surface != "/v1/messages"
        text = body["choices"][0]["message"]["content"] if is_chat else body["content"][0]["text"]
        return Told(is_whole=True, text=text)
    if surface == _GOOGLE:  # one array, which is whole JSON however it ends
        return _told_by_google(reply.json())
    events = [json.loads(line[6:]) for line in reply.body.decode().split("\n") if line.startswith("data: {")]
    if surface.startswith(_GOOGLE):
        return _told_by_google(events)
    has_error = any(event.get("error") for event in events)
    if surface == "/v1/messages":
        text = "".join(event.get("delta", {}).get("text", "") for event in events)
        is_whole = any(event.get("type") == "message_stop" for event in events)
    elif surface == _RESPONSES:
        text = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
        is_whole = any(event["type"] == "response.completed" for event in events)
    else:
        text = "".join(c["delta"].get("content") or "" for e in events for c in e.get("choices") or [])
        is_whole = reply.body.endswith(b"data: [DONE]\n\n")
    assert is_whole is not has_error, "a stream ends in one way"
    return Told(is_whole, text)


def _google_text(said: list[Any]) -> str:
    parts = [part for one in said for part in one["candidates"][0]["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts)


def _told_by_google(said: list[Any]) -> Told:
    has_error = any("error" in one for one in said)
    answers = [one for one in said if "candidates" in one]
    is_ended = any("finishReason" in one["candidates"][0] for one in answers)
    assert is_ended or has_error, "a stream says how it ends"
    return Told(is_ended and not has_error, _google_text(answers))


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(
    "surface",
    [
        "/v1/chat/completions",
        "/v1/messages",
        f"{_GOOGLE}alt=sse",
        pytest.param(_GOOGLE, marks=pytest.mark.long),
        pytest.param(_RESPONSES, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("way", ["whole", "stream", "stream until the connection ends"])
@pytest.mark.parametrize("step", [_STEP, pytest.param(1, marks=pytest.mark.long)])
async def test_r08_a_cut_at_any_byte_is_told(wires: Gateway, kind: str, surface: str, way: str, step: int) -> None:
    is_stream, plain = way != "whole", "(plain)" if way.endswith("ends") else ""
    full = _told(await _ask(wires, kind, surface, plain, is_stream=is_stream), surface, is_stream=is_stream)
    assert full.is_whole
    assert len(full.text.split()) == _WORDS
    cut, wholes = 1, 0
    while wholes < 2 and cut < 6000:  # until cuts lie behind the end
        reply = await _ask(wires, kind, surface, f"{plain} (cut-at-{cut})", is_stream=is_stream)
        told = _told(reply, surface, is_stream=is_stream)
        if told.is_whole:
            wholes += 1
            assert told.text == full.text, f"cut at {cut}"
        else:
            wholes = 0
            assert full.text.startswith(told.text), f"cut at {cut}"
        cut += step
    assert cut > 100
    rows = await wires.rows()
    assert {row.outcome for row in rows} <= {"finished", "failed", "upstream_truncated"}
    assert len(rows) == min((cut - 1) // step + 1, 500)
