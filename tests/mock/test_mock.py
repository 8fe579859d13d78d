"""The mock itself, seen by the client library that it stands in for a provider of."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from tests.harness.waiting import until
from tests.mock import MockProvider
from tests.mock.plan import vector
from tests.mock.record import read_record
from tests.mock.script import parse_script

TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[MockProvider]:
    async with MockProvider(record=tmp_path / "served.jsonl", keys=("sk-right",)) as provider:
        yield provider


@pytest.fixture
async def client(mock: MockProvider) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=mock.base_url, api_key="sk-right", max_retries=0) as client:
        yield client


def _user(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def _streamed(client: openai.AsyncOpenAI, text: str) -> list[dict[str, Any]]:
    stream = await client.chat.completions.create(
        model="m", messages=_user(text), stream=True, stream_options={"include_usage": True}
    )
    return [chunk.model_dump() async for chunk in stream]


def test_script_words_carry_numbers_and_tools_carry_arguments() -> None:
    script = parse_script('please (wait-20) (hang-after-3) (no-done) (tool weather {"city": {"name": "Bern"}})')
    assert script.numbers == {"wait": 20, "hang-after": 3, "no-done": None}
    assert script.tools == (("weather", {"city": {"name": "Bern"}}),)


async def test_answers_whole_with_usage_and_records_it(client: openai.AsyncOpenAI, mock: MockProvider) -> None:
    answer = await client.chat.completions.create(model="m", messages=_user("say (words-5) please"))
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 5)
    assert mock.record.path is not None
    (served,) = read_record(mock.record.path)
    assert (served.path, served.words, served.end) == ("/v1/chat/completions", 5, "finished")
    assert served.body["model"] == "m"


async def test_streams_role_words_finish_usage_and_done(client: openai.AsyncOpenAI) -> None:
    chunks = await _streamed(client, "(words-20)")
    assert len(chunks) == 23  # and [DONE], which the library swallows: 24 events
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 20


async def test_calls_a_tool_and_then_speaks_of_its_result(client: openai.AsyncOpenAI) -> None:
    asked = _user('(tool weather {"city": "Bern"})')
    answer = await client.chat.completions.create(model="m", messages=asked, tools=[TOOL])
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (answer.choices[0].finish_reason, call.function.name) == ("tool_calls", "weather")
    stream = await client.chat.completions.create(model="m", messages=asked, tools=[TOOL], stream=True)
    calls = [c.choices[0].delta.tool_calls async for c in stream]
    pieces = [call[0].function.arguments or "" for call in calls if call and call[0].function]
    assert json.loads("".join(pieces)) == {"city": "Bern"}
    turns: Any = [*asked, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "snow"}]
    final = await client.chat.completions.create(model="m", messages=turns, tools=[TOOL])
    assert final.choices[0].message.content == "The tool said: snow"


async def test_embeds_the_same_in_both_encodings(client: openai.AsyncOpenAI) -> None:
    plain = await client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")
    packed = await client.embeddings.create(model="m", input=["a", "b"])  # the library asks for base64 and decodes
    assert [d.embedding for d in plain.data] == [d.embedding for d in packed.data] == [vector("a"), vector("b")]


async def test_refuses_another_key(mock: MockProvider) -> None:
    async with openai.AsyncOpenAI(base_url=mock.base_url, api_key="sk-wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()


@pytest.mark.parametrize(
    ("words", "status"), [("(status-503)", 503), ("(retry-after-7)", 429), ("(echo-key)", 401), ("(html)", 200)]
)
async def test_plays_failures_before_the_first_word(mock: MockProvider, words: str, status: int) -> None:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer sk-right"}) as session:
        answer = await session.post(f"{mock.base_url}/chat/completions", json={"messages": _user(words)})
        assert answer.status == status
        if words == "(echo-key)":
            assert "sk-right" in await answer.text()
            assert "sk-right" in answer.headers["x-echo"]
        if words == "(retry-after-7)":
            assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("words", ["(break-after-3)", "(reset-after-3)", "(reset)"])
async def test_plays_breaks_that_the_transport_sees(mock: MockProvider, words: str) -> None:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer sk-right"}) as session:
        with pytest.raises(aiohttp.ClientError):
            body = {"messages": _user(words), "stream": True}
            answer = await session.post(f"{mock.base_url}/chat/completions", json=body)
            await answer.read()


@pytest.mark.parametrize(("words", "end"), [("(cut-after-3)", "cut-after"), ("(no-done)", "no-done")])
async def test_plays_ends_that_only_a_missing_marker_betrays(mock: MockProvider, words: str, end: str) -> None:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer sk-right"}) as session:
        body = {"messages": _user(words), "stream": True}
        text = await (await session.post(f"{mock.base_url}/chat/completions", json=body)).text()
    assert "[DONE]" not in text
    assert mock.record.path is not None
    assert read_record(mock.record.path)[-1].end == end


async def test_notes_how_far_a_client_that_left_had_come(client: openai.AsyncOpenAI, mock: MockProvider) -> None:
    stream = await client.chat.completions.create(model="m", messages=_user("(wait-10) (words-500)"), stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    path = mock.record.path
    assert path is not None
    await until(lambda: [served.end for served in read_record(path)] == ["client_left"])
    (served,) = read_record(path)
    assert served.end == "client_left"
    assert served.words is not None
    assert 1 <= served.words < 50
