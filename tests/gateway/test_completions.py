"""`/v1/completions` through the gateway: passed on to who has it, a chat everywhere else, counted in both."""

import orjson

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway


async def test_a_prompt_is_passed_on_and_its_answer_comes_back_as_it_was(gateway: Gateway) -> None:
    reply = await gateway.post("/v1/completions", {"model": "gpt-mock", "prompt": "(words-7) hi", "suffix": "."})
    said = reply.json()
    assert (reply.status, said["object"], said["id"][:5]) == (200, "text_completion", "cmpl-")
    assert len(said["choices"][0]["text"].split()) == 7
    row = (await gateway.rows())[0]
    assert (row.task, row.surface, row.output_tokens, row.usage_source) == (
        "text-generation",
        "completions",
        7,
        "reported",
    )


async def test_a_stream_is_passed_on_and_counted_and_its_usage_is_for_who_asked(gateway: Gateway) -> None:
    body = {"model": "gpt-mock", "prompt": "(words-5) hi", "stream": True}
    plain = await gateway.post("/v1/completions", body)
    assert plain.body.endswith(b"data: [DONE]\n\n")
    assert b'"prompt_tokens"' not in plain.body
    asked = await gateway.post("/v1/completions", {**body, "stream_options": {"include_usage": True}})
    chunks = [orjson.loads(line[6:]) for line in asked.body.split(b"\n\n") if line.startswith(b"data: {")]
    assert len("".join(chunk["choices"][0]["text"] for chunk in chunks if chunk["choices"]).split()) == 5
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    assert [row.output_tokens for row in await gateway.rows()] == [5, 5]


async def test_who_has_no_such_wire_is_asked_to_chat(sandboxed: Gateway) -> None:
    said = (await sandboxed.post("/v1/completions", {"prompt": "Tell me"})).json()
    assert (said["object"], said["choices"][0]["finish_reason"]) == ("text_completion", "stop")
    assert "[sandbox]" in said["choices"][0]["text"]
    stream = await sandboxed.post("/v1/completions", {"prompt": "Tell me", "stream": True})
    chunks = [orjson.loads(line[6:]) for line in stream.body.split(b"\n\n") if line.startswith(b"data: {")]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == said["choices"][0]["text"]


async def test_what_a_chat_has_no_word_for_is_refused_with_its_name(gateway: Gateway) -> None:
    assert gateway.mock is not None
    address, key = gateway.mock.base_url, Secret(PROVIDER_KEY)
    await gateway.core.connections.add(OPERATOR, "groq", "fast", address, key, is_private_allowed=True, models=["m"])
    reply = await gateway.post("/v1/completions", {"model": "fast/m", "prompt": "Tell me", "echo": True})
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["param"]) == (400, "unsupported_parameter", "echo")
