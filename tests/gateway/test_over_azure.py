"""Azure OpenAI behind the running gateway: each form of its address, its key's header, and its content filter."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.conftest import Gateway, portal
from tests.gateway.scripted_server import ScriptedServer

KEY = "0123456789abcdef0123456789abcdef"
_FORMS = {"newest": "", "classic": "?api-version=2024-10-21", "foundry": "/models"}
_WHOLE = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}'


@dataclass
class Setup:
    gateway: Gateway
    azure: ScriptedServer


@pytest.fixture
async def setup(installed: Settings) -> AsyncIterator[Setup]:
    async with ScriptedServer() as azure, open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        for name, rest in _FORMS.items():
            await core.connections.add(
                OPERATOR,
                "azure-openai",
                name,
                azure.url + rest,
                Secret(KEY),
                is_private_allowed=True,
                models=["prod-4o"],
            )
        made = await core.keys.create(OPERATOR, "app", "first")
        in_flight = InFlight()
        app = build_gateway(core, in_flight, portal, portal)
        yield Setup(Gateway(app, core, in_flight, made.key.reveal_text()), azure)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("newest", "/openai/v1/chat/completions"),
        ("classic", "/openai/deployments/prod-4o/chat/completions?api-version=2024-10-21"),
        ("foundry", "/models/chat/completions?api-version=2024-05-01-preview"),
    ],
)
async def test_a_deployment_is_asked_in_the_form_of_its_address(setup: Setup, name: str, target: str) -> None:
    setup.azure.says(_WHOLE)
    reply = await setup.gateway.chat("Hi", model=f"{name}/prod-4o")
    asked = setup.azure.asked[-1]
    assert (reply.status, reply.body, asked.target, asked.headers["api-key"]) == (200, _WHOLE, target, KEY)
    assert "authorization" not in asked.headers


async def test_a_stream_loses_the_filters_first_chunk_and_keeps_the_rest_as_it_was(setup: Setup) -> None:
    first = b'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[]}\n\n'
    said = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"content_filter_results":{}}]}\n\n'
    last = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    setup.azure.says([first, said, last, b"data: [DONE]\n\n"], content_type="text/event-stream")
    reply = await setup.gateway.chat("Hi", model="classic/prod-4o", stream=True)
    assert reply.body == said + last + b"data: [DONE]\n\n"


async def test_a_filtered_prompt_is_the_callers_to_change(setup: Setup) -> None:
    error = {"code": "content_filter", "message": "The response was filtered.", "param": "prompt", "status": 400,
             "innererror": {"code": "ResponsibleAIPolicyViolation"}}  # fmt: skip
    setup.azure.says(orjson.dumps({"error": error}), 400)
    reply = await setup.gateway.chat("Hi", model="newest/prod-4o")
    assert (reply.status, reply.code, reply.json()["error"]["param"]) == (400, "content_filter", "prompt")


@pytest.mark.parametrize(
    ("name", "target"), [("newest", "/openai/v1/models"), ("classic", "/openai/models?api-version=2024-10-21")]
)
async def test_a_connection_is_tried_without_taking_what_could_be_deployed(
    setup: Setup, name: str, target: str
) -> None:
    setup.azure.says(b'{"data": [{"id": "gpt-4o"}]}')
    result = await setup.gateway.core.connections.test(OPERATOR, name)
    assert (result.is_ok, result.models, setup.azure.asked[-1].target) == (True, (), target)
