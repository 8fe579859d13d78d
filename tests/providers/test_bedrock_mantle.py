"""Bedrock's OpenAI-compatible API: OpenAI's rules for OpenAI's models, AWS's keys and errors."""

import orjson

from aiservice.kit.secret import Secret
from aiservice.providers.bedrock_mantle import PROVIDER
from aiservice.wire import RESPONSES_WIRE, Ask, HttpReply, Json
from tests.providers.bedrock_samples import WEATHER, ask
from tests.providers.test_bedrock_credential import ACCESS, SECRET

BASE = "https://bedrock-mantle.us-east-1.api.aws/v1"


def test_openais_models_keep_openais_rules_under_aws_names() -> None:
    assert PROVIDER.build(ask(), "openai.gpt-oss-20b").path == "/chat/completions"
    call = PROVIDER.build(ask(tools=[WEATHER]), "openai.gpt-5.6-luna")
    assert (call.path, orjson.loads(call.body)["model"]) == ("/responses", "openai.gpt-5.6-luna")
    assert PROVIDER.capabilities("openai.gpt-5.6-luna").reasoning is True


def test_a_client_of_the_responses_api_is_passed_on_to_openais_models_and_chats_with_others() -> None:
    body: Json = {"messages": [{"role": "user", "content": "Hi"}]}
    asked = Ask("chat", "chat", body, wire=RESPONSES_WIRE, native={"model": "x", "input": "Hi"})
    assert PROVIDER.build(asked, "openai.gpt-oss-20b").path == "/responses"
    call = PROVIDER.build(asked, "mistral.voxtral-mini-3b-2507")
    assert call.path == "/chat/completions"
    said = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}
    found = PROVIDER.read(asked, call, HttpReply(200, {}, orjson.dumps(said)))
    assert found.body["choices"][0]["message"]["content"] == "Hi"
    reader = PROVIDER.reader(asked, call)
    reader.feed(b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    assert reader.is_finished


def test_calls_that_are_numbered_anew_in_every_answer_are_told_apart() -> None:
    call: Json = {"id": "call_0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    talk: list[Json] = [{"role": "user", "content": "Hi"}]
    for told in ("sun", "moon", "rain"):
        talk += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_0", "content": told},
        ]
    items = orjson.loads(PROVIDER.build(ask(*talk, tools=[WEATHER]), "openai.gpt-5.6-luna").body)["input"]
    called = [item["call_id"] for item in items if item.get("type") == "function_call"]
    results = {item["call_id"]: item["output"] for item in items if item.get("type") == "function_call_output"}
    assert len(set(called)) == 3
    assert [results[call_id] for call_id in called] == ["sun", "moon", "rain"]
    once = ask(*talk[:3])
    sent = orjson.loads(PROVIDER.build(once, "openai.gpt-oss-20b").body)["messages"]
    assert sent == talk[:3]


def test_a_pair_signs_for_the_service_of_the_address_and_a_key_is_sent() -> None:
    call = PROVIDER.build(ask(), "openai.gpt-oss-20b")
    signed = dict(PROVIDER.credential(Secret(f"{ACCESS}:{SECRET}"), BASE)(call))
    assert "/us-east-1/bedrock-mantle/aws4_request" in signed["authorization"]
    sent = dict(PROVIDER.credential(Secret("bedrock-api-key-YWJjZA=="), BASE)(call))
    assert sent == {"authorization": "Bearer bedrock-api-key-YWJjZA=="}


def test_errors_are_awss_or_openais() -> None:
    aws = HttpReply(403, {}, b'{"message": "The security token included in the request is expired"}')
    assert PROVIDER.failure(aws).code == "upstream_auth_failed"
    own = HttpReply(404, {}, b'{"error": {"code": "model_not_found", "message": "No such model."}}')
    assert (PROVIDER.failure(own).code, PROVIDER.failure(own).message) == ("model_not_found", "No such model.")


def test_a_region_alone_is_an_address() -> None:
    assert PROVIDER.address("us-east-1") == BASE
