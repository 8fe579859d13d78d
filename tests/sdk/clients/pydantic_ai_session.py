"""Pydantic AI: argv is wire, base URL, key, model. Prints one JSON object."""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_ASKED = 'weather? (tool weather {"city": "Bern"})'


class Place(BaseModel):
    city: str


def _model(wire: str, base_url: str, key: str, name: str) -> Any:
    if wire == "anthropic":
        client = AsyncAnthropic(base_url=base_url, api_key=key, max_retries=0)
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))
    openai = AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=openai))


def _told(result: Any) -> dict[str, Any]:
    usage = result.usage
    return {"text": result.output, "input": usage.input_tokens, "output": usage.output_tokens}


async def _streamed(agent: Any, asked: str) -> str:
    async with agent.run_stream(asked) as stream:
        return str(await stream.get_output())


async def _refused(call: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    try:
        await call()
    except ModelHTTPError as error:
        cause: Any = error.__cause__
        return {"status": error.status_code, "retry_after": cause.response.headers.get("retry-after")}
    return {"status": 200}


async def session(wire: str, base_url: str, key: str, name: str) -> dict[str, Any]:
    model = _model(wire, base_url, key, name)
    agent = Agent(model)
    cities: list[str] = []
    tooled = Agent(model)

    @tooled.tool_plain
    def weather(city: str) -> str:
        """The weather of a city."""
        cities.append(city)
        return "snow"

    picture = BinaryContent(base64.b64decode(_PIXEL), media_type="image/png")
    after = await tooled.run(_ASKED)
    after_stream = await _streamed(tooled, _ASKED)
    # Of models of Anthropic's that it does not know by name it asks for an object by a tool.
    typed = Agent(model, output_type=Place if wire == "anthropic" else NativeOutput(Place))
    where = 'where? (tool final_result {"city": "Bern"})' if wire == "anthropic" else "where? (json)"
    stranger = Agent(_model(wire, base_url, key[:-1], name))
    broken = False
    try:
        await _streamed(agent, "(error-event)")
    except Exception:  # noqa: BLE001 - of either vendor's library
        broken = True
    return {
        "chat": _told(await agent.run("say (words-5) please")),
        "stream": await _streamed(agent, "say (words-5) please"),
        "cities": cities,
        "after_tool": after.output,
        "after_tool_stream": after_stream,
        "json": (await typed.run(where)).output.model_dump(),
        "image": (await agent.run(["what is this (words-2)", picture])).output,
        "bad": await _refused(lambda: agent.run("(status-400)")),
        "down": await _refused(lambda: agent.run("(status-500)")),
        "limit": await _refused(lambda: agent.run("(retry-after-2)")),
        "stranger": await _refused(lambda: stranger.run("hi")),
        "broken": broken,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(session(*sys.argv[1:]))))
