"""OpenAI's own library, unchanged but for base_url and key, over the real server: to a provider and to the sandbox."""

import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.mock.plan import vector
from tests.process.conftest import Rig

pytestmark = pytest.mark.process

_TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def _user(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture
def client(rig: Rig) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=rig.server.api_url, api_key=rig.key, max_retries=0) as client:
        yield client


def _row(rig: Rig, request_id: str | None) -> dict[str, Any]:
    for _ in range(100):
        if request_id in (rows := rig.installation.ledger()):
            return rows[request_id]
        time.sleep(0.05)
    raise AssertionError(f"{request_id} is not in the ledger")


def test_chats_streams_calls_tools_and_embeds_through_a_provider(rig: Rig, client: openai.OpenAI) -> None:
    """One server start for all of the library's ways, each held against the ledger."""
    answer = client.chat.completions.create(model="mock-small", messages=_user("say (words-5) please"))
    assert answer.usage is not None
    row = _row(rig, answer._request_id)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 5)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (3, 5, "reported")
    _stream(rig, client)
    _call_a_tool(client)
    _complete(client)
    embedded = client.embeddings.create(model="mock-embedding", input=["a", "b"])
    assert [item.embedding for item in embedded.data] == [vector("a"), vector("b")]
    assert {"mock-small", "mock-large", "mock-embedding"} <= {
        model.id.rpartition("/")[2] for model in client.models.list()
    }


def _complete(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="mock-small", prompt="(words-4) go", max_tokens=9)
    assert len(whole.choices[0].text.split()) == 4
    asked: Any = {"model": "mock-small", "prompt": "(words-6) go", "stream_options": {"include_usage": True}}
    pieces = list(client.completions.create(stream=True, **asked))
    assert len("".join(piece.choices[0].text for piece in pieces if piece.choices).split()) == 6
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 6


def _stream(rig: Rig, client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="mock-small", messages=_user("(words-20) go"), stream=True
    ) as raw:
        request_id = raw.headers["x-request-id"]
        chunks = list(raw.parse())
    words = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(words.split()) == 20
    assert not any(chunk.usage for chunk in chunks), "usage was not asked for"
    row = _row(rig, request_id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (2, 20, "reported")
    asked = client.chat.completions.create(
        model="mock-small", messages=_user("(words-20) go"), stream=True, stream_options={"include_usage": True}
    )
    last = list(asked)[-1]
    assert last.usage is not None
    assert last.usage.completion_tokens == 20
    numbered = client.chat.completions.create(
        model="mock-small",
        messages=_user("(words-20) go"),
        stream=True,
        extra_headers={"x-aiservice-resumable": "true"},
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in numbered if chunk.choices) == words


def _call_a_tool(client: openai.OpenAI) -> None:
    asked = _user('What is the weather? (tool weather {"city": "Bern"})')
    answer = client.chat.completions.create(model="mock-small", messages=asked, tools=[_TOOL])
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"city": "Bern"}
    stream = client.chat.completions.create(model="mock-small", messages=asked, tools=[_TOOL], stream=True)
    calls = [chunk.choices[0].delta.tool_calls for chunk in stream if chunk.choices]
    pieces = [call[0].function.arguments or "" for call in calls if call and call[0].function]
    assert json.loads("".join(pieces)) == {"city": "Bern"}
    turns: Any = [*asked, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "snow"}]
    final = client.chat.completions.create(model="mock-small", messages=turns, tools=[_TOOL])
    assert final.choices[0].message.content == "The tool said: snow"


def test_chats_and_streams_with_the_sandbox_and_is_told_so(rig: Rig, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="sandbox/sandbox", messages=_user("hello"))
    assert raw.headers["x-aiservice-provider"] == "sandbox"
    whole = raw.parse().choices[0].message.content
    assert whole
    assert "sandbox" in whole.lower()
    stream = client.chat.completions.create(model="sandbox/sandbox", messages=_user("hello"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == whole
