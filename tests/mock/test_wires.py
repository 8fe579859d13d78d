"""The mock in Anthropic's, Gemini's and the Responses API's wires, as their own libraries and readers see it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

from tests.mock import MockProvider
from tests.mock.limits import Limits

_TOOL: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[MockProvider]:
    async with MockProvider(record=tmp_path / "served.jsonl", keys=("sk-right",)) as provider:
        yield provider


@pytest.fixture
async def claude(mock: MockProvider) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=mock.root_url, api_key="sk-right", max_retries=0) as client:
        yield client


def _user(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_anthropics_library_reads_words_thoughts_and_usage(claude: anthropic.AsyncAnthropic) -> None:
    for text, blocks in (("(words-5) (cache-2) go", ["text"]), ("(think) (words-5) go", ["thinking", "text"])):
        whole = await claude.messages.create(model="m", max_tokens=50, messages=_user(text))
        async with claude.messages.stream(model="m", max_tokens=50, messages=_user(text)) as stream:
            streamed = await stream.get_final_message()
        assert [block.type for block in whole.content] == [block.type for block in streamed.content] == blocks
        assert whole.content[-1].to_dict() == streamed.content[-1].to_dict() | {"citations": None}
        assert (whole.stop_reason, streamed.stop_reason) == ("end_turn", "end_turn")
        assert whole.usage.output_tokens == streamed.usage.output_tokens == (10 if "think" in text else 5)


async def test_anthropics_library_calls_a_tool_and_hears_of_its_result(claude: anthropic.AsyncAnthropic) -> None:
    asked = _user('(tool weather {"city": "Bern"})')
    async with claude.messages.stream(model="m", max_tokens=50, messages=asked, tools=[_TOOL]) as stream:
        answer = await stream.get_final_message()
    (call,) = answer.content
    assert call.type == "tool_use"
    assert (call.input, answer.stop_reason) == ({"city": "Bern"}, "tool_use")
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "snow"}]}
    turns: Any = [*asked, {"role": "assistant", "content": answer.content}, result]
    final = await claude.messages.create(model="m", max_tokens=50, messages=turns, tools=[_TOOL])
    assert final.content[0].to_dict()["text"] == "The tool said: snow"


async def test_anthropics_library_counts_lists_and_is_refused(claude: anthropic.AsyncAnthropic) -> None:
    assert (await claude.messages.count_tokens(model="m", messages=_user("one two three"))).input_tokens == 3
    assert (await claude.models.list()).data[0].id == "mock-small"
    with pytest.raises(anthropic.RateLimitError):
        await claude.messages.create(model="m", max_tokens=5, messages=_user("(status-429)"))


async def _gemini(mock: MockProvider, method: str, body: object) -> tuple[int, bytes]:
    url = f"{mock.root_url}/v1beta/models/mock-small:{method}"
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "sk-right"}) as session:
        answer = await session.post(url, json=body)
        return answer.status, await answer.read()


def _contents(text: str, **more: object) -> dict[str, object]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


async def test_geminis_stream_says_what_its_whole_answer_says(mock: MockProvider) -> None:
    _, whole = await _gemini(mock, "generateContent", _contents("(words-4) go"))
    _, stream = await _gemini(mock, "streamGenerateContent", _contents("(words-4) go"))
    chunks = [json.loads(line[6:]) for line in stream.decode().split("\r\n\r\n") if line]
    texts = ["".join(p["text"] for p in c["candidates"][0]["content"]["parts"]) for c in [json.loads(whole), *chunks]]
    assert texts[0] == "".join(texts[1:]) == "the gate keeps every"
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"] == json.loads(whole)["usageMetadata"]


async def test_gemini_calls_tools_embeds_counts_and_fails(mock: MockProvider) -> None:
    tools = [{"functionDeclarations": [{"name": "weather"}]}]
    _, said = await _gemini(mock, "generateContent", _contents('(tool weather {"city": "Bern"})', tools=tools))
    part = json.loads(said)["candidates"][0]["content"]["parts"][0]
    assert part["functionCall"]["args"] == {"city": "Bern"}
    parts = [{"content": {"parts": [{"text": text}]}} for text in ("a", "b c")]
    _, vectors = await _gemini(mock, "batchEmbedContents", {"requests": parts})
    assert [len(item["values"]) for item in json.loads(vectors)["embeddings"]] == [8, 8]
    assert json.loads((await _gemini(mock, "countTokens", _contents("one two")))[1]) == {"totalTokens": 2}
    status, failure = await _gemini(mock, "generateContent", _contents("(status-429)"))
    assert (status, json.loads(failure)["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


async def test_the_responses_api_answers_openais_library(mock: MockProvider) -> None:
    tool: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    async with openai.AsyncOpenAI(base_url=mock.base_url, api_key="sk-right", max_retries=0) as client:
        whole = await client.responses.create(model="m", input="(words-5) go")
        assert (whole.output_text, whole.usage and whole.usage.output_tokens) == ("the gate keeps every key", 5)
        async with client.responses.stream(model="m", input="(think) (words-5) go") as stream:
            streamed = await stream.get_final_response()
        assert streamed.output_text == whole.output_text
        called = await client.responses.create(model="m", input='(tool weather {"city": "Bern"})', tools=[tool])
        (call,) = called.output
        assert call.type == "function_call"
        assert json.loads(call.arguments) == {"city": "Bern"}


async def test_limits_hold_and_are_told_or_hidden(tmp_path: Path) -> None:
    for is_hidden in (False, True):
        limits = Limits(rpm=2, is_hidden=is_hidden)
        async with MockProvider(limits=limits) as mock, aiohttp.ClientSession() as session:
            body = {"messages": _user("hi")}
            answers = [await session.post(f"{mock.base_url}/chat/completions", json=body) for _ in range(3)]
            assert [answer.status for answer in answers] == [200, 200, 429]
            assert ("retry-after" in answers[2].headers) is not is_hidden
            assert ("x-ratelimit-remaining-requests" in answers[0].headers) is not is_hidden
            assert limits.refused == 1


async def test_an_answer_is_cut_at_any_byte(mock: MockProvider) -> None:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer sk-right"}) as session:
        url, whole = f"{mock.base_url}/chat/completions", {"messages": _user("(words-9)")}
        size = len(await (await session.post(url, json=whole)).read())
        for cut in (1, 60, 200, 400):
            with pytest.raises(aiohttp.ClientError):
                answer = await session.post(url, json={"messages": _user(f"(words-9) (cut-at-{cut})")})
                assert len(await answer.read()) < size
